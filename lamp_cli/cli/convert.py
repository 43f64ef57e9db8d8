"""``lamp convert``: motion files into files of another format."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..processes import in_parallel
from ..storage import safe_stem
from .common import AsJson, UsageError, emit, motion_notes, note
from .files import SAVED_FORMATS, OutputFiles, require_place, require_writable
from .inputs import (
    InPlaceOption,
    JointMap,
    LoopOption,
    MotionInput,
    PathOption,
    Recursive,
    Skipped,
    check_fps,
    direction_option,
    motion_inputs,
    reading_option,
    stdin_inputs,
)

if TYPE_CHECKING:
    from ..files.reading import Reading
    from ..inference.direct import Direction
    from ..motion.motion import Motion

    # The entry within its file, the motion as it is written, and what was done to it.
    _Take = tuple[str, Motion, dict[str, Any]]


@dataclass(frozen=True)
class _Target:
    """What is written and where.

    kind: the format.
    file: the one file to write, None to write into ``folder`` under the names of the motions.
    folder: see ``file``.
    fps: its rate, None for the motion's own.
    scale: its unit.
    clean: whether the motion is cleaned up.
    direction: what else becomes of it.
    body_models: folder of SMPL body models, one of which SMPL poses are fitted to.
    """

    kind: str
    file: Path | None
    folder: Path
    fps: float | None
    scale: str
    clean: bool
    direction: Direction
    body_models: Path | None

    def converted(self, motion: Motion) -> tuple[Motion, dict[str, Any]]:
        """The motion as it is written, with a note where its rate changes unasked; and what was done."""
        from ..inference.direct import directed
        from ..motion.clean_up import clean_up_recording

        fps, notes = self.fps or motion.fps, motion.notes
        if self.kind == "npy" and self.fps is None and motion.fps != motion.skeleton.fps:
            fps = motion.skeleton.fps
            notes = (
                *notes,
                f"resampled to {fps:g} frames per second, because .npy keeps no rate (--output-fps)",
            )
        if self.clean:
            motion = motion.at_rate(motion.skeleton.fps)
            joints = clean_up_recording(motion.joints, motion.skeleton)
            motion = replace(motion, joints=joints, features=None, poses=None)
        try:
            motion, done = directed(motion, self.direction)
        except ValueError as error:
            raise ValueError(f"{motion.source}: {error}") from None
        return replace(motion.at_rate(fps), notes=notes), done


@dataclass(frozen=True)
class _Job:
    """A file to convert, how it is read, and what it becomes."""

    item: MotionInput
    reading: Reading
    target: _Target


def convert_command(
    motions: Annotated[
        list[str] | None,
        typer.Argument(help="IN and OUT; or with --format any files or folders, - or none reads stdin."),
    ] = None,
    recursive: Recursive = False,
    kind: Annotated[
        str | None, typer.Option("--format", help="npy, bvh, glb, or npz: SMPL poses as AMASS has them.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to write to, with --format.")] = Path("."),
    fps: Annotated[float | None, typer.Option(help="Frames per second of joint files; else 20.")] = None,
    body_models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of SMPL body models (.npz): the person's own body of SMPL poses, and the one that "
            "written .npz files are fitted to."
        ),
    ] = None,
    joint_map: JointMap = None,
    output_fps: Annotated[
        float | None,
        typer.Option(help="Resample to this; else as it is, and 20 in .npy, which keeps no rate."),
    ] = None,
    scale: Annotated[Literal["cm", "m"], typer.Option(help="Unit of .bvh files.")] = "cm",
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Hold resting feet, let sliding ones step, as in generated motions."),
    ] = False,
    path: PathOption = None,
    is_loop: LoopOption = False,
    in_place: InPlaceOption = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that read and convert files.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Convert motion files: joints, BVH and SMPL poses, each into each."""
    reading = reading_option(fps, body_models, joint_map)
    check_fps(output_fps, "--output-fps")
    direction = direction_option(path, is_loop, in_place)
    names, place = motions or [], None
    if kind is None:
        if len(names) != 2:
            raise UsageError("expected IN and OUT, or --format and any number of motions")
        place = Path(names[1])
        require_place(place, "OUT", SAVED_FORMATS)
        names, kind = names[:1], place.suffix.lower().removeprefix(".")
    elif kind not in SAVED_FORMATS:
        raise UsageError(f"--format {kind}: expected one of {', '.join(SAVED_FORMATS)}")
    require_writable(output, "--output")
    from_stdin = "-" in names or not names
    if from_stdin and sys.stdin.isatty():
        raise UsageError("no motion; expected motion files, a folder, or file names on stdin")
    target = _Target(kind, place, output, output_fps, scale, clean, direction, body_models)
    inputs, outputs = motion_inputs(names, recursive), OutputFiles(force)
    skipped, written = Skipped(), 0
    with ExitStack() as stack:
        show_notes = stack.enter_context(motion_notes())
        jobs = [_Job(item, reading, target) for item in inputs]
        piped = (_Job(item, reading, target) for item in stdin_inputs(stack, skipped)) if from_stdin else ()
        for job, takes in chain(_in_parallel(jobs, workers), ((job, _converted(job)) for job in piped)):
            try:
                for take, motion, done in takes if place is None else _only(job.item, list(takes)):
                    written_to, known = _write(motion, job.item, take, target, outputs)
                    show_notes(motion)
                    record = {**job.item.record, "source": job.item.name, **({"take": take} if take else {})}
                    record |= {
                        "motion": str(written_to),
                        "frames": len(motion),
                        "fps": motion.fps,
                        **done,
                        **known,
                    }
                    emit(record, str(written_to), as_json)
                    written += 1
            except (ValueError, OSError) as error:
                skipped.add_input(job.item, error)
    if written and kind == "npz" and body_models is None:
        note(
            "SMPL poses move a neutral body: for other programs the lengths of bones are lost, "
            "and the twist of hands and feet"
        )
    skipped.finish()
    if not written:
        raise UsageError("no motion; the input is empty")


