"""Gaits told by their contacts: skipping, hopping, staggering, moonwalking, and walks with a purpose."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..body import SIDES, Tracks, euler, place_foot, turned
from ..contacts import (
    Contact,
    distance,
    flights_of,
    resting,
    set_feet,
    set_height,
    set_pelvis,
    set_upper,
    standing_contacts,
)
from ..gait import WALK, Gait, Path, pace, path_of
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..style import BodyStyle
from ..time_curves import FPS, GRAVITY, drift, ease, smooth, snap, through, window
from .walking import go, straight


def _strides(style: BodyStyle, rng: np.random.Generator, speed: np.ndarray, end: float) -> Tracks:
    """Tracks of going straight ahead at ``speed`` (T,) m/s until ``end``; above 2 m/s it runs."""
    t = np.arange(len(speed)) / FPS
    # Whoever stops after running takes quick short steps.
    least = np.where(speed.max() > 2, 2.3 * (t > t[np.argmax(speed)]), 0.0)
    cadence = np.interp(speed, [0.0, 0.6, 1.2, 2.0, 3.2, 5.2], [1.5, 1.6, 1.85, 2.5, 2.8, 3.7])
    cadence = np.maximum(cadence, least)
    path = path_of(speed, np.zeros(len(t)), cadence, end)
    contacts = _contacts_along(style, path, pick_side(rng))
    last = max(c.land for c in contacts)
    frames = min(len(t), round((last + 0.4) * FPS))
    tracks = style.stand((frames - 1) / FPS, rng)
    set_feet(tracks, contacts)
    set_pelvis(tracks, path.place[:frames], np.zeros(frames))
    set_upper(style, tracks, run=ease((speed[:frames] - 1.5) / 1.2), bend=0.04 * float(speed.max()))
    flights = flights_of(contacts)
    knots = [(float(t[np.argmax(speed > 0.05)]), 0.0), (last, -0.01)]
    landings = sorted(c.land for c in contacts if c.land > 0)
    for a, b in itertools.pairwise(landings):
        if not any(off <= b + 0.2 and on >= a - 0.2 for off, on in flights):
            knots.append(((a + b) / 2, -0.015))
    set_height(style, tracks, flights, 0.06, knots)
    return tracks


def _contacts_along(style: BodyStyle, path: Path, first: int) -> list[Contact]:
    """Contacts of a body that stands, follows the path with its feet and stands again."""
    t = np.arange(len(path.speed)) / FPS
    swing = np.interp(path.speed, [1.6, 2.3, 3.2, 5.2], [0.8, 1.15, 1.28, 1.45]) / path.cadence
    moving = (path.speed > 0.05) | (t > path.end - 0.5)
    beats = np.cumsum(path.cadence * (t > t[np.argmax(moving)])) / FPS - 0.8
    lands = np.interp(np.arange(int(beats[-1]) + 1), beats, t)
    lifts = lands - np.interp(lands - 0.1, t, swing)
    feet = standing_contacts(style)
    contacts: list[Contact] = []
    for k, planned in enumerate(lands):
        side = (first + k) % 2
        old = feet[side]
        land = max(snap(float(planned)), old.land + 0.3)
        lift = min(max(snap(lifts[k]), old.land + 0.1), land - 0.15)
        now = min(round(land * FPS), len(t) - 1)
        speed, runs = float(path.speed[now]), path.speed[now] > 2
        leave = lifts[k + 2] if k + 2 < len(lands) else land + 0.6
        x, z, _ = path.at(land + (0.43 if runs else 0.5) * (leave - land))
        going = min(1.0, speed / 0.6)
        half = going * (0.05 - 0.012 * min(speed, 3.0)) + (1 - going) * style.width / 2
        spot = (float(x + SIDES[side] * half), float(z - 0.02), SIDES[side] * style.toe_out[side], 0.0)
        if np.hypot(spot[0] - old.spot[0], spot[1] - old.spot[1]) < 0.03:
            continue
        contacts.append(replace(old, leave=lift))
        clear = 0.07 + 0.06 * min(max(speed - 1.5, 0.0), 4.0)
        strike, push = (-0.05, 1.0) if runs else (-0.2, 0.7)
        feet[side] = Contact(side, land, 0.0, spot, clear, strike, push)
    return resting([*contacts, *feet])


def walk_to_run(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks, then breaks into a run."""
    slow, top = rng.uniform(0.9, 1.3), rng.uniform(2.6, 3.8)
    change, seconds = rng.uniform(1.8, 3.2), rng.uniform(4.2, 6.0)
    t = np.arange(round((seconds + 2.5) * FPS)) / FPS
    speed = slow * pace(t, 0.2, seconds, 0.6, 1.4)
    speed += (top - slow) * pace(t, change, seconds, 1.2, 1.3)
    tracks = _strides(style, rng, speed, seconds)
    return straight("walk to run", tracks)


