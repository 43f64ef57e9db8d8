"""The field's loading protocol for evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import EvaluationClip, EvaluationSet, evaluation_set, padded
from lamp_cli.data.layout import open_dataset
from lamp_cli.data.statistics import Statistics


def clips(lengths: list[int]) -> EvaluationSet:
    """Features tell clip and frame."""
    captions = tuple(Caption(f"caption {n}", ("a/DET",)) for n in range(3))
    return EvaluationSet(
        tuple(
            EvaluationClip(str(k), np.stack([np.arange(n), np.full(n, k)], 1).astype(np.float32), captions)
            for k, n in enumerate(lengths)
        )
    )


def test_crops_are_units_of_four_one_in_three_shorter_from_anywhere() -> None:
    everything = clips([40, 43, 199, 198] * 8)
    drawn: dict[int, list[tuple[int, int, str]]] = {}
    for seed in range(60):
        for pair in everything.load(np.random.default_rng(seed)):
            frames = pair.features[:, 0]
            assert (np.diff(frames) == 1).all()
            assert (pair.features[:, 1] == pair.number).all()
            length = len(everything.clips[pair.number].features)
            drawn.setdefault(length, []).append((len(frames), int(frames[0]), pair.caption.text))
    for length, allowed in ((40, (40, 36)), (43, (40, 36)), (198, (196, 192)), (199, (196, 192))):
        crops = drawn[length]
        assert {n for n, *_ in crops} == set(allowed)
        short = np.mean([n == allowed[1] for n, *_ in crops])
        assert short == pytest.approx(1 / 3, abs=0.08)
        for n in allowed:
            assert {start for m, start, _ in crops if m == n} == set(range(length - n + 1))
        assert {text for *_, text in crops} == {"caption 0", "caption 1", "caption 2"}


def test_batches_hold_every_clip_at_most_once_and_drop_the_rest() -> None:
    everything = clips([40] * 100)
    batches = everything.batches(np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [32, 32, 32]
    numbers = [pair.number for batch in batches for pair in batch]
    assert len(set(numbers)) == 96
    assert numbers != sorted(numbers)
    again = everything.batches(np.random.default_rng(0))
    for one, two in zip(chain.from_iterable(batches), chain.from_iterable(again), strict=True):
        assert (one.number, one.caption) == (two.number, two.caption)
        assert np.array_equal(one.features, two.features)
    with pytest.raises(ValueError, match="31 clips; the protocol needs at least one batch of 32"):
        clips([40] * 31).batches(np.random.default_rng(0))


def test_zeros_come_after_normalisation() -> None:
    statistics = Statistics(np.full(5, 2.0, np.float32), np.full(5, 4.0, np.float32))
    rows, lengths = padded([np.full((9, 5), 10.0), np.full((196, 5), 2.0)], statistics)
    assert (rows.shape, rows.dtype, lengths.tolist()) == ((2, 196, 5), np.float32, [8, 196])
    assert (rows[0, :8] == 2.0).all()
    assert (rows[0, 8:] == 0.0).all()


def corpus(root: Path, lengths: Mapping[str, int], texts: Mapping[str, str], **splits: str) -> Path:
    (root / "new_joint_vecs").mkdir(parents=True)
    (root / "texts").mkdir()
    rng = np.random.default_rng(0)
    for name, length in lengths.items():
        width = 251 if root.name == "kit" else 263
        np.save(root / f"new_joint_vecs/{name}.npy", rng.normal(size=(length, width)).astype(np.float32))
        (root / f"texts/{name}.txt").write_text(texts[name])
        np.save(root / "Mean.npy", np.zeros(width, np.float32))
        np.save(root / "Std.npy", np.ones(width, np.float32))
    for split, names in splits.items():
        (root / f"{split}.txt").write_text("\n".join(names.split()) + "\n")
    return root


def test_the_set_has_the_fields_limits_and_sub_clips(tmp_path: Path) -> None:
    whole = "a man walks#a/DET man/NOUN walk/VERB#0.0#0.0\n"
    texts = {
        "short": whole,
        "least": whole + "he sits#he/PRON sit/VERB#nan#nan\n",
        "most": "left#left/ADV#0.0#5.0\nright#right/ADV#1.0#2.0\n" + whole,
        "long": whole,
        "parts": "jump#jump/VERB#2.0#9.0\n",
        "bare": "a man walks\n",
    }
    lengths = {"short": 39, "least": 40, "most": 199, "long": 200, "parts": 180, "bare": 50}
    root = corpus(tmp_path / "h3d", lengths, texts, val=" ".join(lengths))
    found, report = evaluation_set(open_dataset(root), "val")
    assert {clip.id: len(clip.features) for clip in found.clips} == {
        "least": 40,
        "most": 199,
        "most_0": 100,
        "parts_0": 140,
        "bare": 50,
    }
    by_id = {clip.id: clip for clip in found.clips}
    assert [c.tokens for c in by_id["least"].captions] == [
        ("a/DET", "man/NOUN", "walk/VERB"),
        ("he/PRON", "sit/VERB"),
    ]
    assert [c.tokens for c in by_id["most_0"].captions] == [("left/ADV",)]
    assert by_id["bare"].captions[0].tokens == ()
    np.testing.assert_array_equal(by_id["parts_0"].features, np.load(root / "new_joint_vecs/parts.npy")[40:])
    assert report.skipped.keys() == {"short", "most_1", "long"}
    kit = corpus(tmp_path / "kit", {"a": 24, "b": 23}, {"a": whole, "b": whole}, test="a b")
    found, _ = evaluation_set(open_dataset(kit), "test")
    assert [clip.id for clip in found.clips] == ["a"]


def test_a_set_without_a_clip_is_an_error(tmp_path: Path) -> None:
    root = corpus(tmp_path / "h3d", {"a": 30}, {"a": "x#x/NOUN#0#0\n"}, val="a")
    with pytest.raises(ValueError, match=r"val\.txt: no clip of 40 to 199 frames with a caption"):
        evaluation_set(open_dataset(root), "val")
