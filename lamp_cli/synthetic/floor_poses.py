"""Poses on the floor and on the way there: kneeling, on all fours, sitting, lying. Every pose faces +z."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .body import ANKLE_HEIGHT, SHIN, SIDES, THIGH
from .style import BodyStyle

# Heights in metres of joints over the floor that their flesh lies on.
KNEE_HEIGHT, SEAT_HEIGHT, WRIST_HEIGHT, INSTEP_HEIGHT = 0.05, 0.095, 0.06, 0.05
# Pitch of a foot that lies on its instep behind the knee, of one on its toes there, and of one on its heel.
INSTEP, TUCKED, HEEL = 2.6, 1.65, -1.05
# The ankle's height over the floor on tucked toes.
TUCKED_HEIGHT = 0.15


def pair(left: tuple[float, float, float]) -> np.ndarray:
    """(2, 3) of the left side's point and its mirror image."""
    return np.array([left, (-left[0], left[1], left[2])])


@dataclass(frozen=True)
class Pose:
    """One frame of ``Tracks``, in its units; ``bearing`` says which knees are on the floor.

    ``kneel`` and ``grip`` of zeros stand for none.
    """

    root: tuple[float, float, float]
    ankle: np.ndarray
    foot: np.ndarray
    pitch: float = 0.0
    spine: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    knee: float = 0.06
    planted: tuple[bool, bool] = (False, False)
    kneel: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)))
    bearing: tuple[bool, bool] = (False, False)
    guided: tuple[bool, bool] = (False, False)
    grip: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)))
    hold: tuple[float, float] = (0.0, 0.0)


def standing(style: BodyStyle) -> Pose:
    feet = style.feet()
    ankle = np.array([[x, ANKLE_HEIGHT, z] for x, z, _ in feet])
    foot = np.array([[yaw, 0.0] for _, _, yaw in feet])
    return Pose(
        (0.0, style.height, 0.0),
        ankle,
        foot,
        spine=(0.0, style.bend, style.lean),
        head=(0.0, style.chin, -style.lean),
        planted=(True, True),
    )


def shin_behind(kneel: np.ndarray, side: int, tucked: bool) -> np.ndarray:
    """The ankle (3,) of a shin that lies behind a knee on the floor."""
    rise = (TUCKED_HEIGHT if tucked else INSTEP_HEIGHT) - KNEE_HEIGHT
    return kneel[side] + [0.0, rise, -np.sqrt(SHIN[side] ** 2 - rise**2)]


def one_knee(style: BodyStyle, side: int, hand: bool) -> Pose:
    """The knee of ``side`` is on the floor behind the other foot, which stands."""
    stand = standing(style)
    kneel = stand.ankle * [1.0, 0.0, 0.0] + [0.0, KNEE_HEIGHT, -0.42]
    ankle, foot = stand.ankle.copy(), stand.foot.copy()
    ankle[side] = shin_behind(kneel, side, tucked=True)
    foot[side] = (0.0, TUCKED)
    bearing = (side == 0, side == 1)
    return Pose(
        (0.0, KNEE_HEIGHT + 0.47, -0.4),
        ankle,
        foot,
        pitch=0.08,
        spine=(0.0, style.bend + 0.08, 0.0),
        head=(0.0, 0.05, 0.0),
        planted=(not bearing[0], not bearing[1]),
        kneel=kneel,
        bearing=bearing,
        guided=bearing,
        grip=pair((0.1, 0.56, -0.02)),
        hold=(float(hand and side == 1), float(hand and side == 0)),
    )


def both_knees(style: BodyStyle, back: float) -> Pose:
    """On both knees; ``back`` from 0 to 1 sits back towards the heels."""
    kneel = standing(style).ankle * [1.0, 0.0, 0.0] + [0.0, KNEE_HEIGHT, -0.42]
    angle = 1.18 * back
    height, behind = float(THIGH.mean() * np.cos(angle)), float(THIGH.mean() * np.sin(angle))
    return Pose(
        (0.0, KNEE_HEIGHT + height + 0.08, kneel[0, 2] - behind),
        np.array([shin_behind(kneel, s, tucked=False) for s in (0, 1)]),
        np.array([[0.0, INSTEP], [0.0, INSTEP]]),
        pitch=0.05 + 0.12 * back,
        spine=(0.0, style.bend + 0.1 * back, style.lean),
        head=(0.0, style.chin, -style.lean),
        kneel=kneel,
        bearing=(True, True),
        guided=(True, True),
        grip=pair((0.12, 0.22 + 0.05 * back, kneel[0, 2] - 0.1)),
    )


