"""Edited motions beside what they were made of: what was to stay, and the poses that were given.

Source: see ``metrics.edits``. Needs no model: this module imports no network.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics.edits import deviation_outside, keyframe_errors
from ..metrics.measurement import mean_and_interval
from .figures import Figure, MotionOrigin, Report
from .scored_motions import Example

BESIDE_SOURCE = "mean over clips, beside their sources"


def score_edits(examples: Sequence[Example], origin: MotionOrigin, report: Report) -> None:
    """How far motions are from their sources outside the span that was drawn, and at poses kept within."""
    found: dict[str, list[float]] = {}
    for example in examples:
        edit, joints = example.edit, example.motion.joints
        if edit is None:
            continue
        values = deviation_outside(joints, edit.source.joints, edit.start, edit.stop)
        if edit.kept:
            kept = list(edit.kept)
            values |= keyframe_errors(joints[kept], edit.source.joints[kept])
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    if not found:
        report.refuse("edits", "no line has a span and a source, as those of `lamp edit`")
    how = origin.labelled(BESIDE_SOURCE)
    report.measurements += [
        Figure(name, how, None, len(values), origin.subject).measured(*mean_and_interval(values))
        for name, values in found.items()
    ]
