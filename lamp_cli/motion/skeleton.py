"""The two skeletons of the field: HumanML3D (22 joints) and KIT-ML (21 joints).

Everything that differs between the two corpora (joints, frame rate, units inside the features,
contact threshold, reference bone lengths) is a field of :class:`Skeleton`, so that no other file
asks which corpus it works on.

Axes: y up; a body that faces +z has its left side at +x. Joint positions are metres everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, SupportsIndex

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A joint tree together with the constants of its corpus (Guo et al., CVPR 2022).

    name: of the corpus.
    joint_names: in the order of the arrays.
    chains: joints from root or branch to tip, in the field's order.
    rest_directions: of each joint from its parent in the rest pose, unit vectors.
    bone_lengths: from each joint to its parent in the corpus's reference clip, metres, which retargeting
        produces; empty: the reference is not known and clips keep their own lengths.
    left: joints of the left side.
    right: joints of the right side, in the order of ``left``.
    hips: left and right.
    shoulders: left and right.
    leg: the two joints whose bones are the length that retargeting scales by.
    left_foot: ankle or heel, and toe.
    right_foot: ankle or heel, and toe.
    fps: frames per second.
    contact_threshold: of a foot joint's squared displacement from frame to frame, in the features' unit.
    feature_units_per_metre: 1 for metres, 1000 for millimetres.
    """

    name: str
    joint_names: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    rest_directions: tuple[tuple[int, int, int], ...]
    bone_lengths: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    hips: tuple[int, int]
    shoulders: tuple[int, int]
    leg: tuple[int, int]
    left_foot: tuple[int, int]
    right_foot: tuple[int, int]
    fps: float
    contact_threshold: float
    feature_units_per_metre: float

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickled by name: what comes back from another process is one of :data:`SKELETONS` again."""
        if any(self is skeleton for skeleton in SKELETONS):
            return skeleton_named, (self.name,)
        return super().__reduce_ex__(protocol)

    @property
    def joints(self) -> int:
        """Number of joints J."""
        return len(self.joint_names)

    @property
    def feature_size(self) -> int:
        """Numbers per frame: 4 root, 3(J-1) positions, 6(J-1) rotations, 3J velocities, 4 contacts."""
        return 12 * self.joints - 1

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint; -1 for the root."""
        parents = [-1] * self.joints
        for chain in self.chains:
            for parent, child in pairwise(chain):
                parents[child] = parent
        return tuple(parents)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The joints except the root, each after its parent."""
        return tuple(child for chain in self.chains for child in chain[1:])

    @cached_property
    def mirror_permutation(self) -> np.ndarray:
        """Index array (J,) that swaps left and right joints."""
        permutation = np.arange(self.joints)
        permutation[list(self.left)] = self.right
        permutation[list(self.right)] = self.left
        return permutation

    @property
    def feet(self) -> tuple[int, int, int, int]:
        """Left ankle, left foot, right ankle, right foot: the order of the contact columns."""
        return (*self.left_foot, *self.right_foot)


class _Joint(NamedTuple):
    """A joint's name, its direction from its parent in the rest pose, and the length of that bone, metres."""

    name: str
    rest_direction: tuple[int, int, int]
    bone_length: float = 0.0


