"""What is asked for in the plainest words, those of the made-up corpus, by which a model has learned it.

Only a sentence that is read as what is asked for, no more and no less, is offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..synthetic.corpus import phrased, ways_of
from .asked import SIDE_NAMES
from .request import requests

_ADVERBS = {"slow": "slowly", "fast": "quickly", None: ""}
_CIRCLES = {"left": "counterclockwise", "right": "clockwise"}


def plain_sentence(asked: Mapping[str, Any]) -> str | None:
    """The plainest sentence that asks for it, in the keys of :func:`.checks.does`; None if there is none."""
    truths = list(_truths(asked))
    for source in (ways_of, phrased):
        for truth in truths:
            for verb, rest in source(truth):
                sentence = f"a person {verb} {rest} {_ADVERBS[asked.get('speed')]}".strip()
                if _asks_for(sentence, asked):
                    return sentence
    return None


def _asks_for(sentence: str, asked: Mapping[str, Any]) -> bool:
    """Whether all of it is asked for, and no count or angle that is not."""
    found = requests(sentence)
    if len(found) != 1 or not found[0].meant:
        return False
    read = found[0].meant[0]
    more = {"count", "angle"} & (read.keys() - asked.keys())
    return not more and all(read.get(key) == value for key, value in asked.items())


def _truths(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What may be true of a clip that does it, in the keys of the corpus: as it is, and with a side."""
    for side in dict.fromkeys((asked.get("side"), asked.get("side") or "right")):
        truth: dict[str, Any] = {"count": 1, **asked}
        if side:
            truth["side"] = side
        if side in SIDE_NAMES:
            truth |= {
                "lifted": SIDE_NAMES[1 - SIDE_NAMES.index(side)],
                "clock": _CIRCLES[side],
                "first": side,
            }
        if side in SIDE_NAMES and "circle" in asked["action"]:
            truth["direction"] = _CIRCLES[side]
        if asked["action"] == "turn":
            truth["degrees"] = abs(asked.get("angle", 90 if "side" in asked else 180))
        if asked["action"] == "jump turn":
            truth["degrees"] = 180
        yield truth
