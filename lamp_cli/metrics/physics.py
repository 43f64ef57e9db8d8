"""Whether a motion could be real: foot skate, floor penetration, floating, jitter, bone drift.

Source: PhysDiff (Yuan et al., ICCV 2023, section 4) for skate, penetration and floating, HuMoR (Rempe et al.,
ICCV 2021) for the heights of a foot in contact; jitter is the mean magnitude of the third derivative.
Joints (T, J, 3) are metres, y up. What is counted per frame is given per frame of 20 frames per second,
whatever the clip's own rate, so that clips of any rate compare. Knows no model and no evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..motion.representation import require_joints
from ..motion.skeleton import skeleton_of_joints
from .feet import FOOT_FIGURES, FootTracks, foot_figures
from .measurement import FigureNotAllowed, mean_and_interval

# A foot joint no higher than this above the floor is in contact (HuMoR), metres.
ANKLE_HEIGHT = 0.08
TOE_HEIGHT = 0.04

FRAME_RATE = 20.0
FOOT_SKATE = "foot skate (cm/frame at 20 fps)"
PENETRATION = "penetration (cm)"
FLOATING = "floating (cm)"
JITTER = "jitter (m/s³)"
ROOT_RELATIVE_JITTER = "root-relative jitter (m/s³)"
BONE_DRIFT = "bone drift (cm)"
PHYSICAL_FIGURES = (
    FOOT_SKATE,
    PENETRATION,
    FLOATING,
    JITTER,
    BONE_DRIFT,
    ROOT_RELATIVE_JITTER,
    *FOOT_FIGURES,
)


@dataclass(frozen=True)
class PhysicalQuality:
    """The figures of one clip; None where the clip is too short, or no foot ever touches the floor.

    ``by_source`` are those of ``metrics.feet``, by printed name.
    """

    foot_skate: float | None
    penetration: float
    floating: float
    jitter: float | None
    bone_drift: float
    root_relative_jitter: float | None = None
    by_source: Mapping[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """Those that there are, by printed name."""
        named = {
            FOOT_SKATE: self.foot_skate,
            PENETRATION: self.penetration,
            FLOATING: self.floating,
            JITTER: self.jitter,
            BONE_DRIFT: self.bone_drift,
            ROOT_RELATIVE_JITTER: self.root_relative_jitter,
            **self.by_source,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class PhysicalFigure:
    """Mean and 95% interval over clips of one figure, and how many clips have it."""

    value: float
    interval: float | None
    clips: int


def physical_quality(
    joints: np.ndarray, fps: float, floor: float = 0.0, contacts: np.ndarray | None = None
) -> PhysicalQuality:
    """All figures of a clip (T, 22, 3) or (T, 21, 3); ``contacts`` (T - 1, 4) where a model gives its own.

    Raises ``ValueError`` for other shapes, numbers that are not finite, or ``fps`` not above 0.
    """
    clip = _Clip(joints, 1, "physical quality", fps, floor)
    frames = len(clip.joints)
    by_source = foot_figures(clip.feet, clip.accelerations[:, 0], contacts) if frames > 1 else {}
    return PhysicalQuality(
        _foot_skate(clip) if frames > 1 else None,
        _penetration(clip),
        _floating(clip),
        _magnitude(clip.jerks) if frames > 3 else None,
        _bone_drift(clip),
        _magnitude(clip.jerks - clip.jerks[:, :1]) if frames > 3 else None,
        by_source,
    )


def foot_tracks(joints: np.ndarray, fps: float, floor: float = 0.0) -> FootTracks:
    """Heels and toes of a clip (T, 22, 3) or (T, 21, 3) of at least two frames; raises as ``foot_skate``."""
    return _Clip(joints, 2, "feet", fps, floor).feet


def physical_figures(clips: Sequence[PhysicalQuality]) -> dict[str, PhysicalFigure]:
    """Means over clips by printed name; a clip without a figure is left out of that mean.

    Raises ``FigureNotAllowed`` when there are no clips.
    """
    if not clips:
        raise FigureNotAllowed("physical quality", "no clips to measure")
    found: dict[str, list[float]] = {}
    for clip in clips:
        for name, value in clip.figures().items():
            found.setdefault(name, []).append(value)
    return {name: PhysicalFigure(*mean_and_interval(v), len(v)) for name, v in found.items()}


def foot_skate(joints: np.ndarray, fps: float, floor: float = 0.0) -> float | None:
    """Mean horizontal slip of the feet while in contact, cm per frame of 20 frames per second.

    A foot joint (two on each side) is in contact in a step when it is within 8 cm (ankle) or 4 cm (toe,
    heel) of the floor in both frames. None when no foot joint ever is. Raises ``ValueError`` for one frame
    or ``fps`` not above 0.
    """
    return _foot_skate(_Clip(joints, 2, "foot skate", fps, floor))


def penetration(joints: np.ndarray, floor: float = 0.0) -> float:
    """Depth of the lowest joint below the floor, cm, mean over all frames (0 in a frame above)."""
    return _penetration(_Clip(joints, 1, "penetration", floor=floor))


def floating(joints: np.ndarray, floor: float = 0.0) -> float:
    """Height of the lowest joint above the floor, cm, mean over all frames (0 below); jumps count."""
    return _floating(_Clip(joints, 1, "floating", floor=floor))


def jitter(joints: np.ndarray, fps: float) -> float:
    """Mean magnitude of jerk over joints and frames, m/s³, by third differences; needs 4 frames."""
    return _magnitude(_Clip(joints, 4, "jitter", fps).jerks)


def bone_drift(joints: np.ndarray) -> float:
    """Mean deviation of each bone's length from its own mean over time, cm, over bones and frames."""
    return _bone_drift(_Clip(joints, 1, "bone drift"))


