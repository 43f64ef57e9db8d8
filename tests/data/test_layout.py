"""The field's folder layout is read as people have it; broken clips are counted, never fatal."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.data.captions import Caption, format_captions, parse_captions
from lamp_cli.data.layout import FramesLimit, open_dataset
from lamp_cli.data.statistics import (
    Statistics,
    column_groups,
    compute_statistics,
    load_statistics,
    save_statistics,
    with_feature_bias,
)
from lamp_cli.motion.skeleton import HUMANML3D

LIMIT = FramesLimit(20, 199)


def features(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 263)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    vectors, texts = tmp_path / "new_joint_vecs", tmp_path / "texts"
    vectors.mkdir()
    texts.mkdir()
    clips = {"000001": features(60), "M000001": features(60), "short": features(5), "long": features(400)}
    clips |= {"nan": np.full((60, 263), np.nan), "narrow": np.zeros((60, 7)), "silent": features(30)}
    for name, clip in clips.items():
        np.save(vectors / f"{name}.npy", clip)
        (texts / f"{name}.txt").write_text("a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n")
    (texts / "silent.txt").unlink()
    (texts / "000001.txt").write_text(
        "a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\nhe turns#he/PRON turn/VERB#1.0#2.5\nx#x/X#1#1.2\n"
    )
    (vectors / "torn.npy").write_bytes(b"\x93NUMPY")
    names = [*clips, "torn", "absent", "../../escape"]
    (tmp_path / "train.txt").write_text("\n".join(names) + "\n\n")
    save_statistics(tmp_path, Statistics(np.zeros(263, np.float32), np.ones(263, np.float32)))
    return tmp_path


def test_clips_sub_clips_and_reasons(folder):
    dataset = open_dataset(folder)
    clips, report = dataset.clips("train", LIMIT)
    assert [c.id for c in clips] == ["000001", "000001_0", "M000001", "silent"]
    assert clips[0].captions == ("a man walks.",) and clips[3].captions == ()
    np.testing.assert_array_equal(clips[1].features, clips[0].features[20:50])
    assert clips[1].captions == ("he turns",)
    assert report.read == 3 and len(report.skipped) == 8
    assert report.reasons()["NaN or infinite numbers"] == 1
    assert report.skipped["../../escape"] == "no feature file"


def test_a_name_listed_several_times_counts_as_often_and_is_read_once(folder):
    (folder / "train.txt").write_text("M000001\n000001\nM000001\nshort\nM000001\n")
    clips, report = open_dataset(folder).clips("train", LIMIT)
    assert [c.id for c in clips] == ["M000001", "000001", "000001_0", "M000001", "M000001"]
    assert clips[0] is clips[3] is clips[4]
    assert report.read == 4 and list(report.skipped) == ["000001_1", "short"]


def test_missing_parts_are_named(folder):
    with pytest.raises(ValueError, match=r"val\.txt: missing"):
        open_dataset(folder).ids("val")
    (folder / "Std.npy").unlink()
    with pytest.raises(ValueError, match=r"Std\.npy: missing"):
        open_dataset(folder)
    with pytest.raises(ValueError, match="no data set here"):
        open_dataset(folder / "texts")


def test_captions_survive_a_round_trip():
    captions = [
        Caption("a man walks.", ("a/DET", "man/NOUN", "walk/VERB")),
        Caption("he jumps", ("he/PRON",), 1, 2),
    ]
    assert parse_captions(format_captions(captions)) == captions
    assert parse_captions("just a sentence\n\n") == [Caption("just a sentence")]
    assert parse_captions("x#x/X#nan#nan")[0].whole_clip


def test_a_hash_in_a_sentence_cannot_break_the_line():
    [caption] = parse_captions(format_captions([Caption("a man # walks\nback")]))
    assert caption.text == "a man walks back" and caption.whole_clip


@pytest.mark.parametrize(
    ("line", "caption"),
    [
        (
            "a figure #8#a/DET figure/NOUN 8/NUM#0.0#0.0",
            Caption("a figure #8", ("a/DET", "figure/NOUN", "8/NUM")),
        ),
        ("a #b#a/DET #/SYM b/X#1.0#2.0", Caption("a #b", ("a/DET", "#/SYM", "b/X"), 1.0, 2.0)),
        ("he walks # slowly", Caption("he walks # slowly")),
        ("he waves#he/PRON wave/VERB#0.0#inf", Caption("he waves", ("he/PRON", "wave/VERB"))),
        ("he waves##1.0#inf", Caption("he waves", (), 1.0, float("inf"))),
        ("he waves#he/PRON#nan#nan", Caption("he waves", ("he/PRON",))),
    ],
)
def test_fields_are_counted_from_the_right(line, caption):
    assert parse_captions(f"{line}\n") == [caption]


@pytest.mark.parametrize("line", ["x#x/X#a#b", "x#x/X#-1#2"])
def test_times_that_are_none_are_refused(line):
    with pytest.raises(ValueError, match=r"could not convert|expected seconds"):
        parse_captions(line)


def test_times_beyond_the_motion_and_infinite_ones(folder):
    (folder / "train.txt").write_text("000001\n")
    (folder / "texts/000001.txt").write_text("a#a/X#1#inf\nb#b/X#1#30\nc#c/X#9#10\nd#d/X#0#3.2\n")
    clips, report = open_dataset(folder).clips("train", LIMIT)
    assert [(c.captions, len(c.features)) for c in clips] == [(("a",), 40), (("d",), 60)]
    assert list(report.skipped) == ["000001_1", "000001_2"]
    assert report.reasons() == {"caption about times beyond the motion": 2}
    # What is left of a motion is a clip, which must be as long as any other.
    clips, report = open_dataset(folder).clips("train", FramesLimit(50, 100))
    assert [c.captions for c in clips] == [("d",)]
    assert report.skipped["000001_0"] == "shorter than 50 frames"


def test_statistics_match_numpy_and_are_even_within_groups():
    clips = [features(50, seed) for seed in range(4)]
    found = compute_statistics(iter(clips), HUMANML3D)
    frames = np.concatenate(clips).astype(np.float64)
    np.testing.assert_allclose(found.mean, frames.mean(axis=0), atol=1e-6)
    groups = column_groups(HUMANML3D)
    assert sum(g.stop - g.start for g in groups) == 263
    for group in groups:
        np.testing.assert_allclose(found.std[group], frames.std(axis=0)[group].mean(), rtol=1e-5)
    for bias in (5.0, 25.0):
        weighed = with_feature_bias(found, HUMANML3D, bias)
        np.testing.assert_allclose(weighed.std[:4] * bias, found.std[:4])
        np.testing.assert_allclose(weighed.std[-4:] * bias, found.std[-4:])
        np.testing.assert_array_equal(weighed.std[4:259], found.std[4:259])


def test_statistics_files_are_checked(tmp_path):
    statistics = compute_statistics([features(20)], HUMANML3D)
    save_statistics(tmp_path, statistics)
    np.testing.assert_array_equal(load_statistics(tmp_path, 263).std, statistics.std)
    with pytest.raises(ValueError, match="expected 251"):
        load_statistics(tmp_path, 251)
    with pytest.raises(ValueError, match="at least one frame"):
        compute_statistics([], HUMANML3D)
