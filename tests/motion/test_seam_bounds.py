"""Seams within their bounds: what is free gives way, what is not stays, bones and feet keep theirs."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.physics import foot_skate
from lamp_cli.motion import gap as module
from lamp_cli.motion.gap import Gap, fill_gap
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.seam_bounds import SeamBounds, SeamFigures, seam_figures, within_bounds
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import numbered_clip
from tests.conftest import standing, wandering
from tests.motion.test_gap import drawn_from

CLIPS = [numbered_clip(20_260_000, number).joints.astype(np.float32) for number in range(8)]


def figures(filled: np.ndarray, own: np.ndarray, gap: Gap, fps: float) -> SeamFigures:
    return seam_figures(filled, gap.seams(len(filled)), SeamBounds.of(own, fps), fps)


def filled_with(own: np.ndarray, other: np.ndarray, gap: Gap, fps: float) -> np.ndarray:
    count = max(1, round(gap.frames * 20.0 / fps))
    return fill_gap(own, drawn_from(other, 4, min(count, len(other) - 8)), gap, HUMANML3D, fps)


@pytest.mark.parametrize("seed", range(8))
def test_any_span_of_any_motion_meets_it_within_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fps = (20.0, 20.0, 30.0, 60.0)[seed % 4]
    own, other = resample(CLIPS[rng.integers(8)][:120], 20.0, fps), CLIPS[rng.integers(8)]
    count = round(min(rng.uniform(0.5, 2.0), 0.5 * len(own) / fps) * fps)
    start = int(rng.integers(len(own) - count))
    longer = int(rng.integers(3))
    gap = Gap(start, start + count, count + longer * count // 4)
    filled = filled_with(own, other, gap, fps)
    assert figures(filled, own, gap, fps).within.all()
    assert filled[: gap.start].tobytes() == own[: gap.start].tobytes()
    assert filled[gap.stop :].tobytes() == own[gap.end :].tobytes()
    usual = np.median(bone_lengths(own, HUMANML3D), axis=0)
    # Between frames of another rate the motion's own bones are a little too short.
    stray, was = (np.abs(bone_lengths(joints, HUMANML3D) - usual).max() for joints in (filled, own))
    assert stray < was + 1e-3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "within_bounds", lambda joints, *_: joints)
        before = filled_with(own, other, gap, fps)
    inside = slice(gap.start, gap.stop)
    slips = [foot_skate(joints[inside], fps) or 0.0 for joints in (filled, before)]
    assert slips[0] < slips[1] + 0.15


def test_kept_poses_are_met_within_bounds() -> None:
    for number in (2, 4):
        own = CLIPS[number][:100]
        gap = Gap(0, len(own), len(own), kept=(0, 20, 40, 41, 70))
        filled = filled_with(own, CLIPS[number + 3], gap, 20.0)
        assert gap.seams(len(own)) == [1, 20, 21, 40, 42, 70, 71]
        assert figures(filled, own, gap, 20.0).within.all()


def test_a_gap_too_short_for_its_bounds_comes_nearer_and_is_told_as_it_is() -> None:
    own = CLIPS[2][:60].copy()
    own[30:] += np.array([0.5, 0.0, 0.0], dtype=np.float32)
    gap = Gap(29, 31, 2)
    filled = filled_with(own, CLIPS[2], gap, 20.0)
    found = figures(filled, own, gap, 20.0)
    assert not found.within.all() and found.worst > 1.0
    assert found.jumps.max() < figures(own, own, Gap(29, 31, 2), 20.0).jumps.max() + 0.5
    assert np.isfinite(filled).all() and np.array_equal(filled[31:], own[31:])


@pytest.mark.parametrize("fps", [12.0, 20.0, 30.0, 60.0, 120.0])
def test_a_step_is_told_in_metres_at_any_rate_and_speed_is_none(fps: float) -> None:
    time = np.arange(round(4 * fps)) / fps
    going = np.zeros((len(time), 22, 3))
    # A speed of 2 m/s that grows by 3 m/s every second.
    going[:, :, 2] = (2.0 * time + 1.5 * time**2)[:, None]
    seam = len(time) // 2
    assert seam_figures(going, [seam], SeamBounds.of(going, fps), fps).jumps[0] < 1e-9
    going[seam:, 7] += [0.0, 0.04, 0.0]
    found = seam_figures(going, [seam], SeamBounds.of(going, fps), fps)
    stride = max(1, int(fps / 20))
    assert found.jumps[0] == pytest.approx(0.04 * (fps / (20 * stride)) ** 3)
    assert not found.within[0]


def test_what_is_within_bounds_stays_as_it_is_and_what_is_not_free_does_too() -> None:
    walk = CLIPS[2][:60].astype(np.float64)
    free = np.zeros(60, dtype=bool)
    free[20:40] = True
    bounds = SeamBounds.of(walk, 20.0)
    jumping = walk.copy()
    jumping[20:40] += [0.06, 0.0, 0.0]
    smooth = within_bounds(jumping, free, [20, 40], bounds, HUMANML3D, 20.0)
    assert not seam_figures(jumping, [20, 40], bounds, 20.0).within.any()
    assert seam_figures(smooth, [20, 40], bounds, 20.0).within.all()
    assert np.array_equal(smooth[~free], walk[~free])
    # What is far from both seams hardly moves.
    assert np.abs(smooth - jumping)[28:32].max() < 0.02
    again = within_bounds(smooth, free, [20, 40], bounds, HUMANML3D, 20.0)
    np.testing.assert_allclose(again, smooth, atol=1e-9)
    np.testing.assert_array_equal(
        within_bounds(jumping, ~free & free, [20], bounds, HUMANML3D, 20.0), jumping
    )


def test_motions_of_a_few_frames_and_of_kits_joints_are_served() -> None:
    pose = np.repeat(standing(HUMANML3D)[None], 2, axis=0)
    assert SeamBounds.of(pose, 20.0).push == np.inf
    for frames in (1, 2, 3, 5):
        joints = np.concatenate([pose[:1], pose[:1] + 0.1 * np.arange(frames)[:, None, None]])
        free = np.arange(frames + 1) > 0
        found = within_bounds(joints, free, [1], SeamBounds(1.0), HUMANML3D, 20.0)
        assert np.isfinite(found).all() and np.array_equal(found[0], pose[0])
    walk = wandering(KIT, 60)
    walk[30:] += [0.0, 0.0, 0.1]
    bounds = SeamBounds.of(wandering(KIT, 60), 12.5)
    found = within_bounds(walk, np.abs(np.arange(60) - 30) < 12, [30], bounds, KIT, 12.5)
    assert seam_figures(found, [30], bounds, 12.5).within.all()
