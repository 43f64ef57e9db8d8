"""Gaits told by their contacts: where and from when to when each foot bears the body.

Feet swing between their contacts, and whenever no foot has one the pelvis falls freely. Knows the ground's
height under each contact, and no action.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .body import LEG, SIDES, Tracks, place_foot, turned
from .gait import swung
from .style import BodyStyle
from .time_curves import FPS, GRAVITY, bump, ease, lagged, quintic, smooth, through

FALL = 0.12  # seconds a foot needs to come down flat after it lands


@dataclass(frozen=True)
class Contact:
    """One foot on the ground from ``land`` to ``leave`` (seconds) at x, z, yaw, ground height.

    ``clearance`` (metres) is how high the swing that leads here passes, ``strike`` the foot's pitch at
    landing, ``push`` at leaving, ``flat`` in between (radians). ``early`` in -1..1 shifts the change of
    height in the swing: 1 climbs before it goes forward, -1 goes forward before it descends.
    """

    side: int
    land: float
    leave: float
    spot: tuple[float, float, float, float]
    clearance: float = 0.07
    strike: float = -0.2
    push: float = 0.7
    flat: float = 0.0
    early: float = 0.0


def set_feet(tracks: Tracks, contacts: Sequence[Contact]) -> None:
    """Set ankles, feet and bearing of the tracks to the contacts; each foot needs at least one."""
    t = np.arange(len(tracks)) / FPS
    for side in (0, 1):
        of_side = sorted((c for c in contacts if c.side == side), key=lambda c: c.land)
        where = np.tile(np.array(of_side[0].spot), (len(t), 1))
        lift = np.zeros(len(t))
        pitch = [(min(of_side[0].land, 0.0) - 2.0, of_side[0].flat)]
        planted = np.zeros(len(t), dtype=bool)
        for a, b in zip(of_side, [*of_side[1:], None], strict=True):
            planted |= (t > a.land - 1e-6) & (t < a.leave + 1e-6)
            if b is None:
                break
            span = b.land - a.leave
            u = np.clip((t - a.leave) / span, 0, 1)
            change = np.array(b.spot) - np.array(a.spot)
            where[:, :3] += (u * u * (3 - 2 * u))[:, None] * change[:3]
            where[:, 3] += _rise(u, b.early) * change[3]
            lift += b.clearance * bump(u, 0.45)
            roll = max(a.leave - min(0.45 * (a.leave - a.land), 0.3), pitch[-1][0] + 0.02)
            pitch += [(roll, a.flat), (a.leave, a.push), (a.leave + 0.25 * span, 1.1 * a.push)]
            pitch += [(b.land, b.strike), (b.land + min(FALL, 0.4 * (b.leave - b.land)), b.flat)]
        pitch.append((pitch[-1][0] + 60.0, pitch[-1][1]))
        angle = through(t, *pitch)
        x, z, yaw, ground = where.T
        place_foot(tracks, side, x, z, yaw, lift + ground, angle)
        tracks.planted[:, side] = planted


def _rise(u: np.ndarray, early: float) -> np.ndarray:
    start, end = max(0.0, -0.4 * early), 1.0 - max(0.0, 0.4 * early)
    return ease((u - start) / (end - start))


def flights_of(contacts: Sequence[Contact]) -> list[tuple[float, float]]:
    """Intervals (off, on) in seconds between contacts, in which no foot bears the body."""
    ordered = sorted(contacts, key=lambda c: c.land)
    reach, gaps = ordered[0].leave, []
    for contact in ordered[1:]:
        if contact.land > reach + 1e-6:
            gaps.append((reach, contact.land))
        reach = max(reach, contact.leave)
    return gaps


def height_limit(style: BodyStyle, tracks: Tracks) -> np.ndarray:
    """The greatest height (T,) of the pelvis at which the bearing legs still reach; inf in flight."""
    hips = tracks.hips()
    limit = np.full(len(tracks), np.inf)
    for side in (0, 1):
        hip = turned(hips, style.offsets[1 + side])
        away = tracks.ankle[:, side] - tracks.root - hip
        flat = away[:, 0] ** 2 + away[:, 2] ** 2
        legs = np.sqrt(np.maximum((0.995 * LEG[side]) ** 2 - flat, 0.02))
        height = tracks.ankle[:, side, 1] + legs - hip[:, 1]
        limit = np.where(tracks.planted[:, side], np.minimum(limit, height), limit)
    return limit


def set_height(
    style: BodyStyle,
    tracks: Tracks,
    flights: Sequence[tuple[float, float]],
    low: float,
    knots: Sequence[tuple[float, float]],
) -> None:
    """Set the pelvis' height: ``low`` metres below standing at both ends of a flight, falling freely.

    ``knots`` are (seconds, metres above standing) at which the pelvis rests, outside of flights.
    """
    t = np.arange(len(tracks)) / FPS
    limit = height_limit(style, tracks) - style.height - 0.004
    events = [(-1.0, 0.0, 0.0, 0.0), (t[-1] + 1.0, 0.0, 0.0, 0.0)]
    events += [(when, height, 0.0, 0.0) for when, height in knots]
    for off, on in flights:
        ends = [min(-low, float(limit[min(round(at * FPS), len(t) - 1)])) for at in (off, on)]
        launch = (ends[1] - ends[0]) / (on - off) + GRAVITY * (on - off) / 2
        events.append((off, ends[0], launch, -GRAVITY))
        events.append((on, ends[1], launch - GRAVITY * (on - off), -GRAVITY))
    events += _gives_way(sorted(events))
    tracks.root[:, 1] += quintic(t, *zip(*sorted(events), strict=True))


def _gives_way(events: list[tuple[float, ...]]) -> list[tuple[float, float, float, float]]:
    """Knots that end a landing and begin a push-off where the support between them and the next is long."""
    added = []
    for a, b in itertools.pairwise(events):
        room = b[0] - a[0]
        if a[3] < 0 and a[2] < 0 and room > 0.4:
            added.append((a[0] + 0.16, a[1] + 0.07 * a[2], 0.0, 0.0))
        if b[3] < 0 and b[2] > 0 and room > 0.4:
            added.append((b[0] - 0.16, b[1] - 0.07 * b[2], 0.0, 0.0))
    return added


def set_pelvis(tracks: Tracks, place: np.ndarray, yaw: np.ndarray, sway: float = 0.3) -> None:
    """Move the pelvis along ``place`` (T, 2) with heading ``yaw`` (T,), swaying over the bearing feet."""
    across = np.stack([np.cos(yaw), -np.sin(yaw)], axis=1)
    feet = np.stack(
        [np.sum((tracks.ankle[:, s][:, [0, 2]] - place) * across, axis=1) for s in (0, 1)], axis=1
    )
    weight = tracks.planted + 1e-3
    over = smooth(np.clip(np.sum(feet * weight, 1) / weight.sum(1), -0.2, 0.2), 3.0) * sway
    tracks.root[:, 0] += place[:, 0] + across[:, 0] * over
    tracks.root[:, 2] += place[:, 1] + across[:, 1] * over
    tracks.yaw[:] = yaw
    tracks.pelvis[:, 2] -= 0.6 * over
    tracks.spine[:, 2] += 0.9 * over


def set_upper(
    style: BodyStyle, tracks: Tracks, arms: float = 1.0, run: np.ndarray | float = 0.0, bend: float = 0.0
) -> None:
    """Swing arms and trunk against the legs; ``run`` (0 to 1) bends the elbows, ``bend`` (rad) the trunk."""
    ahead = np.stack([np.sin(tracks.yaw), np.cos(tracks.yaw)], axis=1)
    apart = np.sum((tracks.ankle[:, 0] - tracks.ankle[:, 1])[:, [0, 2]] * ahead, axis=1)
    stride = smooth(np.tanh(apart / 0.9) * 0.9, 0.8)
    moving = smooth(
        np.clip(np.linalg.norm(np.gradient(tracks.root, axis=0)[:, [0, 2]], axis=1) * 40, 0, 1), 3.0
    )
    run = np.broadcast_to(run, stride.shape) * moving
    tracks.pelvis[:, 0] -= 0.15 * stride
    tracks.spine[:, 0] += 0.28 * lagged(stride, 0.6)
    tracks.head[:, 0] -= 0.1 * stride
    tracks.bend(moving, hips=0.5 * bend, spine=0.5 * bend, head=-0.7 * bend)
    for side in (0, 1):
        angle = -SIDES[side] * lagged(stride, 0.5) * arms * style.swing * 0.62
        tracks.arm[:, side] = swung(tracks.arm[:, side], angle, run)


def standing_contacts(
    style: BodyStyle, leave: tuple[float, float] = (0.0, 0.0), ground: float = 0.0
) -> list[Contact]:
    """Both feet where a standing body has them, until they leave."""
    feet = [tuple(map(float, spot)) for spot in style.feet()]
    return [Contact(s, -1.0, leave[s], (feet[s][0], feet[s][1], feet[s][2], ground)) for s in (0, 1)]


def resting(contacts: Sequence[Contact]) -> list[Contact]:
    """The contacts, with the last of each foot lasting to the end of the clip."""
    last = {c.side: c for c in sorted(contacts, key=lambda c: c.land)}
    return [replace(c, leave=c.land + 60.0) if c is last[c.side] else c for c in contacts]


def distance(tracks: Tracks) -> float:
    """Length in metres of the pelvis' way over the ground."""
    return round(float(np.linalg.norm(np.diff(tracks.root[:, [0, 2]], axis=0), axis=1).sum()), 2)
