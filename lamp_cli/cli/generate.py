"""``lamp generate``: sentences into motions and videos."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..inference.precision import check_precision
from ..storage import safe_stem, write_array
from .common import (
    Skipped,
    UsageError,
    device_option,
    emit,
    note,
    note_missing_signs,
    progress,
    read_option,
    read_records,
)
from .files import COMPANIONS, OutputFiles, require_writable

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..inference.generate import Prompt
    from ..motion.motion import Motion

NOTES_SHOWN = 5
FORMATS = ("npy", "mp4", "gif", "webp", "png")
# A length behind a sentence as MoMask writes it; NA leaves it to the model.
LENGTH = re.compile(r"(?<=\S)#(\d+|NA)$")


@dataclass(frozen=True)
class _Request:
    """A sentence to generate for.

    text: the sentence.
    record: the line that it came in, whose other keys are passed through.
    frames: its own length in frames, where the line gives one.
    seconds: its own length in seconds, where the line gives one.
    from_stdin: whether it came down a pipe, where a bad line is left out.
    """

    text: str
    record: dict[str, Any]
    frames: int | None = None
    seconds: float | None = None
    from_stdin: bool = False


@dataclass(frozen=True)
class _Remarks:
    """What people should know about a sentence: why its motion is a guess, and what of it was read."""

    familiar: bool | None
    reason: str | None
    truncated_to: str | None


def generate_command(
    prompts: Annotated[list[str] | None, typer.Argument(help="Sentences; - or none reads stdin.")] = None,
    prompt_file: Annotated[
        Path | None, typer.Option("--prompts", help="File of sentences or JSON lines with a text.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Length; predicted when not given.")] = None,
    frames: Annotated[int | None, typer.Option(help="Length in frames; predicted when not given.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Motions per prompt.")] = 1,
    candidates: Annotated[
        int, typer.Option(min=1, max=100, help="Draws per motion; the one nearest to its sentence is kept.")
    ] = 16,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; drawn and printed when not given.")] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0.0, help="Classifier-free guidance scale; the model's own when not given."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100, help="Decoding rounds.")] = 10,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest codes.")] = 1.0,
    precision: Annotated[str, typer.Option(help="fp32; or bf16, faster where the device has it.")] = "fp32",
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    formats: Annotated[str, typer.Option("--format", help="Of npy, mp4, gif, webp, png.")] = "npy,mp4",
    raw: Annotated[bool, typer.Option("--raw", help="Leave feet and bones as they were made.")] = False,
    features: Annotated[bool, typer.Option("--features", help="Also write the frame features.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Generate motions from sentences: a .npy of joints in metres and a video for each."""
    wanted = _formats(formats)
    check_precision(precision)
    skipped = Skipped()
    requests = _requests(prompts or [], prompt_file, skipped)
    if seconds is not None and frames is not None:
        raise UsageError("--seconds and --frames both give the length; expected one of them")
    require_writable(output, "--output")
    if seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")

    from ..bundle.bundle import load_bundle
    from ..inference.generate import GenerateOptions, draws_of, generate
    from ..model.generator import SamplingOptions

    bundle = load_bundle(model, device_option(device))
    if seconds is not None:
        frames = _frames(seconds, bundle.config.fps, "--seconds")
    served = _served(bundle, requests, frames, skipped)
    work = [prompt for _, prompt in served]
    remarks = _remarks(bundle, [prompt.text for prompt in work])
    sampling = SamplingOptions(steps, guidance, temperature)
    options = GenerateOptions(seed, samples, sampling, not raw, candidates, precision)
    if set(wanted) - {"npy"}:
        note_missing_signs(prompt.text for prompt in work)
    outputs = OutputFiles(force)
    together: list[Motion] = []
    with progress(len(work) * samples, "generating") as advance:
        made = zip(draws_of(work, samples), generate(bundle, work, options), strict=True)
        for number, (draw, motion) in enumerate(made):
            request = served[number // samples][0]
            files = _write(motion, wanted, features, output, outputs)
            record = {
                **request.record,
                "text": request.text,
                **files,
                "seed": seed,
                "sample": draw.sample,
                "candidates": candidates,
                "frames": len(motion),
                **({"seconds": motion.seconds} if "seconds" in request.record else {}),
                "fps": motion.fps,
                "model": bundle.config.name,
                **_flags(remarks[request.text]),
            }
            emit(record, "  ".join(files.values()), as_json)
            advance(1, "")
            together.append(motion)
            if len(together) == samples:
                _write_together(together, wanted, output, outputs)
                together = []
    skipped.finish()


def _write(
    motion: Motion, wanted: tuple[str, ...], features: bool, output: Path, outputs: OutputFiles
) -> dict[str, str]:
    """Write one motion's files under one free name; their paths by key."""
    writers: dict[str, Callable[[Path], Any]] = {}
    keys: dict[str, str] = {}
    for kind in wanted:
        writers[f".{kind}"] = motion.save if kind == "npy" else motion.render
        keys[f".{kind}"] = {"npy": "motion", "mp4": "video"}.get(kind, kind)
    if features:
        writers["_features.npy"] = partial(write_array, array=motion.to_features())
        keys["_features.npy"] = "features"
    paths = outputs.write(output, safe_stem(motion.text), writers, COMPANIONS)
    return {keys[suffix]: str(path) for suffix, path in paths.items()}


def _write_together(
    motions: list[Motion], wanted: tuple[str, ...], output: Path, outputs: OutputFiles
) -> None:
    """Several samples of one prompt in one picture, beside the ones of their own."""
    kinds = [kind for kind in wanted if kind != "npy"]
    if len(motions) == 1 or not kinds:
        return
    from ..render.camera import SceneOptions
    from ..render.video import render_motions

    text = motions[0].text
    titles = [f"{number}. {text}" for number in range(1, len(motions) + 1)]
    joints = [motion.joints for motion in motions]
    draw = partial(render_motions, joints, motions[0].fps, titles, options=SceneOptions(320, 320))
    paths = outputs.write(output, f"{safe_stem(text)}_samples", {f".{kind}": draw for kind in kinds})
    for path in paths.values():
        note(f"all samples: {path}")


def _remarks(bundle: Bundle, texts: Sequence[str]) -> dict[str, _Remarks]:
    """Of every sentence whether the model can only guess at it, or reads a part of it; noted on stderr."""
    from ..inference.embed import part_read
    from ..inference.familiarity import unfamiliar_reasons

    if not texts:
        return {}
    distinct = list(dict.fromkeys(texts))
    knows = bundle.training_sentences is not None
    found = {}
    for text, reason in zip(distinct, unfamiliar_reasons(bundle, distinct), strict=True):
        part = part_read(bundle, text)
        found[text] = _Remarks(reason is None if knows else None, reason, None if part == text else part)
    _note_some(
        f"{_short(text)} lies far from what this model was trained on: {remark.reason}; the motion is a guess"
        for text, remark in found.items()
        if remark.reason
    )
    limit = bundle.lamp.config.qformer.text_tokens
    _note_some(
        f"{_short(text)} has more than the {limit} word pieces that this model reads; "
        f"left out: {_short(text[len(remark.truncated_to) :].strip())}"
        for text, remark in found.items()
        if remark.truncated_to is not None
    )
    return found


def _note_some(notes: Iterable[str]) -> None:
    """The first ones, and how many more; every line of the output has its own."""
    every = list(notes)
    for sentence in every[:NOTES_SHOWN]:
        note(sentence)
    if len(every) > NOTES_SHOWN:
        note(f"and {len(every) - NOTES_SHOWN} more sentences like these; each line of the output says which")


def _flags(remarks: _Remarks) -> dict[str, Any]:
    truncated = {} if remarks.truncated_to is None else {"truncated_to": remarks.truncated_to}
    return {"familiar": remarks.familiar, "reason": remarks.reason, **truncated}


def _requests(prompts: list[str], path: Path | None, skipped: Skipped) -> list[_Request]:
    """What the arguments, the file and stdin ask for; bad lines of stdin are left out and named."""
    requests = [_request({"text": text}) for text in prompts if text != "-"]
    from_stdin = "-" in prompts or str(path) == "-" or (path is None and not prompts)
    if path is not None and str(path) != "-":
        requests += [_request(record) for record in read_option(path, "text")]
    if from_stdin:
        if sys.stdin.isatty():
            raise UsageError("no prompt; expected a sentence, --prompts FILE, or sentences on stdin")
        for record in read_records(sys.stdin, "text", "stdin", skipped):
            try:
                requests.append(_request(record, from_stdin=True))
            except UsageError as error:
                skipped.add(error)
    if not requests:
        skipped.finish()
        raise UsageError("no prompt; the input is empty")
    return requests


def _request(record: dict[str, Any], from_stdin: bool = False) -> _Request:
    """The sentence and the length of a record, or of a bare line ``sentence#frames``."""
    text = record["text"]
    frames, seconds = _number(record, "frames"), _number(record, "seconds")
    if frames is not None and frames != int(frames):
        raise UsageError(f"{_short(text)}: expected 'frames' to be a whole number, found {frames:g}")
    if set(record) == {"text"} and (match := LENGTH.search(text)):
        text = text[: match.start()]
        frames = None if match[1] == "NA" else int(match[1])
    elif set(record) == {"text"} and re.match(r"\d+ ", text):
        note(f"{_short(text)}: the number is read as a word; a length is written behind: sentence#frames")
    return _Request(text, record, None if frames is None else int(frames), seconds, from_stdin)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise UsageError(
            f"{_short(record['text'])}: expected {key!r} to be a number above 0, found {value!r}"
        )
    return value


def _served(
    bundle: Bundle, requests: Sequence[_Request], frames: int | None, skipped: Skipped
) -> list[tuple[_Request, Prompt]]:
    """Requests with their prompts; the length of a line goes before that of the options.

    Raises ``UsageError`` for one that the model cannot serve; of stdin it is left out and named.
    """
    from ..inference.generate import Prompt, check_prompt

    served = []
    for request in requests:
        try:
            prompt = Prompt(request.text, _own_frames(request, bundle.config.fps) or frames)
            check_prompt(bundle, prompt)
        except ValueError as error:
            named = UsageError(f"{_short(request.text)}: {error}" if request.text.strip() else str(error))
            if not request.from_stdin:
                raise named from None
            skipped.add(named)
            continue
        served.append((request, prompt))
    if not served:
        skipped.finish()
    return served


def _own_frames(request: _Request, fps: float) -> int | None:
    if request.seconds is None:
        return request.frames
    frames = _frames(request.seconds, fps, "seconds")
    if request.frames not in (None, frames):
        raise UsageError(
            f"{request.frames} frames and {request.seconds:g} s are two lengths at {fps:g} frames per second"
        )
    return frames


def _short(text: str) -> str:
    return repr(shorten(text, 80, placeholder=" ..."))


def _formats(words: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(word.strip().lower() for word in words.split(",") if word.strip()))
    unknown = [word for word in wanted if word not in FORMATS]
    if unknown or not wanted:
        raise UsageError(f"--format {words}: expected some of {', '.join(FORMATS)}")
    return wanted


def _frames(seconds: float, fps: float, name: str) -> int:
    from ..inference.generate import frames_of_seconds

    try:
        return frames_of_seconds(seconds, fps)
    except ValueError:
        raise UsageError(f"{name} {seconds:g}: expected a length above 0") from None
