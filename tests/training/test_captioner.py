"""Training the captioner: it learns, a killed run goes on bit-identically, and the command line does both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.bundle.language_model import build_captioner
from lamp_cli.cli.app import main
from lamp_cli.model.captioner import CaptionerConfig, LanguageModelConfig
from lamp_cli.model.decoder import DecoderConfig
from lamp_cli.model.decoding import DecodingOptions
from lamp_cli.model.motion_adapter import MotionAdapterConfig
from lamp_cli.model.qformer import QFormerConfig
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.experiment_files import read_experiment
from lamp_cli.training.loop import train
from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain
from lamp_cli.training.stages.captioner import CaptionerStage, LanguageStage
from tests.conftest import wandering
from tests.model.test_decoding import save_language_model
from tests.small_size import SMALL
from tests.training.test_training import CONFIG, CPU, WORDS, _kill_at, _Killed, _lamp_stage, _run, _tokenizer

SENTENCES = ("a person hops", "someone runs fast", "he bends", "a dog")


def stage_of(kind: str, llm: Path | None = None, batch_size: int = 4):  # type: ignore[no-untyped-def]
    lamp_stage = _lamp_stage()
    data, lamp = lamp_stage._data, lamp_stage.network
    if llm is None:
        adapter = MotionAdapterConfig(lamp.config.qformer, 4) if kind == "adapted" else None
        config = CaptionerConfig(16, DecoderConfig(len(data.vocabulary), 16, 2, 2, 32), adapter=adapter)
    else:
        config = CaptionerConfig(16, language_model=LanguageModelConfig(str(llm), "lora"))
    torch.manual_seed(2)
    network = build_captioner(config, data.vocabulary, torch.float32)
    if kind == "language":
        return LanguageStage(network, SENTENCES, data, batch_size, 0, CPU)
    return CaptionerStage(network, lamp, _tokenizer(), data, batch_size, 0, CPU)


@pytest.mark.parametrize("kind", ["language", "captioner", "adapted", "lora"])
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_killed_run_goes_on_bit_identically(kind: str, killed_at: int, tmp_path: Path) -> None:
    llm = save_language_model(tmp_path / "lm", "llama") if kind == "lora" else None
    whole = _run(stage_of(kind, llm), tmp_path / "whole", _kill_at(-1))
    with pytest.raises(_Killed):
        train(stage_of(kind, llm), CONFIG, tmp_path / "killed", 0, CPU, _kill_at(killed_at))
    resumed = _run(stage_of(kind, llm), tmp_path / "killed", _kill_at(-1))
    assert whole.keys() == resumed.keys() and len(whole) > 5
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name
    if kind == "lora":
        assert not [k for k in whole if k.startswith("network.decoder") and "lora_" not in k]


def test_an_epoch_of_language_holds_every_sentence_once() -> None:
    stage = stage_of("language", batch_size=2)
    every = set(stage._sentences)
    assert set(SENTENCES) < every and len(every) == len(stage._sentences) == 10
    seen = [row[mask].tolist() for s in range(5) for row, mask in _rows(stage.batch(stage.draw(s))[1])]
    expected = [row[mask].tolist() for row, mask in _rows(_words(stage, stage._sentences))]
    assert sorted(seen) == sorted(expected)


def _words(stage, texts):  # type: ignore[no-untyped-def]
    from lamp_cli.inference.caption_tokens import caption_words

    return caption_words(stage.network, stage._words, texts, CPU)


def _rows(words):  # type: ignore[no-untyped-def]
    return zip(words.ids, words.mask, strict=True)


def test_the_figures_are_those_of_every_validation_caption() -> None:
    stage = stage_of("captioner", batch_size=2)
    stage.network.eval()
    with torch.no_grad():
        figures = stage.validate()
        large = stage_of("captioner", batch_size=50)
        large.network.eval()
        again = large.validate()
    assert again == pytest.approx(figures, rel=1e-4)
    assert figures["perplexity"] == pytest.approx(np.exp(figures["loss"]))
    assert 0 <= figures["word_accuracy"] <= 100


def undisturbed(stage):  # type: ignore[no-untyped-def]
    for module in stage.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return stage


def test_captions_are_learned_from_motions() -> None:
    """Overfitting six clips, each caption is found again from its own query outputs and no other's."""
    stage = undisturbed(stage_of("captioner"))
    network, texts = stage.network, list(WORDS)
    queries = torch.randn(6, 5, 16, generator=torch.Generator().manual_seed(0))
    words = _words(stage, texts)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        network(queries, words, torch.Generator())["loss"].backward()
        optimizer.step()
    network.eval()
    found = network.captions(queries.flip(0), [], DecodingOptions(beams=3), [])
    assert [stage._words.decode(sentences[0].ids) for sentences in found] == texts[::-1]


