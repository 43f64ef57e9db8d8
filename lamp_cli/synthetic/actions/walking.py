"""Everything that the footstep planner carries: walking, running, turning, in many manners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body import SIDES, Tracks
from ..contacts import distance
from ..gait import WALK, Gait, pace, path_of, walk
from ..movement import SIDE_NAMES, Movement, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, smooth

JOG = Gait(swing=1.3, run=0.8, clearance=0.14, push=0.9, strike=-0.1, crouch=0.015, bend=0.14, twist=0.1)
RUN = Gait(
    swing=1.45,
    run=1.0,
    clearance=0.22,
    push=1.0,
    strike=-0.05,
    half_width=0.03,
    crouch=0.02,
    bend=0.2,
    twist=0.1,
)


def _speed_words(share: float) -> tuple[str, ...]:
    if share < 0.75:
        return ("slowly", "at a slow pace", "in a slow manner", "leisurely")
    if share > 1.25:
        return ("quickly", "at a fast pace", "briskly", "fast", "at a quick pace")
    return ()


def go(
    style: BodyStyle,
    rng: np.random.Generator,
    gait: Gait,
    speed: float,
    cadence: float,
    turn: np.ndarray | float = 0.0,
    travel: float = 0.0,
    seconds: float | None = None,
) -> Tracks:
    """Tracks at ``speed`` for some seconds while the heading follows ``turn`` (radians over time)."""
    end = rng.uniform(3.0, 6.5) if seconds is None else seconds
    frames = round((end + 2.0) * FPS)
    t = np.arange(frames) / FPS
    headings = np.atleast_1d(turn)
    # The last heading is kept for as long as the feet need to come to rest.
    yaw = headings[np.minimum(np.arange(frames), len(headings) - 1)]
    profile = speed * pace(t, 0.2, end)
    return walk(
        style, path_of(profile, yaw, np.full(frames, cadence), end, travel), gait, rng, pick_side(rng)
    )


def straight(action: str, tracks: Tracks, manners: tuple[str, ...] = (), **further: float) -> Movement:
    """The movement of going forward, and how far."""
    truth = {"action": action, "direction": "forward", "distance": distance(tracks), **further}
    return Movement(tracks, truth, manners)


def walk_forward(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks straight ahead."""
    share = rng.uniform(0.55, 1.5)
    tracks = go(style, rng, WALK, 1.15 * share, 1.8 * np.sqrt(share))
    said = straight("walk", tracks, _speed_words(share), speed=round(share, 2))
    return replace(said, words={"stops": True})


