"""Motions joined: straight on where poses agree, else by a transition; nothing jumps, feet stay."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lamp_cli.metrics.physics import foot_skate
from lamp_cli.motion.joining import joined_motions
from lamp_cli.motion.placement import body_frames
from lamp_cli.motion.seam_bounds import SeamBounds, seam_figures
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.conftest import standing, wandering

PAIRS = [("walk", "walk"), ("walk", "wave"), ("sit down", "walk"), ("lie down", "jump"), ("run", "sit down")]


@cache
def clip(action: str) -> np.ndarray:
    return synthetic_clip_of(action, np.random.default_rng(3)).joints.astype(np.float64)


def fastest(joints: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(joints, axis=0), axis=-1).max())


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_nothing_jumps_and_feet_stay(first: str, second: str) -> None:
    before, after = clip(first), clip(second)
    found = joined_motions(before, after, HUMANML3D, None, 0.3)
    seam = slice(found.first - 8, found.first + found.between + 8)
    joints = found.joints
    assert fastest(joints[seam]) < max(0.15, 1.2 * max(fastest(before), fastest(after)))
    jumps = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(1)
    assert jumps[seam].max() < 1.2 * jumps.max() and jumps[seam].max() < 0.15
    assert (foot_skate(joints, 20.0) or 0.0) < 0.5
    assert len(joints) == found.first + found.between + len(after) - found.start
    # Far from the seam both are what they were.
    for frames, much in ((14, 1e-3), (24, 1e-6)):
        np.testing.assert_allclose(joints[: found.first - frames], before[: found.first - frames], atol=much)
        rest = len(after) - found.start - frames
        own, moved = (body_frames(motion[-rest:], HUMANML3D) for motion in (after, joints))
        np.testing.assert_allclose(moved, own, atol=much)


@pytest.mark.parametrize("transition", [None, 0.0, 0.3])
@pytest.mark.parametrize(("first", "second"), [("walk", "walk"), ("sit down", "walk"), ("lie down", "jump")])
def test_seams_are_within_their_bounds(first: str, second: str, transition: float | None) -> None:
    before, after = clip(first), clip(second)
    found = joined_motions(before, after, HUMANML3D, transition, 0.3)
    bounds = SeamBounds(max(SeamBounds.of(motion, 20.0).push for motion in (before, after)))
    seams = sorted({found.first, found.first + found.between})
    assert seam_figures(found.joints, seams, bounds, 20.0).within.all()


def test_where_poses_agree_nothing_comes_between() -> None:
    assert joined_motions(clip("wave"), clip("kick"), HUMANML3D, None, 0.3).between == 0
    cut = joined_motions(clip("walk")[:61], clip("walk")[60:], HUMANML3D, None, 0.3)
    assert cut.between == 0
    np.testing.assert_allclose(cut.joints[-1], clip("walk")[-1], atol=0.1)


def test_where_they_do_not_a_transition_takes_its_time() -> None:
    up = joined_motions(clip("lie down"), clip("walk"), HUMANML3D, None, 0.3)
    aside = joined_motions(clip("wave"), clip("squat")[40:], HUMANML3D, None, 0.0)
    assert up.between > aside.between >= 0 and up.between >= 15
    assert joined_motions(clip("wave"), clip("kick"), HUMANML3D, 0.5, 0.3).between == 10


def test_who_stands_keeps_the_feet_in_their_places() -> None:
    found = joined_motions(clip("wave"), clip("kick"), HUMANML3D, 0.5, 0.3)
    feet = list(HUMANML3D.feet)
    ends, begins = found.joints[found.first - 1, feet], found.joints[found.first + found.between, feet]
    assert np.linalg.norm((ends - begins)[:, ::2], axis=-1).max() < 0.12


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_motions_are_joined(frames: int) -> None:
    for transition in (None, 0.0, 0.4):
        found = joined_motions(clip("walk")[:frames], clip("wave")[:frames], HUMANML3D, transition, 0.3)
        assert np.isfinite(found.joints).all() and len(found.joints) >= 1


def test_kits_joints_are_joined() -> None:
    found = joined_motions(wandering(KIT, 40), np.tile(standing(KIT), (20, 1, 1)), KIT, None, 0.3)
    assert np.isfinite(found.joints).all() and fastest(found.joints) < 0.2
