"""English verb and noun forms: the one table of irregular verbs, and the rules for all others.

Knows spelling, no meaning: whether a word is a verb at all is for the caller to know.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

# Base form, past as it is written, then other forms that are only read.
_TABLE = """
bear bore borne, beat beat beaten, become became, begin began begun, behold beheld, bend bent, bid bid,
bind bound, bite bit bitten, bleed bled, blow blew blown, break broke broken, bring brought, build built,
burst burst, buy bought, cast cast, catch caught, choose chose chosen, cling clung, come came, creep crept,
cut cut, dig dug, dive dived dove, do did done, draw drew drawn, drink drank drunk, drive drove driven,
eat ate eaten, fall fell fallen, feed fed, feel felt, fight fought, find found, flee fled, fling flung,
fly flew flown, forget forgot forgotten, freeze froze frozen, get got gotten, give gave given, go went gone,
grind ground, grow grew grown, hang hung, have had, hear heard, hide hid hidden, hit hit, hold held,
keep kept, kneel knelt, know knew known, lay laid, lead led, lean leaned leant, leap leapt, leave left,
let let, lie lay lain, lose lost, make made, meet met, pay paid, put put, quit quit, read read,
ride rode ridden, ring rang rung, rise rose risen, run ran, say said, see saw seen, seek sought, sell sold,
send sent, set set, shake shook shaken, shoot shot, show showed shown, shut shut, sing sang sung,
sink sank sunk, sit sat, sleep slept, slide slid, sling slung, slink slunk, smite smote smitten,
sneak sneaked snuck, speak spoke spoken, spend spent, spin spun, split split, spread spread,
spring sprang sprung, stand stood, steal stole stolen, stick stuck, strike struck stricken, stride strode,
string strung, swear swore sworn, sweep swept, swim swam swum, swing swung, take took taken, teach taught,
tear tore torn, tell told, think thought, throw threw thrown, thrust thrust, tread trod trodden,
uppercut uppercut, wake woke woken, wear wore worn, weave wove woven, wind wound, withdraw withdrew withdrawn,
wring wrung, write wrote written
"""
# Forms that are more often another word: "left" is a side, "ground" the floor.
_OTHER_WORDS = frozenset("bit bore bound drunk felt ground lay left saw spoke wound".split())
# Of more than one syllable, and yet the last letter is doubled.
_DOUBLING = frozenset(
    "begin control forget leapfrog patrol propel repel sidestep transfer uppercut zigzag".split()
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")
_PLURALS = {"children": "child", "feet": "foot", "men": "man", "teeth": "tooth", "women": "woman"}


def third_person(base: str) -> str:
    """``walk`` -> ``walks``."""
    if base == "have":
        return "has"
    if base.endswith(("ch", "sh", "ss", "zz", "o", "x")):
        return f"{base}es"
    return f"{base[:-1]}ies" if _ends_in_consonant_y(base) else f"{base}s"


def base_of_third_person(verb: str) -> str:
    """``walks`` -> ``walk``; any verb's third person, known or not."""
    if verb == "has":
        return "have"
    if verb.endswith(("ches", "shes", "sses", "zzes", "xes", "oes")) and not verb.endswith("toes"):
        return verb[:-2]
    return verb[:-3] + "y" if verb.endswith("ies") and len(verb) > 4 else verb[:-1]


def past(base: str) -> str:
    """``walk`` -> ``walked``; of ``side-bend`` the last part is inflected."""
    before, hyphen, last = base.rpartition("-")
    return before + hyphen + (_PAST.get(last) or _regular_past(last))


def gerund(base: str) -> str:
    """``walk`` -> ``walking``."""
    if base.endswith("ie"):
        return f"{base[:-2]}ying"
    if _doubles(base):
        return f"{base}{base[-1]}ing"
    return f"{base[:-1]}ing" if base.endswith("e") and not base.endswith(("ee", "oe")) else f"{base}ing"


def gerund_of_third_person(verb: str) -> str:
    """``walks`` -> ``walking``."""
    return gerund(base_of_third_person(verb))


def regular_forms(base: str) -> tuple[str, str, str]:
    """Third person, past and gerund as the rules for all verbs have them."""
    return third_person(base), _regular_past(base), gerund(base)


def verb_lemma(word: str, verbs: Collection[str]) -> str | None:
    """The one of ``verbs`` (base forms) that ``word`` is a form of."""
    if word in verbs:
        return word
    if word in BASE_OF:
        return BASE_OF[word] if BASE_OF[word] in verbs else None
    candidates = [base for base in _without_ending(word) if base in verbs]
    # "hoped" is of "hope", not of "hop"; where neither is inflected so, a slip of the pen is forgiven.
    return next((base for base in candidates if word in regular_forms(base)), next(iter(candidates), None))


def is_past(word: str) -> bool:
    """Whether a verb is in the past: by its ending or by the table."""
    return word.endswith("ed") or word.rpartition("-")[2] in _PAST_FORMS


def noun_lemma(word: str) -> str:
    """``steps`` -> ``step``."""
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def _regular_past(base: str) -> str:
    if _doubles(base):
        return f"{base}{base[-1]}ed"
    if base.endswith("e"):
        return f"{base}d"
    return f"{base[:-1]}ied" if _ends_in_consonant_y(base) else f"{base}ed"


def _doubles(base: str) -> bool:
    """Whether the last letter is doubled: one syllable that ends in consonant, vowel, consonant."""
    last = base.rpartition("-")[2]
    return last in _DOUBLING or re.fullmatch(r"(?:[^aeiou]*|s?qu)[aeiou][^aeiouwxy]", last) is not None


def _ends_in_consonant_y(base: str) -> bool:
    return base.endswith("y") and base[-2] not in "aeiou"


def _without_ending(word: str) -> Iterator[str]:
    """What may be the base form of a regular form."""
    for ending in ("ing", "ed", "es", "s", "d"):
        if not word.endswith(ending):
            continue
        rest = word[: -len(ending)]
        yield from (rest, rest + "e")
        if len(rest) > 2 and rest[-1] == rest[-2]:
            yield rest[:-1]
        if rest.endswith("i"):
            yield rest[:-1] + "y"


IRREGULAR_VERBS = {base: tuple(others) for base, *others in (row.split() for row in _TABLE.split(","))}
_PAST = {base: others[0] for base, others in IRREGULAR_VERBS.items()}
_PAST_FORMS = frozenset(_PAST.values())
# The base form of every form of an irregular verb and of irregular plurals.
BASE_OF = {
    form: base
    for base, others in IRREGULAR_VERBS.items()
    for form in (third_person(base), gerund(base), *others)
    if form != base and form not in _OTHER_WORDS
} | _PLURALS
