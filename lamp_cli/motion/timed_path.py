"""Motions that are at places on the floor at given times. Knows joints at a rate, no file and no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .clean_up import resting_feet, with_feet_held
from .floor_path import (
    HEADING_SECONDS,
    LEAST_TRAVEL,
    SHORTEST_PATH,
    STEP,
    SWAY_SECONDS,
    TURN_SECONDS,
    FloorPath,
    floor_path,
    gaussian_line,
    own_heading,
    travelled,
    with_rounds,
)
from .looping import smooth_path
from .placement import ON_FLOOR, headings, placed, turned_about_y
from .skeleton import Skeleton
from .transform import at_times

# Seconds of the Gaussian that rounds the changes of speed at the given places.
SPEED_SECONDS = 0.15
# Metres per second that a motion counts as going while it stands: what stands is not skipped, but hastened.
STANDING = 0.15
# Metres to either side in which a place is looked for on its path.
NEAR = 0.3


@dataclass(frozen=True)
class TimedPath:
    """Where the root is, its sway apart, and which way the body faces.

    times: seconds (K,), ascending.
    places: x and z (K, 2), metres.
    headings: radians (K,) from +z towards +x; not a number: as the motion faces about its way.
    """

    times: np.ndarray
    places: np.ndarray
    headings: np.ndarray


def at_places(
    joints: np.ndarray, path: TimedPath, skeleton: Skeleton, parts: Sequence[tuple[int, int]] = ()
) -> np.ndarray:
    """A motion (T, J, 3) at the skeleton's own rate that is at the path's places at its times, feet planted.

    One place moves the motion as it is. Along several it goes from each straight to the next, corners
    rounded, at the speed that they give; so that its steps suit, rounds of its gait come again or are left
    out, and it is played faster or slower. Before the first and after the last place it goes on as it does.
    ``parts`` are frames, from and to, whose beginning and end stay at their times.
    """
    joints = np.asarray(joints, dtype=np.float64)
    frames = path.times * skeleton.fps
    if len(frames) == 1:
        return _moved(joints, frames[0], path, skeleton)
    first, last = (int(np.clip(round(frame), 0, len(joints) - 1)) for frame in frames[[0, -1]])
    way, line = _way_in_time(path, frames, len(joints), skeleton.fps)
    cuts = {0, first, last, len(joints) - 1, *(min(end, len(joints) - 1) for part in parts for end in part)}
    source, times = _walked(joints, way, sorted(cuts), skeleton)
    own = smooth_path(source, skeleton.fps, SWAY_SECONDS)
    goal, turn = own, np.zeros(len(joints))
    here = at_times(own[:, None], times)[:, 0]
    if line is None:
        goal = np.stack([np.interp(np.arange(len(joints)), frames, path.places[:, k]) for k in (0, 1)], 1)
    else:
        goal = line.at(way)
        heading = np.interp(times, np.arange(len(source)), own_heading(source, skeleton.fps))
        turn = gaussian_line(line.heading(way), TURN_SECONDS * skeleton.fps) - heading
        turn[:first], turn[last + 1 :] = turn[first], turn[last]
    goal = np.insert(goal, 1, 0.0, axis=1)
    for end, outside in ((first, slice(0, first)), (last, slice(last + 1, None))):
        beyond = turned_about_y((here[outside] - here[end])[:, None], turn[end])[:, 0]
        goal[outside] = goal[end] + beyond
    body = at_times(source, times) - here[:, None]
    facing = np.isfinite(path.headings)
    if facing.any():
        found = headings(turned_about_y(body, turn), skeleton)
        turn = turn + _missing_turn(found, frames[facing], path.headings[facing], skeleton.fps)
    bent = turned_about_y(body, turn) + goal[:, None]
    resting = resting_feet(source, skeleton)[np.clip(np.rint(times).astype(int), 0, len(source) - 1)]
    return with_feet_held(bent, resting, skeleton)


def _moved(joints: np.ndarray, frame: float, path: TimedPath, skeleton: Skeleton) -> np.ndarray:
    """The whole motion moved, and turned where a heading is given, so that its root is there then."""
    pose = at_times(joints, np.array([frame]))
    if np.isfinite(path.headings[0]):
        turn = path.headings[0] - headings(pose, skeleton)[0]
        joints, pose = turned_about_y(joints, turn), turned_about_y(pose, turn)
    return np.asarray(joints + (np.insert(path.places[0], 1, 0.0) - pose[0, 0] * ON_FLOOR))


def _way_in_time(
    path: TimedPath, frames: np.ndarray, count: int, fps: float
) -> tuple[np.ndarray, FloorPath | None]:
    """Metres gone by each of so many frames, and the line that is gone; None where it leads nowhere."""
    if np.linalg.norm(np.diff(path.places, axis=0), axis=1).sum() < SHORTEST_PATH:
        return np.zeros(count), None
    line = floor_path(path.places)
    metres = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path.places, axis=0), axis=1))])
    knots = []
    for place, guess in zip(path.places, metres * (line.length / metres[-1]), strict=True):
        low = max(0, round((guess - NEAR) / STEP))
        near = line.points[low : round((guess + NEAR) / STEP) + 1]
        knots.append(STEP * (low + int(np.linalg.norm(near - place, axis=1).argmin())))
    knots[0], knots[-1] = 0.0, line.length
    way = np.interp(np.arange(count), frames, np.maximum.accumulate(knots))
    inside = (np.arange(count) >= frames[0]) & (np.arange(count) <= frames[-1])
    if inside.sum() > 2:
        way[inside] = gaussian_line(way[inside], SPEED_SECONDS * fps)
    return np.clip(way, 0.0, line.length), line


def _walked(
    joints: np.ndarray, way: np.ndarray, cuts: Sequence[int], skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """A motion (S, J, 3) and where in it each frame is (T,), so that it has gone as far as ``way`` (T,) says.

    Between two ``cuts`` rounds of the gait come again or are left out; what does not travel there stays as it
    is, and so does its time.
    """
    source, times = joints[:1], np.zeros(len(joints))
    for begin, end in pairwise(cuts):
        piece, metres = joints[begin : end + 1], float(way[end] - way[begin])
        steps = np.arange(end - begin + 1.0)
        if metres >= SHORTEST_PATH and travelled(piece, skeleton)[-1] >= LEAST_TRAVEL:
            piece, _, _ = with_rounds(piece, metres, skeleton)
            own = travelled(piece, skeleton)
            steps = _in_step(own * (metres / own[-1]), way[begin : end + 1] - way[begin], skeleton.fps)
        times[begin : end + 1] = len(source) - 1 + steps
        source = np.concatenate([source, placed(piece, piece[0], source[-1], skeleton)[1:]])
    return source, times


def _in_step(own: np.ndarray, asked: np.ndarray, fps: float) -> np.ndarray:
    """When (T,), in frames, a motion that goes ``own`` (S,) metres has gone ``asked`` (T,)."""
    still = STANDING / fps
    own = own + still * np.arange(len(own))
    asked = asked + (own[-1] - asked[-1]) * np.linspace(0.0, 1.0, len(asked))
    times = np.interp(asked, own, np.arange(len(own)))
    return np.clip(gaussian_line(times, SPEED_SECONDS * fps), 0.0, len(own) - 1.0)


def _missing_turn(found: np.ndarray, frames: np.ndarray, asked: np.ndarray, fps: float) -> np.ndarray:
    """The turn (T,) after which a body that faces ``found`` (T,) faces ``asked`` (K,) at some frames."""
    found = gaussian_line(np.unwrap(found), HEADING_SECONDS / 2 * fps)
    missing = np.unwrap(asked - np.interp(frames, np.arange(len(found)), found))
    missing -= 2 * np.pi * np.round(missing[0] / (2 * np.pi))
    return np.asarray(np.interp(np.arange(len(found)), frames, missing))