_HUMANML3D_JOINTS = (
    _Joint("pelvis", (0, 0, 0), 0.0),
    _Joint("left_hip", (1, 0, 0), 0.103074),
    _Joint("right_hip", (-1, 0, 0), 0.109883),
    _Joint("spine1", (0, 1, 0), 0.131568),
    _Joint("left_knee", (0, -1, 0), 0.393623),
    _Joint("right_knee", (0, -1, 0), 0.390188),
    _Joint("spine2", (0, 1, 0), 0.14319),
    _Joint("left_ankle", (0, -1, 0), 0.432433),
    _Joint("right_ankle", (0, -1, 0), 0.425643),
    _Joint("spine3", (0, 1, 0), 0.057365),
    _Joint("left_foot", (0, 0, 1), 0.143382),
    _Joint("right_foot", (0, 0, 1), 0.149419),
    _Joint("neck", (0, 1, 0), 0.21936),
    _Joint("left_collar", (1, 0, 0), 0.137487),
    _Joint("right_collar", (-1, 0, 0), 0.143383),
    _Joint("head", (0, 0, 1), 0.103039),
    _Joint("left_shoulder", (0, -1, 0), 0.131614),
    _Joint("right_shoulder", (0, -1, 0), 0.122984),
    _Joint("left_elbow", (0, -1, 0), 0.25684),
    _Joint("right_elbow", (0, -1, 0), 0.263092),
    _Joint("left_wrist", (0, -1, 0), 0.266012),
    _Joint("right_wrist", (0, -1, 0), 0.269876),
)
HUMANML3D = Skeleton(
    name="humanml3d",
    joint_names=tuple(joint.name for joint in _HUMANML3D_JOINTS),
    chains=(
        (0, 2, 5, 8, 11),
        (0, 1, 4, 7, 10),
        (0, 3, 6, 9, 12, 15),
        (9, 14, 17, 19, 21),
        (9, 13, 16, 18, 20),
    ),
    rest_directions=tuple(joint.rest_direction for joint in _HUMANML3D_JOINTS),
    bone_lengths=tuple(joint.bone_length for joint in _HUMANML3D_JOINTS),
    left=(1, 4, 7, 10, 13, 16, 18, 20),
    right=(2, 5, 8, 11, 14, 17, 19, 21),
    hips=(1, 2),
    shoulders=(16, 17),
    leg=(5, 8),
    left_foot=(7, 10),
    right_foot=(8, 11),
    fps=20.0,
    contact_threshold=0.002,
    feature_units_per_metre=1.0,
)

_KIT_JOINTS = (
    _Joint("pelvis", (0, 0, 0)),
    _Joint("spine1", (0, 1, 0)),
    _Joint("spine3", (0, 1, 0)),
    _Joint("neck", (0, 1, 0)),
    _Joint("head", (0, 1, 0)),
    _Joint("right_shoulder", (1, 0, 0)),
    _Joint("right_elbow", (0, -1, 0)),
    _Joint("right_wrist", (0, -1, 0)),
    _Joint("left_shoulder", (-1, 0, 0)),
    _Joint("left_elbow", (0, -1, 0)),
    _Joint("left_wrist", (0, -1, 0)),
    _Joint("right_hip", (1, 0, 0)),
    _Joint("right_knee", (0, -1, 0)),
    _Joint("right_ankle", (0, -1, 0)),
    _Joint("right_heel", (0, 0, 1)),
    _Joint("right_toe", (0, 0, 1)),
    _Joint("left_hip", (-1, 0, 0)),
    _Joint("left_knee", (0, -1, 0)),
    _Joint("left_ankle", (0, -1, 0)),
    _Joint("left_heel", (0, 0, 1)),
    _Joint("left_toe", (0, 0, 1)),
)
KIT = Skeleton(
    name="kit",
    joint_names=tuple(joint.name for joint in _KIT_JOINTS),
    chains=(
        (0, 11, 12, 13, 14, 15),
        (0, 16, 17, 18, 19, 20),
        (0, 1, 2, 3, 4),
        (3, 5, 6, 7),
        (3, 8, 9, 10),
    ),
    rest_directions=tuple(joint.rest_direction for joint in _KIT_JOINTS),
    bone_lengths=(),
    left=(8, 9, 10, 16, 17, 18, 19, 20),
    right=(5, 6, 7, 11, 12, 13, 14, 15),
    hips=(16, 11),
    shoulders=(8, 5),
    leg=(17, 18),
    left_foot=(19, 20),
    right_foot=(14, 15),
    fps=12.5,
    contact_threshold=0.05,
    feature_units_per_metre=1000.0,
)

SKELETONS: tuple[Skeleton, ...] = (HUMANML3D, KIT)


def ancestors(joint: int, parents: Sequence[int]) -> list[int]:
    """A joint and all that it hangs on, the root, whose parent is -1, last."""
    return [joint] if parents[joint] < 0 else [joint, *ancestors(parents[joint], parents)]


def skeleton_of_joints(joints: int) -> Skeleton | None:
    """The skeleton with that many joints, or None."""
    return next((s for s in SKELETONS if s.joints == joints), None)


def skeleton_of_features(size: int) -> Skeleton | None:
    """The skeleton whose feature frames have that many numbers, or None."""
    return next((s for s in SKELETONS if s.feature_size == size), None)


def skeleton_named(name: str) -> Skeleton:
    """The skeleton of that name; raises ``ValueError`` when there is none."""
    for skeleton in SKELETONS:
        if skeleton.name == name:
            return skeleton
    known = ", ".join(s.name for s in SKELETONS)
    raise ValueError(f"unknown skeleton {name!r}: expected one of {known}")
