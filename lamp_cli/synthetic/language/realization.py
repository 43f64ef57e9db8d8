"""Sentences about a movement in the voice of people: subjects, tenses, adverbs, slips of the pen.

Every sentence is true: adverbs and sides come from the movement. Knows words, not motion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...language.english import base_of_third_person, gerund, gerund_of_third_person, past
from ..movement import Movement, one_of

SUBJECTS = (
    "a person",
    "a person",
    "a person",
    "the person",
    "a man",
    "the man",
    "someone",
    "a figure",
    "he",
    "she",
    "a woman",
    "the figure",
    "person",
    "man",
    "this person",
    "a human",
    "the individual",
    "a guy",
    "somebody",
    "the woman",
    "a stick figure",
)


# A verb in the third person, what follows it, and an adverb of manner or none.
VerbPhrase = tuple[str, str, str]

# What stands before the first verb's -ing form.
_OPENINGS = {
    "progressive": ("is ",),
    "begins": ("starts ", "begins ", "started "),
    "appears": ("appears to be ", "seems to be ", "looks like they are "),
}


def sentences_of(movement: Movement, count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """``count`` different sentences, fewer when the movement has fewer ways to be said."""
    return different(lambda: sentence_of([_clause(movement, rng)], rng), count, 6 * count)


def sentences_of_sequence(parts: Sequence[Movement], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """``count`` sentences about movements one after the other."""
    return different(lambda: sentence_of([_clause(part, rng) for part in parts], rng), count, 3 * count)


def sentences_while(parts: Sequence[Movement], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """``count`` sentences about two movements at once, the first of the legs, the second of the arms."""
    return different(lambda: sentence_while([_clause(part, rng) for part in parts], rng), count, 3 * count)


def different(say: Callable[[], str], count: int, tries: int) -> tuple[str, ...]:
    """The first ``count`` different sentences of so many ``tries``, fewer where no more are found."""
    found: dict[str, None] = {}
    while tries and len(found) < count:
        found[say()] = None
        tries -= 1
    return tuple(found)


def sentence_while(clauses: Sequence[VerbPhrase], rng: np.random.Generator) -> str:
    """A sentence about two things done at once, legs first; how they are done is left out."""
    legs, arms = clauses
    first, second = (
        f"{legs[0]} {legs[1]}".strip(),
        f"{gerund_of_third_person(arms[0])} {arms[1]}".strip(),
    )
    return _slip(f"{one_of(SUBJECTS, rng)} {first} while {second}", rng)


def _clause(movement: Movement, rng: np.random.Generator) -> VerbPhrase:
    verb, rest = one_of(movement.ways, rng)
    manner = ""
    if movement.manners and rng.random() < 0.6:
        manner = one_of(movement.manners, rng)
    return verb, rest, manner


def sentence_of(clauses: Sequence[VerbPhrase], rng: np.random.Generator) -> str:
    """A sentence about clauses one after the other, in one of people's tenses."""
    forms = ["present", "progressive", "past", "fragment", "begins", "appears"]
    form = rng.choice(forms, p=[0.66, 0.12, 0.09, 0.05, 0.05, 0.03])
    if any(verb == "does" and rest.startswith("not ") for verb, rest, _ in clauses):
        form = "present"
    inflected = [_inflected(clause, str(form), number, rng) for number, clause in enumerate(clauses)]
    links = (" and then ", ", then ", " and ", " then ")
    text = inflected[0]
    for part in inflected[1:]:
        text += one_of(links, rng) + part
    return _slip(text if form == "fragment" else f"{one_of(SUBJECTS, rng)} {text}", rng)


def _inflected(clause: VerbPhrase, form: str, number: int, rng: np.random.Generator) -> str:
    verb, rest, manner = clause
    base = base_of_third_person(verb)
    word = {"present": verb, "past": past(base)}.get(form, gerund(base))
    # Verbs within the rest ("bends down and picks ...") keep the present, as people's sentences often do.
    if number == 0:
        word = one_of(_OPENINGS.get(form, ("",)), rng) + word
    elif form in ("begins", "appears"):
        word = verb
    if manner and " " not in manner and manner.endswith("ly") and rng.random() < 0.4:
        head, _, tail = word.partition(" ")
        word = f"{head} {manner} {tail}" if tail else f"{manner} {word}"
        manner = ""
    return " ".join(part for part in (word, rest, manner) if part)


def _slip(text: str, rng: np.random.Generator) -> str:
    """Now and then a letter is lost, a capital or a full stop is there; sides and counts stay legible."""
    draw = rng.random()
    if draw < 0.02:
        words = text.split()
        long = [n for n, w in enumerate(words) if len(w) > 5 and w not in ("counterclockwise", "clockwise")]
        if long:
            n = one_of(long, rng)
            at = int(rng.integers(1, len(words[n]) - 1))
            words[n] = words[n][:at] + words[n][at + 1 :]
        return " ".join(words)
    if draw < 0.1:
        return f"{text[0].upper()}{text[1:]}."
    return f"{text}." if draw < 0.3 else text
