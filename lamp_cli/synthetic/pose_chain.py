"""A chain of poses as one movement: hands, knees and feet that bear the body stay where they are.

Getting up is the chain of lying down from its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .body import THIGH, Tracks, turned
from .floor_poses import Pose
from .style import BodyStyle
from .time_curves import FPS, bump, keys, smooth, snap, through


@dataclass(frozen=True)
class Stop:
    """A pose of a chain, the seconds to come to it from the one before, and the seconds of rest in it."""

    pose: Pose
    move: float
    rest: float = 0.0


def through_poses(style: BodyStyle, rng: np.random.Generator, stops: list[Stop]) -> Tracks:
    """Tracks of a chain of poses."""
    grips = _nearest([s.pose.grip for s in stops])
    stops = [replace(s, pose=replace(s.pose, grip=grip)) for s, grip in zip(stops, grips, strict=True)]
    arrive, leave, clock = [], [], 0.0
    for k, stop in enumerate(stops):
        clock += snap(stop.move) if k else 0.0
        arrive.append(clock)
        clock += snap(stop.rest)
        leave.append(clock)
    tracks = style.stand(clock, rng)
    t = np.arange(len(tracks)) / FPS
    poses = [s.pose for s in stops]
    knots = [(time, k) for k in range(len(stops)) for time in sorted({arrive[k], leave[k]})]

    def passing(values: list) -> np.ndarray:
        return through(t, *((time, values[k]) for time, k in knots))

    def stopping(values: list) -> np.ndarray:
        return keys(t, *((time, values[k]) for time, k in knots))

    standing = stopping([float(all(p.planted) and p.pitch == 0.0) for p in poses])[:, None]
    tracks.root[:] = passing([p.root for p in poses]) + standing * (tracks.root - [0.0, style.height, 0.0])
    tracks.pelvis[:, 1] = passing([p.pitch for p in poses])
    still = [np.array([0.0, style.bend, style.lean]), np.array([0.0, style.chin, -style.lean])]
    tracks.spine[:] = passing([p.spine for p in poses]) + (tracks.spine - still[0]) * (0.3 + 0.7 * standing)
    tracks.head[:] = passing([p.head for p in poses]) + (tracks.head - still[1]) * (0.3 + 0.7 * standing)
    tracks.knee[:] = stopping([p.knee for p in poses])[:, None]
    tracks.hold[:] = stopping([p.hold for p in poses])
    bears = np.zeros((len(t), 2))
    for side in (0, 1):
        tracks.ankle[:, side] = stopping([p.ankle[side] for p in poses])
        tracks.foot[:, side] = stopping([p.foot[side] for p in poses])
        tracks.kneeling[:, side] = stopping([float(p.guided[side]) for p in poses])
        tracks.grip[:, side] = stopping([p.grip[side] for p in poses])
        tracks.kneel[:, side] = stopping(_nearest([p.kneel[side] for p in poses]))
        _between(tracks, t, stops, (arrive, leave), side, bears)
    over_knees(tracks, style, bears)
    return tracks


def _nearest(points: list[np.ndarray]) -> list[np.ndarray]:
    """Points with zeros, which stand for none, replaced by the nearest in the list: where a limb will go."""
    known = [k for k, p in enumerate(points) if p.any()] or range(len(points))
    return [points[min(known, key=lambda k: abs(k - n))] for n in range(len(points))]


def _between(
    tracks: Tracks,
    t: np.ndarray,
    stops: list[Stop],
    times: tuple[list[float], list[float]],
    side: int,
    bears: np.ndarray,
) -> None:
    """Lift the foot and the hand of ``side`` where they move between poses; say what bears the body."""
    arrive, leave = times
    tracks.planted[:, side] = False
    for k, stop in enumerate(stops):
        rest = (t > arrive[k] - 1e-6) & (t < leave[k] + 1e-6)
        tracks.planted[rest, side] = stop.pose.planted[side]
        bears[rest, side] = stop.pose.bearing[side]
        if k + 1 == len(stops):
            break
        after = stops[k + 1].pose
        moving = (t > leave[k] - 1e-6) & (t < arrive[k + 1] + 1e-6)
        u = (t - leave[k]) / (arrive[k + 1] - leave[k])
        way = float(np.linalg.norm(after.ankle[side] - stop.pose.ankle[side]))
        if way > 0.03:
            tracks.ankle[:, side, 1] += min(0.09, 0.12 * way) * bump(u) * moving
        reach = float(np.linalg.norm(after.grip[side] - stop.pose.grip[side]))
        tracks.grip[:, side, 1] += min(0.1, 0.2 * reach) * bump(u) * moving
        tracks.planted[moving, side] = stop.pose.planted[side] and after.planted[side]
        bears[moving, side] = stop.pose.bearing[side] and after.bearing[side]


def over_knees(tracks: Tracks, style: BodyStyle, bears: np.ndarray) -> None:
    """Move the pelvis so that the thighs reach exactly to the knees that bear (T, 2) the body."""
    share = smooth(bears, 1.5) * (bears > 0)
    share = np.where(bears > 0, np.maximum(share, bears), smooth(bears, 1.5))
    hips = tracks.hips()
    for _ in range(6):
        push = np.zeros_like(tracks.root)
        for side in (0, 1):
            thigh = tracks.root + turned(hips, style.offsets[1 + side]) - tracks.kneel[:, side]
            length = np.maximum(np.linalg.norm(thigh, axis=-1, keepdims=True), 1e-6)
            push += share[:, side, None] * thigh * (THIGH[side] / length - 1)
        tracks.root += push / np.maximum(share.sum(1, keepdims=True), 1.0)


def chain(
    style: BodyStyle, poses: list[Pose], seconds: list[float], rests: tuple[float, float]
) -> list[Stop]:
    """Stops for poses in a row: the first and the last are rested in, the others passed."""
    stops = [Stop(poses[0], 0.0, rests[0])]
    stops += [Stop(p, s * style.tempo) for p, s in zip(poses[1:], seconds, strict=True)]
    stops[-1] = replace(stops[-1], rest=rests[1])
    return stops


def backward(stops: list[Stop]) -> list[Stop]:
    """The same chain from its end to its beginning."""
    moves = [0.0] + [s.move for s in stops[:0:-1]]
    return [Stop(s.pose, m, s.rest) for s, m in zip(stops[::-1], moves, strict=True)]
