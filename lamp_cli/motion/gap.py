"""Drawn frames between a motion's own: place, heading, pose and speed run through, planted feet stay.

What a network draws meets the motion at neither end. It is turned and moved so that it begins where the
motion stops; what is left of place and heading at the other end is spread over the drawn frames. Differences
of pose and speed at a seam die away within a fraction of a second (inertialization: Bollo, "Inertialization:
High-Performance Animation Transitions in Gears of War", GDC 2018). Feet that rest are then held by the legs.
Joints are metres, y up; knows no network and no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .clean_up import of_this_body, resting_feet, rests_at_rate, runs, with_feet_moved
from .foot_swings import clear_heights, height_of_floor, lifted_swings
from .limbs import Limbs
from .placement import ON_FLOOR, turned_about_y, wrapped
from .representation import gaussian_smooth, retarget
from .seam_bounds import SeamBounds, seam_figures, within_bounds
from .skeleton import Skeleton
from .transform import at_times

# A difference of pose at a seam dies away so that it pushes no joint harder than this (m / s^2), within so
# many seconds at least and at most.
PUSH, SOONEST, LATEST = 5.0, 0.5, 1.0
# The speed at a seam is told by poses so many seconds apart.
SPEED_SECONDS = 0.025
# Seconds in which a foot is let go of, which it rests for at least, and which it takes for a step.
RELEASE, LEAST_REST, STEP = 0.2, 0.15, 0.4
# A foot that rests from seam to seam steps where its places are so far apart (metres), another one where it
# is carried so far.
LEAST_STEP, MOST_DRIFT = 0.03, 0.15
# Steps are about so long, and half as high up to a height.
STEP_LENGTH, STEP_HEIGHT = 0.5, 0.06
# A foot that is moved quicker, m / s, is on a step.
STEPS = 0.1
# A foot that is quicker does not rest, m / s; one may be so far below where feet mostly rest, metres.
QUICK, BELOW = 1.0, 0.02
# From rest to rest a foot is moved with at most so much acceleration, m / s^2.
FOOT_PUSH = 25.0
# The greatest acceleration of an eased way of 1 within a time of 1.
_MOST_OF_EASED = 5.78
# Metres by which a foot counts as moved.
_NOTHING = 2e-6
# What rests above the height that it is drawn at, this percentile of it, comes down within so many seconds.
LOW, SINKS = 25.0, 0.3
# A foot that stays so many metres away from where it rests does not rest.
FALLS_SHORT = 0.015
# Over about so many seconds what the legs change is smoothed.
KNEE_SECONDS = 0.03


@dataclass(frozen=True)
class Gap:
    """Where a motion is drawn anew: frames ``start`` to ``end`` (exclusive) give way to ``frames`` new ones.

    start: first frame of the motion that is not kept.
    end: first frame after it that is.
    frames: drawn, at the motion's own rate.
    kept: frames of the motion within, whose poses are kept; then ``frames`` is ``end - start``.

    Raises ``ValueError`` when nothing is drawn, or for a kept frame outside.
    """

    start: int
    end: int
    frames: int
    kept: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end or self.frames < 1:
            raise ValueError(
                f"frames {self.start} to {self.end}: {self.frames} to be drawn; expected 1 or more"
            )
        if self.kept and self.frames != self.end - self.start:
            raise ValueError("kept poses have their own times; expected as many frames as there were")
        if not all(self.start <= frame < self.end for frame in self.kept):
            raise ValueError(f"kept frames {self.kept}: expected some of {self.start} to {self.end - 1}")

    @property
    def stop(self) -> int:
        """The frame of the result after the last that is drawn."""
        return self.start + self.frames

    def seams(self, count: int) -> list[int]:
        """The first frames of what meets something else before it, in a result of ``count`` frames."""
        bounds = {self.start, self.stop, *self.kept, *(frame + 1 for frame in self.kept)}
        kept = self.is_kept(np.arange(count))
        return [frame for frame in sorted(bounds) if 0 < frame < count and kept[frame] != kept[frame - 1]]

    def is_kept(self, frames: np.ndarray) -> np.ndarray:
        """Which ``frames`` (R,) of the result are the motion's own."""
        outside = (frames < self.start) | (frames >= self.stop)
        return np.asarray(outside | np.isin(frames, self.kept))


