"""Timelines of sentences, as STMC writes them: a line ``text # start # end`` each, an empty line between two.

Source: Petrovich et al., "Multi-Track Timeline Control for Text-Driven 3D Human Motion Generation", 2024, and
its released files. Behind the end may stand body parts. Knows sentences and their times, no motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ..storage import read_text_file


@dataclass(frozen=True)
class Interval:
    """A sentence and when it is done, in seconds; ``body_parts`` are those that the file names for it."""

    text: str
    start: float
    end: float
    body_parts: tuple[str, ...] = ()


def read_timelines(path: Path) -> list[tuple[Interval, ...]]:
    """The timelines of a file, each in order of time and beginning at 0.

    Raises ``ValueError`` naming the file and the line for one that is no interval, ``OSError``.
    """
    found: list[list[Interval]] = [[]]
    for number, line in enumerate(read_text_file(path).split("\n"), 1):
        if line.strip():
            found[-1].append(_interval(line, f"{path}, line {number}"))
        elif found[-1]:
            found.append([])
    timelines = [_from_nought(timeline) for timeline in found if timeline]
    if not timelines:
        raise ValueError(f"{path}: holds no line; expected text # start # end")
    return timelines


def single_track(timeline: Sequence[Interval], shortest: float) -> list[Interval]:
    """The intervals (in order of time) one behind the other: what overlaps becomes one sentence.

    Their texts are joined by "while", as STMC's single-track baseline does. Where nothing is asked, what was
    asked before goes on. An overlap shorter than ``shortest`` seconds is shared out between both sentences;
    another piece as short goes to the one before, or behind.
    """
    bounds = sorted({time for interval in timeline for time in (interval.start, interval.end)})
    pieces: list[tuple[tuple[str, ...], float, float]] = []
    for start, end in pairwise(bounds):
        texts = tuple(dict.fromkeys(i.text for i in timeline if i.start <= start and end <= i.end))
        if pieces and (not texts or texts == pieces[-1][0]):
            pieces[-1] = (pieces[-1][0], pieces[-1][1], end)
        else:
            pieces.append((texts, start, end))
    while (short := _short_piece(pieces, shortest)) is not None:
        _share_out(pieces, short)
    return [Interval(" while ".join(texts), start, end) for texts, start, end in pieces]


def _short_piece(pieces: Sequence[tuple[tuple[str, ...], float, float]], shortest: float) -> int | None:
    if len(pieces) == 1:
        return None
    return next((n for n, (_, start, end) in enumerate(pieces) if end - start < shortest - 1e-9), None)


def _share_out(pieces: list[tuple[tuple[str, ...], float, float]], number: int) -> None:
    """Give the time of a piece to its neighbours; to both by halves where both are part of it."""
    texts, start, end = pieces.pop(number)
    before = pieces[number - 1] if number else None
    behind = pieces[number] if number < len(pieces) else None
    within = [piece is not None and set(piece[0]) <= set(texts) for piece in (before, behind)]
    middle = (start + end) / 2 if all(within) else start if before is None or within == [False, True] else end
    if before is not None:
        pieces[number - 1] = (before[0], before[1], middle)
    if before is not None and behind is not None and before[0] == behind[0]:
        pieces[number - 1 : number + 1] = [(before[0], before[1], behind[2])]
    elif behind is not None:
        pieces[number] = (behind[0], middle, behind[2])


def _interval(line: str, where: str) -> Interval:
    fields, found = [field.strip() for field in line.split("#")], repr(line.strip()[:80])
    try:
        start, end = (float(field) for field in fields[1:3])
    except ValueError:
        raise ValueError(f"{where}: expected text # start # end in seconds, found {found}") from None
    if not (fields[0] and math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise ValueError(f"{where}: expected a sentence and an end behind its start, found {found}")
    return Interval(fields[0], start, end, tuple(field for field in fields[3:] if field))


def _from_nought(timeline: Sequence[Interval]) -> tuple[Interval, ...]:
    first = min(interval.start for interval in timeline)
    moved = [replace(i, start=i.start - first, end=i.end - first) for i in timeline]
    return tuple(sorted(moved, key=lambda interval: (interval.start, interval.end)))
