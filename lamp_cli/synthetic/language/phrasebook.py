"""Further ways to ask for what a made-up motion does, from a book of phrases written as people would.

Knows words and truths, not motion; ``phrases`` says how the book is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from ..movement import one_of, parts_of
from .phrases import Phrase, Truth, filling_of, parse_phrases
from .realization import VerbPhrase, different, sentence_of, sentence_while

BOOK = Path(__file__).with_name("phrasebook.txt")
# A sentence about two actions must leave room for both.
MOST_WORDS_OF_TWO = 8
# Of walking with busy arms these are not true: one does not stand, and the arms do not swing.
_NOT_AT_ONCE = re.compile(r"\b(stands?|standing|waits?|pose|arms swinging|swinging arms|swings the arms)\b")


@cache
def phrasebook() -> Mapping[str, tuple[Phrase, ...]]:
    """The phrases of every action."""
    return parse_phrases(BOOK.read_text(encoding="utf-8"))


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
        return join([_said(one_of(phrases, rng), each, rng) for each, phrases in pairs], rng)

    return different(lambda: say().replace(" ,", ","), count, 2 * count)


def phrased(truth: Truth) -> tuple[tuple[str, str], ...]:
    """The phrases that are true of a clip, (verb, rest), in the order of the book; a count in one way."""
    filling = filling_of(truth)
    times = {"times": filling["times"][0]} if "times" in filling else {}
    return tuple(phrase.filled({**filling, **times}) for phrase in _fitting(truth, math.inf))


def _fitting(truth: Truth, most_words: float) -> list[Phrase]:
    phrases = phrasebook().get(truth["action"], ())
    return [phrase for phrase in phrases if phrase.fits(truth) and phrase.words.count(" ") < most_words]


def _said(phrase: Phrase, truth: Truth, rng: np.random.Generator) -> VerbPhrase:
    """Verb, rest and no manner."""
    filling = filling_of(truth)
    verb, rest = phrase.filled({**filling, "times": one_of(filling.get("times", ("",)), rng)})
    return verb, rest, ""
