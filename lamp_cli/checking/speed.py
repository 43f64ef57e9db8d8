"""Is a walk slow, a run fast? By the pace that people who described takes called so; in between, unknown.

The pace is the 75th percentile of the pelvis' speed in m/s, divided by the square root of the body's size:
equal Froude numbers (Alexander and Jayes, J. Zoology 1983), so that a child's walk is judged as a grown-up's.
"""

from __future__ import annotations

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


def judges_speed(action: str, asked: str) -> bool:
    """Whether the pace of an action tells whether it is slow or fast."""
    return (action, asked) in _BOUNDS


def speed_verdict(m: Kinematics, action: str, asked: str) -> tuple[bool | None, Measure]:
    """True, False, or None for a pace that people may call either, and the pace."""
    pace = m.pace / float(np.sqrt(m.scale))
    bounds = _BOUNDS[action, asked]
    sign = 1.0 if bounds.surely > bounds.surely_not else -1.0
    measure = Measure(f"{pace:.2f} m/s under way", None, pace)
    if sign * pace >= sign * bounds.surely:
        return True, measure
    return (False if sign * pace <= sign * bounds.surely_not else None), measure