def _converted(job: _Job) -> Iterator[_Take]:
    """Every motion of a file as it is written; raises as :meth:`MotionInput.read`."""
    for take, motion in job.item.read(job.reading):
        yield take, *job.target.converted(motion)


def _in_parallel(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[_Job, Iterator[_Take]]]:
    """Every job with its motions; of several workers they come whole files at a time, errors last."""
    if workers == 1:
        yield from ((job, _converted(job)) for job in jobs)
        return
    results = in_parallel(_converted_or_error, jobs, workers, jobs_at_once=4)
    yield from ((job, _raising(takes)) for job, takes in zip(jobs, results, strict=True))


def _converted_or_error(job: _Job) -> list[_Take | Exception]:
    found: list[_Take | Exception] = []
    try:
        found += _converted(job)
    except (ValueError, OSError) as error:
        found.append(error)
    return found


def _raising(takes: Sequence[_Take | Exception]) -> Iterator[_Take]:
    for take in takes:
        if isinstance(take, Exception):
            raise take
        yield take


def _only(item: MotionInput, takes: Sequence[_Take]) -> Sequence[_Take]:
    if len(takes) != 1:
        raise UsageError(f"{item.name}: holds {len(takes)} motions; expected one, or --format and --output")
    return takes


def _write(
    motion: Motion, item: MotionInput, take: str, target: _Target, outputs: OutputFiles
) -> tuple[Path, dict[str, float]]:
    """Where the motion was written, and how far a fitted body's joints are from its own."""
    known: dict[str, float] = {}
    if target.kind == "npz" and target.body_models is not None:
        writer: Callable[[Path], Any] = partial(_write_fitted, motion, target.body_models, item.name, known)
    else:
        writer = partial(motion.save, scale=target.scale)
    if target.file is not None:
        return outputs.write_one(target.file, writer), known
    stem, suffix = item.path.stem, f".{target.kind}"
    name = safe_stem(f"{stem}_{take}") if take else stem
    return outputs.write(target.folder, name, {suffix: writer})[suffix], known


def _write_fitted(motion: Motion, body_models: Path, name: str, known: dict[str, float], path: Path) -> None:
    from ..files.smpl import save_poses

    fit = save_poses(path, motion, body_models)
    assert fit is not None
    before, after = 1000 * fit.error_before, 1000 * fit.error
    note(f"{name}: the body model's joints are {after:.1f} mm from the motion's, {before:.1f} mm unfitted")
    known |= {"unfitted_mm": round(before, 2), "fitted_mm": round(after, 2)}
