"""Does a motion do what a sentence says? Clause by clause, ``unknown`` where no check may answer.

The sentence is read by the reader of the synthetic corpus (its patterns of actions, sides, ways and counts);
the checks see joints alone. A clause is an action, or its side, way or count, or words that nothing judges.
Of a motion made from several sentences each is judged in the frames that are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..files.load import motion_or_its_file
from ..motion.motion import Motion, MotionPart
from ..motion.skeleton import HUMANML3D
from ..synthetic.corpus import COMPANIONS, Claim, claims, unread_words
from .agreement import ANSWERED, EVIDENCE, source_of
from .asked import COUNTED, SIDE_NAMES
from .checks import CHECKS, does
from .kinematics import FPS, Kinematics
from .measures import MEASURES, ankles
from .speed import judges_speed, speed_asked, speed_verdict

YES, NO, UNKNOWN = "yes", "no", "unknown"
# Shortest motion that the checks take, frames at 20 fps.
LEAST_FRAMES = 8
# Between the actions of a clause that names several in a row.
IN_A_ROW = ", then "
# Longest motion that is searched for actions in a row, frames at 20 fps.
MOST_FRAMES = 400
# Way of a single side step, metres for a body of usual size.
LEAST_SIDE_STEP, LONGEST_SIDE_STEP = 0.25, 1.0
# A kick of any kind lifts one ankle farther than this over the other, metres.
LEAST_KICK = 0.15

# Who says no shakes the head, and that can be seen.
NEGATIONS = re.compile(
    r"\b(?:not|never|without|(?<!say )(?<!says )(?<!saying )no|nobody|nothing|neither|instead)\b|n't\b", re.I
)
# Who picks something up from a table does not bend: of that the check of picking up knows nothing.
_FLOOR = re.compile(r"\b(?:floor|ground|bends?|bending|down)\b", re.I)
# With a limb an action is done, with anything else two things are done at once.
_LIMB = r"(?:\w+\s+){0,2}(?:hands?|arms?|fists?|legs?|foot|feet|knees?)\b"
AT_ONCE = re.compile(rf"\b(?:while|as|whilst|with(?!\s+{_LIMB})|during|simultaneously)\b", re.I)
# Wordings that may mean less than the check of an action asks for: there it does not deny. To the left may be
# a viewer's left, who is sitting need not sit down, and who hits need not thrust a fist.
_LOOSE = {
    "sidestep": r"^(?!.*\bside(?:ways|\W?step))|side to side",
    "walk in a curve": r"^(?!.*\b(?:curv|arc|bend))",
    "walk": r"\b(?:mov|go|travel)|\baround\b",
    "jog": r"\baround\b",
    "run": r"\baround\b",
    "sit down": r"\b(?:sitting|seated)\b",
    "stand": r"\bone (?:leg|foot)\b",
    "wave": r"\baround\b",
    "punch": r"\bhit",
    "arms out": r"^(?!.*(?:\bsides?\b|sideways|\bT\W?pose))",
}
# Of a limb that begins others may follow.
_FIRST_OF_SEVERAL = re.compile(r"\b(?:start|begin|lead|first)", re.I)
_ONE_HAND = re.compile(r"\b(?:one|a single) (?:hand|arm)\b", re.I)
# What else happens may turn, count or use the other limb.
_SOMETHING_ELSE = re.compile(r"\b(?:and|then|before|after|until)\b|,", re.I)
_MORE_IS_SAID = "; but the sentence says more, or less, than the check knows"
_FEW_REAL_TAKES = "; but the check was compared with too few real takes to deny it"
_TO_A_SIDE = ("sidestep", "sideways", "turn", "spin", "curve", "circle")
_TURNING = {"clockwise": "right", "counterclockwise": "left"}
# Actions whose checks tell limbs' sides, and those whose checks count, both at least 95 % on made-up clips;
# real takes may speak against them (``EVIDENCE``).
_OF_A_LIMB = frozenset(
    (
        "wave",
        "throw",
        "punch",
        "kick",
        "lunge",
        "raise arms",
        "arms out",
        "drink",
        "phone",
        "stretch",
        "kneel",
        "pick up",
        "hop",
        "salute",
    )
)
# Of 42 real takes that punch with both hands in turn the check sees both in 31.
_NOT_BOTH = frozenset({"punch"})
# Ways that an action's own check requires.
_IMPLIED = {
    "stand": {"up"},
    "tiptoe": {"forward"},
    "crouch walk": {"forward"},
    "limp": {"forward"},
    "hop": {"up"},
    "push-ups": {"up", "down"},
    "walk backward": {"backward"},
    "jump forward": {"forward", "up"},
    "jump backward": {"backward", "up"},
    "jump sideways": {"up"},
    "squat": {"down"},
    "sit down": {"down"},
    "sit on the floor": {"down"},
    "kneel": {"down"},
    "bow": {"down", "forward"},
    "stand up": {"up"},
    "get up": {"up"},
    "raise arms": {"up"},
    "pick up": {"up", "down"},
    "turn around and walk back": {"forward", "backward"},
}
# Ways that the check of an action judges when they are asked for.
_JUDGED = {"walk": "forward", "jog": "forward", "run": "forward", "jump": "up"}
# What people call by an action's name though its check does not hold: jumping jacks of the arms alone, and
# the short side step of a fighter, who stands side on.
_NEARLY: dict[str, Callable[[Kinematics], bool]] = {
    "jumping jacks": lambda m: does(m, {"action": "raise arms"}).ok,
    "sidestep": lambda m: LEAST_SIDE_STEP < m.path / m.scale < LONGEST_SIDE_STEP,
}


@dataclass(frozen=True)
class CheckedClause:
    """One thing that a sentence asks for.

    asked: what it is.
    verdict: ``yes``, ``no`` or ``unknown``.
    measured: the measure that shows it, with its unit; empty where nothing was measured.
    second: when, in seconds from the start; None for what the whole motion adds up to.
    reason: what is missing, of ``no``; why there is no verdict, of ``unknown``.
    evidence: on what the agreement of the action's check was measured, ``real takes`` or ``made-up clips``.
    part: of a motion of several sentences the number of the one that asks for it, from 1.
    judged: False for what is ``unknown`` of every motion: an action without an answer, a word, a negation.
    """

    asked: str
    verdict: str
    measured: str = ""
    second: float | None = None
    reason: str = ""
    evidence: str = ""
    part: int | None = None
    judged: bool = True


@dataclass(frozen=True)
class Checked:
    """The verdict on a motion and a sentence, and the clauses it follows from.

    ``no`` when one clause is not done, ``yes`` when all are, else ``unknown``.
    """

    verdict: str
    clauses: tuple[CheckedClause, ...]


def check(motion: Motion | str | Path, text: str | None = None) -> Checked:
    """Whether a motion, or that of a file, does what a sentence says; needs no model.

    ``text`` None is the motion's own. Of a motion with ``parts`` its own sentences are judged one by one,
    each in its own frames. Raises ``ValueError`` for a motion of other joints than HumanML3D's 22, of fewer
    than 8 frames at 20 fps, and for an empty sentence, ``TypeError`` for arguments in another order.
    """
    if not (text is None or isinstance(text, str)):
        found = "a motion" if isinstance(text, Motion) else repr(text)
        raise TypeError(f"expected a motion or its file, then a sentence; found {found} as the sentence")
    motion = motion_or_its_file(motion)
    if text in (None, motion.text) and motion.parts:
        return _check_parts(_kinematics(motion), motion.parts, motion.fps)
    text = motion.text if text is None else text
    if not text.strip():
        raise ValueError("an empty sentence; expected what the motion should show")
    return check_joints(_kinematics(motion), text)


def _check_parts(m: Kinematics, parts: Sequence[MotionPart], fps: float) -> Checked:
    """Every part's sentence over its own frames; seconds are those of the whole motion."""
    clauses: list[CheckedClause] = []
    for number, part in enumerate(parts, 1):
        start, end = (round(frame * FPS / fps) for frame in (part.start, part.end))
        own = m.cut(start, end)
        if len(own) < LEAST_FRAMES:
            reason = f"{len(own)} frames at {FPS} per second; a check needs {LEAST_FRAMES}"
            clauses.append(CheckedClause(part.text, UNKNOWN, reason=reason, part=number))
            continue
        for clause in check_joints(own, part.text).clauses:
            second = None if clause.second is None else round(clause.second + start / FPS, 2)
            clauses.append(replace(clause, second=second, part=number))
    return Checked(_verdict(clauses), tuple(clauses))


