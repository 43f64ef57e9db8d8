"""What ``lamp score`` can be asked for, and what came of it: figures measured, figures refused.

Knows names, options and collections; measures nothing and imports no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from ..inference.precision import FP32, check_precision
from ..metrics.measurement import FigureNotAllowed, Measurement, mean_and_interval
from .plots import Heatmap

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

# Each needs texts and motions of an evaluator, loading by loading.
MATCHING = (FID, DIVERSITY, R_PRECISION, MM_DIST)
METRICS = (BERTSCORE, *MATCHING, MULTIMODALITY, RETRIEVAL, CAPTIONS, PHYSICS, RECONSTRUCTION)
# Of motions alone, without texts.
OF_MOTIONS = (PHYSICS, RECONSTRUCTION)

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    RETRIEVAL: ("all", "threshold", "dissimilar", "small-batches"),
    CAPTIONS: ("tokens", "raw"),
    DIVERSITY: ("guo", "guo-small"),
    MULTIMODALITY: ("guo", "momask"),
}

# Subjects besides those of ``metrics.measurement``; unlike ground truth these can get worse.
RETRIEVED = "retrieved"
CAPTIONED = "captioned"
RECONSTRUCTED = "reconstructed"
MOTIONS = "motions"

# Part of a figure's printed name -> the metric it belongs to; the first that fits.
_METRIC_OF = (
    ("LaMP-BertScore", BERTSCORE),
    *((name, CAPTIONS) for name in ("caption ", "BLEU", "ROUGE", "CIDEr", "BERTScore")),
    *((name, RETRIEVAL) for name in (" R@", " MedR")),
    ("R-precision", R_PRECISION),
    ("MM-Dist", MM_DIST),
    ("FID", FID),
    ("Diversity", DIVERSITY),
    ("MultiModality", MULTIMODALITY),
    *((name, RECONSTRUCTION) for name in ("MPJPE", "acceleration error")),
    *((name, PHYSICS) for name in ("foot skate", "penetration", "jitter", "bone drift")),
)

Advance = Callable[[int, str], None]
Show = Callable[[int, str], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class ScoreOptions:
    """What to measure and how.

    ``protocols`` are names out of ``PROTOCOLS``; a metric none of whose protocols is named takes its
    default, which is all four for retrieval, both for captions, and the field's for the others.
    ``limit`` cuts the clips or pairs; ``dissimilar`` lists the ids of that protocol's fixed subset.
    ``guidance`` None generates with the generator's default, in ``precision``. Raises ``ValueError`` for
    names it does not know and counts below 1.
    """

    metrics: tuple[str, ...]
    repetitions: int = 20
    seed: int = 0
    protocols: tuple[str, ...] = ()
    limit: int | None = None
    dissimilar: tuple[str, ...] = ()
    guidance: float | None = None
    precision: str = FP32

    def __post_init__(self) -> None:
        known = sorted({name for names in PROTOCOLS.values() for name in names})
        for kind, names, allowed in (
            ("metric", self.metrics, METRICS),
            ("protocol", self.protocols, known),
        ):
            if unknown := [name for name in names if name not in allowed]:
                raise ValueError(f"{kind} {unknown[0]!r}: expected some of {', '.join(allowed)}")
        check_precision(self.precision)
        for name, count in (("repetitions", self.repetitions), ("limit", self.limit)):
            if count is not None and count < 1:
                raise ValueError(f"{name}: expected at least 1, found {count}")

    def wants(self, *metrics: str) -> bool:
        """True when any of ``metrics`` is asked for."""
        return any(metric in self.metrics for metric in metrics)

    def named_protocols(self, metric: str) -> tuple[str, ...]:
        """The protocols of ``metric`` that were named; empty: its default."""
        return tuple(name for name in PROTOCOLS[metric] if name in self.protocols)

    def labelled(self, protocol: str) -> str:
        """The protocol's name, with guidance and precision where they are not the defaults."""
        guided = protocol if self.guidance is None else f"{protocol}, guidance {self.guidance:g}"
        return guided if self.precision == FP32 else f"{guided}, {self.precision}"

    def stream(self, metric: str) -> np.random.Generator:
        """The random stream of a metric, which does not change with what else is measured."""
        return np.random.default_rng([self.seed, METRICS.index(metric)])


@dataclass
class Report:
    """Figures as they are measured, refusals with their reasons, remarks, and what can be drawn."""

    measurements: list[Measurement] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    heatmap: Heatmap | None = None
    recalls: dict[str, np.ndarray] = field(default_factory=dict)

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


class Repeated:
    """Values of figures over repetitions, in the order in which the figures first came."""

    def __init__(self) -> None:
        self._values: dict[Figure, list[float]] = {}

    def add(self, figure: Figure, value: float) -> None:
        """One more value of a figure."""
        self._values.setdefault(figure, []).append(value)

    def measurements(self, seed: int) -> list[Measurement]:
        """Mean and 95% interval of each figure."""
        return [
            Measurement(
                figure.metric,
                *mean_and_interval(values),
                figure.protocol,
                figure.evaluator,
                figure.pool,
                len(values),
                seed,
                figure.subject,
            )
            for figure, values in self._values.items()
        ]


def metric_of(figure: str) -> str | None:
    """The metric, as it is asked for, of a figure's printed name; None for a name that is not ours."""
    return next((metric for part, metric in _METRIC_OF if part in figure), None)


def silent(total: int, title: str) -> AbstractContextManager[Advance]:
    """Progress that nobody watches."""
    return nullcontext(lambda count, detail: None)