def stop_and_start(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks, stops, and walks on."""
    top, wait = rng.uniform(0.8, 1.4), rng.uniform(0.8, 1.8)
    halt = rng.uniform(1.8, 2.8)
    seconds = halt + wait + rng.uniform(1.8, 2.8)
    t = np.arange(round((seconds + 2.0) * FPS)) / FPS
    speed = top * (pace(t, 0.2, halt) + pace(t, halt + wait, seconds))
    tracks = _strides(style, rng, speed, seconds)
    return straight("stop and start", tracks, count=2)


def hop(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Hops on one leg, in place or forward."""
    side, count = pick_side(rng), int(rng.integers(2, 8))
    far = float(rng.choice([0.0, 1.0])) * rng.uniform(0.25, 0.6)
    aloft, bears = snap(rng.uniform(0.22, 0.34)), snap(rng.uniform(0.28, 0.36))
    start = snap(rng.uniform(0.2, 0.5))
    ready = start + 0.6
    spots = standing_contacts(style)
    x, z, yaw, _ = spots[side].spot
    offs = [ready + 0.4 + k * (aloft + bears) for k in range(count)]
    contacts = [replace(spots[side], leave=offs[0], push=0.55)]
    for k, off in enumerate(offs):
        land, leave = off + aloft, off + aloft + bears
        spot = (x, z + far * (k + 1), yaw, 0.0)
        contacts.append(Contact(side, land, leave, spot, 0.03 + GRAVITY * aloft**2 / 8, 0.35, 0.55))
    done = offs[-1] + aloft
    free = 1 - side
    fx, fz, fyaw, _ = spots[free].spot
    settle = snap(done + 0.9)
    contacts += [
        replace(spots[free], leave=start),
        Contact(free, settle, 0.0, (fx, fz + far * count, fyaw, 0.0)),
    ]
    contacts = resting(contacts)
    tracks = style.stand(settle + 0.5, rng)
    t = np.arange(len(tracks)) / FPS
    flights = [(off, off + aloft) for off in offs]
    set_feet(tracks, contacts)
    shares = [np.clip((t - off + 0.08) / (aloft + 0.16), 0, 1) for off in offs]
    moved = smooth(far * np.sum(shares, axis=0), 1.5)
    on_leg = window(t, start - 0.1, settle, 0.7, 0.7)
    tracks.root[:, 0] += 0.75 * x * on_leg
    tracks.root[:, 2] += moved
    set_height(
        style,
        tracks,
        flights,
        0.0,
        [(start, 0.0), (ready, -0.02), (ready + 0.22, -0.09), (done + 0.16, -0.09)],
    )
    up = window(t, start, settle, 0.5, 0.45)
    rise = tracks.root[:, 1] - style.height
    lift = up * (rng.uniform(0.2, 0.38) + 0.8 * np.maximum(rise, 0))
    ahead = rng.uniform(-0.22, 0.05)
    place_foot(tracks, free, fx * (1 - 0.5 * up), fz + moved + ahead * up, fyaw, lift, 0.9 * up)
    _balance(tracks, up, rise)
    truth = {
        "action": "hop",
        "side": SIDE_NAMES[side],
        "count": count,
        "direction": "forward" if far else "up",
    }
    if far:
        truth["distance"] = round(far * count, 2)
    return Movement(tracks, truth, words={"where": "forward" if far else "in place"})


def _balance(tracks: Tracks, share: np.ndarray, rise: np.ndarray) -> None:
    """Arms a little out, going up and down with the body; the trunk leans forward."""
    tracks.arm[..., 0] += share[:, None] * (0.35 + 1.2 * np.clip(smooth(rise, 1.0), -0.2, 0.2))[:, None]
    tracks.arm[..., 2] -= 0.15 * share[:, None]
    tracks.bend(share, hips=0.06, spine=0.12)


def skip(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Skips: a step and a hop on each leg in turn."""
    count, speed = int(rng.integers(4, 9)), rng.uniform(1.2, 2.1)
    aloft, first = snap(rng.uniform(0.2, 0.3)), pick_side(rng)
    touch, bears = 0.2, 0.25
    unit = touch + aloft + bears
    start = snap(rng.uniform(0.5, 0.8))
    end = start + count * unit
    t = np.arange(round((end + 1.2) * FPS)) / FPS
    place = np.zeros((len(t), 2))
    place[:, 1] = np.cumsum(speed * pace(t, start - 0.35, end + 0.35, 0.8, 0.8)) / FPS
    path = Path(place, np.zeros(len(t)), np.zeros(len(t)), np.ones(len(t)), end)
    contacts = standing_contacts(style)
    contacts[first] = replace(contacts[first], leave=start - 0.4)
    contacts[1 - first] = replace(contacts[1 - first], leave=start + 0.05)
    flights = []
    knee = 0.14 + 0.16 * rng.uniform(0.5, 1.2)
    for k in range(count):
        side, step = (first + k) % 2, start + k * unit
        for land, leave, clear in (
            (step, step + touch, knee),
            (step + touch + aloft, step + unit + 0.05, 0.1),
        ):
            x, z, _ = path.at((land + leave) / 2 - 0.02)
            spot = (float(x + SIDES[side] * 0.05), float(z), SIDES[side] * style.toe_out[side], 0.0)
            contacts.append(Contact(side, land, leave, spot, clear, 0.15, 0.7))
        flights.append((step + touch, step + touch + aloft))
    for number in (0, 1):
        side = (first + count + number) % 2
        x, z, _ = path.at(99.0)
        fx, fz, yaw, _ = standing_contacts(style)[side].spot
        contacts.append(Contact(side, snap(end + 0.55 * number), 0.0, (fx + x, fz + z, yaw, 0.0)))
    tracks = style.stand(t[-1], rng)
    set_feet(tracks, resting(contacts))
    set_pelvis(tracks, place, np.zeros(len(t)))
    set_upper(style, tracks, arms=1.3, run=0.35, bend=0.06)
    knots = [(start - 0.4, 0.0), (end + 0.5, -0.02)]
    set_height(style, tracks, flights, 0.02, knots)
    truth = {"action": "skip", "direction": "forward", "count": count, "distance": distance(tracks)}
    return Movement(tracks, truth, ("cheerfully", "playfully"))


def stagger(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Staggers like a drunk: uneven steps to all sides, a swaying trunk."""
    count, side = int(rng.integers(7, 12)), pick_side(rng)
    contacts = standing_contacts(style)
    clock, x, z, yaw = snap(rng.uniform(0.3, 0.6)), 0.0, 0.0, 0.0
    heading = [(0.0, 0.0)]
    for k in range(count):
        swing = snap(rng.uniform(0.3, 0.6))
        yaw = 0.6 * yaw + rng.normal(0, 0.28)
        x += rng.normal(0, 0.14)
        z += rng.uniform(0.02, 0.55) if k else 0.25
        half = SIDES[side] * rng.uniform(0.07, 0.2)
        spot = (x + half * np.cos(yaw), z - half * np.sin(yaw), yaw + SIDES[side] * 0.2, 0.0)
        last = max(n for n, c in enumerate(contacts) if c.side == side)
        contacts[last] = replace(contacts[last], leave=clock, push=rng.uniform(0.3, 0.7))
        contacts.append(Contact(side, clock + swing, 0.0, spot, rng.uniform(0.04, 0.11), -0.1))
        heading.append((clock + swing, yaw))
        clock, side = clock + swing + snap(rng.uniform(0.1, 0.3)), 1 - side
    tracks = style.stand(clock + 0.5, rng)
    t = np.arange(len(tracks)) / FPS
    set_feet(tracks, resting(contacts))
    turn = smooth(through(t, *heading, (t[-1] + 1, yaw)), 3.0)
    place = smooth(tracks.ankle[:, :, [0, 2]].mean(1), 4.0)
    place -= place[0]
    busy = window(t, 0.2, t[-1], 0.8, 0.5)[:, None]
    noise = drift(t, rng, 8, 1.6) * busy * rng.uniform(0.8, 1.3)
    set_pelvis(tracks, place + 0.03 * noise[:, :2], turn, 0.5)
    set_upper(style, tracks, arms=0.4)
    tracks.spine += noise[:, 2:5] * [0.1, 0.12, 0.13] + busy * [0.0, 0.12, 0.0]
    tracks.head += noise[:, [5, 6, 4]] * [0.12, 0.14, 0.1]
    tracks.arm[:, :, 0] += np.maximum(0.35 * busy + 0.2 * noise[:, 6:8], 0.0)
    set_height(style, tracks, (), 0.0, [(0.2, 0.0), (0.9, -0.03), (t[-1] - 0.5, -0.03)])
    return straight("stagger", tracks)


def moonwalk(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Glides backwards: one flat foot slides back while the other stands on its toes."""
    count, far = int(rng.integers(4, 10)), rng.uniform(0.3, 0.5)
    beat, start = snap(rng.uniform(0.5, 0.75) * style.tempo), snap(rng.uniform(0.3, 0.6))
    first, end = pick_side(rng), start + count * beat
    tracks = style.stand(end + 1.2, rng)
    t = np.arange(len(tracks)) / FPS
    behind, toes = np.zeros((len(t), 2)), np.zeros((len(t), 2))
    for k in range(count + 1):
        side, begin = (first + k) % 2, start + k * beat
        u = np.clip((t - begin) / (beat - 0.1), 0, 1)
        behind[:, side] += (u * u * (3 - 2 * u)) * (far if 0 < k < count else far / 2)
        bent = window(t, begin - 0.12, begin + beat, 0.16, 0.18)
        toes[:, 1 - side] = np.maximum(toes[:, 1 - side], bent)
    for side, (x, z, yaw) in enumerate(style.feet()):
        place_foot(tracks, side, x * 0.8, z - behind[:, side], yaw, pitch=0.75 * toes[:, side])
    place = np.stack([0 * t, -smooth(behind.mean(1), 4.0)], axis=1)
    set_pelvis(tracks, place, 0 * t, 0.0)
    set_upper(style, tracks, arms=0.7)
    busy = window(t, 0.1, t[-1], 0.5, 0.5)
    tracks.bend(busy, low=0.035, spine=rng.uniform(0.05, 0.15))
    truth = {
        "action": "moonwalk",
        "direction": "backward",
        "count": count + 1,
        "distance": distance(tracks),
        "slides": True,
    }
    return Movement(tracks, truth, manners_of(style.tempo))


def figure_eight(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks or jogs along an eight: one loop to one side, one to the other."""
    side, running = pick_side(rng), rng.random() < 0.4
    seconds = rng.uniform(6.2, 8.0)
    t = np.arange(round((seconds + 2) * FPS)) / FPS
    profile = pace(t, 0.2, seconds)
    share = np.cumsum(profile) / profile.sum()
    turned_by = 1 - np.abs(2 * share - 1)
    yaw = smooth(SIDES[side] * 2 * np.pi * turned_by, 4.0)
    speed = float(rng.uniform(1.6, 2.0) if running else rng.uniform(1.0, 1.35))
    gait = Gait(swing=1.1, run=0.7, clearance=0.12, push=0.9, half_width=0.04, bend=0.08) if running else WALK
    tracks = go(style, rng, gait, speed, 2.4 if running else 1.9, yaw, seconds=seconds)
    name = SIDE_NAMES[side]
    truth = {
        "action": "figure eight",
        "direction": name,
        "first": name,
        "gait": "jog" if running else "walk",
        "distance": distance(tracks),
    }
    return Movement(tracks, truth)


def carry(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Walks with a box held in front of the body."""
    seconds, share = rng.uniform(3.0, 6.5), rng.uniform(0.65, 1.2)
    lean = rng.uniform(-0.12, 0.02)
    gait = replace(WALK, arms=0.0, twist=0.06, bend=lean, crouch=0.01)
    tracks = go(style, rng, gait, 1.05 * share, 1.8 * np.sqrt(share), seconds=seconds)
    half, high = rng.uniform(0.12, 0.24), rng.uniform(0.12, 0.32)
    front = rng.uniform(0.3, 0.38)
    turn = euler(tracks.yaw, 0 * tracks.yaw, 0 * tracks.yaw)
    for side in (0, 1):
        tracks.grip[:, side] = tracks.root + turned(turn, np.array([SIDES[side] * half, high, front]))
    tracks.hold[:] = 1.0
    truth = {"action": "carry", "direction": "forward", "side": "both", "distance": distance(tracks)}
    return Movement(tracks, truth, ("carefully",) if share < 0.85 else ())
