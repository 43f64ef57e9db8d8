"""What a sentence says, and whether it agrees with what is true of a clip. Knows words, not motion.

The sentence is brought to base forms without articles ("is raising her left hand" -> "raise left hand"),
then the patterns of every action are looked for. The longest match wins its words ("walk in circle" over
"walk"); several actions that match the same words are alternatives: "jump" alone may be a jump in place,
forward or sideways. A sentence agrees with a truth when it names the action, and names nothing else but
what belongs to it (COMPANIONS): naming everything must not pass. "Walk" and "run" without a path mean
straight ahead, so they do not agree with a circle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...language.english import NUMBERS
from ..movement import SIDE_NAMES, parts_of
from .action_words import ALWAYS, COMPANIONS, IN_A_ROW, LIMB, PATTERNS
from .base_forms import base_form

BREAK = "(?:and|then|,|while|before|after|as|but)"
GAP = rf"(?: (?!{BREAK}\b)[a-z0-9]+){{0,4}}"
TURNING = {"clockwise": "right", "counterclockwise": "left"}
DROPPED = frozenset(
    "a an the his her their its my your this that these is are was were be been being has have had "
    "s also just very slightly both_".split()
)
# Words that ask for nothing, or for what claims hold: sides, ways, counts and links.
_READ = (
    "person people man woman someone somebody human individual figure guy boy girl he she it they one body "
    "lady gentleman fellow kid child adult himself herself itself themselves first next afterwards finally "
    "does do doing perform performs performing make makes start starts begin begins and then while as to "
    "with on in at of from for by into left right both foot feet leg legs hand hands arm arms knee time "
    "times forward backward back ahead around straight line up down place air clockwise counterclockwise "
    "side sideways chair stick"
)
_OF_MANNER = (
    "slow quick fast speed full top high low hard far big small large little long short wide deep again "
    "pause half halfway degree quarter music slightly very"
)
COUNTED = "(?:squat|knee bend|jump|leap|hop|kick|clap|nod|push up|jump jack|star jump)"
COUNTS = (
    {"once": 1, "twice": 2, "thrice": 3} | {word: n for n, word in enumerate(NUMBERS) if n} | {"single": 1}
)
CALLINGS = (
    "player|guard|officer|soldier|model|instructor|worker|student|boxer|dancer|jogger|runner|golfer|swimmer|sprinter|"
    "jumper|kicker|drummer|climber|skater|fighter|bowler|batter|pitcher"
)
WHO = "people|person|men|man|women|woman|boy|girl|guy|lady|kid|child|player|dancer|friend"
NUMBER = "|".join(COUNTS)


@dataclass(frozen=True)
class Claim:
    """One thing said to be done: alternatives for its action, with limbs' sides, ways and count.

    ``supports`` are the sides of legs that bear the body alone: those stood on, or not lifted; ``angle`` is
    how far to turn, in degrees.
    """

    actions: frozenset[str]
    sides: frozenset[str]
    directions: frozenset[str]
    supports: frozenset[str]
    count: int | None
    angle: int | None = None


@dataclass(frozen=True)
class Claims:
    """Everything that a sentence names as one claim, and the single claims in the order they happen."""

    whole: Claim
    parts: tuple[Claim, ...]


@dataclass(frozen=True)
class Agreement:
    """Whether a sentence agrees with a truth; None where the truth or the sentence is silent."""

    action: bool
    side: bool | None
    direction: bool | None
    count: bool | None = None


@lru_cache(maxsize=10_000)
def claims(sentence: str) -> Claims:
    """What a sentence says."""
    text = normalised(sentence)
    found = _matches(text)
    # What is said before the first action belongs to it, what follows an action belongs to that one.
    starts = [0, *(start for start, _, _ in found[1:]), len(text)]
    parts = tuple(
        _claim(actions, text[begin:end])
        for (_, _, actions), begin, end in zip(found, starts, starts[1:], strict=False)
    )
    if len(parts) > 1 and re.search(r"\bafter\b", text[found[0][1] : found[-1][0]]):
        parts = (*parts[1:], parts[0])
    return Claims(_claim(frozenset().union(*(actions for _, _, actions in found)), text), parts)


def agrees(sentence: str, truth: Mapping[str, Any]) -> Agreement:
    """Whether a sentence agrees with a clip's truth.

    Of actions in a row all must be named, in their order; of actions at once both. ``side``, ``direction``
    and ``count`` are judged in the parts that are named, and must be right in all of them.
    """
    said = claims(sentence)
    expected = [step for part in parts_of(truth) for step in _steps(part)]
    if len(expected) == 1:
        return _judged(said.parts, said.whole, truth)
    runs = (_at_once if "while" in truth else _in_a_row)(said.parts, expected)
    each = [_judged(run, _merged(run), part) for run, part in zip(runs, expected, strict=True)]
    return Agreement(
        sum(map(len, runs)) == len(said.parts) and all(a.action for a in each),
        _all(a.side for a in each),
        _all(a.direction for a in each),
        _all(a.count for a in each),
    )


def _steps(truth: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An action that is others in a row as those."""
    names = IN_A_ROW.get(truth["action"])
    return [truth] if names is None else [{**truth, "action": name} for name in names]


