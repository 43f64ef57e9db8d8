"""Lines that name motions and their sentences, as ``lamp generate`` prints them and manifests hold them.

Knows names, reads no motion, and imports no network: a wrong line is told before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Line:
    """One line of a manifest or of stdin: a sentence, a motion file, and what else it names."""

    text: str
    motion: Path
    truth: Path | None = None
    caption: str | None = None
    references: tuple[str, ...] = ()


def line_of_record(record: Mapping[str, Any], where: str, folder: Path | None = None) -> Line:
    """A line of ``lamp generate`` or of a manifest.

    Keys: ``text`` and ``motion``; optional ``ground_truth`` (a motion file), ``caption`` (made for the motion
    by ``lamp caption``) and ``references`` (sentences). Other keys, such as the generator's own
    ``features``, are not looked at: what is scored is the motion that was delivered. A path that is not
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

    def path(key: str) -> Path | None:
        if record.get(key) is None:
            return None
        found = Path(record[key])
        return folder / found if folder is not None and not found.exists() else found

    motion = path("motion")
    assert motion is not None
    return Line(
        record["text"].strip(),
        motion,
        path("ground_truth"),
        record.get("caption"),
        tuple(references),
    )