def all_fours(kneeling: Pose) -> Pose:
    """On hands and knees, from a pose on both knees."""
    z = float(kneeling.kneel[0, 2])
    return replace(
        kneeling,
        root=(0.0, KNEE_HEIGHT + 0.385, z + 0.09),
        pitch=1.25,
        spine=(0.0, 0.12, 0.0),
        head=(0.0, -0.55, 0.0),
        grip=pair((0.19, WRIST_HEIGHT, z + 0.62)),
        hold=(1.0, 1.0),
    )


def prone(kneeling: Pose, face: float) -> Pose:
    """On the stomach, from a pose on both knees; the head is turned by ``face``."""
    z = float(kneeling.kneel[0, 2]) + 0.47
    return replace(
        kneeling,
        root=(0.0, 0.115, z),
        pitch=1.5,
        spine=(0.0, -0.06, 0.0),
        head=(face, -0.15, 0.0),
        grip=pair((0.27, WRIST_HEIGHT, 0.33 + z)),
        hold=(1.0, 1.0),
    )


def crouch(style: BodyStyle, hand: int) -> Pose:
    """Deep over both feet, the trunk forward, one hand on the floor behind."""
    return replace(
        standing(style),
        root=(0.0, 0.36, -0.3),
        pitch=0.35,
        spine=(0.0, 0.5, 0.0),
        head=(0.0, -0.3, 0.0),
        knee=0.22,
        grip=pair((0.3, 0.1, -0.5)),
        hold=(1.0 if hand == 0 else 0.3, 1.0 if hand == 1 else 0.3),
    )


def seated(style: BodyStyle) -> Pose:
    """On the floor, knees up, the hands behind."""
    return replace(
        standing(style),
        root=(0.0, SEAT_HEIGHT + 0.07, -0.5),
        pitch=-0.42,
        spine=(0.0, 0.12, 0.0),
        head=(0.0, 0.25, 0.0),
        knee=0.18,
        grip=pair((0.27, WRIST_HEIGHT + 0.03, -0.76)),
        hold=(1.0, 1.0),
    )


def cross_legged(front: int) -> Pose:
    """Seated with the legs crossed, the shin of ``front`` before the other, hands on the knees."""
    z = -0.5
    far = (0.33, 0.21) if front == 0 else (0.21, 0.33)
    ankle = np.array([[-0.09 * SIDES[s], 0.075, z + far[s]] for s in (0, 1)])
    return Pose(
        (0.0, SEAT_HEIGHT + 0.08, z),
        ankle,
        np.array([[-1.25, 0.35], [1.25, 0.35]]),
        pitch=-0.15,
        spine=(0.0, 0.3, 0.0),
        head=(0.0, -0.05, 0.0),
        knee=1.1,
        kneel=pair((0.4, 0.16, z + 0.24)),
        guided=(True, True),
        grip=pair((0.29, 0.24, z + 0.2)),
        hold=(1.0, 1.0),
    )


def legs_out(hands_behind: bool) -> Pose:
    """Seated with the legs straight ahead, hands behind or on the thighs."""
    z = -0.5
    behind, ahead = pair((0.27, WRIST_HEIGHT + 0.03, z - 0.26)), pair((0.12, 0.21, z + 0.24))
    return Pose(
        (0.0, SEAT_HEIGHT + 0.075, z),
        pair((0.1, 0.06, z + 0.77)),
        np.array([[0.15, HEEL], [-0.15, HEEL]]),
        pitch=-0.42 if hands_behind else -0.2,
        spine=(0.0, 0.12 if hands_behind else 0.3, 0.0),
        head=(0.0, 0.15, 0.0),
        grip=behind if hands_behind else ahead,
        hold=(1.0, 1.0),
    )


def reclined(style: BodyStyle) -> Pose:
    """Half way to the back, on the forearms."""
    return replace(
        seated(style),
        root=(0.0, SEAT_HEIGHT + 0.045, -0.52),
        pitch=-1.0,
        spine=(0.0, 0.45, 0.0),
        head=(0.0, 0.45, 0.0),
        grip=pair((0.3, WRIST_HEIGHT, -0.72)),
    )


def supine(style: BodyStyle, bent: bool, spread: float) -> Pose:
    """On the back, the legs straight or the knees up."""
    z = -0.54
    lying = replace(
        seated(style),
        root=(0.0, SEAT_HEIGHT + 0.01, z),
        pitch=-1.53,
        spine=(0.0, 0.02, 0.0),
        head=(0.0, 0.05, 0.0),
        grip=pair((0.24 + 0.3 * spread, 0.05, z - 0.02 - 0.15 * spread)),
    )
    if bent:
        return lying
    return replace(
        lying,
        ankle=pair((0.1 + 0.1 * spread, 0.055, z + 0.885)),
        foot=np.array([[0.2, HEEL], [-0.2, HEEL]]),
        planted=(False, False),
        knee=0.1,
    )
