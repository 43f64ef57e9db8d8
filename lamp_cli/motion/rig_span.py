"""A span of somebody's own skeleton in motion, whose joints go where 22 edited ones go.

What joints do not tell (how a hand is turned, a limb twisted, a finger bent) leads from the frame before the
span to the frame after it. Against these two every joint is turned as ours is, and limbs then aim at the
edited joints, so that a planted foot stays. Knows no file and no names but ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from . import rotation
from .inverse_kinematics import two_bones
from .skeleton import HUMANML3D, ancestors

# Bones that aim: the joint that turns, the one that it carries to its place, and the one after that.
_LIMBS = (
    ("collar", "shoulder", ""),
    ("shoulder", "elbow", "wrist"),
    ("elbow", "wrist", ""),
    ("hip", "knee", "ankle"),
    ("knee", "ankle", ""),
    ("ankle", "foot", ""),
)
# Joints of another skeleton's trunk and neck, however many, are turned by shares as these are.
_TRUNK = (("pelvis", "spine3"), ("spine3", "head"))


@dataclass(frozen=True)
class RigFrames:
    """Frames of a skeleton in its own unit and axes.

    parents: of each joint (N,), -1 for the root; a joint stands after its parent.
    places: of each joint against its parent (T, N, 3), in the parent's axes.
    turns: of each joint against its parent (T, N, 4), unit quaternions, w first.
    """

    parents: tuple[int, ...]
    places: np.ndarray
    turns: np.ndarray

    def in_world(self) -> tuple[np.ndarray, np.ndarray]:
        """Places (T, N, 3) and turns (T, N, 4) against the world."""
        places, turns = self.places.copy(), self.turns.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                places[:, joint] = places[:, parent] + rotation.rotate(turns[:, parent], places[:, joint])
                turns[:, joint] = rotation.multiply(turns[:, parent], turns[:, joint])
        return places, turns

    def turned(self, joint: int, world: np.ndarray) -> RigFrames:
        """With a joint turned against the world (T, 4); what hangs on it goes with it."""
        turns, parent = self.turns.copy(), self.parents[joint]
        above = rotation.inverse(self.in_world()[1][:, parent]) if parent >= 0 else None
        turns[:, joint] = world if above is None else rotation.multiply(above, world)
        return replace(self, turns=turns)


@dataclass(frozen=True)
class RigJoints:
    """What is known of a skeleton's joints.

    known: which of them is which of HumanML3D's joints, by our name.
    free: those that may turn about every axis.
    mover: the joint that is moved to bring the hips to their place.
    lifted: a joint, and how much farther (3,), in its axes, all that hangs on it is among ours than here.
    """

    known: Mapping[str, int]
    free: frozenset[int]
    mover: int
    lifted: tuple[int, np.ndarray] | None = None


@dataclass(frozen=True)
class SpanEnd:
    """The frame before or after a span: the skeleton's pose (1 frame), our joints' turns there (22, 4)."""

    pose: RigFrames
    turns: np.ndarray


def following(
    base: RigFrames,
    ends: tuple[SpanEnd | None, SpanEnd | None],
    rig: RigJoints,
    joints: np.ndarray,
    turns: np.ndarray,
) -> RigFrames:
    """The frames of a span that follow edited ones.

    base: what is not told by our joints, and how the skeleton is built.
    ends: the frames before and after the span; one of them may be None.
    joints: edited ones of the span (T, 22, 3), in the skeleton's unit and axes.
    turns: theirs against the world (T, 22, 4), as those of the ends.

    Raises ``ValueError`` when there is no end.
    """
    if ends == (None, None):
        raise ValueError("a span without a frame beside it; expected one before or after")
    found = base
    for joint, names in _drivers(base.parents, rig):
        found = found.turned(joint, _turned_as(joint, names, ends, turns))
    found = _with_hips_at(found, rig, joints)
    for side in ("left", "right"):
        for part, tip, end in _LIMBS:
            found = _aimed(
                found, rig, joints, f"{side}_{part}", f"{side}_{tip}", f"{side}_{end}" if end else ""
            )
    return replace(found, turns=rotation.unit(found.turns))


def _drivers(parents: tuple[int, ...], rig: RigJoints) -> Iterator[tuple[int, tuple[str, str, float]]]:
    """Joints that are turned as ours, each after what it hangs on: as between which two, by which share."""
    found = {joint: (ours, ours, 0.0) for ours, joint in rig.known.items()}
    for low, high in _TRUNK:
        above = ancestors(rig.known[high], parents)
        if rig.known[low] in above:
            between = above[1 : above.index(rig.known[low])][::-1]
            for number, joint in enumerate(between, 1):
                found.setdefault(joint, (low, high, number / (len(between) + 1)))
    return ((joint, names) for joint, names in sorted(found.items()) if joint in rig.free)


def _turned_as(
    joint: int, names: tuple[str, str, float], ends: tuple[SpanEnd | None, SpanEnd | None], turns: np.ndarray
) -> np.ndarray:
    """World turns (T, 4) of a joint that turns from its pose at the ends as ours does."""
    low, high = (HUMANML3D.joint_names.index(name) for name in names[:2])

    def ours(of: np.ndarray) -> np.ndarray:
        return rotation.blend(of[:, low], of[:, high], names[2])

    found = []
    for end in ends:
        if end is not None:
            since = rotation.multiply(ours(turns), rotation.inverse(ours(end.turns[None])))
            found.append(rotation.multiply(since, end.pose.in_world()[1][:, joint]))
    return rotation.blend(found[0], found[-1], span_shares(len(turns))[:, None])


def span_shares(frames: int) -> np.ndarray:
    """How far each of so many frames (T,) is from the frame before a span to the frame after it, eased."""
    share = np.arange(1, frames + 1) / (frames + 1)
    return np.asarray(share**2 * (3 - 2 * share))


def _with_hips_at(frames: RigFrames, rig: RigJoints, joints: np.ndarray) -> RigFrames:
    """The whole skeleton moved so that the middle of its hips is where that of the edited ones is."""
    places, world = frames.in_world()
    hips = [rig.known[name] for name in ("left_hip", "right_hip")]
    missing = (joints[:, list(HUMANML3D.hips)] - places[:, hips]).mean(1)
    parent, moved = frames.parents[rig.mover], frames.places.copy()
    moved[:, rig.mover] += (
        missing if parent < 0 else rotation.rotate(rotation.inverse(world[:, parent]), missing)
    )
    return replace(frames, places=moved)


def _aimed(
    frames: RigFrames, rig: RigJoints, joints: np.ndarray, name: str, tip_name: str, end_name: str
) -> RigFrames:
    """With a joint turned so that the next one, ``tip_name``, comes to its place.

    Where the one after that, ``end_name``, has a place too, the limb bends so that it can get there.
    """
    joint, tip, end = (rig.known.get(each) for each in (name, tip_name, end_name))
    if joint not in rig.free or tip is None or joint not in ancestors(tip, frames.parents)[1:]:
        return frames
    places, world = frames.in_world()
    goals = {each: joints[:, HUMANML3D.joint_names.index(each)] for each in (tip_name, end_name) if each}
    if rig.lifted is not None and rig.lifted[0] in ancestors(tip, frames.parents)[1:]:
        farther = rotation.rotate(world[:, rig.lifted[0]], rig.lifted[1])
        goals = {each: goal - farther for each, goal in goals.items()}
    start, goal = places[:, joint], goals[tip_name]
    if end is not None:
        first, second = (
            float(np.linalg.norm(places[0, outer] - places[0, inner]))
            for inner, outer in ((joint, tip), (tip, end))
        )
        if min(first, second) > 0:
            goal = two_bones(start, goals[end_name], goal - start, first, second, 0.0)[0]
    swing = rotation.between(places[:, tip] - start, goal - start)
    return frames.turned(joint, rotation.multiply(swing, world[:, joint]))
