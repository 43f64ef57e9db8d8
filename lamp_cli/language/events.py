"""The events of a sentence, what happens one after the other, and the sentence with them in another order.

Source of the contrast: Fujiwara et al., "Chronologically Accurate Retrieval for Temporal Grounding of
Motion-Language Models", ECCV 2024, who let a language model find the events. Here a rule finds them: verbs
of one form, linked by "then", "and", commas or full stops. Sentences of another build are left alone. Knows
words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .part_of_speech import tagged_tokens

LINK = ", then "
MOST_SUBJECT_WORDS = 4
# What happens at once, what is told in another order than it happens, and what hangs on what went before.
_NOT_IN_ORDER = re.compile(
    r"\b(?:while|whilst|as|after|before|until|when|during|with|without|again|repeat\w*|same|other|opposite|"
    r"back|return\w*|first|last|finally|followed|preced\w+|twice|both)\b"
)
_LINKS = re.compile(r"\s*(?:[,;.]\s*)?\b(?:and then|then|and)\b\s*,?\s*|\s*[,;.]\s*")
_PRONOUN = re.compile(r"^(?:he|she|it|they|(?:the|this) \w+)\s+(?:is |are )?")


def events_of(sentence: str) -> tuple[str, tuple[str, ...]] | None:
    """Subject and events of a sentence of two or more; None for one of another build.

    "a man walks forward, turns and sits down" -> "a man", ("walks forward", "turns", "sits down").
    """
    text = " ".join(sentence.lower().split()).strip(" .,!")
    if _NOT_IN_ORDER.search(text) or re.search(r"[^a-z ,;.'-]", text):
        return None
    first = _first_verb(text)
    if first is None or not 0 < len(text[:first].split()) <= MOST_SUBJECT_WORDS:
        return None
    subject = text[:first].strip()
    events: list[str] = []
    for piece in _pieces(text[first:]):
        if _first_verb(piece) == 0:
            events.append(piece)
        else:
            # "walks left and right": no event begins here.
            return None
    forms = {_form(event) for event in events}
    if len(events) < 2 or len(forms) > 1 or len(set(events)) < len(events):
        return None
    return subject, tuple(events)


def in_another_order(sentence: str, rng: np.random.Generator) -> tuple[str, str] | None:
    """A sentence put together from its events in their order, and in another one that is drawn.

    Both are linked alike, so that only the order tells them apart. None where :func:`events_of` is.
    """
    found = events_of(sentence)
    if found is None:
        return None
    subject, events = found
    right, wrong = in_two_orders(events, rng)
    return f"{subject} {right}", f"{subject} {wrong}"


def in_two_orders(events: Sequence[str], rng: np.random.Generator) -> tuple[str, str]:
    """Two events or more linked in their order, and in another one that is drawn."""
    order = np.arange(len(events))
    while (order == np.arange(len(events))).all():
        order = rng.permutation(len(events))
    return LINK.join(events), LINK.join(events[place] for place in order.tolist())


def _pieces(text: str) -> list[str]:
    """The text cut at its links, without the pronouns that take up the subject."""
    return [_PRONOUN.sub("", piece.strip()) for piece in _LINKS.split(text) if piece.strip()]


def _first_verb(text: str) -> int | None:
    """Where the first verb begins, adverbs before it ("slowly walks") counted to it."""
    start: int | None = None
    for word in re.finditer(r"[a-z'-]+", text):
        if word[0].endswith("ly"):
            start = word.start() if start is None else start
        elif word[0] in ("is", "are"):
            start = None
        elif any(token.endswith("/VERB") for token in tagged_tokens(word[0])):
            return word.start() if start is None else start
        else:
            start = None
    return None


def _form(event: str) -> str:
    verb = next(word for word in event.split() if not word.endswith("ly"))
    return "ing" if verb.endswith("ing") else "s" if verb.endswith("s") else "base"
