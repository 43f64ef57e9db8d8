"""What a query of retrieval is: a sentence, or a file with a motion. Imports no network."""

from __future__ import annotations

from pathlib import Path

from ..files.load import FOREIGN_SUFFIXES, MOTION_SUFFIXES, motion_of_file
from ..files.reading import AS_STORED, Reading
from ..motion.motion import Motion


def read_query(query: str, reading: Reading = AS_STORED) -> str | Motion:
    """The motion of the file that ``query`` names, else the sentence itself.

    ``reading`` is how that file is read. Raises ``ValueError`` for an empty query, and for one that looks
    like a path where no file is.
    """
    if not query.strip():
        raise ValueError("the query is empty; expected a sentence or a motion file")
    if _is_file(query):
        return motion_of_file(Path(query), reading)
    if looks_like_path(query):
        raise ValueError(f"{query}: no such file; expected a motion file or a sentence")
    return query


def looks_like_path(query: str) -> bool:
    """Whether a text ends like a motion file, or is one word with a folder separator in it."""
    text = query.strip()
    if text.lower().endswith(MOTION_SUFFIXES + FOREIGN_SUFFIXES):
        return True
    return len(text.split()) == 1 and ("/" in text or "\\" in text)


def check_rerank(rerank: int, top: int) -> None:
    """Raise ``ValueError`` when hits cannot all be ordered by the matching head as asked."""
    if 0 < rerank < top:
        raise ValueError(f"re-ranking {rerank} of {top} matches; expected at least as many")


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a null character
        return False
