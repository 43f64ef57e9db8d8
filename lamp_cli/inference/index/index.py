"""The index of a motion library: embeddings on disk, kept up to date. Searching them is search.py.

    INDEX/
      shard-HASH.safetensors  embeddings of some windows; the header says what they are of
      lock, lock-holder       one process at a time updates the index

Keyed by the files' content and by what embeddings depend on, so a renamed file is not embedded again, and
a changed file is, as is every file for another bundle. Shards are written whole; a kill loses at most the
one being computed. Those that nothing uses are deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ...bundle.bundle import Bundle
from ...data.batches import batched
from ...files.reading import AS_STORED, Reading
from ...motion.clip_length import LONGEST_CLIP
from ...storage import replacing, write_text
from .. import BATCH_SIZE
from ..embed import embed_motions
from .library import HOP, UnreadableTake, Window, content_hash, motion_files, windows_of_file
from .search import Block

# Raise it when the layout of shards changes, or what makes a file's embeddings: reading, windows, features.
INDEX_VERSION = 4
SHARD_WINDOWS = 256
FOLDER = ".lamp-index"
SECONDS_UNTIL_NOTICE = 1.0

Advance = Callable[[int, int], None]
Notify = Callable[[str], None]


def default_folder(library: Path) -> Path:
    """Where the index of a library lies: in the library itself, or beside an archive."""
    return (library if library.is_dir() else library.parent) / FOLDER


@dataclass(frozen=True, slots=True)
class WindowSource:
    """Where a searched window comes from.

    path: of the file, relative to the library's folder.
    take: the entry of an archive; empty for a file of one motion.
    start: first frame of the window in the take, at the bundle's rate.
    end: frame after the last one.
    """

    path: str
    take: str
    start: int
    end: int


@dataclass
class IndexReport:
    """What an update did.

    files: in the library.
    embedded: files that were new or changed.
    reused: files that were in the index already.
    unreadable: takes that were left out, and why.
    notes: sentences on what was assumed or repaired in reading, with the takes.
    """

    files: int = 0
    embedded: int = 0
    reused: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class MotionIndex:
    """The windows of a library and their embeddings.

    root: the library's folder.
    reading: how its files were read.
    windows: what is searched.
    blocks: whose rows, one block after the other, are the windows' embeddings.
    """

    root: Path
    reading: Reading
    windows: list[WindowSource]
    blocks: list[Block]


def fingerprint(bundle: Bundle) -> str:
    """What embeddings of motions depend on: tokenizer and LaMP, their configs, skeleton, rate, statistics."""
    config = bundle.config
    networks = [asdict(config.model.tokenizer), asdict(config.model.lamp)]
    described = json.dumps([config.skeleton, config.fps, *networks], sort_keys=True)
    digest = hashlib.sha256(described.encode())
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
    reading: Reading = AS_STORED,
    advance: Advance = lambda done, total: None,
    notify: Notify = lambda message: None,
) -> tuple[MotionIndex, IndexReport]:
    """Embed what is new or changed in ``library`` and open the index in ``folder``.

    ``reading`` is how its files are read; ``advance(done, total)`` counts them; ``notify`` is told when
    another process updates the index and is waited for. Raises ``ValueError`` when the library is no folder.
    """
    paths = motion_files(library)
    root = library if library.is_dir() else library.parent
    report = IndexReport(files=len(paths))
    with _locked(folder, notify):
        hashes: dict[str, str] = {}
        for path in paths:
            with _reported(report, str(path.relative_to(root))):
                hashes[str(path.relative_to(root))] = content_hash(path)
        # What the embeddings of given files, and the notes on them, depend on.
        parts = [INDEX_VERSION, LONGEST_CLIP, HOP, reading.fps, fingerprint(bundle), *reading.facts()]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
        shards = _read_shards(folder, key, set(hashes.values()))
        known = {content for shard in shards for content, *_ in shard.rows}
        missing = {content: root / name for name, content in hashes.items() if content not in known}
        report.reused = len({*hashes.values()} & known)
        report.embedded = len(missing)
        for done, shard in enumerate(_embed(bundle, root, missing, reading, report), 1):
            _write_shard(folder, key, shard)
            shards.append(shard)
            advance(min(done * SHARD_WINDOWS, len(missing)), len(missing))
        windows, blocks = _open(shards, hashes, report)
    return MotionIndex(root, reading, windows, blocks), report


# Content hash of the file, take, start, end, the reason when the take could not be read, notes on the take.
Row = tuple[str, str, int, int, str, tuple[str, ...]]


@dataclass(frozen=True)
class _Shard:
    """Rows of whole files, and the embeddings (W, N, E) of those that could be read."""

    rows: list[Row]
    embeddings: np.ndarray


@contextmanager
def _locked(folder: Path, notify: Notify) -> Iterator[None]:
    """One process at a time; one that has to wait is told which process it waits for."""
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / "lock"), folder / "lock-holder"
    try:
        lock.acquire(timeout=SECONDS_UNTIL_NOTICE)
    except Timeout:
        notify(f"{folder}: waiting for {_holder_name(holder)}, which is updating this index")
        lock.acquire()
    try:
        write_text(holder, f"process {os.getpid()} on {platform.node() or 'this machine'}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _holder_name(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"


@contextmanager
def _reported(report: IndexReport, name: str) -> Iterator[None]:
    """Leave out a file that the system does not give: it may do so next time, and nothing is remembered."""
    try:
        yield
    except OSError as error:
        report.unreadable[name] = (error.strerror or str(error)).lower()


def _embed(
    bundle: Bundle, root: Path, missing: dict[str, Path], reading: Reading, report: IndexReport
) -> Iterator[_Shard]:
    """Shards of whole files, so that a file is either wholly in the index or not at all."""
    rows: list[Row] = []
    windows: list[Window] = []
    for content, path in missing.items():
        found: list[Window | UnreadableTake] = []
        with _reported(report, str(path.relative_to(root))):
            found = list(windows_of_file(path, bundle.skeleton, reading))
        for item in found:
            if isinstance(item, UnreadableTake):
                rows.append((content, item.take, 0, 0, item.reason, ()))
                continue
            rows.append((content, item.take, item.start, item.end, "", item.notes if item.start == 0 else ()))
            windows.append(item)
        if len(windows) >= SHARD_WINDOWS:
            yield _Shard(rows, _embeddings(bundle, windows))
            rows, windows = [], []
    if rows:
        yield _Shard(rows, _embeddings(bundle, windows))


def _embeddings(bundle: Bundle, windows: list[Window]) -> np.ndarray:
    """Float16 (W, N, E); windows of like length go together, so that little is padding."""
    config = bundle.lamp.config
    result = np.zeros((len(windows), config.qformer.query_tokens, config.embedding_width), np.float16)
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].features))
    for part in batched(order, BATCH_SIZE):
        result[part] = embed_motions(bundle, [windows[i].features for i in part])
    return result


def _write_shard(folder: Path, key: str, shard: _Shard) -> None:
    header = json.dumps(shard.rows)
    name = hashlib.sha256(f"{key}{header}".encode()).hexdigest()[:16]
    with replacing(folder / f"shard-{name}.safetensors") as temporary:
        save_file({"embeddings": shard.embeddings}, temporary, metadata={"key": key, "rows": header})


def _read_shards(folder: Path, key: str, wanted: set[str]) -> list[_Shard]:
    """The shards of this key that hold wanted content; deletes the others, and what earlier versions wrote.

    A shard of which more than half is no longer wanted goes too: the rest of it is soon embedded again.
    """
    shards = []
    for path in sorted(folder.glob("shard-*.safetensors")):
        shard = _read_shard(path, key)
        contents = {row[0] for row in shard.rows} if shard else set()
        if shard and 2 * len(contents & wanted) >= len(contents):
            shards.append(shard)
            continue
        # Windows keeps a file that another process has open; a later update deletes it.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
    (folder / "files.json").unlink(missing_ok=True)
    return shards


def _read_shard(path: Path, key: str) -> _Shard | None:
    """A shard, its embeddings memory-mapped; None when it is another key's or damaged."""
    try:
        # Through torch the file is memory-mapped; through numpy it would be read.
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("key") != key:
                return None
            rows = [
                (str(content), str(take), int(start), int(end), str(reason), tuple(notes))
                for content, take, start, end, reason, notes in json.loads(header["rows"])
            ]
            shard = _Shard(rows, file.get_tensor("embeddings").numpy())
            return shard if len(shard.embeddings) == sum(not row[4] for row in rows) else None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError):
        return None


def _open(
    shards: list[_Shard], hashes: dict[str, str], report: IndexReport
) -> tuple[list[WindowSource], list[Block]]:
    """Windows of files that are there now; the same content under two names is found under both."""
    names: dict[str, list[str]] = {}
    for name, content in hashes.items():
        names.setdefault(content, []).append(name)
    windows: list[WindowSource] = []
    blocks = []
    seen: set[str] = set()
    for shard in shards:
        contents = {row[0] for row in shard.rows} - seen
        rows: list[int] = []
        number = 0
        for content, take, start, end, reason, notes in shard.rows:
            found = names.get(content, []) if content in contents else []
            takes = [f"{name}:{take}" if take else name for name in found]
            if reason:
                report.unreadable.update(dict.fromkeys(takes, reason))
                continue
            # Of a file that is gone its rows are left, and nothing is to be said.
            for sentence in notes if takes else ():
                report.notes.setdefault(sentence, []).extend(takes)
            windows += [WindowSource(name, take, start, end) for name in found]
            rows += [number] * len(found)
            number += 1
        seen |= contents
        blocks.append(Block(shard.embeddings, np.array(rows, np.int64)))
    return windows, blocks
