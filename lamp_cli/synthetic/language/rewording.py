"""Other words for the same: a sentence as somebody else might put it.

The sentences of a made-up corpus know some thousand words; people choose among far more. Here subjects,
verbs and turns of phrase are exchanged for others that claim no more and no less, so that a sentence stays
true of its clip. Works on finished sentences; knows no motion.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...language.english import gerund, gerund_of_third_person, past, third_person
from ..movement import one_of
from .realization import SUBJECTS

_NOUNS = """
    boy|girl|lady|gentleman|fellow|guy|dude|kid|child|teenager|youngster|adult|grown-up|young man|young woman|
    old man|elderly woman|senior|character|avatar|skeleton|mannequin|model|actor|actress|performer|dancer|
    athlete|player|sportsman|gymnast|runner|fighter|boxer|martial artist|soldier|guard|officer|worker|farmer|
    builder|waiter|clerk|nurse|doctor|patient|teacher|student|pupil|customer|visitor|tourist|neighbor|friend|
    mother|father|grandmother|grandfather|animator|volunteer|participant|subject|trainee|coach|stranger
""".replace("\n", "").split("|")
_OTHER_SUBJECTS = (
    "he", "she", "they", "one person", "somebody", "someone", "an individual", "a human being",
    "the first person", "our hero", "my friend",
)  # fmt: skip
_NOUN_SHARE = 0.75

# Verbs in the base form that may stand for the first, wherever it stands.
_VERBS = {
    "walk": "stroll|amble|stride|wander|pace|saunter|step|move along",
    "stroll": "walk|amble|wander|saunter",
    "jog": "trot|run lightly|run at an easy pace|lope",
    "sprint": "race|tear|bolt|dash|run flat out",
    "turn": "rotate|pivot|swivel",
    "spin": "whirl|twirl|revolve|pirouette",
    "limp": "hobble|walk with a limp|drag along",
    "stagger": "lurch|reel|stumble|totter|wobble",
    "crawl": "creep on all fours|clamber on hands and knees",
    "sneak": "creep|steal|slink",
    "march": "parade|tramp",
    "crouch": "hunker|stoop",
    "lift": "raise|elevate",
    "raise": "lift|put up|elevate|stick up|hold up",
    "lower": "bring down|let down",
    "push": "shove|press",
    "pull": "tug|yank|haul|drag",
    "carry": "bear|lug|transport|haul",
    "hit": "strike|whack|smack|swat",
    "grab": "grasp|take hold of|seize|snatch",
    "wipe": "clean|rub|polish",
    "sway": "rock|swing",
    "dance": "groove|boogie|move to the music",
    "drink": "sip|gulp|swig",
    "eat": "munch|chew|dine",
    "talk": "chat|speak",
    "point": "gesture",
    "examine": "study|inspect|look over",
    "climb": "ascend|go up|mount",
    "squat": "do a squat|sink into a squat|dip into a squat",
    "bow": "take a bow|make a bow",
    "nod": "give a nod",
    "shrug": "give a shrug|hitch the shoulders up",
    "salute": "give a salute",
    "kneel": "go down on a knee|get on the knees",
    "balance": "stay balanced|keep the balance|stand",
    "catch": "receive|snag",
    "toss": "throw|lob|fling",
    "start": "begin",
    "begin": "start",
}
# Where the words around a verb decide: VERB stands for its ending.
_PHRASES: tuple[tuple[str, str], ...] = (
    (r"\b(run)VERB(?!.*(slow|gentl|light|eas|leisur|place))", "race|rush"),
    (r"(?<!star )\b(jump|leap)VERB(?! (jack|rope|over))", "leap|spring|bound|jump|bounce"),
    (r"\b(bend)VERB(?= (down|over|forward))", "lean|stoop"),
    (r"\b(throw)VERB(?= (something|(a|the|some) (\w+ )?(ball|baseball|softball|object|stone)))",
     "toss|fling|lob|hurl|sling|pitch"),
    (r"\b(look)VERB(?! like)", "glance|peer|gaze"),
    (r"\b(pick)VERB up", "grab|collect|gather|fetch|retrieve|take"),
    (r"\b(sit)VERB down", "take a seat|settle down|get seated|take their seat"),
    (r"\b(lie)VERB down", "recline|stretch out flat"),
    (r"\b(stand)VERB up", "rise|get up|come up|rise up"),
    (r"\b(stand)VERB still", "stay still|keep still|hold still|remain still"),
    (r"\b(wave)VERB(?= with)", "give a wave|signal hello|say hello"),
    (r"\b(clap)VERB(?! (the|both|his|her|their))", "applaud|give applause|beat the hands together"),
)  # fmt: skip
# Turns of phrase that say the same either way.
_TURNS: tuple[tuple[str, str], ...] = (
    (r"\bonce\b(?! (he|she|they|it|the))", "one time|a single time|just once"),
    (r"\btwice\b", "two times|2 times|on two occasions"),
    (r"\b(three|3) times\b", "three times|thrice|3 times|three times in a row"),
    (r"\b(four|4) times\b", "four times|4 times|four times in a row"),
    (r"\bseveral times\b", "repeatedly|again and again|over and over|many times"),
    (r"(?<!straight )\bforwards?\b(?! (bend|roll))", "ahead|forwards|to the front"),
    (r"\bstraight ahead\b", "straight on|right ahead|straight forward"),
    (r"\bbackwards?\b", "rearward|in reverse|backward"),
    (r"\bto (the|their|his|her) (left|right)\b(?! (hand|arm|leg|foot|knee|shoulder|hip|ear|side))",
     r"toward the \2|over to the \2|to \1 \2 side|\2ward|off to the \2"),
    (r"\bin place\b", "on the spot|without going anywhere|in one spot"),
    (r"\bin a circle\b", "around in a circle|round and round|in a ring|in a loop|along a circle"),
    (r"\bwith both hands\b", "with the two hands|using both hands|two-handed"),
    (r"\b(with|using) (the|their|his|her) (left|right) (hand|arm|leg|foot|fist|knee)\b",
     r"using the \3 \4|with her \3 \4|by means of the \3 \4|with his \3 \4"),
    (r"\bthe (left|right) (hand|arm|leg|foot|knee)\b", r"his \1 \2|her \1 \2|their \1 \2"),
    (r"\bthe (floor|ground)\b", "the floor|the ground|the earth"),
    (r"\b(quickly|swiftly|rapidly)\b", "fast|in a hurry|at speed|speedily|briskly"),
    (r"\b(slowly|unhurriedly)\b", "at a slow pace|without haste|in no rush|leisurely"),
    (r"\bgently\b", "softly|lightly|with care"),
    (r"\b(overhead|above the head)\b", "over the head|high above"),
    (r"\bup in the air\b", "into the air|skyward|high up"),
    (r"\bin front of (them|him|her|the body)\b", "before the body|out front|ahead of the body"),
    (r"\bsomething\b", "an object|some item|a thing"),
)  # fmt: skip
_PRESENT = re.compile(r"^(?P<first>.+?)(?:,| and)? then (?P<verb>[a-z]+s)\b(?P<rest>.*?)(?P<stop>\.?)$")
SUBJECT = re.compile(rf"^({'|'.join(sorted(map(re.escape, set(SUBJECTS)), key=len, reverse=True))})\b", re.I)
_VERB_SHARE, _TURN_SHARE, _LINK_SHARE = 0.5, 0.5, 0.7


def reworded(sentence: str, rng: np.random.Generator) -> str:
    """The sentence in other words; equal to it where none are known."""
    text = _with_other_link(sentence, rng)
    text = _with_other_verbs(text, rng)
    for pattern, others in _TURNS:
        text = _exchanged(text, pattern, others, rng)
    return _with_other_subject(text, rng)


def _with_other_subject(text: str, rng: np.random.Generator) -> str:
    found = SUBJECT.match(text)
    if found is None:
        return text
    subject = one_of(_OTHER_SUBJECTS, rng)
    if rng.random() < _NOUN_SHARE:
        noun = one_of(_NOUNS, rng).strip()
        article = "an" if noun[0] in "aeiou" else "a"
        subject = f"{one_of((article, 'the', article, 'the', 'this'), rng)} {noun}"
    rest = text[found.end() :]
    if subject == "they":
        rest = re.sub(r"^ (is|was)\b", lambda verb: " are" if verb[1] == "is" else " were", rest)
        # A plural verb would need its base form: only what has an auxiliary may be said of "they".
        subject = subject if re.match(r" (are|were)\b", rest) else "he"
    return subject + rest


def _with_other_verbs(text: str, rng: np.random.Generator) -> str:
    for forms in _forms_of_verbs():
        # One form is enough: nobody says the same verb twice.
        found = next((form for form in forms if form.word in text and form.pattern.search(text)), None)
        if found is not None and rng.random() < _VERB_SHARE:
            text = found.pattern.sub(one_of(found.others, rng), text, count=1)
    return text


@dataclass(frozen=True)
class _Form:
    """One form of a verb, where it may be exchanged, and the same form of the others."""

    word: str
    pattern: re.Pattern[str]
    others: tuple[str, ...]


@cache
def _forms_of_verbs() -> tuple[tuple[_Form, ...], ...]:
    """The forms in -s, -ing and of the past of every verb; the base form may be a noun and stays."""
    anywhere = tuple((rf"\b({verb})VERB\b(?!-)", others) for verb, others in _VERBS.items())
    return tuple(
        tuple(
            _Form(
                form(base),
                re.compile(re.sub(r"\([a-z|]+\)VERB", form(base), pattern, count=1)),
                tuple(_first_word(form, other) for other in others.split("|")),
            )
            for base in re.search(r"\(([a-z|]+)\)VERB", pattern)[1].split("|")  # type: ignore[index]
            for form in (third_person, gerund, past)
        )
        for pattern, others in (*_PHRASES, *anywhere)
    )


def _first_word(form: Callable[[str], str], phrase: str) -> str:
    head, _, tail = phrase.partition(" ")
    return f"{form(head)} {tail}".rstrip()


def _exchanged(text: str, pattern: str, others: str, rng: np.random.Generator) -> str:
    if not re.search(pattern, text) or rng.random() >= _TURN_SHARE:
        return text
    return re.sub(pattern, one_of(others.split("|"), rng), text, count=1)


def _with_other_link(text: str, rng: np.random.Generator) -> str:
    """Two actions in a row, joined in another way or told in the other order."""
    found, subject = _PRESENT.match(text), SUBJECT.match(text)
    if found is None or subject is None or rng.random() >= _LINK_SHARE:
        return text
    first, verb, rest, stop = (found[name] for name in ("first", "verb", "rest", "stop"))
    second, doing = f"{verb}{rest}", f"{gerund_of_third_person(verb)}{rest}"
    opening = re.match(r" ([a-z]+s)\b(.*)$", first[subject.end() :])
    ways = [
        f"{first} before {doing}",
        f"{first} and afterwards {second}",
        f"{first}, after which he {second}",
        f"{first}, next she {second}",
        f"{first} and finally {second}",
        f"{first}, followed by {doing}",
        f"first {first}, then {second}",
        f"{first}; after that he {second}",
        f"{first} and later {second}",
        f"{first} and subsequently {second}",
    ]
    if opening is not None and opening[1] != "is":
        done = f"{gerund_of_third_person(opening[1])}{opening[2]}"
        ways += [f"after {done}, {first[: subject.end()].lower()} {second}"] * 2
        ways += [f"{first[: subject.end()]} {second} after {done}"]
        ways += [f"before {doing}, {first[: subject.end()].lower()}{first[subject.end() :]}"]
    return one_of(ways, rng) + stop
