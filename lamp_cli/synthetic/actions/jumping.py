"""Jumps: a crouch, a push off the toes, free fall, a landing that gives way."""

from __future__ import annotations

import numpy as np

from ..body import SIDES, Tracks, place_foot, reach_both
from ..movement import SIDE_NAMES, Movement, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, GRAVITY, ease, keys, quintic, snap

# How high the pelvis stands above its rest when the toes leave the ground, and the pitch of the feet then.
RISE, PITCH = 0.05, 0.55


def jumps(
    style: BodyStyle,
    rng: np.random.Generator,
    heights: np.ndarray,
    step: tuple[float, float],
    spread: float = 0.0,
) -> Tracks:
    """Jumps of some heights (metres), each moving by ``step`` (x, z); ``spread`` opens every second one."""
    crouch = rng.uniform(0.14, 0.24) * (0.5 if spread else 1.0)
    down, up, soft = (snap(d * style.tempo) for d in (0.35, 0.25, 0.4))
    if spread:
        down, soft = 0.2, 0.2
    clock, rest = snap(rng.uniform(0.2, 0.5)), style.height
    # Times, heights of the pelvis, its speeds and accelerations.
    knots = [(0.0, rest, 0.0, 0.0), (clock, rest, 0.0, 0.0)]
    flights: list[tuple[float, float]] = []
    for jump in heights:
        flight = max(snap(2 * np.sqrt(2 * jump / GRAVITY)), 0.2)
        launch = GRAVITY * flight / 2
        lift = clock + down + up
        knots += [
            (clock + down, rest - crouch, 0.0, 0.0),
            (lift, rest + RISE, launch, -GRAVITY),
            (lift + flight, rest + RISE, -launch, -GRAVITY),
            (lift + flight + soft, rest - 0.8 * crouch, 0.0, 0.0),
        ]
        flights.append((lift, lift + flight))
        clock = lift + flight + soft
    clock += snap(0.45 * style.tempo)
    knots.append((clock, rest, 0.0, 0.0))
    tracks = style.stand(max(clock + snap(rng.uniform(0.2, 0.6)), 2.1), rng)
    t = np.arange(len(tracks)) / FPS
    tracks.root[:, 1] += quintic(t, *zip(*knots, strict=True)) - rest
    moved = np.zeros(len(t))
    for lift, land in flights:
        moved += np.clip((t - lift) / (land - lift), 0, 1)
    # The body leans into the direction before it leaves the ground and catches up after landing.
    tracks.root[:, 0] += moved * step[0]
    tracks.root[:, 2] += moved * step[1]
    _feet(style, tracks, t, flights, step, spread)
    _lean(tracks, t, flights, down + up, soft)
    return tracks


def _feet(
    style: BodyStyle,
    tracks: Tracks,
    t: np.ndarray,
    flights: list[tuple[float, float]],
    step: tuple[float, float],
    spread: float,
) -> None:
    for side in (0, 1):
        x, z, yaw = style.feet()[side]
        open_width = np.zeros(len(t))
        place, lift = np.zeros(len(t)), np.zeros(len(t))
        pitch = np.zeros(len(t))
        for number, (off, on) in enumerate(flights):
            inside = (t > off - 1e-6) & (t < on + 1e-6)
            share = np.clip((t - off) / (on - off), 0, 1)
            place += ease(share)
            height = tracks.root[:, 1] - (style.height + RISE)
            lift += np.where(inside, np.maximum(height, 0.0), 0.0)
            tracks.planted[inside, side] = False
            pitch += keys(
                t,
                (0.0, 0.0),
                (max(off - 0.2, 0.01), 0.0),
                (off, PITCH),
                (on - 0.02, 0.6 * PITCH),
                (on + 0.1, 0.0),
            )
            if spread:
                toward = 1.0 if number % 2 == 0 else -1.0
                open_width += toward * ease(share)
        x = x + place * step[0] + open_width * spread * SIDES[side]
        place_foot(tracks, side, x, z + place * step[1], yaw, lift, pitch)


