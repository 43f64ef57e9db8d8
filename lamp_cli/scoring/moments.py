"""Captions of moments against those of people: lines of ``lamp caption --moments`` and lines of references.

Knows lines and names of motions; the figures are those of ``metrics.dense_captions``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..metrics.dense_captions import THRESHOLDS, Story, TimedCaption, matched_cider, soda
from ..metrics.measurement import mean_and_interval
from .figures import CAPTIONED, SODA_PARTS, Figure, Report, cider_at

DENSE_PROTOCOL = "pairs by tIoU, predictions without one count 0, words in lower case"
SODA_PROTOCOL = "tIoU x METEOR of words and stems, no synonyms, matched one to one in order, mean over takes"
_TEXT_KEYS = {"predicted": ("caption",), "reference": ("text", "caption")}


def stories_of(
    predicted: Iterable[Mapping[str, Any]], references: Iterable[Mapping[str, Any]], where: tuple[str, str]
) -> tuple[list[Story], list[str]]:
    """The stories of takes that have references, and remarks on predictions of others.

    A line has ``motion`` (and ``take``), ``start`` and ``end`` in seconds, and a ``caption``, or a ``text``
    in references. Motions are the same when their paths are, or, where no path is, their file names.
    ``where`` names both sources. Raises ``ValueError`` naming a line that lacks something.
    """
    told = _by_take(references, "reference", where[1])
    said = _by_take(predicted, "predicted", where[0])
    by_name = {_short(key): key for key in told}
    found: dict[tuple[str, str], list[TimedCaption]] = {key: [] for key in told}
    strangers = 0
    for key, moments in said.items():
        own = key if key in told else by_name.get(_short(key)) if len(by_name) == len(told) else None
        if own is None:
            strangers += 1
            continue
        found[own] += moments
    remarks = [f"takes without references, left out: {strangers}"] if strangers else []
    if silent := sum(not moments for moments in found.values()):
        remarks.append(f"takes of which nothing was predicted: {silent}")
    return [Story(tuple(found[key]), tuple(moments)) for key, moments in told.items()], remarks


def score_moments(stories: list[Story], captioner: str, report: Report) -> None:
    """CIDEr-D at every tIoU and their mean, and SODA; what cannot be measured is refused."""
    pool = sum(len(story.predicted) for story in stories)
    with report.refusing():
        values = [matched_cider(stories, threshold) for threshold in THRESHOLDS]
        named = [*zip(map(cider_at, THRESHOLDS), values, strict=True)]
        named.append((cider_at(None), sum(values) / len(values)))
        for name, value in named:
            figure = Figure(name, DENSE_PROTOCOL, captioner, pool, CAPTIONED)
            report.measurements.append(figure.measured(value))
    with report.refusing():
        takes = soda(stories)
        for name, each in zip(
            SODA_PARTS,
            ([t.precision for t in takes], [t.recall for t in takes], [t.f1 for t in takes]),
            strict=True,
        ):
            figure = Figure(name, SODA_PROTOCOL, captioner, len(takes), CAPTIONED)
            report.measurements.append(figure.measured(*mean_and_interval(each)))


def moments_signature(stories: Sequence[Story]) -> str:
    """One line that says what was measured: the references' digest and how many takes there are."""
    told = "\n".join(f"{m.start:g} {m.end:g} {m.text}" for story in stories for m in story.references)
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    return f"lamp:{__version__}|data:moments#{digest}|takes:{len(stories)}"


def _by_take(
    records: Iterable[Mapping[str, Any]], kind: str, where: str
) -> dict[tuple[str, str], list[TimedCaption]]:
    found: dict[tuple[str, str], list[TimedCaption]] = {}
    for number, record in enumerate(records, 1):
        text = next((record[key] for key in _TEXT_KEYS[kind] if isinstance(record.get(key), str)), None)
        motion, times = record.get("motion"), [record.get(key) for key in ("start", "end")]
        if not isinstance(motion, str) or text is None:
            keys = " or ".join(repr(key) for key in _TEXT_KEYS[kind])
            raise ValueError(f"{where}, line {number}: expected 'motion' and {keys}, found {dict(record)!r}")
        if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
            raise ValueError(
                f"{where}, line {number} ({motion}): expected 'start' and 'end' in seconds, as of "
                "`lamp caption --moments`"
            )
        try:
            moment = TimedCaption(float(times[0]), float(times[1]), text)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{where}, line {number} ({motion}): {error}") from None
        found.setdefault((motion, str(record.get("take", ""))), []).append(moment)
    return found


def _short(key: tuple[str, str]) -> tuple[str, str]:
    return Path(key[0]).name, key[1]