@dataclass(frozen=True)
class DrawnFrames:
    """What a network made for a gap, with some of what it made beside it.

    joints: (M, J, 3) at the skeleton's own rate, anywhere and facing anywhere, feet on a floor at 0.
    first: frame of the gap's begin.
    count: frames of the gap; they may last a little longer or shorter than it.
    """

    joints: np.ndarray
    first: int
    count: float

    def times(self, frames: np.ndarray, gap: Gap, ratio: float) -> np.ndarray:
        """Where the ``frames`` (R,) of the result are among these, as fractions of frames.

        ``ratio`` is the skeleton's rate over the motion's.
        """
        within = np.clip(frames - gap.start, 0, gap.frames) * (self.count / gap.frames)
        beside = np.minimum(frames - gap.start, 0) + np.maximum(frames - gap.stop, 0)
        return np.asarray(self.first + within + beside * ratio)


@dataclass(frozen=True)
class _Anchor:
    """A frame of the result with the pose of the motion's own: beside the gap, or kept within.

    frame: of the result.
    poses: joints (1 or 2, J, 3): its own, and that of a frame beside it, which tells the speed.
    step: from this frame to that one.
    """

    frame: int
    poses: np.ndarray
    step: int = 1


def fill_gap(joints: np.ndarray, drawn: DrawnFrames, gap: Gap, skeleton: Skeleton, fps: float) -> np.ndarray:
    """The motion (T, J, 3) at ``fps`` with drawn frames in the gap; all others are, bit by bit, its own.

    Raises ``ValueError`` when the motion keeps no frame.
    """
    anchors = _anchors(joints, gap, fps)
    if not anchors:
        raise ValueError("every frame gives way; expected some that are kept")
    body = of_this_body(skeleton, joints)
    floor = height_of_floor(joints, skeleton)
    # With the frames beside the gap that tell speeds.
    reach = 1 + _reach(fps)
    frames = np.arange(gap.start - reach, gap.stop + reach + 1)
    times = drawn.times(frames, gap, skeleton.fps / fps)
    made = at_times(_raised(retarget(drawn.joints, body), floor), times)
    made = _moved_along(made, frames, anchors, fps)
    made = _blended(made, frames, anchors, body, fps)
    own = joints.astype(np.float64)
    result = np.concatenate([own[: gap.start], made[reach : reach + gap.frames], own[gap.end :]])
    for frame in gap.kept:
        result[frame] = own[frame]
    resting = _resting(joints, result, drawn, gap, skeleton, fps)
    offsets, still = _foot_offsets(result, resting, gap, floor, body, fps)
    inside = slice(gap.start, gap.stop)
    kept = gap.is_kept(np.arange(gap.start, gap.stop))
    lengths = Limbs.of(result, body).lengths
    wanted = result[:, list(body.feet)] + offsets
    result[inside] = _with_legs_bent(result[inside], offsets[inside], kept, body, fps)
    # Feet that rest too far off for their legs do not; they are lifted too.
    tracks = result[:, list(body.feet)]
    reached = np.linalg.norm(tracks - wanted, axis=-1) < FALLS_SHORT
    still &= reached | gap.is_kept(np.arange(len(result)))[:, None]
    again = lifted_swings(tracks, still, gap.is_kept(np.arange(len(result))), floor, body, fps)
    result[inside] = _with_legs_bent(result[inside], again[inside], kept, body, fps)
    resting &= still
    free, seams = ~gap.is_kept(np.arange(len(result))), gap.seams(len(result))
    bounds = SeamBounds.of(joints, fps)
    low = np.where(
        resting, floor - BELOW, np.minimum(clear_heights(floor, body), result[:, list(body.feet), 1])
    )
    settled = within_bounds(result, free, seams, bounds, skeleton, fps, resting, low, lengths)
    if not seam_figures(settled, seams, bounds, fps).within.all():
        # Lifted feet leave no way; they may come down to the floor.
        again = within_bounds(result, free, seams, bounds, skeleton, fps, resting, floor - BELOW, lengths)
        found = (settled, again)
        settled = min(found, key=lambda joints: seam_figures(joints, seams, bounds, fps).worst)
    filled = settled[inside].astype(joints.dtype)
    for frame in gap.kept:
        filled[frame - gap.start] = joints[frame]
    return np.concatenate([joints[: gap.start], filled, joints[gap.end :]])


