"""A BVH file whose motion was edited, on its own skeleton: frames that are kept stand in it as they stood.

Hierarchy, frame time and the rows of kept frames are the file's own, number by number; rows are made for
the others alone, so that its skeleton goes where the edited joints go (``motion.rig_span``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion import rotation
from ..motion.clean_up import runs
from ..motion.gap import Gap
from ..motion.joint_rotations import joint_rotations
from ..motion.motion import Motion
from ..motion.rig_span import RigFrames, RigJoints, SpanEnd, following, span_shares
from ..motion.skeleton import ancestors
from ..storage import replacing
from .bvh import (
    AXES,
    BvhClip,
    first_column,
    joints_of_clip,
    local_frames,
    missing_thorax,
    nearly_whole_rate,
    place_offset,
    read_bvh,
)
from .joint_names import JointPlaces
from .reading import Reading

# How far (metres) a reader's joints may be from the file's, moved, turned and scaled as a whole.
SAME_BODY = 1e-3


class UnfitSkeletonError(ValueError):
    """A skeleton that cannot follow edited joints; the message says why."""


def save_edited_bvh(
    path: Path, source: Path, reading: Reading, original: Motion, edited: Motion, gap: Gap
) -> None:
    """Write an edit of a BVH file on the file's own skeleton, whole or not at all.

    original: the motion as it was read from ``source``; edited: as ``gap`` says. Raises
    :class:`UnfitSkeletonError` for a skeleton that cannot follow, and as :func:`read_bvh`.
    """
    take = _Take(read_bvh(source), reading, original)
    rows = np.concatenate([np.arange(gap.start), np.full(gap.frames, -1), np.arange(gap.end, len(original))])
    rows[list(gap.kept)] = gap.kept
    values = take.rows(rows, edited)
    # Whatever a file's names are written in, so they stay: in Latin-1 every byte is a sign.
    text = source.read_bytes().decode("latin-1")
    head, own = _head_and_rows(text, len(take.clip.values), take.clip.values.shape[1])
    lines = own[: take.before]
    lines += [
        own[take.before + row] if row >= 0 else " ".join(f"{value:.6f}" for value in made)
        for row, made in zip(rows.tolist(), (values + 0.0).tolist(), strict=True)
    ]
    count = rf"\g<1>{len(lines)}\g<2>"
    head = re.sub(r"(Frames:\s*)\d+(\s+Frame\s+Time:)", count, head, flags=re.IGNORECASE)
    if not np.isclose(nearly_whole_rate(take.clip.frame_time), edited.fps):
        # Who reads it said another rate than the file does.
        time = rf"\g<1>{1 / edited.fps:.10f}"
        head = re.sub(r"(Frame\s+Time:\s*)\S+", time, head, flags=re.IGNORECASE)
    ending = "\r\n" if head.endswith("\r\n") else "\n"
    with replacing(path) as temporary:
        temporary.write_bytes((head + "".join(line + ending for line in lines)).encode("latin-1"))


def _head_and_rows(text: str, frames: int, channels: int) -> tuple[str, list[str]]:
    """What stands before the frames, and each frame's numbers as they are written, a space between them."""
    found = re.search(r"Frame\s+Time:\s*\S+[^\S\n]*\n?", text, flags=re.IGNORECASE)
    assert found is not None, "read_bvh has found it"
    numbers = text[found.end() :].split()
    rows = [" ".join(numbers[row * channels : (row + 1) * channels]) for row in range(frames)]
    head = text[: found.end()]
    return head if head.endswith("\n") else head + "\n", rows


@dataclass(frozen=True)
class _Similarity:
    """x -> scale * turn x + shift: the reader's joints from the file's."""

    scale: float
    turn: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, theirs: np.ndarray, ours: np.ndarray) -> _Similarity:
        """That which takes points (P, 3) to others; raises :class:`UnfitSkeletonError` where none does.

        Source: Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991.
        """
        middles = theirs.mean(0), ours.mean(0)
        apart = theirs - middles[0], ours - middles[1]
        u, sizes, v = np.linalg.svd(apart[1].T @ apart[0])
        turn = u @ v
        if np.linalg.det(turn) < 0:
            raise UnfitSkeletonError("the file is mirrored")
        scale = float(sizes.sum() / (apart[0] ** 2).sum())
        found = cls(scale, turn, middles[1] - scale * turn @ middles[0])
        if np.abs(scale * theirs @ turn.T + found.shift - ours).max() > SAME_BODY:
            raise UnfitSkeletonError("its joints were changed as it was read")
        return found

    def back(self, joints: np.ndarray) -> np.ndarray:
        return np.asarray((joints - self.shift) @ self.turn / self.scale)

    def turns_back(self, turns: np.ndarray) -> np.ndarray:
        own = rotation.of_matrices(self.turn)
        return rotation.multiply(rotation.multiply(rotation.inverse(own), turns), own)


