"""Two motions that meet: poses and velocities run through, bones keep their lengths."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.placement import body_frames, headings, placed
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.seams import brought_together, in_between
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import wandering


def two(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Two motions of one body, the second where the first ends, in another pose and at another speed."""
    first, second = (
        joint_rotations(motion, skeleton, skeleton.fps).joints()
        for motion in (wandering(skeleton, 40), wandering(skeleton, 90, seed=1)[50:])
    )
    return first, placed(second, second[0], first[-1], skeleton)


def accelerations(joints: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(1))


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=["humanml3d", "kit"])
def test_both_sides_come_to_one_pose_and_one_velocity(skeleton: Skeleton) -> None:
    before, after = two(skeleton)
    gap = np.linalg.norm(before[-1] - after[0], axis=-1).max()
    first, second = brought_together(before, after, skeleton, 8)
    np.testing.assert_allclose(first[-1], second[0], atol=1e-9)
    met, was = np.concatenate([first, second[1:]]), np.concatenate([before, after[1:]])
    assert gap > 0.05 and accelerations(met).max() < 0.5 * accelerations(was).max()
    np.testing.assert_allclose(first[:-8], before[:-8], atol=1e-9)
    np.testing.assert_allclose(second[8:], after[8:], atol=1e-9)
    ends = np.stack([bone_lengths(motion, skeleton)[0] for motion in (before, after)])
    lengths = bone_lengths(met, skeleton)
    assert (lengths >= ends.min(0) - 1e-9).all() and (lengths <= ends.max(0) + 1e-9).all()


def test_what_already_meets_is_left_as_it_is() -> None:
    whole = wandering(HUMANML3D, 60)
    before, after = whole[:31], whole[30:]
    first, second = brought_together(before, after, HUMANML3D, 8)
    np.testing.assert_allclose(np.concatenate([first, second[1:]]), whole, atol=0.002)


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_frames_between_two_motions_lead_from_one_to_the_other(frames: int) -> None:
    before, after = two(HUMANML3D)
    after = after + np.array([0.0, 0.0, 0.05 * (frames + 1)])
    joined = np.concatenate([before, in_between(before, after, HUMANML3D, frames), after])
    assert len(joined) == len(before) + frames + len(after)
    steps = np.linalg.norm(np.diff(joined, axis=0), axis=-1).max(1)
    assert steps.max() < 2.5 * max(np.linalg.norm(np.diff(m, axis=0), axis=-1).max() for m in (before, after))


def test_a_single_pose_meets_another() -> None:
    before, after = (motion[:1] for motion in two(HUMANML3D))
    first, second = brought_together(before, after, HUMANML3D, 8)
    np.testing.assert_allclose(first, second, atol=1e-9)
    assert in_between(before, after, HUMANML3D, 3).shape == (3, 22, 3)


def test_placed_motions_stand_and_face_as_they_should() -> None:
    joints, goal = wandering(HUMANML3D, 40), wandering(HUMANML3D, 80, seed=2)[-1]
    moved = placed(joints, joints[10], goal, HUMANML3D)
    np.testing.assert_allclose(moved[10, 0, ::2], goal[0, ::2], atol=1e-9)
    np.testing.assert_allclose(headings(moved[10:11], HUMANML3D), headings(goal[None], HUMANML3D), atol=1e-9)
    np.testing.assert_allclose(moved[..., 1], joints[..., 1], atol=1e-12)
    np.testing.assert_allclose(body_frames(moved, HUMANML3D), body_frames(joints, HUMANML3D), atol=1e-9)
