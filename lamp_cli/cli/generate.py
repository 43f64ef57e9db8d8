"""``lamp generate``: sentences into motions and videos."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..inference.known_words import quoted
from ..inference.precision import check_precision
from ..storage import safe_stem, write_array, write_text
from .common import (
    AsJson,
    DeviceName,
    ModelName,
    UsageError,
    clause_records,
    device_option,
    emit,
    note,
    note_missing_signs,
    note_remarks,
)
from .files import COMPANIONS, PICTURE_FORMATS, SAVED_FORMATS, OutputFiles, formats_option, require_writable
from .inputs import (
    InPlaceOption,
    LoopOption,
    PathOption,
    Skipped,
    direction_option,
    read_option,
    read_records,
    readable,
    stdin_lines,
)
from .progress import progress

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..data.timeline import Interval
    from ..inference.generate import Draw, GenerateOptions, Prompt
    from ..motion.motion import Motion

FORMATS = (*SAVED_FORMATS, *PICTURE_FORMATS)
# A length behind a sentence as MoMask writes it; NA leaves it to the model.
LENGTH = re.compile(r"(?<=\S)#(\d+|NA)$")
# How a bare line begins that is a JSON list of parts; "[slowly] he walks" is a sentence.
BEGINS_LIST = re.compile(r"\[\s*[\"{\]]")


@dataclass(frozen=True)
class _Request:
    """A sentence to generate for.

    text: the sentence.
    record: the line that it came in, whose other keys are passed through.
    frames: its own length in frames, where the line gives one.
    seconds: its own length in seconds, where the line gives one.
    from_stdin: whether it came down a pipe, where a bad line is left out.
    then: what follows in the same motion.
    timeline: what is done when, in place of the sentence.
    """

    text: str
    record: dict[str, Any]
    frames: int | None = None
    seconds: float | None = None
    from_stdin: bool = False
    then: tuple[_Request, ...] = ()
    timeline: tuple[Interval, ...] = ()


def generate_command(
    prompts: Annotated[list[str] | None, typer.Argument(help="Sentences; - or none reads stdin.")] = None,
    then: Annotated[
        list[str] | None, typer.Option("--then", help="What follows in the same motion; may be repeated.")
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(
            "--prompts", help="File of sentences, JSON lines with a text, or JSON lists of a motion's parts."
        ),
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option(
            help="File of lines text # start # end in seconds; an empty line begins another motion."
        ),
    ] = None,
    seconds: Annotated[
        list[float] | None,
        typer.Option(help="Length; predicted when not given. Once, or once for every part."),
    ] = None,
    frames: Annotated[
        list[int] | None, typer.Option(help="Length in frames; predicted when not given. As --seconds.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Motions per prompt.")] = 1,
    candidates: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Draws per motion, of which the one is kept that does most of its sentence, by lamp check, "
            "and is nearest to it; the model's own number when not given, 16 for lamp-mini. Where none does "
            "all, as many again, in plainer words or one action at a time: 'drawn' says how many.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; drawn and printed when not given.")] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Classifier-free guidance scale s, the paper's alpha plus one; else the model's own.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=100, help="Decoding rounds.")] = 10,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest codes.")] = 1.0,
    top_fraction: Annotated[
        float, typer.Option(max=1.0, help="Share of the codes, the likeliest, that is drawn from (top-k).")
    ] = 0.1,
    precision: Annotated[str, typer.Option(help="fp32; or bf16, faster where the device has it.")] = "fp32",
    model: ModelName = "lamp-mini",
    device: DeviceName = "auto",
    formats: Annotated[
        str, typer.Option("--format", help="Of npy, bvh, npz, glb, mp4, gif, webp, png.")
    ] = "npy,mp4",
    path: PathOption = None,
    is_loop: LoopOption = False,
    in_place: InPlaceOption = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Draw again until the joints do what the sentence says, as lamp check."),
    ] = False,
    draws: Annotated[
        int | None, typer.Option(min=1, max=100, help="Most draws per motion with --check; 8 when not given.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Leave feet and bones as they were made.")] = False,
    features: Annotated[bool, typer.Option("--features", help="Also write the frame features.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Generate motions from sentences: a .npy of joints in metres and a video for each."""
    wanted = formats_option(formats, FORMATS)
    check_precision(precision)
    skipped = Skipped()
    if seconds and frames:
        raise UsageError("--seconds and --frames both give the length; expected one of them")
    if timeline is not None:
        beside: dict[str, Any] = {"sentences": prompts, "--prompts": prompt_file, "--then": then}
        beside |= {"--seconds": seconds, "--frames": frames}
        if given := next((name for name, value in beside.items() if value), None):
            raise UsageError(f"--timeline says what is done when; {given} beside it: expected one of them")
        requests = _timeline_requests(timeline)
    else:
        requests = _requests(prompts or [], prompt_file, skipped, then or [])
    direction = direction_option(path, is_loop, in_place)
    if direction.changes and features:
        raise UsageError("--features: those of the network are no longer those of a motion that is changed")
    if draws is not None and not check:
        raise UsageError("--draws: belongs to --check")
    if check and direction.changes:
        raise UsageError("--check: judges a motion as it is made; expected no --path, --loop or --in-place")
    require_writable(output, "--output")

    from ..bundle.bundle import load_bundle
    from ..inference.direct import directed
    from ..inference.familiarity import remarks_on
    from ..inference.generate import GenerateOptions
    from ..model.sampling import SamplingOptions

    bundle = load_bundle(model, device_option(device))
    lengths = [_frames(each, bundle.config.fps, "--seconds") for each in seconds or []] or frames or []
    served = _served(bundle, requests, lengths, skipped)
    work = [prompt for _, prompt in served]
    if seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")
    remarks = remarks_on(bundle, [part.text for prompt in work for part in prompt.parts], generating=True)
    note_remarks(remarks, "the motion is")
    sampling = SamplingOptions(steps, guidance, temperature, top_fraction)
    options = GenerateOptions(seed, samples, sampling, candidates, precision, clean_up=not raw)
    options = options.for_generator(bundle.config.model.generator)
    if set(wanted) & set(PICTURE_FORMATS):
        note_missing_signs(prompt.sentence for prompt in work)
    outputs = OutputFiles(force)
    together: list[Motion] = []
    with progress(len(work) * samples, "generating") as advance:
        made = _checked(bundle, work, options, draws) if check else _drawn(bundle, work, options)
        for number, (draw, motion, verdict) in enumerate(made):
            request, prompt = served[number // samples]
            together = together if number % samples else []
            advance(1, "")
            try:
                motion, done = directed(motion, direction)
            except ValueError as error:
                skipped.add(UsageError(f"{quoted(motion.text)}: {error}"))
                continue
            files = _write(motion, wanted, features, output, outputs, is_loop)
            said = [remarks[part.text] for part in prompt.parts]
            record = {
                **request.record,
                "text": motion.text,
                **files,
                "seed": seed,
                "sample": draw.sample,
                "candidates": options.candidates,
                "drawn": motion.candidates,
                "frames": len(motion),
                **({"seconds": motion.seconds} if "seconds" in request.record else {}),
                "fps": motion.fps,
                "model": bundle.config.name,
                **done,
                **_parts_record(motion),
                **verdict,
                **next((r for r in said if r.reason is not None), said[0]).record(),
            }
            emit(record, "  ".join(files.values()), as_json)
            together.append(motion)
            if len(together) == samples:
                _write_together(together, wanted, output, outputs, is_loop)
    skipped.finish()


def _drawn(
    bundle: Bundle, prompts: Sequence[Prompt], options: GenerateOptions
) -> Iterator[tuple[Draw, Motion, dict[str, Any]]]:
    """Every motion with its draw; nobody asks for a verdict."""
    from ..inference.generate import draws_of, generate

    for draw, motion in zip(
        draws_of(prompts, options.samples), generate(bundle, prompts, options), strict=True
    ):
        yield draw, motion, {}


def _checked(
    bundle: Bundle, prompts: Sequence[Prompt], options: GenerateOptions, most: int | None
) -> Iterator[tuple[Draw, Motion, dict[str, Any]]]:
    """Every motion with the draw that was kept and the verdict's keys, which are also told on stderr."""
    from ..scoring.checked_generation import MOST_DRAWS, generate_checked

    for kept in generate_checked(bundle, prompts, options, most or MOST_DRAWS):
        note(kept.sentence)
        record = {"verdict": kept.checked.verdict, "draws": kept.draws}
        yield kept.draw, kept.motion, {**record, "clauses": clause_records(kept.checked.clauses)}


def _parts_record(motion: Motion) -> dict[str, Any]:
    """Which frames belong to which sentence, by number and in seconds; nothing for one sentence."""
    parts = [
        {
            "text": part.text,
            "start": part.start / motion.fps,
            "end": part.end / motion.fps,
            "first_frame": part.start,
            "frames": part.end - part.start,
        }
        for part in motion.parts
    ]
    return {"parts": parts} if parts else {}


def _write(
    motion: Motion,
    wanted: tuple[str, ...],
    features: bool,
    output: Path,
    outputs: OutputFiles,
    is_loop: bool,
) -> dict[str, str]:
    """Write one motion's files under one free name; their paths by key. Pictures show a loop twice.

    Beside a motion of several parts lies a ``.txt`` of its sentences with their times, as HumanML3D has them.
    """
    from ..data.captions import Caption, format_captions
    from ..inference.direct import twice

    shown = twice(motion) if is_loop else motion
    writers: dict[str, Callable[[Path], Any]] = {}
    keys: dict[str, str] = {}
    # What the next command of a pipe reads.
    main = min((kind for kind in wanted if kind in SAVED_FORMATS), key=SAVED_FORMATS.index, default="")
    for kind in wanted:
        writers[f".{kind}"] = motion.save if kind in SAVED_FORMATS else shown.render
        keys[f".{kind}"] = {main: "motion", "mp4": "video"}.get(kind, kind)
    if features:
        writers["_features.npy"] = partial(write_array, array=motion.to_features())
        keys["_features.npy"] = "features"
    if motion.parts:
        captions = [Caption(p.text, (), p.start / motion.fps, p.end / motion.fps) for p in motion.parts]
        writers[".txt"] = partial(write_text, text=format_captions(captions))
        keys[".txt"] = "texts"
    paths = outputs.write(output, safe_stem(motion.text), writers, COMPANIONS)
    return {keys[suffix]: str(path) for suffix, path in paths.items()}


def _write_together(
    motions: list[Motion], wanted: tuple[str, ...], output: Path, outputs: OutputFiles, is_loop: bool
) -> None:
    """Several samples of one prompt in one picture, beside the ones of their own."""
    kinds = [kind for kind in wanted if kind in PICTURE_FORMATS]
    if len(motions) == 1 or not kinds:
        return
    from ..inference.direct import twice
    from ..render.camera import SceneOptions
    from ..render.video import render_motions

    text = motions[0].text
    titles = [f"{number}. {text}" for number in range(1, len(motions) + 1)]
    joints = [(twice(motion) if is_loop else motion).joints for motion in motions]
    draw = partial(render_motions, joints, motions[0].fps, titles, options=SceneOptions(320, 320))
    paths = outputs.write(output, f"{safe_stem(text)}_samples", {f".{kind}": draw for kind in kinds})
    for path in paths.values():
        note(f"all samples: {path}")


def _requests(
    prompts: list[str], path: Path | None, skipped: Skipped, then: Sequence[str] = ()
) -> list[_Request]:
    """What the arguments, the file and stdin ask for; bad lines of stdin are left out and named.

    ``then`` are sentences that follow the one of the arguments.
    """
    if then:
        if len(prompts) != 1 or prompts == ["-"] or path is not None:
            raise UsageError(
                "--then goes on from one sentence: expected one before it, and no --prompts; "
                "in a file or on stdin a JSON list of sentences is one motion"
            )
        return [replace(_request({"text": prompts[0]}), then=tuple(_request({"text": t}) for t in then))]
    requests = [_request({"text": text}) for text in prompts if text != "-"]
    from_stdin = "-" in prompts or str(path) == "-" or (path is None and not prompts)
    if path is not None and str(path) != "-":
        requests += [_request(record) for record in read_option(path, "text")]
    if from_stdin:
        if sys.stdin.isatty():
            raise UsageError("no prompt; expected a sentence, --prompts FILE, or sentences on stdin")
        for record in read_records(stdin_lines(), "text", "stdin", skipped):
            try:
                requests.append(_request(record, from_stdin=True))
            except UsageError as error:
                skipped.add(error)
    if not requests:
        skipped.finish()
        raise UsageError("no prompt; the input is empty")
    return requests


def _timeline_requests(path: Path) -> list[_Request]:
    """A request for every timeline of a file; says where its body parts are not kept apart."""
    from ..data.timeline import read_timelines

    timelines = read_timelines(path)
    if any(interval.body_parts for timeline in timelines for interval in timeline):
        note(f"{path}: body parts are not kept apart; what overlaps becomes one sentence, with 'while'")
    record = {"timeline": str(path)}
    return [_Request(timeline[0].text, record, timeline=timeline) for timeline in timelines]


def _request(record: dict[str, Any], from_stdin: bool = False) -> _Request:
    """What a record asks for: its ``parts`` where it has some, or a bare line that is a JSON list of them."""
    parts = _listed_parts(record)
    if parts is None:
        return _one_sentence(record, from_stdin)
    first, *then = (_one_sentence(part) for part in parts)
    return replace(first, record=record, from_stdin=from_stdin, then=tuple(then))


def _listed_parts(record: dict[str, Any]) -> list[dict[str, Any]] | None:
    """A record for each part of one motion: of sentences, or objects with a text and perhaps a length."""
    parts = record.get("parts")
    if set(record) == {"text"} and BEGINS_LIST.match(record["text"]):
        try:
            parts = json.loads(record["text"])
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{quoted(record['text'])}: not a JSON list of parts ({error})") from None
    if parts is None:
        return None
    listed = [{"text": p} if isinstance(p, str) else p for p in parts] if isinstance(parts, list) else []
    if not listed or not all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in listed):
        raise UsageError(
            f"{quoted(record['text'])}: expected the parts of a motion as a list of sentences, or of objects "
            "with a 'text'"
        )
    return listed


