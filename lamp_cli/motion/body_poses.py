"""Poses of SMPL bodies over time, as files of AMASS and estimates from video hold them. Knows no file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class BodyPoses:
    """Poses of an SMPL body.

    Attributes:
        rotations: axis-angle vectors (T, K, 3) in radians, root first; K is 24 (SMPL), 52 (SMPL-H),
            55 (SMPL-X), or 22 where the hands are left out.
        translation: place of the root (T, 3), metres.
        betas: shape (S,), empty when unknown.
        gender: ``neutral``, ``male`` or ``female``.
        fps: frames per second, None when the file does not say it.
        up: the axis that points up, ``z`` in AMASS, ``y`` in what is estimated from video.

    """

    rotations: np.ndarray
    translation: np.ndarray
    betas: np.ndarray
    gender: str
    fps: float | None
    up: str = "z"

    def __getitem__(self, frames: slice) -> BodyPoses:
        """The frames of a slice."""
        return replace(self, rotations=self.rotations[frames], translation=self.translation[frames])
