"""``lamp import``: checkpoints in, a bundle out for the other commands; one sentence for every mistake."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import read_config
from lamp_cli.bundle.trained_tokenizer import load_tokenizer_folder
from lamp_cli.bundle.weights import load_file
from lamp_cli.model.tokenizer import TokenizerConfig
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.storage import file_digest
from lamp_cli.training.experiment_files import size_named
from tests.bundle.released_files import State, language_model, random_state, write_released_files
from tests.command_line import Done, lamp
from tests.small_size import pretrain
from tests.training.test_pretrain import dataset


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    write_released_files(folder)
    return folder


def words(folder: Path, output: Path, **changed: str | Path | None) -> list[str | Path]:
    """A call that imports all there is in ``folder``, with other values of some options; None for none."""
    options: dict[str, str | Path | None] = {
        "tokenizer": folder / "vq.tar",
        "lamp": folder / "h3d-qformer.tar",
        "generator": folder / "t2m.tar",
        "mean": folder / "mean.npy",
        "std": folder / "std.npy",
        "vocabulary": folder / "vocab.txt",
        "output": output,
    }
    given = [(f"--{name}", value) for name, value in {**options, **changed}.items() if value is not None]
    return ["import", *(word for pair in given for word in pair)]


# What of a small experiment makes its tokenizer the published one.
SAME_TOKENIZER = (
    "tokenizer.width=32",
    "tokenizer.codes=24",
    "tokenizer.code_width=32",
    "tokenizer.encoder_width=none",
    "tokenizer.upper_joints=[]",
    "tokenizer.mirrored_dilations=false",
)
FILES = {"tokenizer vq.tar", "lamp h3d-qformer.tar", "generator t2m.tar", "mean mean.npy", "std std.npy"}
ALONE: dict[str, str | Path | None] = {"lamp": None, "generator": None, "vocabulary": None}


@pytest.fixture(scope="module")
def bundle(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported") / "lamp-released"
    assert lamp(*words(files, folder)).returncode == 0
    return folder


def test_a_bundle_says_whose_weights_it_holds(files: Path, tmp_path: Path) -> None:
    done = lamp(*words(files, tmp_path / "out"))
    (row,) = done.rows
    assert row["parts"] == ["tokenizer", "lamp", "generator"] and row["skeleton"] == "humanml3d"
    assert row["files"] == {name: file_digest(files / name.split()[1]) for name in FILES}
    # Every tensor is either used or told.
    assert done.stderr == (
        "left out: h3d-qformer.tar: vq_model (67 tensors); t2m.tar: Qformer.cls (7 tensors), "
        "clip2qformer (2 tensors)\n"
    )
    config = read_config(tmp_path / "out")
    assert config.model.compat == "released" and config.provenance is not None
    assert config.provenance.source.startswith("gentlefress/LaMP") and "MIT" in config.provenance.licence
    card = (tmp_path / "out/README.md").read_text()
    assert file_digest(files / "t2m.tar") in card and "length head" not in card
    # 16 bits would not give the same outputs.
    assert {value.dtype for value in load_file(tmp_path / "out/lamp.safetensors").values()} == {torch.float32}


def test_info_tells_an_imported_bundle(bundle: Path, files: Path) -> None:
    (row,) = lamp("info", bundle).rows
    assert row["licence"].startswith("MIT for the code") and row["networks"]["compat"] == "released"
    assert set(row["provenance"]["files"]) == FILES
    shown = lamp("info", bundle, terminal=True).stdout
    assert "weights of: gentlefress/LaMP (Li et al., ICLR 2025)\n" in shown
    assert f"  generator t2m.tar: SHA-256 {file_digest(files / 't2m.tar')}\n" in shown


def test_an_imported_bundle_generates_and_finds_motions(bundle: Path, tmp_path: Path) -> None:
    call = ("generate", "the person jumps", "--model", bundle, "--seed", "1", "--format", "npy", "--output")
    (row,) = lamp(*call, tmp_path, "--frames", "60").rows
    assert row["frames"] == 60 and row["candidates"] == 1
    joints = np.load(row["motion"])
    assert joints.shape == (60, 22, 3) and np.isfinite(joints).all()
    done = lamp(*call, tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "lamp-released: this model predicts no lengths; expected one in frames or seconds\n"
    )
    # The generator reads 49 word pieces, LaMP 32.
    for words_of_sentence, read in ((40, 40), (60, 47)):
        call = ("generate", "the " * words_of_sentence, *call[2:])
        long = lamp(*call, tmp_path, "--frames", "20").rows[0]
        assert len(long.get("truncated_to", long["text"]).split()) == read
    (tmp_path / "texts.txt").write_text("the person jumps\n")
    (row,) = lamp("retrieve", row["motion"], "--model", bundle, "--texts", tmp_path / "texts.txt").rows
    assert row["rank"] == 1 and -1 <= row["score"] <= 1


def test_lamp_without_a_generator_finds_motions_and_generates_none(files: Path, tmp_path: Path) -> None:
    """As of KIT-ML, whose generator is not published, and whose tokenizer lies within LaMP's own file."""
    assert lamp(*words(files, tmp_path / "out", tokenizer=None, generator=None)).returncode == 0
    assert not (tmp_path / "out/generator.safetensors").exists()
    done = lamp("generate", "a", "--frames", "60", "--model", tmp_path / "out", "--seed", "1")
    assert done.returncode == 2 and done.stderr.endswith("out: this bundle has no generator\n")
    np.save(tmp_path / "walk.npy", np.load(dataset(tmp_path / "data", HUMANML3D) / "new_joint_vecs/0.npy"))
    (tmp_path / "texts.txt").write_text("the person walks\nperson jumps\n")
    call = ("retrieve", tmp_path / "walk.npy", "--model", tmp_path / "out", "--texts", tmp_path / "texts.txt")
    assert len(lamp(*call).rows) == 2


