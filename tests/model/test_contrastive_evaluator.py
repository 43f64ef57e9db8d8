"""MARDM's second evaluator: the released format against a slow forward, CLIP's byte pairs, CLIP-score."""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.data.byte_pairs import BytePairs, read_byte_pairs
from lamp_cli.data.captions import Caption
from lamp_cli.metrics.matching import clip_score
from lamp_cli.metrics.measurement import GENERATED
from lamp_cli.model.contrastive_evaluator import ContrastiveEvaluator, contrastive_loss
from lamp_cli.model.evaluator import CLIP, EvaluatorConfig
from lamp_cli.scoring.embedded import Embedded
from lamp_cli.scoring.evaluators import GuoEvaluator, load_evaluators, require_evaluators
from lamp_cli.scoring.figures import SIMILARITY, Report, ScoreOptions
from lamp_cli.scoring.matching_figures import MatchingFigures
from tests.model.test_evaluator import CPU, motions, no_bundle

WIDTH, FEED, LAYERS, HEADS, ROW = 16, 12, 2, 8, 9
MERGES = [("a", "n"), ("w", "a"), ("l", "k"), ("wa", "lk"), ("t", "h"), ("th", "e</w>"), ("walk", "s</w>")]
WORDS = 512 + len(MERGES) + 2
CAPTIONS = [Caption("A man walks"), Caption("the  &amp; man's 12"), Caption(""), Caption("walks walks " * 9)]
Weights = dict[str, np.ndarray]


def of_layers(prefix: str) -> dict[str, tuple[int, ...]]:
    """Tensors of ``torch.nn.TransformerEncoder``'s layers, as the release saves them."""
    shapes: dict[str, tuple[int, ...]] = {
        "self_attn.in_proj_weight": (3 * WIDTH, WIDTH),
        "self_attn.in_proj_bias": (3 * WIDTH,),
        "self_attn.out_proj.weight": (WIDTH, WIDTH),
        "self_attn.out_proj.bias": (WIDTH,),
        "linear1.weight": (FEED, WIDTH),
        "linear1.bias": (FEED,),
        "linear2.weight": (WIDTH, FEED),
        "linear2.bias": (WIDTH,),
        **{f"norm{n}.{part}": (WIDTH,) for n in (1, 2) for part in ("weight", "bias")},
    }
    return {f"{prefix}.layers.{n}.{name}": shape for n in range(LAYERS) for name, shape in shapes.items()}


def published(seen: int = 67) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``contrast_model``, at small widths."""
    motion = "motion_encoder"
    return {
        f"{motion}.query_token": (1, WIDTH),
        f"{motion}.embed_motion.weight": (WIDTH, seen),
        f"{motion}.embed_motion.bias": (WIDTH,),
        f"{motion}.sequence_pos_encoder.pe": (2000, WIDTH),
        **of_layers(f"{motion}.transformer"),
        f"{motion}.out_ln.weight": (WIDTH,),
        f"{motion}.out_ln.bias": (WIDTH,),
        f"{motion}.out.weight": (WIDTH, WIDTH),
        f"{motion}.out.bias": (WIDTH,),
        "token_embedding.weight": (WORDS, WIDTH),
        "positional_embedding": (ROW, WIDTH),
        "logit_scale": (),
        **of_layers("textTransEncoder"),
        "text_ln.weight": (WIDTH,),
        "text_ln.bias": (WIDTH,),
        "out.weight": (WIDTH, WIDTH),
        "out.bias": (WIDTH,),
    }


def released(folder: Path, seen: int = 67) -> Path:
    """MARDM's folders with random weights."""
    torch.manual_seed(2)
    state = {name: 0.4 * torch.randn(shape) for name, shape in published(seen).items()}
    data = folder / "checkpoints/t2m"
    (data / "text_mot_match_clip/model").mkdir(parents=True)
    torch.save({"contrast_model": state, "epoch": 3}, data / "text_mot_match_clip/model/finest.tar")
    statistics = folder / "utils/eval_mean_std/t2m"
    statistics.mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.save(statistics / "eval_mean.npy", rng.normal(size=seen))
    np.save(statistics / "eval_std.npy", rng.uniform(0.5, 2, size=seen))
    lines = ["#version: 0.2", *map(" ".join, MERGES), "more than there is room for", ""]
    (folder / "clip").mkdir()
    merges = gzip.compress("\n".join(lines).encode())
    (folder / "clip/bpe_simple_vocab_16e6.txt.gz").write_bytes(merges)
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return released(tmp_path)


