"""The names of output files: the one place where every command takes, reserves and overwrites them.

Files are written under temporary names in a hidden folder beside their place and get their own names at
the end, all files of one stem at once. Taking a name is atomic between processes: many that write into
one folder lose nothing, and a crash leaves at most the hidden folder. Knows no motion and no model.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from .common import NO_PLACE, UsageError, note

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Writer = Callable[[Path], Any]

# What motions are saved as, and what they are drawn as.
SAVED_FORMATS = ("npy", "bvh", "npz", "glb")
PICTURE_FORMATS = ("mp4", "gif", "webp", "png")
# Everything a motion may be written as; a stem is free when none of them is there.
COMPANIONS = (".npy", "_features.npy", ".bvh", ".npz", ".glb", ".mp4", ".gif", ".webp", ".png")


class OutputFiles:
    """The output files of one call of a command.

    Without ``force`` nothing that is there is replaced: the next free name (``stem_2``, ``stem_3``, ...)
    is taken. With ``force`` what was there before this call is replaced, never what this call wrote.
    """

    def __init__(self, force: bool = False) -> None:
        self._force = force
        # Files that this call wrote by device and inode, so that two spellings of one path are one file.
        self._written: set[tuple[int, int]] = set()
        # The number a stem has come to; those before it are taken.
        self._numbers: dict[Path, int] = {}

    def write(
        self, folder: Path, stem: str, writers: Mapping[str, Writer], companions: Sequence[str] = ()
    ) -> dict[str, Path]:
        """Write files that share a stem; the paths they got, by suffix.

        ``writers`` maps each suffix (``.npy``, ``_features.npy``) to a function that writes the path it is
        given. All suffixes get one number, and a stem of which a file with one of the suffixes
        ``companions`` is there is taken too. Nothing is left when a writer fails. Raises ``UsageError``
        when the folder cannot be written to.
        """
        require_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".lamp-"))
        try:
            sources = {suffix: temporary / f"{stem}{suffix}" for suffix in writers}
            for suffix, writer in writers.items():
                writer(sources[suffix])
            return self._publish(sources, folder, stem, tuple(companions))
        except OSError as error:
            if error.errno not in NO_PLACE:
                raise
            # People do not know the hidden folder.
            raise OSError(error.errno, error.strerror, str(folder / stem)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def write_one(self, path: Path, writer: Writer) -> Path:
        """Write a file whose whole name was given; the path it got, which is noted when it is another."""
        found = self.write(path.parent, path.stem, {path.suffix: writer})[path.suffix]
        if found != path:
            note(f"{path}: exists; written to {found}")
        return found

    def _publish(
        self, sources: dict[str, Path], folder: Path, stem: str, companions: tuple[str, ...]
    ) -> dict[str, Path]:
        place = folder / stem
        with _locked(folder):
            for number in count(self._numbers.get(place, 1)):
                name = stem if number == 1 else f"{stem}_{number}"
                targets = {suffix: folder / f"{name}{suffix}" for suffix in sources}
                beside = [folder / f"{name}{suffix}" for suffix in companions if suffix not in sources]
                if any(map(self._is_taken, [*targets.values(), *beside])):
                    continue
                if self._move([(sources[suffix], target) for suffix, target in targets.items()]):
                    self._numbers[place] = number
                    return targets
        raise AssertionError("the numbers have no end")

    def _is_taken(self, path: Path) -> bool:
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        return not self._force or path.is_dir() or (found.st_dev, found.st_ino) in self._written

    def _move(self, pairs: Sequence[tuple[Path, Path]]) -> bool:
        """Give every file its name; False, and nothing moved, when another process took one meanwhile."""
        moved: list[Path] = []
        for source, target in pairs:
            try:
                os.replace(source, target) if self._force else _move_to_free(source, target)
            except FileExistsError:
                for path in moved:
                    os.replace(path, next(old for old, new in pairs if new == path))
                return False
            moved.append(target)
        for path in moved:
            found = path.lstat()
            self._written.add((found.st_dev, found.st_ino))
        return True


def formats_option(words: str, known: Sequence[str]) -> tuple[str, ...]:
    """The formats of ``--format``, each once; raises ``UsageError`` for none or an unknown one."""
    wanted = tuple(dict.fromkeys(word.strip().lower() for word in words.split(",") if word.strip()))
    if not wanted or not set(wanted) <= set(known):
        raise UsageError(f"--format {words}: expected some of {', '.join(known)}")
    return wanted


def require_place(path: Path | None, option: str, formats: Sequence[str] = PICTURE_FORMATS) -> None:
    """Raise ``UsageError`` when a file that an option names has another suffix or cannot be written."""
    if path is None:
        return
    if path.suffix.lower().removeprefix(".") not in formats:
        raise UsageError(f"{option} {path}: expected a name ending in {', '.join(f'.{f}' for f in formats)}")
    require_writable(path.parent, option)


def require_writable(folder: Path, option: str = "") -> None:
    """Raise ``UsageError`` when ``folder`` is a file, or neither is nor can become a folder to write to."""
    name = f"{option} {folder}".strip()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{name}: is a file; expected a folder")
    nearest = next((parent for parent in (folder, *folder.absolute().parents) if parent.exists()), Path())
    if not nearest.is_dir():
        raise UsageError(f"{name}: {nearest} is a file; expected a folder")
    try:
        # Only trying tells: an administrator may write anywhere but into read-only and special folders.
        Path(tempfile.mkdtemp(dir=nearest, prefix=".lamp-")).rmdir()
    except OSError:
        raise UsageError(f"{name}: {nearest} cannot be written to; expected a folder of one's own") from None


def _move_to_free(source: Path, target: Path) -> None:
    """Rename, atomically; raises ``FileExistsError`` when the target is there."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links (FAT, some network shares): an empty file reserves the name.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(source, target)
    else:
        source.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time names files in ``folder``: those of one stem then belong together.

    The lock is on the folder itself and ends with the process, so that it needs no file of its own. Where
    there is none (Windows, some network shares) each single name is still taken atomically.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