def test_kit_is_told_by_the_count_of_its_features(tmp_path: Path) -> None:
    write_released_files(tmp_path, features=251)
    statistics = {"mean": tmp_path / "kit_mean.npy", "std": tmp_path / "kit_std.npy"}
    assert lamp(*words(tmp_path, tmp_path / "out", **statistics)).rows[0]["skeleton"] == "kit"
    config = read_config(tmp_path / "out")
    assert config.fps == 12.5 and config.model.tokenizer.joints == 21
    # The scale of the release's command for KIT-ML.
    assert config.model.generator is not None and config.model.generator.guidance == 2.0
    call = ("generate", "a", "--frames", "40", "--model", tmp_path / "out", "--format", "npy", "--output")
    assert np.load(lamp(*call, tmp_path).rows[0]["motion"]).shape == (40, 21, 3)
    done = lamp(*words(tmp_path, tmp_path / "other"))
    assert done.returncode == 2 and "mean.npy: expected 251 finite numbers" in done.stderr


def test_an_imported_captioner_describes_motions(files: Path, tmp_path: Path) -> None:
    opt, output = language_model(tmp_path / "opt"), tmp_path / "out"
    call = words(files, output, captioner=files / "m2t.pth", llm=opt, generator=None)
    done = lamp(*call)
    assert done.rows[0]["parts"] == ["tokenizer", "lamp", "captioner"]
    # Of many parts the first ones are named: the text side, the frozen OPT under both of its names.
    assert "m2t.pth: Qformer.bert.embeddings.position_embeddings (1 tensors), " in done.stderr
    np.save(tmp_path / "walk.npy", np.load(dataset(tmp_path / "data", HUMANML3D) / "new_joint_vecs/0.npy"))
    row = lamp("caption", tmp_path / "walk.npy", "--model", output, "--prompt", "w1 w2").rows[0]
    assert row["caption"].startswith("w1 w2")
    done = lamp(*words(files, tmp_path / "other", captioner=files / "m2t.pth", generator=None))
    assert done.returncode == 2 and "--captioner, --llm: expected both" in done.stderr
    done = lamp(*words(files, tmp_path / "other", captioner=files / "t2m.tar", llm=opt))
    assert done.returncode == 2 and "found a generator (t2m_transformer)" in done.stderr
    llama = language_model(tmp_path / "llama", "llama")
    done = lamp(*words(files, tmp_path / "other", captioner=files / "m2t.pth", llm=llama))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"--llm {llama}: its width is 24; {files / 'm2t.pth'} is for one of 16" in done.stderr


