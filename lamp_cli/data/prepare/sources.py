"""The motions that ``prepare`` starts from: a file, an archive, or a folder of them.

Lists names and lengths without reading the frames, and reads one motion at a time.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files.arrays import MotionFileError, motion_of_array
from ...motion.motion import Motion
from ...motion.skeleton import Skeleton, skeleton_of_features, skeleton_of_joints

SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True)
class MotionSource:
    """Where one motion lies: a file, and the entry within an archive ("" for none)."""

    name: str
    path: Path
    entry: str
    shape: tuple[int, ...]

    @property
    def skeleton(self) -> Skeleton | None:
        """The skeleton that the array's shape tells, None when it is no motion."""
        if len(self.shape) == 2:
            return skeleton_of_features(self.shape[1])
        return skeleton_of_joints(self.shape[1]) if len(self.shape) == 3 else None

    def load(self, fps: float | None) -> Motion:
        """Read the motion; raises :class:`MotionFileError` or ``OSError``."""
        label = f"{self.path}:{self.entry}" if self.entry else str(self.path)
        try:
            loaded = np.load(self.path, allow_pickle=False)
            if not self.entry:
                return motion_of_array(loaded, label, fps)
            with loaded:
                return motion_of_array(loaded[self.entry], label, fps)
        except MotionFileError:
            raise
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise MotionFileError(f"{label}: cannot be read as an array ({reason})") from None


def find_sources(path: Path, leave_out: Path | None = None) -> tuple[list[MotionSource], dict[str, str]]:
    """All motions under ``path`` and, for each file that cannot be read, the reason.

    A folder is searched with its subfolders, but not in ``leave_out`` (where results are written) nor
    in hidden ones; names are relative paths without the suffix. Raises ``ValueError`` when there is
    nothing to read.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    files = _files(path, leave_out) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: expected .npy or .npz files, found none")
    sources: list[MotionSource] = []
    unreadable: dict[str, str] = {}
    for file in files:
        name = file.relative_to(path).with_suffix("").as_posix() if path.is_dir() else file.stem
        try:
            sources += _entries(file, name)
        except (ValueError, EOFError, OSError, zipfile.BadZipFile):
            unreadable[name] = "unreadable file"
    if not sources:
        raise ValueError(f"{path}: no readable motion in it")
    return sources, unreadable


def _files(folder: Path, leave_out: Path | None) -> list[Path]:
    found = (f for f in folder.rglob("*") if f.suffix in SUFFIXES)
    seen = (f for f in found if not any(part.startswith(".") for part in f.relative_to(folder).parts))
    inside = None if leave_out is None else leave_out.resolve()
    if inside is None or inside == folder.resolve():
        return sorted(seen)
    return sorted(f for f in seen if inside not in f.resolve().parents)


def _entries(file: Path, name: str) -> Iterator[MotionSource]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                with archive.open(member) as stream:
                    entry = member.removesuffix(".npy")
                    yield MotionSource(entry, file, entry, _shape(stream))
        return
    with file.open("rb") as stream:
        yield MotionSource(name, file, "", _shape(stream))


def _shape(stream) -> tuple[int, ...]:  # type: ignore[no-untyped-def]
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)[0]
