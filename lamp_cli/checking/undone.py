"""How much of what a sentence asks for a motion leaves undone: to choose between draws of one sentence.

The sentence is read as it is most probably meant (``request``), and the checks of all actions answer, also of
those for which no verdict is given because theirs agree too seldom with real takes: here a wrong answer costs
a draw, no false statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, pairwise, product
from typing import Any

import numpy as np

from .checks import does, is_seen
from .kinematics import Kinematics
from .request import Request, requests
from .sentence import LEAST_FRAMES, MOST_FRAMES
from .speed import STILL_RIGHT, off_pace

# Readings of a row of actions that are looked at.
_MOST_READINGS = 4
_ASKS = ("side", "direction", "count", "angle", "while")
# A pace that is off counts less than anything else that is not done.
_MOST_OFF = 0.9


def undone(joints: np.ndarray, text: str) -> float | None:
    """How many of the things that a sentence asks for joints (T, 22, 3) at 20 fps do not do.

    Things are actions, their order, and each side, way, count, angle and speed. A walk whose pace is not
    that of people adds a fraction: how far it is off, in m/s. None where nothing is read in the
    sentence, and for joints too few, or too many for actions in a row.
    """
    asked = requests(text)
    if len(joints) < LEAST_FRAMES or not any(one.meant for one in asked):
        return None
    motion = Kinematics.of(joints)
    if len(asked) == 1:
        return min(_left(motion, meant) for meant in asked[0].meant)
    return None if len(joints) > MOST_FRAMES else _left_of_row(motion, asked)


def _left(motion: Kinematics, expected: Mapping[str, Any]) -> float:
    """Of one action: itself with all that is asked of it, or what is asked of it and not done."""
    if does(motion, expected).ok:
        return _off_pace(motion, expected)
    asked = [key for key in _ASKS if key in expected]
    plain = {"action": expected["action"]}
    if not does(motion, plain).ok:
        return 1 + len(asked)
    return max(1, sum(not does(motion, {**plain, key: expected[key]}).ok for key in asked))


def _off_pace(motion: Kinematics, expected: Mapping[str, Any]) -> float:
    if expected["action"] != "walk":
        return 0.0
    speed = expected.get("speed")
    off = off_pace(motion, speed)
    return min(off, _MOST_OFF) + (speed is not None and off > STILL_RIGHT)


def _left_of_row(motion: Kinematics, asked: Sequence[Request]) -> float:
    """Of actions in a row; one without a check may be anything."""
    readings = [list(row) for row in islice(product(*(one.meant or ({},) for one in asked)), _MOST_READINGS)]
    for row in readings:
        if (outcome := does(motion, {"action": "sequence", "parts": row})).ok:
            pieces = _pieces(motion, outcome.cuts)
            return min(
                _MOST_OFF, sum(_off_pace(m, part) for m, part in zip(pieces, row, strict=True) if part)
            )
    row = readings[0]
    plain = [{"action": part["action"]} if part else {} for part in row]
    found = does(motion, {"action": "sequence", "parts": plain})
    if found.ok:
        pieces = _pieces(motion, found.cuts)
        return max(1, sum(_left(piece, part) for piece, part in zip(pieces, row, strict=True) if part))
    things = [1 + sum(key in part for key in _ASKS) for part in row if part]
    missing = sum(not is_seen(motion, part) for part in plain if part)
    return sum(things) + missing


def _pieces(motion: Kinematics, cuts: Sequence[int]) -> list[Kinematics]:
    """The motion in pieces that end at the cuts."""
    return [motion.cut(start, end) for start, end in pairwise((0, *cuts))]
