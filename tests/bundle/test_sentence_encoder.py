"""A text encoder in LaMP's place: trained with, remembered, found again, or named when it is gone."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import load_bundle, read_config
from lamp_cli.bundle.language_model import load_language_model
from lamp_cli.bundle.sentence_encoder import ClipSentenceEncoder, parse_condition
from lamp_cli.model.qformer import Text
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring.token_embeddings import HuggingFaceEncoder
from tests.command_line import lamp
from tests.files.test_hostile_arrays import Harmful
from tests.small_size import pretrain
from tests.training.test_pretrain import dataset

STAGES = ("tokenizer", "lamp", "generator")
SENTENCES = ("a person walks", "he turns")


def save_clip(folder: Path, seed: int = 0, projected: bool = True) -> Path:
    """A text encoder of CLIP's kind, a few numbers wide and drawn at random, that knows single letters."""
    import transformers

    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz")]
    pieces = [*letters, "<|startoftext|>", "<|endoftext|>"]
    transformers.CLIPTokenizer({p: n for n, p in enumerate(pieces)}, []).save_pretrained(folder)
    ends = {"bos_token_id": len(pieces) - 2, "eos_token_id": len(pieces) - 1, "pad_token_id": len(pieces) - 1}
    sizes = {"hidden_size": 12, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(seed)
    config = transformers.CLIPTextConfig(
        vocab_size=len(pieces), projection_dim=10, max_position_embeddings=20, **ends, **sizes
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    kind(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip") / "clip")


def train(data: Path, output: Path, *more: str | Path):  # type: ignore[no-untyped-def]
    each = [f"{stage}=2" for stage in STAGES]
    words = [word for option in ("--steps", "--batch-size") for value in each for word in (option, value)]
    stages = [word for stage in STAGES for word in ("--stage", stage)]
    return pretrain("--data", data, "--output", output, "--text-encoder", "none", *stages, *words, *more)


@pytest.fixture(scope="module")
def bundle(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle")
    done = train(dataset(root / "data", HUMANML3D), root / "out", "--condition", f"clip:{clip}")
    assert done.returncode == 0, done.stderr
    return root / "out"


def test_a_sentences_vector_is_clips_own(clip: Path) -> None:
    import transformers

    encoder = ClipSentenceEncoder.load(str(clip))
    ids, mask = encoder.tokens(SENTENCES)
    vectors = encoder.vectors(Text(torch.from_numpy(ids), torch.from_numpy(mask)))
    model = transformers.CLIPTextModelWithProjection.from_pretrained(clip)
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip)
    for vector, sentence in zip(vectors, SENTENCES, strict=True):
        expected = model(**tokenizer([sentence], return_tensors="pt")).text_embeds[0]
        torch.testing.assert_close(vector, expected, atol=1e-5, rtol=1e-4)
    assert encoder.width == 10 and not torch.allclose(vectors[0], vectors[1], atol=1e-3)
    assert encoder.tokens(["walk " * 30])[0].shape == (1, 20)


def test_a_generator_reads_with_clip_and_the_bundle_finds_it_again(bundle: Path, clip: Path) -> None:
    model = read_config(bundle).model
    assert (model.generator.condition, model.generator.condition_encoder) == ("clip", str(clip))
    assert model.generator.condition_width == model.length.text_width == 10
    assert f"generator, which reads sentences with clip:{clip}" in (bundle / "README.md").read_text()
    clips = ("--format", "npy", "--candidates", "2", "--output", bundle.parent / "clips")
    done = lamp("generate", *SENTENCES, "--model", bundle, "--seed", "1", *clips)
    assert [Path(row["motion"]).is_file() for row in done.rows] == [True, True]


def test_an_encoder_that_is_gone_or_another_is_named(bundle: Path, clip: Path, tmp_path: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())

    def moved(place: Path) -> None:
        config["model"]["generator"]["condition_encoder"] = str(place)
        (bundle / "config.json").write_text(json.dumps(config))

    moved(tmp_path / "gone")
    done = lamp("generate", "a person walks", "--model", bundle)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert (
        f"condition clip:{tmp_path / 'gone'}: no such folder; its place is generator.condition" in done.stderr
    )
    moved(save_clip(tmp_path / "other", seed=1))
    with pytest.raises(
        ValueError, match=r"other: is not the encoder it was trained with; expected weights of"
    ):
        load_bundle(bundle, "cpu")
    moved(clip)
    assert load_bundle(bundle, "cpu").text_to_motion.condition.encoder.width == 10


def test_what_is_no_condition_is_refused_before_anything_is_read(clip: Path, tmp_path: Path) -> None:
    for choice in ("octopus", "clip", "clip:", "query:here", ""):
        done = train(tmp_path / "no data", tmp_path / "out", "--condition", choice)
        assert done.returncode == 2
        assert (
            f"condition {choice}: expected query, no_query, words or clip:FOLDER-OR-HUB-NAME" in done.stderr
        )
    assert parse_condition(f"clip:{clip}") == ("clip", str(clip))


def test_a_text_encoder_without_clips_projection_is_refused(tmp_path: Path) -> None:
    save_clip(tmp_path / "clip", projected=False)
    with pytest.raises(
        ValueError, match=r"no text encoder of CLIP with its projection: text_projection\.weight"
    ):
        ClipSentenceEncoder.load(str(tmp_path / "clip"))
    data = dataset(tmp_path / "data", HUMANML3D)
    done = train(data, tmp_path / "out", "--condition", f"clip:{data}")
    assert done.returncode == 2 and f"condition clip:{data}: no text encoder of CLIP there (" in done.stderr
    assert not (tmp_path / "out").exists()


def test_each_condition_of_lamps_own_is_trained_and_generates(tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", HUMANML3D)
    for condition in ("query", "no_query"):
        output = tmp_path / condition
        done = train(data, output, "--condition", condition)
        assert done.returncode == 0, done.stderr
        options = ("--candidates", "1", "--format", "npy", "--frames", "40", "--output", output)
        done = lamp("generate", "he turns", "--model", output, "--seed", "1", *options)
        assert np.load(done.rows[0]["motion"]).shape == (40, 22, 3)
        assert read_config(output).model.generator.condition == condition


def test_pickles_and_code_in_the_folders_of_others_are_not_run(tmp_path: Path) -> None:
    folder, harmed = save_clip(tmp_path / "clip"), tmp_path / "harmed"
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful(harmed)))
    loaders: dict[str, Callable[[], object]] = {
        "clip_text_model": lambda: ClipSentenceEncoder.load(str(folder)),
        "gpt2": lambda: load_language_model(str(folder), torch.float32),
        "bert": lambda: HuggingFaceEncoder(str(folder)),
    }
    for kind, load in loaders.items():
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": kind}))
        with pytest.raises(ValueError, match="refused: its pickle holds more than weights"):
            load()
    (folder / "code.py").write_text(f"open({str(harmed)!r}, 'w')")
    ours = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model", "AutoModel": "code.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "ours", "auto_map": ours}))
    for load in loaders.values():
        with pytest.raises(ValueError, match=r"no text encoder|no Hugging Face|expected a Hugging Face"):
            load()
    assert not harmed.exists()
