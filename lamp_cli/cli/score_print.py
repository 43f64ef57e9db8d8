"""How ``lamp score`` shows its figures: lines, a table, a picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..metrics.measurement import Measurement
from ..scoring.comparison import Change, Verdict, sentence
from ..scoring.figures import Report
from ..scoring.report import SUFFIXES, drawable, require_suffix, row, sections, table
from .common import UsageError, emit, note
from .files import require_writable


def require_output(output: Path | None, force: bool) -> None:
    """Raise ``ValueError`` for a file that no figures can be written to, or ``--force`` without one."""
    if output is not None:
        require_suffix(output, "--output", SUFFIXES)
        require_writable(output.parent, "--output")
    elif force:
        raise UsageError("--force: belongs to --output and --plot")


def note_report(report: Report) -> None:
    for remark in report.notes:
        note(remark)
    for remark in report.refusals:
        note(f"not measured: {remark}")


def print_report(report: Report, model: str | None, compared: Sequence[Change], as_json: bool) -> None:
    """JSON lines when piped or asked for; a table where people look."""
    by_figure = {id(change.now): change for change in compared if change.now is not None}
    lines = as_json or not sys.stdout.isatty()
    if lines:
        try:
            for measurement in report.measurements:
                change = by_figure.get(id(measurement))
                emit(row(measurement, model, change, report.signature), "", True)
        except BrokenPipeError:
            # Nobody reads on; the exit code still tells, and nothing is flushed once more on the way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for change in compared:
        if change.verdict is Verdict.GONE:
            note(sentence(change))
    if not lines or sys.stderr.isatty():
        _show_table(report, compared, on_stderr=lines)


def _show_table(report: Report, compared: Sequence[Change], on_stderr: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=on_stderr, markup=False, highlight=False)
    for title, shown in sections(table(report.measurements, compared)):
        drawn = Table(*shown.head, box=SIMPLE_HEAD, pad_edge=False)
        for line in shown.rows:
            drawn.add_row(*line)
        console.print(title, style="bold")
        console.print(drawn)
    console.print(f"signature: {report.signature}", soft_wrap=True)


def draw_report(
    path: Path, report: Report, model: str | None, earlier: list[Measurement] | None, baseline: Path | None
) -> None:
    from ..scoring.plots import Picture, draw

    name = model or "now"
    kept = drawable(report.measurements)
    if not kept and report.heatmap is None:
        kept = report.measurements
    runs = {name: kept} if kept else {}
    if earlier is not None and baseline is not None:
        earlier_name = baseline.stem if baseline.stem != name else f"{name} (earlier)"
        runs = {name: report.measurements, earlier_name: earlier}
    draw(Picture(report.heatmap, report.recalls or None, runs or None), path)
