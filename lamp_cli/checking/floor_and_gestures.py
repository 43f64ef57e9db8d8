"""Checks of what goes down to the floor, of spins and hops, and of arms that hold a pose."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..motion.clean_up import runs
from .asked import (
    LEFT,
    Check,
    Expected,
    Finding,
    jumped,
    jumps_of,
    of_a_limb,
    right_count,
    sided,
    stays,
    toward,
)
from .kinematics import (
    ANKLES,
    ELBOWS,
    FPS,
    HEAD,
    KNEES,
    PELVIS,
    SHOULDERS,
    WRISTS,
    Kinematics,
    longest,
)


def _knee_down(m: Kinematics, side: int) -> bool:
    return longest(m.height(KNEES[side]) < 0.14) >= 0.25


def _kneel(m: Kinematics, want: Expected) -> list[Finding]:
    down = (_knee_down(m, 0), _knee_down(m, 1))
    low = m.height(HEAD).min()
    return [
        (any(down), "no knee comes to the floor"),
        (low > 0.6, f"the head comes down to {low:.2f} m"),
        (np.median(m.height(KNEES[0])[:4]) > 0.25, "kneels from the start"),
        *sided(want, down, "knee at the floor"),
        stays(m, 1.2),
    ]


def _lying(m: Kinematics) -> np.ndarray:
    """Frames (T,) in which pelvis, shoulders and head are near the floor."""
    parts = [m.height(joint) for joint in (PELVIS, *SHOULDERS)]
    return (np.max(parts, axis=0) < 0.45) & (m.height(HEAD) < 0.55)


def _lie_down(m: Kinematics, want: Expected) -> list[Finding]:
    # "Is lying down" and "lies down" are one for the reader: who lies all along does it too.
    return [(bool(_lying(m)[-4:].all()), "does not lie at the end")]


def _get_up(m: Kinematics, want: Expected) -> list[Finding]:
    lying = _lying(m)
    return [
        (bool(lying[:3].any()) or m.height(PELVIS)[0] < 0.3, "is not on the floor at the start"),
        (m.drop[-1] < 0.25, f"the pelvis ends {m.drop[-1]:.2f} m low"),
    ]


def _sit_on_floor(m: Kinematics, want: Expected) -> list[Finding]:
    low = m.height(PELVIS)
    return [
        (np.median(low[-5:]) < 0.3, f"the pelvis ends {np.median(low[-5:]):.2f} m high"),
        (np.median(m.pitch[-5:]) < 50 and m.height(HEAD)[-1] > 0.5, "the trunk is not upright at the end"),
        (low[0] > 0.6, "is down from the start"),
    ]


def _crawl(m: Kinematics, want: Expected) -> list[Finding]:
    hands = [float(np.percentile(m.height(k), 30)) for k in WRISTS]
    knees = [float(np.percentile(m.height(k), 30)) for k in KNEES]
    return [
        (max(hands) < 0.25, "the hands are not on the floor"),
        (max(knees) < 0.2, "the knees are not on the floor"),
        (m.path > 0.8, f"moves only {m.path:.2f} m"),
        (np.median(np.abs(m.pitch)) > 50, "the trunk is not level"),
    ]


def _push_ups(m: Kinematics, want: Expected) -> list[Finding]:
    chest = np.mean([m.height(k) for k in SHOULDERS], axis=0)
    hands = max(float(np.percentile(m.height(k), 70)) for k in WRISTS)
    middle = 0.5 * (chest.max() + chest.min())
    downs = [run for run in runs(chest < middle) if run[0] > 0]
    return [
        (hands < 0.25, "the hands are not on the floor"),
        (np.median(m.height(PELVIS)) < 0.5, "the body is not level"),
        (np.ptp(chest) > 0.12, "the chest does not go down and up"),
        right_count(len(downs), want, "push-ups"),
    ]


def _spin(m: Kinematics, want: Expected) -> list[Finding]:
    turned = toward(m.turned, want)
    least = 270.0 if want.get("count", 1) == 1 else 360.0 * want["count"] - 120
    rate = float(np.abs(np.diff(m.heading)).max() * FPS)
    return [
        (turned >= least, f"turns {m.turned:+.0f} degrees"),
        (rate >= 3.0, f"turns only {rate:.1f} radians per second"),
        stays(m, 1.0),
    ]


def _jump_turn(m: Kinematics, want: Expected) -> list[Finding]:
    turned, asked = toward(m.turned, want), abs(want.get("angle", 180))
    return [
        (len(jumps_of(m)) >= 1, "never leaves the floor"),
        (abs(turned - asked) < 75, f"turns {m.turned:+.0f} degrees"),
    ]


def _hop(m: Kinematics, want: Expected) -> list[Finding]:
    lifted = [m.foot_lift(k) > 0.12 for k in (0, 1)]
    hops = [sum(b - a >= 3 for a, b in runs(m.clearance > 0.02)), 0]
    on = (bool(lifted[1].mean() > lifted[0].mean()), bool(lifted[0].mean() > lifted[1].mean()))
    free = max(longest(lifted[0]), longest(lifted[1]))
    return [
        (hops[0] >= 1, "never leaves the floor"),
        (free >= 0.8, f"one foot is up for only {free:.1f} s"),
        *sided(want, on, "leg hops"),
        right_count(hops[0], want, "hops"),
    ]


def _jump_backward(m: Kinematics, want: Expected) -> list[Finding]:
    left, ahead = m.net / m.scale
    return [
        *jumped(m, want),
        (ahead <= -0.2, f"moves {ahead:+.2f} m ahead"),
        (-ahead >= 1.5 * abs(left), f"moves {left:+.2f} m to the left"),
    ]


def _stairs(m: Kinematics, want: Expected, level: int, way: str) -> list[Finding]:
    """Both feet are a step or more over where they are in frame ``level``, the first or the last."""
    lower = np.minimum(m.height(ANKLES[0]), m.height(ANKLES[1]))
    over = longest(lower - lower[level] > 0.25)
    return [
        (over >= 0.5, f"both feet are 0.25 m over the {way} for only {over:.1f} s"),
        (min(len(m.steps(k)) for k in (0, 1)) >= 1, "does not step with both feet"),
    ]


def _salutes(m: Kinematics, side: int) -> bool:
    """A hand rests at the brow, its elbow raised aside, and the other hand hangs."""
    away = np.linalg.norm(m.joints[:, WRISTS[side]] - m.joints[:, HEAD], axis=1) / m.scale
    still = np.append(m.hand_speed(side) < 0.5, False)[: len(m)]
    high = (m.hand(side)[:, 1] > 0.2) & (m.hand(1 - side)[:, 1] < -0.6)
    return longest((away < 0.3) & high & still) >= 0.3


def _cross_arms(m: Kinematics, want: Expected) -> list[Finding]:
    wrist_from_elbow = [
        np.linalg.norm(m.joints[:, WRISTS[k]] - m.joints[:, ELBOWS[1 - k]], axis=1) / m.scale for k in (0, 1)
    ]
    crossed = m.local(WRISTS[0], WRISTS[1])[:, 0] < 0
    held = longest((np.maximum(*wrist_from_elbow) < 0.32) & crossed)
    return [(held >= 0.4, f"the arms are crossed for only {held:.1f} s"), stays(m, 2.0)]


def _is_on_hip(m: Kinematics, side: int) -> bool:
    wrist = m.local(WRISTS[side], PELVIS) / m.scale
    out = m.local(ELBOWS[side], SHOULDERS[side])[:, 0] * (1 if side == LEFT else -1) / m.scale
    near = (np.abs(wrist[:, 1]) < 0.22) & (np.linalg.norm(wrist[:, [0, 2]], axis=1) < 0.3)
    return longest(near & (out > 0.1)) >= 0.4


def _points(m: Kinematics, side: int) -> bool:
    """One straight arm is held out, still, while the other hangs."""
    still = np.append(m.hand_speed(side) < 0.6, False)[: len(m)]
    other = (m.hand(1 - side)[:, 1] < -0.6) | (m.bend(1 - side) < 0.6)
    return longest((m.bend(side) > 0.88) & (m.hand(side)[:, 1] > -0.35) & still & other) >= 0.35


def _point(m: Kinematics, want: Expected) -> list[Finding]:
    return [*sided(want, (_points(m, 0), _points(m, 1)), "arm points"), (abs(m.pitch).max() < 40, "bends")]


FLOOR_AND_GESTURES: dict[str, Check] = {
    "kneel": _kneel,
    "lie down": _lie_down,
    "get up": _get_up,
    "sit on the floor": _sit_on_floor,
    "crawl": _crawl,
    "push-ups": _push_ups,
    "spin": _spin,
    "jump turn": _jump_turn,
    "hop": _hop,
    "jump backward": _jump_backward,
    "stairs up": partial(_stairs, level=0, way="start"),
    "stairs down": partial(_stairs, level=-1, way="end"),
    "salute": of_a_limb(_salutes, "hand at the brow"),
    "cross arms": _cross_arms,
    "hands on hips": of_a_limb(_is_on_hip, "hand is on its hip", "both"),
    "point": _point,
}
