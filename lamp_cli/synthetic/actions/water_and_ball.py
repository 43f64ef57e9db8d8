"""Swimming strokes shown on land, and a basketball dribbled and shot. Knows no water and no ball."""

from __future__ import annotations

import numpy as np

from ..body import SIDES
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..stance import both_hands, feet, hand, stage, turn_trunk
from ..style import BodyStyle
from ..time_curves import bump, through, window


def swim(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Swims on land: front crawl, backstroke or breaststroke, standing, bent forward or leant back."""
    stroke = ("front crawl", "backstroke", "breaststroke")[int(rng.integers(3))]
    count, period = int(rng.integers(3, 6)), rng.uniform(1.0, 1.4) * style.tempo
    tracks, clock = stage(style, rng, count * period + 1.4, 1.0)
    share = window(clock, 0.0, count * period + 1.3, 0.7, 0.7)
    bend = {"front crawl": 0.55, "backstroke": -0.18, "breaststroke": 0.5}[stroke] * float(
        rng.uniform(0.8, 1.1)
    )
    tracks.bend(share, low=0.05, back=0.1 * bend, hips=0.6 * bend, spine=0.6 * bend, head=-0.6 * bend)
    phase = 2 * np.pi * np.clip(clock - 0.6, 0.0, count * period) / period
    for side in (0, 1):
        own = phase + np.pi * side
        if stroke == "breaststroke":
            # Together ahead, out and back in a circle, and ahead again under the chest.
            out, far = 0.12 + 0.5 * np.sin(phase / 2) ** 2, 0.2 + 0.7 * np.cos(phase / 2) ** 2
            goal = np.stack([out, -0.05 - 0.15 * np.sin(phase / 2) ** 2, far], axis=-1)
        else:
            # A wheel at the shoulder: ahead over the head for the crawl, backwards for the backstroke.
            around = own if stroke == "front crawl" else -own
            goal = np.stack([0.2 + 0.1 * np.sin(own), 0.85 * np.cos(around), 0.85 * np.sin(around)], axis=-1)
        hand(tracks, side, share, goal)
    if stroke != "breaststroke":
        roll = 0.3 * np.sin(phase) * share * (1 if stroke == "front crawl" else -1)
        tracks.spine[:, 0] += roll
        tracks.head[:, 0] -= 0.6 * roll
    truth = {"action": "swim", "stroke": stroke, "count": count}
    return Movement(tracks, truth, manners_of(period / 1.2))


def dribble(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Dribbles a ball with one hand, knees bent, the other arm kept between."""
    side, count = pick_side(rng), int(rng.integers(3, 8))
    period = rng.uniform(0.5, 0.7) * style.tempo
    tracks, clock = stage(style, rng, count * period + 1.3, 1.0)
    end = count * period + 1.2
    share = window(clock, 0.0, end, 0.5, 0.6)
    tracks.bend(share, low=0.1, back=0.04, hips=0.2, spine=0.25, knees=0.1)
    beats = np.clip((clock - 0.55) / period, 0.0, count)
    down = (0.5 - 0.5 * np.cos(2 * np.pi * beats)) ** 1.3
    goal = np.stack([0.28 + 0 * down, -0.42 - 0.36 * down, 0.5 - 0.08 * down], axis=-1)
    hand(tracks, side, share, goal)
    hand(tracks, 1 - side, 0.8 * share, (0.35, -0.5, 0.45))
    tracks.spine[:, 2] -= 0.04 * SIDES[side] * down * share
    tracks.root[:, 1] -= 0.015 * down * share
    truth = {"action": "dribble", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(period / 0.6))


def shoot(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Shoots a basketball: a dip, legs and arms stretch up together, one hand follows through."""
    side = pick_side(rng)
    tempo = style.tempo * rng.uniform(0.85, 1.15)
    tracks, clock = stage(style, rng, 2.9, tempo)
    dip = bump((clock - 0.35) / 0.85, 0.6)
    tracks.bend(dip, low=0.16, back=0.05, hips=0.22)
    tracks.spine[:, 1] += 0.15 * dip - 0.08 * window(clock, 1.0, 2.2, 0.3, 0.5)
    tracks.head[:, 1] -= 0.25 * window(clock, 0.2, 2.4, 0.5, 0.5)
    rise = window(clock, 1.02, 1.9, 0.2, 0.35)
    for foot in (0, 1):
        feet(tracks, style, clock, foot, (), 0.5 * rise)
    tracks.root[:, 1] += 0.05 * rise
    turn_trunk(tracks, side, 0.1 * window(clock, 0.4, 2.2, 0.5, 0.5), 0.5)
    middle = through(
        clock,
        (0.0, (0.0, -0.3, 0.3)),
        (0.35, (0.03, -0.12, 0.3)),
        (0.7, (0.05, -0.2, 0.28)),
        (1.0, (0.08, 0.3, 0.24)),
        (1.22, (0.1, 0.6, 0.3)),
        (1.6, (0.1, 0.58, 0.32)),
        (2.5, (0.0, -0.3, 0.3)),
    )
    both_hands(tracks, style, side, window(clock, 0.0, 2.6, 0.4, 0.6), middle, 0.2)
    return Movement(tracks, {"action": "shoot", "side": SIDE_NAMES[side]}, manners_of(tempo))
