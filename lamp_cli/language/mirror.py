"""Left and right in a sentence, exchanged: what a mirrored motion is called."""

from __future__ import annotations

import re

OTHER_SIDE = {"left": "right", "right": "left"}
_LIMB = (
    r"(?:hand(?:ed)?|arm|leg|foot|feet|knee|elbow|shoulder|side|hip|ear|eye|wrist|fist|thigh|heel|toe|ankle|"
    r"palm|forearm|punch|kick|hook)s?"
)
# A side as a word of its own, or glued to what has one: "rightarm", "leftwards", "lefts".
_SIDE = re.compile(rf"\b(left|right)(?=(?:s|wards?|most|{_LIMB})?\b)", re.I)
_CLOCKWISE = re.compile(r"\b((?:counter|anti|contra)[- ]*)?clock[- ]?wise\b", re.I)

# "Right" before these is "exactly" or "at once", whatever is done.
_ALWAYS_EXACTLY = re.compile(
    r" (?:away|now|next to|on top|in the (?:middle|cent(?:er|re))|t?here|up to|through|"
    r"in front(?! of (?:\w+ )?left)|around(?=$|[.,;!]| and\b| to\b))\b",
    re.I,
)
# Before these it is so unless somebody turns or goes right: "turns right after two steps".
_MOSTLY_EXACTLY = re.compile(r" (?:after|before|when|behind|beside|above|below|back (?:up|down))\b", re.I)
_SIDE_PRECEDES = re.compile(
    r"(?:\b(?:the|an?|his|her|their|its|your|my|this|to|towards?|with|and|or|then|from|on|of|by|using|both|left|"
    r"sharp|hard|slight|front),? |-)$",
    re.I,
)
_WAY_PRECEDES = re.compile(
    r"\b(?:turn|spin|(?:side ?)?step|mov|walk|go|look|glanc|lean|veer|shift|hop|jump|leap|run|jog|bend|swing|"
    r"twist|rotat|pivot|swivel|shuffl|slid|strid|fac|angl|curv|swerv|cut|dodg|straf|stagger|sway|tilt)"
    r"(?:e?s|e|e?d|\w?ing)? (?:\w+ly )?$",
    re.I,
)
# "Gets right up", "comes right back": at once.
_RISE_PRECEDES = re.compile(r"\b(?:stand|sit|get|come|straighten|spring)(?:s|t?ing)? $", re.I)
_RISE_FOLLOWS = re.compile(r" (?:back|up|down)\b", re.I)
# "All right", "that's right", "stands up right"; a right angle; "rights himself"; "right side up".
_CORRECT_PRECEDES = re.compile(r"\b(?:all[- ]|that'?s |(?:stand|sit|stay)(?:s|ing)? up[- ])$", re.I)
_CORRECT_FOLLOWS = re.compile(r"[- ]?angle|s (?:him|her|it|them)sel(?:f|ves)\b|[- ]?side[- ]up\b", re.I)

# "Left" of "leave": somebody left something; has left; is left standing.
_SUBJECT_PRECEDES = re.compile(
    r"\b(?:person|man|woman|guy|boy|girl|human|figure|character|individual|someone|somebody|he|she|they|"
    r"who|has|have|had) (?:(?:then|just|\w+ly) )?$",
    re.I,
)
_AND_PRECEDES = re.compile(r"^(?!.*\bright\b).*\band (?:then )?$", re.I)
_OBJECT_FOLLOWS = re.compile(rf" (?:for )?(?:the|an?|his|her|their|its|this|that) (?!{_LIMB}\b)\w+", re.I)
_WHO_PRECEDES = re.compile(r"\bwho $", re.I)
_LIMB_FOLLOWS = re.compile(rf" {_LIMB}\b", re.I)
_PLACE_FOLLOWS = re.compile(
    r" (?:the|his|her|their|this|that) (?:room|area|scene|house|building|place|stage)\b", re.I
)
_CLAUSE_ENDS = re.compile(r" *(?:$|[.,;!])")
_BE_PRECEDES = re.compile(r"\b(?:is|are|was|were|be|been|being) $", re.I)
# "What is left", "nothing left to do", "no room left".
_REMAINS_PRECEDES = re.compile(r"\b(?:what(?:'?s| is| was)|nothing|anything|(?:no|any) \w+) $", re.I)
_REMAINING_FOLLOWS = re.compile(r" (?:standing|sitting|lying|hanging|alone|behind|over)\b", re.I)


def mirror_sentence(text: str) -> str:
    """The sentence for the mirrored motion: left and right, clockwise and counterclockwise swapped.

    Words that only look like sides stay: "left the room", "right away".
    """
    text = re.sub(r"\ban clockwise", "a clockwise", _CLOCKWISE.sub(_other_way_round, text))
    return _SIDE.sub(lambda found: _other_side(found, text), text)


def _other_way_round(found: re.Match[str]) -> str:
    return _in_case_of(found[0], "clockwise" if found[1] else "counterclockwise")


def _other_side(found: re.Match[str], text: str) -> str:
    before, side, after = text[: found.start()], found[1], text[found.end() :]
    no_side = _is_leave if side.lower() == "left" else _is_exactly
    return side if no_side(before, after) else _in_case_of(side, OTHER_SIDE[side.lower()])


def _is_leave(before: str, after: str) -> bool:
    if _REMAINS_PRECEDES.search(before):
        return True
    if _WHO_PRECEDES.search(before):
        return not _LIMB_FOLLOWS.match(after)
    if _BE_PRECEDES.search(before):
        return bool(_REMAINING_FOLLOWS.match(after))
    if _SUBJECT_PRECEDES.search(before):
        return bool(_OBJECT_FOLLOWS.match(after) or _CLAUSE_ENDS.match(after))
    return bool(_AND_PRECEDES.match(before) and _PLACE_FOLLOWS.match(after))


def _is_exactly(before: str, after: str) -> bool:
    if _CORRECT_PRECEDES.search(before) or _CORRECT_FOLLOWS.match(after):
        return True
    if _SIDE_PRECEDES.search(before):
        return False
    if _ALWAYS_EXACTLY.match(after) or (_RISE_PRECEDES.search(before) and _RISE_FOLLOWS.match(after)):
        return True
    return bool(_MOSTLY_EXACTLY.match(after) and not _WAY_PRECEDES.search(before))


def _in_case_of(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
