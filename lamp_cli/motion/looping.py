"""Motions that repeat: the span of a motion that does best, closed; and a root that stays where it is.

Knows joints at a rate, no file and no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from .clean_up import resting_feet, rests_at_rate, with_feet_held
from .foot_swings import clear_heights, dragging, height_of_floor, with_feet_lifted
from .placement import ON_FLOOR, headings, placed, turned_about_y, wrapped
from .seam_bounds import SeamBounds, within_bounds
from .seams import brought_together, pose_vectors
from .skeleton import Skeleton
from .transform import at_times

# Seconds. A loop lasts at least the first; longer ones are not looked for; longer is better, by this scale.
SHORTEST, LONGEST, LONGER_IS_BETTER = 0.5, 12.0, 1.0
# Metres that the two ends lie apart, as ``pose_vectors`` has it: nearer is better by this scale, and those
# that lie further apart than that do not become one.
NEARER_IS_BETTER, FURTHEST = 0.04, 0.13
# A loop that moves less than this share of what the whole motion does repeats its rests.
LEAST_SHARE_OF_MOVEMENT = 0.5
# A loop goes at least so many times further from its first pose than it was from coming back to it.
# Ends that are nearer than this, metres, are one pose even where nothing else happens.
LEAST_WAY, STILL = 4.0, 0.02
# Metres and radians. A loop that turns less goes straight; one that travels less stays in its place.
STRAIGHT, IN_PLACE = np.radians(25.0), 0.2
# Metres per second; a seam where bones swing round less is better by this scale.
CALM = 0.2
# Metres per second by which the velocity may change in the one pose of the seam, and how much is aimed at.
VELOCITY, MOST_STEP = 0.1, 0.09
# Each end gives way within this time, seconds.
REACH = 0.4
# So many spans at most are closed, of which that is best whose feet slide little, too: by this scale, the
# metres by which they would have to be lifted to move as they do. Of spans whose begins and ends are within
# so many seconds of each other the better one alone is closed.
MOST_CLOSED, SLIDES, ALIKE = 4, 0.002, 0.15
# Of the root's path that is taken out, seconds: what is quicker is sway, and stays.
SWAY_SECONDS = 0.25


class CannotLoop(ValueError):
    """A motion no span of which repeats; the sentence says how near it comes."""


@dataclass(frozen=True)
class Loop:
    """A closed loop.

    joints: (T, J, 3), whose last pose is the first, further on.
    start: frame of the motion at which it begins.
    end: the frame that has become the first pose again.
    gap: how far the two lay apart before, metres.
    """

    joints: np.ndarray
    start: int
    end: int
    gap: float


@dataclass(frozen=True)
class Span:
    """Frames ``start`` and ``end`` that look alike, and how far apart they lie, metres."""

    start: int
    end: int
    gap: float


def closed_loop(joints: np.ndarray, skeleton: Skeleton) -> Loop:
    """The loop of a motion (T, J, 3) at the skeleton's own rate.

    First and last pose, their velocities and the feet that rest agree. What hardly turns goes straight, what
    hardly travels ends where it began. Raises :class:`CannotLoop` where no span repeats.
    """
    floor = height_of_floor(joints, skeleton)
    best, worth_of_best, least = None, 0.0, np.inf
    for span, worth in repeating_spans(joints, skeleton):
        loop = _closed_span(joints, span, skeleton)
        rounds = repeated(loop.joints, 2, skeleton)
        step = _step_at_seam(rounds, skeleton)
        least = min(least, step)
        worth *= float(np.exp(-dragging(rounds, skeleton, skeleton.fps, floor) / SLIDES))
        if step < VELOCITY and worth > worth_of_best:
            best, worth_of_best = loop, worth
    if best is None:
        raise CannotLoop(
            "the motion cannot loop: where it comes back to a pose that it left, its speed is another one, "
            f"{least:.2f} m/s off"
        )
    return best


def _step_at_seam(rounds: np.ndarray, skeleton: Skeleton) -> float:
    """By how much the velocity of some joint changes in the one pose between two rounds, m/s."""
    accelerations = np.diff(rounds, n=2, axis=0)[len(rounds) // 2 - 1]
    return float(np.linalg.norm(accelerations, axis=-1).max() * skeleton.fps)


def _closed_span(joints: np.ndarray, span: Span, skeleton: Skeleton) -> Loop:
    """The loop that a span of a motion (T, J, 3) becomes."""
    cut = np.asarray(joints[span.start : span.end + 1], dtype=np.float64)
    resting = resting_feet(joints, skeleton)[span.start : span.end + 1]
    reach = min(round(REACH * skeleton.fps), (len(cut) - 1) // 2)
    closed = _closed(_evened(cut, skeleton), skeleton, reach)
    held = _held_round(closed, resting, skeleton, float(cut[..., 1].min()))
    calmed = _calmed(held, SeamBounds.of(joints, skeleton.fps), skeleton, skeleton.fps)
    return Loop(calmed, span.start, span.end, span.gap)


def loop_at_rate(loop: np.ndarray, motion: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """A closed loop (T, J, 3) at another rate, that of the ``motion`` it was made of.

    It lasts whole frames, up to half of one longer or shorter, so that its last pose is its first there too.
    """
    count = len(loop) - 1
    frames = max(2, round(count * fps / skeleton.fps))
    rounds = repeated(loop.astype(np.float64), 3, skeleton)
    again = at_times(rounds, count + np.arange(frames + 1) * (count / frames))
    return _calmed(placed(again, again[0], loop[0], skeleton), SeamBounds.of(motion, fps), skeleton, fps)


def repeated(joints: np.ndarray, times: int, skeleton: Skeleton) -> np.ndarray:
    """A loop (T, J, 3) so many times, each from where the one before ends: (times (T - 1) + 1, J, 3)."""
    found = [np.asarray(joints)]
    for _ in range(times - 1):
        found.append(placed(joints, joints[0], found[-1][-1], skeleton)[1:])
    return np.concatenate(found).astype(joints.dtype)


def spliced(before: np.ndarray, after: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """``before`` and then ``after`` from where that ends: its first pose becomes that one's last.

    Both (T, J, 3); of the two poses, which should be alike, each gives way by half, and so do those beside.
    """
    reach = min(round(REACH * skeleton.fps), (len(before) - 1) // 2, (len(after) - 1) // 2)
    behind = placed(after, after[0], before[-1], skeleton)
    before, behind = brought_together(before, behind, skeleton, reach)
    return np.concatenate([before, behind[1:]])


def without_path(joints: np.ndarray, skeleton: Skeleton, is_loop: bool = False) -> np.ndarray:
    """A motion (T, J, 3) at the skeleton's own rate without its root's path, about which it still sways.

    A loop's last place is the first again.
    """
    if not is_loop:
        path = smooth_path(joints, skeleton.fps, SWAY_SECONDS)
        return np.asarray(joints - (path - joints[0, 0] * ON_FLOOR)[:, None])
    # The round in the middle, whose path goes on at both ends, turned back to where the first faces.
    rounds = repeated(joints, 3, skeleton)
    middle = slice(len(joints) - 1, 2 * len(joints) - 1)
    swaying = rounds[middle] - smooth_path(rounds, skeleton.fps, SWAY_SECONDS)[middle, None]
    turned = headings(joints[:1], skeleton)[0] - headings(rounds[middle][:1], skeleton)[0]
    return np.asarray(turned_about_y(swaying, turned) + joints[0, 0] * ON_FLOOR)


def smooth_path(joints: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """The root's way on the floor (T, 3), y 0, smoothed by a Gaussian of so many seconds.

    At both ends it goes on as it came, mirrored at its end point.
    """
    path = np.asarray(joints[:, 0] * ON_FLOOR, dtype=np.float64)
    sigma = seconds * fps
    reach = int(4 * sigma + 0.5)
    frames = np.arange(-reach, len(path) + reach)
    inside = np.clip(frames, 0, len(path) - 1)
    mirror = np.clip(2 * inside - frames, 0, len(path) - 1)
    padded = np.where((frames == inside)[:, None], path[inside], 2 * path[inside] - path[mirror])
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    return np.stack([np.convolve(padded[:, k], kernel, "valid") for k in range(3)], axis=1)


def repeating_spans(joints: np.ndarray, skeleton: Skeleton) -> list[tuple[Span, float]]:
    """The spans that make the best loops, and their worth: ends alike, full of movement, and long.

    The best comes first. Raises :class:`CannotLoop` where there is none.
    """
    fps = skeleton.fps
    if len(joints) - 1 < round(SHORTEST * fps):
        raise CannotLoop(
            f"the motion cannot loop: it lasts {len(joints) / fps:.2f} s, and a loop {SHORTEST:g} s at least"
        )
    come, leave = pose_vectors(joints, skeleton, fps)
    swing = np.exp(-_swing(joints, skeleton, fps) / CALM)
    found: list[tuple[Span, float]] = []
    for frames, gap, share in _gaps(joints, skeleton, come, leave):
        worth = share * np.exp(-gap / NEARER_IS_BETTER) * (1 - np.exp(-frames / fps / LONGER_IS_BETTER))
        worth = np.where(gap <= FURTHEST, worth * swing[:-frames], 0.0)
        for start in np.argsort(-worth)[:MOST_CLOSED].tolist():
            furthest = np.linalg.norm(come[start : start + frames] - come[start], axis=1).max()
            goes_away = furthest >= LEAST_WAY * gap[start]
            if worth[start] > 0 and (gap[start] <= STILL or goes_away):
                found.append((Span(start, start + frames, float(gap[start])), float(worth[start])))
    if not found:
        apart = 100 * float(np.linalg.norm(leave[0] - come[-1]))
        raise CannotLoop(
            "the motion cannot loop: it never comes back to a pose that it left; "
            f"its last pose is {apart:.0f} cm from its first"
        )
    return list(islice(_unlike(sorted(found, key=lambda each: -each[1]), round(ALIKE * fps)), MOST_CLOSED))


def _unlike(spans: Sequence[tuple[Span, float]], frames: int) -> Iterator[tuple[Span, float]]:
    """Of spans of which both ends are within so many frames of each other's the first."""
    found: list[Span] = []
    for span, worth in spans:
        if all(max(abs(span.start - one.start), abs(span.end - one.end)) >= frames for one in found):
            found.append(span)
            yield span, worth


