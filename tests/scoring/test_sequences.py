"""Motions of several parts and edited motions: transitions, parts, and what beside a span was to stay."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from examples.bench.score import LookedUp
from lamp_cli.metrics.edits import DEVIATION, HIT_FIGURES, ROOT_ERROR
from lamp_cli.metrics.measurement import GENERATED, GROUND_TRUTH
from lamp_cli.metrics.sequences import AREA_UNDER_JERK, PEAK_JERK, jerk_curve
from lamp_cli.motion.motion import Motion, MotionPart
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring.edit_figures import score_edits
from lamp_cli.scoring.figures import FIGURES, SEQUENCES, MotionOrigin, Report, ScoreOptions
from lamp_cli.scoring.lines import line_of_record
from lamp_cli.scoring.scored_motions import Caption, Edit, Example
from lamp_cli.scoring.sequence_figures import score_sequences, seam_windows, true_windows
from tests.conftest import wandering

MADE = MotionOrigin(GENERATED)


class Averages(LookedUp):
    """A motion is the mean of its features; a sentence of a number is that of the motion it numbers."""

    def __init__(self, motions: Sequence[Motion]):
        self.texts = self.motion_embeddings([motion.to_features() for motion in motions])

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([each.mean(0)[:8] for each in features]).astype(np.float32)


def walking(frames: int, seed: int = 0, parts: int = 1) -> Motion:
    """A motion whose parts are of one length and numbered on from the seed."""
    size = frames // parts
    told = [MotionPart(str(seed * parts + n), n * size, (n + 1) * size) for n in range(parts)]
    return Motion(wandering(HUMANML3D, frames, seed), HUMANML3D, 20.0, parts=tuple(told))


def test_windows_lie_around_transitions_that_have_room() -> None:
    motion = walking(120, parts=3)
    # Parts begin at 40 and 80; 30 frames on both sides.
    assert [len(window) for window in seam_windows(motion)] == [60, 60]
    np.testing.assert_array_equal(seam_windows(motion)[0].joints, motion.joints[10:70])
    assert len(seam_windows(walking(100, parts=4))) == 1
    drawn = true_windows([walking(59), motion], 5, np.random.default_rng(0))
    assert [len(window) for window in drawn] == [60] * 5 and all(window.features is None for window in drawn)
    assert true_windows([walking(59)], 5, np.random.default_rng(0)) == []


def test_a_jump_at_a_transition_is_its_peak() -> None:
    motion, truth = walking(120, parts=2), walking(120, seed=1)
    joints = motion.joints.copy()
    joints[60:, :, 0] += 1.0
    broken = dataclasses.replace(motion, joints=joints)
    report, options = Report(), ScoreOptions((SEQUENCES,), repetitions=3)
    score_sequences([broken], [truth], [], options, MADE, report)
    found = {(m.metric, m.subject): m for m in report.measurements}
    assert found[PEAK_JERK, GENERATED].value == pytest.approx(jerk_curve(joints[30:90], 20.0).max())
    # Third differences of a step of 1 m are 1, -2, 1 m per cubed frame.
    assert found[PEAK_JERK, GENERATED].value == pytest.approx(16.0, abs=0.5)
    assert found[PEAK_JERK, GROUND_TRUTH].value < 1.0 and found[PEAK_JERK, GROUND_TRUTH].repetitions == 3
    level = jerk_curve(truth.joints, 20.0).mean()
    area = np.abs(jerk_curve(joints[30:90], 20.0) - level).sum() / 20.0
    assert found[AREA_UNDER_JERK, GENERATED].value == pytest.approx(area, rel=1e-6)
    alone = Report()
    score_sequences([broken], [], [], options, MADE, alone)
    assert [m.metric for m in alone.measurements] == [PEAK_JERK]
    [refused] = alone.refusals
    assert refused.startswith(f"{AREA_UNDER_JERK}: needs real motions: a ground_truth or --data DIR")


def test_parts_are_found_by_their_own_sentences() -> None:
    motions = [walking(192, seed, parts=2) for seed in range(40)]
    parts = [motion[part.start : part.end] for motion in motions for part in motion.parts]
    truths = [walking(150, seed) for seed in range(50, 60)]
    report, options = Report(), ScoreOptions((SEQUENCES,), repetitions=2)
    score_sequences(motions, truths, [Averages(parts)], options, MADE, report)
    found = {(m.metric, m.subject): m for m in report.measurements}
    assert not report.refusals
    top = found["part R-precision top 1", GENERATED]
    assert (top.value, top.protocol, top.pool, top.repetitions) == (1.0, "parts alone", 32, 2)
    fid = found["transition FID", GENERATED]
    assert (fid.pool, fid.protocol) == (40, "windows of 3 s around transitions")
    assert found["transition FID", GROUND_TRUTH].value > 0.0
    assert {m.metric for m in report.measurements} == {
        name for name, kind in FIGURES.items() if kind.metric == SEQUENCES
    }


def test_what_sequences_need_is_told() -> None:
    report, options = Report(), ScoreOptions((SEQUENCES,), repetitions=1)
    score_sequences([walking(60)], [], [], options, MADE, report)
    assert report.refusals == ["sequences: no motion has parts, as those of `lamp generate --then`"]
    few = Report()
    motions = [walking(120, parts=2)]
    score_sequences(motions, [walking(100)], [Averages(motions)], options, MADE, few)
    assert few.refusals == [
        "transition FID: needs at least 32 transitions, found 1",
        "part R-precision top 1: needs pools of 32 parts, found 2",
    ]
    rates = Report()
    score_sequences(motions, [dataclasses.replace(walking(200), fps=30.0)], [], options, MADE, rates)
    assert rates.refusals == [f"{PEAK_JERK}: needs motions of one rate, found 20, 30 frames per second"]


def test_edited_motions_stand_beside_their_sources() -> None:
    source = walking(100)
    joints = source.joints.copy()
    joints[40:60] += 0.3
    joints[50] = source.joints[50]
    joints[80] += np.array([0.0, 0.1, 0.0], np.float32)
    edited = Example(0, (Caption("a"),), Motion(joints, HUMANML3D, 20.0), edit=Edit(source, 40, 60, (50, 55)))
    plain = Example(1, (Caption("a"),), source)
    report = Report()
    score_edits([edited, plain], MADE, report)
    found = {m.metric: m for m in report.measurements}
    assert found[DEVIATION].value == pytest.approx(10.0 / 80, rel=1e-4) and found[DEVIATION].pool == 1
    assert found[ROOT_ERROR].value == pytest.approx(100 * np.hypot(0.3, 0.3) / 2, rel=1e-4)
    assert [found[name].value for name in HIT_FIGURES] == [50.0, 50.0, 100.0, 0.0, 0.0, 100.0]
    none = Report()
    score_edits([plain], MADE, none)
    assert none.refusals == ["edits: no line has a span and a source, as those of `lamp edit`"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"parts": [{"text": "a", "first_frame": -1, "frames": 3}]}, "expected 'parts' to be a list of"),
        ({"parts": "a"}, "expected 'parts' to be a list of"),
        ({"span": {"first_frame": 3}, "source": "b.npy"}, "expected 'span' to have a 'first_frame'"),
        ({"span": {"first_frame": 3, "frames": 4, "kept": [0.5]}, "source": "b.npy"}, "expected 'span' to"),
        ({"span": [3, 4], "source": "b.npy"}, "expected 'span' to have"),
    ],
)
def test_lines_whose_spans_are_none_are_named(record: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"here: {message}"):
        line_of_record({"text": "a", "motion": "a.npy", **record}, "here")
