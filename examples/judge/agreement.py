"""How often the checks of ``lamp check`` agree with labelled takes: the table that decides what is answered.

    python -m examples.judge.agreement MOTIONS LABELS.jsonl [--made-up 20]

A line of the labels is ``{"motion": "walk_03.npy", "texts": ["a person walks"]}``, the motion a file in the
folder, with ``start`` and ``end`` in seconds where it is a part of it, and ``count`` where somebody counted.
A take counts for the action that all of its sentences name when none names another or says both forward and
backward. ``take_names.py`` makes sentences of ACCAD's names.

First table: the verdicts of ``lamp check`` on the labels' own actions, sides and ways left out. Second: what
each check alone says, of takes of its action, of made-up clips of it (``--made-up``), of takes labelled with
an action that does not bring it along (false alarms), and of takes whose labels say a side or a count: told
right, and not told another too. The rows are those of ``lamp_cli/checking/agreement.py``. Third:
verdicts on speed, of takes whose sentence says it.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamp_cli.checking.asked import SIDE_NAMES
from lamp_cli.checking.checks import CHECKS, does
from lamp_cli.checking.kinematics import Kinematics
from lamp_cli.checking.sentence import LEAST_FRAMES, check_joints
from lamp_cli.files.load import load_motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import COMPANIONS, claims, synthetic_clip_of

# Whom nobody says to raise an arm though it goes over the head: of pitchers and dancers.
_ARMS_UP = {"throw": frozenset({"raise arms"}), "dance": frozenset({"raise arms"})}


@dataclass(frozen=True)
class Take:
    """A motion with its sentences and what its label says.

    motion: the motion.
    texts: its sentences.
    actions: of its label, alternatives of each other.
    side: ``left``, ``right`` or ``both`` where all sentences say it.
    count: how often it is done, where that was counted.
    """

    motion: Kinematics
    texts: tuple[str, ...]
    actions: frozenset[str]
    side: str | None
    count: int | None


def label_of(texts: Sequence[str]) -> frozenset[str]:
    """The actions that every clause of every sentence may mean; empty for opposite ways."""
    said = [claims(text) for text in texts]
    ways = [{"forward", "backward"} <= one.whole.directions for one in said]
    if not said or any(not one.parts for one in said) or any(ways):
        return frozenset()
    return frozenset.intersection(*(part.actions for one in said for part in one.parts))


def side_of(texts: Sequence[str]) -> str | None:
    """The side of limbs or ways that every sentence says; ``both`` where one says so."""
    said = [claims(text).whole for text in texts]
    if any("both" in one.sides for one in said):
        return "both"
    sides = [set(SIDE_NAMES) & (one.sides | one.directions) for one in said]
    return (
        sides[0].copy().pop() if sides and len(sides[0]) == 1 and all(s == sides[0] for s in sides) else None
    )


def takes_of(folder: Path, labels: Path) -> Iterator[Take]:
    """The takes whose label is of one action; raises ``ValueError`` for a motion that cannot be read."""
    for line in labels.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        actions = label_of(record["texts"])
        if not actions:
            continue
        motion = load_motion(folder / record["motion"])
        start, end = (record.get(key) for key in ("start", "end"))
        whole = resample(motion.joints, motion.fps, HUMANML3D.fps)
        first = round((start or 0) * HUMANML3D.fps)
        joints = whole[first : None if end is None else round(end * HUMANML3D.fps)]
        if len(joints) >= LEAST_FRAMES:
            texts = tuple(record["texts"])
            yield Take(Kinematics.of(joints), texts, actions, side_of(texts), record.get("count"))


def plainest(actions: frozenset[str]) -> str:
    """The shortest name, which is the one without a way: "jump" before "jump forward"."""
    return min(actions, key=lambda action: (len(action), action))


def _same(label: str, action: str) -> bool:
    """Whether a label is evidence for an action's check; to jog is to run, and who boxes punches."""
    return label == action or {label, action} in ({"jog", "run"}, {"box", "punch"})


