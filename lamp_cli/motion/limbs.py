"""Poses as the place of the root and the directions and lengths of bones, and changes from pose to pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import rotation
from .skeleton import Skeleton


@dataclass(frozen=True)
class Limbs:
    """Root (T, 3), the directions of the bones (T, J-1, 3), and their lengths (T, J-1, 1)."""

    root: np.ndarray
    directions: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, joints: np.ndarray, skeleton: Skeleton) -> Limbs:
        """Those of joints (T, J, 3)."""
        joints = np.asarray(joints, dtype=np.float64)
        bones = joints[:, 1:] - joints[:, list(skeleton.parents[1:])]
        lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
        rest = np.array(skeleton.rest_directions[1:], dtype=np.float64)
        return cls(joints[:, 0], np.where(lengths > 1e-8, rotation.unit(bones), rest), lengths)

    def joints(self, skeleton: Skeleton) -> np.ndarray:
        """Joints (T, J, 3) float64."""
        result = np.empty((len(self.root), skeleton.joints, 3))
        result[:, 0] = self.root
        bones = self.directions * self.lengths
        for joint in skeleton.order:
            result[:, joint] = result[:, skeleton.parents[joint]] + bones[:, joint - 1]
        return result

    def way_to(self, other: Limbs) -> PoseChange:
        """From each of these poses to the same-numbered one of another motion, or to its only one."""
        turn = rotation.to_axis_angle(rotation.between(self.directions, other.directions))
        return PoseChange(other.root - self.root, turn, other.lengths - self.lengths)

    def moved(self, way: PoseChange) -> Limbs:
        """Every pose changed by that of its number, or all by the only one."""
        turn = rotation.of_axis_angle(way.turn)
        directions = rotation.rotate(turn, self.directions)
        return Limbs(self.root + way.shift, directions, self.lengths + way.growth)

    def __getitem__(self, frames: slice | list[int]) -> Limbs:
        """Those of some frames."""
        return Limbs(self.root[frames], self.directions[frames], self.lengths[frames])


@dataclass(frozen=True)
class PoseChange:
    """From pose to pose: shift of the root (T, 3), turns (T, J-1, 3) of bones, their growth (T, J-1, 1)."""

    shift: np.ndarray
    turn: np.ndarray
    growth: np.ndarray

    def times(self, factor: np.ndarray | float) -> PoseChange:
        """Every frame (or the one there is) times ``factor`` (T,)."""
        factor = np.atleast_1d(factor)
        return PoseChange(
            factor[:, None] * self.shift, *(factor[:, None, None] * x for x in (self.turn, self.growth))
        )

    def __add__(self, other: PoseChange) -> PoseChange:
        return PoseChange(self.shift + other.shift, self.turn + other.turn, self.growth + other.growth)
