"""What holds for every input of pure functions, tried by Hypothesis on inputs that it makes up."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamp_cli.cli.common import UsageError
from lamp_cli.cli.inputs import Skipped, read_records
from lamp_cli.data.captions import Caption, format_captions, parse_captions
from lamp_cli.data.timeline import read_timelines, single_track
from lamp_cli.inference.known_words import KnownWords
from lamp_cli.language.typing_errors import with_typing_error
from lamp_cli.metrics.bleu import corpus_bleu
from lamp_cli.metrics.rouge import longest_common_subsequence, rouge_l
from lamp_cli.motion import rotation
from lamp_cli.motion.representation import canonical_joints, features_to_joints, joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.storage import safe_stem
from tests.conftest import wandering

# The same examples in every run. One folder serves all examples of a test, which overwrite its file.
quick = settings(
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
vectors = arrays(np.float64, (4, 3), elements=st.floats(-3, 3))
sentences = st.lists(st.lists(st.sampled_from("a b c d e".split()), max_size=8), min_size=1, max_size=4)
times = st.floats(0, 1e4)


@quick
@given(vectors, vectors)
def test_a_rotation_is_the_same_in_every_form(turn: np.ndarray, points: np.ndarray) -> None:
    q = rotation.of_axis_angle(turn)
    moved = rotation.rotate(q, points)
    matrices = rotation.to_matrix(q)
    assert np.allclose(np.linalg.norm(moved, axis=-1), np.linalg.norm(points, axis=-1))
    assert np.allclose((matrices @ points[..., None])[..., 0], moved)
    assert np.allclose(matrices @ matrices.swapaxes(-1, -2), np.eye(3))
    assert np.allclose(rotation.rotate(rotation.inverse(q), moved), points)
    for back in (rotation.to_axis_angle(q), rotation.axis_angle_of_matrices(matrices)):
        assert np.allclose(rotation.rotate(rotation.of_axis_angle(back), points), moved, atol=1e-6)


@quick
@given(vectors, vectors)
def test_the_shortest_rotation_takes_one_direction_to_the_other(u: np.ndarray, v: np.ndarray) -> None:
    u, v = (rotation.unit(each + np.array([0.0, 0.0, 4.0])) for each in (u, v))
    assert np.allclose(rotation.rotate(rotation.between(u, v), u), v, atol=1e-6)


@settings(quick, max_examples=10)
@given(st.sampled_from([HUMANML3D, KIT]), st.integers(0, 10_000), st.integers(8, 40))
def test_features_hold_the_motion(skeleton: Skeleton, seed: int, frames: int) -> None:
    joints = wandering(skeleton, frames, seed)
    features = joints_to_features(joints, skeleton)
    assert features.shape == (frames - 1, skeleton.feature_size) and np.isfinite(features).all()
    back = features_to_joints(features, skeleton)
    assert np.allclose(back, canonical_joints(joints, skeleton)[:-1], atol=1e-5)


@quick
@given(sentences, st.data())
def test_scores_of_captions_keep_their_bounds(candidates: list[list[str]], data: st.DataObject) -> None:
    several = st.lists(st.lists(st.sampled_from("a b c d e".split()), max_size=8), min_size=1, max_size=3)
    references = data.draw(st.lists(several, min_size=len(candidates), max_size=len(candidates)))
    scores = (*corpus_bleu(candidates, references), rouge_l(candidates, references))
    assert all(0.0 <= score <= 1.0 + 1e-12 for score in scores)
    if all(candidates):
        assert rouge_l(candidates, [[each] for each in candidates]) == pytest.approx(1.0)
    first, second = candidates[0], references[0][0]
    common = longest_common_subsequence(first, second)
    assert common == longest_common_subsequence(second, first) <= min(len(first), len(second))


@quick
@given(st.lists(st.tuples(st.sampled_from("ab"), times, times, st.booleans()), min_size=1, max_size=6))
def test_a_timeline_is_one_track_without_gaps(
    tmp_path: Path, rows: list[tuple[str, float, float, bool]]
) -> None:
    text = "".join(f"{t} # {a} # {b}\n" + "\n" * empty for t, a, b, empty in rows)
    (tmp_path / "timeline.txt").write_text(text)
    if not all(start < end for _, start, end, _ in rows):
        with pytest.raises(ValueError, match=r"timeline\.txt, line \d+: expected"):
            read_timelines(tmp_path / "timeline.txt")
        return
    for timeline in read_timelines(tmp_path / "timeline.txt"):
        assert timeline[0].start == 0.0
        track = single_track(timeline, 0.5)
        assert track[0].start == 0.0 and track[-1].end == max(interval.end for interval in timeline)
        assert all(one.end == other.start for one, other in pairwise(track))
        assert all(piece.end - piece.start >= 0.5 - 1e-6 for piece in track) or len(track) == 1


@quick
@given(st.text(max_size=80), st.sampled_from(["", " # ", " # 1 # ", '{"text": ']))
@example("[" * 20_000, '{"text": ')
@example("1" * 5_000, '{"text": ')
def test_any_line_is_a_record_or_a_sentence_about_it(text: str, begin: str) -> None:
    skipped = Skipped()
    for record in read_records([begin + text], "text", "stdin", skipped):
        assert isinstance(record["text"], str) and json.dumps(record)
    try:
        list(read_records([begin + text], "text", "stdin"))
    except UsageError as error:
        assert skipped.count == 1 and "stdin, line 1" in str(error)


@quick
@given(st.lists(st.tuples(st.text("ab #/\tn", max_size=12), times, times), max_size=4))
def test_captions_come_back_from_their_file(rows: list[tuple[str, float, float]]) -> None:
    written = [Caption(text, (), start, end) for text, start, end in rows if text.replace("#", " ").strip()]
    read = parse_captions(format_captions(written))
    assert [(c.text, c.start, c.end) for c in read] == [
        (" ".join(c.text.replace("#", " ").split()), c.start, c.end) for c in written
    ]


@quick
@given(st.text(max_size=200))
def test_a_file_name_of_any_text_stays_in_its_folder(text: str) -> None:
    stem = safe_stem(text)
    assert stem and os.path.basename(stem) == stem and not stem.startswith(".") and stem.isprintable()
    assert len(stem) <= 60 and len(stem.encode("utf-8", "surrogateescape")) <= 180


@quick
@given(
    st.lists(st.sampled_from("walks jumps slowly forward person".split()), min_size=1), st.integers(0, 10**6)
)
def test_a_typing_error_is_read_as_a_known_word_or_left(words: list[str], seed: int) -> None:
    names = "a the person walks jumps slowly forward".split()
    known = KnownWords(dict.fromkeys(("person", "walk", "jump", "slow", "forward"), 100), names)
    text = " ".join(words)
    assert known.corrected(text) == text
    misspelt = with_typing_error(text, np.random.default_rng(seed))
    assert abs(len(misspelt) - len(text)) <= 1 and len(misspelt.split()) == len(words)
    corrected = known.corrected(misspelt)
    assert known.corrected(corrected) == corrected
    wrong = [n for n, (one, other) in enumerate(zip(words, corrected.split(), strict=True)) if one != other]
    assert len(wrong) <= 1