@pytest.mark.parametrize("file", ["vq.tar", "momask.tar"])
def test_later_stages_are_trained_on_an_imported_tokenizer(
    files: Path, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = lamp(*words(files, tmp_path / "vq", tokenizer=files / file, **ALONE))
    assert done.returncode == 0
    tokenizer = load_tokenizer_folder(tmp_path / "vq", torch.device("cpu"))

    monkeypatch.setattr("lamp_cli.training.pretrain.draw_curves", lambda folder: None)
    call = ["--data", dataset(tmp_path / "data", HUMANML3D), "--output", tmp_path / "out"]
    call += ["--start-from", tmp_path / "vq", "--text-encoder", "none", "--stage", "lamp"]
    for stage in ("lamp", "generator"):
        call += ["--steps", f"{stage}=1", "--batch-size", f"{stage}=4"]
    assert pretrain(*call, "--stage", "generator").returncode == 2
    codebooks = tokenizer.network.config.quantizers
    assert codebooks == (3 if file == "momask.tar" else 1)
    for setting in (*SAME_TOKENIZER, f"tokenizer.quantizers={codebooks}"):
        call += ["--set", setting]
    done = pretrain(*call, "--stage", "generator")
    assert done.returncode == 0, done.stderr
    config = read_config(tmp_path / "out")
    assert config.provenance == tokenizer.config.provenance
    trained = load_file(tmp_path / "out/tokenizer.safetensors")
    assert torch.equal(trained["codebook.vectors"], tokenizer.network.codebook.vectors)
    np.testing.assert_array_equal(np.load(tmp_path / "out/Std.npy"), tokenizer.statistics.std)


def test_the_published_tokenizers_are_what_the_papers_size_trains() -> None:
    """So that ``lamp pretrain --size paper --start-from`` takes them as they are."""
    sizes = replace(size_named("paper", HUMANML3D).model().tokenizer, dropout=0.0)
    assert sizes == TokenizerConfig(mirrored_dilations=False)


def test_a_tokenizer_alone_is_no_bundle_and_of_one_skeleton(files: Path, tmp_path: Path) -> None:
    assert lamp(*words(files, tmp_path / "vq", **ALONE)).returncode == 0
    done = lamp("generate", "a", "--model", tmp_path / "vq")
    assert done.returncode == 2
    assert "vq: holds a motion tokenizer alone; `lamp pretrain --start-from` trains the rest" in done.stderr
    call = ("pretrain", "--output", tmp_path / "out", "--start-from", tmp_path / "vq", "--stage", "lamp")
    done = lamp(*call, "--data", dataset(tmp_path / "kit", KIT), "--text-encoder", "none")
    assert done.returncode == 2 and "vq: is of humanml3d's skeleton, the data have kit's" in done.stderr


def _change(file: str, name: str, value: Callable[[State], torch.Tensor | None]) -> Callable[[Path], None]:
    """Write a checkpoint again with another value of one of its tensors, or without it."""

    def apply(folder: Path) -> None:
        state = random_state(file)
        changed = value(state)
        state |= {} if changed is None else {name: changed}
        state = {k: v for k, v in state.items() if changed is not None or k != name}
        key = {"vq.tar": "vq_model", "h3d-qformer.tar": "motion_qformer", "t2m.tar": "t2m_transformer"}[file]
        torch.save({key: state}, folder / file)

    return apply


def _cut(folder: Path) -> None:
    whole = (folder / "vq.tar").read_bytes()
    (folder / "vq.tar").write_bytes(whole[: len(whole) // 2])


def _nothing(folder: Path) -> None:
    pass


def _fewer_words(folder: Path) -> None:
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text().rsplit("person", 1)[0])


def _text(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "t2m.tar").write_text(text)

    return write


ENCODER = "vqvae.encoder.model"


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (_nothing, {"tokenizer": "t2m.tar"}, "--tokenizer t2m.tar: expected a motion tokenizer, a dictionary "
            "with vq_model or net or motion_qformer, found a generator (t2m_transformer)"),
        (_nothing, {"lamp": "vq.tar"}, "--lamp vq.tar: expected LaMP, a dictionary with motion_qformer, "
            "found a motion tokenizer (vq_model)"),
        (_nothing, {"generator": "h3d-qformer.tar"}, "--generator h3d-qformer.tar: expected a generator, a "
            "dictionary with t2m_transformer or trans, found LaMP (motion_qformer)"),
        (_nothing, {"tokenizer": "gone.tar"}, "gone.tar: no such file"),
        (_nothing, {"tokenizer": "."}, ".: is a folder; expected a checkpoint"),
        (_cut, {}, "vq.tar: no whole checkpoint of torch.save, perhaps cut short"),
        (_text("not found"), {}, "t2m.tar: no whole checkpoint of torch.save, perhaps cut short"),
        (_text('size = "mini"'), {}, "t2m.tar: no whole checkpoint of torch.save, perhaps cut short"),
        (_nothing, {"mean": "kit_mean.npy"}, "kit_mean.npy: expected 263 finite numbers, found shape (251,); "
            "the tokenizer is one of humanml3d"),
        (_nothing, {"mean": None}, "Missing option '--mean'; see lamp import --help"),
        (_nothing, {"tokenizer": None, **ALONE}, "nothing to import; expected --tokenizer, --lamp or both"),
        (_nothing, {"lamp": None, "vocabulary": None}, "--generator: needs --lamp too"),
        (_nothing, {**ALONE, "vocabulary": "vocab.txt"}, "--vocabulary: has no effect without --lamp"),
        (_nothing, {"vocabulary": "none.txt"}, "--vocabulary none.txt: no such file"),
        (_fewer_words, {}, "--vocabulary: 57 word pieces; h3d-qformer.tar reads 63, those of bert-base-"),
        (_change("vq.tar", f"{ENCODER}.4.bias", lambda _: None), {}, f"vq.tar: lacks {ENCODER}.4.bias"),
        (_change("vq.tar", f"{ENCODER}.4.bias", lambda _: torch.zeros(7)), {},
            f"vq.tar: {ENCODER}.4.bias has the shape (7,); expected (32,)"),
        (_change("vq.tar", f"{ENCODER}.0.weight", lambda _: torch.zeros(32, 99, 3)), {},
            "vq.tar: reads 99 features per frame; expected 263 or 251"),
        # A norm would change what the encoder computes.
        (_change("vq.tar", f"{ENCODER}.2.1.model.0.norm1.weight", lambda _: torch.ones(32)), {},
            f"vq.tar: holds {ENCODER}.2.1.model.0.norm1.weight, for which ours has no place"),
        (_change("h3d-qformer.tar", "motion_cls.weight", lambda s: s["motion_cls.weight"][:9]), {},
            "h3d-qformer.tar: names 9 codes; the tokenizer has 24"),
        (_change("h3d-qformer.tar", "temp", lambda _: torch.tensor(-1.0)), {},
            "h3d-qformer.tar: temp is -1; expected a scale above 0"),
        (_change("t2m.tar", "token_emb.weight", lambda s: s["token_emb.weight"][:9]), {},
            "t2m.tar: names 7 codes; the tokenizer has 24"),
        (_change("t2m.tar", "seqTransEncoder.norm.weight", lambda _: torch.ones(128)), {},
            "t2m.tar: holds seqTransEncoder.norm.weight, for which ours has no place"),
        (_change("t2m.tar", "query_tokens", lambda s: s["query_tokens"][:, :9]), {},
            "t2m.tar: its Q-Former is of other sizes than LaMP's"),
        (_change("t2m.tar", "cond_emb.weight", lambda s: s["cond_emb.weight"][:, :64]), {},
            "t2m.tar: its condition has 64 numbers, LaMP's 128"),
        (_change("t2m.tar", "position_enc.pe", lambda s: s["position_enc.pe"][:20]), {},
            "t2m.tar: has 20 positions; expected at least 49"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_sentence_and_writes_nothing(
    files: Path, tmp_path: Path, damage: Callable[[Path], None], options: dict[str, str | None], message: str
) -> None:
    for path in files.iterdir():
        os.link(path, tmp_path / path.name)
    # Links: what is written anew must not change the others' files.
    for name in ("vq.tar", "h3d-qformer.tar", "t2m.tar", "vocab.txt"):
        (tmp_path / name).unlink()
        shutil.copyfile(files / name, tmp_path / name)
    damage(tmp_path)
    done = _import_within(tmp_path, **options)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def _import_within(folder: Path, **options: str | None) -> Done:
    named = [str(word) for word in words(Path(), Path("out"), **options)]
    return lamp(*named, cwd=folder)


def test_a_file_that_would_run_code_is_refused_unexecuted(files: Path, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"vq_model": {}, "ep": Malicious()}, tmp_path / "bad.tar")
    done = lamp(*words(files, tmp_path / "out", tokenizer=tmp_path / "bad.tar"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "bad.tar: refused, it holds posix.system where only weights belong" in done.stderr
    assert not (tmp_path / "executed").exists() and not (tmp_path / "out").exists()


def test_word_pieces_may_lie_in_a_folder(files: Path, tmp_path: Path) -> None:
    for number, folder in enumerate((files, tmp_path / "0")):
        done = lamp(*words(files, tmp_path / f"{number}", vocabulary=folder, generator=None))
        assert done.returncode == 0
    done = lamp(*words(files, tmp_path / "other", vocabulary=tmp_path))
    assert done.returncode == 2 and f"--vocabulary {tmp_path}: no vocab.txt in it" in done.stderr


def test_without_word_pieces_at_hand_the_sentence_says_where_they_come_from(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    done = lamp(*words(files, tmp_path / "out", vocabulary=None))
    assert done.returncode == 2 and "--vocabulary: expected the vocab.txt of bert-base-uncased" in done.stderr
    snapshot = tmp_path / "cache/models--bert-base-uncased/snapshots/0123"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0123")
    shutil.copyfile(files / "vocab.txt", snapshot / "vocab.txt")
    assert lamp(*words(files, tmp_path / "out", vocabulary=None)).returncode == 0


def test_nothing_that_is_there_is_replaced(files: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    assert lamp(*words(files, output, **ALONE)).returncode == 0
    done = lamp(*words(files, output, **ALONE))
    assert done.returncode == 2 and "out: is there already; expected a new folder" in done.stderr
