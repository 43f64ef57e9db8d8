"""Turns that are more than steps: spins, jumps with a turn, twisting and stepping dances."""

from __future__ import annotations

import numpy as np

from ..body import SIDES, place_foot, reach, reach_both
from ..hand_goals import path
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, bump, ease, lagged, smooth, window
from .jumping import jumps


def spin(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Spins fast on the ball of one foot, once or twice around, the other foot drawn to it."""
    side, rounds = pick_side(rng), int(rng.integers(1, 3))
    sign, last = SIDES[side], (0.85 + 0.6 * rounds) * style.tempo
    start = rng.uniform(0.5, 0.8)
    tracks = style.stand(start + last + 1.3, rng)
    t = np.arange(len(tracks)) / FPS
    # Wind up a little the other way, whirl, and come to rest.
    yaw = sign * (
        2 * np.pi * rounds * smooth(ease((t - start) / last), 1.0) - 0.25 * bump((t - start + 0.5) / 0.6)
    )
    bears = 1 - side
    x, z, toe = style.feet()[bears]
    share = window(t, start - 0.3, start + last + 0.35, 0.35, 0.4)
    tracks.yaw += yaw
    # The body goes over the bearing foot and turns about it.
    tracks.root[:, 0] += share * x
    tracks.root[:, 1] += share * (0.035 - 0.1 * bump((t - start + 0.5) / 0.7))
    tracks.root[:, 2] += share * 0.02
    pitch = 0.55 * window(t, start - 0.05, start + last + 0.1, 0.25, 0.3)
    place_foot(tracks, bears, x, z, yaw + toe, pitch=pitch)
    free_x, free_z, free_toe = style.feet()[side]
    drawn = window(t, start - 0.05, start + last + 0.25, 0.3, 0.35)
    away = np.array([free_x - x, free_z - z])
    local = away[None] * (1 - 0.55 * drawn[:, None]) + np.stack([0 * drawn, -0.1 * drawn], -1)
    c, s = np.cos(yaw), np.sin(yaw)
    out, ahead = c * local[:, 0] + s * local[:, 1], -s * local[:, 0] + c * local[:, 1]
    place_foot(tracks, side, x + out, z + ahead, yaw + free_toe, 0.14 * drawn, 0.5 * drawn)
    tracks.planted[:, side] &= drawn < 1e-6
    high = rng.uniform(-0.35, 0.05)
    reach_both(tracks, share, path(0.75 - 0.65 * drawn, high, 0.25 + 0.3 * drawn))
    name = SIDE_NAMES[side]
    words = {"clock": ("counterclockwise", "clockwise")[side]}
    angle = int(360 * rounds * sign)
    truth = {"action": "spin", "side": name, "direction": name, "count": rounds, "angle": angle}
    return Movement(tracks, truth, ("quickly", "fast") if style.tempo < 1 else (), words)


def jump_turn(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps and turns in the air by a half or a whole turn."""
    side, degrees = pick_side(rng), int(rng.choice([180, 180, 360]))
    high = rng.uniform(0.22, 0.32) + 0.1 * (degrees == 360)
    tracks = jumps(style, rng, np.array([high]), (0.0, 0.0))
    t = np.arange(len(tracks)) / FPS
    aloft = np.flatnonzero(~tracks.planted.any(1))
    off, on = t[aloft[0]], t[aloft[-1]]
    turned = SIDES[side] * np.radians(degrees) * np.clip((t - off) / (on - off), 0, 1)
    # The trunk leads before the feet leave the ground and follows after they land.
    lead = SIDES[side] * (0.45 * bump((t - off + 0.35) / 0.5, 0.8) - 0.3 * bump((t - off + 0.7) / 0.5))
    tracks.spine[:, 0] += lead
    tracks.yaw += turned
    centre = tracks.root[:, [0, 2]]
    c, s = np.cos(turned), np.sin(turned)
    for foot in (0, 1):
        away = tracks.ankle[:, foot][:, [0, 2]] - centre
        tracks.ankle[:, foot, 0] = centre[:, 0] + c * away[:, 0] + s * away[:, 1]
        tracks.ankle[:, foot, 2] = centre[:, 1] - s * away[:, 0] + c * away[:, 1]
        tracks.foot[:, foot, 0] += turned
    name = SIDE_NAMES[side]
    angle = degrees * (1 if side == 0 else -1)
    truth = {"action": "jump turn", "side": name, "direction": name, "count": 1, "angle": angle}
    return Movement(tracks, truth, words={"degrees": degrees})


def twist(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Dances the twist: hips and feet one way, chest and arms the other, on the balls of the feet."""
    count, period = int(rng.integers(4, 8)), rng.uniform(0.55, 0.85) * style.tempo
    start = rng.uniform(0.3, 0.6)
    tracks = style.stand(max(2.1, start + count * period + 0.9), rng)
    t = np.arange(len(tracks)) / FPS
    share = window(t, start, start + count * period + 0.4, 0.5, 0.5)
    swing = np.sin(2 * np.pi * (t - start) / period) * share
    low = rng.uniform(0.05, 0.14)
    tracks.root[:, 1] -= share * low * (1 + 0.4 * np.sin(2 * np.pi * (t - start) / (4 * period)))
    tracks.pelvis[:, 0] += 0.42 * style.energy * swing
    tracks.spine[:, 0] -= 0.75 * style.energy * lagged(swing, 1.0)
    tracks.head[:, 0] += 0.3 * lagged(swing, 1.0)
    for side, (x, z, yaw) in enumerate(style.feet()):
        place_foot(tracks, side, x, z, yaw + 0.4 * swing, pitch=0.3 * share)
        far = 0.42 + 0.25 * swing * (1 if side == 0 else -1)
        reach(tracks, side, share, path(0.25, -0.2 + 0.08 * np.abs(swing), far))
    return Movement(tracks, {"action": "twist", "count": count}, manners_of(period / 0.7))


def step_touch(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Dances from side to side: a step, the other foot closes, and back, with swinging arms."""
    side, count = pick_side(rng), int(rng.integers(2, 5))
    beat, wide = rng.uniform(0.42, 0.6) * style.tempo, rng.uniform(0.28, 0.42)
    start = rng.uniform(0.3, 0.6)
    tracks = style.stand(max(2.1, start + 4 * beat * count + 0.8), rng)
    t = np.arange(len(tracks)) / FPS
    sign = SIDES[side]
    # Per round: lead foot out, other closes, other foot back, lead closes.
    moved, lift = np.zeros((2, 2, len(t)))
    for number in range(count):
        at = start + 4 * beat * number
        for foot, begin, go in (
            (0, at, 1),
            (1, at + beat, 1),
            (1, at + 2 * beat, -1),
            (0, at + 3 * beat, -1),
        ):
            moved[foot] += go * ease((t - begin) / (0.8 * beat))
            lift[foot] += bump((t - begin) / (0.8 * beat))
    place = smooth((moved[0] + moved[1]) / 2, 2.0)
    tracks.root[:, 0] += sign * wide * place
    share = window(t, start, start + 4 * beat * count + 0.3, 0.4, 0.4)
    tracks.root[:, 1] -= share * (0.035 + 0.015 * np.cos(2 * np.pi * (t - start) / beat))
    for foot, way, up in zip((side, 1 - side), moved, lift, strict=True):
        x, z, yaw = style.feet()[foot]
        place_foot(tracks, foot, x + sign * wide * way, z, yaw, 0.06 * up, 0.25 * up)
        tracks.planted[:, foot] &= up < 1e-9
    swing = np.sin(2 * np.pi * (t - start) / (4 * beat)) * share
    tracks.spine[:, 2] -= 0.1 * sign * swing
    tracks.spine[:, 0] += 0.15 * sign * swing
    for arm in (0, 1):
        out = 0.3 + 0.25 * swing * sign * SIDES[arm]
        reach(tracks, arm, share, path(out, -0.25 + 0.15 * np.abs(swing), 0.42))
    truth = {"action": "step touch", "count": count, "first": SIDE_NAMES[side]}
    return Movement(tracks, truth, manners_of(beat / 0.5))
