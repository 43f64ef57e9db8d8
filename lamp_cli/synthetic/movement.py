"""A movement: tracks of a body with what is true of it and how people say it.

The actions of ``actions/`` make movements; ``clips`` turns them into joints and sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from .body import Tracks, concatenated
from .language.ways import ways_of
from .time_curves import FPS, ease

SIDE_NAMES = ("left", "right")
JOIN_SECONDS = 0.45


@dataclass(frozen=True)
class Movement:
    """Tracks, the truth as JSON values, and what sentences about it need beside the truth.

    ``manners`` are adverbs that are true, possibly none; ``words`` fill further places of ``ways.txt`` or
    answer its conditions.
    """

    tracks: Tracks
    truth: dict[str, Any]
    manners: tuple[str, ...] = ()
    words: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ways(self) -> tuple[tuple[str, str], ...]:
        """Ways to say it, ``(verb, rest)`` as in ``("waves", "with the left hand")``; every one is true."""
        return ways_of({**self.truth, **self.words})


T = TypeVar("T")


def one_of(several: Sequence[T], rng: np.random.Generator) -> T:
    """One drawn at random, all being as likely."""
    return several[int(rng.integers(len(several)))]


def pick_side(rng: np.random.Generator) -> int:
    """0 for left, 1 for right."""
    return int(rng.integers(2))


def pick_hands(rng: np.random.Generator) -> tuple[tuple[int, ...], str]:
    """One hand or both, each as likely, and what the truth calls them."""
    choice = int(rng.integers(3))
    return ((0, 1), "both") if choice == 2 else ((choice,), SIDE_NAMES[choice])


def parts_of(truth: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a truth says was done in a row or at once, each by itself."""
    if "while" in truth:
        return [{key: value for key, value in truth.items() if key != "while"}, truth["while"]]
    return list(truth.get("parts", [truth]))


def manners_of(tempo: float) -> tuple[str, ...]:
    """Adverbs for durations ``tempo`` times the usual ones."""
    if tempo < 0.8:
        return ("quickly", "fast", "rapidly", "swiftly")
    if tempo > 1.25:
        return ("slowly", "gently", "in slow motion", "unhurriedly")
    return ()


def in_sequence(first: Tracks, second: Tracks) -> Tracks:
    """Two tracks, the second set out from where the first ended; what differs is blended away."""
    last = first.cut(len(first) - 1, len(first))
    place = last.root[0]
    turn = float(last.yaw[0] - second.yaw[0])
    moved = second.placed(-float(second.root[0, 0]), -float(second.root[0, 2]), 0.0)
    moved = moved.placed(float(place[0]), float(place[2]), turn)
    fade = 1 - ease(np.arange(len(moved)) / FPS / JOIN_SECONDS)
    for track in fields(Tracks):
        values = getattr(moved, track.name)
        if values.dtype == bool:
            continue
        gap = getattr(last, track.name)[0] - values[0]
        values += fade.reshape(-1, *([1] * (values.ndim - 1))) * gap
    return concatenated([first, moved.cut(1, len(moved))])


def arms_of(legs: Tracks, arms: Tracks) -> Tracks:
    """The legs and path of one movement with the arms of another, over the shorter of the two."""
    frames = min(len(legs), len(arms))
    both, other = legs.cut(0, frames), arms.cut(0, frames)
    both.arm[:], both.shrug[:] = other.arm, other.shrug
    return both
