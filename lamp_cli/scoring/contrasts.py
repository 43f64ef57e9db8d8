"""Contrasts: how often an evaluator prefers what is true to the same thing with one property turned round.

``order``: the sentence's events in their order against another order (CAR: Fujiwara et al., ECCV 2024);
``mirrored text``: left and right in the sentence against each other; ``reversed motion``: the motion against
itself played backwards, of sentences that a reversed motion does not do. Half of the pairs is chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.batches import batched
from ..data.captions import Caption
from ..inference import BATCH_SIZE
from ..language.events import in_another_order
from ..language.mirror import mirror_sentence
from ..metrics.measurement import wilson_interval
from ..motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ..motion.representation import joints_to_features
from ..synthetic.corpus import claims
from .evaluators import Evaluator
from .figures import (
    CONTRASTS,
    MIRRORED_TEXT,
    ORDER,
    REVERSED_MOTION,
    Figure,
    ProgressBar,
    Report,
    ScoreOptions,
    no_progress,
)
from .scored_motions import Example

PROTOCOLS_OF_CONTRASTS = {
    ORDER: "events in another order, found by rule, one caption a clip",
    MIRRORED_TEXT: "left and right exchanged, one caption a clip",
    REVERSED_MOTION: "played backwards, captions of ways, orders and changes of pose, one a clip",
}
# Actions whose reverse is another one; a wave or a jump may look the same backwards.
_ONE_WAY = frozenset(
    "walk;walk backward;walk in a curve;jog;run;sprint;crouch walk;tiptoe;march;limp;crawl;stairs up;"
    "stairs down;sit down;sit on the floor;stand up;get up;lie down;kneel;throw;pick up;jump forward;"
    "jump backward".split(";")
)


@dataclass(frozen=True)
class Contrast:
    """A pair of which one side is true.

    true, false: the sentences; equal where the motion is turned round.
    motion, other: features (T, C) of the true motion, and of the one that ``false`` is compared with.
    """

    true: Caption
    false: Caption
    motion: np.ndarray
    other: np.ndarray


def score_contrasts(
    examples: Iterable[Example],
    count: int,
    evaluators: Sequence[Evaluator],
    options: ScoreOptions,
    subject: str,
    report: Report,
    bar: ProgressBar = no_progress,
) -> None:
    """The share of pairs in which each evaluator prefers the true side; ties count half.

    ``count`` examples, each with the captions that are true of its motion; one caption of each counts for
    each contrast, the first that can be turned round. Intervals are Wilson's.
    """
    rng = options.stream(CONTRASTS)
    preferred: dict[tuple[str, str], list[float]] = {}
    with bar(count, "contrasts") as advance:
        for batch in batched(examples, BATCH_SIZE):
            for name, make in _MAKERS.items():
                pairs = [pair for example in batch if (pair := make(example, rng)) is not None]
                for evaluator in evaluators:
                    values = preferred.setdefault((name, evaluator.name), [])
                    values += preferences(evaluator, pairs)
            advance(len(batch), "")
    for (name, evaluator_name), values in preferred.items():
        if not values:
            report.refuse(name, "no caption can be turned round so")
            continue
        share = float(np.mean(values))
        figure = Figure(name, PROTOCOLS_OF_CONTRASTS[name], evaluator_name, len(values), subject)
        interval = wilson_interval(share, len(values))
        report.measurements.append(figure.measured(share, interval, options.seed))


def preferences(evaluator: Evaluator, pairs: Sequence[Contrast]) -> list[float]:
    """1 for a pair whose true side is more similar, 0 for the other, 0.5 for none."""
    if not pairs:
        return []
    true = _similarities(evaluator, [p.true for p in pairs], [p.motion for p in pairs])
    false = _similarities(evaluator, [p.false for p in pairs], [p.other for p in pairs])
    return [float(value) for value in np.where(true == false, 0.5, (true > false).astype(float))]


def _similarities(
    evaluator: Evaluator, captions: Sequence[Caption], features: Sequence[np.ndarray]
) -> np.ndarray:
    return np.diagonal(evaluator.similarity(captions, features))


def _order(example: Example, rng: np.random.Generator) -> Contrast | None:
    for caption in example.captions:
        found = in_another_order(caption.text, rng)
        if found is not None:
            features = _features(example)
            return Contrast(Caption(found[0]), Caption(found[1]), features, features)
    return None


def _mirrored(example: Example, rng: np.random.Generator) -> Contrast | None:
    for caption in example.captions:
        other = mirror_sentence(caption.text)
        if other != caption.text and not _says_both_sides(caption.text):
            features = _features(example)
            return Contrast(Caption(caption.text), Caption(other), features, features)
    return None


def _says_both_sides(text: str) -> bool:
    """Whether a sentence names left and right alike, so that it may hold when they are exchanged."""
    said = claims(text).whole
    sides = (said.sides | said.directions) & {"left", "right", "both"}
    return len(sides) > 1 or "both" in sides


def _reversed(example: Example, rng: np.random.Generator) -> Contrast | None:
    for caption in example.captions:
        parts = claims(caption.text).parts
        if len(parts) > 1 or any(part.actions & _ONE_WAY for part in parts):
            joints, skeleton = example.motion.joints, example.motion.skeleton
            if len(joints) <= FRAMES_PER_TOKEN:
                return None
            ways = [
                joints_to_features(way[: LONGEST_CLIP + 1], skeleton)
                for way in (joints, np.ascontiguousarray(joints[: LONGEST_CLIP + 1][::-1]))
            ]
            return Contrast(Caption(caption.text), Caption(caption.text), ways[0], ways[1])
    return None


def _features(example: Example) -> np.ndarray:
    return example.motion.to_features()[:LONGEST_CLIP]


_MAKERS: dict[str, Callable[[Example, np.random.Generator], Contrast | None]] = {
    ORDER: _order,
    MIRRORED_TEXT: _mirrored,
    REVERSED_MOTION: _reversed,
}
