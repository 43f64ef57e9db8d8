"""Paths on the floor, and motions bent along them. Knows joints at a rate, no file and no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clean_up import resting_feet, with_feet_held
from .foot_swings import resting_between_steps, with_feet_lifted
from .looping import Span, cycles, smooth_path, spliced
from .placement import turned_about_y
from .skeleton import Skeleton

# Metres between the points that a path is kept as, and of the Gaussian that rounds its corners.
STEP, ROUNDING = 0.01, 0.1
# Metres; a path is longer, and no longer than that.
SHORTEST_PATH, LONGEST_PATH = 0.1, 1000.0
# A motion that travels less than this, metres, has no way that could be bent.
LEAST_TRAVEL = 0.5
# Steps are stretched or shortened up to this so that the motion ends where the path does.
MOST_STRETCH = 1.15
# What a seam between poses so far apart (metres, as ``Span.gap`` has it) costs, such a stretch of all steps
# (its logarithm) costs too. A round of the gait travels at least so far, metres.
GAP_COSTS, STRETCH_COSTS, SHORTEST_ROUND = 0.04, 0.08, 0.3
# Seconds of the Gaussians that take a body's sway from its way, that tell where it is heading, and that turn
# it along the path; below this speed, metres per second, it heads nowhere.
SWAY_SECONDS, HEADING_SECONDS, TURN_SECONDS, SLOWEST = 0.15, 0.4, 0.15, 0.2


@dataclass(frozen=True)
class FloorPath:
    """A way on the floor from :func:`floor_path`: points (N, 2), x and z in metres, ``STEP`` apart."""

    points: np.ndarray

    @property
    def length(self) -> float:
        """Metres."""
        return STEP * (len(self.points) - 1)

    def at(self, way: np.ndarray) -> np.ndarray:
        """Places (T, 2) after ``way`` (T,) metres; it stays at its ends."""
        metres = STEP * np.arange(len(self.points))
        return np.stack([np.interp(way, metres, self.points[:, k]) for k in (0, 1)], axis=-1)

    def heading(self, way: np.ndarray) -> np.ndarray:
        """Where it leads after ``way`` (T,) metres: angles from +z towards +x, without a jump."""
        step = np.diff(self.points, axis=0)
        angles = np.unwrap(np.arctan2(step[:, 0], step[:, 1]))
        return np.asarray(np.interp(way, STEP * (np.arange(len(step)) + 0.5), angles))

    def distance(self, places: np.ndarray) -> np.ndarray:
        """Metres (T,) from places (T, 2) to the nearest point of the path."""
        return np.array([np.linalg.norm(self.points - place, axis=1).min() for place in places])


@dataclass(frozen=True)
class BentMotion:
    """A motion along a path.

    joints: (T, J, 3).
    stretch: what its steps were made longer by.
    rounds: of its gait that came again; below 0 those that were left out.
    covered: metres of the path that it goes.
    error: metres that the root is from the path at most.
    frames: of the motion, which each frame was (T,).
    """

    joints: np.ndarray
    stretch: float
    rounds: int
    covered: float
    error: float
    frames: np.ndarray


def floor_path(points: np.ndarray) -> FloorPath:
    """The path through points (N, 2) of x and z in metres, its corners rounded a little.

    Raises ``ValueError`` for other shapes, numbers that are not finite, or a path of no length or no end.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of x and z, found shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("a point of the path is no finite number")
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    if not SHORTEST_PATH <= length <= LONGEST_PATH:
        count = f"{len(points)} point{'' if len(points) == 1 else 's'}"
        raise ValueError(
            f"a path of {length:.4g} m ({count}); expected {SHORTEST_PATH:g} to {LONGEST_PATH:g} m"
        )
    spaced = _evenly_spaced(points)
    rounded = np.stack([gaussian_line(spaced[:, k], ROUNDING / STEP) for k in (0, 1)], axis=1)
    return FloorPath(_evenly_spaced(rounded))


