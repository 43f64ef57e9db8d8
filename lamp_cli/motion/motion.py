"""One motion: joints in metres with their skeleton and rate. What files give and every command takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .representation import joints_to_features
from .skeleton import Skeleton
from .transform import resample


@dataclass(frozen=True)
class Motion:
    """One clip: joints (T, J, 3) float32 in metres, at ``fps`` frames per second.

    ``features`` (T, 263 or 251) is set when the file held features, which then are used as they
    are; ``source`` names the file, and the entry within an archive; ``notes`` are plain sentences on
    what a reader repaired or assumed (unit, axes, floor, frame rate), for people to see once per file.
    """

    joints: np.ndarray
    skeleton: Skeleton
    fps: float
    source: str = ""
    features: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.joints) / self.fps

    def to_features(self) -> np.ndarray:
        """Features (T-1, 12J-1) at the skeleton's own frame rate; as stored when the file had them.

        Raises ``ValueError`` for clips of fewer than two frames.
        """
        if self.features is not None:
            return self.features
        joints = resample(self.joints, self.fps, self.skeleton.fps)
        return joints_to_features(joints, self.skeleton)