def words_beside_actions(sentence: str) -> list[str]:
    """The base forms of a sentence that no action's pattern takes for its own, in order."""
    text = normalised(sentence)
    found = _matches(text)
    begins = [0, *(end for _, end, _ in found)]
    ends = [*(start for start, _, _ in found), len(text)]
    return [word for begin, end in zip(begins, ends, strict=True) for word in text[begin:end].split()]


def unread_words(sentence: str) -> list[str]:
    """The words that say more than who does which action with which limb, which way and how often.

    "A man quickly kicks with the left leg while smiling" -> "quickly", "smiling". A word within the pattern
    of an action counts as read, but for those of manner and size, which no pattern judges.
    """
    patterns = " ".join(
        pattern for part in claims(sentence).parts for action in part.actions for pattern in PATTERNS[action]
    )
    read = {*re.findall(r"[a-z]{2,}", f"{patterns} {LIMB}"), *_READ.split(), *COUNTS} - set(
        _OF_MANNER.split()
    )
    if any(part.angle is not None for part in claims(sentence).parts):
        read |= {"degree", *re.findall("[0-9]+", sentence)}
    found = []
    for word in re.findall(r"[a-z]+|[0-9]+", sentence.lower().replace("'s", "")):
        form = base_form(word) or word
        if word not in DROPPED and form not in read and form not in found:
            found.append(word)
    return list(dict.fromkeys(found))


def normalised(sentence: str) -> str:
    """Base forms separated by single spaces, marks as commas, without articles and adverbs of manner."""
    text = re.sub(r"(anti|counter)[ -]?clock ?wise", "counterclockwise", sentence.lower())
    # What somebody is called after is not what is done.
    text = re.sub(rf"\b(?:a|an|the|one) (?:[a-z]+ )?(?:{CALLINGS})\b", "person", text)
    text = re.sub(r"\b(a|the|an|some|this|heavy|large|big|small) box(es)?\b", "object", text)
    text = re.sub(r"\bafter (that|this|which)\b", "then", text)
    text = re.sub(r"[.,;:!?()]+", " , ", text).replace("&", " and ")
    words = (base_form(word) for word in re.findall(r"[a-z0-9]+|,", text) if word not in DROPPED)
    text = " ".join(word for word in words if word and word not in DROPPED)
    text = re.sub(
        r"\b(?:at|with|in) (?:(?!at |with |in |clockwise|counter|circ)[a-z]+ ){0,3}"
        r"(?:pace|speed|manner|motion|fashion)\b",
        lambda match: "slow" if "slow" in match[0] else "",
        text,
    )
    text = re.sub(r"\bin one place\b", "in place", text)
    text = re.sub(r"\bin turn\b", "alternate", text)
    # Where one comes from is not what one does.
    text = re.sub(r"\bfrom (?:sit|seat)(?: down)?(?: position)?\b", "from chair", text)
    return re.sub(r"\bfrom (?:lie|kneel|squat|crouch)(?: down)?(?: position)?\b", "from floor", text)


