"""What ``lamp score`` can be asked for, and what came of it: figures measured, figures refused.

Knows names, options and collections; measures nothing and imports no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..metrics.captioning import CAPTION_PROTOCOLS
from ..metrics.dense_captions import THRESHOLDS
from ..metrics.distribution import (
    DIVERSITY_PROTOCOLS,
    INFINITE_FID,
    MULTIMODALITY_PROTOCOLS,
    UNIT_FID,
)
from ..metrics.edits import DEVIATION, HIT_FIGURES, KEYFRAME_ERROR, LARGEST_DEVIATION, ROOT_ERROR
from ..metrics.feet import (
    CONTACT_CONSISTENCY,
    GMD_SKATING,
    KIMODO_SKATING,
    MBENCH_PENETRATION,
    MBENCH_SLIDING,
    PFC,
)
from ..metrics.matching import CLIP_SCORE, DIRECTIONS, MOTION_SIMILARITY, TEXT_SIMILARITY, TOPS
from ..metrics.measurement import FigureNotAllowed, Measurement, mean_and_interval
from ..metrics.pairwise import COVERAGE, DENSITY, KID, PRECISION, RECALL
from ..metrics.physics import BONE_DRIFT, FLOATING, FOOT_SKATE, JITTER, PENETRATION, ROOT_RELATIVE_JITTER
from ..metrics.reconstruction import ACCELERATION_ERROR, MPJPE, PA_MPJPE, ROOT_RELATIVE_MPJPE
from ..metrics.retrieval import RANKS
from ..metrics.sequences import AREA_UNDER_JERK, PEAK_JERK
from .plots import Heatmap

if TYPE_CHECKING:
    from ..inference.generate import GenerateOptions

BERTSCORE = "bertscore"
FID = "fid"
DIVERSITY = "diversity"
MULTIMODALITY = "multimodality"
R_PRECISION = "r-precision"
MM_DIST = "mm-dist"
RETRIEVAL = "retrieval"
CAPTIONS = "captions"
PHYSICS = "physics"
RECONSTRUCTION = "reconstruction"
DISTRIBUTION = "distribution"
SEQUENCES = "sequences"
EDITS = "edits"
SIMILARITY = "similarity"
CONTRASTS = "contrasts"

# Figures of contrasts: of order, of sides, of time.
ORDER, MIRRORED_TEXT = "order contrast (CAR)", "mirrored-text contrast"
REVERSED_MOTION = "reversed-motion contrast"
CONTRAST_FIGURES = (ORDER, MIRRORED_TEXT, REVERSED_MOTION)
# Figures of what captions say that is false, and leave out that is true, by kind.
FACT_KINDS = ("action", "side", "direction", "count", "order")
HALLUCINATED = {kind: f"hallucinated {kind}" for kind in FACT_KINDS}
OMITTED = {kind: f"omitted {kind}" for kind in FACT_KINDS if kind != "order"}
# Figures of captions of moments.
SODA_PARTS = tuple(f"SODA (METEOR) {part}" for part in ("precision", "recall", "F1"))

# Each needs texts and motions of an evaluator, loading by loading.
MATCHING = (FID, DIVERSITY, R_PRECISION, MM_DIST, DISTRIBUTION, SIMILARITY)
# The place of each seeds its random stream: a new one goes to the end.
METRICS = (
    BERTSCORE,
    FID,
    DIVERSITY,
    R_PRECISION,
    MM_DIST,
    MULTIMODALITY,
    RETRIEVAL,
    CAPTIONS,
    PHYSICS,
    RECONSTRUCTION,
    DISTRIBUTION,
    SEQUENCES,
    EDITS,
    SIMILARITY,
    CONTRASTS,
)
# Of motions that are generated where a data set is scored.
OF_GENERATED = (BERTSCORE, *MATCHING, MULTIMODALITY, PHYSICS)
# Of motions that say which frames are whose: of several parts, or edited ones.
OF_SPANS = (SEQUENCES, EDITS)
# Of motions alone, without texts.
OF_MOTIONS = (PHYSICS, RECONSTRUCTION)

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    RETRIEVAL: ("all", "threshold", "dissimilar", "small-batches"),
    CAPTIONS: tuple(protocol.name for protocol in CAPTION_PROTOCOLS),
    DIVERSITY: tuple(protocol.name for protocol in DIVERSITY_PROTOCOLS),
    MULTIMODALITY: tuple(protocol.name for protocol in MULTIMODALITY_PROTOCOLS),
}

# Subjects besides those of ``metrics.measurement``; unlike ground truth these can get worse.
GIVEN = "given"
RETRIEVED = "retrieved"
CAPTIONED = "captioned"
RECONSTRUCTED = "reconstructed"

LARGER, SMALLER, AS_REAL = "larger", "smaller", "as real"


class FigureKind(NamedTuple):
    """The metric that a figure belongs to, and which value is better; None where neither side is."""

    metric: str
    better: str | None


TRANSITION_FID = "transition FID"
PART_R_PRECISION: Mapping[int, str] = {k: f"part R-precision top {k}" for k in TOPS}


def cider_at(threshold: float | None) -> str:
    """The printed name of CIDEr-D of moments that overlap by a tIoU; None: the mean over all of them."""
    return "CIDEr-D, mean over tIoU" if threshold is None else f"CIDEr-D at tIoU {threshold:g}"


_PARTS = ("precision", "recall", "F1")
_NAMES: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    (BERTSCORE, LARGER, tuple(f"LaMP-BertScore {part}" for part in _PARTS)),
    (FID, SMALLER, ("FID",)),
    (DISTRIBUTION, SMALLER, (UNIT_FID, INFINITE_FID, KID)),
    (DISTRIBUTION, LARGER, (PRECISION, RECALL, DENSITY, COVERAGE)),
    (DIVERSITY, AS_REAL, ("Diversity",)),
    (MULTIMODALITY, None, ("MultiModality",)),
    (R_PRECISION, LARGER, tuple(f"R-precision top {k}" for k in TOPS)),
    (MM_DIST, SMALLER, ("MM-Dist",)),
    (SIMILARITY, LARGER, (TEXT_SIMILARITY, MOTION_SIMILARITY, CLIP_SCORE)),
    (RETRIEVAL, LARGER, tuple(f"{direction} R@{k}" for direction in DIRECTIONS for k in RANKS)),
    (RETRIEVAL, SMALLER, tuple(f"{direction} MedR" for direction in DIRECTIONS)),
    (CAPTIONS, LARGER, tuple(f"caption R-precision top {k}" for k in TOPS)),
    (CAPTIONS, LARGER, ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D")),
    (CAPTIONS, LARGER, tuple(f"BERTScore {part}" for part in _PARTS)),
    (CAPTIONS, SMALLER, ("caption MM-Dist",)),
    (PHYSICS, SMALLER, (FOOT_SKATE, PENETRATION, JITTER, BONE_DRIFT, ROOT_RELATIVE_JITTER)),
    (PHYSICS, SMALLER, (GMD_SKATING, KIMODO_SKATING, MBENCH_SLIDING, MBENCH_PENETRATION, PFC)),
    (PHYSICS, LARGER, (CONTACT_CONSISTENCY,)),
    (PHYSICS, AS_REAL, (FLOATING,)),
    (SEQUENCES, SMALLER, (PEAK_JERK, AREA_UNDER_JERK, TRANSITION_FID)),
    (SEQUENCES, LARGER, tuple(PART_R_PRECISION.values())),
    (EDITS, SMALLER, (DEVIATION, LARGEST_DEVIATION, ROOT_ERROR, KEYFRAME_ERROR)),
    (EDITS, LARGER, HIT_FIGURES),
    (CONTRASTS, LARGER, CONTRAST_FIGURES),
    (CAPTIONS, LARGER, (*map(cider_at, (*THRESHOLDS, None)), *SODA_PARTS)),
    (CAPTIONS, SMALLER, (*HALLUCINATED.values(), *OMITTED.values())),
    (RECONSTRUCTION, SMALLER, (MPJPE, ROOT_RELATIVE_MPJPE, PA_MPJPE, ACCELERATION_ERROR)),
)
# Every figure by its printed name.
FIGURES: Mapping[str, FigureKind] = {
    name: FigureKind(metric, better) for metric, better, names in _NAMES for name in names
}

# ``with bar(total, title) as advance``: progress, moved on by ``advance(count, detail)``.
ProgressBar = Callable[[int, str], AbstractContextManager[Callable[[float, str], None]]]


def no_progress(total: int, title: str) -> AbstractContextManager[Callable[[float, str], None]]:
    """Progress that nobody watches."""
    return nullcontext(lambda count, detail: None)


@dataclass(frozen=True)
class ScoreOptions:
    """What to measure and how.

    metrics: out of ``METRICS``.
    repetitions: loadings, generations or draws of figures that are drawn.
    seed: all randomness is drawn from it.
    protocols: names out of ``PROTOCOLS``; a metric none of whose protocols is named takes its default, which
        is all for retrieval and captions, and the field's for the others.
    dissimilar: the ids of retrieval's protocol of that name; chosen farthest-first when empty.
    generation: how motions are generated for a data set; None as ``lamp generate`` does.
    rerank: retrieval is measured again with so many of each query's candidates re-ranked by the matching
        head; 0 does without.

    Raises ``ValueError`` for names it does not know and fewer than one repetition.
    """

    metrics: tuple[str, ...]
    repetitions: int = 20
    seed: int = 0
    protocols: tuple[str, ...] = ()
    dissimilar: tuple[str, ...] = ()
    generation: GenerateOptions | None = None
    rerank: int = 0

    def __post_init__(self) -> None:
        known = tuple(sorted({name for names in PROTOCOLS.values() for name in names}))
        for kind, names, allowed in (
            ("metric", self.metrics, METRICS),
            ("protocol", self.protocols, known),
        ):
            if unknown := [name for name in names if name not in allowed]:
                raise ValueError(f"{kind} {unknown[0]!r}: expected some of {', '.join(allowed)}")
        if self.repetitions < 1:
            raise ValueError(f"repetitions: expected at least 1, found {self.repetitions}")

    def wants(self, *metrics: str) -> bool:
        """True when any of ``metrics`` is asked for."""
        return any(metric in self.metrics for metric in metrics)

    def named_protocols(self, metric: str) -> tuple[str, ...]:
        """The protocols of ``metric`` that were named; empty: its default."""
        return tuple(name for name in PROTOCOLS[metric] if name in self.protocols)

    def reads_sentences(self) -> bool:
        """Whether retrieval's protocols compare captions with each other."""
        protocols = self.named_protocols(RETRIEVAL) or PROTOCOLS[RETRIEVAL]
        return "threshold" in protocols or ("dissimilar" in protocols and not self.dissimilar)

    def stream(self, metric: str) -> np.random.Generator:
        """The random stream of a metric, which does not change with what else is measured."""
        return np.random.default_rng([self.seed, METRICS.index(metric)])


