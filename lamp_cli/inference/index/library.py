"""A library of motions on disk: which files, which takes in them, which windows of a take.

A take longer than the model's window is cut into overlapping windows. Knows no index and no search.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...data.captions import read_texts
from ...files.arrays import MotionFileError
from ...files.load import FOREIGN_SUFFIXES, MOTION_SUFFIXES, load_takes, one_of_each_name
from ...files.reading import AS_STORED, Reading
from ...motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ...motion.motion import Motion, MotionPart
from ...motion.representation import joints_to_features
from ...motion.skeleton import Skeleton

HOP = LONGEST_CLIP // 2
# The folders of a data set in HumanML3D's layout: joints, and features of the same clips.
JOINTS_FOLDER, FEATURES_FOLDER = "new_joints", "new_joint_vecs"
# What `lamp generate --features` adds to the name of a motion.
FEATURES_ENDING = "_features"
# Larger files are hashed by their size, time and three parts.
LARGE_FILE = 1 << 23


@dataclass(frozen=True)
class Window:
    """A part of a take that fits the model.

    take: the entry of an archive; empty for a file of one motion.
    start: first frame in the take, at the skeleton's rate.
    end: frame after the last one.
    features: (T, C).
    notes: what the take's reader assumed or repaired, in sentences.
    """

    take: str
    start: int
    end: int
    features: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnreadableTake:
    """A take that is left out, and why."""

    take: str
    reason: str


def motion_files(root: Path) -> list[Path]:
    """Motion files under a folder, nested ones too, sorted; raises ``ValueError`` when there is no folder.

    Files of formats that are not read are among them, so that whoever reads them can say so. Hidden folders
    are left alone: the index lies in one. Of a motion that is there as joints and as features, the joints;
    of one in several formats one file, see :func:`one_of_each_name`; statistics of a data set are no motions.
    """
    suffixes = MOTION_SUFFIXES + FOREIGN_SUFFIXES
    if root.is_file() and root.suffix.lower() in suffixes:
        return [root]
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; expected a library of motion files")
    found = {p for p in root.rglob("*") if p.suffix.lower() in suffixes and p.is_file()}
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts))
    alone = (p for p in visible if not (_joints_of_features(p) in found or _is_statistics(p)))
    return one_of_each_name(sorted(alone))


def _joints_of_features(path: Path) -> Path | None:
    """Where the joints of a file of features lie, if it is named like one."""
    if path.parent.name == FEATURES_FOLDER:
        return path.parent.with_name(JOINTS_FOLDER) / path.name
    if path.stem.endswith(FEATURES_ENDING):
        return path.with_name(path.stem.removesuffix(FEATURES_ENDING) + path.suffix)
    return None


def _is_statistics(path: Path) -> bool:
    """Whether a file is a data set's ``Mean.npy`` or ``Std.npy``, beside its folder of motions."""
    beside = (path.with_name(JOINTS_FOLDER), path.with_name(FEATURES_FOLDER))
    return path.name in ("Mean.npy", "Std.npy") and any(folder.is_dir() for folder in beside)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; of a large file its size, time and first, middle and last MiB.

    And of the parts that the texts beside it name: they say where its windows begin.
    """
    digest = hashlib.sha256()
    if parts := parts_beside(path, 1000.0):
        digest.update(repr(parts).encode())
    state = path.stat()
    with path.open("rb") as file:
        if state.st_size <= LARGE_FILE:
            digest.update(file.read())
            return digest.hexdigest()
        digest.update(f"{state.st_size} {state.st_mtime_ns}".encode())
        part = 1 << 20
        for begin in (0, (state.st_size - part) // 2, state.st_size - part):
            file.seek(begin)
            digest.update(file.read(part))
    return digest.hexdigest()


def parts_beside(path: Path, fps: float) -> tuple[MotionPart, ...]:
    """The parts that ``NAME.txt`` beside a motion at ``fps`` names: lines with times, one behind the other.

    None where times overlap: then they are captions of moments, not a motion's parts.
    """
    try:
        timed = [caption for caption in read_texts(path.with_suffix(".txt")) if caption.end > caption.start]
    except (OSError, ValueError):
        return ()
    spans = [MotionPart(c.text, round(c.start * fps), round(c.end * fps)) for c in timed if c.end < math.inf]
    follow = all(before.end <= after.start for before, after in pairwise(spans))
    return tuple(spans) if follow and len(spans) == len(timed) else ()


def windows_of_file(
    path: Path, skeleton: Skeleton, reading: Reading = AS_STORED
) -> Iterator[Window | UnreadableTake]:
    """Windows of every take in a file; a take that does not serve is named with the reason.

    Raises ``OSError`` for a file that the system does not give.
    """
    try:
        for take, motion in load_takes(path, reading):
            if isinstance(motion, Motion):
                motion = replace(motion, parts=parts_beside(path, motion.fps))
            yield from _windows_of_take(motion, take, skeleton)
    except ValueError as error:
        yield UnreadableTake("", str(error).removeprefix(f"{path}: "))


def _windows_of_take(
    motion: Motion | MotionFileError, take: str, skeleton: Skeleton
) -> Iterator[Window | UnreadableTake]:
    if isinstance(motion, MotionFileError):
        yield UnreadableTake(take, str(motion).split(": ", 1)[-1])
        return
    try:
        windows = list(windows_of_motion(motion, skeleton))
    except ValueError as error:
        yield UnreadableTake(take, str(error))
        return
    for start, end, features in windows:
        yield Window(take, start, end, features, motion.notes)


def windows_of_motion(motion: Motion, skeleton: Skeleton) -> Iterator[tuple[int, int, np.ndarray]]:
    """Start, end (frames at the skeleton's rate) and features of overlapping windows.

    Of a motion with parts every part has windows of its own; else they cover the whole. Each window starts
    at the origin facing +z, as training clips do. Raises ``ValueError`` for another skeleton or too few
    frames.
    """
    if motion.skeleton.name != skeleton.name:
        raise ValueError(f"a {motion.skeleton.name} motion; this model was trained on {skeleton.name}")
    if motion.features is not None and len(motion.features) <= LONGEST_CLIP and not motion.parts:
        _require_frames(len(motion.features))
        yield 0, len(motion.features), motion.features
        return
    joints = motion.joints_at(skeleton.fps)
    _require_frames(len(joints) - 1)
    for first, last in part_bounds(motion, skeleton) or [(0, len(joints) - 1)]:
        for start, end in window_bounds(last - first):
            window = joints[first + start : first + end + 1]
            yield first + start, first + end, joints_to_features(window, skeleton)


def part_bounds(motion: Motion, skeleton: Skeleton) -> list[tuple[int, int]]:
    """First and last frame of every part of a motion at the skeleton's rate; too short ones are left out."""
    scale, last = skeleton.fps / motion.fps, int((len(motion) - 1) * skeleton.fps / motion.fps + 1e-6)
    spans = [(round(part.start * scale), min(round(part.end * scale) - 1, last)) for part in motion.parts]
    return [(start, end) for start, end in spans if end - start >= FRAMES_PER_TOKEN]


def window_bounds(frames: int) -> list[tuple[int, int]]:
    """Bounds of windows of at most 196 frames, half overlapping, that cover ``frames``."""
    if frames <= LONGEST_CLIP:
        return [(0, frames)]
    starts = list(range(0, frames - LONGEST_CLIP, HOP))
    return [(start, start + LONGEST_CLIP) for start in [*starts, frames - LONGEST_CLIP]]


def caption_beside(path: Path, start: float = 0.0, end: float = math.inf) -> str:
    """A sentence of ``NAME.txt`` beside a motion or in the field's ``texts/``; empty without one.

    Of sentences with times the one that has most of ``start`` to ``end`` (seconds), else the first.
    """
    for text in (path.with_suffix(".txt"), path.parent.parent / "texts" / f"{path.stem}.txt"):
        try:
            captions = read_texts(text)
        except (OSError, ValueError):
            continue
        if captions:
            return max(captions, key=lambda c: min(c.end, end) - max(c.start, start) if c.end else 0.0).text
    return ""


def _require_frames(frames: int) -> None:
    if frames < FRAMES_PER_TOKEN:
        raise ValueError(f"{frames + 1} frames; expected at least {FRAMES_PER_TOKEN + 1}")
