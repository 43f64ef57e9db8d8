"""Lines that name motions and their sentences, as ``lamp generate`` prints them and manifests hold them.

Knows names, reads no motion, and imports no network: a wrong line is told before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Line:
    """One line of a manifest or of stdin.

    text: the sentence.
    motion: the motion file.
    truth: the file of the true motion.
    caption: what a captioner said of the motion; it may be empty.
    references: sentences that are true of the motion, where they are not ``text`` alone.
    fps: frames per second of the motion.
    candidates: of how many the motion is the one that LaMP found nearest to the sentence; None for a motion
        of which the line does not say that ``lamp generate`` made it.
    parts: sentence, first frame and number of frames of every part of a motion of several.
    span: of an edited motion, what was drawn.
    source: the file that an edited motion was made of.
    """

    text: str
    motion: Path
    truth: Path | None = None
    caption: str | None = None
    references: tuple[str, ...] = ()
    fps: float | None = None
    candidates: int | None = None
    parts: tuple[tuple[str, int, int], ...] = ()
    span: DrawnSpan | None = None
    source: Path | None = None


@dataclass(frozen=True)
class DrawnSpan:
    """Frames of an edited motion: the first that was drawn, how many were, and the kept poses among them."""

    start: int
    frames: int
    kept: tuple[int, ...] = ()


def line_of_record(record: Mapping[str, Any], where: str, folder: Path | None = None) -> Line:
    """A line of ``lamp generate`` or of a manifest.

    Keys: ``text`` and ``motion``; optional ``ground_truth`` (a motion file), ``caption`` (made for the motion
    by ``lamp caption``), ``references`` (sentences), ``fps``, ``candidates`` and ``parts`` as ``lamp
    generate`` writes them, ``span`` and ``source`` as ``lamp edit`` does. Other keys, such as the generator's
    own ``features``, are not looked at: what is scored is the motion that was delivered. A path that is not
    there is looked for in ``folder`` too. Raises ``ValueError`` naming ``where`` and the key.
    """
    for key in ("text", "motion"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            raise ValueError(f"{where}: expected a {key!r} for every line, found {record.get(key)!r}")
    for key in ("ground_truth", "caption"):
        if record.get(key) is not None and not isinstance(record[key], str):
            raise ValueError(f"{where}: expected {key!r} to be a string, found {record[key]!r}")
    references = record.get("references") or []
    if not isinstance(references, list) or not all(isinstance(text, str) for text in references):
        raise ValueError(f"{where}: expected 'references' to be a list of sentences, found {references!r}")

    def path(name: str) -> Path:
        found = Path(name)
        return folder / found if folder is not None and not found.exists() else found

    # `lamp caption --candidates` puts its list of captions under this name.
    candidates = record.get("candidates")
    if isinstance(candidates, bool) or not isinstance(candidates, int) or candidates < 1:
        candidates = None
    return Line(
        record["text"].strip(),
        path(record["motion"]),
        None if record.get("ground_truth") is None else path(record["ground_truth"]),
        record.get("caption"),
        tuple(references),
        fps_of_record(record, where),
        candidates,
        _parts_of_record(record, where),
        *_edit_of_record(record, where, path),
    )


def _parts_of_record(record: Mapping[str, Any], where: str) -> tuple[tuple[str, int, int], ...]:
    parts = record.get("parts") or []
    wanted = "a list of objects with a 'text', a 'first_frame' and a number of 'frames'"
    if not isinstance(parts, list) or not all(
        isinstance(part, Mapping)
        and isinstance(part.get("text"), str)
        and _is_count(part.get("first_frame"), 0)
        and _is_count(part.get("frames"), 1)
        for part in parts
    ):
        raise ValueError(f"{where}: expected 'parts' to be {wanted}, found {parts!r}")
    return tuple((part["text"], part["first_frame"], part["frames"]) for part in parts)


def _edit_of_record(
    record: Mapping[str, Any], where: str, path: Callable[[str], Path]
) -> tuple[DrawnSpan | None, Path | None]:
    """What was drawn in an edited motion and the file it was made of, where a line says both."""
    span, source = record.get("span"), record.get("source")
    if span is None or source is None:
        return None, None
    kept = span.get("kept", []) if isinstance(span, Mapping) else None
    if (
        not isinstance(source, str)
        or not isinstance(kept, list)
        or not all(_is_count(frame, 0) for frame in kept)
        or not _is_count(span.get("first_frame"), 0)
        or not _is_count(span.get("frames"), 0)
    ):
        wanted = "'span' to have a 'first_frame' and a number of 'frames', and 'source' to be a file"
        raise ValueError(f"{where}: expected {wanted}, found {span!r} and {source!r}")
    return DrawnSpan(span["first_frame"], span["frames"], tuple(kept)), path(source)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def fps_of_record(record: Mapping[str, Any], where: str) -> float | None:
    """The frame rate that a line gives; raises ``ValueError`` for one that is no rate."""
    fps = record.get("fps")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000):
        raise ValueError(f"{where}: 'fps' is {fps!r}; expected a number above 0, up to 1000")
    return fps


def require_captions_of_all_or_none(lines: Sequence[Line]) -> None:
    """Raise ``ValueError`` for lines some of which have a caption and some have none, naming the first."""
    missing = [number for number, line in enumerate(lines, 1) if line.caption is None]
    if missing and len(missing) < len(lines):
        name = lines[missing[0] - 1].motion
        raise ValueError(
            f"{name} (pair {missing[0]}): has no 'caption', others have; expected one in every line or in "
            'none ("" for a captioner that said nothing)'
        )
