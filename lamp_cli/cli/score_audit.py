"""``lamp score --audit``: what an evaluator notices of true motions that are spoiled in one property."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..scoring.report import number, write_report
from .common import UsageError, device_option, emit, note
from .files import OutputFiles
from .progress import progress
from .score_print import require_output

if TYPE_CHECKING:
    from ..scoring.audit import Audited

# What may stand beside --audit.
WITH_AUDIT = frozenset("audit data split limit repetitions seed output force model device as_json".split())


@dataclass(frozen=True)
class AuditRequest:
    """What to audit: an evaluator, as ``--evaluator`` names it, on the clips of a split.

    ``data`` None is the sample evaluation set.
    """

    evaluator: str
    model: str
    device: str
    data: Path | None
    split: str | None
    limit: int | None
    repetitions: int
    seed: int


def run_audit(request: AuditRequest, output: Path | None, force: bool, as_json: bool) -> None:
    """Measure and print: JSON lines when piped or asked for, else a table of corruptions and figures."""
    require_output(output, force)
    if request.split is not None and request.data is None:
        raise UsageError("--split: belongs to --data DIR, which is not given")

    from ..scoring.audit import audit
    from ..scoring.evaluators import require_evaluators
    from ..scoring.models import ModelChoice, Models
    from ..scoring.scored_motions import named_split

    require_evaluators([request.evaluator])
    choice = ModelChoice(request.model, device_option(request.device), (request.evaluator,), captioner=False)
    models = Models(choice)
    split = named_split(request.data, request.split, request.limit)
    [evaluator] = models.evaluators("fid")
    found = audit(split, evaluator, request.repetitions, request.seed, progress)
    note(f"audit of {evaluator.name} on {len(split.clips.clips)} clips, seed {request.seed}")
    if output is not None:
        figures = [one.figure for one in found]
        truths = list({one.truth.metric: one.truth for one in found}.values())
        write = partial(write_report, measurements=[*truths, *figures], model=models.name)
        OutputFiles(force).write_one(output, write)
    if as_json or not sys.stdout.isatty():
        for one in found:
            emit({**one.record(), "model": models.name}, "", True)
        return
    _show(found)


def _show(found: Sequence[Audited]) -> None:
    """Corruptions by figures; what a figure does not notice stands in brackets."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    metrics = list(dict.fromkeys(one.figure.metric for one in found))
    cells: dict[str, dict[str, str]] = {"true": {one.truth.metric: number(one.truth) for one in found}}
    for one in found:
        shown = number(one.figure) if one.noticed else f"({number(one.figure)})"
        cells.setdefault(one.figure.subject, {})[one.figure.metric] = shown
    console = Console(markup=False, highlight=False)
    table = Table("figure", *cells, box=SIMPLE_HEAD, pad_edge=False)
    for metric in metrics:
        table.add_row(metric, *(row.get(metric, "") for row in cells.values()))
    console.print(table)
    console.print("in brackets: no farther from that of the true motions than both 95% intervals reach")