def cycles(joints: np.ndarray, skeleton: Skeleton) -> list[Span]:
    """Spans of a motion (T, J, 3) that may be left out or come once more, the nearest ends of each length."""
    found = []
    come, leave = pose_vectors(joints, skeleton, skeleton.fps)
    for frames, gap, _ in _gaps(joints, skeleton, come, leave):
        start = int(gap.argmin())
        if gap[start] <= FURTHEST:
            found.append(Span(start, start + frames, float(gap[start])))
    return found


def _gaps(
    joints: np.ndarray, skeleton: Skeleton, come: np.ndarray, leave: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """For every length of a span in frames, how far apart the ends of each lie, and its share of movement.

    Those whose feet rest otherwise at both ends, or that hardly move, lie infinitely far apart.
    """
    fps, resting = skeleton.fps, resting_feet(joints, skeleton)
    # A statue moves as much at any time.
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(1) + 1e-9
    moved = np.concatenate([[0.0], np.cumsum(speed)])
    usual = speed.mean()
    for frames in range(round(SHORTEST * fps), min(len(joints) - 1, round(LONGEST * fps)) + 1):
        gap = np.linalg.norm(leave[:-frames] - come[frames:], axis=1)
        share = (moved[frames:] - moved[:-frames]) / (frames * usual)
        serves = (resting[:-frames] == resting[frames:]).all(1) & (share >= LEAST_SHARE_OF_MOVEMENT)
        yield frames, np.where(serves, gap, np.inf), share


def _swing(joints: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """By how much the velocity (T,) of some joint changes in a frame because its bone swings round, m/s.

    Of a bone that turns, the end is drawn inwards; no change of pose takes that away.
    """
    bones = joints[:, 1:] - joints[:, list(skeleton.parents[1:])]
    swing = (np.diff(bones, axis=0) ** 2).sum(-1) / np.maximum(np.linalg.norm(bones[1:], axis=-1), 1e-6)
    most = swing.max(1) * fps
    return np.maximum(np.append(most, most[-1:]), np.append(most[:1], most))


def _closed(joints: np.ndarray, skeleton: Skeleton, reach: int) -> np.ndarray:
    """A span (T, J, 3) whose first and last pose, at most ``reach`` frames beside them, become one."""
    again = placed(joints, joints[0], joints[-1], skeleton)
    end, begin = brought_together(joints, again, skeleton, reach)
    half = len(joints) // 2
    return np.concatenate([placed(begin, again[half], joints[half], skeleton)[:half], end[half:]])


def _calmed(joints: np.ndarray, usual: SeamBounds, skeleton: Skeleton, fps: float) -> np.ndarray:
    """A closed loop whose seam is within the bounds, and its speed there the same before and after.

    Of two rounds the frames about their seam give way; the loop is then what they are from the middle of the
    first to that of the second.
    """
    seam = len(joints) - 1
    rounds = repeated(joints, 2, skeleton)
    free = np.abs(np.arange(len(rounds)) - seam) <= min(round(REACH * fps), (seam - 1) // 2)
    heights = rounds[:, list(skeleton.feet), 1]
    resting, bounds = rests_at_rate(rounds, skeleton, fps), replace(usual, calm=MOST_STEP * fps)
    clear = np.minimum(clear_heights(height_of_floor(rounds, skeleton), skeleton), heights)
    low = np.where(resting, heights.min(), clear)
    found = within_bounds(rounds, free, [seam, seam + 1], bounds, skeleton, fps, resting, low, calm=[seam])
    half = seam // 2
    begin = placed(found[seam : seam + half], rounds[seam + half], joints[half], skeleton)
    return np.concatenate([begin, found[half : seam + 1]])


def _evened(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """A span of which a small turn, and then a small way, between its ends are taken out evenly."""
    turn = float(wrapped(np.subtract(*headings(joints[[-1, 0]], skeleton))))
    if abs(turn) < STRAIGHT:
        joints = bent(joints, -_evenly(np.array([turn]), len(joints))[:, 0])
    travel = (joints[-1, 0] - joints[0, 0]) * ON_FLOOR
    return joints - _evenly(travel, len(joints))[:, None] if np.linalg.norm(travel) < IN_PLACE else joints


def bent(joints: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """A motion (T, J, 3) whose every step and pose is turned by an angle (T,) about the vertical axis."""
    root = joints[:, 0] * ON_FLOOR
    steps = np.diff(root, axis=0, prepend=root[:1])
    middle = np.concatenate([angles[:1], 0.5 * (angles[1:] + angles[:-1])])
    path = root[0] + np.cumsum(turned_about_y(steps[:, None], middle)[:, 0], axis=0)
    return np.asarray(turned_about_y(joints - root[:, None], angles) + path[:, None])


def _held_round(closed: np.ndarray, resting: np.ndarray, skeleton: Skeleton, floor: float) -> np.ndarray:
    """A loop whose feet rest and step above a floor, held over three rounds so that the middle one closes."""
    resting = resting.copy()
    resting[0] = resting[-1] = resting[0] | resting[-1]
    rounds = repeated(closed, 3, skeleton)
    resting = np.concatenate([resting, resting[1:], resting[1:]])
    held = with_feet_held(rounds, resting, skeleton, floor)
    # A foot that never rests, as on a treadmill, does not step: it slides as it did.
    for foot in (slice(0, 2), slice(2, 4)):
        if not resting[:, foot].any():
            resting[:, foot] = True
    held = with_feet_lifted(held, resting, skeleton, skeleton.fps)
    count = len(closed) - 1
    return placed(held[count : 2 * count + 1], rounds[count], closed[0], skeleton)


def _evenly(way: np.ndarray, frames: int) -> np.ndarray:
    """From nought to ``way`` (D,) in so many equal frames (frames, D)."""
    return np.linspace(0.0, 1.0, frames)[:, None] * way
