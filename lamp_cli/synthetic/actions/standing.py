"""What a body does with its feet in place: arms, head and trunk."""

from __future__ import annotations

import numpy as np

from ..body import SIDES, Tracks, reach, reach_both
from ..hand_goals import BOTH, path
from ..movement import SIDE_NAMES, Movement, manners_of, pick_hands, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, keys, window


def stand_busy(
    style: BodyStyle, rng: np.random.Generator, busy: float, rise: float = 0.6, after: float | None = None
) -> tuple[Tracks, np.ndarray, float, np.ndarray]:
    """Standing tracks with ``busy`` seconds before the last ``after``; their times; when they begin.

    Last the share (T,) of what is done: it rises, and falls, in ``rise`` seconds.
    """
    start = rng.uniform(0.2, 0.6)
    rest = rng.uniform(0.3, 0.8) if after is None else after
    tracks = style.stand(max(2.1, start + busy + rest), rng)
    t = np.arange(len(tracks)) / FPS
    return tracks, t, start, window(t, start, start + busy, rise, rise)


def stand(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Stands still."""
    tracks = style.stand(rng.uniform(2.2, 6.0), rng)
    return Movement(tracks, {"action": "stand"})


def wave(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Waves one hand or both."""
    arms, name = pick_hands(rng)
    count, period = int(rng.integers(3, 7)), rng.uniform(0.4, 0.65) * style.tempo
    tracks, t, start, share = stand_busy(style, rng, count * period + 1.2, 0.6)
    swing = np.sin(2 * np.pi * (t - start) / period) * 0.22 * style.energy
    high = rng.uniform(0.45, 0.7)
    for side in arms:
        reach(tracks, side, share, path(0.35 + swing, high, 0.15))
    tracks.spine[:, 2] += 0.05 * share * (sum(-SIDES[s] for s in arms) if len(arms) == 1 else 0.0)
    return Movement(tracks, {"action": "wave", "side": name}, manners_of(period / 0.52))


def raise_arms(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Raises one arm or both overhead and lowers them."""
    arms, name = pick_hands(rng)
    hold = rng.uniform(0.4, 2.0)
    tracks, _, _, share = stand_busy(style, rng, hold + 2.0 * style.tempo, 0.9 * style.tempo)
    for side in arms:
        reach(tracks, side, share, (0.1, 0.95, 0.1))
    return Movement(tracks, {"action": "raise arms", "side": name}, manners_of(style.tempo))


def arms_out(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Spreads both arms to the sides."""
    tracks, _, _, share = stand_busy(style, rng, 3.0, 0.8 * style.tempo)
    reach_both(tracks, share, (0.98, 0.0, 0.05))
    return Movement(tracks, {"action": "arms out", "side": "both"})


def clap(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Claps some times."""
    count, period = int(rng.integers(2, 7)), rng.uniform(0.35, 0.55) * style.tempo
    tracks, t, start, share = stand_busy(style, rng, count * period + 1.0, 0.5)
    apart = 0.5 * (1 + np.cos(2 * np.pi * np.clip((t - start - 0.5) / period, 0, count)))
    reach_both(tracks, share, path(-0.27 + 0.3 * apart, -0.1, 0.55))
    return Movement(tracks, {"action": "clap", "count": count}, manners_of(period / 0.45))


def punch(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Punches straight ahead with one fist or both in turn."""
    side, count = pick_side(rng), int(rng.integers(1, 4))
    alternating = count > 1 and rng.random() < 0.35
    period = rng.uniform(0.6, 0.9) * style.tempo
    tracks, t, start, guard = stand_busy(style, rng, count * period + 1.4, 0.55)
    reach_both(tracks, guard, (-0.1, 0.0, 0.38))
    for number in range(count):
        arm = side if not alternating or number % 2 == 0 else 1 - side
        at = start + 0.6 + number * period
        strike = keys(t, (0.0, 0.0), (at, 0.0), (at + 0.22, 1.0), (at + 0.3, 1.0), (at + 0.55, 0.0))
        reach(tracks, arm, strike, (-0.22, 0.06, 0.95))
        tracks.spine[:, 0] -= strike * 0.45 * SIDES[arm]
        tracks.spine[:, 1] += strike * 0.12
    name = "both" if alternating else SIDE_NAMES[side]
    return Movement(tracks, {"action": "punch", "side": name, "count": count})


def throw(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Throws something overhand."""
    side = pick_side(rng)
    tracks, t, start, _ = stand_busy(style, rng, 2.2)
    hand = keys(
        t,
        (0.0, (0.1, -0.95, 0.05)),
        (start + 0.05, (0.1, -0.95, 0.05)),
        (start + 0.7, (0.45, 0.42, -0.35)),
        (start + 1.0, (0.1, 0.45, 0.8)),
        (start + 1.3, (-0.35, -0.45, 0.55)),
        (start + 2.0, (0.1, -0.95, 0.05)),
    )
    reach(tracks, side, window(t, start, start + 2.2, 0.3, 0.4), hand)
    twist = keys(t, (0.0, 0.0), (start, 0.0), (start + 0.7, -0.55), (start + 1.1, 0.55), (start + 2.0, 0.0))
    tracks.spine[:, 0] -= twist * SIDES[side]
    tracks.spine[:, 1] += keys(t, (0.0, 0.0), (start + 0.7, -0.1), (start + 1.15, 0.3), (start + 2.0, 0.0))
    return Movement(tracks, {"action": "throw", "side": SIDE_NAMES[side]})


def drink(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Takes a drink."""
    side = pick_side(rng)
    tracks, t, start, share = stand_busy(style, rng, 3.2, 0.9)
    reach(tracks, side, share, (-0.24, 0.22, 0.36))
    tracks.head[:, 1] -= 0.3 * window(t, start + 0.8, start + 2.5, 0.4, 0.4)
    return Movement(tracks, {"action": "drink", "side": SIDE_NAMES[side]})


def phone(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Holds a phone to the ear."""
    side = pick_side(rng)
    tracks, _, _, share = stand_busy(style, rng, 4.0, 0.8)
    reach(tracks, side, share, (0.02, 0.36, 0.18))
    return Movement(tracks, {"action": "phone", "side": SIDE_NAMES[side]})


def bow(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Bows."""
    hold, deep = rng.uniform(0.2, 1.0), rng.uniform(0.5, 0.95)
    tracks, _, _, share = stand_busy(style, rng, hold + 2.0 * style.tempo, 0.9 * style.tempo)
    tracks.bend(share, back=0.12 * deep, hips=0.55 * deep, spine=0.65 * deep)
    return Movement(tracks, {"action": "bow"}, manners_of(style.tempo))


def move_head(action: str, style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Nods ("nod") or shakes the head ("shake head")."""
    count, period = int(rng.integers(2, 5)), rng.uniform(0.6, 0.9) * style.tempo
    tracks, t, start, _ = stand_busy(style, rng, count * period)
    wave_ = np.sin(2 * np.pi * np.clip((t - start) / period, 0, count))
    tracks.head[:, 1 if action == "nod" else 0] += 0.4 * style.energy * wave_
    return Movement(tracks, {"action": action, "count": count})


def look_around(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Looks to both sides."""
    first = pick_side(rng)
    tracks, t, start, _ = stand_busy(style, rng, 4.0)
    sign = SIDES[first]
    look = keys(
        t,
        (0.0, 0.0),
        (start, 0.0),
        (start + 0.7, sign),
        (start + 1.4, sign),
        (start + 2.4, -sign),
        (start + 3.1, -sign),
        (start + 3.9, 0.0),
    )
    tracks.head[:, 0] += 0.85 * look
    tracks.spine[:, 0] += 0.3 * look
    return Movement(tracks, {"action": "look around", "first": SIDE_NAMES[first]})


def stretch(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Stretches sideways with the arms overhead."""
    side = pick_side(rng)
    tracks, t, start, share = stand_busy(style, rng, 4.2, 1.0)
    reach_both(tracks, share, (-0.05, 0.97, 0.05))
    lean = window(t, start + 1.0, start + 3.2, 0.8, 0.8)
    tracks.spine[:, 2] += 0.5 * lean * SIDES[side]
    tracks.pelvis[:, 2] += 0.08 * lean * SIDES[side]
    return Movement(tracks, {"action": "stretch", "side": SIDE_NAMES[side]})


def sway(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Sways from side to side, as in a slow dance."""
    period, seconds = rng.uniform(1.1, 1.8), rng.uniform(4.0, 6.5)
    tracks, t, start, share = stand_busy(style, rng, seconds, 0.8)
    swing = np.sin(2 * np.pi * (t - start) / period) * share
    tracks.root[:, 0] += 0.07 * swing
    tracks.root[:, 1] -= 0.025 * share
    tracks.pelvis[:, 2] += 0.09 * swing
    tracks.spine[:, 2] -= 0.16 * swing
    tracks.spine[:, 0] += 0.12 * swing
    for side in BOTH:
        beat = 0.08 * np.sin(4 * np.pi * (t - start) / period)
        reach(tracks, side, share, path(0.25, -0.3 + beat, 0.4))
    return Movement(tracks, {"action": "dance", "count": round(seconds / period)})
