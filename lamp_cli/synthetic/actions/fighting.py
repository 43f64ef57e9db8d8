"""Strikes, kicks and blocks of fighting. Knows no opponent.

A strike starts from the ground: the weight shifts, the pelvis turns, the spine follows and the arm comes
last, each delayed against the one below it (Putnam, "Sequential motions of body segments in striking and
throwing skills", J. Biomechanics 1993).
"""

from __future__ import annotations

import numpy as np

from ..body import LEG, SIDES, Tracks, solve
from ..movement import SIDE_NAMES, Movement, manners_of, pick_hands, pick_side
from ..stance import GUARD, ahead, both_hands, feet, hand, stage, stance, turn_trunk
from ..style import BodyStyle
from ..time_curves import in_turn, lagged, through, window

# Of the hip, in leg lengths.
HANGING_FOOT = (0.0, -0.9, 0.0)


def _guard(tracks: Tracks, clock: np.ndarray, end: float) -> np.ndarray:
    share = window(clock, 0.0, end, 0.5, 0.5)
    for arm in (0, 1):
        hand(tracks, arm, share, GUARD)
    return share


def _punches(
    style: BodyStyle, rng: np.random.Generator, begin: float, period: float, count: int
) -> tuple[Tracks, np.ndarray, float, np.ndarray]:
    """Tracks, clock, the clock's end and when each of ``count`` strikes begins."""
    end = begin + count * period + 0.5
    tracks, clock = stage(style, rng, end, style.tempo)
    return tracks, clock, end, begin + period * np.arange(count)