@lru_cache(maxsize=1)
def _compiled() -> list[tuple[str, re.Pattern[str]]]:
    """Every pattern with its action; ``~`` is up to four words of one clause."""
    return [
        (action, re.compile(rf"\b(?:{pattern.replace(' ~', GAP)})\b"))
        for action, patterns in PATTERNS.items()
        for pattern in patterns
    ]


@lru_cache(maxsize=10_000)
def _matches(text: str) -> tuple[tuple[int, int, frozenset[str]], ...]:
    """Spans in order with the actions that are alternatives there; none overlaps another."""
    spans: dict[tuple[int, int], set[str]] = {}
    for action, pattern in _compiled():
        for match in pattern.finditer(text):
            spans.setdefault(match.span(), set()).add(action)
    kept: list[tuple[int, int, frozenset[str]]] = []
    for (start, end), actions in sorted(spans.items(), key=lambda item: (item[0][0] - item[0][1], item[0])):
        if all(end <= other or start >= until for other, until, _ in kept):
            kept.append((start, end, frozenset(actions)))
    return tuple(sorted(kept, key=lambda match: match[:2]))


def _claim(actions: frozenset[str], text: str) -> Claim:
    return Claim(actions, _sides(text), _directions(text), _supports(text), _count(text), _angle(text))


def _sides(text: str) -> frozenset[str]:
    """Sides of limbs: ``with left hand``; ``both`` for both hands, left and right hands, in turn."""
    named = set(re.findall(rf"\b(left|right)\b(?= (?:and (?:left|right) )?(?:[a-z]+ )?{LIMB}\b)", text))
    named |= set(re.findall(r"\bwith (left|right)\b", text))
    # "with the left hand, then the right"
    named |= set(re.findall(rf"\b{LIMB}(?: (?:and|then|,))+ (left|right)(?= ,|$)", text))
    if re.search(r"\bboth (?:of )?(?:hand|arm|forearm|fist|leg|foot|knee|shoulder)\b|\balternat", text):
        named.add("both")
    return frozenset(named)


def _supports(text: str) -> frozenset[str]:
    borne = re.findall(r"\bon (?:only )?(left|right)\b", text)
    lifted = re.findall(r"\b(?:lift|raise|hold|bend|bring) (left|right) (?:knee|leg|foot)\b", text)
    lifted += re.findall(r"\bwith (left|right) (?:knee|leg|foot) (?:lift|raise|hold|up)\b", text)
    return frozenset(borne or (SIDE_NAMES[1 - SIDE_NAMES.index(side)] for side in lifted))


def _directions(text: str) -> frozenset[str]:
    ways = {
        "forward": r"\b(?:forward|ahead|straight line)\b",
        "backward": r"\b(?:backward|back(?! and forth| up)|back up$)\b",
        "up": r"\b(?:up|in place|in air|into air|upstairs)\b",
        "down": r"\b(?:(?<!face )(?<!upside )down|downstairs)\b",
    }
    found = {name for name, pattern in ways.items() if re.search(pattern, text)}
    limb = rf"(?! (?:and (?:left|right) )?(?:[a-z]+ )?{LIMB}\b)"
    lateral = rf"\b(left|right)\b{limb}(?! (?:away|there|in front|behind))"
    found |= {m[1] for m in re.finditer(lateral, text) if not text[: m.start()].endswith("with ")}
    return frozenset(found | (set(text.split()) & set(TURNING)))


def _count(text: str) -> int | None:
    times = re.search(
        r"\b(\d+|[a-z]+) (?:time|jump jack|star jump|push up|pushup|press up|step|stair)\b", text
    )
    times = times or re.search(rf"\b(\d+|{NUMBER})(?: (?!(?:and|of|{WHO})\b)[a-z]+){{0,2}} {COUNTED}\b", text)
    if times and (times[1].isdigit() or times[1] in COUNTS):
        return int(times[1]) if times[1].isdigit() else COUNTS[times[1]]
    word = re.search(r"\b(once|twice|thrice)\b", text)
    return COUNTS[word[1]] if word else None


def _angle(text: str) -> int | None:
    degrees = re.search(r"\b(\d+|ninety|forty five|one hundred eighty) degree\b", text)
    if degrees:
        words = {"ninety": 90, "forty five": 45, "one hundred eighty": 180}
        return int(degrees[1]) if degrees[1].isdigit() else words[degrees[1]]
    if re.search(r"\bquarter(?: of)? turn\b", text):
        return 90
    return 180 if re.search(r"\bhalf turn\b|\bhalfway around\b", text) else None


