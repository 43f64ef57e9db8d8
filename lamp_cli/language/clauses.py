"""A sentence cut into pieces in the order in which they happen, by its links; knows no action.

``then``, ``before``, ``after`` and their like tell an order; ``and`` and a comma may part actions or not,
``while`` may tell of two at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FIRST, THEN, AND, WHILE = "first", "then", "and", "while"

_DONE = r"(?:\s+(?:is|are|has|have)|'s|'ve)?(?:\s+(?:been|done|over|finished|stop(?:s|ped)?|complete))*"
_THEN = re.compile(
    rf"""[\s,;:–—]{{0,8}}\b(?:and\s+|but\s+)?(?:
        (?:once|when|after|as\s+soon\s+as)\s+(?:that|this|he|she|it|they){_DONE}
            (?=\s*[,;]|\s+(?:he|she|it|they|you|we|the|a)\b)
        | (?:right\s+|immediately\s+|shortly\s+)?after\s+(?:that|this|which) | (?:and\s+)?afterwards?
        | (?:only\s+)?then(?:\s+finally)? | next | subsequently | finally | lastly | thereafter | whereupon
        | at\s+which\s+point | later | (?:immediately\s+)?followed\s+by
        | (?:and\s+)?end(?:s|ing)?\s+(?:with|by)
        | finish(?:es|ing)?\s+(?:with|by|off\s+with) | to\s+finish | in\s+the\s+end
    )\b(?:\s+(?:with|by))?[\s,]*
    | \s*[;.!?:]+\s+ | \s*[–—]\s* | \s+-+\s+""",
    re.I | re.X,
)
_BEFORE = re.compile(r"[\s,]{0,8}\b(?:(?:right\s+|just\s+)?before|prior\s+to|ahead\s+of)\s+(?=\w)", re.I)
_BEFORE_FIRST = re.compile(
    r"^(?:before|prior to)\s+(?P<last>[^,]+?)(?:,\s*|\s+(?=(?:he|she|they|it|you|the \w+) \w))(?P<first>.+)$",
    re.I,
)
# "after a, b" tells last what comes last; where there is no comma, b begins with its article.
_AFTER_FIRST = re.compile(
    r"^(?:after|once|when|as soon as|having)\s+"
    r"(?:(?P<first>[^,]+),\s*|(?P<begin>.+)\s+(?=(?:the|a|he|she|they)\b))(?P<last>.+)$",
    re.I,
)
_WHO = r"(?:he|she|it|they|you|the \w+|a \w+)"
_AFTER = re.compile(
    rf"^(?P<last>.+?)[\s,]+(?:after\s+(?:first\s+)?(?=\w+ing\b|{_WHO}\s|having\b)"
    rf"|(?:once|as soon as|when)\s+(?={_WHO}\s)|having\s+(?=\w+))(?P<first>.+)$",
    re.I,
)
_LEADING = re.compile(
    r"^(?:first(?:ly)?(?:\s+of\s+all)?|to\s+(?:begin|start)(?:\s+with)?|start(?:s|ing)?\s+(?:with|by|off\s+by))\b"
    r"(?:\s+comes)?[\s,]*|[\s,]{0,8}\bfirst[\s,]*$",
    re.I,
)
_WEAK = re.compile(r"\s*,?\s*\b(?P<link>and|while|whilst|as|plus|but)\s+|\s*,\s+", re.I)
# "As if", "as fast as" and "as though" link nothing.
_NO_LINK = re.compile(
    r"\bas (?=if\b|though\b|\w+ as\b|he can\b|she can\b|they can\b|you can\b|a\b|an\b|in\b|possible\b)", re.I
)
_COMMA_AFTER_SIDES = re.compile(r"\b(left|right)\s*,\s*(?=(?:left|right)\b)", re.I)

# "Does not move" asks for something, "without moving" does not.
_STILL = re.compile(r"\b(?:do|does|did|is|are)(?:n't| not) (?:move|moving|budge|stir)\w*\b(?: at all)?", re.I)
_UNHURRIED = re.compile(r"\b(?:in no|without(?: any)?|no) (?:hurry|rush|haste)\b", re.I)
_NEGATED = re.compile(
    r"\b(?:without|not|never|instead of|rather than|nobody|(?:do|does|did|is|are|was|were|has|have|had|ca|can"
    r"|could|wo|would|should|must)n[' ]?t|cannot|in no)\b.*?(?=[,.;:!?]|\bbut\b|\band then\b|\bthen\b|$)",
    re.I,
)


def without_negations(sentence: str) -> str:
    """The sentence without what is not to be done or is not so, up to the next mark."""
    return _NEGATED.sub(" ", _UNHURRIED.sub("slowly", _STILL.sub("stands still", sentence.replace("’", "'"))))


@dataclass(frozen=True)
class LinkedClause:
    """``words`` and the ``link`` with what stands before them, of which ``joint`` are the letters."""

    link: str
    words: str
    joint: str = ""


def as_one(pieces: Sequence[LinkedClause]) -> str:
    """The pieces as one again."""
    return pieces[0].words + "".join(f"{piece.joint or ', '}{piece.words}" for piece in pieces[1:])


def clauses_in_order(sentence: str) -> tuple[LinkedClause, ...]:
    """The pieces of a sentence in the order in which they happen; of one without links the whole.

    "After rising from the chair, she walks off and waves" -> "rising from the chair", then "she walks off",
    and "waves".
    """
    found: list[LinkedClause] = []
    for part in _parts(" ".join(sentence.split()).strip(" .!?")):
        link, joint = THEN, ""
        for words, next_link, next_joint in _weak_pieces(part):
            if words:
                found.append(LinkedClause(link if found else FIRST, words, joint))
            link, joint = next_link, next_joint
    return tuple(found)


def _parts(sentence: str) -> list[str]:
    """The sentence cut where one thing comes after the other, in the order of what happens."""
    found: list[str] = []
    for piece in _THEN.split(sentence):
        after = _AFTER_FIRST.match(piece)
        if after:
            pieces = [after["first"] or after["begin"], after["last"]]
        elif (before := _BEFORE_FIRST.match(piece)) is not None:
            pieces = [before["first"], before["last"]]
        elif (after := _AFTER.match(piece)) is not None:
            pieces = [after["first"], after["last"]]
        else:
            pieces = _BEFORE.split(piece)
        found += [_LEADING.sub("", one).strip(" ,") for one in pieces]
    return [piece for piece in found if piece]


def _weak_pieces(part: str) -> list[tuple[str, str, str]]:
    """Pieces, each with the link and the letters that follow it."""
    hidden = _NO_LINK.sub("as\0", _COMMA_AFTER_SIDES.sub("\\1 ", part))
    found, at = [], 0
    for match in _WEAK.finditer(hidden):
        if match["link"] is not None and match.start() == 0:
            # "While walking, she waves": the link stands before the first of the two.
            at = match.end()
            continue
        link = WHILE if (match["link"] or "").lower() in ("while", "whilst", "as") else AND
        found.append((hidden[at : match.start()], link, match[0]))
        at = match.end()
    found.append((hidden[at:], AND, ""))
    return [(words.replace("\0", " ").strip(" ,"), link, joint) for words, link, joint in found]
