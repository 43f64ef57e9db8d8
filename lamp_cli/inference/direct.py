"""Directing motions that are there: loops, motions in place, motions along a path.

What may be asked together, at which rate it is done, and what is said of it; the geometry is ``motion``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..files.path_file import read_path
from ..motion.clean_up import of_this_body
from ..motion.floor_path import FloorPath, bent_along, floor_path
from ..motion.joining import JoinedMotion, joined_motions
from ..motion.looping import closed_loop, loop_at_rate, repeated, without_path
from ..motion.motion import Editor, Motion, MotionPart
from ..motion.representation import retarget
from ..motion.skeleton import Skeleton
from ..motion.transform import resample

# Seconds at least in which a model leads from one motion to another, where its length is not given.
SHORTEST_DRAWN = 0.8
# Metres by which bones of one body may differ from motion to motion.
SAME_BODY = 0.01


@dataclass(frozen=True)
class Direction:
    """What becomes of a motion.

    path: that its root goes along.
    is_loop: whether it becomes a loop.
    in_place: whether its root stays where it is.

    Raises ``ValueError`` for a path beside one of the others.
    """

    path: FloorPath | None = None
    is_loop: bool = False
    in_place: bool = False

    def __post_init__(self) -> None:
        if self.path is not None and (self.is_loop or self.in_place):
            other = "a loop" if self.is_loop else "a motion in place"
            raise ValueError(f"a path leads somewhere, {other} does not; expected one of them")

    @property
    def changes(self) -> bool:
        """Whether anything is asked."""
        return self.path is not None or self.is_loop or self.in_place


def directed(motion: Motion, direction: Direction) -> tuple[Motion, dict[str, Any]]:
    """The motion as it is asked for, and what was done, for a line of output.

    It is done at the skeleton's own rate; a motion of another gets that back. Raises ``ValueError`` for a
    motion that cannot loop, or does not travel where a path is asked for.
    """
    if not direction.changes:
        return motion, {}
    rate, skeleton = motion.skeleton.fps, motion.skeleton
    joints = resample(motion.joints, motion.fps, rate).astype(np.float64)
    frames, done = np.arange(len(joints)), dict[str, Any]()
    if direction.path is not None:
        bent = bent_along(joints, direction.path, skeleton)
        joints, frames = bent.joints, bent.frames
        done["path"] = {
            "length": direction.path.length,
            "covered": bent.covered,
            "stretch": bent.stretch,
            "rounds": bent.rounds,
            "error": bent.error,
        }
    if direction.is_loop:
        found = closed_loop(joints, skeleton)
        joints, frames = found.joints, frames[found.start : found.end + 1]
        done["loop"] = {"start": found.start / rate, "end": found.end / rate, "gap": found.gap}
    if direction.in_place:
        joints = without_path(joints, skeleton, direction.is_loop)
        done["in_place"] = True
    if direction.is_loop and motion.fps != rate:
        result = loop_at_rate(joints, motion.joints, skeleton, motion.fps).astype(np.float32)
    else:
        result = resample(joints, rate, motion.fps).astype(np.float32)
    here = np.interp(np.arange(len(result)) * rate / motion.fps, np.arange(len(frames)), frames)
    parts = motion.parts_of(np.round(here * motion.fps / rate).astype(int).tolist())
    return replace(motion, joints=result, features=None, poses=None, parts=parts), done


def twice(motion: Motion) -> Motion:
    """A loop played twice, each round from where the one before ends."""
    joints = repeated(motion.joints, 2, motion.skeleton)
    return replace(motion, joints=joints, features=None, poses=None, parts=())


def loop(motion: Motion) -> Motion:
    """The part of a motion that repeats best, closed: its last pose, velocity and contacts are its first.

    Raises ``ValueError`` for a motion that cannot loop.
    """
    return directed(motion, Direction(is_loop=True))[0]


def join(
    *motions: Motion,
    transition: float | None = None,
    trim: float = 0.3,
    model: Editor | None = None,
    **options: Any,
) -> Motion:
    """Motions one behind the other, each moved and turned to where the one before ends.

    transition: seconds between two; 0 for none; None: none where their poses agree, else what the way needs.
    trim: seconds at a motion's end and at the next one's beginning, of which some may be left out so that
        their poses agree.
    model: of ``lamp_cli.load``, which draws what comes between, told what both do; None: one pose turns into
        the other, with a step of each foot.
    options: of ``lamp_cli.Model.edit``, for a model: ``seed``, ``candidates`` and the like.

    All get the first one's frame rate and, where theirs is another one, its body; ``parts`` says which frames
    are whose. Raises ``ValueError`` for no motion, motions of two skeletons, seconds below 0, or what the
    model cannot draw.
    """
    if not motions:
        raise ValueError("nothing to join; expected motions")
    if not (0 <= trim < np.inf and 0 <= (transition or 0.0) < np.inf):
        raise ValueError(f"transition {transition}, trim {trim}: expected seconds, 0 or more")
    if options and model is None:
        raise ValueError(f"{', '.join(options)}: for a model that draws; expected a model too")
    result = motions[0]
    for motion in motions[1:]:
        result = _joined(result, motion, transition, trim, _Transition(model, options))
    return result


@dataclass(frozen=True)
class _Transition:
    """What draws the frames between two motions; without a model they stay as they are."""

    model: Editor | None
    options: Mapping[str, Any]

    def between(
        self, before: np.ndarray, after: np.ndarray, skeleton: Skeleton, seconds: float | None, trim: float
    ) -> JoinedMotion:
        """Both motions (T, J, 3) as one, as :func:`joined_motions` joins them."""
        found = joined_motions(before, after, skeleton, seconds, trim)
        if self.model is None or not found.between:
            return found
        if seconds is None and found.between < SHORTEST_DRAWN * skeleton.fps:
            found = joined_motions(before, after, skeleton, SHORTEST_DRAWN, trim)
        motion = Motion(found.joints.astype(np.float32), skeleton, skeleton.fps)
        span = found.first / skeleton.fps, (found.first + found.between) / skeleton.fps
        return replace(found, joints=self.model.edit(motion, between=span, **self.options).joints)


def _joined(before: Motion, after: Motion, transition: float | None, trim: float, how: _Transition) -> Motion:
    skeleton = before.skeleton
    if after.skeleton.name != skeleton.name:
        raise ValueError(f"a {skeleton.name} motion and a {after.skeleton.name} motion cannot be joined")
    first, second = (resample(m.joints, m.fps, skeleton.fps).astype(np.float64) for m in (before, after))
    second = _with_body_of(first, second, skeleton)
    found = how.between(first, second, skeleton, transition, trim)
    joints = resample(found.joints, skeleton.fps, before.fps).astype(np.float32)
    seam = round(found.first * before.fps / skeleton.fps)
    # Where the second motion's first frame is, or would be were it not left out, in seconds.
    origin = (found.first + found.between - found.start) / skeleton.fps
    earlier, later = _parts_or_whole(before), _parts_or_whole(after)
    behind = [round((origin + part.start / after.fps) * before.fps) for part in later[1:]]
    # The transition is on the way to what follows.
    starts = [*(part.start for part in earlier), seam, *behind]
    ends = [*starts[1:], len(joints)]
    texts = [part.text for part in (*earlier, *later)]
    parts = tuple(MotionPart(t, a, b) for t, a, b in zip(texts, starts, ends, strict=True) if b > a)
    text = ", then ".join(motion.text for motion in (before, after) if motion.text)
    kept = replace(before, joints=joints, features=None, poses=None, text=text, candidates=None)
    return replace(kept, parts=parts if any(texts) else (), notes=(*before.notes, *after.notes))


def _with_body_of(first: np.ndarray, second: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The second motion (T, J, 3) with the bone lengths of the first, where they are others: nobody grows."""
    body, own = (of_this_body(skeleton, joints) for joints in (first, second))
    if np.abs(np.array(body.bone_lengths) - np.array(own.bone_lengths)).max() < SAME_BODY:
        return second
    feet, moved = list(skeleton.feet), retarget(second, body)
    lowest = [np.percentile(joints[:, feet, 1].min(1), 5) for joints in (second, moved)]
    return np.asarray(moved + np.array([0.0, lowest[0] - lowest[1], 0.0]))


def _parts_or_whole(motion: Motion) -> tuple[MotionPart, ...]:
    return motion.parts or (MotionPart(motion.text, 0, len(motion)),)


def in_place(motion: Motion, is_loop: bool = False) -> Motion:
    """The motion without its root's path; of a loop (``is_loop``) the result is one too."""
    if not is_loop:
        return directed(motion, Direction(in_place=True))[0]
    joints = without_path(motion.joints.astype(np.float64), motion.skeleton, is_loop=True)
    return replace(motion, joints=joints.astype(np.float32), features=None, poses=None)


def along(motion: Motion, path: str | Path | Sequence[tuple[float, float]] | np.ndarray) -> Motion:
    """A motion that walks, runs or otherwise travels, along a path, with its feet planted.

    path: a file of lines ``x z`` in metres or an SVG picture with one drawn line (100 units a metre); or such
        points.

    Rounds of the gait come again or are left out until the motion is as long as the path. Raises
    ``ValueError`` for a motion that does not travel, or a path that is none.
    """
    found = read_path(Path(path)) if isinstance(path, str | Path) else floor_path(np.asarray(path))
    return directed(motion, Direction(found))[0]
