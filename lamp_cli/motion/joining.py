"""One motion behind another: straight on where poses agree, else by a transition with a step of each foot.

Knows joints at the skeleton's own rate, no file and no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clean_up import resting_feet, with_feet_held
from .looping import FURTHEST, spliced
from .placement import ON_FLOOR, body_frames, placed
from .seam_bounds import SeamBounds, within_bounds
from .seams import in_between, pose_vectors
from .skeleton import Skeleton

# Metres that a frame which is left out at a seam counts like, of the distance of the poses there.
FRAME_COSTS = 0.003
# Of a transition: metres per second of the joint that goes furthest, and seconds at least and at most.
EASE, SHORTEST_TRANSITION, LONGEST_TRANSITION = 1.0, 0.3, 1.5
# Metres per second: who is slower stands; and metres: a foot that is nearer to its next place keeps its own.
STANDS, KEEPS_PLACE = 0.4, 0.03
# Frames beside a transition in which feet are held too.
HOLD_BESIDE = 6
# Frames on each side of a seam that may change to bring it within its bounds.
GIVES_WAY = 8


@dataclass(frozen=True)
class JoinedMotion:
    """Two motions as one.

    joints: (T, J, 3).
    first: frames of the first motion that it begins with.
    between: frames of the transition behind those; 0 where the motions go on straight.
    start: frame of the second motion at which that sets in.
    """

    joints: np.ndarray
    first: int
    between: int
    start: int


def joined_motions(
    before: np.ndarray, after: np.ndarray, skeleton: Skeleton, transition: float | None, trim: float
) -> JoinedMotion:
    """``before`` and then ``after``, each (T, J, 3), the second moved and turned to where the first ends.

    transition: seconds between the two; 0 for none; None: none where their poses agree, else what it needs.
    trim: seconds at the end of the first and at the beginning of the second of which some may be left out so
        that their poses agree.
    """
    fps = skeleton.fps
    bounds = SeamBounds(max(SeamBounds.of(motion, fps).push for motion in (before, after)))
    end, start, gap = _best_seam(before, after, skeleton, round(trim * fps))
    if transition == 0 or (transition is None and gap <= FURTHEST):
        joints = spliced(before[: end + 1], after[start:], skeleton)
        return JoinedMotion(_smooth(joints, [end + 1], bounds, skeleton), end + 1, 0, start + 1)
    seconds = _seconds_needed(before[-1], after[0], skeleton) if transition is None else transition
    frames = max(1, round(seconds * fps))
    behind = _placed_behind(before, after, skeleton, frames)
    middle = in_between(before, behind, skeleton, frames)
    resting = _resting_across(before, behind, skeleton, frames)
    joints = with_feet_held(np.concatenate([before, middle, behind]), resting, skeleton)
    joints = _smooth(joints, [len(before), len(before) + frames], bounds, skeleton)
    return JoinedMotion(joints, len(before), frames, 0)


def _smooth(joints: np.ndarray, seams: list[int], bounds: SeamBounds, skeleton: Skeleton) -> np.ndarray:
    """The motion (T, J, 3) with its seams within the bounds: the frames beside them give way."""
    frames = np.arange(len(joints))
    free = (frames >= seams[0] - GIVES_WAY) & (frames < seams[-1] + GIVES_WAY)
    floor = float(joints[:, list(skeleton.feet), 1].min())
    resting = resting_feet(joints, skeleton)
    return within_bounds(joints, free, seams, bounds, skeleton, skeleton.fps, resting, floor)


def _best_seam(
    before: np.ndarray, after: np.ndarray, skeleton: Skeleton, trim: int
) -> tuple[int, int, float]:
    """Last frame of the one, first of the other, and how far their poses lie apart, metres."""
    ends = np.arange(max(0, len(before) - 1 - trim), len(before))
    starts = np.arange(min(trim + 1, len(after)))
    come = pose_vectors(before, skeleton, skeleton.fps)[0][ends]
    leave = pose_vectors(after, skeleton, skeleton.fps)[1][starts]
    gaps = np.linalg.norm(come[:, None] - leave[None], axis=-1)
    left_out = (len(before) - 1 - ends)[:, None] + starts[None]
    i, j = np.unravel_index(int((gaps + FRAME_COSTS * left_out).argmin()), gaps.shape)
    return int(ends[i]), int(starts[j]), float(gaps[i, j])


def _seconds_needed(before: np.ndarray, after: np.ndarray, skeleton: Skeleton) -> float:
    first, second = body_frames(np.stack([before, after]), skeleton)
    way = float(np.linalg.norm(first - second, axis=-1).max())
    return float(np.clip(way / EASE, SHORTEST_TRANSITION, LONGEST_TRANSITION))


def _placed_behind(before: np.ndarray, after: np.ndarray, skeleton: Skeleton, frames: int) -> np.ndarray:
    """The second motion where the first comes to in so many frames; who stands keeps the feet in place."""
    behind = placed(after, after[0], before[-1], skeleton)
    leaving, arriving = (
        np.diff(part[:, 0], axis=0).sum(0) * ON_FLOOR if len(part) > 1 else np.zeros(3)
        for part in (before[-2:], behind[:2])
    )
    if max(np.linalg.norm(leaving), np.linalg.norm(arriving)) * skeleton.fps > STANDS:
        return np.asarray(behind + 0.5 * (leaving + arriving) * (frames + 1))
    rests = resting_feet(before, skeleton)[-1] & resting_feet(after, skeleton)[0]
    feet = np.array(skeleton.feet)[rests]
    shift = (before[-1, feet] - behind[0, feet]).mean(0) * ON_FLOOR if len(feet) else np.zeros(3)
    return np.asarray(behind + shift)


def _resting_across(before: np.ndarray, after: np.ndarray, skeleton: Skeleton, frames: int) -> np.ndarray:
    """Which foot joints (T, 4) rest in and near a transition of so many frames; one foot steps, then one."""
    ends, begins = resting_feet(before, skeleton), resting_feet(after, skeleton)
    rests = np.zeros((len(before) + frames + len(after), 4), dtype=bool)
    near = min(HOLD_BESIDE, len(before), len(after))
    rests[len(before) - near : len(before)] = ends[len(ends) - near :]
    rests[len(before) + frames : len(before) + frames + near] = begins[:near]
    feet = list(skeleton.feet)
    ways = np.linalg.norm((before[-1, feet] - after[0, feet]) * ON_FLOOR, axis=-1)
    left_first = ways[:2].max() >= ways[2:].max()
    for foot, is_left in ((slice(0, 2), True), (slice(2, 4), False)):
        inside = rests[len(before) : len(before) + frames, foot]
        keeps = ways[foot].max() < KEEPS_PLACE
        lift, land = (0.05, 0.5) if is_left == left_first else (0.5, 0.95)
        inside[: round((1.0 if keeps else lift) * frames)] |= ends[-1, foot]
        inside[round((0.0 if keeps else land) * frames) :] |= begins[0, foot]
    return rests
