"""Which action words most probably tell of, learned from the phrases of every action; knows no grammar.

A naive Bayes reading: how often a word, or two words in a row, stand in the phrases of an action
(``ways.txt``, ``phrasebook.txt``, and ``asked.txt`` for what people say shortly) tells how much it speaks for
that action. Where the patterns of ``claims`` know the words, they speak too. Counts and the sides of limbs
speak for none; that something is done to a side does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from ...language.english import BASE_OF, NUMBERS, noun_lemma
from .action_words import LIMB
from .claims import claims
from .phrasebook import phrasebook
from .phrases import parse_phrases
from .ways import ways

ASKED = Path(__file__).with_name("asked.txt")
_PLACE = re.compile(r"\{\w+\}")
# Added to every count: how likely a word is that no phrase of an action has.
_UNSEEN = 0.1
# What a word says beside the words around it, for they are not independent.
_SHARE = 0.7
# How much likelier an action is whose pattern matches.
_OF_PATTERN = 4.0
_SILENT = frozenset(NUMBERS) | frozenset(
    """a an the his her their its my your our he she it they him them you we i of to and with as in on at for
    if is are was be been being like someone somebody something person man woman left right both times
    time once twice then that this so""".split()
)
# Phrases of several actions in a row.
_OF_SEVERAL = frozenset({"walk to run"})
# Kinds of an action that are asked for by its name alone.
KINDS = {
    "sprint": "run",
    "box": "punch",
    "hook": "punch",
    "uppercut": "punch",
    "jump over": "jump forward",
    "roundhouse kick": "kick",
    "side kick": "kick",
    "back kick": "kick",
    "throw underhand": "throw",
    "step touch": "dance",
}


@dataclass(frozen=True)
class _Phrases:
    """``counts``: in how many phrases of every action each word is, ``totals`` how many phrases there are."""

    counts: Mapping[str, Counter[str]]
    totals: Mapping[str, int]
    everywhere: Counter[str]


def likelihoods(words: str) -> Mapping[str, float]:
    """The log-likelihood of words by action, against what words are like anywhere; empty for unknown ones."""
    return _likelihoods(" ".join(words.lower().split()))


@lru_cache(maxsize=10_000)
def _likelihoods(words: str) -> Mapping[str, float]:
    known = _phrases()
    said = [one for one in dict.fromkeys(_features(words)) if one in known.everywhere]
    named = Counter(action for part in claims(words).parts for action in part.actions)
    if not said and not named:
        return {}
    total = sum(known.totals.values())
    anywhere = {one: math.log(known.everywhere[one] / total) for one in said}
    found = {}
    for action, count in known.totals.items():
        own = known.counts[action]
        words_say = sum(
            math.log((own[one] + _UNSEEN) / (count + 2 * _UNSEEN)) - anywhere[one] for one in said
        )
        found[action] = _SHARE * words_say + _OF_PATTERN * (action in named)
    return found


_TO_A_SIDE = re.compile(
    rf"\b(?:left|right)(?:wards?)?\b(?![ -](?:and (?:left|right) )?(?:[a-z]+ )?{LIMB}s?\b"
    r"|[ -]?angle|[- ](?:hand|foot|leg)ed)"
)


def _features(words: str) -> list[str]:
    words = _TO_A_SIDE.sub("toaside", words.lower())
    stems = [_stem(word) for word in re.findall(r"[a-z]+", words) if word not in _SILENT]
    return stems + [f"{one} {two}" for one, two in pairwise(stems)]


def _stem(word: str) -> str:
    word = noun_lemma(BASE_OF.get(word, word))
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            word = word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
            break
    return word.rstrip("e") if len(word) > 3 else word


@cache
def _phrases() -> _Phrases:
    counts: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    asked = parse_phrases(ASKED.read_text(encoding="utf-8"))
    for book in (phrasebook(), ways(), asked):
        for action, phrases in book.items():
            if action not in _OF_SEVERAL:
                for phrase in phrases:
                    words = set(_features(_PLACE.sub(" ", phrase.words.replace("{side}", "left"))))
                    counts.setdefault(action, Counter()).update(words)
                    totals[action] += 1
    everywhere = sum(counts.values(), Counter())
    return _Phrases(counts, totals, everywhere)