class _Clip:
    """Checked joints of a clip (T, J, 3), metres, and what several figures need of them, computed once."""

    def __init__(
        self, joints: np.ndarray, frames: int, figure: str, fps: float = FRAME_RATE, floor: float = 0.0
    ):
        array = np.asarray(joints, dtype=np.float64)
        skeleton = skeleton_of_joints(array.shape[1]) if array.ndim == 3 else None
        if skeleton is None:
            raise ValueError(f"expected joints (T, 22, 3) or (T, 21, 3), found shape {array.shape}")
        require_joints(array, skeleton)
        if len(array) < frames:
            raise ValueError(f"{figure}: expected a clip of at least {frames} frames, found {len(array)}")
        if not 0.0 < fps < np.inf:
            raise ValueError(f"expected a frame rate above 0, found {fps}")
        self.joints, self.skeleton, self.fps, self._floor = array, skeleton, fps, floor

    @cached_property
    def lowest(self) -> np.ndarray:
        """Height of the lowest joint above the floor (T,)."""
        return self.joints[..., 1].min(1) - self._floor

    @cached_property
    def feet(self) -> FootTracks:
        """Of at least two frames."""
        feet = self.joints[:, list(self.skeleton.feet)]
        return FootTracks(feet[..., 1] - self._floor, np.diff(feet, axis=0), self.fps)

    @cached_property
    def accelerations(self) -> np.ndarray:
        """Metres per squared frame (T - 2, J, 3)."""
        return np.diff(self.joints, n=2, axis=0)

    @cached_property
    def jerks(self) -> np.ndarray:
        """Metres per cubed second (T - 3, J, 3)."""
        return np.diff(self.accelerations, axis=0) * self.fps**3


def _foot_skate(clip: _Clip) -> float | None:
    names = [clip.skeleton.joint_names[joint] for joint in clip.skeleton.feet]
    low = clip.feet.heights <= np.where(["ankle" in name for name in names], ANKLE_HEIGHT, TOE_HEIGHT)
    contact = low[1:] & low[:-1]
    if not contact.any():
        return None
    return float(100.0 * clip.feet.ground_speeds[contact].mean() / FRAME_RATE)


def _penetration(clip: _Clip) -> float:
    return float(100.0 * np.maximum(-clip.lowest, 0.0).mean())


def _floating(clip: _Clip) -> float:
    return float(100.0 * np.maximum(clip.lowest, 0.0).mean())


def _bone_drift(clip: _Clip) -> float:
    joints, parents = clip.joints, list(clip.skeleton.parents[1:])
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, parents], axis=-1)
    return float(100.0 * np.abs(lengths - lengths.mean(0)).mean())


def _magnitude(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean())
