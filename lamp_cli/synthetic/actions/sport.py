"""Throws, catches and swings, all with the feet in place or a step away.

Knows no ball and no racket: only the body.
"""

from __future__ import annotations

import numpy as np

from ..body import SIDES, Tracks
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..stance import Step, both_hands, feet, hand, stage, turn_trunk
from ..style import BodyStyle
from ..time_curves import bump, through, window

HANG = (0.12, -0.95, 0.05)


def _crouch(tracks: Tracks, share: np.ndarray, deep: float, bend: float) -> None:
    """Knees give by ``deep`` metres and the trunk bends by ``bend`` radians, by ``share`` (T,)."""
    half = 0.5 * bend
    tracks.bend(share, low=deep, back=0.35 * deep, hips=half, spine=half, head=-half, knees=0.12)


def _pivot(side: int, hips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heel and pivot of the foot of ``side`` that follows hips which turn it forward."""
    push = np.clip(hips, 0.0, 1.2)
    return 0.75 * push, -SIDES[side] * 0.8 * push


def throw_underhand(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Throws underhand: a step, the arm a pendulum from behind to ahead."""
    side = pick_side(rng)
    size, tempo = rng.uniform(0.85, 1.1), style.tempo * rng.uniform(0.85, 1.15)
    tracks, clock = stage(style, rng, 2.5, tempo)
    hips = size * through(clock, (0.0, 0.0), (0.6, -0.3), (1.05, 0.35), (1.4, 0.25), (2.3, 0.0))
    step = ((0.4, 0.85, 0.0, 0.38, 0.0), (1.75, 2.25, 0.0, 0.0, 0.0))
    feet(tracks, style, clock, 1 - side, step)
    push = window(clock, 0.75, 1.95, 0.35, 0.5)
    feet(tracks, style, clock, side, (), 0.65 * push)
    tracks.root[:, 2] += 0.26 * window(clock, 0.45, 2.25, 0.55, 0.6) - 0.04 * bump((clock - 0.1) / 0.7)
    tracks.root[:, 0] += SIDES[side] * 0.04 * (bump((clock - 0.2) / 0.7) + bump((clock - 1.7) / 0.6))
    bent = window(clock, 0.2, 2.1, 0.6, 0.8)
    _crouch(tracks, bent, 0.07, 0.4)
    turn_trunk(tracks, side, hips, 0.8)
    path = through(
        clock,
        (0.0, HANG),
        (0.22, (0.1, -0.9, 0.2)),
        (0.42, (0.14, -0.95, -0.1)),
        (0.68, (0.2, -0.72, -0.62)),
        (0.88, (0.1, -0.97, -0.05)),
        (1.02, (0.02, -0.72, 0.62)),
        (1.18, (-0.05, 0.1, 0.92)),
        (1.4, (-0.1, 0.35, 0.8)),
        (2.3, HANG),
    )
    hand(tracks, side, window(clock, 0.0, 2.4, 0.2, 0.35), path)
    hand(tracks, 1 - side, 0.8 * window(clock, 0.3, 2.1, 0.5, 0.8), (0.45, -0.6, 0.4))
    return Movement(tracks, {"action": "throw underhand", "side": SIDE_NAMES[side]}, manners_of(tempo))


def catch(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Catches something with both hands, high, at the chest or low, and takes it to the body."""
    level = ("high", "chest", "low")[int(rng.integers(3))]
    away, hold = rng.uniform(-0.16, 0.16), rng.uniform(0.2, 0.9)
    tracks, clock = stage(style, rng, 2.3 + hold, style.tempo)
    goal = {"high": (0.62, 0.22), "chest": (0.1, 0.44), "low": (-0.42, 0.3)}[level]
    reach = window(clock, 0.0, 1.15, 0.6, 0.4)
    if level == "low":
        _crouch(tracks, reach, 0.22, 0.9)
    elif level == "high":
        tracks.bend(reach, low=-0.045, spine=-0.12, head=-0.4)
    else:
        tracks.root[:, 2] += 0.04 * reach
    give = bump((clock - 0.7) / 0.9, 0.4)
    _crouch(tracks, give, 0.06, 0.15)
    for side in (0, 1):
        feet(tracks, style, clock, side, (), 0.4 * reach * (level == "high"))
    tracks.root[:, 0] += 0.3 * away * reach
    tracks.spine[:, 0] += 1.2 * away * reach
    high, far = goal
    middle = through(
        clock,
        (0.0, (0.0, -0.3, 0.3)),
        (0.3, (0.0, -0.02, 0.32)),
        (0.7, (away, high, far)),
        (0.8, (away, high, far)),
        (1.25, (0.0, -0.1, 0.28)),
        (1.3 + hold, (0.0, -0.1, 0.28)),
        (2.1 + hold, (0.0, -0.35, 0.3)),
    )
    apart = 0.24 + 0.14 * bump((clock - 0.1) / 0.8)
    both_hands(tracks, style, 0, window(clock, 0.0, 2.2 + hold, 0.45, 0.6), middle, apart)
    words = {"where": {"high": "above the head", "chest": "at chest height", "low": "near the knees"}[level]}
    truth = {"action": "catch", "side": "both", "level": level}
    return Movement(tracks, truth, manners_of(style.tempo), words)


def _wide(
    tracks: Tracks,
    style: BodyStyle,
    clock: np.ndarray,
    side: int,
    end: float,
    hips: np.ndarray,
    stride: float,
) -> None:
    """A wide stance, the other foot a ``stride`` out; the foot of ``side`` pivots with the hips."""
    width = max(0.0, 0.42 - style.width)
    steps: list[Step] = [(0.0, 0.35, width, 0.0, 0.05), (end - 0.4, end, 0.0, 0.0, 0.0)]
    if stride:
        steps.insert(1, (0.85, 1.15, width + stride, 0.0, 0.2))
    feet(tracks, style, clock, 1 - side, steps)
    feet(tracks, style, clock, side, (), *_pivot(side, hips))
    away, share = -SIDES[side], window(clock, 0.0, end, 0.4, 0.45)
    tracks.root[:, 0] += away * 0.5 * width * share
    tracks.root[:, 0] -= away * 0.05 * (bump(clock / 0.4) + bump((clock - end + 0.45) / 0.45))


def swing_bat(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Swings a bat: a load away from the pitcher, a stride, hips, trunk and hands round in turn.

    The side is that of the batter's rear shoulder; the pitcher is on the other side.
    """
    side, tempo = pick_side(rng), style.tempo * rng.uniform(0.85, 1.15)
    size, level = rng.uniform(0.9, 1.1), rng.uniform(-0.08, 0.06)
    end = 3.0
    tracks, clock = stage(style, rng, end, tempo)
    hips = size * through(clock, (0.4, 0.0), (1.0, -0.3), (1.4, 0.75), (1.75, 0.9), (2.2, 0.8), (2.85, 0.0))
    _wide(tracks, style, clock, side, end, hips, rng.uniform(0.08, 0.2))
    _crouch(tracks, window(clock, 0.1, 2.8, 0.6, 0.7), 0.09, 0.35)
    shift = through(clock, (0.4, 0.0), (0.95, 1.0), (1.45, -1.0), (2.0, -0.8), (2.6, 0.0))
    tracks.root[:, 0] += SIDES[side] * 0.07 * shift
    turn_trunk(tracks, side, hips, 0.85, 0.9)
    tracks.head[:, 0] -= SIDES[side] * 0.9 * window(clock, 0.1, 2.3, 0.5, 0.7)
    middle = through(
        clock,
        (0.0, (0.0, -0.3, 0.3)),
        (0.55, (0.2, 0.12, 0.28)),
        (1.1, (0.27, 0.16, 0.2)),
        (1.3, (0.18, 0.0 + level, 0.34)),
        (1.44, (-0.04, -0.06 + level, 0.46)),
        (1.6, (-0.25, 0.06, 0.34)),
        (1.8, (-0.3, 0.2, 0.16)),
        (2.2, (-0.28, 0.18, 0.17)),
        (2.85, (0.0, -0.3, 0.3)),
    )
    both_hands(tracks, style, side, window(clock, 0.0, end, 0.45, 0.5), middle, 0.08)
    return Movement(tracks, {"action": "swing bat", "side": SIDE_NAMES[side]}, manners_of(tempo))


def golf(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Swings a golf club: address, backswing to the named side, downswing, finish over the other shoulder."""
    side, tempo = pick_side(rng), style.tempo * rng.uniform(0.85, 1.15)
    full, hold = rng.uniform(0.8, 1.0), rng.uniform(0.1, 0.7)
    end = 3.8 + hold
    tracks, clock = stage(style, rng, end, tempo)
    done = 2.35 + hold
    hips = full * through(
        clock, (0.75, 0.0), (1.6, -0.5), (2.0, 0.45), (2.35, 1.0), (done, 1.0), (done + 0.9, 0.0)
    )
    _wide(tracks, style, clock, side, end, hips, 0.0)
    bent = window(clock, 0.0, done + 0.6, 0.6, 0.9) - 0.75 * window(clock, 2.0, done + 0.8, 0.35, 0.8)
    tracks.bend(bent, low=0.05, back=0.07, hips=0.42, spine=0.32, head=0.25)
    shift = through(clock, (0.75, 0.0), (1.5, 1.0), (2.0, -0.8), (2.4, -1.3), (done, -1.3), (done + 0.9, 0.0))
    tracks.root[:, 0] += SIDES[side] * 0.055 * shift
    # The eyes stay on the ball until it is struck, then follow it.
    free = window(clock, 2.05, done + 0.8, 0.3, 0.8)
    angle = turn_trunk(tracks, side, hips, 0.9, 0.0)
    tracks.head[:, 0] += SIDES[side] * angle * (0.85 * (1 - free)) - SIDES[side] * 0.25 * free
    high = 0.3 * full
    middle = through(
        clock,
        (0.0, (0.0, -0.32, 0.28)),
        (0.5, (0.0, -0.34, 0.36)),
        (0.75, (0.0, -0.34, 0.36)),
        (1.15, (0.14, -0.16, 0.42)),
        (1.6, (0.22, high, 0.28)),
        (1.7, (0.21, high, 0.28)),
        (1.9, (0.12, -0.1, 0.4)),
        (2.04, (-0.02, -0.34, 0.38)),
        (2.17, (-0.16, -0.12, 0.43)),
        (2.4, (-0.24, high, 0.22)),
        (done, (-0.24, high, 0.2)),
        (done + 1.0, (0.0, -0.34, 0.3)),
    )
    both_hands(tracks, style, side, window(clock, 0.0, end, 0.5, 0.6), middle, 0.07)
    return Movement(tracks, {"action": "golf swing", "side": SIDE_NAMES[side]}, manners_of(tempo))


def forehand(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Hits a tennis forehand: shoulders turn, the other foot steps, the arm swings low to high across."""
    side, tempo = pick_side(rng), style.tempo * rng.uniform(0.85, 1.15)
    size, low = rng.uniform(0.85, 1.1), rng.uniform(-0.6, -0.35)
    tracks, clock = stage(style, rng, 2.9, tempo)
    hips = size * through(clock, (0.1, 0.0), (0.8, -0.5), (1.25, 0.35), (1.6, 0.5), (2.6, 0.0))
    steps = ((0.55, 0.98, 0.02, 0.32, 0.0), (2.1, 2.6, 0.0, 0.0, 0.0))
    feet(tracks, style, clock, 1 - side, steps)
    feet(tracks, style, clock, side, (), *_pivot(side, 1.3 * hips))
    tracks.root[:, 2] += 0.2 * window(clock, 0.6, 2.6, 0.6, 0.7)
    tracks.root[:, 0] += SIDES[side] * 0.06 * (bump((clock - 0.2) / 0.9) + 0.6 * bump((clock - 2.0) / 0.6))
    _crouch(tracks, window(clock, 0.0, 2.5, 0.5, 0.8), 0.09, 0.3)
    turn_trunk(tracks, side, hips, 0.9)
    path = through(
        clock,
        (0.0, HANG),
        (0.35, (0.05, -0.35, 0.55)),
        (0.75, (0.72, 0.1, -0.1)),
        (0.98, (0.72, low, -0.22)),
        (1.18, (0.62, -0.28, 0.55)),
        (1.34, (0.0, 0.05, 0.88)),
        (1.55, (-0.42, 0.36, 0.42)),
        (1.8, (-0.42, 0.34, 0.36)),
        (2.6, HANG),
    )
    hand(tracks, side, window(clock, 0.0, 2.75, 0.3, 0.35), path, 0.3 * bump((clock - 1.0) / 1.2))
    point = through(
        clock,
        (0.0, HANG),
        (0.35, (-0.1, -0.3, 0.5)),
        (0.85, (0.0, 0.02, 0.85)),
        (1.3, (0.3, -0.1, 0.42)),
        (1.8, (0.2, -0.2, 0.4)),
        (2.6, HANG),
    )
    hand(tracks, 1 - side, window(clock, 0.0, 2.75, 0.3, 0.35), point)
    return Movement(tracks, {"action": "tennis forehand", "side": SIDE_NAMES[side]}, manners_of(tempo))


def serve(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Serves: the other hand tosses the ball up, the body arches and hits it high above the head."""
    side, tempo = pick_side(rng), style.tempo * rng.uniform(0.85, 1.15)
    size = rng.uniform(0.85, 1.1)
    tracks, clock = stage(style, rng, 3.7, tempo)
    hips = size * through(clock, (0.3, 0.0), (1.3, -0.5), (1.8, 0.35), (2.2, 0.45), (3.2, 0.0))
    load = through(clock, (0.5, 0.0), (1.35, 1.0), (1.72, -0.5), (2.0, 0.2), (2.6, 0.3), (3.4, 0.0))
    heels = 0.5 * window(clock, 1.45, 2.2, 0.28, 0.4)
    feet(tracks, style, clock, 1 - side, ((0.0, 0.4, 0.0, 0.28, 0.0), (2.9, 3.4, 0.0, 0.0, 0.0)), heels)
    heel, pivot = _pivot(side, 1.1 * hips)
    feet(tracks, style, clock, side, (), np.maximum(heel, heels), pivot)
    tracks.root[:, 2] += 0.14 * window(clock, 0.0, 3.4, 0.45, 0.6) + 0.08 * window(clock, 1.4, 3.0, 0.5, 0.8)
    tracks.root[:, 0] += SIDES[side] * 0.05 * (bump(clock / 0.45) + bump((clock - 2.85) / 0.55))
    tracks.root[:, 1] -= 0.1 * load + 0.03 * window(clock, 0.0, 3.3, 0.5, 0.6) - 0.04 * (heels / 0.5)
    turn_trunk(tracks, side, hips, 0.9)
    arch = through(clock, (0.6, 0.0), (1.4, -0.32), (1.95, 0.6), (2.3, 0.5), (3.2, 0.0))
    tracks.bend(arch, hips=0.3, spine=0.8)
    tilt = through(clock, (0.6, 0.0), (1.35, 0.22), (1.75, -0.28), (2.2, 0.0))
    tracks.spine[:, 2] += SIDES[side] * tilt
    tracks.head[:, 1] -= 0.55 * window(clock, 0.9, 2.0, 0.4, 0.3) + 0.3 * arch
    path = through(
        clock,
        (0.0, HANG),
        (0.4, (0.0, -0.4, 0.55)),
        (0.85, (0.3, -0.9, 0.0)),
        (1.2, (0.7, -0.2, -0.3)),
        (1.45, (0.62, 0.3, -0.12)),
        (1.62, (0.42, 0.52, -0.18)),
        (1.8, (0.1, 0.97, 0.16)),
        (1.96, (-0.1, 0.35, 0.85)),
        (2.18, (-0.42, -0.5, 0.5)),
        (2.5, (-0.35, -0.62, 0.35)),
        (3.2, HANG),
    )
    hand(tracks, side, window(clock, 0.0, 3.4, 0.3, 0.4), path)
    toss = through(
        clock,
        (0.0, HANG),
        (0.4, (-0.2, -0.4, 0.55)),
        (0.75, (0.0, -0.75, 0.5)),
        (1.25, (0.08, 0.85, 0.45)),
        (1.5, (0.08, 0.85, 0.42)),
        (1.85, (-0.15, -0.2, 0.4)),
        (2.4, (0.1, -0.4, 0.4)),
        (3.2, HANG),
    )
    hand(tracks, 1 - side, window(clock, 0.0, 3.4, 0.3, 0.4), toss)
    return Movement(tracks, {"action": "tennis serve", "side": SIDE_NAMES[side]}, manners_of(tempo))
