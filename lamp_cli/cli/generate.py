"""``lamp generate``: sentences into motions and videos."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer

from ..files.arrays import save_joints
from ..inference.precision import check_precision
from ..storage import free_path, safe_stem, write_array
from .common import UsageError, emit, note, progress, read_records, torch_device

DOUBTS_SHOWN = 5
FORMATS = ("npy", "mp4", "gif", "webp", "png")


@dataclass(frozen=True)
class _Request:
    text: str
    record: dict[str, Any]


def command(
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
    requests = _requests(prompts or [], prompt_file)
    if seconds is not None and frames is not None:
        raise UsageError("--seconds and --frames both give the length; expected one of them")
    if seed is None:
        seed = secrets.randbelow(2**31)
        note(f"seed {seed}")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: is a file; expected a folder")

    from ..bundle.bundle import load_bundle
    from ..inference.familiarity import doubts
    from ..inference.generate import GenerateOptions, Prompt, check_prompt, draws_of, generate
    from ..model.generator import SamplingOptions

    bundle = load_bundle(model, torch_device(device))
    if seconds is not None:
        frames = _frames(seconds, bundle.config.fps)
    work = [Prompt(request.text, frames) for request in requests]
    for prompt in work:
        check_prompt(bundle, prompt)
    texts = [request.text for request in requests]
    _note_doubts(texts, doubts(bundle, texts))
    sampling = SamplingOptions(steps, guidance, temperature)
    options = GenerateOptions(seed, samples, sampling, not raw, candidates, precision)
    together: list[Any] = []
    with progress(len(work) * samples, "generating") as advance:
        made = zip(draws_of(work, samples), generate(bundle, work, options), strict=True)
        for number, (draw, motion) in enumerate(made):
            request = requests[number // samples]
            files = _write(motion, bundle.config.fps, wanted, features, output, force)
            record = {
                **request.record,
                "text": request.text,
                **files,
                "seed": seed,
                "sample": draw.sample,
                "frames": len(motion.joints),
                "fps": bundle.config.fps,
                "model": bundle.config.name,
            }
            emit(record, "  ".join(files.values()), as_json)
            advance(1, "")
            together.append(motion.joints)
            if len(together) == samples:
                _write_together(together, request.text, bundle.config.fps, wanted, output, force)
                together = []


def _write(
    motion: Any, fps: float, wanted: tuple[str, ...], features: bool, output: Path, force: bool
) -> dict[str, str]:
    """Write one motion's files under one free name; their paths by key."""
    path = free_path(output / f"{safe_stem(motion.text)}.npy", force)
    save_joints(path, motion.joints)
    files = {"motion": str(path)}
    if features:
        files["features"] = str(path.with_name(f"{path.stem}_features.npy"))
        write_array(Path(files["features"]), motion.features)
    for kind in (f for f in wanted if f != "npy"):
        from ..render.video import render_motions

        picture = path.with_suffix(f".{kind}")
        render_motions([motion.joints], fps, [motion.text], picture)
        files["video" if kind == "mp4" else kind] = str(picture)
    return files


def _write_together(
    motions: list[Any], text: str, fps: float, wanted: tuple[str, ...], output: Path, force: bool
) -> None:
    """Several samples of one prompt in one picture, beside the ones of their own."""
    for kind in (f for f in wanted if f != "npy" and len(motions) > 1):
        from ..render.camera import SceneOptions
        from ..render.video import render_motions

        path = free_path(output / f"{safe_stem(text)}_samples.{kind}", force)
        titles = [f"{number}. {text}" for number in range(1, len(motions) + 1)]
        render_motions(motions, fps, titles, path, SceneOptions(320, 320))
        note(f"all samples: {path}")


def _note_doubts(texts: Sequence[str], reasons: Sequence[str | None]) -> None:
    """Say which sentences the model can only guess at; of many, the first ones and how many more."""
    doubted = [(text, reason) for text, reason in zip(texts, reasons, strict=True) if reason]
    for text, reason in doubted[:DOUBTS_SHOWN]:
        said = shorten(text, 80, placeholder=" ...")
        note(f"{said!r} lies far from what this model was trained on: {reason}; the motion is a guess")
    if len(doubted) > DOUBTS_SHOWN:
        note(f"and {len(doubted) - DOUBTS_SHOWN} more sentences like these")


def _requests(prompts: list[str], path: Path | None) -> list[_Request]:
    records: list[dict[str, Any]] = [{"text": text} for text in prompts if text != "-"]
    if path is not None:
        with path.open(encoding="utf-8", errors="replace") as file:
            records += read_records(file, "text", str(path))
    elif "-" in prompts or not prompts:
        if sys.stdin.isatty():
            raise UsageError("no prompt; expected a sentence, --prompts FILE, or sentences on stdin")
        records += read_records(sys.stdin, "text", "stdin")
    if not records:
        raise UsageError("no prompt; the input is empty")
    return [_Request(record["text"], record) for record in records]


def _formats(words: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(word.strip().lower() for word in words.split(",") if word.strip()))
    unknown = [word for word in wanted if word not in FORMATS]
    if unknown or not wanted:
        raise UsageError(f"--format {words}: expected some of {', '.join(FORMATS)}")
    return wanted


def _frames(seconds: float, fps: float) -> int:
    if not 0 < seconds < float("inf"):
        raise UsageError(f"--seconds {seconds:g}: expected a length above 0")
    return max(1, round(seconds * fps))
