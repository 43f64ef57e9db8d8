"""Clean-up of generated joints: what it must put right, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.physics import bone_drift, foot_skate, jitter, penetration
from lamp_cli.motion.clean_up import clean_up, with_feet_moved, with_reference_bones
from lamp_cli.motion.inverse_kinematics import two_bones
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.conftest import standing, wandering

FEET = list(HUMANML3D.feet)


def clip(action: str, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 22, 3) of a synthetic clip and the contacts (T, 4) that its features say."""
    joints = synthetic_clip_of(action, np.random.default_rng(seed)).joints
    contacts = joints_to_features(joints, HUMANML3D)[:, -4:]
    return joints[: len(contacts)].astype(np.float64), contacts


def shaken(joints: np.ndarray, seed: int = 0) -> np.ndarray:
    """A network's errors: a few centimetres, half of them slow, and a root that slides."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(0, 0.004, joints.shape), axis=0)
    slide = np.cumsum(rng.normal(0, 0.006, (len(joints), 1, 3)) * (1, 0, 1), axis=0)
    return joints + slow + rng.normal(0, 0.004, joints.shape) + slide - (0, 0.02, 0)


@pytest.mark.parametrize("action", ["walk", "kick", "squat", "jump", "turn"])
def test_errors_are_put_right(action: str) -> None:
    joints, contacts = clip(action)
    wrong = shaken(joints)
    clean = clean_up(wrong, contacts, HUMANML3D)
    lengths = np.linalg.norm(clean[:, 1:] - clean[:, list(HUMANML3D.parents[1:])], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(HUMANML3D.bone_lengths[1:], (len(clean), 1)), atol=1e-6)
    assert penetration(clean) < 1e-6 < penetration(wrong)
    assert bone_drift(clean) < 1e-6 < bone_drift(wrong)
    slip, slipped = (
        foot_skate(motion - motion[..., 1].min() * np.array([0, 1, 0]), 20.0) for motion in (clean, wrong)
    )
    assert slip is not None and slipped is not None and slip < 0.6 * slipped
    assert jitter(clean, 20.0) < 1.3 * jitter(wrong, 20.0)


@pytest.mark.parametrize("action", ["walk", "run", "jump forward", "sidestep", "wave", "sit down"])
def test_a_sound_motion_is_hardly_touched(action: str) -> None:
    joints, contacts = clip(action)
    moved = np.linalg.norm(clean_up(joints, contacts, HUMANML3D) - joints, axis=-1)
    # The corpus' toes rest 12 mm above the floor.
    assert moved.mean() < 0.016 and moved.max() < 0.1


def test_a_foot_in_contact_stays_where_it_is() -> None:
    joints = np.tile(standing(HUMANML3D), (40, 1, 1))
    joints = with_reference_bones(joints, HUMANML3D)
    joints[..., 1] -= joints[..., 1].min()
    raised = np.zeros((40, 4, 3))
    raised[:, 2:, 1] = 0.25
    joints = with_feet_moved(joints, raised, HUMANML3D)
    joints[:, :, 0] += 0.002 * np.arange(40)[:, None]
    contacts = np.zeros((40, 4))
    contacts[5:35, :2] = 1.0
    clean = clean_up(joints, contacts, HUMANML3D)
    assert np.ptp(clean[5:35, FEET[1]][:, [0, 2]], axis=0).max() < 0.006
    assert np.ptp(clean[5:35, FEET[3]][:, 0]) > 0.05, "the other foot is not in contact"


def sliding(frames: int = 60) -> np.ndarray:
    """A body whose left foot rests, slides 20 cm along the floor at 1 m/s, and rests again."""
    joints = with_reference_bones(np.tile(standing(HUMANML3D), (frames, 1, 1)), HUMANML3D)
    joints[..., 1] -= joints[..., 1].min()
    moved = np.zeros((frames, 4, 3))
    moved[:, :2, 2] = np.clip(0.05 * (np.arange(frames) - 25), 0.0, 0.2)[:, None]
    return with_feet_moved(joints, moved, HUMANML3D)


def test_a_foot_that_slides_from_contact_to_contact_steps() -> None:
    joints = sliding()
    clean = clean_up(joints, np.zeros((60, 4)), HUMANML3D)
    toe = clean[:, FEET[1]]
    assert toe[25:29, 1].max() > 0.04 > joints[25:29, FEET[1], 1].max()
    assert np.ptp(toe[:22], axis=0).max() < 1e-3 and np.ptp(toe[33:], axis=0).max() < 1e-3
    slip, slipped = foot_skate(clean, 20.0), foot_skate(joints, 20.0)
    assert slip is not None and slipped is not None and slip < 0.6 * slipped


def test_a_heel_that_skims_the_floor_on_its_way_is_lifted() -> None:
    """The toe is up, as in a walk before the heel strikes; only the ankle is too low for a step."""
    joints = sliding()
    toes_up, way = np.zeros((60, 4, 3)), slice(25, 31)
    toes_up[way, 1, 1] = 0.08
    joints = with_feet_moved(joints, toes_up, HUMANML3D)
    ankle, toe = FEET[:2]
    assert joints[way, ankle, 1].max() < 0.08 < joints[way, toe, 1].max()
    clean = clean_up(joints, np.zeros((60, 4)), HUMANML3D)
    assert clean[way, ankle, 1].max() > 0.08
    slip, slipped = foot_skate(clean, 20.0), foot_skate(joints, 20.0)
    assert slip is not None and slipped is not None and slip < 0.4 * slipped


def test_a_foot_that_lands_slowly_is_not_thrown_ahead() -> None:
    """It is low and slow enough to rest long before it stands; its toe follows the heel that is held."""
    joints = with_reference_bones(np.tile(standing(HUMANML3D), (50, 1, 1)), HUMANML3D)
    joints[..., 1] -= joints[..., 1].min()
    # Half of its way is the body's; it slows down within the last ten frames.
    left = np.maximum(30.0 - np.arange(50), 0.0)
    half_way = np.where(left < 10, 0.0014 * left**2, 0.14 + 0.028 * (left - 10))
    joints[..., 2] -= half_way[:, None]
    moved = np.zeros((50, 4, 3))
    moved[:, :2, 2] = -half_way[:, None]
    moved[:, 2:, 2] = half_way[:, None]
    moved[:, 1, 1] = np.where(left > 0, 0.1, 0.0)
    joints = with_feet_moved(joints, moved, HUMANML3D)
    clean = clean_up(joints, np.zeros((50, 4)), HUMANML3D)
    for foot in FEET[:2]:
        went = np.diff(joints[12:, foot, 2]).max()
        assert np.diff(clean[12:, foot, 2]).max() < went + 0.03
    assert np.ptp(clean[32:, FEET[0], 2]) < 0.002


@pytest.mark.parametrize("way", [0.16, 0.4])
def test_a_foot_that_slides_far_while_it_rests_takes_its_time_to_step(way: float) -> None:
    """It is never fast, so that it rests all the way, and is cut into contacts."""
    joints = with_reference_bones(np.tile(standing(HUMANML3D), (60, 1, 1)), HUMANML3D)
    joints[..., 1] -= joints[..., 1].min()
    moved = np.zeros((60, 4, 3))
    moved[:, :2, 0] = np.clip(0.03 * (np.arange(60) - 20), 0.0, way)[:, None]
    clean = clean_up(with_feet_moved(joints, moved, HUMANML3D), np.zeros((60, 4)), HUMANML3D)
    assert np.linalg.norm(np.diff(clean[:, FEET[1]], axis=0), axis=-1).max() < 0.075


def test_the_feet_of_who_sits_or_crawls_may_slide() -> None:
    joints = sliding()
    # A body that stood up for long enough to be known as standing, and then sits.
    seated = np.arange(60) >= 15
    low = joints.copy()
    hips = [j for j in range(22) if j not in (4, 5, 7, 8, 10, 11)]
    low[np.ix_(seated, hips)] -= (0.0, 0.5, 0.0)
    low = with_feet_moved(with_reference_bones(low, HUMANML3D), np.zeros((60, 4, 3)), HUMANML3D)
    clean = clean_up(low, np.zeros((60, 4)), HUMANML3D)
    assert clean[25:29, FEET[1], 1].max() < low[25:29, FEET[1], 1].max() + 0.03


def test_a_small_true_step_is_left_alone() -> None:
    joints, contacts = clip("sidestep")
    moved = np.linalg.norm(clean_up(joints, contacts, HUMANML3D) - joints, axis=-1)
    assert moved.max() < 0.06


def test_turning_and_moving_a_motion_does_the_same_to_the_result() -> None:
    joints, contacts = clip("kick")
    wrong = shaken(joints)
    c, s = np.cos(1.1), np.sin(1.1)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    expected = clean_up(wrong, contacts, HUMANML3D) @ turn.T + (3, 0, -2)
    np.testing.assert_allclose(
        clean_up(wrong @ turn.T + (3, 0, -2), contacts, HUMANML3D), expected, atol=1e-6
    )


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_motions(frames: int) -> None:
    joints = wandering(HUMANML3D, 60)[:frames]
    assert clean_up(joints, np.ones((frames, 4)), HUMANML3D).shape == joints.shape


def test_what_lies_on_the_floor_is_not_under_it() -> None:
    joints, contacts = clip("sit down")
    joints[..., 1] -= 0.3
    assert clean_up(joints, 0 * contacts, HUMANML3D)[..., 1].min() > -1e-9


def test_a_skeleton_without_ankles_is_left_alone() -> None:
    joints = wandering(KIT, 60)
    assert clean_up(joints, np.ones((60, 4)), KIT) is joints


def test_moved_feet_keep_bones_and_hips() -> None:
    joints, _ = clip("walk")
    offsets = np.full((len(joints), 4, 3), 0.03)
    moved = with_feet_moved(joints, offsets, HUMANML3D)
    np.testing.assert_allclose(moved[:, FEET] - joints[:, FEET], 0.03, atol=0.02)
    still = [j for j in range(22) if j not in (4, 5, 7, 8, 10, 11)]
    np.testing.assert_array_equal(moved[:, still], joints[:, still])
    assert with_feet_moved(joints, 0 * offsets, HUMANML3D) is not joints


def test_a_leg_that_is_eased_stretches_without_a_snap() -> None:
    """A foot goes away steadily: where the leg ends its knee snaps straight, or comes near that."""
    joints = with_reference_bones(np.tile(standing(HUMANML3D), (40, 1, 1)), HUMANML3D)
    bent = np.zeros((40, 4, 3))
    bent[:, :, 1] = 0.06
    joints = with_feet_moved(joints, bent, HUMANML3D)
    down = np.zeros((40, 4, 3))
    down[:, :, 1] = -np.linspace(0.0, 0.1, 40)[:, None]
    knee = HUMANML3D.joint_names.index("left_knee")
    snap, eased = (
        np.linalg.norm(np.diff(with_feet_moved(joints, down, HUMANML3D, how)[:, knee], n=2, axis=0), axis=-1)
        for how in (False, True)
    )
    assert eased.max() < 0.5 * snap.max()
    near = np.abs(with_feet_moved(joints, down, HUMANML3D, True)[:8, FEET] - joints[:8, FEET] - down[:8])
    assert near.max() < 0.004


def test_two_bones_by_hand() -> None:
    start, goal, pole = np.zeros((1, 3)), np.array([[0.0, -1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    middle, end = two_bones(start, goal, pole, np.sqrt(0.5), np.sqrt(0.5), 0.1)
    np.testing.assert_allclose(end, goal, atol=1e-12)
    np.testing.assert_allclose(middle, [[0.0, -0.5, 0.5]], atol=1e-12)
    far = two_bones(start, 9 * goal, pole, 1.0, 1.0, 0.1)[1]
    np.testing.assert_allclose(far, [[0.0, -1.999, 0.0]], atol=1e-6)