class _Take:
    """A file's clip, and how the corpus's joints of a motion lie in it."""

    def __init__(self, clip: BvhClip, reading: Reading, original: Motion) -> None:
        self.clip = clip
        found, self.before = joints_of_clip(clip, reading.joint_map)
        if len(found.joints) != len(original):
            raise UnfitSkeletonError("frames were left out as it was read")
        self._similarity = _Similarity.of(
            found.joints.reshape(-1, 3), original.joints.reshape(-1, 3).astype(np.float64)
        )
        self._joints = _rig_joints(clip, found)

    def rows(self, rows: np.ndarray, edited: Motion) -> np.ndarray:
        """Channels (R, C) of an edited motion's frames: those of ``rows`` (R,), made where these are -1."""
        clip, joints = self.clip, self._similarity.back(edited.joints.astype(np.float64))
        turns = joint_rotations(edited.joints.astype(np.float64), edited.skeleton, edited.fps).world()
        turns = self._similarity.turns_back(turns)
        values = clip.values[self.before + np.maximum(rows, 0)]
        for begin, end in runs(rows < 0):
            sides = begin - 1 if begin else None, end if end < len(rows) else None
            ends = [
                None if side is None else SpanEnd(self._frames(values[[side]]), turns[side]) for side in sides
            ]
            base = _between([values[side] for side in sides if side is not None], clip, end - begin)
            span = slice(begin, end)
            made = following(self._frames(base), (ends[0], ends[1]), self._joints, joints[span], turns[span])
            nearest = values[begin - 1] if begin else values[end]
            values[span] = self._channels(made, base, nearest, backwards=not begin)
        return values

    def _frames(self, values: np.ndarray) -> RigFrames:
        places, turns = local_frames(self.clip, values)
        return RigFrames(self.clip.parents, places, rotation.of_matrices(turns))

    def _channels(
        self, made: RigFrames, base: np.ndarray, nearest: np.ndarray, backwards: bool
    ) -> np.ndarray:
        """Channels (T, C) of frames; angles as near as may be to those before, at first ``nearest`` (C,)."""
        values, clip = base.copy(), self.clip
        for joint, channels in enumerate(clip.channels):
            columns = list(enumerate(channels, first_column(clip, joint)))
            if joint == self._joints.mover:
                place = made.places[:, joint] - place_offset(clip, joint)
                for column, channel in columns:
                    if channel.endswith("position"):
                        values[:, column] = place[:, AXES[channel[0]]]
            if joint in self._joints.free:
                own = [column for column, channel in columns if channel.endswith("rotation")]
                order = "".join(clip.channels[joint][column - columns[0][0]][0] for column in own)
                angles = np.degrees(rotation.to_angles(rotation.to_matrix(made.turns[:, joint]), order))
                steady = _steady(angles[::-1] if backwards else angles, nearest[own])
                values[:, own] = steady[::-1] if backwards else steady
        return values


def _rig_joints(clip: BvhClip, found: JointPlaces) -> RigJoints:
    known = dict(found.indices)
    free = frozenset(
        joint
        for joint, channels in enumerate(clip.channels)
        if sorted(channel[0] for channel in channels if channel.endswith("rotation")) == ["x", "y", "z"]
    )
    moved = [
        joint
        for joint, channels in enumerate(clip.channels)
        if sum(channel.endswith("position") for channel in channels) == 3
    ]
    above = ancestors(known["pelvis"], clip.parents)
    mover = next((joint for joint in above if joint in moved), None)
    if mover is None or known["pelvis"] not in free:
        raise UnfitSkeletonError("its hips cannot be moved and turned")
    return RigJoints(known, free, mover, missing_thorax(clip))


def _between(sides: Sequence[np.ndarray], clip: BvhClip, frames: int) -> np.ndarray:
    """Channels (T, C) that lead from one side's (C,) to the other's, angles by the shorter way."""
    start, end = sides[0], sides[-1].copy()
    turned = np.array([channel.endswith("rotation") for channels in clip.channels for channel in channels])
    end[turned] -= 360.0 * np.round((end - start)[turned] / 360.0)
    return np.asarray(start + span_shares(frames)[:, None] * (end - start))


def _steady(angles: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Degrees (T, 3) of the same turns, each frame's as near as may be to those before it, from ``first``."""
    result, last = angles.copy(), first
    for frame in range(len(angles)):
        both = np.stack([angles[frame], angles[frame] * (1.0, -1.0, 1.0) + 180.0])
        both -= 360.0 * np.round((both - last) / 360.0)
        last = result[frame] = both[np.abs(both - last).sum(1).argmin()]
    return result
