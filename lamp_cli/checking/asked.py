"""What every check shares: the words of the truth (side, direction, count) and what jumping is.

A check is a function of a motion and what is expected of it that lists findings: what must hold, each with
the words for when it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .kinematics import FPS, PELVIS, TOES, Kinematics

Expected = Mapping[str, Any]
Finding = tuple[bool, str]
Check = Callable[[Kinematics, Expected], list[Finding]]

LEFT, RIGHT = 0, 1
SIDE_NAMES = ("left", "right")
# Actions that are done so many times.
COUNTED = frozenset(
    (
        "jump",
        "jump forward",
        "jump sideways",
        "jump backward",
        "jumping jacks",
        "squat",
        "kick",
        "nod",
        "hop",
        "push-ups",
        "clap",
    )
)


def right_count(found: int, expected: Expected, what: str) -> Finding:
    """Counts are exact up to three, within one above."""
    want = expected.get("count")
    if want is None:
        return True, ""
    return abs(found - want) <= (0 if want <= 3 else 1), f"{what}: {found} instead of {want}"


def sided(expected: Expected, doing: tuple[bool, bool], what: str, key: str = "side") -> list[Finding]:
    """The limbs that do it are those asked for; any will do when no side was asked for."""
    side = expected.get(key)
    if side in SIDE_NAMES:
        k = SIDE_NAMES.index(side)
        return [(doing[k], f"missing: the {side} {what}"), (not doing[1 - k], f"the other {what} too")]
    if side == "both":
        return [(doing[n], f"missing: the {SIDE_NAMES[n]} {what}") for n in (0, 1)]
    return [(any(doing), f"neither {what}")]


def of_a_limb(does: Callable[[Kinematics, int], bool], what: str, side: str | None = None) -> Check:
    """The check of what ``does`` finds of a limb by its side; without one asked for it is about ``side``."""

    def check(m: Kinematics, want: Expected) -> list[Finding]:
        return sided({"side": side, **want}, (does(m, LEFT), does(m, RIGHT)), what)

    return check


def jumped(m: Kinematics, want: Expected) -> list[Finding]:
    """It jumps, as often as is asked."""
    jumps = jumps_of(m)
    return [(len(jumps) >= 1, "never leaves the floor"), right_count(len(jumps), want, "jumps")]


def sign_of(expected: Expected) -> float:
    """+1 for left or counterclockwise, -1 for right or clockwise, 0 when not asked for."""
    for key in ("side", "direction"):
        word = expected.get(key)
        if word in ("left", "counterclockwise"):
            return 1.0
        if word in ("right", "clockwise"):
            return -1.0
    return float(np.sign(expected.get("angle", 0.0)))


def toward(value: float, expected: Expected) -> float:
    """``value`` along the side asked for; its size when none was."""
    sign = sign_of(expected)
    return value * sign if sign else abs(value)


def stays(m: Kinematics, least: float = 0.7) -> Finding:
    away = float(np.abs(m.displacement()).max()) / m.scale
    return away < least, f"moves {away:.2f} m away"


def jumps_of(m: Kinematics) -> list[tuple[int, int]]:
    """Flights in which the pelvis falls freely, of both feet together or longer than those of running."""
    found = []
    lower, higher = (pick(m.height(TOES[0]), m.height(TOES[1])) for pick in (np.minimum, np.maximum))
    raised = higher - lower + m.clearance
    for start, end in m.flights:
        before, after = raised[max(0, start - 5) : start + 1], raised[end - 1 : end + 5]
        together = min(before.min(), after.min()) < 0.06
        around = m.drop[max(0, start - 12) : end + 12]
        high = m.clearance[start:end].max() >= 0.04 and around.max() - m.drop[start:end].min() >= 0.12
        if high and (together or end - start >= 8) and _falls(m, start, end):
            found.append((start, end))
    return found


def _falls(m: Kinematics, start: int, end: int) -> bool:
    """Whether the pelvis' height bends downward in a flight, at a third of gravity or more."""
    frames = np.arange(max(0, start - 1), min(len(m), end + 1))
    return float(2 * np.polyfit(frames / FPS, m.joints[frames, PELVIS, 1], 2)[0]) < -3.3