def seam_errors(
    joints: np.ndarray, drawn: DrawnFrames, gap: Gap, skeleton: Skeleton, fps: float
) -> tuple[float, float, float]:
    """How far drawn frames are from meeting the motion: place (m), heading (rad), pose (m), each the worst.

    Place and heading are those left when the first seam, or kept frame, is met; the pose's is the root of
    the mean squared distance of the joints, above one place and facing one way.
    """
    anchors = _anchors(joints, gap, fps)
    body = of_this_body(skeleton, joints)
    frames = np.array([anchor.frame for anchor in anchors])
    times = drawn.times(frames, gap, skeleton.fps / fps)
    made = at_times(_raised(retarget(drawn.joints, body), height_of_floor(joints, skeleton)), times)
    angles = np.array(
        [_angle(pose[None], anchor.poses[:1]) for pose, anchor in zip(made, anchors, strict=True)]
    )
    goals = np.concatenate([anchor.poses[:1] for anchor in anchors])
    roots = turned_about_y(made[:, :1], angles[0])[:, 0] * ON_FLOOR
    place = np.linalg.norm((roots - roots[0]) - (goals[:, 0] - goals[0, 0]) * ON_FLOOR, axis=-1)
    own = turned_about_y(made - made[:, :1] * ON_FLOOR, angles)
    pose = np.sqrt(np.mean(np.sum((own - (goals - goals[:, :1] * ON_FLOOR)) ** 2, -1), -1))
    return float(place.max()), float(np.abs(wrapped(angles - angles[0])).max()), float(pose.max())


def _raised(joints: np.ndarray, floor: float) -> np.ndarray:
    """Joints (T, J, 3) on a floor at another height."""
    return joints + np.array([0.0, floor, 0.0])


def _reach(fps: float) -> int:
    """Frames beside a gap that tell speeds."""
    return max(1, round(SPEED_SECONDS * fps))


def _anchors(joints: np.ndarray, gap: Gap, fps: float) -> list[_Anchor]:
    """In the order of time."""
    reach, found = _reach(fps), []
    if gap.start > 0:
        found.append(_Anchor(gap.start - 1, joints[gap.start - 1 :: -reach][:2], -reach))
    found += [_Anchor(frame, joints[frame][None]) for frame in sorted(set(gap.kept))]
    if gap.end < len(joints):
        found.append(_Anchor(gap.stop, joints[gap.end :: reach][:2], reach))
    return found


def _angle(pose: np.ndarray, goal: np.ndarray) -> float:
    """The turn about y after which a pose (1, J, 3) is nearest to another (Kovar et al. 2002), radians."""
    a, b = (p[0, :, 2] + 1j * p[0, :, 0] for p in (pose, goal))
    return float(np.angle(np.sum((b - b.mean()) * (a - a.mean()).conj())))


