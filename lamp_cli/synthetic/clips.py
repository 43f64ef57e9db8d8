"""Clips of the synthetic corpus: joints, sentences and truth, drawn from a random stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..motion.clean_up import above_floor
from ..motion.skeleton import HUMANML3D
from .actions import ACTIONS, ENDS_STANDING, STARTS_STANDING, WITH_WALKING
from .body import Tracks, solve
from .language.realization import sentences_of, sentences_of_sequence, sentences_while
from .movement import Movement, arms_of, in_sequence, one_of
from .style import BodyStyle, random_style
from .time_curves import FPS

LEAST_FRAMES, MOST_FRAMES = 41, 197
CAPTIONS = 3
# Metres per second; metres per frame; heights in metres of ankle and toe of a foot that bears the body.
FASTEST, MOST_SLIDE, FLAT_ANKLE, FLAT_TOE = 14.0, 0.005, 0.085, 0.025
ANKLES, TOES = HUMANML3D.feet[::2], HUMANML3D.feet[1::2]
# Shares of clips that are two actions in a row, and walking with the arms of another action.
SEQUENCES, COMBINATIONS = 0.22, 0.1


@dataclass(frozen=True)
class SyntheticClip:
    """Joints (T, 22, 3) float32 in metres at 20 fps, sentences that are true of them, and the truth.

    ``truth`` has ``action``; ``side``, ``count``, ``direction``, ``distance`` (m), ``angle`` (degrees, left
    positive) where they apply; ``parts`` for actions in a row, each with ``start`` and ``end`` frames.
    """

    joints: np.ndarray
    captions: tuple[str, ...]
    truth: dict[str, Any]


def numbered_clip(seed: int, number: int) -> SyntheticClip:
    """Clip ``number`` of the corpus of a seed; depends on nothing else."""
    return synthetic_clip(np.random.default_rng([seed, number]))


def synthetic_clips(count: int, seed: int) -> Iterator[SyntheticClip]:
    """The first clips of the corpus of a seed."""
    return (numbered_clip(seed, number) for number in range(count))


def synthetic_clip(rng: np.random.Generator) -> SyntheticClip:
    """A clip of any action, of two in a row, or of walking with busy arms."""
    draw = rng.random()
    if draw < SEQUENCES:
        return _sequence(rng)
    if draw < SEQUENCES + COMBINATIONS:
        return _combination(rng)
    return synthetic_clip_of(one_of(tuple(ACTIONS), rng), rng)


def synthetic_clip_of(action: str, rng: np.random.Generator) -> SyntheticClip:
    """A clip of one action; raises ``ValueError`` for an action there is not."""
    if action not in ACTIONS:
        raise ValueError(f"{action}: no such action; expected one of {', '.join(ACTIONS)}")
    style = random_style(rng)
    while True:
        movement = ACTIONS[action](style, rng)
        if not LEAST_FRAMES <= len(movement.tracks) <= MOST_FRAMES:
            continue
        joints = _joints(movement.tracks, style)
        if is_plausible(joints, movement.truth):
            return SyntheticClip(joints, sentences_of(movement, CAPTIONS, rng), movement.truth)


def is_plausible(joints: np.ndarray, truth: Mapping[str, Any]) -> bool:
    """Whether no joint (T, 22, 3) is faster than a person's and no bearing foot slides.

    Draws at the ends of several ranges at once are now and then implausible; they are drawn again.
    """
    joints = joints.astype(np.float64)
    if np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * FPS > FASTEST:
        return False
    return bool(truth.get("slides")) or all(_slide(joints, side) < MOST_SLIDE for side in (0, 1))


def _slide(joints: np.ndarray, side: int) -> float:
    """Mean step in metres of a toe while its whole foot bears the body."""
    ankle, toe = (joints[:, pair[side]] for pair in (ANKLES, TOES))
    flat = (ankle[:, 1] < FLAT_ANKLE) & (toe[:, 1] < FLAT_TOE)
    steps = np.linalg.norm(np.diff(toe[:, [0, 2]], axis=0), axis=-1)[flat[1:] & flat[:-1]]
    return float(steps.mean()) if len(steps) else 0.0


def _sequence(rng: np.random.Generator) -> SyntheticClip:
    while True:
        style = random_style(rng)
        parts = [ACTIONS[one_of(names, rng)](style, rng) for names in (ENDS_STANDING, STARTS_STANDING)]
        first, second = parts
        joint = len(first.tracks) - 1
        if first.truth["action"] != second.truth["action"] and joint + len(second.tracks) <= MOST_FRAMES:
            break
    tracks = in_sequence(first.tracks, second.tracks)
    truth = {
        "action": "sequence",
        "parts": [
            {**first.truth, "start": 0, "end": joint},
            {**second.truth, "start": joint, "end": len(tracks)},
        ],
    }
    return SyntheticClip(_joints(tracks, style), sentences_of_sequence(parts, CAPTIONS, rng), truth)


def _combination(rng: np.random.Generator) -> SyntheticClip:
    style = random_style(rng)
    while True:
        legs = ACTIONS["walk"](style, rng)
        arms = ACTIONS[one_of(WITH_WALKING, rng)](style, rng)
        frames = min(len(legs.tracks), len(arms.tracks))
        # The arms' action must be over before either ends, and walking must be most of what is seen.
        if LEAST_FRAMES + 20 <= frames <= MOST_FRAMES and len(legs.tracks) >= 0.8 * len(arms.tracks):
            break
    tracks = arms_of(legs.tracks, arms.tracks)
    # Without the words that say of it that it stops.
    plain = Movement(tracks, legs.truth)
    truth = {"action": "walk", "direction": "forward", "while": arms.truth}
    return SyntheticClip(_joints(tracks, style), sentences_while([plain, arms], CAPTIONS, rng), truth)


def _joints(tracks: Tracks, style: BodyStyle) -> np.ndarray:
    joints = solve(tracks, style.offsets)
    # Goals of feet and knees near the floor may lie a little below it.
    return (above_floor(joints, HUMANML3D) if joints[..., 1].min() < 0 else joints).astype(np.float32)
