"""Caption files: which sentences belong to which part of which motion.

Reads what people have: JSON lines, tab-separated text, or a folder with one text file per motion.
Knows no motions, only their names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...storage import read_text_file
from ..captions import json_lines, read_texts, sentences_in_record

MOTION_KEYS = ("motion", "trial", "id")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class ClipRequest:
    """A clip that the captions ask for: ``start``..``end`` seconds of a motion (None: its ends).

    ``split`` is train, val, test or None where the file names none; ``fps`` is the motion's frame rate, None
    where the file does not give it. ``steady``: the captions are true of every part of the clip.
    """

    id: str
    motion: str
    captions: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    split: str | None = None
    fps: float | None = None
    steady: bool = False


def read_requests(path: Path) -> list[ClipRequest]:
    """Requests of a ``.jsonl`` file, a ``.txt`` file of ``name<TAB>sentence``, or a folder of ``NAME.txt``.

    JSON lines name the motion by ``motion``, ``trial`` or ``id``, the sentences by ``captions``,
    ``caption``, ``text`` or ``description`` (a string or a list), and optionally ``id``, ``start``,
    ``end`` (seconds), ``split`` and ``fps`` (of the motion's file). Raises ``ValueError`` naming file and
    line, ``OSError`` when the file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    content = read_text_file(path)
    if path.suffix.lower() in (".jsonl", ".json"):
        requests = [_json_request(record, where) for where, record in json_lines(content, str(path))]
    else:
        requests = _tabbed(content, path)
    if not requests:
        raise ValueError(f"{path}: no captions in it")
    return requests


def _json_request(record: dict[str, Any], where: str) -> ClipRequest:
    motion = next((str(record[key]) for key in MOTION_KEYS if record.get(key) is not None), None)
    if motion is None:
        raise ValueError(f"{where}: expected the motion's name under {', '.join(MOTION_KEYS)}")
    split = record.get("split")
    if split is not None and split not in SPLITS:
        raise ValueError(f"{where}: split must be train, val or test, found {split!r}")
    start, end = (_seconds(record.get(key), f"{where}: {key}") for key in ("start", "end"))
    if start is not None and end is not None and end <= start:
        raise ValueError(f"{where}: end ({end:g} s) must come after start ({start:g} s)")
    sentences = sentences_in_record(record, where, empty_too=True) or ()
    rate = _frame_rate(record.get("fps"), where)
    return ClipRequest(str(record.get("id", motion)), motion, sentences, start, end, split, rate)


def _frame_rate(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{where}: fps must be frames per second above 0, found {value!r}")
    return float(value)


def _seconds(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{where} must be seconds from the start of the motion, found {value!r}")
    return float(value)


def _tabbed(content: str, path: Path) -> list[ClipRequest]:
    sentences: dict[str, list[str]] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        name, tab, sentence = line.partition("\t")
        if not tab or not name.strip() or not sentence.strip():
            raise ValueError(f"{path}, line {number}: expected the motion's name, a tab and a sentence")
        sentences.setdefault(name.strip(), []).append(sentence.strip())
    return [ClipRequest(name, name, tuple(found)) for name, found in sentences.items()]


def _folder(folder: Path) -> list[ClipRequest]:
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise ValueError(f"{folder}: expected text files named like the motions, found none")
    requests = []
    for path in files:
        captions = read_texts(path)
        whole = tuple(c.text for c in captions if c.whole_clip)
        requests.append(ClipRequest(path.stem, path.stem, whole))
        parts = [c for c in captions if not c.whole_clip]
        requests += [
            ClipRequest(
                f"{path.stem}_{k}", path.stem, (c.text,), c.start, None if c.end == math.inf else c.end
            )
            for k, c in enumerate(parts)
        ]
    return requests
