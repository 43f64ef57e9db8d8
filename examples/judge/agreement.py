"""How often the checks of ``lamp check`` agree with labelled takes: the table that decides what is answered.

    python -m examples.judge.agreement MOTIONS LABELS.jsonl [--made-up 20]

A line of the labels is ``{"motion": "walk_03.npy", "texts": ["a person walks"]}``, the motion a file in the
folder, with ``start`` and ``end`` in seconds where it is a part of it. A take counts for the action that all
of its sentences name when each names one and none says both forward and backward.

First table: the verdicts of ``lamp check`` on the labels' own actions, sides and ways left out. Second: what
each check alone says, of takes of its action, of made-up clips of it (``--made-up``), and of takes labelled
with an action that does not bring it along (false alarms); the rows are those of
``lamp_cli/scoring/check/agreement.py``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamp_cli.files.load import load_motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.scoring.check.checks import CHECKS, does
from lamp_cli.scoring.check.kinematics import Kinematics
from lamp_cli.scoring.check.sentence import LEAST_FRAMES, check_joints
from lamp_cli.synthetic.corpus import COMPANIONS, claims, synthetic_clip_of


@dataclass(frozen=True)
class Take:
    """A motion with one of its sentences and the actions of its label: alternatives of each other."""

    motion: Kinematics
    text: str
    actions: frozenset[str]


def label_of(texts: Sequence[str]) -> frozenset[str]:
    """The actions that all sentences name; empty for a label of several actions or of opposite ways."""
    said = [claims(text) for text in texts]
    ways = [{"forward", "backward"} <= one.whole.directions for one in said]
    if not said or any(len(one.parts) != 1 for one in said) or any(ways):
        return frozenset()
    return frozenset.intersection(*(one.parts[0].actions for one in said))


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
            yield Take(Kinematics.of(joints), record["texts"][0], actions)


def plainest(actions: frozenset[str]) -> str:
    """The shortest name, which is the one without a way: "jump" before "jump forward"."""
    return min(actions, key=lambda action: (len(action), action))


def _same(label: str, action: str) -> bool:
    """Whether a label is evidence for an action's check; to jog and to run are one word for most people."""
    return label == action or {label, action} == {"jog", "run"}


def brings_along(actions: frozenset[str], other: str) -> bool:
    """Whether a take of ``actions`` may show another action too, by what the words mean."""
    return other in actions or any(other in COMPANIONS.get(action, ()) for action in actions)


def verdicts(takes: Sequence[Take]) -> dict[str, Counter[str]]:
    """Verdicts of ``lamp check`` on the action of each take, by the plainest name of the action."""
    found: dict[str, Counter[str]] = {}
    for take in takes:
        name = plainest(take.actions)
        first = check_joints(take.motion, take.text).clauses[0]
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
        counts = " ".join(f"{sum(values)}/{len(values)}" for values in (own, made, others))
        yield f"{action}: {counts}"


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
    print("\naction: real takes of it, made-up clips of it, false alarms in real takes of others")
    for row in evidence_rows(takes, options.made_up):
        print(row)


if __name__ == "__main__":
    main()
