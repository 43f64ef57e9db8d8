"""What is in the way: stepping over and jumping over something, climbing stairs up and down.

The obstacle and the stairs are not seen, only what the body does about them. Knows where each foot stands.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body import SIDES, Tracks
from ..contacts import (
    Contact,
    distance,
    resting,
    set_feet,
    set_height,
    set_pelvis,
    set_upper,
    standing_contacts,
)
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, GRAVITY, ease, keys, smooth, snap, window
from .jumping import swing_arms


def _walked(style: BodyStyle, rng: np.random.Generator, contacts: list[Contact]) -> Tracks:
    """Tracks of stepping from contact to contact, the pelvis over the middle of the feet."""
    last = max(c.land for c in contacts)
    tracks = style.stand(max(2.1, last + 0.5), rng)
    set_feet(tracks, resting(contacts))
    # Between the feet, the pelvis moves on evenly rather than in jerks.
    place = smooth(tracks.ankle[:, :, [0, 2]].mean(1), 3.0)
    set_pelvis(tracks, place - place[0], np.zeros(len(tracks)), 0.45)
    return tracks


def _step(contacts: list[Contact], side: int, lift: float, land: float, contact: Contact) -> None:
    """Add the contact to which a foot swings between two times."""
    last = max(n for n, c in enumerate(contacts) if c.side == side)
    contacts[last] = replace(contacts[last], leave=snap(lift))
    contacts.append(replace(contact, side=side, land=snap(land)))


def step_over(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks up to something, steps over it with one high foot after the other, and walks on."""
    high, first = rng.uniform(0.22, 0.48), pick_side(rng)
    before, after = int(rng.integers(0, 4)), int(rng.integers(1, 4))
    stride, beat = rng.uniform(0.45, 0.6), rng.uniform(0.5, 0.62) * style.tempo
    slow = beat * rng.uniform(1.5, 1.9)
    contacts = standing_contacts(style)
    clock, z, barrier = rng.uniform(0.3, 0.6), 0.0, 0.0
    total = before + 2 + after
    for k in range(total + 1):
        side = (first + k - before) % 2
        over = k in (before, before + 1)
        if k == before:
            # The foot behind stands half a step away; this one swings from behind it to beyond.
            barrier = z + 0.33
            z = barrier + 0.28
        elif over:
            z = barrier + 0.28 + 0.35
        elif k < total:
            z += stride
        _, rest, yaw, _ = standing_contacts(style)[side].spot
        half = style.width / 2 if k >= total - 1 else 0.08
        spot = (float(SIDES[side] * half), float(z + rest), yaw, 0.0)
        swing = slow if over else 0.8 * beat
        clear = high + 0.1 if over else 0.07
        push = 0.45 if over else 0.6
        _step(contacts, side, clock, clock + swing, Contact(side, 0.0, 0.0, spot, clear, -0.1, push))
        clock += swing + (0.25 * slow if over else 0.2 * beat)
    tracks = _walked(style, rng, contacts)
    t = np.arange(len(tracks)) / FPS
    set_upper(style, tracks, arms=0.7)
    lifted = tracks.ankle[:, :, 1].max(1) > 0.25
    busy = smooth(lifted.astype(float), 4.0)
    tracks.bend(busy, spine=0.15, head=0.2)
    tracks.arm[..., 0] += 0.25 * busy[:, None]
    set_height(style, tracks, (), 0.0, [(0.2, 0.0), (0.6, -0.025), (t[-1] - 0.4, -0.015)])
    words = {"approach": before > 1}
    truth = {
        "action": "step over",
        "side": SIDE_NAMES[first],
        "direction": "forward",
        "height": round(high, 2),
        "barrier": round(barrier, 2),
        "distance": distance(tracks),
    }
    return Movement(tracks, truth, manners_of(style.tempo), words)


