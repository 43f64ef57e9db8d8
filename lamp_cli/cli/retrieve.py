"""``lamp retrieve``: search a library by words or by example, or rank sentences for a motion."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from ..storage import free_path
from .common import UsageError, counted, emit, note, torch_device


def command(
    query: Annotated[
        str | None, typer.Argument(help="A sentence or a motion file; - or none reads one from stdin.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(help="Folder of motion files, nested ones too, or one .npz; else a small sample."),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="File of sentences to rank for a motion, one per line.")
    ] = None,
    count: Annotated[int, typer.Option("-k", min=1, help="How many matches.")] = 5,
    threshold: Annotated[float | None, typer.Option(help="Leave out matches that score lower.")] = None,
    rerank: Annotated[int, typer.Option(min=0, help="Re-rank this many by the matching head.")] = 0,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; default: in the library.")] = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Only update the index.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a motion cannot be read.")] = False,
    render: Annotated[Path | None, typer.Option(help="Video of the matches side by side.")] = None,
    copy_to: Annotated[Path | None, typer.Option(help="Copy the matching files into this folder.")] = None,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Find motions by words or by example; with --texts, sentences for a motion."""
    if build_only and library is None:
        raise UsageError("nothing to index; expected --library FOLDER")
    asked = "" if build_only else _query(query)

    from ..bundle.bundle import load_bundle

    bundle = load_bundle(model, torch_device(device))
    if texts is not None:
        _rank_texts(bundle, asked, texts, count, as_json)
        return
    if library is None:
        from ..data.samples import sample_library

        library = sample_library()
        note(f"no --library: searching the sample of synthetic motions in {library}")
    matches = _search(bundle, asked, library, index, count, rerank, strict, build_only)
    kept = [hit for hit in matches if threshold is None or hit.score >= threshold]
    for rank, hit in enumerate(kept, 1):
        record = _record(bundle, asked, library, rank, hit)
        human = f"{rank:3d}  {hit.score:.3f}  {record['start']:.2f}-{record['end']:.2f} s  {record['motion']}"
        emit(record, f"{human}  {record['caption']}".rstrip(), as_json)
    if copy_to is not None:
        _copy(kept, library, copy_to)
    if render is not None and kept:
        _render(bundle, kept, library, render)


def _search(
    bundle: Any,
    asked: str,
    library: Path,
    index: Path | None,
    count: int,
    rerank: int,
    strict: bool,
    build_only: bool,
) -> list[Any]:
    from ..files.arrays import load_motion
    from ..inference.index.index import FOLDER, update_index
    from ..inference.retrieve import find_by_motion, find_by_text

    folder = index or (library if library.is_dir() else library.parent) / FOLDER
    with ExitStack() as stack:
        opened, report = update_index(bundle, library, folder, counted(stack, "embedding", "files"))
    for name, reason in report.unreadable.items():
        note(f"{name}: {reason}")
    if strict and report.unreadable:
        raise UsageError(f"{len(report.unreadable)} motions of {library} cannot be read")
    if build_only:
        note(f"{report.files} files, {report.embedded} embedded, {report.reused} unchanged")
        return []
    if not opened.places:
        raise UsageError(f"{library}: holds no motion that can be searched")
    if Path(asked).is_file():
        return find_by_motion(bundle, opened, load_motion(Path(asked)), count)
    return find_by_text(bundle, opened, asked, count, library, rerank)


def _query(query: str | None) -> str:
    """The argument, or the first line of stdin: a sentence, a file, or an object with either."""
    if query is not None and query != "-":
        if not query.strip():
            raise UsageError("the query is empty; expected a sentence or a motion file")
        return query
    if sys.stdin.isatty():
        raise UsageError("no query; expected a sentence or a motion file")
    line = next((line.strip() for line in sys.stdin if line.strip()), "")
    if not line:
        raise UsageError("no query; stdin is empty")
    if not line.startswith("{"):
        return line
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"stdin: not a JSON object ({error})") from None
    found = record.get("motion") or record.get("text")
    if not isinstance(found, str):
        raise UsageError("stdin: the object has neither 'motion' nor 'text'")
    return found


def _rank_texts(bundle: Any, asked: str, texts: Path, count: int, as_json: bool) -> None:
    from ..files.arrays import load_motion
    from ..inference.retrieve import rank_texts

    lines = [line.strip() for line in texts.read_text(encoding="utf-8", errors="replace").splitlines()]
    sentences = list(dict.fromkeys(line for line in lines if line))
    if not sentences:
        raise UsageError(f"{texts}: no sentence in it")
    ranked = rank_texts(bundle, load_motion(Path(asked)), sentences)
    for rank, (sentence, score) in enumerate(ranked[:count], 1):
        record = {"query": asked, "rank": rank, "score": score, "text": sentence}
        emit(record, f"{rank:3d}  {score:.3f}  {sentence}", as_json)


def _record(bundle: Any, asked: str, library: Path, rank: int, hit: Any) -> dict[str, Any]:
    from ..inference.index.library import caption_beside

    path, fps = _path(library, hit), bundle.config.fps
    return {
        "query": asked,
        "rank": rank,
        "score": hit.score,
        "motion": str(path),
        **({"take": hit.take} if hit.take else {}),
        "start": hit.start / fps,
        "end": hit.end / fps,
        "caption": caption_beside(path),
        "fps": fps,
        "model": bundle.config.name,
    }


def _path(library: Path, hit: Any) -> Path:
    return library / hit.path if library.is_dir() else library


def _copy(hits: list[Any], library: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in dict.fromkeys(_path(library, hit) for hit in hits):
        shutil.copy2(path, free_path(folder / path.name))


def _render(bundle: Any, hits: list[Any], library: Path, path: Path) -> None:
    from ..inference.retrieve import joints_of_hit
    from ..render.camera import SceneOptions
    from ..render.video import render_motions

    fps = bundle.config.fps
    motions = [joints_of_hit(bundle, hit, library) for hit in hits]
    titles = [
        f"{rank}. {hit.take or Path(hit.path).stem}  {hit.start / fps:.1f}-{hit.end / fps:.1f} s"
        for rank, hit in enumerate(hits, 1)
    ]
    render_motions(motions, fps, titles, path, SceneOptions(320, 320))