def brings_along(actions: frozenset[str], other: str) -> bool:
    """Whether a take of ``actions`` may show another action too, by what the words mean."""
    return other in actions or any(
        other in COMPANIONS.get(action, ()) or other in _ARMS_UP.get(action, ()) for action in actions
    )


def verdicts(takes: Sequence[Take]) -> dict[str, Counter[str]]:
    """Verdicts of ``lamp check`` on the action of each take, by the plainest name of the action."""
    found: dict[str, Counter[str]] = {}
    for take in takes:
        name = plainest(take.actions)
        first = check_joints(take.motion, take.texts[0]).clauses[0]
        found.setdefault(name, Counter())[first.verdict] += 1
    return found


def evidence_rows(takes: Sequence[Take], clips: int) -> Iterator[str]:
    """A row of each check: real takes of it, made-up clips of it, false alarms in others."""
    seen = [{action for action in CHECKS if does(take.motion, {"action": action}).ok} for take in takes]
    pairs = list(zip(takes, seen, strict=True))
    for action in CHECKS:
        # "He jumps" is true of a jump forward as well: any of the alternatives will do.
        own = [bool(take.actions & done) for take, done in pairs if _same(plainest(take.actions), action)]
        others = [action in done for take, done in pairs if not brings_along(take.actions, action)]
        made = [
            does(synthetic_clip_of(action, np.random.default_rng([77, n])).joints, {"action": action}).ok
            for n in range(clips)
        ]
        seen_of_it = [t for t, done in pairs if _same(plainest(t.actions), action) and t.actions & done]
        sides = [
            _told(t.motion, action, "side", t.side, SIDE_NAMES) for t in seen_of_it if t.side in SIDE_NAMES
        ]
        counted = [_told(t.motion, action, "count", t.count, ()) for t in seen_of_it if t.count is not None]
        counts = " ".join(f"{sum(values)}/{len(values)}" for values in (own, made, others, sides, counted))
        yield f"{action}: {counts}"


def _told(motion: Kinematics, action: str, key: str, true: str | int | None, others: Sequence[str]) -> bool:
    """Whether the check finds what is true of an action, and no other."""
    false = [one for one in others if one != true]
    holds = [does(motion, {"action": action, key: value}).ok for value in (true, *false)]
    return holds[0] and not any(holds[1:])


def speed_rows(takes: Sequence[Take]) -> Iterator[str]:
    """Verdicts on the speed that a sentence of a single gait says."""
    found: dict[str, Counter[str]] = {}
    for take in takes:
        for text in take.texts:
            for clause in check_joints(take.motion, text).clauses:
                if clause.asked.endswith((", slow", ", fast")):
                    found.setdefault(clause.asked, Counter())[clause.verdict] += 1
    for asked, verdicts_on in sorted(found.items()):
        yield f"{asked}: " + ", ".join(f"{name} {verdicts_on[name]}" for name in ("yes", "no", "unknown"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("motions", type=Path, help="folder of motion files")
    parser.add_argument("labels", type=Path, help="JSON lines: motion and texts, maybe start and end")
    parser.add_argument("--made-up", type=int, default=0, help="made-up clips of each action")
    options = parser.parse_args(arguments)
    takes = list(takes_of(options.motions, options.labels))
    print(f"{'action':26s} takes   yes    no  unknown")
    for action, found in sorted(verdicts(takes).items(), key=lambda item: -item[1].total()):
        print(f"{action:26s} {found.total():5d} {found['yes']:5d} {found['no']:5d} {found['unknown']:8d}")
    print("\naction: real takes of it, made-up clips of it, false alarms in others, sides, counts")
    for row in (*evidence_rows(takes, options.made_up), "", *speed_rows(takes)):
        print(row)


if __name__ == "__main__":
    main()
