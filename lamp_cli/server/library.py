"""The library that the page searches: its index, brought up to date whenever a file has changed."""

from __future__ import annotations

from pathlib import Path

from ..bundle.bundle import Bundle
from ..inference.index.index import MotionIndex, Notify, default_folder, update_index
from ..inference.index.library import motion_files


class Library:
    """A folder of motions and its index."""

    def __init__(self, bundle: Bundle, folder: Path, notify: Notify = lambda message: None) -> None:
        """``notify`` is told what is left out; raises ``ValueError`` where nothing can be searched."""
        self._bundle, self._folder, self._notify = bundle, folder, notify
        self._seen: dict[Path, list[tuple[int, int]]] | None = None
        self._index: MotionIndex
        if not self.index().windows:
            raise ValueError(f"{folder}: holds no motion that can be searched")

    @property
    def size(self) -> int:
        """How many windows were searched last."""
        return len(self._index.windows)

    def index(self) -> MotionIndex:
        """The index of the files as they are now; raises ``ValueError`` where the folder is gone."""
        found = {path: _states(path) for path in motion_files(self._folder)}
        if found != self._seen:
            self._index, report = update_index(
                self._bundle, self._folder, default_folder(self._folder), notify=self._notify
            )
            self._seen = found
            for name, reason in report.unreadable.items():
                self._notify(f"left out: {name}: {reason}")
        return self._index


def _states(path: Path) -> list[tuple[int, int]]:
    """Time and size of a motion file and of the sentences beside it."""
    there = [each.stat() for each in (path, path.with_suffix(".txt")) if each.exists()]
    return [(state.st_mtime_ns, state.st_size) for state in there]
