"""Feet between two rests: what moves near the floor is lifted, and sets out and comes down slowly.

Knows tracks of foot joints in metres, no file and no network.
"""

from __future__ import annotations

import numpy as np

from .clean_up import DOWN_ANKLE, DOWN_TOE, of_this_body, runs, with_feet_moved
from .skeleton import Skeleton
from .transform import at_times

# Metres by which what moves is lifted above the height below which it would touch the floor.
CLEARANCE = 0.01
# Metres per second from which a foot is lifted a little, and wholly.
MOVES, SWINGS = 0.1, 0.4
# Seconds in which a foot that rested has its speed, and its height; and one that comes in the middle of a
# step from frames that stay.
SPEEDS_UP, RISES, GIVES_WAY = 0.2, 0.15, 0.25
# The lift of a frame spreads over so many seconds on both sides.
SPREAD = 0.05
# A joint of a foot that rests again so many seconds later, at most, and so many metres away, at least, has
# stepped, and its foot with it.
SHORT_STEP, LEAST_STEP = 0.5, 0.05


def with_feet_lifted(joints: np.ndarray, resting: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Joints (T, J, 3) of any body whose feet, where they do not rest (T, 4), do not slide over the floor."""
    kept, tracks = np.zeros(len(joints), dtype=bool), joints[:, list(skeleton.feet)]
    offsets = lifted_swings(tracks, resting, kept, height_of_floor(joints, skeleton), skeleton, fps)
    return with_feet_moved(joints, offsets, of_this_body(skeleton, joints))


def resting_between_steps(tracks: np.ndarray, resting: np.ndarray, fps: float) -> np.ndarray:
    """Which foot joints at ``tracks`` (T, 4, 3) rest (T, 4): without those whose foot's other joint steps.

    A foot that slides may rest at one place by its ankle and at two by its toe: held so, it would turn about
    the ankle, over the floor.
    """
    found = resting.copy()
    for own, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        for begin, end in runs(~resting[:, own]):
            if begin > 0 and end < len(resting) and end - begin <= SHORT_STEP * fps:
                way = (tracks[end, own] - tracks[begin - 1, own])[[0, 2]]
                found[begin:end, other] &= np.linalg.norm(way) < LEAST_STEP
    return found


def height_of_floor(joints: np.ndarray, skeleton: Skeleton) -> float:
    """The height on which the feet of a motion rest, a few strays apart; 0 where they never do."""
    heights = joints[:, list(skeleton.feet), 1].min(1)
    return float(np.percentile(heights, 5))


def dragging(joints: np.ndarray, skeleton: Skeleton, fps: float, floor: float) -> float:
    """By how much the feet of joints (T, J, 3) would have to be lifted to move so, metres, mean of frames."""
    tracks, clear = joints[:, list(skeleton.feet)], clear_heights(floor, skeleton)
    return float(np.mean([_lift(tracks[:, foot], clear[foot], fps) for foot in (slice(0, 2), slice(2, 4))]))


def lifted_swings(
    tracks: np.ndarray, still: np.ndarray, kept: np.ndarray, floor: float, skeleton: Skeleton, fps: float
) -> np.ndarray:
    """Offsets (T, 4, 3) of foot joints at ``tracks`` (T, 4, 3) by which none slides over the floor.

    still: which (T, 4) rest.
    kept: frames (T,) that stay as they are.
    floor: height on which the feet rest.
    """
    offsets = np.zeros_like(tracks)
    clear = clear_heights(floor, skeleton)
    for foot in (slice(0, 2), slice(2, 4)):
        rests = np.asarray(still[:, foot].any(1))
        for begin, end in runs(~(rests | kept)):
            first, last = max(begin - 1, 0), min(end, len(tracks) - 1)
            part = tracks[first : last + 1, foot]
            if not _lift(part, clear[foot], fps).any():
                continue
            # None: the frames begin or end there.
            before = None if first == begin else bool(rests[first])
            after = None if last < end else bool(rests[last])
            made = at_times(part, _times(len(part), before, after, fps))
            lift = _spread(_lift(made, clear[foot], fps), fps) * _room(len(part), before, after, fps)
            made[..., 1] += lift[:, None]
            offsets[begin:end, foot] = (made - part)[begin - first : end - first]
    return offsets


def clear_heights(floor: float, skeleton: Skeleton) -> np.ndarray:
    """Heights (4,) at which foot joints are clear of a floor."""
    down = [DOWN_ANKLE if "ankle" in skeleton.joint_names[foot] else DOWN_TOE for foot in skeleton.feet]
    return floor + np.array(down) + CLEARANCE


def _lift(part: np.ndarray, clear: np.ndarray, fps: float) -> np.ndarray:
    """By how much a foot (N, 2, 3) must be lifted (N,) to move as it does."""
    speed = np.linalg.norm(np.gradient(part[..., ::2], axis=0), axis=-1) * fps
    share = np.clip((speed - MOVES) / (SWINGS - MOVES), 0.0, 1.0)
    return np.asarray((share * np.maximum(clear - part[..., 1], 0.0)).max(1))


def _spread(lift: np.ndarray, fps: float) -> np.ndarray:
    """A smoother curve (N,) that is nowhere much below."""
    reach = max(1, round(SPREAD * fps))
    padded = np.pad(lift, 2 * reach, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)
    window = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(highest, window / window.sum(), "valid")


def _room(count: int, before: bool | None, after: bool | None, fps: float) -> np.ndarray:
    """Which share of its lift a foot can have (``count``,): none at the ends that are not free."""
    frames = np.arange(count)
    result = np.ones(count)
    for away, rests in ((frames, before), (frames[::-1], after)):
        if rests is not None:
            time = np.clip(away / fps / (RISES if rests else GIVES_WAY), 0.0, 1.0)
            result = result * (time * (2.0 - time) if rests else time**2 * (3.0 - 2.0 * time))
    return result


def _times(count: int, before: bool | None, after: bool | None, fps: float) -> np.ndarray:
    """When (``count``,), a foot is where it will be: it leaves a rest slowly, and so comes to one."""
    frames = np.arange(count)
    speed = np.ones(count - 1)
    room = min(SPEEDS_UP * fps, (count - 1) / 3)
    for away, rests in ((frames[:-1] + 0.5, before), (frames[::-1][:-1] + 0.5, after)):
        if rests:
            speed = speed * np.clip(away / room, 0.0, 1.0)
    # What is late is made up for in the middle, away from ends that go on as they come.
    middle = np.ones(count - 1)
    for steps in (frames[1:], frames[:0:-1]):
        middle = middle * np.clip(steps / room, 0.0, 1.0)
    speed = speed + (count - 1 - speed.sum()) * speed * middle / max((speed * middle).sum(), 1e-9)
    return np.concatenate([[0.0], np.cumsum(speed)])