def _kinematics(motion: Motion) -> Kinematics:
    where = f"{motion.source}: " if motion.source else ""
    if motion.skeleton.name != HUMANML3D.name:
        raise ValueError(
            f"{where}a {motion.skeleton.name} motion ({motion.skeleton.joints} joints); expected "
            f"{HUMANML3D.name}'s {HUMANML3D.joints}"
        )
    joints = motion.joints_at(HUMANML3D.fps)
    if len(joints) < LEAST_FRAMES:
        raise ValueError(f"{where}{len(joints)} frames at {FPS} per second; a check needs {LEAST_FRAMES}")
    return Kinematics.of(joints)


def check_joints(m: Kinematics, text: str) -> Checked:
    """As :func:`check`, of a motion at 20 fps."""
    parts, unread = claims(text).parts, unread_words(text)
    clauses: list[CheckedClause]
    if NEGATIONS.search(text):
        clauses = [_not_judged(text.strip(), "what is not to be done is not judged")]
    elif not parts:
        clauses = [_not_judged(text.strip(), "names no action that is known")]
    elif len(parts) == 1:
        speed = speed_asked(unread)
        unread = unread if speed is None else [word for word in unread if word not in speed[1]]
        vague = bool(set(unread) & set(unread_words(re.split(r"\bwhile\b", text, maxsplit=1)[0])))
        vague |= "pick up" in parts[0].actions and not _FLOOR.search(text)
        clauses = _single(m, parts[0], text, vague)
        if speed is not None:
            clauses.append(_speed(m, clauses[0], speed[0]))
    elif AT_ONCE.search(text):
        clauses = [_not_judged(_name(part), "several actions at once are not judged") for part in parts]
    else:
        clauses = _in_a_row(m, parts)
    if parts:
        clauses += [_not_judged(word, "no check judges this word") for word in unread]
        clauses += [_not_judged(hand, "no check counts hands") for hand in _ONE_HAND.findall(text)]
    last = re.split(r"\bthen\b", text, flags=re.I)[-1].strip(" .,")
    if len(parts) == 1 and last != text.strip(" .,") and not claims(last).parts:
        clauses.append(_not_judged(last, "names no action that is known"))
    return Checked(_verdict(clauses), tuple(clauses))


