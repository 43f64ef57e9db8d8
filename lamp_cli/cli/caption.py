"""``lamp caption``: motion files into sentences."""

from __future__ import annotations

import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ..inference import BATCH_SIZE
from .common import (
    Skipped,
    UsageError,
    device_option,
    emit,
    motion_files_of,
    motion_notes,
    motions_on_stdin,
    note,
    progress,
)


@dataclass(frozen=True)
class _Request:
    """A file to caption: named as an argument, ``found`` in a folder, or in a ``record`` of stdin."""

    path: Path
    record: dict[str, Any]
    found: bool = False


def caption_command(
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
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of joint files whose line gives none; else 20.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Motions captioned at once.")] = BATCH_SIZE,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Say in a sentence what each motion shows."""
    names = motions or []
    from_stdin = "-" in names or not names
    if from_stdin and sys.stdin.isatty():
        raise UsageError("no motion; expected motion files, a folder, or file names on stdin")
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError(f"--fps {fps:g}: expected frames per second above 0, up to 1000")
    requests = [request for name in names if name != "-" for request in _named(Path(name), recursive)]
    if nucleus is not None and seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")

    from ..bundle.bundle import load_bundle
    from ..inference.caption import CaptionOptions, caption_pieces
    from ..model.decoding import DecodingOptions

    decoding = DecodingOptions(beams, candidates, nucleus, temperature)
    options = CaptionOptions(decoding, prompt, moments, seed or 0, batch_size)
    bundle = load_bundle(model, device_option(device), captioner=True)
    alone = len(requests) == 1 and not requests[0].found and not from_stdin
    stack, skipped = ExitStack(), Skipped()
    reader = _Reader(bundle, fps, skipped, stack.enter_context(motion_notes()))
    everything = _every(requests, from_stdin, stack, skipped)
    captioned, anything = caption_pieces(bundle, reader.pieces(everything), options), False
    with stack, nullcontext(_silent) if from_stdin else progress(len(requests), "captioning") as advance:
        for found in captioned:
            request, motion = reader.read.popleft()
            anything = True
            for moment in found:
                record = _record(bundle, request, motion, moment, options)
                emit(record, _line(record, alone), as_json)
            advance(1, "")
    if not moments:
        _note_long_takes(reader.long_takes)
    if not anything:
        skipped.finish()
        raise UsageError("no motion; expected files that hold one, found none")
    skipped.finish()


def _named(path: Path, recursive: bool) -> list[_Request]:
    """A file itself; of a folder its motion files."""
    if not path.is_dir():
        return [_Request(path, {})]
    return [_Request(file, {}, found=True) for file in motion_files_of(path, recursive)]


def _every(
    requests: list[_Request], from_stdin: bool, stack: ExitStack, skipped: Skipped
) -> Iterator[_Request]:
    yield from requests
    if from_stdin:
        for path, record in motions_on_stdin(stack, skipped):
            yield _Request(path, record)


@dataclass
class _Reader:
    """Reads motions and cuts them into pieces; what a folder or stdin brings may hold none.

    bundle: whose pieces.
    fps: of joint files, where their line gives none.
    skipped: where lines of stdin that cannot be read are named.
    show_notes: shows what the reader of a motion assumed.
    read: motions whose pieces were given and that await their captions.
    long_takes: names of motions of several pieces.
    """

    bundle: Any
    fps: float | None
    skipped: Skipped
    show_notes: Callable[[Any], None]
    read: deque[tuple[_Request, Any]] = field(default_factory=deque)
    long_takes: list[str] = field(default_factory=list)

    def pieces(self, requests: Iterator[_Request]) -> Iterator[Any]:
        """The pieces of every motion in turn."""
        for request in requests:
            try:
                yield from self._pieces_of_file(request)
            except (ValueError, OSError) as error:
                if request.found:
                    note(f"left out: {error}")
                elif request.record:
                    self.skipped.add(error)
                else:
                    raise

    def _pieces_of_file(self, request: _Request) -> Iterator[Any]:
        from ..files.load import load_motions
        from ..inference.caption import pieces_of

        for motion in load_motions(request.path, _fps(request.record, self.fps)):
            self.show_notes(motion)
            pieces = pieces_of(self.bundle, motion)
            if len(pieces) > 1:
                self.long_takes.append(f"{motion.source} ({motion.seconds:.0f} s)")
            self.read.append((request, motion))
            yield pieces


def _fps(record: dict[str, Any], otherwise: float | None) -> float | None:
    """The rate that a line gives; raises ``UsageError`` for one that is no rate."""
    fps = record.get("fps")
    if fps is None:
        return otherwise
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000:
        raise UsageError(f"{record['motion']}: 'fps' is {fps!r}; expected a number above 0, up to 1000")
    return fps


def _note_long_takes(names: list[str]) -> None:
    if not names:
        return
    several = f" and {len(names) - 1} more" if len(names) > 1 else ""
    note(f"{names[0]}{several}: longer than the model's window; --moments captions it piece by piece")


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
    # A line of `lamp generate` brings a number of this name.
    if not isinstance(record.get("candidates"), list):
        return "\t".join([*columns, record["caption"]])
    return "\n".join("\t".join([*columns, f"{c['score']:.3f}", c["caption"]]) for c in record["candidates"])
