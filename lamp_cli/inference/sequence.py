"""A sentence that tells several actions in a row, as one sentence for each, in the order they happen.

By rule, and boldly: whoever makes a motion of the parts sees by the check whether it does what the whole
sentence asks for.
"""

from __future__ import annotations

import re

from ..language.part_of_speech import tagged_tokens
from ..synthetic.corpus import claims

_DONE = r"(?:\s+(?:is|are|has|have)|'s)?(?:\s+(?:done|over|finished|stop(?:s|ped)?))*"
_THEN = re.compile(
    rf"""[\s,;:–—]{{0,8}}\b(?:and\s+|but\s+)?(?:
        (?:once|when|after)\s+(?:that|this|he|she|it|they){_DONE}\b(?!\s+\w+s\b)
        | after\s+(?:that|this|which) | afterwards? | then | next | subsequently | finally | lastly
        | followed\s+by | later
    )\b[\s,]*
    | \s*[;.!]+\s+""",
    re.I | re.X,
)
_BEFORE = re.compile(r"[\s,]{0,8}\bbefore\s+", re.I)
# "after a, b" tells last what comes last; where there is no comma, b begins with its article.
_AFTER = re.compile(
    r"^(?:after|once|when|as soon as|having)\s+"
    r"(?:(?P<first>[^,]+),\s*|(?P<begin>.+)\s+(?=the\b|a\b))(?P<last>.+)$",
    re.I,
)
_FIRST = re.compile(r"^first(?:ly)?\b(?:\s+comes)?[\s,]*|[\s,]{0,8}\bfirst[\s,]*$", re.I)
_AND = re.compile(r"\s*,?\s*\band\s+|\s*,\s+", re.I)
_OWN = re.compile(r"^(?:he|she|it|they)\s+(?:has\s+|have\s+)?", re.I)
_MOST_SUBJECT_WORDS = 4
_SOMEONE = "a person"


def sentences_in_a_row(sentence: str) -> tuple[str, ...]:
    """One sentence for every action in a row, each with a subject; of one action the sentence alone.

    "After rising from the chair, the lady walks off" -> ("the lady is rising from the chair",
    "the lady walks off"). Where no action is known in a part, it stays with the one before.
    """
    parts = _parts(" ".join(sentence.split()).strip(" .!"))
    pieces = [piece.strip(" ,") for part in parts for piece in _AND.split(part)]
    rows: list[str] = []
    for piece in filter(None, pieces):
        if rows and not (claims(piece).parts and claims(rows[-1]).parts):
            rows[-1] = f"{rows[-1]} and {piece}" if _begins_with_verb(piece) else f"{rows[-1]}, {piece}"
        else:
            rows.append(piece)
    if len(rows) < 2:
        return (sentence,)
    subject = next((found for found in map(_subject, rows) if found), _SOMEONE)
    return tuple(_with_subject(row, subject) for row in rows)


def _parts(sentence: str) -> list[str]:
    """The sentence cut where one thing comes after the other, in the order of what happens."""
    found: list[str] = []
    for piece in _THEN.split(sentence):
        after = _AFTER.match(piece)
        pieces = [after["first"] or after["begin"], after["last"]] if after else _BEFORE.split(piece)
        found += [_FIRST.sub("", one).strip(" ,") for one in pieces]
    return [piece for piece in found if piece]


def _tag(word: str) -> str:
    tagged = tagged_tokens(word)
    return tagged[0].rsplit("/", 1)[1] if tagged else ""


def _begins_with_verb(piece: str) -> bool:
    return _tag(piece.split()[0]) == "VERB"


def _subject(piece: str) -> str:
    """The words before the first verb, where a person may be meant; empty where there is none."""
    words = piece.split()
    verb = next((place for place, word in enumerate(words) if _tag(word) in ("VERB", "AUX")), 0)
    before = words[:verb]
    noun = bool(before) and _tag(before[0]) in ("DET", "NOUN") and before[0].lower() not in ("two", "three")
    return " ".join(before).rstrip(",") if noun and verb <= _MOST_SUBJECT_WORDS else ""


def _with_subject(piece: str, subject: str) -> str:
    """The piece as a sentence: "he has kicked" and "kicking" with the subject, "kick" as it is."""
    own = _OWN.sub("", piece)
    first = own.split()[0].lower()
    lemma, _, tag = (tagged_tokens(first) or ["//"])[0].partition("/")
    if tag != "VERB":
        return piece
    if lemma == first:
        return own
    return f"{subject} is {own}" if first.endswith("ing") else f"{subject} {own}"
