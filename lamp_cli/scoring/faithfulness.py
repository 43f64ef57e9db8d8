"""What captions say that is not true of their motion, and what is true that they do not say.

A caption is taken apart by the reader of ``check``; what it says of actions, sides, ways, counts and order is
looked for in the joints by the checks that may answer (``checking.agreement``). Hallucinated is what no piece
of the motion does, of what may be denied. Omitted is what the references say, the joints confirm, and the
caption does not say. What no check judges counts in neither. Source of the terms: Rohrbach et al., "Object
Hallucination in Image Captioning", EMNLP 2018 (CHAIR), with joints instead of annotated objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checking.agreement import ANSWERED, EVIDENCE
from ..checking.checks import does
from ..checking.kinematics import Kinematics
from ..checking.sentence import AT_ONCE, NEGATIONS, qualifiers
from ..metrics.measurement import wilson_interval
from ..motion.motion import Motion
from ..motion.skeleton import HUMANML3D
from ..synthetic.corpus import Claim, claims
from .figures import CAPTIONED, FACT_KINDS, HALLUCINATED, OMITTED, Figure, Report

# Least piece of a motion in which an action is looked for, frames at 20 fps, and pieces of a motion.
LEAST_PIECE, PIECES = 12, 4
SAID = "said in captions, judged by joints as lamp check does"
UNSAID = "said in references, confirmed by joints, unsaid in captions"
_ORDER = "order"


@dataclass(frozen=True)
class Fact:
    """Something that a sentence says: an action, its ``side``, ``direction`` or ``count``, or an ``order``.

    ``value`` is the words for it; empty for an action and an order.
    """

    kind: str
    action: str
    value: str = ""


class JudgedMotion:
    """Joints (T, 22, 3) at 20 fps whose pieces are looked at for actions, each once."""

    def __init__(self, joints: np.ndarray):
        self._motion = Kinematics.of(joints)
        step = max(LEAST_PIECE, len(joints) // PIECES)
        cuts = [*range(0, len(joints) - LEAST_PIECE, step), len(joints)]
        spans = [(0, len(joints))] + [(a, b) for a in cuts for b in cuts if b - a >= LEAST_PIECE]
        self._pieces = [self._motion.cut(*span) for span in dict.fromkeys(spans)]
        self._seen: dict[str, bool] = {}

    def shows(self, expected: Mapping[str, Any]) -> bool:
        """Whether some piece of the motion does it."""
        key = repr(sorted(expected.items()))
        if key not in self._seen:
            self._seen[key] = any(does(piece, expected).ok for piece in self._pieces)
        return self._seen[key]

    def in_a_row(self, actions: Sequence[str]) -> bool:
        """Whether the motion can be cut so that each piece, in order, does its action."""
        return does(self._motion, {"action": "sequence", "parts": [{"action": name} for name in actions]}).ok


def facts_of(sentence: str, motion: JudgedMotion) -> dict[Fact, bool]:
    """What a sentence says and the joints can tell, and whether it is true."""
    if NEGATIONS.search(sentence):
        return {}
    parts = claims(sentence).parts
    found: dict[Fact, bool] = {}
    shown = [_facts_of_part(part, motion, found) for part in parts]
    row = [name for name in shown if name]
    if len(parts) > 1 and len(row) == len(parts) and len(set(row)) > 1 and not AT_ONCE.search(sentence):
        fact = Fact(_ORDER, ", then ".join(row))
        if motion.in_a_row(row):
            found[fact] = True
        elif motion.in_a_row(row[::-1]):
            found[fact] = False
    return found


def _facts_of_part(part: Claim, motion: JudgedMotion, found: dict[Fact, bool]) -> str:
    """Enter what one clause says; the action that is shown, empty for none."""
    known = sorted(part.actions & ANSWERED, key=lambda name: (len(name), name))
    name = next((one for one in known if motion.shows({"action": one})), "")
    if not name:
        # What may be meant otherwise is not denied, nor what no real takes show the check to see.
        if known and len(known) == len(part.actions) and "action" in EVIDENCE[known[0]].denies:
            found[Fact("action", known[0])] = False
        return ""
    found[Fact("action", name)] = True
    for words, expected in qualifiers(part, name):
        if expected is not None:
            kind = next(iter(expected))
            limbs = part.sides | part.supports | {"both"}
            kind = "direction" if kind == "side" and words not in limbs else kind
            shown = motion.shows({"action": name, **expected})
            if shown or next(iter(expected)) in EVIDENCE[name].denies:
                found[Fact(kind, name, words)] = shown
    return name


def says(sentence: str, fact: Fact) -> bool:
    """Whether a sentence says a fact, in whatever words the reader knows."""
    for part in claims(sentence).parts:
        if fact.action in part.actions:
            words = {words for words, _ in qualifiers(part, fact.action)}
            if fact.kind == "action" or fact.value in words:
                return True
    return False


@dataclass
class Faithfulness:
    """Counts of false and true sayings over captions.

    said: by kind, how many were false and how many were judged.
    true: by kind, how many true ones were left out and how many there were.
    """

    said: dict[str, tuple[int, int]] = field(default_factory=dict)
    true: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, motion: Motion, caption: str, references: Sequence[str]) -> None:
        """One caption of a motion of HumanML3D's joints, and what people say of it."""
        joints = motion.joints_at(HUMANML3D.fps)
        if len(joints) < LEAST_PIECE:
            return
        judged = JudgedMotion(joints)
        for fact, true in facts_of(caption, judged).items():
            _count(self.said, fact.kind, not true)
        truths = {fact for text in references for fact, true in facts_of(text, judged).items() if true}
        for fact in truths:
            if fact.kind != _ORDER:
                _count(self.true, fact.kind, not says(caption, fact))

    def report(self, captioner: str, seed: int, report: Report) -> None:
        """Enter the shares, with how many there were of; kinds of which there was none are left out."""
        for names, protocol, counts in ((HALLUCINATED, SAID, self.said), (OMITTED, UNSAID, self.true)):
            for kind in FACT_KINDS:
                wrong, count = counts.get(kind, (0, 0))
                if count:
                    figure = Figure(names[kind], protocol, captioner, count, CAPTIONED)
                    interval = wilson_interval(wrong / count, count)
                    report.measurements.append(figure.measured(wrong / count, interval, seed))


def _count(counts: dict[str, tuple[int, int]], kind: str, wrong: bool) -> None:
    before = counts.get(kind, (0, 0))
    counts[kind] = before[0] + wrong, before[1] + 1
