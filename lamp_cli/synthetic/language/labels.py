"""What the short labels of motion-capture corpora mean: plain sentences of what a viewer sees.

CMU calls a take "run/jog" or "Oiduki", ACCAD "roundhouse left". Whoever learned from such captions would take
them for English. ``labels.txt`` was written by hand, with the motions in view. Knows words, not motion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("labels.txt")


@dataclass(frozen=True)
class LabelMeaning:
    """Sentences of a label, none where it says nothing; ``steady``: true of every part of the take."""

    sentences: tuple[str, ...]
    steady: bool = False


def meaning_of_label(caption: str) -> LabelMeaning | None:
    """What a caption means that is nothing but a corpus's label; None for any other caption."""
    return label_meanings().get(_plain(caption))


@cache
def label_meanings() -> Mapping[str, LabelMeaning]:
    """The table: meanings by label, in lower case."""
    return dict(_entries(TABLE.read_text(encoding="utf-8")))


def _entries(content: str) -> Iterator[tuple[str, LabelMeaning]]:
    for line in content.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        labels, _, sentences = line.partition("=")
        steady = labels.startswith("*")
        said = tuple(sentence.strip() for sentence in sentences.split("|") if sentence.strip())
        for label in labels.removeprefix("*").split(";"):
            yield _plain(label), LabelMeaning(said, steady)


def _plain(label: str) -> str:
    return " ".join(label.lower().replace("_", " ").split()).rstrip(".")
