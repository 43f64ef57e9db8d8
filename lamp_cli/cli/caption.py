"""``lamp caption``: motion files into sentences."""

from __future__ import annotations

import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import (
    Skipped,
    UsageError,
    emit,
    motion_notes,
    motions_on_stdin,
    note,
    progress,
    torch_device,
)


@dataclass(frozen=True)
class _Request:
    """A file to caption: named as an argument, ``found`` in a folder, or in a ``record`` of stdin."""

    path: Path
    record: dict[str, Any]
    found: bool = False


def command(
    motions: Annotated[
        list[str] | None, typer.Argument(help="Motion files or folders of them; - or none reads stdin.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders within folders too.")] = False,
    moments: Annotated[
        bool, typer.Option("--moments", help="Caption a long take piece by piece, with times.")
    ] = False,
    candidates: Annotated[int, typer.Option(min=1, help="Captions per motion, with scores.")] = 1,
    beams: Annotated[int, typer.Option(min=1, help="Beams of the search; at least --candidates.")] = 5,
    nucleus: Annotated[
        float | None, typer.Option(help="Draw words from this probability mass instead of searching.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of the drawing with --nucleus.")] = 1.0,
    prompt: Annotated[str, typer.Option(help="What every caption begins with.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of --nucleus; drawn when not given.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Motions captioned at once.")] = 32,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Say in a sentence what each motion shows."""
    names = motions or []
    from_stdin = "-" in names or not names
    if from_stdin and sys.stdin.isatty():
        raise UsageError("no motion; expected motion files, a folder, or file names on stdin")
    requests = [request for name in names if name != "-" for request in _named(Path(name), recursive)]
    if nucleus is not None and seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")

    from ..bundle.bundle import load_bundle
    from ..inference.caption import CaptionOptions, caption_pieces
    from ..model.decoding import DecodingOptions

    decoding = DecodingOptions(beams, candidates, nucleus, temperature)
    options = CaptionOptions(decoding, prompt, moments, seed or 0, batch_size)
    bundle = load_bundle(model, torch_device(device), captioner=True)
    alone = len(requests) == 1 and not requests[0].found and not from_stdin
    waiting: deque[tuple[_Request, Any]] = deque()
    stack, skipped = ExitStack(), Skipped()
    show_notes = stack.enter_context(motion_notes())
    everything = _every(requests, from_stdin, stack, skipped)
    read = _readable(bundle, everything, waiting, skipped, show_notes)
    captioned, anything = caption_pieces(bundle, read, options), False
    with stack, nullcontext(_silent) if from_stdin else progress(len(requests), "captioning") as advance:
        for found in captioned:
            request, motion = waiting.popleft()
            anything = True
            for moment in found:
                record = _record(bundle, request, motion, moment, options)
                emit(record, _line(record, alone), as_json)
            advance(1, "")
    if not anything:
        raise UsageError("no motion; expected files that hold one, found none")
    skipped.finish()


def _named(path: Path, recursive: bool) -> list[_Request]:
    """A file itself; of a folder its motion files."""
    if not path.is_dir():
        return [_Request(path, {})]
    from ..inference.index.library import SUFFIXES, motion_files

    files = [file for file in motion_files(path) if recursive or file.parent == path]
    if not files:
        hint = "" if recursive else "; --recursive looks into its folders too"
        raise UsageError(f"{path}: holds no motion file ({', '.join(SUFFIXES)}){hint}")
    return [_Request(file, {}, found=True) for file in files]


def _every(
    requests: list[_Request], from_stdin: bool, stack: ExitStack, skipped: Skipped
) -> Iterator[_Request]:
    yield from requests
    if from_stdin:
        for path, record in motions_on_stdin(stack, skipped):
            yield _Request(path, record)


def _readable(
    bundle: Any,
    requests: Iterator[_Request],
    read: deque[tuple[_Request, Any]],
    skipped: Skipped,
    show_notes: Callable[[Any], None],
) -> Iterator[Any]:
    """The pieces of every motion, which joins ``read``; what a folder or stdin brings may hold none."""
    from ..files.arrays import load_motions
    from ..inference.caption import pieces_of

    for request in requests:
        try:
            for motion in load_motions(request.path):
                show_notes(motion)
                pieces = pieces_of(bundle, motion)
                read.append((request, motion))
                yield pieces
        except (ValueError, OSError) as error:
            if not request.found and not request.record:
                raise
            skipped.add(error, counts=not request.found)


def _silent(count: int, detail: str) -> None:
    """Nobody knows how many motions stdin brings."""


def _record(bundle: Any, request: _Request, motion: Any, moment: Any, options: Any) -> dict[str, Any]:
    best, decoding = moment.captions[0], options.decoding
    take = motion.source.removeprefix(str(request.path)).removeprefix(":")
    return {
        **request.record,
        "motion": request.record.get("motion", str(request.path)),
        **({"take": take} if take else {}),
        **({"start": moment.start, "end": moment.end} if options.moments else {}),
        "caption": best.text,
        "score": best.score,
        **(
            {"candidates": [{"caption": c.text, "score": c.score} for c in moment.captions]}
            if decoding.candidates > 1
            else {}
        ),
        **({"seed": options.seed} if decoding.nucleus is not None else {}),
        "frames": len(motion.joints),
        "fps": motion.fps,
        "model": bundle.config.name,
    }


def _line(record: dict[str, Any], alone: bool) -> str:
    """For people: file (unless it is the only one), time, score where there are several, caption."""
    take = record.get("take")
    columns = [] if alone and not take else [f"{record['motion']}:{take}" if take else record["motion"]]
    if "start" in record:
        columns.append(f"{record['start']:.1f}-{record['end']:.1f} s")
    if "candidates" not in record:
        return "\t".join([*columns, record["caption"]])
    return "\n".join("\t".join([*columns, f"{c['score']:.3f}", c["caption"]]) for c in record["candidates"])
