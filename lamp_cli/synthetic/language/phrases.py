"""Phrases with conditions and places: what ``ways.txt`` and ``phrasebook.txt`` are written in.

Both have a heading ``## ACTION`` for every action and a phrase in each line below it:

    greets somebody with the {side} hand
    [side=both] flaps both hands in greeting
    [count] brings the palms together {times}
    [side=both; stands up=true] kneels on the knees and (rises|gets up again)

A phrase begins with a verb in the third person. What stands in brackets must be true of a clip (a key alone:
must be known; values with ``|``: one of them); so must what the places in braces ask for. Each of the
alternatives in parentheses makes a phrase of its own. Knows words and truths, not motion.

Places are filled with values of the truth and of the words that an action adds to it, and with what follows
from them: ``{side}`` is left or right and ``{other}`` its opposite, ``{hands}`` and ``{arms}`` are "the left
hand" or "both hands", ``{second}`` is the side after the ``{first}``. Of a count, ``{times}`` is "once" or
"3 times", ``{often}`` the same or nothing for once, ``{number}`` "three" and ``{count}`` "3".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...language.english import NUMBERS
from ...language.mirror import OTHER_SIDE

_LINE = re.compile(r"(?:\[(?P<conditions>[^\]]+)\] *)?(?P<words>[^\[\]]+)")
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_PLACE = re.compile(r"\{(\w+)\}")
# Keys of truths and of the words that actions add to them (a new one is named here), and what follows.
_VALUES = frozenset(
    "side direction first lifted gait stroke with where to toward at way degrees clock tune count".split()
)
_PLACES = _VALUES | {"other", "second", "hands", "arms", "times", "often", "number"}

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
            key in truth and (values is None or _as_words(truth[key]) in values.split("|"))
            for key, values in self.conditions
        )
        return given and self.places <= filling_of(truth).keys()

    def filled(self, filling: Mapping[str, Any]) -> tuple[str, str]:
        """The verb and the rest."""
        words = self.words.format_map(filling).strip()
        verb, rest = re.fullmatch(r"([^ ,]+) ?(.*)", words).groups()  # type: ignore[union-attr]
        return verb, rest


def parse_phrases(content: str) -> dict[str, tuple[Phrase, ...]]:
    """Phrases by action; raises ``ValueError`` naming the line that is no phrase or has an unknown place."""
    found: dict[str, list[Phrase]] = {}
    action = None
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith("## "):
            action = line[3:].strip()
            found.setdefault(action, [])
        elif line.strip():
            match = _LINE.fullmatch(line.strip())
            if match is None or action is None:
                raise ValueError(f"line {number}: expected a phrase of an action, found {line!r}")
            places = frozenset(_PLACE.findall(line))
            if unknown := sorted(places - _PLACES):
                known = ", ".join(sorted(_PLACES))
                raise ValueError(f"line {number}: expected places out of {known}, found {unknown[0]}")
            conditions = _conditions(match["conditions"] or "")
            found[action] += [Phrase(conditions, words, places) for words in _each(match["words"].strip())]
    return {action: tuple(phrases) for action, phrases in found.items()}


def filling_of(truth: Truth) -> dict[str, Any]:
    """What the places say of a truth (``times`` and ``often`` in several ways); unknown ones are missing."""
    filling = {key: value for key, value in truth.items() if key in _VALUES}
    side = filling.get("side")
    if side in OTHER_SIDE:
        filling |= {"other": OTHER_SIDE[side], "hands": f"the {side} hand", "arms": f"the {side} arm"}
    elif "side" in filling:
        del filling["side"]
        filling |= {"hands": "both hands", "arms": "both arms"}
    if "first" in truth:
        filling["second"] = OTHER_SIDE[truth["first"]]
    if "count" in truth:
        count = int(truth["count"])
        often = _often(count)
        filling |= {"count": count, "number": _number(count), "often": often}
        filling["times"] = tuple(filter(None, often))
    return filling


def _often(count: int) -> tuple[str, ...]:
    """Ways to say how often; empty words for once, as people leave it out."""
    words = {1: ("", "once"), 2: ("twice", "two times", "2 times")}
    return words.get(count, (f"{_number(count)} times", f"{count} times"))


def _number(count: int) -> str:
    return NUMBERS[count] if count <= 6 else str(count)


def _each(words: str) -> Iterator[str]:
    """The words with each of their alternatives."""
    match = _ALTERNATIVES.search(words)
    if match is None:
        yield words
        return
    for chosen in match[1].split("|"):
        yield from _each(words[: match.start()] + chosen + words[match.end() :])


def _conditions(text: str) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = part.partition("=")
        found.append((key.strip(), value.strip().lower() if equals else None))
    return tuple(found)


def _as_words(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).lower()