def weights(folder: Path) -> Weights:
    state = torch.load(folder / "text_mot_match_clip/model/finest.tar", weights_only=True)["contrast_model"]
    return {name: value.double().numpy() for name, value in state.items()}


def norm(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def linear(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def slow_layers(x: np.ndarray, w: Weights, prefix: str) -> np.ndarray:
    """Post-norm layers over a sequence (T, W) all of which is attended to, head by head."""
    for layer in range(LAYERS):
        name = f"{prefix}.layers.{layer}"
        projected = x @ w[f"{name}.self_attn.in_proj_weight"].T + w[f"{name}.self_attn.in_proj_bias"]
        heads = []
        for query, key, value in zip(
            *(np.split(part, HEADS, -1) for part in np.split(projected, 3, -1)), strict=True
        ):
            scores = np.exp(query @ key.T / math.sqrt(WIDTH // HEADS))
            heads.append(scores / scores.sum(-1, keepdims=True) @ value)
        x = norm(x + linear(np.concatenate(heads, -1), w, f"{name}.self_attn.out_proj"), w, f"{name}.norm1")
        inner = linear(x, w, f"{name}.linear1")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(inner, w, f"{name}.linear2"), w, f"{name}.norm2")
    return x


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def slow_motion(w: Weights, motion: np.ndarray) -> np.ndarray:
    x = np.concatenate([w["motion_encoder.query_token"], linear(motion, w, "motion_encoder.embed_motion")])
    x = slow_layers(
        x + w["motion_encoder.sequence_pos_encoder.pe"][: len(x)], w, "motion_encoder.transformer"
    )
    return unit(linear(norm(x, w, "motion_encoder.out_ln")[0], w, "motion_encoder.out"))


def slow_text(w: Weights, numbers: list[int]) -> np.ndarray:
    """What a sentence is padded with is attended to; its vector is that of the largest number, its end."""
    row = np.zeros(ROW, int)
    row[: len(numbers)] = numbers
    x = slow_layers(w["token_embedding.weight"][row] + w["positional_embedding"], w, "textTransEncoder")
    return unit(linear(norm(x, w, "text_ln")[row.argmax()], w, "out"))


@pytest.mark.parametrize(("name", "seen", "features"), [("humanml3d", 67, 263), ("kit", 64, 251)])
def test_a_released_one_gives_the_embeddings_of_a_slow_forward(
    tmp_path: Path, name: str, seen: int, features: int
) -> None:
    folder = released(tmp_path, seen)
    require_evaluators([f"mardm-clip:{folder}"])
    [evaluator] = load_evaluators([f"mardm-clip:{folder}"], no_bundle, CPU)
    assert re.fullmatch(rf"mardm-clip:{name} \([0-9a-f]{{8}}\)", evaluator.name)
    assert isinstance(evaluator, GuoEvaluator) and evaluator.contrastive
    w, statistics = weights(folder), tmp_path / "utils/eval_mean_std/t2m"
    mean, std = (np.load(statistics / f"eval_{part}.npy") for part in ("mean", "std"))
    clips = motions((40, 196, 63), features)
    # Frames beyond a multiple of four are cut.
    expected = [slow_motion(w, (clip[: len(clip) // 4 * 4, :seen] - mean) / std) for clip in clips]
    found = evaluator.motion_embeddings(clips)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(evaluator.motion_embeddings(clips[:1]), found[:1], atol=2e-6)
    begin, end = WORDS - 2, WORDS - 1
    rows = [evaluator._trained.words.encode([c]) for c in CAPTIONS]
    numbers = [row.words[0, : row.lengths[0]].tolist() for row in rows]
    assert all(each[0] == begin and each[-1] == end for each in numbers)
    assert [len(each) for each in numbers] == [7, ROW, 2, ROW]
    texts = evaluator.text_embeddings(CAPTIONS)
    np.testing.assert_allclose(texts, [slow_text(w, each) for each in numbers], atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1.0, atol=1e-6)


def test_names_and_shapes_at_the_true_sizes_are_those_of_the_release() -> None:
    config = EvaluatorConfig(words=49408, seen=67, design=CLIP, text_tokens=77)
    with torch.device("meta"):
        network = ContrastiveEvaluator(config)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    per_layer = len(of_layers("x")) // LAYERS
    assert len(found) == len(published()) + 2 * per_layer * (8 - LAYERS)
    assert found["token_embedding.weight"] == (49408, 512) and found["positional_embedding"] == (77, 512)
    assert found["motion_encoder.embed_motion.weight"] == (512, 67)
    assert found["motion_encoder.transformer.layers.7.linear1.weight"] == (1024, 512)
    assert found["textTransEncoder.layers.7.self_attn.in_proj_weight"] == (1536, 512)
    few = EvaluatorConfig(words=9, seen=67, embedding_width=WIDTH, design=CLIP, layers=1)
    pe = ContrastiveEvaluator(few).motion_encoder.sequence_pos_encoder.pe
    # Sines at even places, cosines at odd ones.
    assert pe[3, 4].item() == pytest.approx(math.sin(3 * 10000 ** (-4 / WIDTH)), abs=1e-6)
    assert pe[3, 5].item() == pytest.approx(math.cos(3 * 10000 ** (-4 / WIDTH)), abs=1e-6)


def test_byte_pairs_are_those_of_clips_own_tokenizer(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours = BytePairs(MERGES, 77)
    (tmp_path / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(ours.words)}))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, MERGES)]))
    theirs = transformers.CLIPTokenizer.from_pretrained(tmp_path)
    texts = [
        "The man walks, walks!!",
        "naïve café 1,000°",
        "he'll don't  'quote'",
        "karate-chop\t(3x)",
        "日本",
    ]
    for text in texts:
        row = ours.encode([Caption(text)])
        assert row.words[0, : row.lengths[0]].tolist() == theirs(text)["input_ids"], text
    with pytest.raises(ValueError, match=r"merges\.txt: expected 9 merges of byte pairs"):
        read_byte_pairs(tmp_path / "merges.txt", WORDS + 2, 77)


def without_model(data: Path) -> None:
    torch.save({"text_encoder": {}}, data / "text_mot_match_clip/model/finest.tar")


def of_another_shape(data: Path) -> None:
    path = data / "text_mot_match_clip/model/finest.tar"
    state = torch.load(path, weights_only=True)
    state["contrast_model"]["text_ln.bias"] = torch.zeros(3)
    torch.save(state, path)


def without_merges(data: Path) -> None:
    (data / "../../clip/bpe_simple_vocab_16e6.txt.gz").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_model, "lacks contrast_model, MARDM's second evaluator"),
        (of_another_shape, r"contrast_model.text_ln.bias does not fit MARDM's second evaluator"),
        (without_merges, r"no byte pairs of CLIP in or near it; expected bpe_simple_vocab_16e6\.txt\.gz"),
    ],
)
def test_what_is_missing_is_named(folder: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(folder)
    with pytest.raises(ValueError, match=message):
        load_evaluators([f"mardm-clip:{folder}"], no_bundle, CPU)


def test_clip_score_is_the_mean_cosine_and_only_its_own_evaluator_has_it(folder: Path) -> None:
    rng = np.random.default_rng(0)
    texts, vectors = rng.normal(size=(2, 5, 7))
    cosines = [t @ m / np.linalg.norm(t) / np.linalg.norm(m) for t, m in zip(texts, vectors, strict=True)]
    assert clip_score(texts, vectors) == pytest.approx(np.mean(cosines))
    [evaluator] = load_evaluators([f"mardm-clip:{folder}"], no_bundle, CPU)
    figures = MatchingFigures(ScoreOptions((SIMILARITY,)), Report(), "given pairs")
    figures.similarity(evaluator, GENERATED, Embedded(texts, vectors))
    found = {m.metric: m.value for m in figures.values.measurements(0)}
    assert found == {
        "CLIP-score": pytest.approx(np.mean(cosines)),
        "M2T similarity": pytest.approx(np.mean(cosines) / 2 + 0.5),
    }


def test_the_loss_is_cross_entropy_both_ways_without_other_true_pairs() -> None:
    rng = np.random.default_rng(1)
    texts, vectors = rng.normal(size=(2, 3, 4))
    # The second and the third have one sentence: neither is the other's mistake.
    scores = texts @ vectors.T
    wrong = {0: [0, 1, 2], 1: [0, 1], 2: [0, 2]}
    rows = [np.log(np.exp(scores[n, wrong[n]]).sum()) - scores[n, n] for n in range(3)]
    columns = [np.log(np.exp(scores[wrong[n], n]).sum()) - scores[n, n] for n in range(3)]
    found = contrastive_loss(
        torch.from_numpy(texts), torch.from_numpy(vectors), torch.arange(3), torch.tensor([0, 1, 1])
    )
    assert found.item() == pytest.approx((np.mean(rows) + np.mean(columns)) / 2)