def _lean(
    tracks: Tracks, t: np.ndarray, flights: list[tuple[float, float]], before: float, soft: float
) -> None:
    bend, swing = np.zeros(len(t)), np.zeros(len(t))
    for off, on in flights:
        first = max(off - before, 0.01)
        bend += keys(
            t,
            (0.0, 0.0),
            (first, 0.0),
            (off - 0.2, 1.0),
            (off, 0.1),
            (on, 0.25),
            (on + 0.6 * soft, 0.7),
            (on + soft + 0.4, 0.0),
        )
        swing += keys(
            t,
            (0.0, 0.0),
            (first, 0.0),
            (off - 0.22, -1.0),
            (off + 0.08, 1.5),
            (on, 0.6),
            (on + soft + 0.3, 0.0),
        )
    tracks.bend(np.clip(bend, 0, 1.2), hips=0.3, spine=0.45, head=-0.35)
    swing_arms(tracks, np.clip(swing, -1.1, 1.7))


def swing_arms(tracks: Tracks, swing: np.ndarray) -> None:
    """Both arms at once back (``swing`` (T,) negative), down (0) or ahead and up (positive)."""
    goal = np.stack([0.2 + 0.1 * np.abs(swing), -0.9 + 0.3 * swing**2, 0.55 * swing], axis=-1)
    reach_both(tracks, np.clip(np.abs(swing) * 1.5, 0, 1), goal)


def jump(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps on the spot, once to three times."""
    count = int(rng.choice([1, 1, 2, 3]))
    high = rng.uniform(0.12, 0.4)
    tracks = jumps(style, rng, np.full(count, high) * rng.uniform(0.9, 1.1, count), (0.0, 0.0))
    truth = {"action": "jump", "direction": "up", "count": count, "height": round(high, 2)}
    manners = ("high", "as high as possible") if high > 0.33 else ()
    return Movement(tracks, truth, manners if count == 1 else ())


def jump_forward(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps ahead, once to three times."""
    count, far = int(rng.choice([1, 1, 2, 3])), rng.uniform(0.5, 1.3)
    tracks = jumps(style, rng, rng.uniform(0.15, 0.3, count), (0.0, far))
    way = round(far * count, 2)
    truth = {"action": "jump forward", "direction": "forward", "count": count, "distance": way}
    return Movement(tracks, truth)


def jump_backward(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps backward, once or twice."""
    count, far = int(rng.choice([1, 1, 2])), rng.uniform(0.3, 0.7)
    tracks = jumps(style, rng, rng.uniform(0.12, 0.25, count), (0.0, -far))
    way = round(far * count, 2)
    truth = {"action": "jump backward", "direction": "backward", "count": count, "distance": way}
    return Movement(tracks, truth)


def jump_sideways(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps to one side."""
    side, count = pick_side(rng), int(rng.choice([1, 1, 2]))
    far = rng.uniform(0.4, 0.9) * SIDES[side]
    tracks = jumps(style, rng, rng.uniform(0.12, 0.25, count), (far, 0.0))
    name = SIDE_NAMES[side]
    truth = {"action": "jump sideways", "direction": name, "side": name, "count": count}
    return Movement(tracks, truth)


def jumping_jacks(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jumps with legs and arms opening and closing."""
    count = int(rng.integers(2, 5))
    tracks = jumps(style, rng, np.full(2 * count, 0.06), (0.0, 0.0), spread=rng.uniform(0.18, 0.28))
    width = np.abs(tracks.ankle[:, 0, 0] - tracks.ankle[:, 1, 0])
    open_share = np.clip((width - width.min()) / np.ptp(width), 0, 1)
    for side in (0, 1):
        still = tracks.arm[:, side, 0].copy()
        tracks.arm[:, side, 0] = still + open_share * (2.75 - still)
        tracks.arm[:, side, 1] = 1.35
        tracks.arm[:, side, 2] = 0.97
    return Movement(tracks, {"action": "jumping jacks", "count": count})
