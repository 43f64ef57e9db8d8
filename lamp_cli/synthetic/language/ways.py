"""The ways to say an action, ``ways.txt``: of these the sentences of a made-up clip are made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import groupby
from pathlib import Path

from .phrases import Phrase, Truth, filling_of, parse_phrases

WAYS = Path(__file__).with_name("ways.txt")


@cache
def ways() -> Mapping[str, tuple[Phrase, ...]]:
    """The ways to say every action."""
    return parse_phrases(WAYS.read_text(encoding="utf-8"))


def ways_of(truth: Truth) -> tuple[tuple[str, str], ...]:
    """The ways to say what is true of a clip, (verb, rest), in the order of the file.

    Of ways in a row that tell a count, first all tell it by the first words for it, then all by the second.
    """
    filling = filling_of(truth)
    found: list[tuple[str, str]] = []
    for place, group in groupby((way for way in ways()[truth["action"]] if way.fits(truth)), _counting):
        several = tuple(group)
        for words in filling.get(place, ("",)):
            found += [way.filled({**filling, place: words}) for way in several]
    return tuple(found)


def _counting(way: Phrase) -> str:
    """The place of a way that may be filled by several words, nothing where it has none."""
    return next((place for place in ("often", "times") if place in way.places), "")
