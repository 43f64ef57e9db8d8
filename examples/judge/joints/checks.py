"""Does a motion do what was asked? One check per action, entered in ``CHECKS``.

To add an action, write its function in the module of its family and enter it in the table. Tolerant of
style, strict about side, direction and count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from examples.judge.joints import arms, floor_and_gestures, legs, locomotion
from examples.judge.joints.asked import Check, Expected
from examples.judge.joints.kinematics import Motion

# Shortest part of a sequence and the grid on which its cuts are searched, frames.
PART, GRID = 12, 4

CHECKS: dict[str, Check] = {
    "stand": locomotion.stand,
    "walk": locomotion.walk,
    "walk backward": locomotion.walk_backward,
    "sidestep": locomotion.sidestep,
    "jog": locomotion.jog,
    "run": locomotion.run,
    "walk in a circle": locomotion.walk_circle,
    "jog in a circle": locomotion.jog_circle,
    "walk in a curve": locomotion.walk_curve,
    "zigzag": locomotion.zigzag,
    "turn": locomotion.turn,
    "turn around and walk back": locomotion.there_and_back,
    "tiptoe": locomotion.tiptoe,
    "crouch walk": locomotion.crouch_walk,
    "march": locomotion.march,
    "limp": locomotion.limp,
    "jump": legs.jump,
    "jump forward": legs.jump_forward,
    "jump sideways": legs.jump_sideways,
    "jumping jacks": legs.jumping_jacks,
    "squat": legs.squat,
    "sit down": legs.sit_down,
    "stand up": legs.stand_up,
    "pick up": legs.pick_up,
    "kick": legs.kick,
    "balance": legs.balance,
    "lunge": legs.lunge,
    "wave": arms.wave,
    "raise arms": arms.raise_arms,
    "arms out": arms.arms_out,
    "clap": arms.clap,
    "punch": arms.punch,
    "throw": arms.throw,
    "drink": arms.drink,
    "phone": arms.phone,
    "bow": arms.bow,
    "nod": arms.nod,
    "shake head": arms.shake_head,
    "look around": arms.look_around,
    "stretch": arms.stretch,
    "dance": arms.dance,
    "kneel": floor_and_gestures.kneel,
    "lie down": floor_and_gestures.lie_down,
    "get up": floor_and_gestures.get_up,
    "sit on the floor": floor_and_gestures.sit_on_floor,
    "crawl": floor_and_gestures.crawl,
    "push-ups": floor_and_gestures.push_ups,
    "spin": floor_and_gestures.spin,
    "jump turn": floor_and_gestures.jump_turn,
    "hop": floor_and_gestures.hop,
    "jump backward": floor_and_gestures.jump_backward,
    "stairs up": floor_and_gestures.stairs_up,
    "stairs down": floor_and_gestures.stairs_down,
    "salute": floor_and_gestures.salute,
    "cross arms": floor_and_gestures.cross_arms,
    "hands on hips": floor_and_gestures.hands_on_hips,
    "point": floor_and_gestures.point,
}


@dataclass(frozen=True)
class Verdict:
    """Whether the motion does it; if not, the first thing that is missing."""

    ok: bool
    reason: str = ""


def does(joints: np.ndarray | Motion, expected: Expected) -> Verdict:
    """Judge joints (T, 22, 3) at 20 fps, or their motion, by the truth keys of the synthetic corpus.

    ``expected`` has ``action`` and, where they are asked for, ``side``, ``direction``, ``count``, ``angle``
    (degrees, left positive), ``parts`` (for ``sequence``: what happens in a row) and ``while`` (what happens
    at the same time). A key left out is not judged; other keys are ignored. Raises ``ValueError`` for an
    action without a check or joints that are no motion.
    """
    motion = joints if isinstance(joints, Motion) else Motion.of(joints)
    for one in _all_actions(expected):
        if one not in CHECKS:
            raise ValueError(f"{one}: no check of such an action; expected one of {', '.join(CHECKS)}")
    return _judge(motion, expected)


def _all_actions(expected: Expected) -> list[str]:
    if expected["action"] == "sequence":
        return [name for part in expected["parts"] for name in _all_actions(part)]
    return [expected["action"], *(_all_actions(expected["while"]) if "while" in expected else [])]


def _judge(motion: Motion, expected: Expected) -> Verdict:
    if expected["action"] == "sequence":
        return _sequence(motion, expected["parts"])
    for holds, words in CHECKS[expected["action"]](motion, expected):
        if not holds:
            return Verdict(False, f"{expected['action']}: {words}")
    return _judge(motion, expected["while"]) if "while" in expected else Verdict(True)


def _sequence(motion: Motion, parts: list[Expected]) -> Verdict:
    """True when the motion can be cut so that each piece, in order, does its part."""
    last = len(motion)
    farthest: list[str] = [""] * len(parts)

    @cache
    def piece(index: int, start: int, end: int) -> bool:
        verdict = _judge(motion.cut(start, end), parts[index])
        farthest[index] = verdict.reason or farthest[index]
        return verdict.ok

    @cache
    def rest(index: int, start: int) -> bool:
        if index == len(parts) - 1:
            return last - start >= PART and piece(index, start, last)
        return any(
            piece(index, start, cut) and rest(index + 1, cut)
            for cut in range(start + PART, last - PART + 1, GRID)
        )

    if last >= PART * len(parts) and rest(0, 0):
        return Verdict(True)
    missed = next((n for n in range(len(parts)) if not any(piece(n, a, b) for a, b in _spans(last))), None)
    if missed is None:
        return Verdict(False, "sequence: every part is seen, but not in this order")
    return Verdict(False, f"sequence: part {missed + 1} is missing ({farthest[missed]})")


def _spans(last: int) -> list[tuple[int, int]]:
    """A coarse set of pieces, to say which part of a sequence is missing."""
    cuts = range(0, last + 1, max(PART, last // 6))
    return [(a, b) for a in cuts for b in (*cuts, last) if b - a >= PART]
