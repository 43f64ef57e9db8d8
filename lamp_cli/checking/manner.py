"""How an action is asked for: side, way, count, angle, in the keys that the checks take. By rule.

A side is a limb's ("with the left hand") or a way's ("to the left"): which one counts depends on the action.
What is not said in the words of the action may be said in its asides.
"""

from __future__ import annotations

import re
from typing import Any

from .asked import COUNTED, SIDE_NAMES
from .speed import speed_said

_LATERAL = frozenset(
    (
        "sidestep",
        "jump sideways",
        "turn",
        "spin",
        "walk in a circle",
        "jog in a circle",
        "walk in a curve",
        "jump turn",
        "stretch",
        "turn around and walk back",
    )
)
_OF_ARMS = frozenset("wave throw punch drink phone salute point".split()) | {
    "raise arms",
    "arms out",
    "pick up",
    "hands on hips",
}
_OF_LEGS = frozenset(("kick", "lunge", "kneel"))
_OF_SUPPORT = frozenset(("balance", "hop"))
# Of these both arms do it where the arms are many.
_OF_BOTH = frozenset(("raise arms", "arms out", "hands on hips", "wave"))
_STRAIGHT = frozenset(("walk", "jog", "run"))

_ARM = (
    r"(?:hands?|arms?|fists?|palms?|forearms?|wrists?|elbows?|ears?|fingers?|thumbs?|cheek|handed|hander|paw)"
)
_LEG = r"(?:foot|feet|legs?|knees?|ankles?|heels?|toes?|thighs?|shins?|footed|legged|kneecap|boot)"
_BLOW = r"(?:hooks?|jabs?|cross|crosses|uppercuts?|punch(?:es)?|straights?|swings?|kicks?|lunges?|one|blows?)"
_LIMB = rf"(?:{_ARM}|{_LEG}|{_BLOW}|shoulders?|hip|hips|side of)"
_NO_SIDE = re.compile(
    r"\bright (?:angle|away|now|ahead|behind|there|here|before|after|back|up|down|where|on top|in front|off)"
    r"\w*\b|\b(?:all|just|that's|straight) right\b|\b(?:he|she|they|it|who|person|man|woman) left\b"
    r"|\bleft (?:behind|over)\b",
    re.I,
)
_SIDE = re.compile(r"\b(left|right)(?:wards?|ies|y)?\b|\b(lefty|southpaw|righty)\b", re.I)
_SUPPORT = re.compile(
    rf"\b(?:on|onto|over)(?: \w+)?(?: \w+)? (left|right)(?= {_LEG}\b| one\b| only\b|$)"
    rf"|\b(left|right) {_LEG}\b[^,]*\b(?:on the (?:ground|floor)|planted|flat|bear|stand|support|hop)",
    re.I,
)
_LIFTED = re.compile(
    r"\b(?:lift|rais|hold|bend|bring|tuck|pick|pull|hik|draw|keep|put)\w*(?: up)?(?: \w+)? (left|right) "
    rf"{_LEG}\b"
    rf"|\b(left|right) {_LEG}\b(?: \w+){{0,3}} (?:up|off|raised|lifted|tucked|bent|in the air)\b",
    re.I,
)
_BOTH = re.compile(
    r"\bboth\b|\btwo[ -](?:hand|arm|fist)(?:s|ed)?\b|\b(?:left and right|right and left) (?:hand|arm)s?\b"
    r"|\beach (?:hand|arm)\b|\barms and legs\b|\beither side\b",
    re.I,
)
_MANY = re.compile(r"\b(?:hands|arms)\b", re.I)
_CLOCKWISE = re.compile(r"\b(anti|counter)?[ -]?clock ?wise\b", re.I)

