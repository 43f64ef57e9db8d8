"""Does a motion do what was asked? One check per action, entered in ``CHECKS``.

To add an action, write its function in the module of its family and enter it in the table. Tolerant of
style, strict about side, direction and count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .arms import ARMS
from .asked import Check, Expected
from .floor_and_gestures import FLOOR_AND_GESTURES
from .kinematics import Kinematics
from .legs import LEGS
from .locomotion import LOCOMOTION

# Shortest part of a sequence and the grid on which its cuts are searched, frames.
PART, GRID = 12, 4

CHECKS: dict[str, Check] = {**LOCOMOTION, **LEGS, **ARMS, **FLOOR_AND_GESTURES}


@dataclass(frozen=True)
class Outcome:
    """Whether the motion does it; if not, the first thing that is missing.

    ok: whether it does.
    reason: what is missing.
    cuts: of a sequence that is done, the frames past the end of each part.
    """

    ok: bool
    reason: str = ""
    cuts: tuple[int, ...] = ()


def does(joints: np.ndarray | Kinematics, expected: Expected) -> Outcome:
    """Judge joints (T, 22, 3) at 20 fps, or their motion, by the truth keys of the synthetic corpus.

    ``expected`` has ``action`` and, where they are asked for, ``side``, ``direction``, ``count``, ``angle``
    (degrees, left positive), ``parts`` (for ``sequence``: what happens in a row) and ``while`` (what happens
    at the same time). A key left out is not judged; other keys are ignored; a part without any key asks for
    nothing. Raises ``ValueError`` for an
    action without a check or joints that are no motion.
    """
    motion = joints if isinstance(joints, Kinematics) else Kinematics.of(joints)
    for one in _all_actions(expected):
        if one not in CHECKS:
            raise ValueError(f"{one}: no check of such an action; expected one of {', '.join(CHECKS)}")
    return _judge(motion, expected)


def is_seen(motion: Kinematics, expected: Expected) -> bool:
    """Whether some piece of the motion does it, on a coarse grid."""
    return any(_judge(motion.cut(a, b), expected).ok for a, b in _spans(len(motion)))


def _all_actions(expected: Expected) -> list[str]:
    if not expected:
        return []
    if expected["action"] == "sequence":
        return [name for part in expected["parts"] for name in _all_actions(part)]
    return [expected["action"], *(_all_actions(expected["while"]) if "while" in expected else [])]


def _judge(motion: Kinematics, expected: Expected) -> Outcome:
    if not expected:
        return Outcome(True)
    if expected["action"] == "sequence":
        return _sequence(motion, expected["parts"])
    for holds, words in CHECKS[expected["action"]](motion, expected):
        if not holds:
            return Outcome(False, f"{expected['action']}: {words}")
    return _judge(motion, expected["while"]) if "while" in expected else Outcome(True)


def _sequence(motion: Kinematics, parts: list[Expected]) -> Outcome:
    """True when the motion can be cut so that each piece, in order, does its part."""
    last = len(motion)
    farthest: list[str] = [""] * len(parts)

    @cache
    def piece(index: int, start: int, end: int) -> bool:
        verdict = _judge(motion.cut(start, end), parts[index])
        farthest[index] = verdict.reason or farthest[index]
        return verdict.ok

    @cache
    def rest(index: int, start: int) -> tuple[int, ...] | None:
        """Ends of the parts from ``index`` on, when they can begin at ``start``."""
        if index == len(parts) - 1:
            return (last,) if last - start >= PART and piece(index, start, last) else None
        for cut in range(start + PART, last - PART + 1, GRID):
            if piece(index, start, cut) and (after := rest(index + 1, cut)) is not None:
                return (cut, *after)
        return None

    if last >= PART * len(parts) and (cuts := rest(0, 0)) is not None:
        return Outcome(True, cuts=cuts)
    missed = next((n for n in range(len(parts)) if not any(piece(n, a, b) for a, b in _spans(last))), None)
    if missed is None:
        return Outcome(False, "sequence: every part is seen, but not in this order")
    return Outcome(False, f"sequence: part {missed + 1} is missing ({farthest[missed]})")


def _spans(last: int) -> list[tuple[int, int]]:
    """A coarse set of pieces, to say which part of a sequence is missing."""
    cuts = range(0, last + 1, max(PART, last // 6))
    return [(a, b) for a in cuts for b in (*cuts, last) if b - a >= PART]