@dataclass(frozen=True)
class MotionOrigin:
    """Where the scored motions come from.

    subject: ``generated``, or ``given`` for motions of which nobody says that a model made them.
    made: how they were made, to stand in every protocol that judges them; empty for nothing to say.
    """

    subject: str
    made: str = ""

    def labelled(self, protocol: str) -> str:
        """The protocol's name, and how the motions were made."""
        return f"{protocol}, {self.made}" if self.made else protocol


@dataclass(repr=False)
class Report:
    """Figures as they are measured, refusals with their reasons, remarks, and what can be drawn.

    ``signature`` says in one line how all of them were measured.
    """

    measurements: list[Measurement] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    heatmap: Heatmap | None = None
    recalls: dict[str, np.ndarray] = field(default_factory=dict)
    signature: str = ""

    def __repr__(self) -> str:
        from .report import markdown

        told = [*self.notes, *(f"not measured: {sentence}" for sentence in self.refusals)]
        signed = [f"signature: {self.signature}"] if self.signature else []
        return "\n".join([markdown(self.measurements), *signed, *told])

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Write down a figure that its protocol does not allow, once, and go on."""
        try:
            yield
        except FigureNotAllowed as refusal:
            self.refuse(refusal.figure, refusal.reason)

    def refuse(self, figure: str, reason: str) -> None:
        """Write down that ``figure`` is not measured and why, once."""
        sentence = f"{figure}: {reason}"
        if sentence not in self.refusals:
            self.refusals.append(sentence)

    def note(self, sentence: str) -> None:
        """Write down a remark, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


