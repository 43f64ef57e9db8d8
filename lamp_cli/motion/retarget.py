"""A motion onto another skeleton, whose joints are turned from its rest pose as ours are from the T-pose.

The other skeleton may have any joints, rest pose, facing and size. A twin of our 22 joints with its
proportions moves first, so that planted feet are held with its own legs; then its joints are turned as the
twin's are. What lies between two joints that both have (a longer spine or neck) shares the turn; what we
know nothing of (fingers, twist bones) keeps its rest pose. Knows no file and no names but ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from . import rotation
from .body_shape import with_level_head
from .clean_up import clean_up
from .joint_rotations import continuous, joint_rotations, t_pose, world_turns
from .motion import Motion
from .skeleton import HUMANML3D, ancestors
from .transform import resample

# Bones whose direction in the T-pose is ours whatever the other's rest pose is: arms may hang there.
_LIMBS = ("knee", "ankle", "elbow", "wrist")
_SPINE = ("pelvis", "spine1", "spine2", "spine3")
_NECK = ("spine3", "neck", "head")
# How bones leave the reference body's pelvis and chest in the T-pose: medians of what ``joint_rotations``
# finds in motions of it. With these its own motions come back within 1 to 3 mm (mean), walking within 10,
# where the data's hips sway in the pelvis.
_AT_PELVIS_AND_CHEST = {
    "left_hip": (65, -80, 7),
    "right_hip": (-69, -85, 6),
    "spine1": (0, 131, -15),
    "neck": (0, 214, -49),
    "left_collar": (76, 111, -29),
    "right_collar": (-79, 116, -31),
}
# The cosine of the angle by which a trunk at rest may lean.
_UPRIGHT = 0.7


@dataclass(frozen=True)
class Rig:
    """Somebody's skeleton at rest, y up.

    parents: of each joint (N,), -1 for the root; a joint stands after its parent.
    offsets: each joint from its parent at rest (N, 3), in the parent's own axes; the root's is its place.
    turns: each joint against its parent at rest (N, 4), unit quaternions, w first.
    known: which of them is which of HumanML3D's joints, by our name.
    places: where our 22 joints are at rest (22, 3); those that it lacks lie between their neighbours.

    Raises ``ValueError`` for a body that does not stand upright at rest, or has no size.
    """

    parents: tuple[int, ...]
    offsets: np.ndarray
    turns: np.ndarray
    known: Mapping[str, int]
    places: np.ndarray

    def __post_init__(self) -> None:
        trunk = self._place("head") - self._place("pelvis")
        if not self.hip_height > 1e-6 or trunk[1] < _UPRIGHT * np.linalg.norm(trunk):
            raise ValueError("expected a rest pose that stands upright, y up, with its feet below its hips")

    @cached_property
    def hip_height(self) -> float:
        """From the lowest joint of the feet to the pelvis at rest, in the skeleton's unit."""
        return _hip_height(self.places)

    @cached_property
    def scale(self) -> float:
        """How much larger it is than the reference body."""
        return self.hip_height / _hip_height(_reference_rest())

    @cached_property
    def facing(self) -> np.ndarray:
        """The turn (4,) about the vertical that makes it face +z at rest."""
        left = sum(
            (self.places[pair[0]] - self.places[pair[1]] for pair in (HUMANML3D.hips, HUMANML3D.shoulders)),
            np.zeros(3),
        )
        return rotation.about_y(np.arctan2(left[2], left[0]))

    @cached_property
    def world_turns(self) -> np.ndarray:
        """Turns of all joints at rest (N, 4) against the world."""
        return world_turns(self.turns[None], self.parents)[0]

    @cached_property
    def twin(self) -> np.ndarray:
        """Offsets (22, 3) of our joints in the T-pose: the rig's proportions at the reference body's size."""
        turned = rotation.rotate(self.facing, self.places)
        offsets = (turned - turned[list(HUMANML3D.parents)]) / self.scale
        offsets[0] = 0.0
        directions = rotation.unit(t_pose(HUMANML3D))
        for joint, name in enumerate(HUMANML3D.joint_names):
            if name.endswith(_LIMBS):
                offsets[joint] = directions[joint] * np.linalg.norm(offsets[joint])
        return offsets

    def _place(self, name: str) -> np.ndarray:
        return np.asarray(self.places[HUMANML3D.joint_names.index(name)])


