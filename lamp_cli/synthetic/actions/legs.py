"""Movements of the whole body over planted feet, and of one leg while the other bears the weight."""

from __future__ import annotations

import numpy as np

from ..body import SIDES, Tracks, place_foot, reach_both
from ..movement import SIDE_NAMES, Movement, manners_of, pick_hands, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, bump, ease, keys, window, windows
from .standing import stand_busy


def squat(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Squats, once to three times."""
    count, deep = int(rng.choice([1, 1, 2, 3])), rng.uniform(0.3, 0.48)
    period = rng.uniform(1.6, 2.4) * style.tempo
    tracks, t, start, _ = stand_busy(style, rng, count * period, after=0.5)
    share = windows(t, start, period, count, 0.45, 0.45)
    tracks.bend(share, low=deep, back=0.14, hips=0.45, spine=0.4, head=-0.5, knees=0.25)
    if rng.random() < 0.6:
        reach_both(tracks, share, (-0.05, 0.0, 0.9))
    return Movement(tracks, {"action": "squat", "count": count}, manners_of(period / 2.0))


def sit(style: BodyStyle, rng: np.random.Generator, down: bool) -> Movement:
    """Sits ``down`` on something behind, or stands up from it."""
    move, hold = 1.3 * style.tempo, rng.uniform(1.2, 2.5)
    tracks = style.stand(max(2.1, move + hold + 0.6), rng)
    t = np.arange(len(tracks)) / FPS
    share = ease((t - 0.4) / move) if down else 1 - ease((t - hold) / move)
    lean = bump((t - 0.2) / (move + 0.3)) if down else bump((t - hold + 0.25) / (move + 0.3))
    deep = rng.uniform(0.36, 0.44)
    tracks.bend(share, low=deep, back=0.36)
    tracks.pelvis[:, 1] += 0.5 * lean - 0.05 * share
    tracks.spine[:, 1] += 0.5 * lean + 0.1 * share
    tracks.head[:, 1] -= 0.4 * lean
    reach_both(tracks, share, (0.02, -0.62, 0.5))
    return Movement(tracks, {"action": "sit down" if down else "stand up"}, manners_of(style.tempo))


def pick_up(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Bends down and picks something up with one hand or both."""
    hands, name = pick_hands(rng)
    low = 1.1 * style.tempo
    tracks, t, start, share = stand_busy(style, rng, 2 * low + 0.6, low, after=0.5)
    tracks.bend(share, low=0.27, back=0.12, hips=0.75, spine=0.7, knees=0.15)
    for side in hands:
        out = 0.12 if len(hands) == 2 else 0.02
        tracks.grip[:, side] = (SIDES[side] * out, 0.12, 0.42)
        tracks.hold[:, side] = window(t, start + 0.2 * low, start + 1.8 * low + 0.6, 0.8 * low, 0.8 * low)
    return Movement(tracks, {"action": "pick up", "side": name}, manners_of(style.tempo))


def _shift(tracks: Tracks, share: np.ndarray, side: int, width: float) -> None:
    """Carry the weight over the foot that stays, when ``side`` is the one that leaves the ground."""
    over = -SIDES[side]
    tracks.root[:, 0] += over * 0.4 * width * share
    tracks.spine[:, 2] += 0.06 * over * share
    tracks.root[:, 1] -= 0.02 * share


def _lift_foot(
    style: BodyStyle, tracks: Tracks, side: int, path: np.ndarray, pitch: np.ndarray, lifted: np.ndarray
) -> None:
    """Ankle of one foot along ``path`` (T, 3): sideways, up, forward of its place on the ground."""
    x, z, yaw = style.feet()[side]
    place_foot(tracks, side, x + path[:, 0], z + path[:, 2], yaw, path[:, 1])
    tracks.foot[:, side, 1] = pitch
    tracks.planted[:, side] &= ~lifted


def kick(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Kicks forward with one leg, once to three times."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2, 3]))
    high, far = rng.uniform(0.45, 0.95), rng.uniform(0.5, 0.68)
    period = 1.5 * style.tempo
    tracks, t, start, _ = stand_busy(style, rng, 0.4 + count * period, after=0.5)
    share = window(t, start - 0.2, start + 0.5 + count * period, 0.45, 0.45)
    _shift(tracks, share, side, style.width)
    path, pitch, lifted = np.zeros((len(t), 3)), np.zeros(len(t)), np.zeros(len(t), bool)
    for k in range(count):
        at = start + 0.3 + k * period
        knots = np.array([0.0, 0.28, 0.55, 0.65, 0.95, 1.25]) * style.tempo + at
        path += keys(
            t,
            (0.0, (0, 0, 0)),
            (at, (0, 0, 0)),
            (knots[1], (0, 0.16, -0.25)),
            (knots[2], (0, high, far)),
            (knots[3], (0, high, far)),
            (knots[4], (0, 0.2, 0.12)),
            (knots[5], (0, 0, 0)),
        )
        kickout = bump((t - at) / (knots[5] - at), 0.45)
        pitch += keys(
            t, (0.0, 0.0), (at, 0.0), (knots[1], 0.5), (knots[2], -0.35), (knots[4], 0.2), (knots[5], 0.0)
        )
        tracks.bend(kickout, hips=-0.18, spine=-0.12)
        tracks.arm[:, 1 - side, 0] += 0.5 * kickout
        lifted |= (t > at) & (t < knots[5])
    _lift_foot(style, tracks, side, path, pitch, lifted)
    truth = {"action": "kick", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def lift_knee(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Lifts a knee and stands on one leg for a while."""
    side, hold = pick_side(rng), rng.uniform(0.6, 2.6)
    tracks, t, start, share = stand_busy(style, rng, hold + 1.8, 0.8, after=0.5)
    _shift(tracks, window(t, start - 0.2, start + hold + 2.0, 0.7, 0.7), side, style.width)
    path = share[:, None] * np.array([0.0, rng.uniform(0.32, 0.45), 0.12])
    _lift_foot(style, tracks, side, path, 0.4 * share, share > 1e-6)
    reach_both(tracks, share, (0.85, -0.25, 0.1))
    other = SIDE_NAMES[1 - side]
    return Movement(tracks, {"action": "balance", "side": other, "lifted": SIDE_NAMES[side]})


def lunge(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Lunges forward with one leg and comes back."""
    side, far = pick_side(rng), rng.uniform(0.55, 0.8)
    tracks, t, start, _ = stand_busy(style, rng, 3.4, after=0.5)
    step = keys(t, (0.0, 0.0), (start, 0.0), (start + 0.7, 1.0), (start + 2.4, 1.0), (start + 3.1, 0.0))
    low = window(t, start + 0.4, start + 2.8, 0.7, 0.7)
    arc = bump((t - start) / 0.7) + bump((t - start - 2.4) / 0.7)
    path = np.stack([0 * t, 0.1 * arc, far * step], -1)
    lifted = ((t > start) & (t < start + 0.7)) | ((t > start + 2.4) & (t < start + 3.1))
    _lift_foot(style, tracks, side, path, 0.1 * arc, lifted)
    tracks.root[:, 2] += 0.5 * far * step
    tracks.root[:, 1] -= 0.28 * low + 0.04 * step
    pitch = 0.75 * window(t, start + 0.3, start + 2.9, 0.6, 0.6)
    x, z, yaw = style.feet()[1 - side]
    place_foot(tracks, 1 - side, x, z, yaw, pitch=pitch)
    return Movement(tracks, {"action": "lunge", "side": SIDE_NAMES[side]})