@dataclass(frozen=True)
class Figure:
    """Everything about a figure but its values."""

    metric: str
    protocol: str
    evaluator: str | None
    pool: int
    subject: str

    def measured(
        self, value: float, interval: float | None = None, seed: int | None = None, repetitions: int = 1
    ) -> Measurement:
        """The figure with its value, measured so often."""
        how = self.protocol, self.evaluator, self.pool, repetitions, seed, self.subject
        return Measurement(self.metric, value, interval, *how)


class Repeated:
    """Values of figures over repetitions, in the order in which the figures first came."""

    def __init__(self) -> None:
        self._values: dict[Figure, list[float]] = {}
        self._intervals: dict[Figure, float] = {}

    def add(self, figure: Figure, value: float) -> None:
        """One more value of a figure."""
        self._values.setdefault(figure, []).append(value)

    def set_interval(self, figure: Figure, interval: float) -> None:
        """The half width of the interval of a figure that is measured once."""
        self._intervals[figure] = interval

    def measurements(self, seed: int) -> list[Measurement]:
        """Mean and 95% interval of each figure."""
        return [
            figure.measured(*self._mean_and_interval(figure), seed, len(values))
            for figure, values in self._values.items()
        ]

    def _mean_and_interval(self, figure: Figure) -> tuple[float, float | None]:
        mean, interval = mean_and_interval(self._values[figure])
        return mean, self._intervals.get(figure) if interval is None else interval