def _not_judged(asked: str, reason: str) -> CheckedClause:
    return CheckedClause(asked, UNKNOWN, reason=reason, judged=False)


def _verdict(clauses: Collection[CheckedClause]) -> str:
    verdicts = {clause.verdict for clause in clauses}
    return NO if NO in verdicts else UNKNOWN if UNKNOWN in verdicts else YES


def _name(claim: Claim) -> str:
    """The plainest of the actions that a claim may mean."""
    return min(claim.actions, key=lambda name: (len(name), name))


def _single(m: Kinematics, claim: Claim, text: str, vague: bool) -> list[CheckedClause]:
    """The clauses of one action; words that are not understood (``vague``) leave no room for a ``no``."""
    known = sorted(claim.actions & ANSWERED, key=lambda name: (len(name), name))
    if not known:
        return [_not_judged(_name(claim), _unanswered(_name(claim)))]
    done = next((name for name in known if does(m, {"action": name}).ok), None)
    name = done or known[0]
    asked = qualifiers(claim, name)
    loose = name in _LOOSE and re.search(_LOOSE[name], text, re.I) is not None
    several = _FIRST_OF_SEVERAL.search(text) or (_SOMETHING_ELSE.search(text) if vague else None)
    vague |= loose
    first = _action(m, name, claim, known, done is not None)
    if first.verdict == NO and (vague or any(expected is None for _, expected in asked)):
        # On a treadmill, in place, there and back again: a walk all the same.
        first = _clause(m, name, UNKNOWN, first.reason + _MORE_IS_SAID)
    undecided = loose or several is not None
    return [
        first,
        *(_qualified(m, name, words, expected, first.verdict, undecided) for words, expected in asked),
    ]


