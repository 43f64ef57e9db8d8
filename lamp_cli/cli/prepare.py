"""``lamp prepare``: motions and captions into a data set in the field's layout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..corpus.prepare import PrepareOptions, PrepareReport, prepare, remove_prepared
from ..corpus.requests import read_requests
from ..corpus.sources import find_sources
from .common import Advance, UsageError, emit, note, progress


def command(
    motions: Annotated[Path, typer.Argument(help="Folder of joint arrays, or an .npz of them.")],
    captions: Annotated[
        list[Path],
        typer.Option("--captions", help=".jsonl, .txt or folder of clips and sentences; repeatable."),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder of the data set to write.")],
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of the joint arrays; else 20, KIT-ML 12.5.")
    ] = None,
    mirror: Annotated[bool, typer.Option(help="Add every training clip mirrored.")] = True,
    val_fraction: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share held out where captions name no split.")
    ] = 0.1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per processor when not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set made from other input.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Turn motions and captions into a data set in the HumanML3D layout, with a report.

    The same call goes on where an earlier one was stopped.
    """
    if not motions.exists():
        raise UsageError(f"{motions}: no such file or folder; expected motions")
    options = PrepareOptions(fps, mirror, val_fraction, workers or os.cpu_count() or 1)
    requests = [request for path in captions for request in read_requests(path)]
    if force and output.exists():
        # Before anything is deleted: input that cannot be read must not cost the old data set.
        find_sources(motions, leave_out=output)
        remove_prepared(output)
    with ExitStack() as stack:
        report = prepare(motions, requests, output, options, _display(stack))
    _show(report)
    emit({"data": str(output), **asdict(report), "reasons": report.reasons()}, str(output), as_json)


def _display(stack: ExitStack) -> Callable[[int, int], None]:
    """A progress bar that opens with the first clip, when their number is known."""
    opened: list[Advance] = []

    def show(done: int, total: int) -> None:
        if not opened:
            opened.append(stack.enter_context(progress(total, "preparing")))
        opened[0](1, "")

    return show


def _show(report: PrepareReport) -> None:
    rows = [
        (split, f"{count} clips", f"{report.frames[split]} frames") for split, count in report.clips.items()
    ]
    rows += [
        ("captioned", f"{report.captioned} clips", f"{report.captions} captions"),
        ("mirrored", f"{report.mirrored} clips", "training only"),
        ("trimmed", f"{report.trimmed} clips", "shared time with held-out clips"),
    ]
    rows += [("dropped", f"{count} clips", reason) for reason, count in report.reasons().items()]
    if not sys.stderr.isatty():
        for row in rows:
            note(f"{row[0]}: {row[1]}, {row[2]}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(stderr=True).print(table)
