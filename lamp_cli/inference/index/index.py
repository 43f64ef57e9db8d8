"""The index of a motion library: embeddings on disk, kept up to date. Searching them is search.py.

    INDEX/
      files.json              path -> size, time, content hash
      shard-HASH.safetensors  embeddings of some windows and their bounds; the header says what they are of

Keyed by content hash and by the bundle's fingerprint, so a renamed file costs nothing, a changed one is
embedded anew, and another bundle means another index. Shards are written whole; a kill loses at
most the one being computed. A lock lets one process write at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ...bundle.bundle import Bundle
from ...storage import replacing, write_json
from ..embed import embed_motions
from .library import UnreadableTake, Window, content_hash, motion_files, windows_of_file
from .search import Block, Bounds, ExactSearch

SHARD_WINDOWS = 256
BATCH_SIZE = 32
FOLDER = ".lamp-index"


@dataclass(frozen=True)
class Place:
    """Where a row of the index comes from: a window of a take of a file, in frames."""

    path: str
    take: str
    start: int
    end: int


@dataclass
class IndexReport:
    """What an update did."""

    files: int = 0
    embedded: int = 0
    reused: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlaceTable(Sequence[Place]):
    """Places of many windows, as columns: a million of them as objects would weigh hundreds of megabytes."""

    paths: tuple[str, ...]
    takes: tuple[str, ...]
    columns: np.ndarray

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.columns)

    def __getitem__(self, row: Any) -> Any:
        """The place of a window."""
        path, take, start, end = self.columns[int(row)].tolist()
        return Place(self.paths[path], self.takes[take], start, end)


@dataclass(frozen=True)
class MotionIndex:
    """Where every window is, and their embeddings, unit vectors, memory-mapped, to search in."""

    places: PlaceTable
    search: ExactSearch


def fingerprint(bundle: Bundle) -> str:
    """What embeddings depend on: the weights of tokenizer and LaMP, and the statistics."""
    digest = hashlib.sha256()
    for network in (bundle.tokenizer, bundle.lamp):
        for name, value in network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes())
    digest.update(bundle.statistics.mean.tobytes() + bundle.statistics.std.tobytes())
    return digest.hexdigest()[:16]


def update_index(
    bundle: Bundle,
    library: Path,
    folder: Path,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[MotionIndex, IndexReport]:
    """Embed what is new or changed in ``library`` and open the index in ``folder``.

    ``advance(done, total)`` counts files. Raises ``ValueError`` when the library is no folder.
    """
    paths = motion_files(library)
    root = library if library.is_dir() else library.parent
    report = IndexReport(files=len(paths))
    with _locked(folder):
        hashes = _hashes(paths, root, folder / "files.json")
        mark = fingerprint(bundle)
        known = _read_shards(folder, mark)
        have = {key for shard in known for key, *_ in shard.rows}
        waiting = {key: root / name for name, key in hashes.items() if key not in have}
        report.reused = len({*hashes.values()} & have)
        report.embedded = len(waiting)
        for done, shard in enumerate(_embed(bundle, waiting, report), 1):
            known.append(_write_shard(folder, mark, shard))
            advance(min(done * SHARD_WINDOWS, len(waiting)), len(waiting))
        return _open(known, hashes, report), report


@dataclass(frozen=True)
class _Shard:
    """Rows are content hash, take, start, end, and the reason when the take could not be read."""

    rows: list[tuple[str, str, int, int, str]]
    embeddings: np.ndarray
    bounds: Bounds


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        yield


def _hashes(paths: list[Path], root: Path, cache: Path) -> dict[str, str]:
    """Content hash by relative path; files of the same size and time are not read again."""
    try:
        before: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        before = {}
    now: dict[str, list[Any]] = {}
    for path in paths:
        state = path.stat()
        name, stamp = str(path.relative_to(root)), [state.st_size, state.st_mtime_ns]
        old = before.get(name)
        now[name] = old if old and old[:2] == stamp else [*stamp, content_hash(path)]
    if now != before:
        write_json(cache, now)
    return {name: entry[2] for name, entry in now.items()}


def _embed(bundle: Bundle, waiting: dict[str, Path], report: IndexReport) -> Iterator[_Shard]:
    """Shards of whole files, so that a file is either wholly in the index or not at all."""
    rows: list[tuple[str, str, int, int, str]] = []
    windows: list[Window] = []
    for key, path in waiting.items():
        for item in windows_of_file(path, bundle.skeleton):
            if isinstance(item, UnreadableTake):
                rows.append((key, item.take, 0, 0, item.reason))
                continue
            rows.append((key, item.take, item.start, item.end, ""))
            windows.append(item)
        if len(windows) >= SHARD_WINDOWS:
            yield _shard(bundle, rows, windows)
            rows, windows = [], []
    if rows:
        yield _shard(bundle, rows, windows)


def _shard(bundle: Bundle, rows: list[tuple[str, str, int, int, str]], windows: list[Window]) -> _Shard:
    embeddings = _embeddings(bundle, windows)
    return _Shard(rows, embeddings, Bounds.of(embeddings))


def _embeddings(bundle: Bundle, windows: list[Window]) -> np.ndarray:
    """Float16 (W, N, E); windows of like length go together, so that little is padding."""
    config = bundle.lamp.config
    result = np.zeros((len(windows), config.qformer.query_tokens, config.embedding_width), np.float16)
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].features))
    for begin in range(0, len(order), BATCH_SIZE):
        part = order[begin : begin + BATCH_SIZE]
        result[part] = embed_motions(bundle, [windows[i].features for i in part])
    return result


def _write_shard(folder: Path, mark: str, shard: _Shard) -> _Shard:
    header = json.dumps(shard.rows)
    name = hashlib.sha256(f"{mark}{header}".encode()).hexdigest()[:16]
    with replacing(folder / f"shard-{name}.safetensors") as temporary:
        arrays = {"embeddings": shard.embeddings, **vars(shard.bounds)}
        save_file(arrays, temporary, metadata={"bundle": mark, "rows": header})
    return shard


def _read_shards(folder: Path, mark: str) -> list[_Shard]:
    shards = []
    for path in sorted(folder.glob("shard-*.safetensors")):
        try:
            # Through torch the file is memory-mapped; through numpy it would be read.
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
                if header["bundle"] != mark:
                    continue
                rows = [tuple(row) for row in json.loads(header["rows"])]
                bounds = Bounds(*(file.get_tensor(f.name).numpy() for f in fields(Bounds)))
                shards.append(_Shard(rows, file.get_tensor("embeddings").numpy(), bounds))  # type: ignore[arg-type]
        except (SafetensorError, KeyError, ValueError, OSError):
            # A damaged shard costs its embedding again, nothing else.
            path.unlink(missing_ok=True)
    return shards


def _open(shards: list[_Shard], hashes: dict[str, str], report: IndexReport) -> MotionIndex:
    """Rows of files that are there now; the same content under two names has two places."""
    names: dict[str, list[str]] = {}
    for name, key in hashes.items():
        names.setdefault(key, []).append(name)
    paths: dict[str, int] = {}
    takes: dict[str, int] = {}
    columns: list[tuple[int, int, int, int]] = []
    blocks = []
    seen: set[str] = set()
    for shard in shards:
        keys = {row[0] for row in shard.rows} - seen
        kept: list[int] = []
        number = 0
        for key, take, start, end, reason in shard.rows:
            wanted = names.get(key, []) if key in keys else []
            if reason:
                report.unreadable.update({f"{n}:{take}" if take else n: reason for n in wanted})
                continue
            for name in wanted:
                path_number = paths.setdefault(name, len(paths))
                columns.append((path_number, takes.setdefault(take, len(takes)), start, end))
            kept += [number] * len(wanted)
            number += 1
        seen |= keys
        blocks.append(Block(shard.embeddings, shard.bounds, np.array(kept, np.int64)))
    table = np.array(columns, np.int32).reshape(-1, 4)
    return MotionIndex(PlaceTable(tuple(paths), tuple(takes), table), ExactSearch(blocks))
