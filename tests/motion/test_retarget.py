"""Motions on other people's skeletons: the same movement, whatever their axes, rest poses and sizes are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lamp_cli.motion import rotation
from lamp_cli.motion.clean_up import with_feet_moved
from lamp_cli.motion.joint_rotations import forward, joint_rotations
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.retarget import Rig, reference_offsets, rest_places, retargeted
from lamp_cli.motion.skeleton import HUMANML3D
from tests.conftest import stepping

NAMES = HUMANML3D.joint_names
NO_TURN = np.array([1.0, 0.0, 0.0, 0.0])
FPS = HUMANML3D.fps


@pytest.fixture(scope="module")
def marching() -> Motion:
    """Someone who marches on the spot, arms swinging, with the reference body's bones."""
    found = joint_rotations(stepping(0.7, FPS), HUMANML3D, FPS, offsets=reference_offsets())
    swing = 0.8 * np.sin(np.linspace(0, 16, len(found.root)))
    turns = found.rotations.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        about = np.stack(
            [np.cos(swing / 2), *(sign * np.sin(swing / 2) * axis for axis in (0.0, 1.0, 0.0))], 1
        )
        joint = NAMES.index(f"{side}_shoulder")
        turns[:, joint] = rotation.multiply(turns[:, joint], about)
    return Motion(forward(turns, found.root, found.offsets, HUMANML3D), HUMANML3D, FPS)


def rig(offsets: np.ndarray | None = None, turns: np.ndarray | None = None, height: float = 0.955) -> Rig:
    """Our own joints as a rig, standing at ``height`` metres."""
    offsets = reference_offsets() if offsets is None else offsets.copy()
    offsets[0] = [0.0, height, 0.0]
    turns = np.tile(NO_TURN, (22, 1)) if turns is None else turns
    known = {name: joint for joint, name in enumerate(NAMES) if name not in ("spine1", "spine2", "neck")}
    places = rest_places(HUMANML3D.parents, offsets, turns)
    return Rig(HUMANML3D.parents, offsets, turns, known, places)


def places(moved: tuple[np.ndarray, np.ndarray], on: Rig) -> np.ndarray:
    """Joints (T, N, 3) of a rig, written out on its own."""
    turns, root = moved
    found, world = np.zeros((*turns.shape[:2], 3)), turns.copy()
    for joint, parent in enumerate(on.parents):
        if parent < 0:
            found[:, joint] = root
            continue
        found[:, joint] = found[:, parent] + rotation.rotate(world[:, parent], on.offsets[joint])
        world[:, joint] = rotation.multiply(world[:, parent], turns[:, joint])
    return found


def test_the_reference_body_moves_as_the_motion_does(marching: Motion) -> None:
    moved = places(retargeted(marching, None, rig(), FPS), rig())
    assert np.linalg.norm(moved - marching.joints, axis=-1).max() < 0.002


def test_axes_of_joints_change_nothing(marching: Motion) -> None:
    rng = np.random.default_rng(0)
    world = rotation.unit(rng.normal(size=(22, 4)))
    parents = np.array(HUMANML3D.parents)
    local = np.concatenate([world[:1], rotation.multiply(rotation.inverse(world[parents[1:]]), world[1:])])
    offsets = reference_offsets()
    offsets[1:] = rotation.rotate(rotation.inverse(world[parents[1:]]), offsets[1:])
    odd = rig(offsets, local)
    expected = places(retargeted(marching, None, rig(), FPS), rig())
    assert np.allclose(places(retargeted(marching, None, odd, FPS), odd), expected, atol=1e-6)


def test_a_rig_that_faces_elsewhere_at_rest_moves_alike(marching: Motion) -> None:
    away = rotation.about_y(np.array(2.0))
    turned = rig(rotation.rotate(away, reference_offsets()))
    expected = places(retargeted(marching, None, rig(), FPS), rig())
    assert np.allclose(places(retargeted(marching, None, turned, FPS), turned), expected, atol=1e-6)


def test_arms_that_hang_at_rest_move_alike(marching: Motion) -> None:
    offsets = reference_offsets()
    for name in ("left_elbow", "left_wrist", "right_elbow", "right_wrist"):
        length = np.linalg.norm(offsets[NAMES.index(name)])
        side = 1.0 if name.startswith("left") else -1.0
        offsets[NAMES.index(name)] = length * np.array([0.6 * side, -0.8, 0.0])
    hanging = rig(offsets)
    expected = places(retargeted(marching, None, rig(), FPS), rig())
    assert np.allclose(places(retargeted(marching, None, hanging, FPS), hanging), expected, atol=1e-6)


