"""``lamp retrieve``: search a library by words or by example, or rank sentences for a motion."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..storage import free_path
from .common import UsageError, counted, device_option, emit, note


@dataclass(frozen=True)
class _Request:
    """A query as it was given; ``record`` is the rest of its line, ``fps`` the rate of its motion."""

    query: str
    record: dict[str, Any]
    fps: float | None


def retrieve_command(
    query: Annotated[
        str | None, typer.Argument(help="A sentence or a motion file; - or none reads lines from stdin.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(help="Folder of motion files, nested ones too, or one .npz; else a small sample."),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="File of sentences to rank for a motion, one per line.")
    ] = None,
    count: Annotated[int, typer.Option("-k", min=1, help="How many matches.")] = 5,
    fps: Annotated[
        float | None,
        typer.Option(help="Frame rate of joint arrays, in the library and of the query; 20 when not given."),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Leave out matches that score lower.")] = None,
    rerank: Annotated[
        int, typer.Option(min=0, help="Order this many, at least -k, with the matching head too.")
    ] = 0,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; default: in the library.")] = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Only update the index.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a motion cannot be read.")] = False,
    render: Annotated[Path | None, typer.Option(help="Video of the matches side by side.")] = None,
    copy_to: Annotated[Path | None, typer.Option(help="Copy the matching files into this folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the video of --render.")] = False,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Find motions by words or by example; with --texts, sentences for a motion."""
    of_matches = {
        "--threshold": threshold is not None,
        "--rerank": rerank > 0,
        "--render": render is not None,
        "--copy-to": copy_to is not None,
    }
    of_library = {"--library": library is not None, "--index": index is not None, "--strict": strict}
    if build_only:
        _refuse("--build-only searches nothing", {"a query": query is not None, "--texts": texts is not None})
        _refuse("--build-only searches nothing", of_matches)
        if library is None:
            raise UsageError("nothing to index; expected --library FOLDER")
    if texts is not None:
        _refuse("--texts ranks sentences and searches no library", of_matches | of_library)
    if force and render is None:
        raise UsageError("--force overwrites the video of --render, which is not given")
    if fps is not None and not 0 < fps < float("inf"):
        raise UsageError(f"--fps {fps:g}: expected a rate above 0")
    if library is not None and not library.exists():
        raise UsageError(f"{library}: no such folder; expected a library of motion files")
    given = [] if build_only else _queries(query, fps, rerank, count)
    if render is not None and len(given) > 1:
        raise UsageError(f"--render shows the matches of one query; found {len(given)}")
    sentences = None if texts is None else _sentences(texts)

    from ..bundle.bundle import load_bundle

    bundle = load_bundle(model, device_option(device))
    if sentences is not None:
        for request, asked in given:
            _rank_texts(bundle, request, asked, sentences, count, as_json)
        return
    if library is None:
        from ..data.samples import sample_library

        library = sample_library()
        note(f"no --library: searching the sample of synthetic motions in {library}")
    opened = _update_index(bundle, library, index, fps, strict, build_only)
    kept: list[Any] = []
    for request, asked in given:
        found = _search(bundle, opened, asked, count, rerank)
        hits = [hit for hit in found if threshold is None or hit.score >= threshold]
        for rank, hit in enumerate(hits, 1):
            _emit_hit(bundle, request, rank, hit, as_json)
        kept += hits
    if copy_to is not None:
        _copy(kept, copy_to)
    if render is not None and kept:
        _render(bundle, kept, free_path(render, force), fps)


def _refuse(reason: str, given: dict[str, bool]) -> None:
    """Raise ``UsageError`` for the first option that was given and has no effect."""
    option = next((name for name, is_given in given.items() if is_given), None)
    if option is not None:
        raise UsageError(f"{reason}; {option} has no effect there")


def _queries(query: str | None, fps: float | None, rerank: int, count: int) -> list[tuple[_Request, Any]]:
    """Every query with the sentence or motion that it is; reads stdin when none is given."""
    from ..inference.query import check_rerank, read_query

    found = []
    for request in _requests(query, fps):
        asked = read_query(request.query, request.fps)
        check_rerank(rerank, count, asked)
        found.append((request, asked))
    return found


def _requests(query: str | None, fps: float | None) -> Iterator[_Request]:
    if query is not None and query != "-":
        yield _Request(query, {}, fps)
        return
    if sys.stdin.isatty():
        raise UsageError("no query; expected a sentence or a motion file")
    lines = [line.strip().removeprefix("\ufeff") for line in sys.stdin]
    if not any(lines):
        raise UsageError("no query; stdin is empty")
    for number, line in enumerate(lines, 1):
        if line:
            yield _request(line, fps, f"stdin, line {number}")