def _speed(m: Kinematics, action: CheckedClause, asked: str) -> CheckedClause:
    words = f"{action.asked}, {asked}"
    if not judges_speed(action.asked, asked):
        return _not_judged(words, "the speed of this action is not judged")
    if action.verdict != YES:
        return CheckedClause(words, UNKNOWN, reason="the action is not seen")
    found, measure = speed_verdict(m, action.asked, asked)
    verdict = {True: YES, False: NO, None: UNKNOWN}[found]
    reason = "people call such a pace either" if found is None else ""
    return CheckedClause(words, verdict, measure.words, reason=reason, evidence="real takes")


def _action(m: Kinematics, name: str, claim: Claim, known: Collection[str], done: bool) -> CheckedClause:
    if done:
        return _clause(m, name, YES)
    reason = does(m, {"action": name}).reason.removeprefix(f"{name}: ")
    others = [one for one in claim.actions if one not in known and not _is_a(one, name)]
    if name == "kick" and ankles(m).value < LEAST_KICK:
        others = []
    if others:
        return _clause(m, name, UNKNOWN, f"{reason}; but it may be meant as {' or '.join(sorted(others))}")
    seen = (
        one for one in sorted(ANSWERED) if name in COMPANIONS.get(one, ()) and does(m, {"action": one}).ok
    )
    if (other := next(seen, None)) is not None:
        return _clause(m, name, UNKNOWN, f"{reason}; but {other} is seen, which may be called so")
    if "action" not in EVIDENCE[name].denies:
        return _clause(m, name, UNKNOWN, reason + _FEW_REAL_TAKES)
    if name in _NEARLY and _NEARLY[name](m):
        return _clause(m, name, UNKNOWN, f"{reason}; but people call what is nearly so by this name")
    return _clause(m, name, NO, reason)


def _is_a(kind: str, name: str) -> bool:
    """Whether whoever does ``kind`` does ``name`` too, as far as the check of the latter sees."""
    return kind.startswith(f"{name} ") or (name == "jog" and kind in ("run", "sprint"))


def _clause(m: Kinematics, action: str, verdict: str, reason: str = "", start: int = 0) -> CheckedClause:
    measure = MEASURES[action](m) if action in MEASURES else None
    evidence = EVIDENCE[action].source if action in EVIDENCE else ""
    if measure is None:
        return CheckedClause(action, verdict, reason=reason, evidence=evidence)
    second = None if measure.second is None else round(measure.second + start / FPS, 2)
    return CheckedClause(action, verdict, measure.words, second, reason, evidence)


def _unanswered(action: str) -> str:
    if action not in CHECKS:
        return "there is no check of this action"
    one = EVIDENCE.get(action)
    if one is None:
        return "the check of this action was not measured"
    return (
        f"the check of this action agrees too seldom with labelled takes: it holds in {one.real} of "
        f"{one.real_takes} real takes of it, in {one.false_alarms} of {one.other_takes} others"
    )


