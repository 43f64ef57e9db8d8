"""Frames drawn by something else take their place in a motion: nothing else changes, and nothing jumps."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.physics import foot_skate
from lamp_cli.motion.clean_up import with_feet_moved
from lamp_cli.motion.gap import DrawnFrames, Gap, fill_gap, seam_errors
from lamp_cli.motion.placement import turned_about_y
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import numbered_clip
from tests.conftest import standing, wandering

FEET = list(HUMANML3D.feet)


def drawn_from(joints: np.ndarray, first: int, count: int) -> DrawnFrames:
    """Frames of a motion turned and moved elsewhere, as a network makes them."""
    floor = np.percentile(joints[:, FEET, 1].min(1), 5)
    elsewhere = turned_about_y(np.asarray(joints, dtype=np.float64), 1.1) + np.array([3.0, -floor, -2.0])
    return DrawnFrames(elsewhere, first, count)


def push(joints: np.ndarray, fps: float) -> np.ndarray:
    """The greatest acceleration of a joint (T-2,), m / s^2."""
    return np.asarray(
        np.linalg.norm(np.diff(joints.astype(np.float64), n=2, axis=0), axis=-1).max(1) * fps**2
    )


@pytest.mark.parametrize("rate", [20.0, 60.0, 25.0])
@pytest.mark.parametrize(("start", "end", "frames"), [(40, 80, 40), (40, 60, 40), (0, 0, 40), (120, 120, 40)])
def test_only_the_gap_changes_and_seams_do_not_jump(rate: float, start: int, end: int, frames: int) -> None:
    walk = resample(numbered_clip(20_260_000, 2).joints[:121].astype(np.float32), 20.0, rate)
    first, last, count = (round(rate / 20.0 * number) for number in (start, end, frames))
    gap = Gap(*((len(walk), len(walk)) if start == 120 else (first, last)), count)
    drawn = drawn_from(numbered_clip(20_260_000, 5).joints, 30, frames)
    filled = fill_gap(walk, drawn, gap, HUMANML3D, rate)
    assert filled.dtype == walk.dtype and len(filled) == len(walk) - (gap.end - gap.start) + gap.frames
    assert filled[: gap.start].tobytes() == walk[: gap.start].tobytes()
    assert filled[gap.stop :].tobytes() == walk[gap.end :].tobytes()
    own, found = push(walk, rate), push(filled, rate)
    seams = [found[max(0, seam - 2) : seam] for seam in (gap.start, gap.stop) if 2 <= seam < len(filled)]
    assert np.concatenate(seams).max() < 1.5 * np.percentile(own, 95)
    stray = np.abs(bone_lengths(filled, HUMANML3D) - np.median(bone_lengths(walk, HUMANML3D), axis=0))
    assert stray.max() < 0.01


def test_what_was_cut_out_comes_back_where_it_was() -> None:
    clip = numbered_clip(20_260_000, 2).joints.astype(np.float32)
    gap = Gap(44, 84, 40)
    filled = fill_gap(clip, drawn_from(clip[20:110], 24, 40), gap, HUMANML3D, 20.0)
    # Only beside the seams it is not its own, but what the motion's speed leads to.
    assert np.abs(filled - clip)[56:72].max() < 0.02 and np.abs(filled - clip).max() < 0.3
    place, heading, pose = seam_errors(clip, drawn_from(clip[20:110], 24, 40), gap, HUMANML3D, 20.0)
    assert max(place, heading, pose) < 1e-4
    other = seam_errors(clip, drawn_from(clip[20:110], 26, 44), gap, HUMANML3D, 20.0)
    assert max(other) > 0.01


def test_kept_poses_are_passed_and_the_rest_is_drawn() -> None:
    walk = numbered_clip(20_260_000, 5).joints[:100].astype(np.float32)
    gap = Gap(0, 100, 100, kept=(0, 40, 90))
    drawn = drawn_from(numbered_clip(20_260_000, 2).joints[:100], 0, 100)
    filled = fill_gap(walk, drawn, gap, HUMANML3D, 20.0)
    for frame in gap.kept:
        assert filled[frame].tobytes() == walk[frame].tobytes()
    assert np.abs(filled - walk)[20].max() > 0.02
    # No harder than the motion itself; a jump of 5 cm from frame to frame would add 20.
    assert push(filled, 20.0).max() < 1.1 * push(walk, 20.0).max()


def test_one_frame_goes_on() -> None:
    pose = standing(HUMANML3D)[None].astype(np.float32)
    walk = wandering(HUMANML3D, 40, 5)
    filled = fill_gap(pose, drawn_from(walk, 0, 40), Gap(1, 1, 40), HUMANML3D, 20.0)
    assert len(filled) == 41 and np.array_equal(filled[0], pose[0])
    # A single pose has no speed: it is that of what is drawn.
    # The knees of its straight legs are quicker, as the feet are lifted.
    others = [joint for joint in range(22) if "knee" not in HUMANML3D.joint_names[joint]]
    steps = [np.linalg.norm(np.diff(each[:, others], axis=0), axis=-1).max() for each in (filled, walk)]
    assert steps[0] < 1.3 * steps[1]


def test_a_body_that_must_get_elsewhere_steps_and_does_not_slide() -> None:
    still = np.repeat(standing(HUMANML3D)[None], 80, axis=0)
    moved = still.copy()
    moved[60:] += [0.3, 0.0, 0.4]
    moved = moved.astype(np.float32)
    gap = Gap(20, 60, 40)
    filled = fill_gap(moved, drawn_from(still, 20, 40), gap, HUMANML3D, 20.0)
    toes = filled[:, [10, 11]]
    speed = np.linalg.norm(np.diff(toes[..., ::2], axis=0), axis=-1)
    low = toes[1:, :, 1] - toes[0, :, 1] < 0.005
    assert speed[low].max() < 0.01
    # One foot after the other, half a metre each.
    assert (speed > 0.02).any(0).all() and not (speed > 0.02).all(1).any()
    assert np.abs(filled - moved)[[0, 19, 60, 79]].max() == 0


def test_feet_that_legs_do_not_reach_are_lifted() -> None:
    # Whoever is drawn standing gets a metre further on.
    still = np.repeat(standing(HUMANML3D)[None], 80, axis=0)
    moved = still.copy()
    moved[60:] += [0.0, 0.0, 1.0]
    gap = Gap(20, 60, 40)
    filled = fill_gap(moved.astype(np.float32), drawn_from(still, 20, 40), gap, HUMANML3D, 20.0)
    assert (foot_skate(filled[20:60], 20.0) or 0.0) < 0.5
    assert np.abs(filled - moved)[[0, 19, 60, 79]].max() < 1e-6


@pytest.mark.parametrize("kept", [(), (5, 19)])
def test_a_raised_foot_comes_down_and_is_not_held_up(kept: tuple[int, ...]) -> None:
    still = np.repeat(standing(HUMANML3D)[None], 80, axis=0)
    offsets = np.zeros((80, 4, 3))
    offsets[:20, 2:, 1] = 0.07
    raised = with_feet_moved(still, offsets, HUMANML3D).astype(np.float32)
    gap = Gap(0, 60, 60, kept) if kept else Gap(20, 60, 40)
    filled = fill_gap(raised, drawn_from(still, 20, gap.frames), gap, HUMANML3D, 20.0)
    assert filled[19, 11, 1] - still[19, 11, 1] == pytest.approx(0.07, abs=0.01)
    assert np.abs(filled[32:, FEET, 1] - still[32:, FEET, 1]).max() < 0.015


def test_a_gap_that_is_none_is_refused() -> None:
    for bad in ((5, 4, 1), (-1, 4, 1), (2, 4, 0)):
        with pytest.raises(ValueError, match="expected 1 or more"):
            Gap(*bad)
    with pytest.raises(ValueError, match="expected as many frames"):
        Gap(0, 10, 5, (3,))
    with pytest.raises(ValueError, match="expected some of 2 to 9"):
        Gap(2, 10, 8, (10,))
    walk = wandering(HUMANML3D, 20)
    with pytest.raises(ValueError, match="every frame gives way"):
        fill_gap(walk, drawn_from(walk, 0, 20), Gap(0, 20, 20), HUMANML3D, 20.0)