def reference_offsets() -> np.ndarray:
    """Each of HumanML3D's joints from its parent (22, 3) in the T-pose of its reference body, metres."""
    offsets = t_pose(HUMANML3D)
    for name, direction in _AT_PELVIS_AND_CHEST.items():
        offsets[HUMANML3D.joint_names.index(name)] = direction
    return np.asarray(rotation.unit(offsets) * np.array(HUMANML3D.bone_lengths)[:, None])


def retargeted(
    motion: Motion, contacts: np.ndarray | None, rig: Rig, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Local turns (T, N, 4), w first, and places of the root (T, 3) that move a rig as a motion of 22 joints.

    contacts: of the frame features (T, 4), above 0.5 where a foot joint rests, which is then held; None holds
        no foot.
    fps: of the result; the duration is kept.
    """
    pelvis, turns = _twin_motion(motion, contacts, rig, fps)
    driven = _driven({name: turns[:, joint] for joint, name in enumerate(HUMANML3D.joint_names)}, rig)
    local = np.broadcast_to(rig.turns, (len(pelvis), *rig.turns.shape)).copy()
    world = local.copy()
    for joint, parent in enumerate(rig.parents):
        above = world[:, parent] if parent >= 0 else np.array([[1.0, 0.0, 0.0, 0.0]])
        if joint in driven:
            local[:, joint] = rotation.multiply(rotation.inverse(above), driven[joint])
        world[:, joint] = rotation.multiply(above, local[:, joint])
    return continuous(rotation.unit(local)), rig.scale * pelvis - root_to_pelvis(world, rig)


def pose_of_rig(local: np.ndarray, place: np.ndarray, rig: Rig) -> np.ndarray:
    """The joints (22, 3) of the reference body that move a rig as its own pose is: :func:`retargeted` back.

    local: turns of the rig's joints (N, 4) against their parents, w first.
    place: where its root is (3,).

    How hands are turned and limbs twisted beyond what their bends show is lost.
    """
    world = world_turns(local[None], rig.parents)
    pelvis = (place + root_to_pelvis(world, rig)[0]) / rig.scale
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (HUMANML3D.joints, 1))
    for joint in (0, *HUMANML3D.order):
        name, parent = HUMANML3D.joint_names[joint], HUMANML3D.parents[joint]
        if name in rig.known and not name.endswith("wrist"):
            theirs = rig.known[name]
            turns[joint] = rotation.multiply(
                world[0, theirs], rotation.inverse(_rest_in_t_pose(name, theirs, rig))
            )
        elif parent >= 0:
            turns[joint] = turns[parent]
    joints, offsets = np.tile(pelvis, (HUMANML3D.joints, 1)), reference_offsets()
    for joint in HUMANML3D.order:
        parent = HUMANML3D.parents[joint]
        joints[joint] = joints[parent] + rotation.rotate(turns[parent], offsets[joint])
    return joints


def _twin_motion(
    motion: Motion, contacts: np.ndarray | None, rig: Rig, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the twin's pelvis (T, 3), and turns of its joints against the T-pose (T, 22, 4)."""
    own = joint_rotations(motion.joints, HUMANML3D, motion.fps, offsets=reference_offsets())
    moved = replace(own, offsets=rig.twin)
    # The twin's hips are as high over its feet in the T-pose as the reference body's.
    joints = moved.joints()
    if contacts is not None and not np.allclose(rig.twin, own.offsets, atol=1e-3):
        lengths = tuple(np.linalg.norm(rig.twin, axis=-1).tolist())
        joints = clean_up(joints, contacts, replace(HUMANML3D, bone_lengths=lengths, fps=motion.fps))
    joints = resample(joints, motion.fps, fps)
    found = with_level_head(joint_rotations(joints, HUMANML3D, fps, offsets=rig.twin))
    return found.root, found.world()


def _driven(turns: Mapping[str, np.ndarray], rig: Rig) -> dict[int, np.ndarray]:
    """World turns (T, 4) by joint of the rig, of those that our joints' turns against the T-pose say."""
    found: dict[int, np.ndarray] = {}
    for names in (_SPINE, _NECK):
        found |= _shared(names, turns, rig)
    for ours, theirs in rig.known.items():
        if ours.endswith("wrist"):
            continue  # Joints do not tell how hands are turned.
        found[theirs] = rotation.multiply(turns[ours], _rest_in_t_pose(ours, theirs, rig))
    return found


def _rest_in_t_pose(ours: str, theirs: int, rig: Rig) -> np.ndarray:
    """How the rig's joint is turned at rest (4,), its rest pose brought into the T-pose."""
    rest = rotation.multiply(rig.facing, rig.world_turns[theirs])
    child = _limb_below(ours)
    if child is not None:
        index = HUMANML3D.joint_names.index(child)
        bone = rig.places[index] - rig.places[HUMANML3D.parents[index]]
        rest = rotation.multiply(rotation.between(rotation.rotate(rig.facing, bone), rig.twin[index]), rest)
    return rest


def _limb_below(name: str) -> str | None:
    """The joint at the other end of a limb's bone that a joint turns; None for those of trunk and feet."""
    ends = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
    side, _, part = name.partition("_")
    return f"{side}_{ends[part]}" if part in ends else None


def _shared(names: tuple[str, ...], turns: Mapping[str, np.ndarray], rig: Rig) -> dict[int, np.ndarray]:
    """Turns of the rig's joints between the first and the last of ours, by how far along they lie."""
    places = np.stack([rig.places[HUMANML3D.joint_names.index(name)] for name in names])
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=-1))])
    path = _between(rig.known[names[0]], rig.known[names[-1]], rig)
    own = rest_places(rig.parents, rig.offsets, rig.turns)[[rig.known[names[0]], *path, rig.known[names[-1]]]]
    along = np.cumsum(np.linalg.norm(np.diff(own, axis=0), axis=-1))
    found = {}
    for joint, distance in zip(path, along / max(along[-1], 1e-9) * knots[-1], strict=False):
        above = int(np.clip(np.searchsorted(knots, distance + 1e-9, side="right") - 1, 0, len(names) - 2))
        share = (distance - knots[above]) / max(knots[above + 1] - knots[above], 1e-9)
        turn = rotation.blend(turns[names[above]], turns[names[above + 1]], float(np.clip(share, 0.0, 1.0)))
        found[joint] = rotation.multiply(turn, rotation.multiply(rig.facing, rig.world_turns[joint]))
    return found