def test_a_larger_rig_makes_larger_steps(marching: Motion) -> None:
    large = rig(100 * reference_offsets(), height=95.5)
    assert large.scale == pytest.approx(100.0)
    moved = places(retargeted(marching, None, large, FPS), large)
    assert np.allclose(moved / 100, places(retargeted(marching, None, rig(), FPS), rig()), atol=1e-5)


def test_planted_feet_stay_on_a_body_of_other_proportions(marching: Motion) -> None:
    """A body that sways and crouches over feet that stay: on shorter shins they would slide."""
    time = np.linspace(0, 12, 80)
    way = np.stack([0.05 * np.sin(time), -0.12 - 0.08 * np.cos(time), 0.05 * np.cos(2 * time)], axis=1)
    moved = np.repeat(marching.joints[:1], len(time), axis=0) + way[:, None]
    held = np.repeat(-way[:, None], 4, axis=1)
    swaying = Motion(with_feet_moved(moved, held, HUMANML3D), HUMANML3D, FPS)
    feet = list(HUMANML3D.feet)
    assert np.ptp(swaying.joints[:, feet], axis=0).max() < 0.002
    offsets = reference_offsets()
    for side in ("left", "right"):
        offsets[NAMES.index(f"{side}_knee")] *= 1.25
        offsets[NAMES.index(f"{side}_ankle")] *= 0.7
    other = rig(offsets)

    def slip(contacts: np.ndarray | None) -> float:
        feet_of_rig = places(retargeted(swaying, contacts, other, FPS), other)[:, feet, ::2]
        return float(np.ptp(feet_of_rig, axis=0).max())

    assert slip(np.ones((len(time), 4))) < 0.25 * slip(None)


def test_a_longer_spine_and_other_joints_share_in_the_turn(marching: Motion) -> None:
    """A joint above the pelvis, one more spine joint, and a finger: the joints that both have move alike."""
    base = rig()
    chest, spine2, wrist = (NAMES.index(name) for name in ("spine3", "spine2", "left_wrist"))
    order = [-1, *range(chest), 22, *range(chest, 22), 23]  # -1 the root, 22 the new spine, 23 the finger
    number = {joint: index for index, joint in enumerate(order)}
    above = {-1: None, 0: -1, 22: spine2, chest: 22, 23: wrist}
    parents = [above.get(joint, HUMANML3D.parents[joint] if joint < 22 else None) for joint in order]
    offset = {-1: [0.0, 0.0, 0.3], 0: base.offsets[0] - [0.0, 0.0, 0.3], 23: [0.1, 0.0, 0.0]}
    offset |= {22: base.offsets[chest] / 2, chest: base.offsets[chest] / 2}
    offsets = np.array([offset[joint] if joint in offset else base.offsets[joint] for joint in order])
    indices = tuple(-1 if parent is None else number[parent] for parent in parents)
    turns = np.tile(NO_TURN, (len(order), 1))
    known = {name: number[joint] for name, joint in base.known.items()}
    ours = [number[joint] for joint in range(22)]
    rich = Rig(indices, offsets, turns, known, rest_places(indices, offsets, turns)[ours])
    moved = retargeted(marching, None, rich, FPS)
    expected = places(retargeted(marching, None, base, FPS), base)
    assert np.linalg.norm(places(moved, rich)[:, ours] - expected, axis=-1).max() < 0.01
    assert np.allclose(moved[0][:, number[23]], NO_TURN)


def test_another_rate_keeps_the_duration_and_the_moments(marching: Motion) -> None:
    slow, fast = (retargeted(marching, None, rig(), rate) for rate in (FPS, 3 * FPS))
    assert len(fast[0]) == 3 * (len(slow[0]) - 1) + 1
    cosines = np.abs(np.sum(fast[0][::3] * slow[0], axis=-1))
    assert cosines.min() > np.cos(np.radians(2.0))
    assert np.allclose(fast[1][::3], slow[1], atol=1e-5)


def test_turns_are_unit_and_steady(marching: Motion) -> None:
    turns, _ = retargeted(marching, None, rig(), FPS)
    assert np.allclose(np.linalg.norm(turns, axis=-1), 1.0)
    assert (np.sum(turns[1:] * turns[:-1], axis=-1) > 0).all()


def test_a_body_that_lies_at_rest_is_refused() -> None:
    lying = rotation.rotate(np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0]), reference_offsets())
    with pytest.raises(ValueError, match="stands upright, y up"):
        rig(lying)
    with pytest.raises(ValueError, match="stands upright"):
        replace(rig(), places=np.zeros((22, 3)))
