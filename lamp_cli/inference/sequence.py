"""A sentence that tells several actions in a row, as one sentence for each, in the order they happen.

By rule, and boldly: whoever makes a motion of the parts sees by the check whether it does what the whole
sentence asks for.
"""

from __future__ import annotations

import re

from ..checking.plainly import plain_sentence
from ..checking.request import requests
from ..language.part_of_speech import tagged_tokens

_OWN = re.compile(r"^(?:he|she|it|they)\s+(?:has\s+|have\s+)?", re.I)
_MOST_SUBJECT_WORDS = 4
_SOMEONE = "a person"


def sentences_in_a_row(sentence: str) -> tuple[str, ...]:
    """One sentence for every action in a row, each with a subject; of one action the sentence alone.

    "After rising from the chair, the lady walks off" -> ("the lady is rising from the chair",
    "the lady walks off"). Where no action is known in a part, it stays with the one before.
    """
    rows = [request.words for request in requests(sentence)]
    if len(rows) < 2:
        return (sentence,)
    subject = next((found for found in map(_subject, rows) if found), _SOMEONE)
    return tuple(_with_subject(row, subject) for row in rows)


def plain_sentences(sentence: str) -> tuple[str, ...]:
    """As :func:`sentences_in_a_row`, in the plainest words for what is asked for; empty if none are known."""
    asked = [one.meant[0] if one.meant else None for one in requests(sentence)]
    found = [None if one is None else plain_sentence(one) for one in asked]
    rows = [words or own for words, own in zip(found, sentences_in_a_row(sentence), strict=False)]
    return tuple(rows) if any(found) else ()


def _tag(word: str) -> str:
    tagged = tagged_tokens(word)
    return tagged[0].rsplit("/", 1)[1] if tagged else ""


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
