"""``lamp edit``: a span of a motion drawn anew, and motions that go on before and after."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..inference.precision import check_precision
from ..storage import safe_stem
from .common import (
    AsJson,
    DeviceName,
    ModelName,
    UsageError,
    device_option,
    emit,
    motion_notes,
    note,
    note_missing_signs,
    note_remarks,
)
from .files import COMPANIONS, PICTURE_FORMATS, SAVED_FORMATS, OutputFiles, formats_option, require_writable
from .inputs import (
    BodyModels,
    JointMap,
    LineFps,
    MotionInput,
    Recursive,
    Skipped,
    motion_inputs,
    reading_option,
    stdin_inputs,
)

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..files.reading import Reading
    from ..inference.edit import EditOptions, SpanOptions
    from ..motion.gap import Gap
    from ..motion.motion import Motion

FORMATS = (*SAVED_FORMATS, *PICTURE_FORMATS, "html")


def edit_command(
    motion: Annotated[
        str,
        typer.Argument(help="Motion file or a folder of them; - reads a motion or names from stdin."),
    ],
    text: Annotated[
        str, typer.Argument(help="What happens in the span; without it, it leads from one side to the other.")
    ] = "",
    between: Annotated[
        tuple[float, float] | None, typer.Option(help="Draw the span between two times anew, in seconds.")
    ] = None,
    before: Annotated[float | None, typer.Option(help="Draw so many seconds before the motion.")] = None,
    after: Annotated[float | None, typer.Option(help="Draw so many seconds after the motion.")] = None,
    keep: Annotated[
        str,
        typer.Option(help="Keep the poses at times as 0,1.5,3.2 and draw the rest, or that of --between."),
    ] = "",
    length: Annotated[
        float | None, typer.Option(help="Seconds that are drawn in place of the span; else its own.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Results per motion.")] = 1,
    candidates: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Draws, of which the one is kept that does most of the sentence, by lamp check, and fits it "
            "and both sides best; the model's own number when not given, 16 for lamp-mini.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; drawn and printed when not given.")] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0.0, help="Classifier-free guidance scale; else the model's own.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100, help="Decoding rounds.")] = 10,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest codes.")] = 1.0,
    top_fraction: Annotated[
        float, typer.Option(max=1.0, help="Share of the codes, the likeliest, that is drawn from (top-k).")
    ] = 0.1,
    precision: Annotated[str, typer.Option(help="fp32; or bf16, faster where the device has it.")] = "fp32",
    recursive: Recursive = False,
    fps: LineFps = None,
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    model: ModelName = "lamp-mini",
    device: DeviceName = "auto",
    formats: Annotated[
        str, typer.Option("--format", help="Of npy, bvh, npz, glb, mp4, gif, webp, png, html.")
    ] = "npy,mp4",
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a span of a motion anew, or what comes before or after it; all other frames stay as they are."""
    wanted = formats_option(formats, FORMATS)
    check_precision(precision)
    require_writable(output, "--output")
    reading, skipped, outputs = reading_option(fps, body_models, joint_map), Skipped(), OutputFiles(force)
    if motion == "-" and sys.stdin.isatty():
        raise UsageError("no motion; expected a motion file, a folder, or file names on stdin")
    inputs = motion_inputs([motion], recursive)

    from ..bundle.bundle import load_bundle
    from ..inference.edit import EditOptions, SpanOptions
    from ..inference.familiarity import remarks_on
    from ..model.sampling import SamplingOptions

    span = SpanOptions(between, before, after, _times(keep), length)
    bundle = load_bundle(model, device_option(device))
    if seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")
    sampling = SamplingOptions(steps, guidance, temperature, top_fraction)
    options = EditOptions(seed, samples, sampling, candidates, precision)
    remarks = remarks_on(bundle, [text] if text.strip() else [], generating=True)
    note_remarks(remarks, "the span is")
    if {*wanted} & {*PICTURE_FORMATS}:
        note_missing_signs([text])
    written = 0
    with ExitStack() as stack:
        work = _Work(bundle, span, text, options, stack.enter_context(motion_notes()))
        piped = stdin_inputs(stack, skipped) if motion == "-" else ()
        for item in chain(inputs, piped):
            try:
                for take, gap, motion_of_file, made in work.edits(item, reading):
                    result = _Result(item, reading, motion_of_file, made, gap)
                    files = result.write(take, wanted, output, outputs)
                    record = {
                        **_record(item, take, gap, made, files),
                        "seams": _seams(item, gap, motion_of_file, made),
                        "seed": seed,
                        "model": bundle.config.name,
                    }
                    record |= next((remark.record() for remark in remarks.values()), {})
                    emit(record, "  ".join(files.values()), as_json)
                    written += 1
            except (ValueError, OSError) as error:
                skipped.add_input(item, error)
    skipped.finish()
    if not written:
        raise UsageError("no motion; the input is empty")


