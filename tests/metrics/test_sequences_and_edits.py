"""Transitions between parts and edited spans, by hand and beside slow ones."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.edits import (
    DEVIATION,
    HIT_FIGURES,
    KEYFRAME_ERROR,
    LARGEST_DEVIATION,
    ROOT_ERROR,
    deviation_outside,
    keyframe_errors,
)
from lamp_cli.metrics.sequences import area_under_jerk, jerk_curve, peak_jerk
from lamp_cli.motion.skeleton import HUMANML3D
from tests.conftest import wandering


def slow_jerk(joints: np.ndarray) -> list[float]:
    """FlowMDM's: differences of differences, the sum over axes, the largest joint."""
    found = []
    for t in range(len(joints) - 3):
        jerk = joints[t + 3] - 3 * joints[t + 2] + 3 * joints[t + 1] - joints[t]
        found.append(max(sum(abs(axis) for axis in joint) for joint in jerk))
    return found


def test_the_jerk_curve_is_flowmdms() -> None:
    joints = wandering(HUMANML3D, 40).astype(np.float64)
    np.testing.assert_allclose(jerk_curve(joints, 20.0), np.array(slow_jerk(joints)) * 20.0**3 / 1000.0)
    with pytest.raises(ValueError, match="at least 4 frames"):
        jerk_curve(joints[:3], 20.0)


def test_a_cubic_path_has_the_same_jerk_at_any_rate() -> None:
    for fps in (20.0, 60.0):
        time = np.arange(round(2 * fps)) / fps
        joints = np.zeros((len(time), 22, 3))
        # Third derivatives of 600 and -300 m/s³.
        joints[:, 5, 0], joints[:, 5, 2] = 100.0 * time**3, -50.0 * time**3
        np.testing.assert_allclose(jerk_curve(joints, fps), 0.9)


def test_peak_and_area_are_of_the_mean_curve() -> None:
    curves = [np.array([1.0, 5.0, 1.0, 1.0]), np.array([1.0, 1.0, 3.0, 1.0])]
    assert peak_jerk(curves) == 3.0
    # 1, 3, 2, 1 beside 2: too smooth counts as too much.
    assert area_under_jerk(curves, 2.0, 20.0) == pytest.approx((1 + 1 + 0 + 1) / 20)
    with pytest.raises(ValueError, match=r"curves of one length above 0, found \[3, 4\]"):
        peak_jerk([curves[0], curves[1][:3]])


def test_what_is_beside_a_span_is_counted_from_both_ends() -> None:
    source = wandering(HUMANML3D, 50)
    # Frames 20 to 30 give way to 15 others.
    made = np.concatenate([source[:20], np.full((15, 22, 3), 9.0), source[30:]])
    assert deviation_outside(made, source, 20, 35) == {DEVIATION: 0.0, LARGEST_DEVIATION: 0.0}
    made[40, 3, 1] += 0.5
    moved = deviation_outside(made, source, 20, 35)
    assert moved[LARGEST_DEVIATION] == pytest.approx(50.0, rel=1e-5)
    assert moved[DEVIATION] == pytest.approx(50.0 / (40 * 22), rel=1e-5)
    assert deviation_outside(made, source, 0, len(made)) == {}
    for start, stop in ((20, 56), (36, 35), (-1, 3)):
        with pytest.raises(ValueError, match="expected a span of the motion"):
            deviation_outside(made, source, start, stop)
    with pytest.raises(ValueError, match="what is beside it, found 55 frames, 30 of the source"):
        deviation_outside(made, source[:30], 20, 35)


def test_keyframes_are_hit_by_the_root_along_the_floor() -> None:
    meant = wandering(HUMANML3D, 4).astype(np.float64)
    made = meant.copy()
    for frame, distance in enumerate((0.0, 0.15, 0.30, 0.60)):
        made[frame, :, 2] += distance
    # Heights count for the joints, not for the root's path.
    made[0, :, 1] += 0.4
    found = keyframe_errors(made, meant)
    assert found[ROOT_ERROR] == pytest.approx(100 * 1.05 / 4)
    assert found[KEYFRAME_ERROR] == pytest.approx(100 * 1.45 / 4)
    assert [found[name] for name in HIT_FIGURES] == [25.0, 50.0, 75.0, 0.0, 0.0, 0.0]
    assert [keyframe_errors(made[:3], meant[:3])[name] for name in HIT_FIGURES[3:]] == [0.0, 0.0, 100.0]
    with pytest.raises(ValueError, match="as many keyframes and joints"):
        keyframe_errors(made, meant[:2])
    with pytest.raises(ValueError, match="the keyframes: expected finite joints"):
        keyframe_errors(made[:0], meant[:0])
