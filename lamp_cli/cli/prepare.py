"""``lamp prepare``: motions and captions into a data set in the field's layout."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..corpus.prepare import PrepareOptions, PrepareReport, prepare, remove_prepared
from ..corpus.requests import read_requests
from .common import UsageError, emit, note, progress


def command(
    motions: Annotated[Path, typer.Argument(help="Folder of joint arrays, or an .npz of them.")],
    captions: Annotated[
        list[Path], typer.Option("--captions", help=".jsonl or .txt of clips and sentences; repeatable.")
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder of the data set to write.")],
    fps: Annotated[float | None, typer.Option(help="Frames per second of the joint arrays.")] = None,
    mirror: Annotated[bool, typer.Option(help="Add every training clip mirrored.")] = True,
    val_fraction: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share held out where captions name no split.")
    ] = 0.1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set made from other input.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Turn motions and captions into a data set in the HumanML3D layout, with a report."""
    if not motions.exists():
        raise UsageError(f"{motions}: no such file or folder; expected motions")
    requests = [request for path in captions for request in read_requests(path)]
    if force and output.exists():
        remove_prepared(output)
    with progress(len(requests), "preparing") as advance:
        report = prepare(
            motions,
            requests,
            output,
            PrepareOptions(fps, mirror, val_fraction, workers),
            lambda done, total: advance(1, ""),
        )
    for line in _lines(report):
        note(line)
    record = {"data": str(output), **asdict(report), "reasons": report.reasons()}
    emit(record, str(output), as_json)


def _lines(report: PrepareReport) -> list[str]:
    splits = [
        f"{split}: {count} clips, {report.frames[split]} frames" for split, count in report.clips.items()
    ]
    kept = f"{report.captioned} with captions ({report.captions}), {report.mirrored} mirrored copies"
    dropped = [f"dropped {count}: {reason}" for reason, count in report.reasons().items()]
    return [*splits, kept, *dropped]
