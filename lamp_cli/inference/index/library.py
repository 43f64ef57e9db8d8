"""A library of motions on disk: which files, which takes in them, which windows of a take.

A take longer than the model's window is cut into overlapping windows. Knows no index and no search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.captions import read_texts
from ...files.arrays import MotionFileError
from ...files.load import FOREIGN_SUFFIXES, MOTION_SUFFIXES, load_takes, one_of_each_name
from ...files.reading import AS_STORED, Reading
from ...motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ...motion.motion import Motion
from ...motion.representation import joints_to_features
from ...motion.skeleton import Skeleton
from ...motion.transform import resample

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
    """SHA-256 of a file's bytes; of a large file its size, time and first, middle and last MiB."""
    digest = hashlib.sha256()
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


def windows_of_file(
    path: Path, skeleton: Skeleton, reading: Reading = AS_STORED
) -> Iterator[Window | UnreadableTake]:
    """Windows of every take in a file; a take that does not serve is named with the reason."""
    try:
        for take, motion in load_takes(path, reading):
            yield from _windows_of_take(motion, take, skeleton)
    except (ValueError, OSError) as error:
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

    Each window starts at the origin facing +z, as training clips do. Raises ``ValueError`` for
    another skeleton or too few frames.
    """
    if motion.skeleton.name != skeleton.name:
        raise ValueError(f"a {motion.skeleton.name} motion; this model was trained on {skeleton.name}")
    if motion.features is not None and len(motion.features) <= LONGEST_CLIP:
        _require_frames(len(motion.features))
        yield 0, len(motion.features), motion.features
        return
    joints = resample(motion.joints, motion.fps, skeleton.fps)
    _require_frames(len(joints) - 1)
    for start, end in window_bounds(len(joints) - 1):
        yield start, end, joints_to_features(joints[start : end + 1], skeleton)


def window_bounds(frames: int) -> list[tuple[int, int]]:
    """Bounds of windows of at most 196 frames, half overlapping, that cover ``frames``."""
    if frames <= LONGEST_CLIP:
        return [(0, frames)]
    starts = list(range(0, frames - LONGEST_CLIP, HOP))
    return [(start, start + LONGEST_CLIP) for start in [*starts, frames - LONGEST_CLIP]]


def caption_beside(path: Path) -> str:
    """The first sentence of ``NAME.txt`` beside a motion or in the field's ``texts/``; empty without."""
    for text in (path.with_suffix(".txt"), path.parent.parent / "texts" / f"{path.stem}.txt"):
        try:
            captions = read_texts(text)
        except (OSError, ValueError):
            continue
        if captions:
            return captions[0].text
    return ""


def _require_frames(frames: int) -> None:
    if frames < FRAMES_PER_TOKEN:
        raise ValueError(f"{frames + 1} frames; expected at least {FRAMES_PER_TOKEN + 1}")
