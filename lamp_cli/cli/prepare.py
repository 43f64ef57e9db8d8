"""``lamp prepare``: motions and captions into a data set in the field's layout."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..data.prepare.caption_files import read_requests
from ..data.prepare.humanml3d import NAME, HumanML3DReport, prepare_humanml3d
from ..data.prepare.prepare import PrepareOptions, PrepareReport, prepare, remove_prepared
from ..data.prepare.takes import find_sources
from ..data.sentences import read_sentences
from .common import AsJson, UsageError, emit, note, resumable
from .inputs import BodyModels, JointMap, reading_option
from .progress import counted


def prepare_command(
    output: Annotated[Path, typer.Option("--output", help="Folder of the data set to write.")],
    motions: Annotated[
        Path | None,
        typer.Argument(help="Folder of motion files (.npy, .npz, .bvh, .amc, AMASS), or one such file."),
    ] = None,
    captions: Annotated[
        list[Path] | None,
        typer.Option("--captions", help=".jsonl, .txt or folder of clips and sentences; repeatable."),
    ] = None,
    mocap: Annotated[
        Path | None,
        typer.Option(help="With the word humanml3d: folder of CMU's, ACCAD's, HDM05's or AMASS's takes."),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="With it too: HumanML3D's texts, with its index.csv and lists beside.")
    ] = None,
    synthetic: Annotated[int, typer.Option(min=0, help="Add this many made-up motions.")] = 0,
    recombine: Annotated[
        int, typer.Option(min=0, help="Add this many clips recombined from the real training clips.")
    ] = 0,
    wording: Annotated[
        Path | None, typer.Option(help="Sentences; those that are true of a made-up motion join its own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of made-up and recombined motions.")] = 0,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of the joint arrays; else 20, KIT-ML 12.5.")
    ] = None,
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    mirror: Annotated[bool, typer.Option(help="Add every training clip mirrored.")] = True,
    val_fraction: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.5,
            help="Share of the captioned motions that are held out whole for validation, at least one, the "
            "same ones in every run. Without effect where any line of the captions names a split: then those "
            "that name none are for training.",
        ),
    ] = 0.1,
    test: Annotated[
        list[str] | None,
        typer.Option(help="Motions for the test split, by name; * stands for any letters; repeatable."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per processor when not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a data set made from other input.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn motions and captions into a data set in the HumanML3D layout, with a report.

    The same call goes on where an earlier one was stopped. "lamp prepare humanml3d --mocap DIR --texts DIR"
    makes HumanML3D of its public texts and of takes that anyone may download.
    """
    reading = reading_option(fps, body_models, joint_map)
    processes = workers or os.cpu_count() or 1
    if mocap is not None or texts is not None:
        others = {
            "--captions": captions,
            "--synthetic": synthetic,
            "--recombine": recombine,
            "--wording": wording,
            "--test": test,
            "--seed": seed,
            "--no-mirror": not mirror,
        }
        _refuse_beside_humanml3d(motions, mocap, texts, others)
        assert mocap is not None and texts is not None
        if force:
            remove_prepared(output)
        with ExitStack() as stack:
            advance = counted(stack, "preparing", "takes")
            found = prepare_humanml3d(mocap, texts, output, reading, val_fraction, processes, advance)
        _note_humanml3d(found)
        emit({"data": str(output), **asdict(found)}, str(output), as_json)
        return
    if motions is None and not synthetic:
        raise UsageError("nothing to prepare; expected a folder of motions, --synthetic N, or both")
    if motions is not None and not motions.exists():
        raise UsageError(f"{motions}: no such file or folder; expected motions")
    if motions is not None and not captions:
        raise UsageError("no captions; expected --captions FILE for the motions")
    if recombine and motions is None:
        raise UsageError("--recombine makes clips of real ones; expected a folder of motions")
    if test and motions is None:
        raise UsageError("--test chooses among motions; expected a folder of them")
    try:
        options = PrepareOptions(
            reading,
            mirror,
            val_fraction,
            processes,
            synthetic,
            seed,
            recombine,
            () if wording is None else tuple(read_sentences(wording)),
            tuple(test or ()),
        )
    except ValueError as error:
        # It names its field, and the option is called the same.
        raise UsageError(f"--{error}".replace("_", "-", 1)) from None
    requests = [request for path in captions or [] for request in read_requests(path)]
    if force and output.exists():
        # Before anything is deleted: input that cannot be read must not cost the old data set.
        if motions is not None:
            find_sources(motions, output, reading)
        remove_prepared(output)
    with ExitStack() as stack, resumable():
        report = prepare(motions, requests, output, options, counted(stack, "preparing"))
    _show(report)
    emit({"data": str(output), **asdict(report), "reasons": report.reasons()}, str(output), as_json)


def _refuse_beside_humanml3d(
    motions: Path | None, mocap: Path | None, texts: Path | None, others: Mapping[str, object]
) -> None:
    if str(motions) != NAME or mocap is None or texts is None:
        raise UsageError("expected humanml3d --mocap DIR --texts DIR")
    if not mocap.is_dir():
        raise UsageError(f"--mocap {mocap}: no such folder; expected takes of motion capture")
    if given := next((option for option, value in others.items() if value), None):
        raise UsageError(f"{given}: has no effect on HumanML3D")


def _note_humanml3d(report: HumanML3DReport) -> None:
    for split, count in report.clips.items():
        note(f"{split}: {count} clips, {report.frames[split]} frames, mirrored ones among them")
    for reason, count in sorted(report.missing.items(), key=lambda item: -item[1]):
        note(f"missing: {count} clips, {reason}")
    for sentence, count in report.notes.items():
        note(f"note: {count} takes, {sentence}")


def _show(report: PrepareReport) -> None:
    rows = [
        (split, f"{count} clips", f"{report.frames[split]} frames") for split, count in report.clips.items()
    ]
    rows += [
        ("captioned", f"{report.captioned} clips", f"{report.captions} captions"),
        ("mirrored", f"{report.mirrored} clips", "training only"),
        ("trimmed", f"{report.trimmed} clips", "shared time with held-out clips"),
    ]
    if unlabelled := sum(report.clips.values()) - report.captioned:
        rows.append(("without captions", f"{unlabelled} clips", "for the motion tokenizer alone"))
    if report.windowed:
        rows.append(("windowed", f"{report.windowed} clips", "over 10 s, cut into windows"))
    if report.labels:
        rows.append(("labels", f"{report.labels} short ones", "of corpora, told in sentences"))
    if report.captions_left_out:
        rows.append(
            ("left out", f"{report.captions_left_out} captions", "of clips longer than their windows")
        )
    rows += [("left out", f"{n} captions", why) for why, n in report.captions_quarantined.items()]
    if "val" not in report.clips:
        rows.append(("val", "0 clips", "training needs some: give more motions, or a split"))
    rows += [("recombined", f"{count} clips", kind) for kind, count in sorted(report.recombined.items())]
    rows += [("dropped", f"{count} clips", reason) for reason, count in report.reasons().items()]
    rows += [("note", f"{count} motions", note_text) for note_text, count in report.notes.items()]
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