def bent_along(joints: np.ndarray, path: FloorPath, skeleton: Skeleton) -> BentMotion:
    """A motion (T, J, 3) at the skeleton's own rate whose root goes along a path, feet planted as they were.

    It begins where the path does. What the body does about its way, it does about the path: it sways, faces
    and steps as it did. So that it ends where the path does, rounds of its gait come again or are left out,
    and steps become longer or shorter by at most ``MOST_STRETCH``; where that does not do, it ends in the
    middle of a step, or of the path. Raises ``ValueError`` for a motion that does not travel.
    """
    way = travelled(joints, skeleton)
    if way[-1] < LEAST_TRAVEL:
        raise ValueError(
            f"the motion travels {way[-1]:.2f} m; a path needs one that walks, runs or otherwise travels, "
            f"{LEAST_TRAVEL:g} m at least"
        )
    resting = resting_between_steps(
        joints[:, list(skeleton.feet)], resting_feet(joints, skeleton), skeleton.fps
    )
    joints, frames, rounds = with_rounds(joints, path.length, skeleton)
    way = travelled(joints, skeleton)
    stretch = path.length / way[-1]
    if not 1 / MOST_STRETCH <= stretch <= MOST_STRETCH:
        stretch = 1.0
    last = int(np.searchsorted(stretch * way, path.length + STEP / 2))
    way = np.minimum(stretch * way[:last], path.length)
    turn = (
        gaussian_line(path.heading(way), TURN_SECONDS * skeleton.fps)
        - own_heading(joints, skeleton.fps)[:last]
    )
    own = smooth_path(joints, skeleton.fps, SWAY_SECONDS)[:last]
    goal = np.insert(path.at(way), 1, 0.0, axis=1)
    bent = turned_about_y(joints[:last] - own[:, None], turn) + goal[:, None]
    rests = resting[frames[:last]]
    held = with_feet_lifted(with_feet_held(bent, rests, skeleton), rests, skeleton, skeleton.fps)
    error = float(path.distance(held[:, 0, ::2]).max())
    return BentMotion(held, float(stretch), rounds, float(way[-1]), error, frames[:last])


def with_rounds(joints: np.ndarray, metres: float, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray, int]:
    """A motion that travels about so far, which frame each was (T,), and how many rounds it has more.

    Rounds of its gait come again or are left out, whichever needs the least of stretch and of a seam.
    """
    way, numbers = travelled(joints, skeleton), np.arange(len(joints))
    best, least = (0, Span(0, 0, 0.0)), abs(np.log(metres / way[-1])) / STRETCH_COSTS
    for span in cycles(joints, skeleton):
        travel = way[span.end] - way[span.start]
        if travel < SHORTEST_ROUND:
            continue
        rounds = max(1, round((metres - way[-1]) / travel)) if metres > way[-1] else -1
        stretch = metres / max(way[-1] + rounds * travel, 1e-6)
        cost = span.gap / GAP_COSTS + abs(np.log(stretch)) / STRETCH_COSTS
        if cost < least:
            best, least = (rounds, span), cost
    rounds, span = best
    if rounds == 0:
        return joints, numbers, 0
    first, second = (span.end, span.start) if rounds > 0 else (span.start, span.end)
    found, frames = joints[: first + 1], numbers[: first + 1]
    for number in range(abs(rounds)):
        to_end = rounds < 0 or number == rounds - 1
        following = slice(second, None if to_end else first + 1)
        found = spliced(found, joints[following], skeleton)
        frames = np.concatenate([frames, numbers[following][1:]])
    return found, frames, rounds


def travelled(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Metres (T,) that the root of a motion (T, J, 3) has gone on the floor, its sway apart."""
    steps = np.diff(smooth_path(joints, skeleton.fps, SWAY_SECONDS), axis=0)
    speed = np.linalg.norm(steps, axis=1)
    speed = np.where(speed * skeleton.fps < SLOWEST / 2, 0.0, speed)
    return np.concatenate([[0.0], np.cumsum(speed)])


def own_heading(joints: np.ndarray, fps: float) -> np.ndarray:
    """Where a motion travels (T,), radians from +z towards +x; where it stands, as before or next."""
    velocity = np.gradient(smooth_path(joints, fps, HEADING_SECONDS), axis=0) * fps
    moving = np.flatnonzero(np.linalg.norm(velocity, axis=1) >= SLOWEST)
    if not len(moving):
        moving = np.array([int(np.linalg.norm(velocity, axis=1).argmax())])
    angles = np.unwrap(np.arctan2(velocity[moving, 0], velocity[moving, 2]))
    return np.asarray(np.interp(np.arange(len(joints)), moving, angles))


def _evenly_spaced(points: np.ndarray) -> np.ndarray:
    """The same line as points about ``STEP`` apart, which divide it evenly."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    metres = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(2, round(metres[-1] / STEP) + 1)
    return np.stack([np.interp(np.linspace(0, metres[-1], count), metres, points[:, k]) for k in (0, 1)], 1)


def gaussian_line(values: np.ndarray, sigma: float) -> np.ndarray:
    """Numbers (T,) after a Gaussian; beyond the ends they go on as mirrored at the end points."""
    reach = min(int(4 * sigma + 0.5), len(values) - 1)
    padded = np.pad(values, reach, mode="reflect", reflect_type="odd")
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(padded, kernel / kernel.sum(), "valid")
