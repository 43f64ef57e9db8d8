"""Ways to spoil true motions, each in one property: what an evaluator should notice.

Joints (T, J, 3) are metres, y up. Knows no evaluator and no figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..motion.clip_length import LONGEST_CLIP
from ..motion.representation import features_to_joints, joints_to_features
from ..motion.skeleton import Skeleton
from ..motion.transform import mirror, resample

# Standard deviation of the noise on each joint, metres; how much slower; drift of the whole body, m/s; height
# over the floor, metres; length of the pieces that change places, seconds.
NOISE, SLOWER, DRIFT, LIFT, PIECE = 0.02, 1.5, 0.5, 0.2, 0.5

Corruption = Callable[[np.ndarray, Skeleton, np.random.Generator], np.ndarray]


def _jittered(joints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    return (joints + rng.normal(0.0, NOISE, joints.shape)).astype(np.float32)


def _slowed(joints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    return resample(joints, skeleton.fps, SLOWER * skeleton.fps)


def _slid(joints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    """The whole body glides one way that is drawn, feet and all."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    way = np.array([np.sin(angle), 0.0, np.cos(angle)])
    seconds = np.arange(len(joints)) / skeleton.fps
    return (joints + DRIFT * seconds[:, None, None] * way).astype(np.float32)


def _floated(joints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    return joints + np.array([0.0, LIFT, 0.0], np.float32)


def _shuffled(joints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    """Pieces of half a second in a drawn order, each from where the one before ends and faces."""
    features = joints_to_features(joints, skeleton)
    size = max(1, round(PIECE * skeleton.fps))
    pieces = [features[start : start + size] for start in range(0, len(features), size)]
    drawn = np.concatenate([pieces[place] for place in rng.permutation(len(pieces))])
    return features_to_joints(drawn, skeleton)


CORRUPTIONS: dict[str, tuple[str, Corruption]] = {
    "mirrored": ("left and right exchanged", lambda joints, skeleton, rng: mirror(joints, skeleton)),
    "reversed": ("played backwards", lambda joints, skeleton, rng: np.ascontiguousarray(joints[::-1])),
    "jittered": (f"noise of {100 * NOISE:g} cm on every joint", _jittered),
    "slowed": (f"{SLOWER:g} times as long", _slowed),
    "slid": (f"gliding at {DRIFT:g} m/s", _slid),
    "floated": (f"lifted by {100 * LIFT:g} cm", _floated),
    "shuffled in time": (f"pieces of {PIECE:g} s in another order", _shuffled),
}
# A clip's sentence is given the motion of another clip.
EXCHANGED = "exchanged"


@dataclass(frozen=True)
class SpoiledMotions:
    """Motions with one property spoiled: joints (T, J, 3), and features (T, C) of at most 196 frames."""

    joints: list[np.ndarray]
    features: list[np.ndarray]


def spoiled(
    motions: list[np.ndarray], skeleton: Skeleton, how: Corruption | None, rng: np.random.Generator
) -> SpoiledMotions:
    """Clips of ``skeleton`` and their features, spoiled; ``how`` None leaves them as they are."""
    joints = [clip if how is None else how(clip, skeleton, rng) for clip in motions]
    features = [joints_to_features(clip[: LONGEST_CLIP + 1], skeleton) for clip in joints]
    return SpoiledMotions(joints, features)


def exchanged(count: int, rng: np.random.Generator) -> np.ndarray:
    """Which motion each of ``count`` sentences is given, (N,): never its own. Raises for fewer than two."""
    if count < 2:
        raise ValueError(f"expected at least 2 motions to exchange, found {count}")
    order = rng.permutation(count)
    places = np.empty(count, dtype=int)
    places[order] = np.roll(order, 1)
    return places
