"""Further ways to ask for what a made-up motion does, from a book of phrases written as people would.

``phrasebook.txt`` has a heading ``## ACTION`` for every action and a phrase in each line below it:

    greets somebody with the {side} hand
    [side=both] flaps both hands in greeting
    [count] brings the palms together {times}

A phrase begins with a verb in the third person. What stands in brackets must be true of a clip (a key alone:
must be known); so must what the places in braces ask for: ``{side}`` and ``{other}`` a left or right side,
``{times}`` a count, ``{direction}`` a direction. Knows words and truths, not motion.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...language.mirror import OTHER_SIDE
from ..movement import one_of, parts_of, times_words
from .realization import VerbPhrase, different, sentence_of, sentence_while

BOOK = Path(__file__).with_name("phrasebook.txt")
# A sentence about two actions must leave room for both.
MOST_WORDS_OF_TWO = 8
# Of walking with busy arms these are not true: one does not stand, and the arms do not swing.
_NOT_AT_ONCE = re.compile(r"\b(stands?|standing|waits?|pose|arms swinging|swinging arms|swings the arms)\b")
_LINE = re.compile(r"(?:\[(?P<conditions>[^\]]+)\] *)?(?P<words>[^\[\]]+)")
_PLACE = re.compile(r"\{(\w+)\}")
_PLACES = frozenset({"side", "other", "times", "direction"})

Truth = Mapping[str, Any]


@dataclass(frozen=True)
class Phrase:
    """``conditions`` on the truth, (key, value) or (key, None) for any value, and words with ``places``."""

    conditions: tuple[tuple[str, str | None], ...]
    words: str
    places: frozenset[str]

    def fits(self, truth: Truth) -> bool:
        """Whether the phrase is true of a clip and all its places can be filled."""
        given = all(
            key in truth and (value is None or value == _as_words(truth[key]))
            for key, value in self.conditions
        )
        return given and self.places <= _filling(truth).keys()

    def filled(self, truth: Truth, rng: np.random.Generator) -> VerbPhrase:
        """Verb, rest and no manner."""
        filling = _filling(truth)
        words = self.words.format(**{**filling, "times": one_of(filling.get("times", ("",)), rng)})
        verb, rest = re.fullmatch(r"([^ ,]+) ?(.*)", words).groups()  # type: ignore[union-attr]
        return verb, rest, ""


@cache
def phrasebook() -> Mapping[str, tuple[Phrase, ...]]:
    """The phrases of every action."""
    return parse_phrasebook(BOOK.read_text(encoding="utf-8"))


def parse_phrasebook(content: str) -> dict[str, tuple[Phrase, ...]]:
    """Phrases by action; raises ``ValueError`` naming the line that is no phrase."""
    found: dict[str, list[Phrase]] = {}
    action = None
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith("## "):
            action = line[3:].strip()
            found.setdefault(action, [])
        elif line.strip():
            match = _LINE.fullmatch(line.strip())
            places = frozenset(_PLACE.findall(line))
            if match is None or action is None or not places <= _PLACES:
                raise ValueError(f"line {number}: expected a phrase of an action, found {line!r}")
            conditions = _conditions(match["conditions"] or "")
            found[action].append(Phrase(conditions, match["words"].strip(), places))
    return {action: tuple(phrases) for action, phrases in found.items()}


def further_wordings(truth: Truth, count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Up to ``count`` different sentences that are true of a clip; none where the book has no phrase."""
    truths = parts_of(truth)
    most = math.inf if len(truths) == 1 else MOST_WORDS_OF_TWO
    offered = [_fitting(each, most) for each in truths]
    if "while" in truth:
        offered = [[p for p in phrases if not _NOT_AT_ONCE.search(p.words)] for phrases in offered]
    if not all(offered):
        return ()
    join = sentence_while if "while" in truth else sentence_of

    def say() -> str:
        pairs = zip(truths, offered, strict=True)
        return join([one_of(phrases, rng).filled(each, rng) for each, phrases in pairs], rng)

    return different(lambda: say().replace(" ,", ","), count, 2 * count)


def _fitting(truth: Truth, most_words: float) -> list[Phrase]:
    phrases = phrasebook().get(truth["action"], ())
    return [phrase for phrase in phrases if phrase.fits(truth) and phrase.words.count(" ") < most_words]


def _filling(truth: Truth) -> dict[str, Any]:
    """What the places say of a truth (``times`` in several ways); those that it does not know are missing."""
    filling: dict[str, Any] = {}
    if truth.get("side") in OTHER_SIDE:
        filling |= {"side": truth["side"], "other": OTHER_SIDE[truth["side"]]}
    if "count" in truth:
        filling["times"] = tuple(word for word in times_words(int(truth["count"])) if word)
    if isinstance(truth.get("direction"), str):
        filling["direction"] = truth["direction"]
    return filling


def _conditions(text: str) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = part.partition("=")
        found.append((key.strip(), value.strip().lower() if equals else None))
    return tuple(found)


def _as_words(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).lower()
