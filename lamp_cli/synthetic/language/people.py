"""People's sentences that are true of a synthetic clip, found among sentences without motions.

A sentence serves when it says one action and nothing that the clip's truth does not know: every word is the
action's, a side, way or count that agrees, or one of few words that claim nothing. Knows no motion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from ..movement import SIDE_NAMES
from .claims import TURNING, agrees, claims, words_beside_actions

MOST_WORDS = 16
# What base forms drop, and truths are silent about: how fast, how hard, how far.
_MANNER = re.compile(
    r"\b(slow|fast|quick|rapid|swift|brisk|hurr|gentl|careful|casual|pace|speed|aggress|vigor|hard|light|"
    r"strong|angr|happ|sad|heav|small|big|large|long|short|high|low|quarter|half|full|degree|feet away|meter)"
)
_CLAIM_NOTHING = frozenset(
    """
    person people man woman guy boy girl lady human individual someone somebody figure character he she they
    him who subject it them to with in on of at from for by toward into onto over around up down forward
    backward left right hand arm leg foot side both body place spot air ground floor front time once twice
    two three four five six one something object thing then and , stop start begin appears seem seems perform
    make motion movement do use take few several some again direction line circle circular clockwise
    counterclockwise position straight as if like return
    """.split()
)
_NUMBERS = re.compile(r"\b(two|three|four|five|six|seven|several|multiple|few|couple|many|again|repeat|\d+)")
_UPPER = re.compile(r"\b(hand|arm|head|shoulder|elbow|neck)")
_LOWER = re.compile(r"\b(leg|foot|feet|knee)")
_OF_THE_LEGS = frozenset(
    """
    stand|walk|walk backward|sidestep|jog|run|sprint|walk in a circle|jog in a circle|figure eight|
    walk in a curve|zigzag|turn|spin|turn around and walk back|stop and start|tiptoe|crouch walk|march|limp|
    stagger|moonwalk|jump|jump forward|jump backward|jump sideways|jump over|hop|skip|squat|sit down|stand up|
    kick|side kick|back kick|roundhouse kick|knee strike|balance|lunge|kneel|crawl|lie down|get up|
    sit on the floor|stairs up|stairs down|step over
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
# Ways that are part of what these words mean, whatever the truth says of them.
_IMPLIED = {
    "forward": frozenset(
        {"walk", "jog", "run", "sprint", "march", "tiptoe", "limp", "skip", "lunge", "kick"}
    ),
    "backward": frozenset({"walk backward", "moonwalk"}),
}
_VERTICAL = frozenset({"up", "down"})


@dataclass(frozen=True)
class PeoplesSentences:
    """Sentences by the actions that each may mean; every one says a single action."""

    by_action: Mapping[str, tuple[str, ...]]

    def held_out(self, held_out: bool) -> PeoplesSentences:
        """The tenth of the sentences that no training clip gets, or the others."""
        chosen = {
            action: tuple(text for text in several if (crc32(text.encode()) % 10 == 0) is held_out)
            for action, several in self.by_action.items()
        }
        return PeoplesSentences(chosen)

    def fitting(self, truth: Mapping[str, Any], count: int, rng: np.random.Generator) -> tuple[str, ...]:
        """Up to ``count`` sentences that are true of a clip; none for actions in a row or at once."""
        if "parts" in truth or "while" in truth:
            return ()
        offered = self.by_action.get(truth["action"], ())
        true = [sentence for sentence in offered if is_true(sentence, truth)]
        if not true:
            return ()
        chosen = rng.choice(len(true), min(count, len(true)), replace=False)
        return tuple(true[int(number)] for number in chosen)


def peoples_sentences(sentences: Iterable[str]) -> PeoplesSentences:
    """Those of the sentences that say one action plainly, by action."""
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        for action in plain_actions(sentence):
            found.setdefault(action, []).append(sentence)
    return PeoplesSentences({action: tuple(several) for action, several in sorted(found.items())})


def plain_actions(sentence: str) -> frozenset[str]:
    """The actions that a sentence may mean when it says one and nothing besides, else none."""
    if len(sentence.split()) > MOST_WORDS or _MANNER.search(sentence.lower()):
        return frozenset()
    claimed = claims(sentence).parts
    if len(claimed) != 1 or not _CLAIM_NOTHING.issuperset(words_beside_actions(sentence)):
        return frozenset()
    return claimed[0].actions


def is_true(sentence: str, truth: Mapping[str, Any]) -> bool:
    """Whether all that a plain sentence says agrees with a truth; what the truth is silent of is not true."""
    claimed, judged = claims(sentence).whole, agrees(sentence, truth)
    if not judged.action or False in (judged.side, judged.direction, judged.count):
        return False
    sideways = claimed.sides | claimed.supports | (claimed.directions & {*SIDE_NAMES, *TURNING})
    if sideways and not (judged.side or judged.direction):
        return False
    ways = claimed.directions - _VERTICAL - {*SIDE_NAMES, *TURNING}
    if any(way != truth.get("direction") and truth["action"] not in _IMPLIED.get(way, ()) for way in ways):
        return False
    if (_UPPER if truth["action"] in _OF_THE_LEGS else _LOWER).search(sentence.lower()):
        return truth["action"] == "dance"
    return judged.count is True or not _NUMBERS.search(sentence.lower())
