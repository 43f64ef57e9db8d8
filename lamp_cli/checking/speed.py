"""Is a walk slow, a run fast? By the pace that people who described takes called so; in between, unknown.

The pace is the 75th percentile of the pelvis' speed in m/s, divided by the square root of the body's size:
equal Froude numbers (Alexander and Jayes, J. Zoology 1983), so that a child's walk is judged as a grown-up's.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from .kinematics import Kinematics
from .measures import Measure

_WORDS = {
    "slow": frozenset("slow slowly".split()),
    "fast": frozenset("fast quick quickly rapid rapidly brisk briskly swift swiftly".split()),
}
# Said beside them: "at a very slow pace".
_BESIDE = frozenset("pace speed very really".split())

# Further ways to say it, where the likeliest reading is good enough.
_SAID = {
    "slow": r"slow\w*|leisurely|unhurried\w*|sluggish\w*|snail|taking (?:his|her|their) time|dawdl\w*|plod\w*"
    r"|trudg\w*|ambl\w*|like (?:an?|somebody) (?:very )?old\b|elderly",
    "fast": r"fast|quick\w*|brisk\w*|swift\w*|rapid\w*|hurr(?:y|ies|ied|iedly|ying)|hast(?:e|ily)|speedily"
    r"|at speed|power[ -]walk\w*",
}
# Usual paces of people who walk slowly, as they like, and fast, m/s, and how far off is still right.
PACES: dict[str | None, float] = {"slow": 0.8, None: 1.2, "fast": 1.6}
_NEAR, STILL_RIGHT = 0.1, 0.2


class _Bounds(NamedTuple):
    """Paces in m/s from which on it is as asked, and is not."""

    surely: float
    surely_not: float


_BOUNDS = {
    ("walk", "slow"): _Bounds(1.15, 1.5),
    ("walk", "fast"): _Bounds(1.4, 1.1),
    ("jog", "fast"): _Bounds(2.3, 1.8),
    ("run", "fast"): _Bounds(2.3, 1.8),
}


def speed_asked(words: Collection[str]) -> tuple[str, frozenset[str]] | None:
    """``slow`` or ``fast`` with the words that say it; None where none or both are said."""
    said = {name: known & set(words) for name, known in _WORDS.items() if known & set(words)}
    if len(said) != 1:
        return None
    [(name, own)] = said.items()
    return name, own | (_BESIDE & set(words))


def speed_said(text: str) -> str | None:
    """``slow`` or ``fast`` where words of it are in a text, in whatever form; None where none or both are."""
    said = [name for name, words in _SAID.items() if re.search(rf"\b(?:{words})\b", text, re.I)]
    return said[0] if len(said) == 1 else None


def off_pace(m: Kinematics, asked: str | None) -> float:
    """By how much a walk is slower or faster than people walk where it is asked for, m/s; 0 for nearly so."""
    off = abs(_pace(m) - PACES[asked])
    return off if off > _NEAR else 0.0


def _pace(m: Kinematics) -> float:
    return m.pace / float(np.sqrt(m.scale))


def judges_speed(action: str, asked: str) -> bool:
    """Whether the pace of an action tells whether it is slow or fast."""
    return (action, asked) in _BOUNDS


def speed_verdict(m: Kinematics, action: str, asked: str) -> tuple[bool | None, Measure]:
    """True, False, or None for a pace that people may call either, and the pace."""
    pace = _pace(m)
    bounds = _BOUNDS[action, asked]
    sign = 1.0 if bounds.surely > bounds.surely_not else -1.0
    measure = Measure(f"{pace:.2f} m/s under way", None, pace)
    if sign * pace >= sign * bounds.surely:
        return True, measure
    return (False if sign * pace <= sign * bounds.surely_not else None), measure