def _moved_along(made: np.ndarray, frames: np.ndarray, anchors: list[_Anchor], fps: float) -> np.ndarray:
    """Frames (R, J, 3) turned and moved over the floor so that at every anchor place and heading are its own.

    What they are off is spread smoothly from anchor to anchor; before the first and after the last they move
    as one piece.
    """
    at = np.array([anchor.frame for anchor in anchors])
    numbers = at - frames[0]
    off = np.array([_angle(made[[n]], anchor.poses[:1]) for n, anchor in zip(numbers, anchors, strict=True)])
    angles = off[0] + np.concatenate([[0.0], np.cumsum(wrapped(np.diff(off)))])
    angle = _spread(frames, at, angles[:, None], SOONEST * fps)[:, 0]
    steps = turned_about_y(np.diff(made[:, :1], axis=0), (angle[1:] + angle[:-1]) / 2)[:, 0]
    root = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)]) * ON_FLOOR
    missing = np.concatenate([anchor.poses[:1, 0] for anchor in anchors]) * ON_FLOOR - root[numbers]
    root = root + _spread(frames, at, missing, SOONEST * fps)
    return turned_about_y(made - made[:, :1] * ON_FLOOR, angle) + root[:, None]


def _spread(frames: np.ndarray, knots: np.ndarray, values: np.ndarray, ramp: float) -> np.ndarray:
    """Values (K, D) at knots (K,) as a curve (R, D) that is at rest in every knot, and constant beyond.

    It has its speed after ``ramp`` frames, and goes on evenly.
    """
    result = np.repeat(values[:1], len(frames), axis=0)
    for (begin, end), step in zip(pairwise(knots.tolist()), np.diff(values, axis=0), strict=True):
        share = _even((frames - begin) / (end - begin), min(0.5, ramp / (end - begin)))
        result += share[:, None] * step
    return result


def _even(share: np.ndarray, ramp: float) -> np.ndarray:
    """From 0 to 1, evenly but for so large a share at each end, with neither speed nor acceleration there."""
    share = np.clip(share, 0.0, 1.0)
    near = np.minimum(np.minimum(share, 1.0 - share) / ramp, 1.0)
    # The integral of a speed that rises as 3 t^2 - 2 t^3.
    way = ramp * near**3 * (1.0 - 0.5 * near) + np.maximum(np.minimum(share, 1.0 - share) - ramp, 0.0)
    way = way / (1.0 - ramp)
    return np.where(share < 0.5, way, 1.0 - way)