def _request(line: str, fps: float | None, where: str) -> _Request:
    """A line's query: bare text, or an object with ``motion`` or ``text``, and perhaps ``fps``."""
    if not line.startswith("{"):
        return _Request(line, {}, fps)
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: not a JSON object ({error})") from None
    query = record.get("motion") or record.get("text")
    if not isinstance(query, str):
        raise UsageError(f"{where}: the object has neither 'motion' nor 'text'")
    rate = record.get("fps", fps)
    if rate is not None and not (isinstance(rate, int | float) and 0 < rate < float("inf")):
        raise UsageError(f"{where}: 'fps' is {rate!r}; expected a rate above 0")
    return _Request(query, record, rate)


def _update_index(
    bundle: Any, library: Path, folder: Path | None, fps: float | None, strict: bool, build_only: bool
) -> Any:
    from ..inference.index.index import default_folder, update_index

    folder = folder or default_folder(library)
    with ExitStack() as stack:
        advance = counted(stack, "embedding", "files")
        opened, report = update_index(bundle, library, folder, fps, advance, note)
    for name, reason in report.unreadable.items():
        note(f"{name}: {reason}")
    if strict and report.unreadable:
        raise UsageError(f"{len(report.unreadable)} motions of {library} cannot be read")
    if build_only:
        note(f"{report.files} files, {report.embedded} embedded, {report.reused} unchanged")
    elif not opened.windows:
        raise UsageError(f"{library}: holds no motion that can be searched")
    return opened


def _search(bundle: Any, opened: Any, asked: Any, count: int, rerank: int) -> list[Any]:
    from ..inference.familiarity import unfamiliar_reasons
    from ..inference.retrieve import search_index

    if isinstance(asked, str):
        for reason in filter(None, unfamiliar_reasons(bundle, [asked])):
            note(f"{asked!r} lies far from what this model was trained on: {reason}; the matches are a guess")
    return search_index(bundle, opened, asked, count, rerank)


def _sentences(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    sentences = list(dict.fromkeys(line for line in lines if line))
    if not sentences:
        raise UsageError(f"{path}: no sentence in it")
    return sentences


def _rank_texts(
    bundle: Any, request: _Request, asked: Any, sentences: list[str], count: int, as_json: bool
) -> None:
    from ..inference.retrieve import rank_texts

    if isinstance(asked, str):
        raise UsageError(f"--texts ranks sentences for a motion; {request.query!r} is no motion file")
    for rank, (sentence, score) in enumerate(rank_texts(bundle, asked, sentences)[:count], 1):
        record = {**request.record, "query": request.query, "rank": rank, "score": score, "text": sentence}
        emit(record, f"{rank:3d}  {score:.3f}  {sentence}", as_json)


def _emit_hit(bundle: Any, request: _Request, rank: int, hit: Any, as_json: bool) -> None:
    from ..inference.index.library import caption_beside

    caption = caption_beside(hit.path)
    record = {
        **request.record,
        "query": request.query,
        "rank": rank,
        "score": hit.score,
        **({} if hit.matching is None else {"matching": hit.matching}),
        "ranked_by": "score" if hit.matching is None else "score + matching",
        "motion": str(hit.path),
        **({"take": hit.take} if hit.take else {}),
        "start": hit.start,
        "end": hit.end,
        "caption": caption,
        "fps": bundle.config.fps,
        "model": bundle.config.name,
    }
    matching = "" if hit.matching is None else f"  match {hit.matching:.3f}"
    human = f"{rank:3d}  {hit.score:.3f}{matching}  {hit.start:.2f}-{hit.end:.2f} s  {hit.motion}  {caption}"
    emit(record, human.rstrip(), as_json)


def _copy(hits: list[Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in dict.fromkeys(hit.path for hit in hits):
        shutil.copy2(path, free_path(folder / path.name))


def _render(bundle: Any, hits: list[Any], path: Path, fps: float | None) -> None:
    from ..inference.retrieve import joints_of_hit
    from ..render.camera import SceneOptions
    from ..render.video import render_motions

    motions = [joints_of_hit(bundle, hit, fps) for hit in hits]
    titles = [
        f"{rank}. {hit.take or hit.path.stem}  {hit.start:.1f}-{hit.end:.1f} s"
        for rank, hit in enumerate(hits, 1)
    ]
    render_motions(motions, bundle.config.fps, titles, path, SceneOptions(320, 320))
