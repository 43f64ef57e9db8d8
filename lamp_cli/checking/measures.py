"""The one number that shows an action best, in words with its unit, and the second it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .kinematics import ANKLES, FPS, SHOULDERS, WRISTS, Kinematics


@dataclass(frozen=True)
class Measure:
    """What was measured.

    words: the value with its unit.
    second: when it was reached; None for what the whole motion adds up to.
    value: the number itself, in metres or degrees of the body as it is.
    """

    words: str
    second: float | None
    value: float


def _peak(values: np.ndarray, words: str) -> Measure:
    """The largest of values (T,), put into ``words``."""
    frame = int(np.argmax(values))
    return Measure(words.format(float(values[frame])), frame / FPS, float(values[frame]))


def _way(m: Kinematics) -> Measure:
    left, ahead = m.net
    steps = sum(len(m.steps(side)) for side in (0, 1))
    side = f"{abs(left):.2f} m to the {'left' if left > 0 else 'right'}"
    words = f"a path of {m.path:.2f} m, {ahead:+.2f} m ahead and {side} of the start, {steps} steps"
    return Measure(words, None, m.path)


def _speed(m: Kinematics) -> Measure:
    return _peak(m.speed, "{:.2f} m/s at the fastest")


def _turn(m: Kinematics) -> Measure:
    turned = m.turned
    return Measure(
        f"turns {abs(turned):.0f} degrees to the {'left' if turned > 0 else 'right'}", None, turned
    )


def _flight(m: Kinematics) -> Measure:
    return _peak(m.clearance, "both feet {:.2f} m off the floor")


def _pelvis(m: Kinematics) -> Measure:
    drop = m.upright - m.joints[:, 0, 1] + m.floor
    return _peak(drop, "pelvis {:.2f} m below standing straight")


def ankles(m: Kinematics) -> Measure:
    """The higher ankle over the lower one where they are farthest apart."""
    apart = m.joints[:, ANKLES[0], 1] - m.joints[:, ANKLES[1], 1]
    frame = int(np.argmax(np.abs(apart)))
    higher, lower = ("left", "right") if apart[frame] > 0 else ("right", "left")
    value = abs(float(apart[frame]))
    return Measure(f"{higher} ankle {value:.2f} m above the {lower}", frame / FPS, value)


def _trunk(m: Kinematics) -> Measure:
    return _peak(m.pitch, "trunk {:.0f} degrees forward")


def _wrists(m: Kinematics) -> Measure:
    heights = [m.joints[:, WRISTS[k], 1] - m.joints[:, SHOULDERS[k], 1] for k in (0, 1)]
    side = int(heights[1].max() > heights[0].max())
    return _peak(heights[side], f"{('left', 'right')[side]} wrist {{:+.2f}} m over its shoulder")


def _low_wrist(m: Kinematics) -> Measure:
    heights = np.minimum(*(m.joints[:, k, 1] for k in WRISTS)) - m.floor
    frame = int(np.argmin(heights))
    return Measure(f"a wrist {heights[frame]:.2f} m over the floor", frame / FPS, float(heights[frame]))


def _head(m: Kinematics) -> Measure:
    nod, turn = (float(np.ptp(m.head[:, axis])) for axis in (2, 0))
    words = f"the head moves {nod:.2f} forth and back, {turn:.2f} sideways (in lengths of the neck)"
    return Measure(words, None, nod)


_MEASURES: dict[Callable[[Kinematics], Measure], str] = {
    _way: "stand, walk, walk backward, sidestep, zigzag, turn around and walk back, tiptoe, crouch walk, "
    "march, limp, crawl",
    _speed: "jog, run, sprint",
    _turn: "turn, spin, walk in a circle, jog in a circle, walk in a curve",
    _flight: "jump, jump forward, jump sideways, jump backward, jump turn, hop",
    _pelvis: "squat, sit down, stand up, kneel, lunge, get up, sit on the floor, push-ups",
    ankles: "kick, balance",
    _trunk: "bow",
    _wrists: "raise arms, arms out, stretch, drink, phone, salute, hands on hips",
    _low_wrist: "pick up",
    _head: "nod, shake head, look around",
}
MEASURES = {action: measure for measure, names in _MEASURES.items() for action in names.split(", ")}