def _eased(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 with neither speed nor acceleration at the ends."""
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(share**3 * (10.0 + share * (6.0 * share - 15.0)))


def _blended(
    made: np.ndarray, frames: np.ndarray, anchors: list[_Anchor], body: Skeleton, fps: float
) -> np.ndarray:
    """Frames (R, J, 3) that come from every anchor's pose, at its speed, and go into the next one's.

    Beside an anchor they are what its pose and speed lead to, further off they are their own, with the bones
    of the body.
    """
    limbs = Limbs.of(made, body)
    # Between frames of another rate they are a little too short.
    limbs = replace(limbs, lengths=np.zeros_like(limbs.lengths) + np.array(body.bone_lengths[1:])[:, None])
    offset, led = limbs.way_to(limbs), limbs.way_to(limbs)
    for number, anchor in enumerate(anchors):
        change = limbs[[anchor.frame - frames[0]]].way_to(Limbs.of(anchor.poses[:1], body))
        offset = offset + change.times(
            _left(frames, anchors, number, _seconds_for(made, frames, anchor) * fps)
        )
    limbs = limbs.moved(offset)
    for number, anchor in enumerate(anchors):
        if len(anchor.poses) == 1:
            continue
        share = _left(frames, anchors, number, SOONEST * fps)
        led = led + limbs.way_to(_led_by(anchor, frames, SOONEST * fps, body)).times(share)
    return limbs.moved(led).joints(body)


def _seconds_for(made: np.ndarray, frames: np.ndarray, anchor: _Anchor) -> float:
    """In how many seconds the difference to an anchor's pose dies away."""
    apart = np.linalg.norm(made[anchor.frame - frames[0]] - anchor.poses[0], axis=-1).max()
    return float(np.clip(np.sqrt(_MOST_OF_EASED * apart / PUSH), SOONEST, LATEST))


def _left(frames: np.ndarray, anchors: list[_Anchor], number: int, room: float) -> np.ndarray:
    """From 1 at an anchor to 0 in ``room`` frames, or at the next anchor on either side (R,)."""
    at = anchors[number].frame
    near = [abs(anchors[k].frame - at) for k in (number - 1, number + 1) if 0 <= k < len(anchors)]
    return 1.0 - _eased(np.abs(frames - at) / min([room, *near]))


def _led_by(anchor: _Anchor, frames: np.ndarray, room: float, body: Skeleton) -> Limbs:
    """Where the pose and the speed of an anchor lead to within ``room`` frames (R)."""
    own = Limbs.of(anchor.poses, body)
    rate = own[:1].way_to(own[1:])
    time = (frames - anchor.frame) / room
    return own[:1].moved(rate.times(np.sign(time) * _coasting(np.abs(time)) * room / anchor.step))


def _coasting(time: np.ndarray) -> np.ndarray:
    """How far a speed of 1 leads that comes to rest within a ``time`` of 1."""
    u = np.clip(time, 0.0, 1.0)
    return np.asarray(u - 2.5 * u**4 + 3.0 * u**5 - u**6)


def _resting(
    joints: np.ndarray, result: np.ndarray, drawn: DrawnFrames, gap: Gap, skeleton: Skeleton, fps: float
) -> np.ndarray:
    """Which foot joints rest (R, 4) in the result: the motion's, and in the gap those of the drawn frames.

    Where these have become quick, beside a pose that does not match, their feet are free.
    """
    before, after = (rests_at_rate(each, skeleton, fps) for each in (joints[: gap.start], joints[gap.end :]))
    times = drawn.times(np.arange(gap.start, gap.stop), gap, skeleton.fps / fps)
    made = resting_feet(drawn.joints, skeleton)[
        np.clip(np.round(times).astype(int), 0, len(drawn.joints) - 1)
    ]
    tracks = result[:, list(skeleton.feet)]
    quick = np.linalg.norm(np.gradient(tracks, axis=0), axis=-1)[gap.start : gap.stop] * fps > QUICK
    frames = np.arange(gap.start, gap.stop)
    ours = np.array([anchor.frame for anchor in _anchors(joints, gap, fps)])
    near = np.abs(frames[:, None] - ours).min(1) < SOONEST * fps
    made &= ~(quick & near[:, None])
    own = rests_at_rate(joints, skeleton, fps) if gap.kept else made
    for frame in gap.kept:
        made[frame - gap.start] = own[frame]
    return np.concatenate([before, made, after])


def _foot_offsets(
    joints: np.ndarray, resting: np.ndarray, gap: Gap, floor: float, body: Skeleton, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (R, 4, 3) that hold the feet where they rest and lift them elsewhere, none below the floor.

    There is none in the frames that are the motion's own. With them, which foot joints (R, 4) then rest.
    """
    kept = gap.is_kept(np.arange(len(joints)))
    tracks = joints[:, list(body.feet)]
    rests = [_rests(tracks[:, k], resting[:, k], kept, fps, k // 2) for k in range(4)]
    offsets, still = np.zeros((len(joints), 4, 3)), np.zeros((len(joints), 4), dtype=bool)
    for own, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        # Where one joint of a foot rests the other goes with it.
        led = [part for rest in rests[other] for part in rest.without(resting[:, own] | kept)]
        held = [_Rest(begin, np.zeros((end - begin, 3)), True) for begin, end in runs(kept)]
        every = sorted([*rests[own], *led, *held], key=lambda rest: rest.begin)
        every = _apart(every, fps)
        offsets[:, own] = _between_rests(every, len(joints), fps)
        for rest in every:
            still[rest.begin : rest.end, own] |= not rest.kept
    # A rest from seam to seam may be one of several steps.
    speed = np.linalg.norm(np.gradient(tracks + offsets, axis=0), axis=-1) * fps
    still = (still & (speed < STEPS)) | (resting & kept[:, None])
    offsets += lifted_swings(tracks + offsets, still, kept, floor, body, fps)
    below = np.maximum(floor - BELOW - tracks[..., 1] - offsets[..., 1], 0.0)
    offsets[~kept, :, 1] += below[~kept]
    return offsets, still


def _with_legs_bent(
    joints: np.ndarray, offsets: np.ndarray, kept: np.ndarray, body: Skeleton, fps: float
) -> np.ndarray:
    """Joints (T, J, 3) whose feet are moved by ``offsets`` (T, 4, 3), none of those that are ``kept`` (T,).

    Moved by nothing at all a nearly straight leg's knee comes out elsewhere: only what the offsets change
    counts, smoothed a little, since a knee jerks where its leg is no longer straight.
    """
    solved = with_feet_moved(joints, offsets + _NOTHING, body)
    change = solved - with_feet_moved(joints, np.full_like(offsets, _NOTHING), body)
    result = joints.copy()
    for begin, end in runs(~kept):
        here = change[begin:end].reshape(end - begin, -1)
        # As if it went on turned about at both ends, so that nothing is left there.
        beyond = -here[::-1]
        smoothed = gaussian_smooth(np.concatenate([beyond, here, beyond]), KNEE_SECONDS * fps)
        result[begin:end] += smoothed[len(here) : -len(here)].reshape(-1, *change.shape[1:])
    return result


@dataclass(frozen=True)
class _Rest:
    """Offsets (N, 3) of a point from the frame ``begin`` on; ``kept`` frames are the motion's own."""

    begin: int
    offsets: np.ndarray
    kept: bool = False

    @property
    def end(self) -> int:
        return self.begin + len(self.offsets)

    def without(self, frames: np.ndarray) -> list[_Rest]:
        """What is left of it beside some ``frames`` (R,)."""
        left = runs(~frames[self.begin : self.end])
        return [_Rest(self.begin + begin, self.offsets[begin:end]) for begin, end in left]

    def shortened(self, begin: int, end: int) -> _Rest:
        """Without so many frames at its begin and end; a kept one stays."""
        if self.kept:
            return self
        begin, end = min(max(begin, 0), len(self.offsets)), max(end, 0)
        return _Rest(self.begin + begin, self.offsets[begin : max(begin, len(self.offsets) - end)])


def _rests(track: np.ndarray, resting: np.ndarray, kept: np.ndarray, fps: float, side: int) -> list[_Rest]:
    """Every rest of a point (R, 3) in drawn frames, with the offsets that hold it still."""
    rests = []
    for begin, end in runs(resting & ~kept):
        # Kept frames beside it in which the foot rests too.
        before = int(begin > 0 and resting[begin - 1] and kept[begin - 1])
        after = int(end < len(track) and resting[end] and kept[end])
        if before + after or end - begin >= LEAST_REST * fps:
            around = track[begin - before : end + after]
            goal = _goal(around, bool(before), bool(after), fps, side)
            rests.append(_Rest(begin, goal[before : len(goal) - after] - track[begin:end]))
    return rests


def _between_rests(rests: list[_Rest], count: int, fps: float) -> np.ndarray:
    """Offsets (``count``, 3) of a point that let go of it after every rest."""
    at = np.concatenate([np.arange(rest.begin, rest.end) for rest in rests])
    values = np.concatenate([rest.offsets for rest in rests])
    return spread_from_knots(at, values, count, max(1, round(RELEASE * fps)))


def spread_from_knots(at: np.ndarray, values: np.ndarray, count: int, release: int) -> np.ndarray:
    """A curve (``count``, D) through values (K, D) at frames (K,), eased between those that are near.

    It is 0 ``release`` frames away from the others.
    """
    return _spread_between(count, *_let_go(at, values, count, release))


def _apart(rests: list[_Rest], fps: float) -> list[_Rest]:
    """The rests, cut where a foot could not go from one to the next without a jerk."""
    found = rests[:1]
    for rest in rests[1:]:
        way = float(np.linalg.norm(rest.offsets[0] - found[-1].offsets[-1]))
        missing = (
            int(np.ceil(np.sqrt(_MOST_OF_EASED * way / FOOT_PUSH) * fps)) - 1 - (rest.begin - found[-1].end)
        )
        share = 2 if not (found[-1].kept or rest.kept) else 1
        before = found[-1].shortened(0, -(-missing // share))
        rest = rest.shortened(-(-missing // share), 0)
        found = [*found[:-1], *([before] if len(before.offsets) else [])]
        found += [rest] if len(rest.offsets) else []
    return found


def _let_go(at: np.ndarray, values: np.ndarray, count: int, release: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots (K,) and values (K, D) with others of no offset wherever knots are far apart, or an end is."""
    begins = np.array([-2 * release - 1, *at.tolist()])
    ends = np.array([*at.tolist(), count + 2 * release])
    long = ends - begins > 2 * release
    free = np.concatenate([begins[long] + release, ends[long] - release])
    free = np.unique(free[(free >= 0) & (free < count)])
    free = free[~np.isin(free, at)]
    order = np.argsort(np.concatenate([at, free]), kind="stable")
    return np.concatenate([at, free])[order], np.concatenate(
        [values, np.zeros((len(free), values.shape[1]))]
    )[order]


def _spread_between(count: int, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A curve (``count``, D) through values (K, D) at knots (K,), eased between them and constant beyond."""
    frames = np.arange(count)
    left = np.clip(np.searchsorted(knots, frames, side="right") - 1, 0, len(knots) - 1)
    right = np.minimum(left + 1, len(knots) - 1)
    share = _eased((frames - knots[left]) / np.maximum(knots[right] - knots[left], 1))[:, None]
    return np.asarray(values[left] + share * (values[right] - values[left]))


def _goal(track: np.ndarray, before: bool, after: bool, fps: float, side: int) -> np.ndarray:
    """Where a point (N, 3) that rests should be (N, 3): where it is ``before``, ``after``, or mostly.

    Before and after say whether the first and the last frame are the motion's own. Where it is carried too
    far for one place, as the body's missing way is spread over the frames, it steps instead: first the left
    foot, ``side`` 0, then the right one.
    """
    both = before and after
    way = np.linalg.norm((track[-1] - track[0])[[0, 2]]) if both else np.ptp(track, axis=0)[[0, 2]].max()
    if way > (LEAST_STEP if both else MOST_DRIFT):
        return _stepping(track, float(way), fps, side)
    if both:
        goal = np.linspace(track[0], track[-1], len(track))
    else:
        place = track[0] if before else track[-1] if after else np.median(track, axis=0)
        goal = np.repeat(place[None], len(track), axis=0)
    goal[:, 1] -= _sinking(goal[:, 1] - np.percentile(track[:, 1], LOW), before, after, fps)
    return goal


def _sinking(raised: np.ndarray, before: bool, after: bool, fps: float) -> np.ndarray:
    """How far a point that rests ``raised`` (N,) above where it is drawn comes down (N,), not at seams."""
    frames = np.arange(len(raised))
    share = np.ones(len(raised))
    for away, own in ((frames, before), (frames[::-1], after)):
        share = share * (_eased(away / (SINKS * fps)) if own else 1.0)
    return np.asarray(np.maximum(raised, 0.0) * share)


def _stepping(track: np.ndarray, way: float, fps: float, side: int) -> np.ndarray:
    """A track (N, 3) walked along in steps, from rest to rest; beginning and end stay."""
    last = len(track) - 1
    count = max(1, min(round(way / STEP_LENGTH), int(last / (1.25 * STEP * fps))))
    cycle = last / count
    half = min(STEP * fps, cycle / 2) / 2
    time, lift = np.zeros(len(track)), np.zeros(len(track))
    for number in range(count):
        centre = (number + (0.3 if side == 0 else 0.7)) * cycle
        phase = np.clip((np.arange(len(track)) - centre + half) / (2 * half), 0.0, 1.0)
        time += cycle * _eased(phase)
        lift += min(STEP_HEIGHT, way / count / 2) * (4 * phase * (1 - phase)) ** 2
    result = at_times(track[:, None], time)[:, 0]
    result[:, 1] += lift
    return result
