"""``lamp caption``: motion files into sentences."""

from __future__ import annotations

import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..inference import BATCH_SIZE
from .common import (
    AsJson,
    DeviceName,
    ModelName,
    UsageError,
    device_option,
    emit,
    motion_notes,
    name_several,
    note,
)
from .inputs import (
    BodyModels,
    JointMap,
    LineFps,
    MotionInput,
    MotionNames,
    Recursive,
    Skipped,
    motion_inputs,
    reading_option,
    stdin_inputs,
    with_parts,
)
from .progress import progress

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..files.reading import Reading
    from ..inference.caption import CaptionOptions, Moment, Piece
    from ..motion.motion import Motion


def caption_command(
    motions: MotionNames = None,
    recursive: Recursive = False,
    moments: Annotated[
        bool, typer.Option("--moments", help="Caption a long take piece by piece, with times.")
    ] = False,
    candidates: Annotated[int, typer.Option(min=1, help="Captions per motion, with scores.")] = 1,
    consensus: Annotated[
        int | None,
        typer.Option(min=0, help="Draw so many captions, keep the one most like all; 0: search."),
    ] = None,
    beams: Annotated[int | None, typer.Option(min=1, help="Search with so many beams instead.")] = None,
    nucleus: Annotated[
        float | None, typer.Option(help="Draw words from this probability mass instead of searching.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of the drawing: 1, with --consensus 0.6.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What every caption begins with.")] = "",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the drawing; without --consensus drawn when not given.")
    ] = None,
    fps: LineFps = None,
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Motions captioned at once.")] = BATCH_SIZE,
    model: ModelName = "lamp-mini",
    device: DeviceName = "auto",
    as_json: AsJson = False,
) -> None:
    """Say in a sentence what each motion shows."""
    names = motions or []
    from_stdin = "-" in names or not names
    if from_stdin and sys.stdin.isatty():
        raise UsageError("no motion; expected motion files, a folder, or file names on stdin")
    reading = reading_option(fps, body_models, joint_map)
    inputs = motion_inputs(names, recursive)

    from ..bundle.bundle import load_bundle
    from ..inference.caption import CaptionOptions, caption_pieces
    from ..model.decoding import DecodingOptions

    decoding = DecodingOptions(beams, candidates, nucleus, temperature, consensus)
    if decoding.draws() and seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")
    options = CaptionOptions(decoding, prompt, moments, seed or 0, batch_size)
    bundle = load_bundle(model, device_option(device), captioner=True)
    alone = len(inputs) == 1 and not inputs[0].found and not from_stdin
    stack, skipped = ExitStack(), Skipped()
    reader = _Reader(bundle, moments, reading, skipped, stack.enter_context(motion_notes()))
    everything = chain(inputs, stdin_inputs(stack, skipped) if from_stdin else ())
    anything = False
    with stack, nullcontext(_silent) if from_stdin else progress(len(inputs), "captioning") as advance:
        for found in caption_pieces(bundle, reader.pieces(everything), options, advance):
            take = reader.read.popleft()
            anything = True
            for moment in found:
                record = _record(bundle, take, moment, options)
                emit(record, _line(record, alone), as_json)
    if reader.long_takes and not moments:
        long = name_several(reader.long_takes)
        note(f"{long}: longer than the model's window; --moments captions it piece by piece")
    if not anything:
        skipped.finish()
        raise UsageError("no motion; expected files that hold one, found none")
    skipped.finish()


@dataclass(frozen=True)
class _Take:
    """A motion that awaits its captions, the file it is from, and its entry within the file."""

    item: MotionInput
    entry: str
    motion: Motion


@dataclass
class _Reader:
    """Reads motions and cuts them into pieces; what a folder or stdin brings may hold none.

    bundle: whose pieces.
    by_parts: whether a motion's parts are its pieces.
    reading: how files are read.
    skipped: where lines of stdin that cannot be read are named.
    show_notes: shows what the reader of a motion assumed.
    read: takes whose pieces were given.
    long_takes: names and durations of those of several pieces.
    """

    bundle: Bundle
    by_parts: bool
    reading: Reading
    skipped: Skipped
    show_notes: Callable[[Motion], None]
    read: deque[_Take] = field(default_factory=deque)
    long_takes: list[str] = field(default_factory=list)

    def pieces(self, inputs: Iterable[MotionInput]) -> Iterator[list[Piece]]:
        """The pieces of every motion in turn."""
        for item in inputs:
            try:
                yield from self._pieces_of_file(item)
            except (ValueError, OSError) as error:
                self.skipped.add_input(item, error)

    def _pieces_of_file(self, item: MotionInput) -> Iterator[list[Piece]]:
        from ..inference.caption import pieces_of
        from ..inference.index.library import parts_beside

        for entry, motion in item.read(self.reading):
            self.show_notes(motion)
            motion = with_parts(motion, item.record)
            if not motion.parts:
                motion = replace(motion, parts=parts_beside(item.path, motion.fps))
            pieces = pieces_of(self.bundle, motion, self.by_parts)
            if len(pieces) > 1:
                self.long_takes.append(f"{motion.source} ({motion.seconds:.0f} s)")
            self.read.append(_Take(item, entry, motion))
            yield pieces


def _silent(count: float, detail: str) -> None:
    """Nobody knows how many motions stdin brings."""


def _record(bundle: Bundle, take: _Take, moment: Moment, options: CaptionOptions) -> dict[str, Any]:
    best, decoding = moment.captions[0], options.decoding
    assert bundle.captioner is not None
    is_drawn = decoding.nucleus is not None or decoding.sampled(bundle.captioner.config.consensus) > 0
    return {
        **take.item.record,
        "motion": take.item.name,
        **({"take": take.entry} if take.entry else {}),
        **({"start": moment.start, "end": moment.end} if options.moments else {}),
        "caption": best.text,
        "score": best.score,
        **(
            {"candidates": [{"caption": c.text, "score": c.score} for c in moment.captions]}
            if decoding.candidates > 1
            else {}
        ),
        **({"seed": options.seed} if is_drawn else {}),
        "frames": len(take.motion),
        "fps": take.motion.fps,
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