def hook(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Hooks: a bent arm swings round from the side, driven by the turning hips."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2, 3]))
    size = rng.uniform(0.85, 1.15) * style.energy
    tracks, clock, end, begins = _punches(style, rng, 0.6, rng.uniform(0.85, 1.1), count)
    hips = size * in_turn(clock, begins, (0.0, 0.0), (0.24, -0.25), (0.44, 0.55), (0.85, 0.0))
    path = in_turn(
        clock,
        begins,
        (0.0, (0, 0, 0)),
        (0.26, (0.4, -0.1, -0.1)),
        (0.42, (0.72, -0.02, 0.16)),
        (0.56, (-0.12, 0.04, 0.24)),
        (0.64, (-0.22, 0.04, 0.12)),
        (0.85, (0, 0, 0)),
        rest=GUARD,
    )
    elbow = np.sum([window(clock, at + 0.1, at + 0.85, 0.3, 0.3) for at in begins], axis=0)
    front = 1 - side if rng.random() < 0.6 else side
    push = np.clip(hips, 0, 1)
    stance(tracks, style, clock, front, end, 0.6 * push, -SIDES[side] * 0.7 * push * (front != side))
    turn_trunk(tracks, side, hips, 0.75)
    tracks.root[:, 0] -= 0.09 * SIDES[side] * hips
    hand(tracks, side, _guard(tracks, clock, end), path, elbow)
    truth = {"action": "hook", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def uppercut(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Uppercuts: the body dips and the fist rises from below with the legs' push."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2, 3]))
    size = rng.uniform(0.85, 1.15) * style.energy
    tracks, clock, end, begins = _punches(style, rng, 0.6, rng.uniform(0.9, 1.15), count)
    hips = size * in_turn(clock, begins, (0.0, 0.0), (0.28, -0.3), (0.5, 0.5), (0.9, 0.0))
    dip = size * in_turn(clock, begins, (0.0, 0.0), (0.28, 1.0), (0.5, -0.4), (0.9, 0.0))
    path = in_turn(
        clock,
        begins,
        (0.0, (0, 0, 0)),
        (0.3, (0.2, -0.72, -0.16)),
        (0.42, (0.14, -0.45, 0.14)),
        (0.58, (0.06, 0.42, 0.14)),
        (0.9, (0, 0, 0)),
        rest=GUARD,
    )
    front = 1 - side if rng.random() < 0.6 else side
    push = np.clip(hips, 0, 1)
    stance(tracks, style, clock, front, end, 0.7 * push, -SIDES[side] * 0.6 * push * (front != side))
    turn_trunk(tracks, side, hips, 0.6)
    tracks.bend(dip, low=0.06, spine=0.14)
    tracks.spine[:, 2] += SIDES[side] * 0.12 * dip
    hand(tracks, side, _guard(tracks, clock, end), path)
    truth = {"action": "uppercut", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def block(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Raises one forearm or both against a blow and leans back."""
    (arms, name), hold = pick_hands(rng), rng.uniform(0.3, 1.1)
    high, end = rng.uniform(0.3, 0.55), 1.9 + hold
    tracks, clock = stage(style, rng, end, style.tempo)
    stance(tracks, style, clock, 1 - arms[0], end, long=0.25)
    _guard(tracks, clock, end)
    up = window(clock, 0.6, 1.4 + hold, 0.3, 0.5)
    for arm in arms:
        hand(tracks, arm, up, (-0.12 if len(arms) == 2 else -0.25, high, 0.5), 0.75)
    if name != "both":
        turn_trunk(tracks, arms[0], 0.3 * up, 0.7)
    tracks.bend(lagged(up, 1.0) * style.energy, low=0.03, back=0.09, hips=-0.1, spine=-0.3, head=0.35)
    return Movement(tracks, {"action": "block", "side": name}, manners_of(style.tempo))


def box(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Boxes: jabs of the front hand and crosses of the rear hand in turn, swaying on the feet."""
    lead, count = pick_side(rng), int(rng.integers(2, 7))
    tracks, clock, end, begins = _punches(style, rng, 0.7, rng.uniform(0.42, 0.6), count)
    hips = np.zeros(len(clock))
    paths = [np.zeros((len(clock), 3)) for _ in (0, 1)]
    for number, at in enumerate(begins):
        arm = lead if number % 2 == 0 else 1 - lead
        size = 0.22 if number % 2 == 0 else -0.62
        hips += size * through(clock, (at - 0.1, 0.0), (at + 0.2, 1.0), (at + 0.3, 0.9), (at + 0.62, 0.0))
        far = through(clock, (at, 0.0), (at + 0.24, 1.0), (at + 0.3, 0.97), (at + 0.56, 0.0))
        paths[arm] += far[:, None] * (np.array([-0.22, 0.08, 0.95]) - GUARD)
    share = window(clock, 0.0, end, 0.45, 0.45)
    bounce = np.sin(2 * np.pi * clock / rng.uniform(0.5, 0.8)) * window(clock, 0.3, end - 0.3, 0.3, 0.3)
    rear = np.clip(-hips, 0, 1)
    stance(tracks, style, clock, lead, end, 0.7 * rear, -SIDES[1 - lead] * 0.6 * rear)
    tracks.root[:, 2] += 0.06 * rear + 0.025 * bounce
    tracks.root[:, 1] -= 0.012 * (1 - np.abs(bounce)) * share
    tracks.root[:, 0] += 0.02 * np.roll(bounce, 3) * share
    angle = turn_trunk(tracks, lead, hips, 0.65)
    guard = window(clock, 0.0, end, 0.5, 0.5)
    for arm, sign in ((lead, 1.0), (1 - lead, -1.0)):
        struck = np.clip(np.linalg.norm(paths[arm], axis=-1, keepdims=True) / 0.5, 0, 1)
        straight = ahead(GUARD + paths[arm], sign * angle)
        hand(tracks, arm, guard, GUARD + paths[arm] + struck * (straight - GUARD - paths[arm]))
    truth = {"action": "box", "side": "both", "first": SIDE_NAMES[lead], "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def kicked(
    tracks: Tracks, style: BodyStyle, side: int, share: np.ndarray, path: np.ndarray, pitch: np.ndarray
) -> None:
    """A foot leaves the ground by ``share`` (T,) for ``path`` (T, 3): outward, up, ahead of its hip.

    In leg lengths; ``pitch`` (T,) is the foot's. Needs pelvis and supporting foot in their final places.
    """
    tracks.planted[:, side] &= share <= 1e-6
    hip = solve(tracks, style.offsets)[:, 1 + side]
    goal = hip + path * LEG[side] * np.array([SIDES[side], 1.0, 1.0])
    tracks.ankle[:, side] += share[:, None] * (goal - tracks.ankle[:, side])
    tracks.foot[:, side, 1] += share * pitch


def _support(
    tracks: Tracks,
    style: BodyStyle,
    clock: np.ndarray,
    side: int,
    end: float,
    pivot: np.ndarray | float = 0.0,
) -> None:
    """The weight moves over the other foot, which may ``pivot`` on its ball and whose knee gives."""
    share = window(clock, 0.0, end, 0.4, 0.45)
    tracks.root[:, 0] -= SIDES[side] * 0.46 * style.width * share
    tracks.root[:, 1] -= 0.025 * share
    tracks.knee[:, 1 - side] += 0.1 * share
    feet(tracks, style, clock, 1 - side, (), 0.25 * np.abs(pivot), pivot)


def side_kick(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Kicks out to the side: the knee is drawn up, the leg thrust sideways, the trunk leans away."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2]))
    high, period = rng.uniform(-0.32, 0.08), 1.5
    end, begins = 0.7 + count * period, 0.3 + period * np.arange(count)
    tracks, clock = stage(style, rng, end, style.tempo)
    up = np.sum([window(clock, at, at + 1.45, 0.3, 0.4) for at in begins], axis=0)
    out = in_turn(clock, begins, (0.2, 0.0), (0.62, 1.0), (0.7, 0.97), (1.2, 0.0))
    path = in_turn(
        clock,
        begins,
        (0.0, (0, 0, 0)),
        (0.4, (0.08, 0.5, 0.24)),
        (0.65, (0.96, 0.9 + high, 0.04)),
        (0.72, (0.96, 0.9 + high, 0.04)),
        (1.0, (0.2, 0.5, 0.2)),
        (1.45, (0, 0, 0)),
        rest=HANGING_FOOT,
    )
    away = -SIDES[side]
    _support(tracks, style, clock, side, end, away * 0.5 * out)
    lean = (0.45 + 0.6 * (high + 0.32)) * out
    tracks.pelvis[:, 2] += away * 0.75 * lean
    tracks.pelvis[:, 0] += away * 0.25 * out
    tracks.spine[:, 2] += away * 0.55 * lean
    tracks.head[:, 2] -= away * 0.6 * lean
    tracks.head[:, 0] -= away * 0.9 * window(clock, 0.1, end, 0.4, 0.6)
    tracks.root[:, 0] += away * 0.05 * out
    _guard(tracks, clock, end)
    hand(tracks, side, 0.75 * np.clip(out, 0, 1), (0.35, -0.6, 0.15))
    kicked(tracks, style, side, np.clip(up, 0, 1), path, 0.35 * (1 - np.clip(out, 0, 1)))
    name = SIDE_NAMES[side]
    truth = {"action": "side kick", "side": name, "direction": name, "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def back_kick(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Kicks straight back with the trunk bent ahead, looking over the shoulder."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2]))
    high, period = rng.uniform(-0.4, -0.12), 1.5
    end, begins = 0.7 + count * period, 0.3 + period * np.arange(count)
    tracks, clock = stage(style, rng, end, style.tempo)
    up = np.sum([window(clock, at, at + 1.45, 0.3, 0.4) for at in begins], axis=0)
    out = in_turn(clock, begins, (0.15, 0.0), (0.66, 1.0), (0.74, 1.0), (1.3, 0.0))
    path = in_turn(
        clock,
        begins,
        (0.0, (0, 0, 0)),
        (0.38, (0, 0.38, 0.26)),
        (0.68, (0, 0.9 + high, -0.93)),
        (0.76, (0, 0.9 + high, -0.93)),
        (1.05, (0, 0.25, -0.2)),
        (1.45, (0, 0, 0)),
        rest=HANGING_FOOT,
    )
    _support(tracks, style, clock, side, end)
    bend = (0.8 + 0.7 * (high + 0.4)) * out
    tracks.bend(bend, hips=0.75, spine=0.3)
    tracks.root[:, 2] += 0.06 * out
    look = window(clock, 0.1, end, 0.4, 0.6) * SIDES[side]
    tracks.head[:, 0] += 0.9 * look
    tracks.spine[:, 0] += 0.25 * look
    _guard(tracks, clock, end)
    kicked(tracks, style, side, np.clip(up, 0, 1), path, 0.3 + 0.9 * np.clip(out, 0, 1))
    truth = {"action": "back kick", "side": SIDE_NAMES[side], "direction": "backward", "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def knee_strike(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Drives a knee up while both hands pull down."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2, 3]))
    high, period = rng.uniform(0.0, 0.12), 1.15
    end, begins = 0.7 + count * period, 0.35 + period * np.arange(count)
    tracks, clock = stage(style, rng, end, style.tempo)
    up = np.sum([window(clock, at, at + 1.05, 0.25, 0.4) for at in begins], axis=0)
    out = in_turn(clock, begins, (0.0, 0.0), (0.45, 1.0), (0.52, 0.97), (1.0, 0.0))
    path = in_turn(
        clock,
        begins,
        (0.0, (0, 0, 0)),
        (0.2, (0, 0.16, -0.22)),
        (0.48, (-0.04, 0.6 + high, 0.3)),
        (0.54, (-0.04, 0.6 + high, 0.3)),
        (1.05, (0, 0, 0)),
        rest=HANGING_FOOT,
    )
    _support(tracks, style, clock, side, end)
    turn_trunk(tracks, side, 0.35 * out, 0.0)
    tracks.spine[:, 0] += SIDES[side] * 0.2 * lagged(out, 1.0)
    tracks.bend(out, back=-0.05, hips=-0.28, spine=0.2)
    share = window(clock, 0.0, end, 0.4, 0.5)
    pull = np.clip(out, 0, 1)[:, None]
    for arm in (0, 1):
        hand(tracks, arm, share, np.array([-0.15, 0.22, 0.62]) + pull * [0.12, -0.72, -0.3])
    kicked(tracks, style, side, np.clip(up, 0, 1), path, 0.5 * np.ones(len(clock)))
    truth = {"action": "knee strike", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))


def chop(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Strikes down from overhead with both hands, as with a sword or an axe."""
    front, count = pick_side(rng), int(rng.choice([1, 1, 2, 3]))
    deep, period = rng.uniform(0.5, 1.0), rng.uniform(1.3, 1.6)
    end = 1.0 + count * period
    tracks, clock = stage(style, rng, end, style.tempo)
    ready, raised, low = (0.0, -0.12, 0.34), (0.0, 0.5, -0.02), (0.0, -0.2 - 0.1 * deep, 0.4)
    knots: list[tuple[float, tuple[float, float, float]]] = [(0.0, (0.0, -0.3, 0.3)), (0.45, ready)]
    begins = 0.45 + period * np.arange(count)
    for at in begins:
        knots += [(at + 0.05, ready), (at + 0.35, (0.0, 0.32, 0.33)), (at + 0.62, raised)]
        knots += [(at + 0.86, (0.0, 0.3, 0.45)), (at + 1.02, low), (at + 1.12, low), (at + period, ready)]
    drive = in_turn(clock, begins, (0.0, 0.0), (0.6, -0.45), (0.98, 1.0), (1.1, 1.0), (period, 0.0))
    stance(tracks, style, clock, front, end, 0.3 * np.clip(drive, 0, 1), long=0.38)
    tracks.spine[:, 1] += (0.2 + 0.3 * deep) * lagged(drive, 1.0)
    tracks.bend(drive, back=-0.06, hips=0.08 + 0.2 * deep, head=-0.2)
    tracks.root[:, 1] -= (0.03 + 0.05 * deep) * np.clip(drive, 0, 1)
    share = window(clock, 0.0, end, 0.45, 0.5)
    both_hands(tracks, style, front, share, through(clock, *knots, (end, (0.0, -0.3, 0.3))))
    truth = {"action": "chop", "side": "both", "direction": "down", "count": count}
    return Movement(tracks, truth, manners_of(style.tempo))
