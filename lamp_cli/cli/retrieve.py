"""``lamp retrieve``: search a library by words or by example, or rank sentences for a motion."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.sentences import read_sentences
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
    note_missing_signs,
    note_remarks,
    resumable,
)
from .files import OutputFiles, require_place, require_writable
from .inputs import (
    BodyModels,
    JointMap,
    Skipped,
    motion_file_on_stdin,
    rate_of,
    read_records,
    reading_option,
    stdin_lines,
)
from .progress import counted

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..files.reading import Reading
    from ..inference.familiarity import Remark
    from ..inference.index.index import MotionIndex
    from ..inference.retrieve import Hit
    from ..motion.motion import Motion


@dataclass(frozen=True)
class _Request:
    """A query: its text as it was given, the rest of its line, and the sentence or motion that it is."""

    query: str
    record: dict[str, Any]
    asked: str | Motion


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
    body_models: BodyModels = None,
    joint_map: JointMap = None,
    threshold: Annotated[float | None, typer.Option(help="Leave out matches that score lower.")] = None,
    rerank: Annotated[
        int,
        typer.Option(
            min=0,
            help="Order this many, at least -k, with the matching head too, which reads examples' captions.",
        ),
    ] = 0,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; default: in the library.")] = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Only update the index.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a motion cannot be read.")] = False,
    render: Annotated[Path | None, typer.Option(help="Video of the matches side by side.")] = None,
    copy_to: Annotated[Path | None, typer.Option(help="Copy the matching files into this folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the video of --render.")] = False,
    model: ModelName = "lamp-mini",
    device: DeviceName = "auto",
    as_json: AsJson = False,
) -> None:
    """Find motions by words or by example; with --texts, sentences for a motion."""
    of_matches = {
        "--threshold": threshold is not None,
        "--render": render is not None,
        "--copy-to": copy_to is not None,
    }
    of_library = {"--library": library is not None, "--index": index is not None, "--strict": strict}
    if build_only:
        _refuse("--build-only searches nothing", {"a query": query is not None, "--texts": texts is not None})
        _refuse("--build-only searches nothing", of_matches | {"--rerank": rerank > 0})
        if library is None:
            raise UsageError("nothing to index; expected --library FOLDER")
    if texts is not None:
        _refuse("--texts ranks sentences and searches no library", of_matches | of_library)
    if force and render is None:
        raise UsageError("--force overwrites the video of --render, which is not given")
    reading = reading_option(fps, body_models, joint_map)
    if library is not None and not library.exists():
        raise UsageError(f"{library}: no such folder; expected a library of motion files")
    require_place(render, "--render")
    if copy_to is not None:
        require_writable(copy_to, "--copy-to")
    sentences = None if texts is None else read_sentences(texts)
    skipped = Skipped()
    requests = [] if build_only else _requests(query, reading, rerank, count, skipped)
    if render is not None and len(requests) > 1:
        raise UsageError(f"--render shows the matches of one query; found {len(requests)}")

    from ..bundle.bundle import load_bundle
    from ..inference.retrieve import search_index

    bundle = load_bundle(model, device_option(device))
    if sentences is not None:
        _rank_texts(bundle, requests, sentences, count, rerank, skipped, as_json)
        skipped.finish()
        return
    if library is None:
        from ..data.samples import sample_library

        library = sample_library()
        note(f"no --library: searching the sample of synthetic motions in {library}")
    opened = _update_index(bundle, library, index, reading, strict, build_only)
    remarks = _remarks(bundle, [r.asked for r in requests if isinstance(r.asked, str)], "the matches are")
    if rerank:
        bundle, requests = _with_sentences(bundle, model, requests)
    kept: list[Hit] = []
    for request in requests:
        found = search_index(bundle, opened, request.asked, count, rerank)
        hits = [hit for hit in found if threshold is None or hit.score >= threshold]
        for rank, hit in enumerate(hits, 1):
            _emit_hit(bundle, request, remarks, rank, hit, as_json)
        kept += hits
    if copy_to is not None:
        copies = OutputFiles()
        for path in dict.fromkeys(hit.path for hit in kept):
            copies.write(copy_to, path.stem, {path.suffix: partial(shutil.copy2, path)})
    if render is not None and kept:
        _render(bundle, kept, render, reading, OutputFiles(force))
    skipped.finish()


def _refuse(reason: str, given: dict[str, bool]) -> None:
    """Raise ``UsageError`` for the first option that was given and has no effect."""
    option = next((name for name, is_given in given.items() if is_given), None)
    if option is not None:
        raise UsageError(f"{reason}; {option} has no effect there")


def _requests(
    query: str | None, reading: Reading, rerank: int, count: int, skipped: Skipped
) -> list[_Request]:
    """Every query with the sentence or motion that it is; of stdin bad lines are left out and named."""
    from ..inference.query import check_rerank, read_query

    check_rerank(rerank, count)
    found = []
    with ExitStack() as stack, motion_notes() as show_notes:
        for words, record in _given(query, stack, skipped):
            try:
                asked = read_query(words, reading.at(rate_of(record)))
            except (ValueError, OSError) as error:
                if not record:
                    raise
                skipped.add(error)
                continue
            name = record.get("query", words)
            if not isinstance(asked, str):
                show_notes(replace(asked, source=name))
            found.append(_Request(name, record, asked))
    if not found:
        skipped.finish()
        raise UsageError("no query; stdin is empty")
    return found


def _given(query: str | None, stack: ExitStack, skipped: Skipped) -> Iterator[tuple[str, dict[str, Any]]]:
    """Queries with their lines of stdin, which are empty for an argument."""
    if query is not None and query != "-":
        yield query, {}
        return
    if sys.stdin.isatty():
        raise UsageError("no query; expected a sentence or a motion file")
    path = motion_file_on_stdin(stack)
    if path is not None:
        yield str(path), {"query": "-"}
        return
    for record in read_records(stdin_lines(), "query", "stdin", skipped, also=("motion", "text")):
        yield record.get("motion") or record.get("text") or record["query"], record


def _update_index(
    bundle: Bundle, library: Path, folder: Path | None, reading: Reading, strict: bool, build_only: bool
) -> MotionIndex:
    from ..inference.index.index import default_folder, update_index

    folder = folder or default_folder(library)
    with ExitStack() as stack:
        advance = counted(stack, "embedding", "files")
        with resumable():
            opened, report = update_index(bundle, library, folder, reading, advance, note)
    for name, reason in report.unreadable.items():
        note(f"left out: {name}: {reason}")
    for sentence, names in report.notes.items():
        note(f"{name_several(names)}: {sentence}")
    if strict and report.unreadable:
        raise UsageError(f"{len(report.unreadable)} motions of {library} cannot be read")
    if build_only:
        note(f"{report.files} files, {report.embedded} embedded, {report.reused} unchanged")
    elif not opened.windows:
        raise UsageError(f"{library}: holds no motion that can be searched")
    return opened


def _remarks(bundle: Bundle, texts: Sequence[str], guess: str) -> dict[str, Remark]:
    from ..inference.familiarity import remarks_on

    remarks = remarks_on(bundle, texts)
    note_remarks(remarks, guess)
    return remarks


def _with_sentences(bundle: Bundle, model: str, requests: list[_Request]) -> tuple[Bundle, list[_Request]]:
    """The motions among the requests with the sentence by which the matching head judges; says which."""
    from ..bundle.bundle import add_captioner
    from ..inference.retrieve import example_sentence

    several = []
    for request in requests:
        if not isinstance(request.asked, str):
            if not request.asked.text and bundle.captioner is None:
                bundle = add_captioner(bundle, model)
            sentence = example_sentence(bundle, request.asked)
            note(f"{request.query}: the matching head is told {sentence!r}")
            request = replace(request, asked=replace(request.asked, text=sentence))
        several.append(request)
    return bundle, several


def _rank_texts(
    bundle: Bundle,
    requests: Sequence[_Request],
    sentences: Sequence[str],
    count: int,
    rerank: int,
    skipped: Skipped,
    as_json: bool,
) -> None:
    from ..inference.retrieve import rank_texts

    remarks = _remarks(bundle, sentences, "its score is")
    for request in requests:
        if isinstance(request.asked, str):
            error = UsageError(f"--texts ranks sentences for a motion; {request.query!r} is no motion file")
            if not request.record:
                raise error
            skipped.add(error)
            continue
        for rank, each in enumerate(rank_texts(bundle, request.asked, sentences, rerank)[:count], 1):
            judged = {} if each.matching is None else {"matching": each.matching}
            found = {"query": request.query, "rank": rank, "score": each.score, **judged, "text": each.text}
            record = {**request.record, **found, **remarks[each.text].record()}
            emit(record, f"{rank:3d}  {each.score:.3f}{_match(each.matching)}  {each.text}", as_json)


def _match(matching: float | None) -> str:
    return "" if matching is None else f"  match {matching:.3f}"


def _emit_hit(
    bundle: Bundle, request: _Request, remarks: dict[str, Remark], rank: int, hit: Hit, as_json: bool
) -> None:
    from ..inference.index.library import caption_beside

    caption = caption_beside(hit.path, hit.start, hit.end)
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
        **(remarks[request.asked].record() if isinstance(request.asked, str) else {}),
    }
    scores = f"{hit.score:.3f}{_match(hit.matching)}"
    human = f"{rank:3d}  {scores}  {hit.start:.2f}-{hit.end:.2f} s  {hit.motion}  {caption}"
    emit(record, human.rstrip(), as_json)


def _render(bundle: Bundle, hits: Sequence[Hit], path: Path, reading: Reading, outputs: OutputFiles) -> None:
    from ..inference.retrieve import joints_of_hit
    from ..render.camera import SceneOptions
    from ..render.video import render_motions

    motions = [joints_of_hit(bundle, hit, reading) for hit in hits]
    titles = [
        f"{rank}. {hit.take or hit.path.stem}  {hit.start:.1f}-{hit.end:.1f} s"
        for rank, hit in enumerate(hits, 1)
    ]
    note_missing_signs(titles)
    options = SceneOptions(320, 320)
    draw = partial(render_motions, motions, bundle.config.fps, titles, options=options)
    outputs.write_one(path, draw)