def jump_over(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps forward over something with both feet, knees drawn up."""
    rise, far = rng.uniform(0.22, 0.42), rng.uniform(0.7, 1.3)
    tuck, deep = rng.uniform(0.12, 0.28), rng.uniform(0.16, 0.26)
    start = snap(rng.uniform(0.2, 0.5))
    flight = snap(2 * np.sqrt(2 * rise / GRAVITY))
    off = start + snap(0.6 * style.tempo)
    on = off + flight
    soft = on + snap(0.3 * style.tempo)
    total = max(2.1, soft + snap(0.8 * style.tempo))
    spots = standing_contacts(style, (off, off))
    contacts = []
    for foot in spots:
        x, z, yaw, _ = foot.spot
        clear = GRAVITY * flight**2 / 8 + tuck
        contacts.append(replace(foot, push=0.75))
        contacts.append(Contact(foot.side, on, 99.0, (x, z + far, yaw, 0.0), clear, -0.05))
    tracks = style.stand(total, rng)
    t = np.arange(len(tracks)) / FPS
    set_feet(tracks, contacts)
    # In flight the pelvis moves evenly; it is ahead of the feet at the start and behind them at the end.
    lead = 0.14 * far
    moved = np.interp(t, [off, on], [lead, far - lead])
    moved += lead * (ease((t - start) / (off - start)) - 1) + lead * ease((t - on) / (soft - on))
    tracks.root[:, 2] += smooth(moved, 1.0)
    down = off - snap(0.24 * style.tempo)
    set_height(
        style,
        tracks,
        [(off, on)],
        -0.03,
        [(start, 0.0), (down, -deep), (soft, -0.8 * deep), (total - 0.1, 0.0)],
    )
    bend = keys(
        t,
        (0.0, 0.0),
        (start, 0.0),
        (down, 1.0),
        (off, 0.2),
        ((off + on) / 2, 0.8),
        (on, 0.6),
        (soft, 0.8),
        (total - 0.1, 0.0),
    )
    tracks.bend(bend, hips=0.25, spine=0.4, head=-0.3)
    swing = keys(t, (0.0, 0.0), (start, 0.0), (down, -0.9), (off + 0.1, 1.4), (on, 0.7), (soft + 0.3, 0.0))
    swing_arms(tracks, swing)
    truth = {
        "action": "jump over",
        "direction": "forward",
        "count": 1,
        "distance": round(far, 2),
        "height": round(GRAVITY * flight**2 / 8, 2),
    }
    return Movement(tracks, truth)


def stairs(style: BodyStyle, rng: np.random.Generator, down: bool) -> Movement:
    """Climbs some stairs and stands on the last, or comes ``down`` some and stands on the ground."""
    steps, first = int(rng.integers(3, 7)), pick_side(rng)
    riser, tread = rng.uniform(0.15, 0.2), rng.uniform(0.26, 0.32)
    beat = rng.uniform(0.62, 0.85) * float(np.sqrt(style.tempo))
    sign = -1.0 if down else 1.0
    base = steps * riser if down else 0.0
    contacts = standing_contacts(style, ground=base)
    clock = rng.uniform(0.35, 0.6)
    knots = [(clock, 0.0)]
    level = {0: 0, 1: 0}
    for k in range(1, steps + 2):
        side, step = (first + k - 1) % 2, min(k, steps)
        _, rest, yaw, _ = contacts[side].spot
        half = style.width / 2 if k >= steps else 0.07
        spot = (float(SIDES[side] * half), rest + step * tread, yaw, base + sign * step * riser)
        swing = 0.78 * beat
        low = min(base + sign * riser * n for n in level.values())
        knots.append((clock + 0.05, low - base - 0.02))
        _step(
            contacts,
            side,
            clock,
            clock + swing,
            Contact(side, 0.0, 0.0, spot, 0.07, 0.25 if down else 0.0, 0.5, early=-1.0 if down else 1.0),
        )
        level[side] = step
        low = min(base + sign * riser * n for n in level.values())
        knots.append((clock + swing, low - base - (0.02 if k <= steps else 0.0)))
        clock += beat
    tracks = _walked(style, rng, contacts)
    tracks.root[:, 1] += base
    set_upper(style, tracks, arms=0.8, bend=0.02 if down else 0.12)
    tracks.head[:, 1] += (
        0.25 * window(np.arange(len(tracks)) / FPS, 0.1, clock, 0.5, 0.5) * (1 if down else 0.5)
    )
    set_height(style, tracks, (), 0.0, knots)
    truth = {
        "action": "stairs down" if down else "stairs up",
        "direction": "down" if down else "up",
        "count": steps,
        "height": round(float(sign * steps * riser), 2),
        "distance": round(steps * tread, 2),
        "riser": round(riser, 3),
        "side": SIDE_NAMES[first],
    }
    return Movement(tracks, truth, manners_of(style.tempo))