_NUMBERS = {word: number for number, word in enumerate(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen twenty""".split()
)}  # fmt: skip
_NUMBER = rf"(\d+|{'|'.join(_NUMBERS)})"
_OFTEN = {"once": 1, "twice": 2, "thrice": 3}
_TIMES = re.compile(
    rf"\b{_NUMBER}(?: (?:more|whole|full|separate|different|consecutive|quick|good))? "
    r"(?:times?|reps?|repetitions?|rounds? of|occasions)\b"
    r"|\b(?<!\bat )(once|twice|thrice)\b(?! (?:he|she|they|it|that|the|a)\b)|\b(?:a )?(single|solitary)\b",
    re.I,
)
# "Three quick hops"; "give me five".
_NUMBER_OF = re.compile(
    rf"""\b{_NUMBER}
    (?:[ ](?!(?:and|or|by|of|on|after|steps?|paces?|foot|feet|legs?|hands?|arms?|people|men|women|footed
        |handed|legged|armed)\b)[a-z]+){{0,3}}?
    [ ](?:jumps?|leaps?|hops?|bounds?|bounces?|springs?|squats?|bends?|kicks?|punch(?:es)?|jabs?|blows?
        |cross(?:es)?|hooks?|uppercuts?|strikes?|shots?|claps?|nods?|spins?|twirls?|pirouettes?|turns?|whirls?|rotations?
        |revolutions?|(?:push|press|sit|chin|pull)[ ]ups?|pushups?|jacks?|shakes?|thrusts?)\b
    |\b(?:give|do|make[ ]it|knock[ ]out|for)[ ](?:me[ ]|us[ ])?
        (?P<last>\d+|two|three|four|five|six|seven|eight|nine|ten)\s*(?:$|[,.!])""",
    re.I | re.X,
)
# Said how often too, though their checks are not asked to deny a count.
_COUNTED = COUNTED | {"punch", "spin", "shake head"}
_ANGLES = (
    (r"\b(\d{2,3}) ?(?:degrees?|deg\b|°)", None),
    (r"\bforty[ -]five degrees?\b|\beighth of a turn\b", 45),
    (r"\bninety degrees?\b|\bquarter[ -](?:of a )?(?:turn|circle)|\ba quarter\b|\bright angle", 90),
    (
        r"\bhundred (?:and )?eighty\b|\bhalf[ -](?:a )?(?:turn|circle)|\babout[ -]face|\bhalf ?way a?round",
        180,
    ),
    (r"\bhundred (?:and )?sixty\b|\bfull (?:turn|circle|rotation|revolution)|\ball the way a?round", 360),
)
_AHEAD = re.compile(r"\b(?:straight|forwards?|ahead|onwards?)\b", re.I)
_UPRIGHT = re.compile(
    r"\b(?:straight up|vertical(?:ly)?|in place|(?:on|in) (?:the|one|that) (?:same )?(?:spot|place)|upwards?"
    r"|same spot)\b",
    re.I,
)


def manner(action: str, words: str, asides: str = "") -> dict[str, Any]:
    """``side``, ``direction``, ``count``, ``angle`` (degrees) and ``speed`` of an action, if asked for."""
    found = _manner(action, words)
    return found if not asides else {**_manner(action, asides), **found}


def _manner(action: str, words: str) -> dict[str, Any]:
    text = " ".join(_NO_SIDE.sub(" ", words.replace("-", " ")).split())
    found: dict[str, Any] = {}
    if side := _side(action, text):
        found["side"] = side
    if action in _COUNTED and (count := _count(words)):
        found["count"] = count
    if action == "turn" and (angle := _angle(words)):
        found["angle"] = angle
    if action == "walk" and (speed := speed_said(words)):
        found["speed"] = speed
    if action in _STRAIGHT and _AHEAD.search(text):
        found["direction"] = "forward"
    if action == "jump" and _UPRIGHT.search(text):
        found["direction"] = "up"
    return found


def _side(action: str, text: str) -> str | None:
    if action in _LATERAL:
        if turning := _CLOCKWISE.search(text):
            return "left" if turning[1] else "right"
        return _only(_sides(text, of_limb=False)) or _only(_sides(text))
    if action in _OF_SUPPORT:
        return _support(text)
    if action in _OF_ARMS:
        return _of_limb(text, _ARM, action)
    return _of_limb(text, _LEG, action) if action in _OF_LEGS else None


def _of_limb(text: str, limb: str, action: str) -> str | None:
    if _BOTH.search(text) and (action in _OF_ARMS or action == "kneel"):
        return "both"
    named = re.findall(rf"\b(left|right)(?: \w+)? {limb}\b", text, re.I)
    blows = re.findall(rf"\b(left|right)(?: \w+)? {_BLOW}\b", text, re.I)
    using = re.findall(r"\b(?:with|using|on) (?:the |his |her |their |your |my )?(left|right)\b", text, re.I)
    for sides in (named, blows, using):
        if len(set(map(str.lower, sides))) == 1:
            return str(sides[0]).lower()
        if sides:
            return _leading(text, limb)
    if action in _OF_BOTH and _MANY.search(text):
        return "both"
    handed = _SIDE.search(text) if re.search(r"\b(?:lefty|southpaw|righty|leftie)\b", text, re.I) else None
    return None if handed is None else "right" if handed[0].lower().startswith("right") else "left"


def _leading(text: str, limb: str) -> str | None:
    """The one of two limbs that is in front."""
    front = re.search(
        rf"\b(left|right) {limb}(?: \w+)? (?:in front|forward|ahead|leading|first)\b", text, re.I
    )
    return front[1].lower() if front else None


def _support(text: str) -> str | None:
    if borne := _SUPPORT.search(text):
        return (borne[1] or borne[2]).lower()
    if lifted := _LIFTED.search(text):
        return SIDE_NAMES[1 - SIDE_NAMES.index((lifted[1] or lifted[2]).lower())]
    return _only(_sides(text))


def _sides(text: str, of_limb: bool = True) -> list[str]:
    """Every left and right; those of ways alone where ``of_limb`` is False."""
    limb = "" if of_limb else rf"(?!(?: \w+)? {_LIMB}\b)"
    return [side.lower() for side in re.findall(rf"\b(left|right)(?:wards?)?\b{limb}", text, re.I)]


def _only(sides: list[str]) -> str | None:
    return sides[0] if len(set(sides)) == 1 else None


def _count(words: str) -> int | None:
    text = re.sub(
        r"\ba dozen\b", "twelve", re.sub(r"\bhalf a dozen\b", "six", words.replace("-", " ").lower())
    )
    if times := _TIMES.search(text):
        number, often, single = times[1], times[2], times[3]
        return 1 if single else _OFTEN[often.lower()] if often else _number(number)
    found = _NUMBER_OF.search(text)
    return _number(found[1] or found["last"]) if found else None


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS[word.lower()]


def _angle(words: str) -> int | None:
    for pattern, angle in _ANGLES:
        if found := re.search(pattern, words.replace("-", " "), re.I):
            return angle or int(found[1])
    return None