def _one_sentence(record: dict[str, Any], from_stdin: bool = False) -> _Request:
    """The sentence and the length of a record, or of a bare line ``sentence#frames``."""
    text = readable(record["text"])
    frames, seconds = _number(record, "frames"), _number(record, "seconds")
    if frames is not None and frames != int(frames):
        raise UsageError(f"{quoted(text)}: expected 'frames' to be a whole number, found {frames:g}")
    if set(record) == {"text"} and (match := LENGTH.search(text)):
        text = text[: match.start()]
        frames = None if match[1] == "NA" else int(match[1])
    elif set(record) == {"text"} and re.match(r"\d+ ", text):
        note(f"{quoted(text)}: the number is read as a word; a length is written behind: sentence#frames")
    return _Request(text, record, None if frames is None else int(frames), seconds, from_stdin)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise UsageError(
            f"{quoted(record['text'])}: expected {key!r} to be a number above 0, found {value!r}"
        )
    return value


def _served(
    bundle: Bundle, requests: Sequence[_Request], lengths: Sequence[int], skipped: Skipped
) -> list[tuple[_Request, Prompt]]:
    """Requests with their prompts; a line's own length goes before the options' ``lengths`` in frames.

    Raises ``UsageError`` for one that the model cannot serve; of stdin it is left out and named.
    """
    from ..inference.generate import check_prompt
    from ..inference.timeline import prompt_of_timeline

    served = []
    for request in requests:
        try:
            if request.timeline:
                prompt = prompt_of_timeline(bundle, request.timeline)
            else:
                prompt = _prompt(request, lengths, bundle.config.fps)
            check_prompt(bundle, prompt)
        except ValueError as error:
            named = UsageError(f"{quoted(request.text)}: {error}" if request.text.strip() else str(error))
            if not request.from_stdin:
                raise named from None
            skipped.add(named)
            continue
        served.append((request, prompt))
    if not served:
        skipped.finish()
    return served