def _between(low: int, high: int, rig: Rig) -> list[int]:
    """The joints that ``high`` hangs on up to ``low``, or up to what both hang on; without these two."""
    above = set(ancestors(low, rig.parents))
    path: list[int] = []
    for joint in ancestors(high, rig.parents)[1:]:
        if joint in above:
            break
        path.insert(0, joint)
    return path


def root_to_pelvis(world: np.ndarray, rig: Rig) -> np.ndarray:
    """The way (T, 3) from the root to the pelvis."""
    way, joint = np.zeros((len(world), 3)), rig.known["pelvis"]
    for above in ancestors(joint, rig.parents)[1:]:
        way += rotation.rotate(world[:, above], rig.offsets[joint])
        joint = above
    return way


def rest_places(parents: tuple[int, ...], offsets: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Places (N, 3) of joints at rest; arguments as :class:`Rig` has them."""
    places, world = offsets.copy(), turns.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            places[joint] = places[parent] + rotation.rotate(world[parent], offsets[joint])
            world[joint] = rotation.multiply(world[parent], turns[joint])
    return places


def _reference_rest() -> np.ndarray:
    no_turns = np.tile([1.0, 0.0, 0.0, 0.0], (HUMANML3D.joints, 1))
    return rest_places(HUMANML3D.parents, reference_offsets(), no_turns)


def _hip_height(places: np.ndarray) -> float:
    return float(places[0, 1] - places[list(HUMANML3D.feet), 1].min())
