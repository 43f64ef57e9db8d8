"""The motions that ``prepare`` starts from: a file, an archive, or a folder of them.

Lists names and lengths, of arrays without reading the frames, and reads one motion at a time.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...files.arrays import (
    DAMAGE,
    JOINT_ENTRIES,
    ArrayShape,
    MotionFileError,
    motion_entries,
    motion_of_array,
    shape_of_motions,
    stored_rate,
)
from ...files.load import FOREIGN_SUFFIXES, MOTION_SUFFIXES, motion_of_file, one_of_each_name
from ...files.reading import AS_STORED, Reading
from ...files.smpl import holds_poses
from ...motion.motion import Motion
from ...processes import in_parallel
from ...storage import array_archive, declared_shape, load_array

FEW_FILES = 16


@dataclass(frozen=True)
class MotionSource:
    """Where one motion lies.

    name: its name in caption files.
    path: the file.
    entry: the entry within an archive, "" for none.
    number: its place in a batch.
    shape: how the array holds motions, or of other files the one motion; None when an array holds none.
    fps: frames per second that the file names, None when it names none.
    reading: how the file is read.
    """

    name: str
    path: Path
    entry: str
    number: int
    shape: ArrayShape | None
    fps: float | None = None
    reading: Reading = AS_STORED

    def load(self, fps: float | None) -> Motion:
        """Read the motion; raises :class:`MotionFileError` without the file's name."""
        one = self.shape is not None and self.shape.count == 1
        try:
            if one and not self.entry:
                return motion_of_file(self.path, self.reading.at(fps))
            if not self.entry:
                return self._motion(load_array(self.path), fps)
            with array_archive(self.path) as archive:
                return self._motion(archive[self.entry], fps)
        except MotionFileError as error:
            raise MotionFileError(str(error).removeprefix(f"{self.path}: ")) from None
        except DAMAGE as error:
            system = error.strerror if isinstance(error, OSError) else None
            raise MotionFileError((system or "unreadable motion").lower()) from None

    def _motion(self, array: np.ndarray, fps: float | None) -> Motion:
        batch = self.shape is not None and self.shape.count > 1
        return motion_of_array(array[self.number] if batch else array, str(self.path), fps)


def find_sources(
    path: Path, leave_out: Path | None = None, reading: Reading = AS_STORED, workers: int = 1
) -> tuple[list[MotionSource], dict[str, str]]:
    """All motions under ``path`` and, for each file that cannot be read, the reason.

    A folder is searched with its subfolders, but not in ``leave_out`` (where results are written) nor
    in hidden ones; names are relative paths without the suffix, or the entries of archives,
    with the archive's name before them where several motions have one name. ``reading`` is how files are
    read, by ``workers`` processes; its rate is left to :meth:`MotionSource.load`. Raises ``ValueError`` when
    there is nothing to read.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    files = _files(path, leave_out) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: expected motion files ({', '.join(MOTION_SUFFIXES)}), found none")
    sources: list[MotionSource] = []
    unreadable: dict[str, str] = {}
    jobs = [_FileJob(file, _name_of(file, path), replace(reading, fps=None)) for file in files]
    # Of a few files one process is done before others have started.
    looked_into = in_parallel(_entries_or_reason, jobs, workers if len(jobs) > FEW_FILES else 1, 4)
    for job, (found, reason) in zip(jobs, looked_into, strict=True):
        sources += found
        if reason:
            unreadable[job.name] = reason
    if not sources:
        first, reason = next(iter(unreadable.items()))
        raise ValueError(f"{path}: no readable motion in it ({first}: {reason})")
    return _with_names_of_their_own(sources, path if path.is_dir() else path.parent), unreadable


@dataclass(frozen=True)
class _FileJob:
    """A file to look into, and what its motion goes by."""

    file: Path
    name: str
    reading: Reading


def _name_of(file: Path, root: Path) -> str:
    place = file.relative_to(root) if root.is_dir() else Path(file.name)
    foreign = file.suffix.lower() in FOREIGN_SUFFIXES
    return place.as_posix() if foreign else place.with_suffix("").as_posix()


def _entries_or_reason(job: _FileJob) -> tuple[list[MotionSource], str]:
    """The motions of a file, and why there are no more of them; empty for all."""
    found: list[MotionSource] = []
    try:
        found += _entries(job.file, job.name, job.reading)
    except MotionFileError as error:
        return found, str(error).removeprefix(f"{job.file}: ")
    except DAMAGE as error:
        system = error.strerror if isinstance(error, OSError) else None
        return found, (system or "unreadable file").lower()
    return found, ""


def _with_names_of_their_own(sources: list[MotionSource], root: Path) -> list[MotionSource]:
    counts = Counter(source.name for source in sources)
    named = []
    for source in sources:
        if counts[source.name] > 1 and source.entry:
            archive = source.path.relative_to(root).with_suffix("").as_posix()
            source = replace(source, name=f"{archive}/{source.name}")
        named.append(source)
    twice = [name for name, count in Counter(source.name for source in named).items() if count > 1]
    if twice:
        files = " and ".join(str(source.path) for source in named if source.name == twice[0])
        raise ValueError(f"{files} hold motions of one name, {twice[0]!r}; rename one of them")
    return named


def _files(folder: Path, leave_out: Path | None) -> list[Path]:
    suffixes = MOTION_SUFFIXES + FOREIGN_SUFFIXES
    found = (f for f in folder.rglob("*") if f.suffix.lower() in suffixes and f.is_file())
    seen = (f for f in found if not any(part.startswith(".") for part in f.relative_to(folder).parts))
    if leave_out is not None and (inside := leave_out.resolve()) != folder.resolve():
        seen = (f for f in seen if inside not in f.resolve().parents)
    return one_of_each_name(sorted(seen))


def _entries(file: Path, name: str, reading: Reading) -> Iterator[MotionSource]:
    if file.suffix.lower() not in (".npy", ".npz"):
        motion = motion_of_file(file, reading)
        yield _whole_file(name, motion, motion.fps, reading)
        return
    if not zipfile.is_zipfile(file):
        with file.open("rb") as stream:
            shape = declared_shape(stream, file.stat().st_size)
        yield from _motions(name, file, "", shape, None)
        return
    rate = stored_rate(file)
    with zipfile.ZipFile(file) as archive:
        members = {member.removesuffix(".npy"): member for member in archive.namelist()}
        if holds_poses(members):
            yield _whole_file(name, motion_of_file(file, reading.at(rate)), rate, reading)
            return
        entries = motion_entries(list(members), file)
        # An archive with one motion and what belongs to it goes by its own name.
        own_name = entries[0] in JOINT_ENTRIES if entries else False
        for entry in entries:
            with archive.open(members[entry]) as stream:
                shape = declared_shape(stream, archive.getinfo(members[entry]).file_size)
            yield from _motions(name if own_name else entry, file, entry, shape, rate)


def _whole_file(name: str, motion: Motion, fps: float | None, reading: Reading) -> MotionSource:
    """The source of a file that holds one motion and no array of it."""
    shape = ArrayShape(motion.skeleton, len(motion), 1, "tjc")
    return MotionSource(name, Path(motion.source), "", 0, shape, fps, reading)


def _motions(
    name: str, file: Path, entry: str, array_shape: tuple[int, ...], fps: float | None
) -> Iterator[MotionSource]:
    shape = shape_of_motions(array_shape)
    if shape is None or shape.count == 1:
        yield MotionSource(name, file, entry, 0, shape, fps)
        return
    for number in range(shape.count):
        yield MotionSource(f"{name}/{number}", file, entry, number, shape, fps)
