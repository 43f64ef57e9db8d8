"""Sentences and motions that ``prepare`` leaves out, so that training never sees them, and why."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...storage import file_digest, write_text
from .caption_files import ClipRequest
from .takes import MotionSource

QUARANTINE = "quarantine.jsonl"
# HumanML3D's longest caption has 500 characters.
MOST_CHARACTERS = 1000
# Metres. Recordings of people who stand still move more.
LEAST_MOVE = 1e-4
# Of a sentence that is listed.
CHARACTERS_LISTED = 200


@dataclass(frozen=True)
class LeftOutCaption:
    """A sentence that is left out of the captions of ``clip``, and why."""

    clip: str
    text: str
    reason: str


def sound_requests(requests: Iterable[ClipRequest]) -> tuple[list[ClipRequest], list[LeftOutCaption]]:
    """The requests with those of their sentences that training may see, and the others."""
    sound: list[ClipRequest] = []
    left_out: list[LeftOutCaption] = []
    for request in requests:
        problems = {text: caption_problem(text) for text in request.captions}
        kept = tuple(text for text in request.captions if not problems[text])
        sound.append(replace(request, captions=kept))
        left_out += [LeftOutCaption(request.id, text, why) for text, why in problems.items() if why]
    return sound, left_out


def caption_problem(text: str) -> str:
    """Why a sentence is none to learn from; empty when it is one."""
    if not text.strip():
        return "empty"
    if len(text) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    if any(unicodedata.category(sign).startswith("C") for sign in text):
        return "control characters"
    letters = [sign for sign in text if sign.isalpha()]
    if not letters:
        return "no words"
    latin = sum("LATIN" in unicodedata.name(sign, "") for sign in letters)
    return "" if 2 * latin > len(letters) else "not in Latin letters"


def stands_still(joints: np.ndarray) -> bool:
    """Whether no joint of (T, J, 3), in metres, moves at all: one pose again and again."""
    return bool(np.ptp(joints, axis=0).max() < LEAST_MOVE)


def copies_of(sources: Sequence[MotionSource]) -> dict[str, str]:
    """Motions whose files are byte for byte those of others, and the first such motion, by name.

    A file that is gone since it was found is a copy of none.
    """
    of_size: dict[int, set[Path]] = defaultdict(set)
    for source in sources:
        with suppress(OSError):
            of_size[source.path.stat().st_size].add(source.path)
    digests: dict[Path, str] = {}
    for path in (path for paths in of_size.values() if len(paths) > 1 for path in paths):
        with suppress(OSError):
            digests[path] = file_digest(path)
    first: dict[tuple[str, str, int], str] = {}
    copies: dict[str, str] = {}
    for source in sources:
        if source.path not in digests:
            continue
        original = first.setdefault((digests[source.path], source.entry, source.number), source.name)
        if original != source.name:
            copies[source.name] = original
    return copies


def of_originals(requests: Iterable[ClipRequest], copies: Mapping[str, str]) -> list[ClipRequest]:
    """Requests for copies of a motion as requests for the motion itself, which then has all the captions."""
    return [
        replace(
            request,
            motion=copies.get(request.motion, request.motion),
            id=copies[request.motion] if request.id == request.motion in copies else request.id,
        )
        for request in requests
    ]


def write_quarantine(output: Path, dropped: Mapping[str, str], captions: Iterable[LeftOutCaption]) -> None:
    """Write ``quarantine.jsonl``, a line for every clip and sentence that is left out."""
    lines: list[dict[str, str]] = [{"clip": clip, "reason": reason} for clip, reason in dropped.items()]
    for each in captions:
        text = each.text[:CHARACTERS_LISTED]
        lines.append({"clip": each.clip, "caption": text, "reason": each.reason})
    write_text(output / QUARANTINE, "".join(f"{json.dumps(line)}\n" for line in lines))