def _prompt(request: _Request, lengths: Sequence[int], fps: float) -> Prompt:
    """The prompt of a request; of several ``lengths`` each is one part's."""
    from ..inference.generate import Prompt

    parts = [request, *request.then]
    if len(lengths) not in (0, 1, len(parts)):
        each = f", or one for each of {len(parts)} parts" if request.then else ""
        raise UsageError(f"{len(lengths)} lengths by --seconds or --frames: expected one{each}")
    frames = [None] * len(parts) if not lengths else lengths if len(lengths) > 1 else [*lengths] * len(parts)
    first, *then = (
        Prompt(part.text, _own_frames(part, fps) or own) for part, own in zip(parts, frames, strict=True)
    )
    return replace(first, then=tuple(then))


def _own_frames(request: _Request, fps: float) -> int | None:
    if request.seconds is None:
        return request.frames
    frames = _frames(request.seconds, fps, "seconds")
    if request.frames not in (None, frames):
        raise UsageError(
            f"{request.frames} frames and {request.seconds:g} s are two lengths at {fps:g} frames per second"
        )
    return frames


def _frames(seconds: float, fps: float, name: str) -> int:
    from ..inference.generate import frames_of_seconds

    try:
        return frames_of_seconds(seconds, fps)
    except ValueError:
        raise UsageError(f"{name} {seconds:g}: expected a length above 0") from None
