"""Figures as text for people and for files, and earlier figures read back.

Knows measurements, not how they came about. Every form says protocol, evaluator, pool and repetitions
beside the number.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..metrics.measurement import CONTROLS, FLOOR, Measurement, measurement_of_row
from ..storage import write_text
from .comparison import Change, Verdict, compare
from .figures import FIGURES

SUFFIXES = (".csv", ".md", ".json", ".jsonl")
PICTURES = (".png", ".svg", ".pdf")
_MARKS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "WORSE",
    Verdict.MOVED: "moved",
    Verdict.NEW: "new",
    Verdict.INCOMPARABLE: "not comparable",
}
_VALUE = "value"


@dataclass(frozen=True)
class Table:
    """Head and rows of strings; one row per figure, its subjects side by side."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def row(
    measurement: Measurement, model: str | None, change: Change | None = None, signature: str = ""
) -> dict[str, Any]:
    """The JSON object of a figure; with ``change``, what became of it since the earlier scores."""
    record = {**measurement.row(), "model": model, **({"signature": signature} if signature else {})}
    if change is None:
        return record
    earlier = None if change.earlier is None else change.earlier.value
    told = {"verdict": change.verdict.value, "earlier": earlier, "difference": change.difference}
    return {**record, **told, **({"reason": change.reason} if change.reason else {})}


def changes(
    now: Sequence[Measurement], earlier: Sequence[Measurement], metrics: Sequence[str]
) -> list[Change]:
    """Every figure against the earlier ones; those of metrics that were not asked for now are left aside.

    An earlier figure of a name that is not known is gone, not left aside. Raises ``ValueError`` when a figure
    stands twice.
    """
    asked = {name for name, kind in FIGURES.items() if kind.metric in metrics}
    return compare(now, [m for m in earlier if m.metric in asked or m.metric not in FIGURES])


def table(measurements: Sequence[Measurement], compared: Sequence[Change] = ()) -> Table:
    """Every figure in a row, its controls beside it; what moved since earlier figures is marked."""
    marks = {id(c.now): _MARKS.get(c.verdict, "") for c in compared if c.now is not None}
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    subjects: dict[tuple[str, ...], str] = {}
    # The floor is of half the clips, and stands beside what is of all of them.
    whole = [m for m in reversed(measurements) if m.subject != FLOOR]
    pools = {(m.metric, m.protocol, m.evaluator): m.pool for m in whole}
    for m in measurements:
        pool = pools.get((m.metric, m.protocol, m.evaluator), m.pool) if m.subject == FLOOR else m.pool
        key = (m.metric, m.protocol, m.evaluator or "none", str(pool), str(m.repetitions))
        cell = " ".join(filter(None, (number(m), marks.get(id(m), ""))))
        control = m.subject in CONTROLS
        lines.setdefault(key, {})[m.subject if control else _VALUE] = cell
        if not control:
            subjects[key] = m.subject
    shown = [name for name in (_VALUE, *CONTROLS) if any(name in line for line in lines.values())]
    rows = [
        (key[0], *(line.get(name, "") for name in shown), subjects.get(key, "controls only"), *key[1:])
        for key, line in lines.items()
    ]
    return Table(("figure", *shown, "subject", "protocol", "evaluator", "pool", "repetitions"), tuple(rows))


def sections(whole: Table) -> list[tuple[str, Table]]:
    """The rows of a table that share subject, evaluator, pool and repetitions, under one title.

    The protocol stands in the title when all rows share it, else in a column.
    """
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for *line, subject, protocol, evaluator, pool, repetitions in whole.rows:
        found.setdefault((subject, evaluator, pool, repetitions), []).append((*line, protocol))
    result = []
    for (subject, evaluator, pool, repetitions), lines in found.items():
        protocols = {line[-1] for line in lines}
        times = "1 repetition" if repetitions == "1" else f"{repetitions} repetitions"
        shared = [next(iter(protocols))] if len(protocols) == 1 else []
        title = "; ".join([subject, *shared, f"evaluator: {evaluator}", f"pool {pool}", times])
        # A column that is empty in all of its rows says nothing.
        last = len(lines[0]) - 1
        kept = [n for n in range(last) if any(line[n] for line in lines)] + ([] if shared else [last])
        head = tuple((*whole.head[:last], "protocol")[n] for n in kept)
        result.append((title, Table(head, tuple(tuple(line[n] for n in kept) for line in lines))))
    return result


def drawable(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Figures that a picture says more of than a table: with an interval, or with something beside them."""
    beside = Counter((m.metric, m.protocol, m.evaluator) for m in measurements)
    return [
        m for m in measurements if m.interval is not None or beside[m.metric, m.protocol, m.evaluator] > 1
    ]


def number(measurement: Measurement) -> str:
    """Value and interval with as many digits as mean something to people."""
    digits = _digits(measurement.value)
    if measurement.interval is None:
        return f"{measurement.value:.{digits}f}"
    return f"{measurement.value:.{digits}f} ± {measurement.interval:.{digits}f}"


def write_report(
    path: Path,
    measurements: Sequence[Measurement],
    model: str | None,
    compared: Sequence[Change] = (),
    signature: str = "",
) -> None:
    """Write figures to a file; the suffix chooses CSV, Markdown, JSON or JSON lines."""
    by_figure = {id(change.now): change for change in compared if change.now is not None}
    records = [row(m, model, by_figure.get(id(m)), signature) for m in measurements]
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    elif suffix == ".jsonl":
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    elif suffix == ".csv":
        text = _csv(records)
    else:
        text = markdown(measurements, compared) + (f"\nSignature: `{signature}`\n" if signature else "")
    write_text(path, text)


def require_suffix(path: Path, option: str, allowed: Sequence[str]) -> None:
    """Raise ``ValueError`` naming the option unless the file's suffix is one of ``allowed``."""
    if path.suffix.lower() not in allowed:
        raise ValueError(f"{option} {path}: expected a name that ends in {', '.join(allowed)}")


def read_report(path: Path) -> list[Measurement]:
    """Figures of an earlier run: JSON lines as printed, or a file that ``write_report`` wrote as JSON.

    Raises ``ValueError`` naming the file when it holds none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip()]
        records = json.loads(text) if text.lstrip().startswith("[") else list(map(json.loads, lines))
        if not records or not all(isinstance(record, dict) for record in records):
            raise ValueError("no figures in it; expected JSON lines of `lamp score`")
        return [measurement_of_row(record) for record in records]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _digits(value: float) -> int:
    """How many digits behind the point are shown: three that count of a small figure, such as KID."""
    if abs(value) >= 1000:
        return 0
    return 3 if abs(value) >= 0.1 or value == 0 else min(6, 2 - math.floor(math.log10(abs(value))))


def _csv(records: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO()
    fields = list(dict.fromkeys(key for record in records for key in record))
    writer = csv.DictWriter(stream, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def markdown(measurements: Sequence[Measurement], compared: Sequence[Change] = ()) -> str:
    """Every figure in a row of a Markdown table."""
    shown = table(measurements, compared)
    lines = [shown.head, ("---",) * len(shown.head), *shown.rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
