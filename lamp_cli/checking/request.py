"""What a sentence most probably asks for, in the words that the checks take.

``sentence`` gives verdicts and so reads only what it is sure of. Here a draw is to be chosen: the likeliest
reading is good enough, and what is not likely enough is left out. The sentence is cut into pieces (room
``language``); of all ways to put neighbouring pieces together, each with the action that its words most
probably tell of, the likeliest is taken. How an action is to be done is read in its pieces by ``manner``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ..language.clauses import (
    AND,
    FIRST,
    THEN,
    WHILE,
    LinkedClause,
    as_one,
    clauses_in_order,
    without_negations,
)
from ..synthetic.corpus import KINDS, claims, likelihoods
from .checks import CHECKS
from .manner import manner

# By how much an action of its own must be likelier than none, by the link with what stands before it.
_LEAST = {FIRST: 4.0, THEN: 4.0, AND: 5.0, WHILE: 5.0}
# By how much more where no pattern names the action, and its words alone speak for it.
_UNNAMED = 4.5
# What it costs to read two pieces as one although one comes after the other.
_MERGED = 3.0
# Least share of the likelihood that an action must have to be one of those that may be meant.
_LEAST_SHARE = 0.2
# Coming up again belongs to what goes down.
_DOWN = frozenset(("squat", "bow", "pick up", "lunge", "kneel"))
_UP = frozenset(("stand up", "get up"))
# Who rises "again", and has gone down by whatever words, squats.
_AGAIN = re.compile(r"\b(?:again|back)\b", re.I)
_SINKS = re.compile(r"\b(?:low|lower\w*|down|sink\w*|dip\w*|drop\w*)\b", re.I)
_SEAT_OR_FLOOR = re.compile(r"\b(?:chair|seat|stool|bench|sofa|couch|floor|ground|bed|grass)\b", re.I)
# How somebody is before getting up asks for nothing.
_LOW = frozenset(("sit down", "sit on the floor", "lie down", "kneel", "squat"))
_STATE = re.compile(
    r"\b(?:was|were|been|start\w*|begin\w*|from|initially|already|sitting|seated|lying|laying|kneeling|sprawled)\b",
    re.I,
)
# There and back is one action.
_THERE_AND_BACK = "turn around and walk back"
_BACK = re.compile(r"\b(?:back(?! and\b)|returns?|returning)\b", re.I)
# What is done for another action, by that action: who waves has raised the hand.
_PART_OF = {
    "raise arms": frozenset(("wave", "salute", "drink", "phone", "point", "throw", "stretch")),
    "walk": frozenset(
        "tiptoe|crouch walk|march|limp|zigzag|walk in a curve|walk in a circle|stairs up|stairs down".split(
            "|"
        )
    ),
    "squat": frozenset(("pick up", "crouch walk")),
    "bow": frozenset(("pick up",)),
    "arms out": frozenset(("point",)),
}
# Longer sentences are not read: there is one reading for every way to put their pieces together.
_MOST_PIECES = 24


@dataclass(frozen=True)
class Request:
    """An action that is asked for.

    words: the pieces of the sentence that ask for it.
    meant: what may be meant, the likeliest first, each in the keys of :func:`..checks.does`; none where the
        action has no check.
    """

    words: str
    meant: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class _Segment:
    """Pieces that are read as one, the link before them, and what they may mean, the likeliest first."""

    link: str
    words: str
    actions: tuple[str, ...]
    asides: str = ""


@lru_cache(maxsize=10_000)
def requests(sentence: str) -> tuple[Request, ...]:
    """What a sentence asks for, in the order in which it is to be done; nothing where that is not known."""
    pieces = clauses_in_order(without_negations(sentence))
    if len(pieces) > _MOST_PIECES:
        return ()
    found: list[Request] = []
    for one in _without_returns(_there_and_back(_whole(_with_asides(_likeliest(pieces))))):
        request = Request(
            f"{one.words}, {one.asides}".strip(", "),
            tuple({"action": a, **manner(a, one.words, one.asides)} for a in one.actions if a in CHECKS),
        )
        if one.link == WHILE and found and found[-1].meant and request.meant:
            found[-1] = _at_once(found[-1], request)
        else:
            found.append(request)
    return tuple(found)


def _at_once(one: Request, other: Request) -> Request:
    meant = tuple({**each, "while": other.meant[0]} for each in one.meant)
    return Request(f"{one.words} while {other.words}", meant)


def _likeliest(pieces: Sequence[LinkedClause]) -> list[_Segment]:
    """The pieces put together in the likeliest way; of an aside there are no actions."""
    # Of the pieces up to each: the likelihood of the best way, and that way.
    best: list[tuple[float, tuple[_Segment, ...]]] = [(0.0, ())]
    for end in range(1, len(pieces) + 1):
        last = pieces[end - 1]
        ways = [(best[end - 1][0], (*best[end - 1][1], _Segment(last.link, last.words, ())))]
        for start in range(end):
            own = pieces[start:end]
            words = as_one(own)
            likelihood, actions = _read(words)
            cost = _LEAST[own[0].link] + _MERGED * sum(piece.link == THEN for piece in own[1:])
            segment = _Segment(own[0].link, words, actions)
            ways.append((best[start][0] + likelihood - cost, (*best[start][1], segment)))
        best.append(max(ways, key=lambda way: way[0]))
    return list(best[-1][1])


@lru_cache(maxsize=10_000)
def _read(words: str) -> tuple[float, tuple[str, ...]]:
    """How much likelier the words are with their likeliest action than with none, and what they may mean."""
    by_action: defaultdict[str, float] = defaultdict(float)
    for action, likelihood in likelihoods(words).items():
        by_action[KINDS.get(action, action)] += math.exp(likelihood)
    total = sum(by_action.values())
    if not total:
        return -math.inf, ()
    ranked = sorted(by_action, key=lambda action: -by_action[action])
    least = _LEAST_SHARE * total
    meant = tuple(action for action in ranked if by_action[action] >= min(least, by_action[ranked[0]]))
    named = {KINDS.get(action, action) for part in claims(words).parts for action in part.actions}
    surplus = 0.0 if ranked[0] in named else _UNNAMED
    return math.log(by_action[ranked[0]]) - surplus, _plainest(meant)


def _plainest(actions: tuple[str, ...]) -> tuple[str, ...]:
    """Of kinds of one action between which the words do not tell, that action: any of them does it."""
    first = actions[0].split()[0]
    plain = len(actions) > 1 and first in CHECKS and all(action.split()[0] == first for action in actions)
    return (first,) if plain else actions


def _with_asides(segments: Sequence[_Segment]) -> list[_Segment]:
    """The segments that name an action, each with the asides that follow it, the first with those before."""
    found: list[_Segment] = []
    before: list[str] = []
    for segment in segments:
        if segment.actions:
            asides = ", ".join(before)
            rises = segment.actions[0] in _UP and _AGAIN.search(segment.words)
            squats = (
                rises and _SINKS.search(asides) and not _SEAT_OR_FLOOR.search(f"{asides} {segment.words}")
            )
            actions = ("squat",) if squats else segment.actions
            found.append(replace(segment, actions=actions, asides=asides))
            before = []
        elif found:
            found[-1] = replace(found[-1], asides=f"{found[-1].asides}, {segment.words}".strip(", "))
        else:
            before.append(segment.words)
    return found


def _whole(segments: Sequence[_Segment]) -> list[_Segment]:
    """The segments, each together with what is done for it at the same time."""
    found: list[_Segment] = []
    for segment in segments:
        last = found[-1].actions[0] if found else ""
        first = segment.actions[0]
        if segment.link in (AND, WHILE) and (first == last or _is_part(first, last) or _is_part(last, first)):
            actions = segment.actions if _is_part(last, first) else found[-1].actions
            words = f"{found[-1].words}, {segment.words}"
            asides = f"{found[-1].asides}, {segment.asides}".strip(", ")
            found[-1] = replace(found[-1], words=words, actions=actions, asides=asides)
        else:
            found.append(segment)
    return found


def _is_part(action: str, whole: str) -> bool:
    return whole in _PART_OF.get(action, ()) or (action == "jump" and whole.startswith("jump "))


def _there_and_back(segments: Sequence[_Segment]) -> list[_Segment]:
    """The segments, where somebody walks, turns and comes back as one."""
    found: list[_Segment] = []
    for segment in segments:
        before = [one.actions[0] for one in found]
        returns = segment.actions[0] in (_THERE_AND_BACK, "walk backward", "walk") and _BACK.search(
            segment.words
        )
        many = 2 if before[-2:] == ["walk", "turn"] else 1 if before[-1:] == ["walk"] else 0
        if returns and many and (many == 2 or segment.actions[0] == _THERE_AND_BACK):
            words = ", ".join(one.words for one in (*found[-many:], segment))
            found[-many:] = [replace(found[-many], words=words, actions=(_THERE_AND_BACK,))]
        else:
            found.append(segment)
    return found


def _without_returns(segments: Sequence[_Segment]) -> list[_Segment]:
    """Without coming up again after going down, and without standing beside something else."""
    acts = any(segment.actions[0] != "stand" for segment in segments)
    found: list[_Segment] = []
    for number, segment in enumerate(segments):
        action = segment.actions[0]
        at_once = {one.link for one in (segment, *segments[number + 1 : number + 2])} & {AND, WHILE}
        while found and action in _UP and found[-1].actions[0] in _LOW and _STATE.search(found[-1].words):
            found.pop()
        back = found and action in _UP and found[-1].actions[0] in _DOWN
        stands = action == "stand" and (acts if at_once else bool(found) and not acts)
        if back:
            said = f"{found[-1].asides}, {segment.words}, {segment.asides}".strip(", ")
            found[-1] = replace(found[-1], asides=said)
        elif not stands:
            found.append(segment)
    return found