@dataclass(frozen=True)
class _Work:
    """What becomes of every motion; ``show`` says what reading it assumed."""

    bundle: Bundle
    span: SpanOptions
    text: str
    options: EditOptions
    show: Callable[[Motion], None]

    def edits(self, item: MotionInput, reading: Reading) -> Iterator[tuple[str, Gap, Motion, Motion]]:
        """Every motion of a file, as often as samples are asked for: entry, what is drawn, it, its result.

        Raises as :meth:`MotionInput.read`, and ``ValueError`` naming the file for a span that it does not
        have.
        """
        from ..inference.edit import edit

        for take, motion in item.read(reading):
            self.show(motion)
            try:
                gap = self.span.gap_of(motion)
                yield from (
                    (take, gap, motion, made)
                    for made in edit(self.bundle, motion, gap, self.text, self.options)
                )
            except ValueError as error:
                raise ValueError(f"{motion.source}: {error}") from None


def _record(item: MotionInput, take: str, gap: Gap, made: Motion, files: dict[str, str]) -> dict[str, Any]:
    """The line of a result: ``source`` is the file it was made of, ``span`` what was drawn in it."""
    span = {"start": gap.start / made.fps, "end": gap.stop / made.fps, "first_frame": gap.start}
    return {
        **item.record,
        "text": made.text,
        **files,
        "source": item.name,
        **({"take": take} if take else {}),
        "span": {**span, "frames": gap.frames, **({"kept": list(gap.kept)} if gap.kept else {})},
        "candidates": made.candidates,
        "frames": len(made),
        "fps": made.fps,
    }


def _seams(item: MotionInput, gap: Gap, motion: Motion, made: Motion) -> dict[str, Any]:
    """Of the line of a result: how many seams there are, how many within their bounds, and the worst of them.

    Says so on stderr where one is out of them: poses may be too far from each other for the frames between.
    """
    from ..motion.seam_bounds import SeamBounds, seam_figures

    bounds = SeamBounds.of(motion.joints, motion.fps)
    found = seam_figures(made.joints, gap.seams(len(made)), bounds, made.fps)
    jump, push = (float(each.max(initial=0.0)) for each in (found.jumps, found.pushes))
    out = int((~found.within).sum())
    if out:
        note(
            f"{item.name}: {out} of {len(found.within)} seams cannot be met smoothly: joints jump up to "
            f"{100 * jump:.2g} cm (bound {100 * bounds.jump:g}), pushed with up to {push:.3g} m/s² "
            f"(bound {bounds.push:.3g}); a longer span has more room"
        )
    return {
        "count": len(found.within),
        "within": len(found.within) - out,
        "jump": jump,
        "acceleration": push,
        "acceleration_bound": bounds.push if bounds.push < inf else None,
    }


@dataclass(frozen=True)
class _Result:
    """An edit and the file that it is of."""

    item: MotionInput
    reading: Reading
    original: Motion
    made: Motion
    gap: Gap

    def write(self, take: str, wanted: Sequence[str], output: Path, outputs: OutputFiles) -> dict[str, str]:
        """Write the result's files under one free name; their paths by key."""
        writers: dict[str, Callable[[Path], object]] = {
            f".{kind}": self.made.save if kind in SAVED_FORMATS else self.made.render for kind in wanted
        }
        if "bvh" in wanted and self.item.path.suffix.lower() == ".bvh" and self.item.path.is_file():
            writers[".bvh"] = self._save_bvh
        # What the next command of a pipe reads.
        main = min((kind for kind in wanted if kind in SAVED_FORMATS), key=SAVED_FORMATS.index, default="")
        keys = {f".{kind}": {main: "motion", "mp4": "video"}.get(kind, kind) for kind in wanted}
        stem = safe_stem("_".join(part for part in (self.item.path.stem, take, "edited") if part))
        paths = outputs.write(output, stem, writers, (*COMPANIONS, ".html"))
        return {keys[suffix]: str(path) for suffix, path in paths.items()}

    def _save_bvh(self, path: Path) -> None:
        """On the file's own skeleton, whose kept frames stay as they are; else on ours, which is said."""
        from ..files.edited_bvh import UnfitSkeletonError, save_edited_bvh

        try:
            save_edited_bvh(path, self.item.path, self.reading, self.original, self.made, self.gap)
        except UnfitSkeletonError as error:
            note(f"{self.item.name}: {error}; written on the skeleton that lamp convert writes")
            self.made.save(path)


def _times(listed: str) -> tuple[float, ...]:
    """The numbers of ``--keep``; raises ``UsageError`` for something else."""
    try:
        return tuple(float(time) for time in listed.split(",") if time.strip())
    except ValueError:
        raise UsageError(
            f"--keep {listed}: expected times in seconds with commas between, as 0,1.5,3.2"
        ) from None
