"""Scores against earlier scores: what moved beyond its confidence interval, and which way.

Works on measurements; knows nothing of how they come about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..metrics.measurement import CONTROLS, GROUND_TRUTH, Measurement
from .figures import AS_REAL, FIGURES, LARGER, SMALLER

# A figure without an interval has moved when it differs by more than rounding.
_ROUNDING = 1e-6


class Verdict(Enum):
    """What became of a figure."""

    BETTER = "better"
    WORSE = "worse"
    MOVED = "moved"
    SAME = "within its interval"
    NEW = "new"
    GONE = "gone"
    INCOMPARABLE = "not comparable"


@dataclass(frozen=True)
class Change:
    """A figure now and earlier; ``reason`` says why they are not comparable, else it is empty."""

    now: Measurement | None
    earlier: Measurement | None
    verdict: Verdict
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """Now minus earlier."""
        return None if self.now is None or self.earlier is None else self.now.value - self.earlier.value


def compare(now: Sequence[Measurement], earlier: Sequence[Measurement]) -> list[Change]:
    """One ``Change`` per figure of ``now``, in order, then those of ``earlier`` that are gone.

    Figures belong together when metric, protocol, evaluator and subject agree; another pool size
    makes them incomparable. A difference counts when it exceeds the interval of a difference of two
    means, sqrt(a^2 + b^2).
    Control rows (ground truth, shuffled, floor) and figures without a better side only move.
    Raises ``ValueError`` when a list holds a figure twice.
    """
    old, new = _by_key(earlier), _by_key(now)
    changes = [_change(figure, old.get(key), new) for key, figure in new.items()]
    return changes + [Change(None, figure, Verdict.GONE) for key, figure in old.items() if key not in new]


def regressions(changes: Sequence[Change]) -> list[Change]:
    """Those that got worse beyond their intervals, or can no longer be told."""
    failing = (Verdict.WORSE, Verdict.GONE, Verdict.INCOMPARABLE)
    return [change for change in changes if change.verdict in failing]


def sentence(change: Change) -> str:
    """What became of a figure, for people."""
    figure = change.now or change.earlier
    assert figure is not None
    name = f"{figure.metric} of {figure.subject} ({figure.protocol}; evaluator: {figure.evaluator or 'none'})"
    if change.verdict is Verdict.GONE:
        return f"gone since the baseline: {name}"
    if change.verdict is Verdict.INCOMPARABLE:
        return f"not comparable with the baseline: {name}: {change.reason}"
    assert change.earlier is not None and change.now is not None
    return f"{change.verdict.value}: {name}: {change.earlier.value:.4g}, now {change.now.value:.4g}"


Key = tuple[str, str, str | None, str]


def _key(figure: Measurement) -> Key:
    return figure.metric, figure.protocol, figure.evaluator, figure.subject


def _by_key(figures: Sequence[Measurement]) -> dict[Key, Measurement]:
    found: dict[Key, Measurement] = {}
    for figure in figures:
        if _key(figure) in found:
            raise ValueError(
                f"{figure.metric} ({figure.protocol}, {figure.subject}) stands twice in the scores"
            )
        found[_key(figure)] = figure
    return found


def _change(now: Measurement, earlier: Measurement | None, all_now: dict[Key, Measurement]) -> Change:
    if earlier is None:
        return Change(now, None, Verdict.NEW)
    if now.pool != earlier.pool:
        return Change(now, earlier, Verdict.INCOMPARABLE, f"pool {earlier.pool} then, {now.pool} now")
    bound = math.hypot(now.interval or 0.0, earlier.interval or 0.0)
    bound = max(bound, _ROUNDING * max(abs(now.value), abs(earlier.value)))
    if abs(now.value - earlier.value) <= bound:
        return Change(now, earlier, Verdict.SAME)
    if now.subject in CONTROLS:
        return Change(now, earlier, Verdict.MOVED)
    real = all_now.get((now.metric, now.protocol, now.evaluator, GROUND_TRUTH))
    return Change(now, earlier, _direction(now, earlier, real))


def _direction(now: Measurement, earlier: Measurement, real: Measurement | None) -> Verdict:
    gain = now.value - earlier.value
    kind = FIGURES.get(now.metric)
    better = None if kind is None else kind.better
    if better == AS_REAL and real is not None:
        gain = abs(earlier.value - real.value) - abs(now.value - real.value)
    elif better == SMALLER:
        gain = -gain
    elif better != LARGER:
        return Verdict.MOVED
    return Verdict.BETTER if gain > 0.0 else Verdict.WORSE