def qualifiers(claim: Claim, action: str) -> list[tuple[str, Mapping[str, Any] | None]]:
    """What is said of an action in words, with what its check is told; None for what it cannot judge."""
    found: list[tuple[str, Mapping[str, Any] | None]] = []
    to_a_side = any(word in action for word in _TO_A_SIDE)
    lateral = {way for way in claim.directions if way in (*SIDE_NAMES, *_TURNING)}
    limbs = set(claim.supports) if action == "balance" and claim.supports else set(claim.sides)
    if limbs:
        side = limbs.copy().pop() if len(limbs) == 1 else "both"
        judged = action in _OF_A_LIMB and EVIDENCE[action].sides_agree
        judged &= side != "both" or action not in _NOT_BOTH
        judged |= action == "balance" and bool(claim.supports)
        found.append((side, {"side": side} if judged else None))
    if lateral:
        sides = {_TURNING.get(way, way) for way in lateral}
        judged = to_a_side and len(sides) == 1 and EVIDENCE[action].sides_agree
        found.append((" and ".join(sorted(lateral)), {"side": sides.copy().pop()} if judged else None))
    if action == "turn" and claim.angle is not None:
        found.append((f"{claim.angle} degrees", {"angle": claim.angle}))
    ways = claim.directions - lateral - _IMPLIED.get(action, set())
    if ways:
        judged = ways == {_JUDGED.get(action)}
        found.append((" and ".join(sorted(ways)), {"direction": _JUDGED[action]} if judged else None))
    if claim.count is not None:
        words = "once" if claim.count == 1 else f"{claim.count} times"
        judged = action in COUNTED and EVIDENCE[action].counts_agree
        found.append((words, {"count": claim.count} if judged else None))
    return found


def _qualified(
    m: Kinematics, action: str, words: str, expected: Mapping[str, Any] | None, done: str, undecided: bool
) -> CheckedClause:
    asked = f"{action}, {words}"
    if expected is None:
        return _not_judged(asked, "the check of this action does not judge it")
    if done != YES:
        return CheckedClause(asked, UNKNOWN, reason="the action is not seen")
    outcome = does(m, {"action": action, **expected})
    reason = outcome.reason.removeprefix(f"{action}: ")
    takes = {"side": EVIDENCE[action].side_takes, "count": EVIDENCE[action].count_takes}
    kind = next(iter(expected))
    evidence = source_of(takes.get(kind, 0))
    if outcome.ok:
        return CheckedClause(asked, YES, reason=reason, evidence=evidence)
    if undecided or kind not in EVIDENCE[action].denies:
        reason += _MORE_IS_SAID if undecided else _FEW_REAL_TAKES
        return CheckedClause(asked, UNKNOWN, reason=reason, evidence=evidence)
    return CheckedClause(asked, NO, reason=reason, evidence=evidence)


def _in_a_row(m: Kinematics, parts: Collection[Claim]) -> list[CheckedClause]:
    """The clauses of actions in a row: done when the motion can be cut so that each piece does its part."""
    names = [min(p.actions & ANSWERED, key=lambda n: (len(n), n), default="") for p in parts]
    if "" in names:
        reason = "in a row with an action that no check answers"
        return [
            _not_judged(name or _name(part), reason if name else _unanswered(_name(part)))
            for name, part in zip(names, parts, strict=True)
        ]
    if len(m) > MOST_FRAMES:
        most = MOST_FRAMES / FPS
        reason = f"actions in a row are looked for in at most {most:.0f} s, this is {m.seconds:.0f} s"
        return [CheckedClause(name, UNKNOWN, reason=reason) for name in names]
    asked = [qualifiers(part, name) for name, part in zip(names, parts, strict=True)]
    plain: list[dict[str, Any]] = [{"action": name} for name in names]
    told = [dict(one) for one in plain]
    for one, told_of_it in zip(told, asked, strict=True):
        for _, expected in told_of_it:
            one.update(expected or {})
    whole = does(m, {"action": "sequence", "parts": told})
    outcome = whole if whole.ok else does(m, {"action": "sequence", "parts": plain})
    if not outcome.ok:
        # Of what happens between the parts a sentence tells nothing: not found is not yet not done.
        reason = outcome.reason.removeprefix("sequence: ")
        return [CheckedClause(IN_A_ROW.join(names), UNKNOWN, reason=reason)]
    found, start = [], 0
    for name, told_of_it, end in zip(names, asked, outcome.cuts, strict=True):
        found.append(_clause(m.cut(start, end), name, YES, start=start))
        for words, expected in told_of_it:
            verdict = YES if whole.ok and expected else UNKNOWN
            reason = "" if verdict == YES else "not judged of this action in a row with others"
            judged = expected is not None
            found.append(CheckedClause(f"{name}, {words}", verdict, reason=reason, judged=judged))
        start = end
    return found