def walk_backward(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks backwards."""
    share = rng.uniform(0.6, 1.35)
    gait = Gait(push=0.3, strike=0.3, clearance=0.05, arms=0.6)
    tracks = go(style, rng, gait, 0.75 * share, 1.6 * np.sqrt(share), travel=np.pi)
    truth = {"action": "walk backward", "direction": "backward", "distance": distance(tracks)}
    return Movement(tracks, truth, _speed_words(share))


def sidestep(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Steps sideways."""
    side, share = pick_side(rng), rng.uniform(0.7, 1.3)
    gait = Gait(push=0.15, strike=0.1, clearance=0.05, half_width=0.11, arms=0.2, twist=0.02)
    travel = np.pi / 2 if side == 0 else -np.pi / 2
    tracks = go(style, rng, gait, 0.5 * share, 1.7 * np.sqrt(share), travel=travel)
    name = SIDE_NAMES[side]
    truth = {"action": "sidestep", "direction": name, "side": name, "distance": distance(tracks)}
    return Movement(tracks, truth, _speed_words(share))


def jog(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Jogs straight ahead."""
    share = rng.uniform(0.8, 1.2)
    tracks = go(style, rng, JOG, 2.1 * share, 2.5, seconds=rng.uniform(2.5, 4.5))
    return straight("jog", tracks, ("lightly", "") if share < 1 else ())


def run(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Runs straight ahead."""
    share = rng.uniform(0.85, 1.25)
    tracks = go(style, rng, RUN, 3.2 * share, 2.75, seconds=rng.uniform(2.2, 3.8))
    return straight("run", tracks, ("quickly", "fast") if share > 1 else ())


def sprint(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Sprints straight ahead: long quick strides, the trunk bent into them."""
    top = rng.uniform(4.0, 4.9)
    gait = replace(RUN, clearance=0.26, bend=0.28, arms=1.25, crouch=0.025)
    tracks = go(style, rng, gait, top, 3.35, seconds=rng.uniform(1.9, 2.9))
    return straight("sprint", tracks, speed=round(top, 1))


def circle(style: BodyStyle, rng: np.random.Generator, running: bool) -> Movement:
    """Walks or runs once around a circle."""
    side, seconds = pick_side(rng), rng.uniform(5.0, 7.0)
    speed = float(rng.uniform(1.7, 2.1) if running else rng.uniform(0.85, 1.2))
    gait, cadence = (JOG, 2.5) if running else (WALK, 1.85)
    frames = round((seconds + 2) * FPS)
    profile = pace(np.arange(frames) / FPS, 0.2, seconds)
    angle = SIDES[side] * rng.uniform(0.85, 1.15) * 2 * np.pi
    yaw = angle * np.cumsum(profile) / profile.sum()
    tracks = go(style, rng, gait, speed, cadence, yaw, seconds=seconds)
    clock = "counterclockwise" if side == 0 else "clockwise"
    truth = {
        "action": "jog in a circle" if running else "walk in a circle",
        "direction": clock,
        "side": SIDE_NAMES[side],
        "angle": round(float(np.degrees(angle))),
    }
    return Movement(tracks, truth)


def walk_curve(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks along a bend."""
    side, seconds = pick_side(rng), rng.uniform(3.5, 6.0)
    frames = round((seconds + 2) * FPS)
    angle = SIDES[side] * np.radians(rng.uniform(60, 130))
    yaw = angle * np.clip(np.arange(frames) / FPS / seconds, 0, 1)
    tracks = go(style, rng, WALK, rng.uniform(0.9, 1.3), 1.85, yaw, seconds=seconds)
    name = SIDE_NAMES[side]
    degrees = round(float(np.degrees(angle)))
    truth = {"action": "walk in a curve", "direction": name, "side": name, "angle": degrees}
    return Movement(tracks, truth)


def zigzag(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks in a zigzag."""
    seconds, period = rng.uniform(5.5, 7.0), rng.uniform(2.2, 3.0)
    t = np.arange(round((seconds + 2) * FPS)) / FPS
    yaw = smooth(
        np.radians(38) * np.sign(np.sin(2 * np.pi * t / period)) * (1 if pick_side(rng) else -1), 4.0
    )
    tracks = go(style, rng, WALK, rng.uniform(1.0, 1.3), 1.9, yaw, seconds=seconds)
    return Movement(tracks, {"action": "zigzag", "direction": "forward"})


def turn(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Turns on the spot."""
    side, degrees = pick_side(rng), int(rng.choice([90, 180, 360]))
    seconds = {90: 1.6, 180: 2.4, 360: 4.0}[degrees] * style.tempo
    frames = round((seconds + 2) * FPS)
    profile = pace(np.arange(frames) / FPS, 0.2, seconds + 0.2, 0.4, 0.4)
    yaw = SIDES[side] * np.radians(degrees) * np.cumsum(profile) / profile.sum()
    gait = Gait(push=0.25, strike=0.0, clearance=0.05, half_width=0.09, arms=0.2, sway=0.015)
    tracks = go(style, rng, gait, 0.0, 1.9, yaw, seconds=seconds + 0.3)
    name = SIDE_NAMES[side]
    truth = {"action": "turn", "side": name, "direction": name, "angle": degrees if side == 0 else -degrees}
    return Movement(tracks, truth, words={"degrees": degrees})


def there_and_back(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks forward, turns around and walks back."""
    side = pick_side(rng)
    t = np.arange(round(9.5 * FPS)) / FPS
    speed = 1.15 * (pace(t, 0.2, 3.3, 0.6, 0.7) + pace(t, 4.6, 7.6))
    yaw = SIDES[side] * np.pi * np.clip((t - 3.0) / 1.7, 0, 1)
    path = path_of(speed, smooth(yaw, 4.0), np.full(len(t), 1.85), 7.6)
    tracks = walk(style, path, WALK, rng, pick_side(rng))
    truth = {"action": "turn around and walk back", "side": SIDE_NAMES[side]}
    return Movement(tracks, truth)


# Speed in metres and cadence in steps per second.
_MANNERS = {
    "tiptoe": (Gait(tiptoe=0.55, push=0.2, strike=0.0, clearance=0.07, arms=0.5), 0.6, 1.7),
    "crouch walk": (Gait(crouch=0.24, bend=0.55, clearance=0.08, arms=0.5, knees=0.2), 0.7, 1.6),
    "march": (Gait(clearance=0.3, push=0.5, strike=0.1, arms=1.5, swing=0.85), 0.8, 1.7),
    "limp": (replace(WALK, hitch=0.3, clearance=0.04, arms=0.6), 0.7, 1.5),
}


def in_manner(action: str, style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks on the toes, bent low, with high knees or with a limp."""
    gait, speed, cadence = _MANNERS[action]
    tracks = go(style, rng, gait, speed * rng.uniform(0.85, 1.15), cadence)
    return straight(action, tracks)
