"""``lamp render``: motion files into videos, pictures or a page to look around in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..storage import safe_stem
from .common import AsJson, UsageError, emit, motion_notes, note, note_missing_signs
from .files import PICTURE_FORMATS, OutputFiles, formats_option, require_place, require_writable
from .inputs import (
    JointMap,
    MotionInput,
    MotionNames,
    Recursive,
    Skipped,
    motion_inputs,
    reading_option,
    stdin_inputs,
)
from .progress import frames_of, progress

if TYPE_CHECKING:
    from ..files.reading import Reading
    from ..motion.motion import Motion
    from ..motion.surface import Surface


@dataclass(frozen=True)
class _Shown:
    """A motion to draw: its record, its name for files, and its title."""

    record: dict[str, Any]
    name: str
    title: str
    motion: Motion


@dataclass(frozen=True)
class _Drawing:
    """How motions are drawn: ``SceneOptions``, and the folder of the body models that are drawn as bodies."""

    options: Any
    body_models: Path | None

    def meshes(self, motions: Sequence[Motion]) -> list[Surface]:
        """The bodies of motions; none where solid limbs or lines are drawn."""
        from ..files.body_model import body_surface

        if self.body_models is None or self.options.style != "body":
            return []
        return [body_surface(motion, self.body_models) for motion in motions]


def render_command(
    motions: MotionNames = None,
    recursive: Recursive = False,
    output: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("."),
    formats: Annotated[str, typer.Option("--format", help="Some of mp4, gif, webp, png.")] = "mp4",
    together: Annotated[
        Path | None, typer.Option(help="One video of all motions side by side; its suffix is the format.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="One page (.html), without network, to play and turn motions in.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Instead of the sentence or the file's name.")] = None,
    size: Annotated[int, typer.Option(min=64, max=2160, help="Height and width of a motion, pixels.")] = 480,
    fps: Annotated[float | None, typer.Option(help="Frames per second of joint files; else 20.")] = None,
    body_models: Annotated[
        Path | None,
        typer.Option(help="Folder of SMPL body models (.npz), of which one is drawn as the body."),
    ] = None,
    joint_map: JointMap = None,
    style: Annotated[Literal["body", "skeleton"], typer.Option(help="Solid limbs or thin lines.")] = "body",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw motions: a video each, or all of them in one video or on one page."""
    wanted = formats_option(formats, PICTURE_FORMATS)
    reading = reading_option(fps, body_models, joint_map)
    if together is None and html is None:
        require_writable(output, "--output")
    require_place(together, "--together")
    require_place(html, "--html", ("html", "htm"))
    names = motions or []
    from_stdin = "-" in names or not names
    if from_stdin and sys.stdin.isatty():
        raise UsageError("no motion; expected motion files, a folder, or file names on stdin")

    from ..render.camera import SceneOptions

    inputs = motion_inputs(names, recursive)
    drawing = _Drawing(SceneOptions(size, size, style=style), body_models)
    outputs, skipped = OutputFiles(force), Skipped()
    with ExitStack() as stack:
        every = chain(inputs, stdin_inputs(stack, skipped) if from_stdin else ())
        shown = _shown(every, title, reading, skipped, stack.enter_context(motion_notes()))
        if together is None and html is None:
            total = None if from_stdin else len(inputs)
            _each(shown, wanted, output, drawing, outputs, total, as_json)
        else:
            _at_once(list(shown), {"video": together, "html": html}, drawing, outputs, as_json)
    skipped.finish()


def _at_once(
    every: list[_Shown],
    places: dict[str, Path | None],
    drawing: _Drawing,
    outputs: OutputFiles,
    as_json: bool,
) -> None:
    """All motions in one file for each of ``places``, by the key of the output line."""
    if not every:
        raise UsageError("no motion; the input is empty")
    for key, path in places.items():
        if path is not None:
            written = outputs.write_one(path, partial(_all, every, key, drawing))
            emit({"motion": [s.record["motion"] for s in every], key: str(written)}, str(written), as_json)


def _shown(
    inputs: Iterable[MotionInput],
    title: str | None,
    reading: Reading,
    skipped: Skipped,
    show_notes: Callable[[Motion], None],
) -> Iterator[_Shown]:
    """Every motion of the inputs; a file that cannot be read is an error only where it was named itself."""
    for item in inputs:
        try:
            for take, motion in item.read(reading):
                show_notes(motion)
                yield _with_names(item, take, motion, title)
        except (ValueError, OSError) as error:
            skipped.add_input(item, error)


def _with_names(item: MotionInput, take: str, motion: Motion, title: str | None) -> _Shown:
    from ..inference.index.library import caption_beside

    path, record = item.path, item.record
    sentence = record.get("text") or record.get("caption") or caption_beside(path)
    name = safe_stem(f"{path.stem}_{take}") if take else path.stem
    shown = title if title is not None else str(sentence or (take or path.stem).replace("_", " "))
    record = {"motion": item.name, **record, **({"take": take} if take else {})}
    return _Shown(record, name, shown, motion)


def _each(
    shown: Iterator[_Shown],
    wanted: tuple[str, ...],
    output: Path,
    drawing: _Drawing,
    outputs: OutputFiles,
    total: int | None,
    as_json: bool,
) -> None:
    from ..render.video import render_motions

    titles: set[str] = set()
    with progress((total or 1) * len(wanted), "rendering") as advance:
        for item in shown:
            if item.title not in titles:
                note_missing_signs([item.title])
                titles.add(item.title)
            motion = item.motion
            drawn = [motion.joints], motion.fps, [item.title]
            meshes = drawing.meshes([motion])
            draw = partial(render_motions, *drawn, options=drawing.options, surfaces=meshes)
            shows = [frames_of(advance) if total else None for _ in wanted]
            writers = {f".{k}": partial(draw, report=show) for k, show in zip(wanted, shows, strict=True)}
            paths = outputs.write(output, item.name, writers)
            files = {"video" if kind == "mp4" else kind: str(paths[f".{kind}"]) for kind in wanted}
            record = {**item.record, **files, "frames": len(motion), "fps": motion.fps}
            emit(record, "  ".join(files.values()), as_json)
    if not titles:
        raise UsageError("no motion; the input is empty")


def _all(every: list[_Shown], key: str, drawing: _Drawing, path: Path) -> None:
    from ..render.video import render_motions
    from ..render.viewer import write_viewer

    motions = [s.motion for s in every]
    rate = motions[0].fps
    if any(motion.fps != rate for motion in motions):
        note(f"motions of several frame rates are shown at {rate:g} frames per second")
    motions = [motion.at_rate(rate) for motion in motions]
    joints = [motion.joints for motion in motions]
    titles = [s.title for s in every]
    if key == "html":
        write_viewer(joints, rate, titles, path, drawing.meshes(motions))
    else:
        note_missing_signs(titles)
        with progress(1, "rendering") as advance:
            meshes = drawing.meshes(motions)
            render_motions(joints, rate, titles, path, drawing.options, meshes, frames_of(advance))
