"""A body over its stance: a clock, hips that lead the trunk, goals of the hands, steps of the feet.

Times are seconds of a clock that runs at the movement's tempo and is 0 when it begins. Angles of
``turn_trunk`` bring the named side forward. Goals of a hand are outward, up, forward of its shoulder in arm
lengths. Shared by strikes, throws and swings; knows no action.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .body import (
    ANKLE_HEIGHT,
    FOOT,
    SIDES,
    Tracks,
    arm_directions,
    euler,
    solve,
    spine_and_head,
    turned,
    with_goal,
)
from .style import BodyStyle
from .time_curves import FPS, bump, keys, lagged, window

GUARD = (-0.12, 0.12, 0.46)
# Frames by which the spine follows the pelvis.
LAG = 1.3


def stage(style: BodyStyle, rng: np.random.Generator, busy: float, tempo: float) -> tuple[Tracks, np.ndarray]:
    """Standing tracks with room for ``busy`` seconds of the clock, and the clock (T,) of their frames."""
    start = rng.uniform(0.2, 0.5)
    tracks = style.stand(max(2.1, start + busy * tempo + rng.uniform(0.3, 0.7)), rng)
    return tracks, (np.arange(len(tracks)) / FPS - start) / tempo


def turn_trunk(tracks: Tracks, side: int, hips: np.ndarray, spine: float, gaze: float = 0.9) -> np.ndarray:
    """Turn the pelvis by ``hips`` (T,) and the spine, later, by ``spine`` times that.

    The head stays ahead by the share ``gaze``. Returns the angle (T,) of the chest.
    """
    sign, above = -SIDES[side], spine * lagged(hips, LAG)
    tracks.pelvis[:, 0] += sign * hips
    tracks.spine[:, 0] += sign * above
    tracks.head[:, 0] -= gaze * sign * (hips + above)
    return hips + above


def ahead(goal: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Goals (T, 3) of the hand on the turning side, given as if the chest were not turned by ``angle``."""
    c, s = np.cos(angle), np.sin(angle)
    out, forward = goal[:, 0], goal[:, 2]
    return np.stack([out * c + forward * s, goal[:, 1], forward * c - out * s], axis=-1)


def hand(
    tracks: Tracks,
    side: int,
    share: np.ndarray,
    goal: np.ndarray | tuple[float, float, float],
    swivel: np.ndarray | float = 0.0,
) -> None:
    """Bring a hand by ``share`` (T,) to ``goal`` (T, 3) or (3,); ``swivel`` raises the elbow."""
    arm = tracks.arm[:, side]
    here = arm_directions(arm, 0) * arm[:, 2:3]
    to = here + share[:, None] * (np.asarray(goal, dtype=np.float64) - here)
    raised = arm[:, 3] + share * (swivel - arm[:, 3])
    tracks.arm[:, side] = with_goal(arm, to)
    tracks.arm[:, side, 3] = raised


def both_hands(
    tracks: Tracks,
    style: BodyStyle,
    side: int,
    share: np.ndarray,
    middle: np.ndarray,
    apart: float | np.ndarray = 0.09,
) -> None:
    """Both hands hold one thing at ``middle`` (T, 3): metres toward ``side``, up and ahead of the chest.

    ``apart`` is the distance between the wrists in metres. Needs the trunk in its final place.
    """
    spine = solve(tracks, style.offsets)[:, 9]
    _, chest, _ = spine_and_head(tracks, tracks.root, style.offsets)
    for arm in (0, 1):
        local = middle * np.array([SIDES[side], 1.0, 1.0])
        local[:, 0] += 0.5 * apart * SIDES[arm]
        tracks.grip[:, arm] = spine + turned(chest, local)
        tracks.hold[:, arm] = share


Step = tuple[float, float, float, float, float]


def feet(
    tracks: Tracks,
    style: BodyStyle,
    clock: np.ndarray,
    side: int,
    steps: Sequence[Step] = (),
    heel: np.ndarray | float = 0.0,
    pivot: np.ndarray | float = 0.0,
) -> None:
    """Place one foot: steps ``(leave, land, outward, ahead, toes out)`` from where it stands at rest.

    ``heel`` (T,) raises the heel (radians) and ``pivot`` (T,) turns the foot (to the left) about its ball.
    """
    x, z, yaw = style.feet()[side]
    sign, spot = SIDES[side], (0.0, 0.0, 0.0)
    knots: list[tuple[float, tuple[float, float, float]]] = [(-9.0, spot)]
    lift, roll = np.zeros(len(clock)), np.zeros(len(clock))
    for leave, land, *goal in steps:
        knots.append((leave + 0.08 * (land - leave), spot))
        spot = (goal[0], goal[1], goal[2])
        knots.append((land, spot))
        u = (clock - leave) / (land - leave)
        lift += 0.07 * bump(u, 0.45)
        roll += 0.4 * bump(u, 0.35)
        tracks.planted[:, side] &= (u <= 0.0) | (u >= 1.0)
    where = keys(clock, *knots, (99.0, spot))
    heading = yaw + sign * where[:, 2]
    still = np.zeros(len(clock))
    flat = np.stack([x + sign * where[:, 0], ANKLE_HEIGHT + lift, z + where[:, 1]], axis=-1)
    toe = flat + turned(euler(heading, still, still), FOOT[side])
    heading, pitch = heading + pivot, roll + heel
    tracks.ankle[:, side] = toe - turned(euler(heading, pitch, still), FOOT[side])
    tracks.foot[:, side, 0], tracks.foot[:, side, 1] = heading, pitch


def stance(
    tracks: Tracks,
    style: BodyStyle,
    clock: np.ndarray,
    front: int,
    end: float,
    rear_heel: np.ndarray | float = 0.0,
    rear_pivot: np.ndarray | float = 0.0,
    long: float = 0.3,
) -> None:
    """A fighter's stance: one foot steps ahead at 0..0.4, back at ``end``-0.4..``end``; knees give."""
    steps = ((0.0, 0.38, 0.03, long, 0.0), (end - 0.42, end, 0.0, 0.0, 0.0))
    feet(tracks, style, clock, front, steps)
    share = window(clock, 0.0, end, 0.45, 0.45)
    feet(tracks, style, clock, 1 - front, (), 0.12 * share + rear_heel, rear_pivot)
    tracks.root[:, 2] += 0.5 * long * share
    tracks.root[:, 0] += -0.25 * SIDES[front] * style.width * (bump(clock / 0.4) * 0.8)
    tracks.bend(share, low=0.05 + 0.12 * long, spine=0.12, head=0.08, knees=0.1)