def _merged(run: Sequence[Claim]) -> Claim:
    empty: frozenset[str] = frozenset()
    return Claim(
        empty.union(*(claim.actions for claim in run)),
        empty.union(*(claim.sides for claim in run)),
        empty.union(*(claim.directions for claim in run)),
        empty.union(*(claim.supports for claim in run)),
        next((claim.count for claim in run if claim.count is not None), None),
    )


def _belongs(claim: Claim, action: str) -> bool:
    return bool(claim.actions & ({action} | ALWAYS | COMPANIONS.get(action, frozenset())))


def _judged(run: Sequence[Claim], claimed: Claim, truth: Mapping[str, Any]) -> Agreement:
    action, count = truth["action"], truth.get("count")
    named = any(action in claim.actions for claim in run) and all(_belongs(claim, action) for claim in run)
    counted = None if count is None or claimed.count is None else claimed.count == count
    return Agreement(named, _side(claimed, truth), _direction(claimed, truth), counted)


def _side(claimed: Claim, truth: Mapping[str, Any]) -> bool | None:
    side = truth.get("side")
    if side not in (*SIDE_NAMES, "both"):
        return None
    ways = _lateral(claimed)
    # "steps to the right with the left foot": of movements to a side the way counts, of others the limb.
    if side == "both":
        limbs = claimed.sides
        return "both" in limbs or set(SIDE_NAMES) <= limbs if limbs else None
    single = claimed.sides & set(SIDE_NAMES)
    if "lifted" in truth:
        single = claimed.supports or single
    to_a_side = any(word in truth["action"] for word in ("sidestep", "sideways", "turn", "curve", "circle"))
    named = (ways or single) if to_a_side else (single or ways)
    return named == {side} if named or claimed.sides else None


def _lateral(claimed: Claim) -> frozenset[str]:
    return frozenset(TURNING.get(way, way) for way in claimed.directions if way in (*SIDE_NAMES, *TURNING))


def _direction(claimed: Claim, truth: Mapping[str, Any]) -> bool | None:
    direction = truth.get("direction")
    if direction is None:
        return None
    lateral = _lateral(claimed)
    if direction in (*SIDE_NAMES, *TURNING, "both"):
        wanted = set(SIDE_NAMES) if direction == "both" else {TURNING.get(direction, direction)}
        # An eight goes to both sides, whichever comes first.
        silent = not lateral or (truth["action"] == "figure eight" and lateral == set(SIDE_NAMES))
        return None if silent else lateral == wanted
    # A jump forward goes up as well, and who bends down may lift something up.
    vertical = {"up", "down"}
    ways = claimed.directions
    named = ways & vertical if direction in vertical else lateral | ways - vertical
    return direction in named if named else None


def _all(values: Iterable[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return all(known) if known else None


def _in_a_row(parts: Sequence[Claim], expected: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Claim]]:
    """The parts cut into as many runs as there are actions, so that most of them agree with theirs."""
    if len(expected) == 1:
        return [parts]

    def agreeing(runs: Sequence[Sequence[Claim]]) -> tuple[int, int]:
        pairs = list(zip(runs, expected, strict=True))
        named = sum(any(truth["action"] in claim.actions for claim in run) for run, truth in pairs)
        return sum(_judged(run, _merged(run), truth).action for run, truth in pairs), named

    cuts = range(len(parts) + 1)
    return max(([parts[:cut], *_in_a_row(parts[cut:], expected[1:])] for cut in cuts), key=agreeing)


def _at_once(parts: Sequence[Claim], expected: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Claim]]:
    """Every part with the action it names, else the one it belongs to; strangers are left out."""
    runs: list[list[Claim]] = [[] for _ in expected]
    for claim in parts:
        fits = [n for n, truth in enumerate(expected) if truth["action"] in claim.actions]
        fits = fits or [n for n, truth in enumerate(expected) if _belongs(claim, truth["action"])]
        if fits:
            runs[fits[-1]].append(claim)
    return runs
