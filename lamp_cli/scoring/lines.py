"""Lines that name motions and their sentences, as ``lamp generate`` prints them and manifests hold them.

Knows names, reads no motion, and imports no network: a wrong line is told before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """

    text: str
    motion: Path
    truth: Path | None = None
    caption: str | None = None
    references: tuple[str, ...] = ()
    fps: float | None = None
    candidates: int | None = None


def line_of_record(record: Mapping[str, Any], where: str, folder: Path | None = None) -> Line:
    """A line of ``lamp generate`` or of a manifest.

    Keys: ``text`` and ``motion``; optional ``ground_truth`` (a motion file), ``caption`` (made for the motion
    by ``lamp caption``), ``references`` (sentences), ``fps``, and ``candidates`` as ``lamp generate`` writes
    it. Other keys, such as the generator's own ``features``, are not looked at: what is scored is the motion
    that was delivered. A path that is not there is looked for in ``folder`` too. Raises ``ValueError`` naming
    ``where`` and the key.
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
    )


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