# The command line


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # Drawing takes longer than training does here; tests of curves and of the command line draw.
        patch.setattr("lamp_cli.training.pretrain.draw_curves", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of eight clips in the field's layout."""
    root = tmp_path_factory.mktemp("captioner") / "data"
    for folder in ("new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    for number in range(8):
        features = joints_to_features(wandering(HUMANML3D, 80 + number, number), HUMANML3D)
        np.save(root / f"new_joint_vecs/{number}.npy", features.astype(np.float32))
        (root / f"texts/{number}.txt").write_text(f"a person walks {number}\nhe turns\n")
    (root / "train.txt").write_text("".join(f"{n}\n" for n in range(6)))
    (root / "val.txt").write_text("6\n7\n")
    np.save(root / "Mean.npy", np.zeros(263, np.float32))
    np.save(root / "Std.npy", np.ones(263, np.float32))
    (root.parent / "more.jsonl").write_text(json.dumps({"captions": list(SENTENCES)}))
    return root


def words(data: Path, output: Path, *more: str | Path) -> list[str]:
    named = ["pretrain", "--data", data, "--output", output, "--text-encoder", "none", *more]
    named += ["--config", SMALL]
    for stage in ("tokenizer", "lamp", "generator", "language", "captioner"):
        named += ["--steps", f"{stage}=2", "--batch-size", f"{stage}=4"]
    return [str(word) for word in named]


def call(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code or 0  # type: ignore[return-value]


@pytest.fixture(scope="module")
def core(data: Path) -> Path:
    """A run from before there was a captioner: three stages, and a run.json that knows no more."""
    output = data.parent / "core"
    stages = [word for name in ("tokenizer", "lamp", "generator") for word in ("--stage", name)]
    assert call(words(data, output, *stages)) == 0
    assert load_bundle(output, CPU).config.model.captioner is None
    return output


def copied(core: Path, name: str) -> Path:
    output = core.parent / name
    shutil.copytree(core, output)
    return output


def test_the_captioner_joins_a_finished_run_and_resumes(
    data: Path, core: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, more = copied(core, "embedded"), data.parent / "more.jsonl"
    arguments = words(data, output, "--stage", "captioner", "--captions", more)
    assert call(arguments) == 0
    stages = [json.loads(line)["stage"] for line in capsys.readouterr().out.splitlines()]
    assert stages == ["tokenizer", "lamp", "generator", "language", "captioner"]
    bundle = load_bundle(output, CPU, captioner=True)
    assert bundle.config.steps["captioner"] == 2 and "perplexity" in bundle.config.figures["captioner"]
    assert (output / "lamp.safetensors").read_bytes() == (core / "lamp.safetensors").read_bytes()
    settings = json.loads((output / "training/captioner/run.json").read_text())
    assert len(settings["captions"]) == 64 and set(settings["training"]) == {"language", "captioner"}
    weights = (output / "captioner.safetensors").read_bytes()
    # Its weights are lost: it is trained again, on the language that is there.
    (output / "training/captioner/best.safetensors").unlink()
    assert call(arguments) == 0
    assert (output / "captioner.safetensors").read_bytes() == weights
    # A later run of another stage keeps the captioner in the bundle.
    assert call(words(data, output, "--stage", "generator")) == 0
    assert load_bundle(output, CPU, captioner=True).config.steps["captioner"] == 2
    assert (output / "captioner.safetensors").read_bytes() == weights
    capsys.readouterr()
    assert call(words(data, output, "--stage", "captioner")) == 2
    assert "another captions" in capsys.readouterr().err


def test_a_language_model_with_lora_is_trained_and_loaded(
    data: Path, core: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, llm = copied(core, "lora"), save_language_model(data.parent / "opt", "opt")
    assert call(words(data, output, "--stage", "captioner", "--llm", llm, "--lora")) == 0
    bundle = load_bundle(output, CPU, captioner=True)
    assert bundle.captioner is not None and bundle.captioner.config.language_model is not None
    assert bundle.captioner.config.language_model.tuning == "lora"
    saved = load_file(output / "captioner.safetensors")
    parts = {"lora" if "lora_" in name else name.split(".")[0] for name in saved}
    assert parts == {"lora", "projection", "adapter"}
    clip = data.parent / "clip.npy"
    np.save(clip, wandering(HUMANML3D, 60).astype(np.float32))
    capsys.readouterr()
    assert call(["caption", str(clip), "--model", str(output)]) == 0
    assert json.loads(capsys.readouterr().out)["caption"]


def test_the_motion_transformer_may_learn_along_and_lies_in_the_bundle(
    data: Path, core: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = copied(core, "learns")
    learning = ("learns_qformer=true", "adapter=none", "label_smoothing=0")
    settings = [word for each in learning for word in ("--set", f"captioner.{each}")]
    rate = ("--learning-rate", "captioner=0.01")
    assert call(words(data, output, "--stage", "captioner", *rate, *settings)) == 0
    bundle = load_bundle(output, CPU, captioner=True)
    captioner, lamp = bundle.captioner, bundle.lamp.qformer.state_dict()
    assert captioner is not None and captioner.motion_transformer is not None
    assert captioner.config.label_smoothing == 0.0
    own = captioner.motion_transformer.state_dict()
    # It is LaMP's but for what three steps changed, and has nothing of the text side.
    assert own.keys() < lamp.keys() and not [name for name in own if "text_" in name or "words" in name]
    moved = {name: float((own[name] - lamp[name]).abs().max()) for name in own}
    assert 1e-3 < moved["queries"] < 0.1 and 1e-3 < moved["layers.0.cross.value.weight"] < 0.1
    assert (output / "lamp.safetensors").read_bytes() == (core / "lamp.safetensors").read_bytes()
    motion = bundle.lamp.motion_context(torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool))
    learned = captioner.queries(bundle.lamp, motion)
    torch.testing.assert_close(learned, captioner.motion_transformer.motion(motion))
    assert not torch.allclose(learned, bundle.lamp.qformer.motion(motion), atol=1e-4)
    clip = data.parent / "learned.npy"
    np.save(clip, wandering(HUMANML3D, 60).astype(np.float32))
    capsys.readouterr()
    assert call(["caption", str(clip), "--model", str(output)]) == 0
    assert "caption" in json.loads(capsys.readouterr().out)


def test_a_captioner_has_a_copy_or_changes() -> None:
    adapter = MotionAdapterConfig(QFormerConfig())
    with pytest.raises(ValueError, match="expected either an adapter or learns_qformer, found both"):
        CaptionerConfig(16, DecoderConfig(9, 16, 2, 2, 32), adapter=adapter, learns_qformer=True)


def test_the_paper_has_no_smoothing_and_its_motion_transformer_learns() -> None:
    opt = {"captioner.language_model.name": "opt", "captioner.language_model.tuning": "lora"}
    network = read_experiment("paper", None, opt, HUMANML3D).captioner
    assert (network.label_smoothing, network.learns_qformer, network.adapter) == (0.0, True, None)
    lora = network.language_model
    assert lora is not None and (lora.rank, lora.alpha, lora.dropout, lora.targets) == (16, 32, 0.05, ())


def test_a_new_run_keeps_the_words_of_its_captions(data: Path, tmp_path: Path) -> None:
    """Whole words enter the vocabulary in place of commoner ones that nobody says."""
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    from lamp_cli.bundle.text_encoder import vocabulary_for
    from lamp_cli.data.vocabulary import ascii_pieces, pieces_of_bert

    common = [f"word{k}" for k in range(50)]
    (encoder / "vocab.txt").write_text("\n".join([*ascii_pieces(), *common, "hops", "bends"]))
    size = len(ascii_pieces()) + 3
    plain, _ = vocabulary_for(pieces_of_bert(encoder), size, ())
    assert "hops" not in plain.pieces and "word2" in plain.pieces
    informed, _ = vocabulary_for(pieces_of_bert(encoder), size, SENTENCES)
    assert {"hops", "bends", "word0"} <= set(informed.pieces) and "word2" not in informed.pieces
    assert len(informed) == len(plain)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lora"], "--lora: expected --llm"),
        (["--llm", "x", "--lora", "--full"], "expected one of them"),
        (["--llm", "./absent"], "./absent: no such folder"),
        (["--captions", "absent.jsonl"], "absent.jsonl: no such file"),
    ],
)
def test_mistakes_get_one_sentence(
    data: Path, core: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(words(data, core, "--stage", "captioner", *more)) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert not (core / "training/captioner/best.safetensors").exists()


def test_a_captioner_needs_lamp_first(data: Path, tmp_path: Path) -> None:
    options = PretrainOptions(stages=("captioner",), text_encoder="none", config=SMALL)
    with pytest.raises(ValueError, match="stage tokenizer is not trained yet"):
        pretrain(data, tmp_path / "out", options, CPU, lambda *arguments: None)
