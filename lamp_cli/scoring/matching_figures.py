"""Figures of one repetition of texts and motions that an evaluator embeds, gathered over repetitions.

FID and its kin, Diversity, R-precision and MM-Dist; which embeddings stand for what is the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from copy import deepcopy
from functools import partial

import numpy as np

from ..metrics.distribution import (
    DIVERSITY_PROTOCOLS,
    FID_NAME,
    INFINITE_FID,
    UNIT_FID,
    DiversityProtocol,
    EmbeddingSet,
    diversity,
    diversity_protocol,
    frechet_inception_distance,
    infinite_fid,
    unit_fid,
)
from ..metrics.matching import (
    CLIP_SCORE,
    MOTION_SIMILARITY,
    POOL,
    TEXT_SIMILARITY,
    TOPS,
    clip_score,
    mm_dist,
    similarity_score,
)
from ..metrics.measurement import CONTROLS, FLOOR, GROUND_TRUTH, FigureNotAllowed, Measurement
from ..metrics.pairwise import pairwise_figures
from ..metrics.resampling import HALVES, half_sample_intervals
from .embedded import Embedded, evaluator_protocol, r_precision_of
from .evaluators import Evaluator, GuoEvaluator, LampEvaluator
from .figures import (
    DISTRIBUTION,
    DIVERSITY,
    FID,
    MATCHING,
    MM_DIST,
    R_PRECISION,
    SIMILARITY,
    Figure,
    Repeated,
    Report,
    ScoreOptions,
)

# Of fewer clips a covariance says nothing.
FEWEST_CLIPS = 32


def unit_figure(made: EmbeddingSet, real: EmbeddingSet) -> dict[str, float]:
    """FID of directions alone, by printed name."""
    return {UNIT_FID: unit_fid(made, real)}


def neighbour_figures(made: EmbeddingSet, real: EmbeddingSet) -> dict[str, float]:
    """KID, precision, recall, density and coverage, by printed name."""
    return pairwise_figures(real.rows, made.rows).figures()


def infinite_figure(made: EmbeddingSet, real: EmbeddingSet, rng: np.random.Generator) -> dict[str, float]:
    """FID of infinite samples, by printed name."""
    return {INFINITE_FID: infinite_fid(made, real, rng)}


def fid_figure(made: EmbeddingSet, real: EmbeddingSet) -> dict[str, float]:
    """FID, by printed name."""
    return {FID_NAME: frechet_inception_distance(made, real)}


# What fewer than ``FEWEST_CLIPS`` do not give, by what is asked for.
_OF_MANY_CLIPS = {FID: FID_NAME, DISTRIBUTION: "figures of the distribution", R_PRECISION: "R-precision"}

# Those whose interval halves of the clips give; of half the clips infinite samples lie too far away.
_OF_HALVES = ((FID, fid_figure), (DISTRIBUTION, unit_figure), (DISTRIBUTION, neighbour_figures))


def diversity_protocols(options: ScoreOptions, clips: int) -> list[DiversityProtocol]:
    """Those that are named, else the one that fits the number of clips."""
    named = options.named_protocols(DIVERSITY)
    if not named:
        return [diversity_protocol(clips)]
    return [protocol for protocol in DIVERSITY_PROTOCOLS if protocol.name in named]


class MatchingFigures:
    """Adds the figures of one repetition to ``values``, for what ``options`` asks for."""

    def __init__(self, options: ScoreOptions, report: Report, protocol: str):
        self._options = options
        self._report = report
        self._protocol = protocol
        self._pools: list[int] = []
        self.values = Repeated()

    def count_sentences(self, pool: Sequence[str]) -> None:
        """Count the sentences of a pool that stand in it more than once."""
        self._pools.append(repeated_sentences(pool))

    def note_repeated(self) -> None:
        """Say how many pools hold a sentence more than once: no evaluator can tell its motions apart."""
        pools = sum(count > 0 for count in self._pools)
        if pools and self._options.wants(R_PRECISION):
            share = sum(self._pools) / len(self._pools)
            self._report.note(
                f"R-precision: {pools} of {len(self._pools)} pools of {POOL} hold a sentence more than once, "
                f"{share:.2f} such sentences a pool; only the own motion counts as found"
            )

    def all_need_more_clips(self, clips: int) -> bool:
        """Whether so few ``clips`` give none of the figures that are asked for, which are then refused."""
        asked = {metric for metric in MATCHING if self._options.wants(metric)}
        if clips >= FEWEST_CLIPS or not asked <= set(_OF_MANY_CLIPS):
            return False
        for metric in sorted(asked):
            self._report.refuse(_OF_MANY_CLIPS[metric], _too_few(clips))
        return True

    def fid(self, evaluator: Evaluator, subject: str, made: EmbeddingSet, real: EmbeddingSet) -> None:
        """FID of ``made`` against ``real``."""
        if self._options.wants(FID):
            with self._refusing(subject):
                _require_clips(FID_NAME, made, real)
                value = frechet_inception_distance(made, real)
                self.values.add(self._of_sets(FID_NAME, evaluator, subject, made, real), value)

    def distribution(
        self,
        evaluator: Evaluator,
        subject: str,
        made: EmbeddingSet,
        real: EmbeddingSet,
        rng: np.random.Generator,
    ) -> None:
        """How ``made`` lies among ``real``: FID's kin, KID and figures of neighbourhoods."""
        if not self._options.wants(DISTRIBUTION):
            return
        with self._refusing(subject):
            _require_clips(_OF_MANY_CLIPS[DISTRIBUTION], made, real)
            for figures in (partial(infinite_figure, rng=rng), unit_figure, neighbour_figures):
                with self._refusing(subject):
                    for name, value in figures(made, real).items():
                        self.values.add(self._of_sets(name, evaluator, subject, made, real), value)

    def floor(self, evaluator: Evaluator, real: EmbeddingSet, rng: np.random.Generator) -> None:
        """The same figures of one half of the true motions against the other half."""
        if not self._options.wants(FID, DISTRIBUTION):
            return
        order = rng.permutation(len(real))
        half, other = (EmbeddingSet(real.rows[part]) for part in np.split(order, [len(real) // 2]))
        self.fid(evaluator, FLOOR, half, other)
        self.distribution(evaluator, FLOOR, half, other, rng)

    def sets_measured_once(
        self,
        evaluator: Evaluator,
        subject: str,
        made: EmbeddingSet,
        real: EmbeddingSet,
        rng: np.random.Generator,
    ) -> None:
        """FID and the distribution of two sets that are all there is, with intervals over half samples."""
        halving, once = rng.spawn(2)
        self.fid(evaluator, subject, made, real)
        self.distribution(evaluator, subject, made, real, once)
        asked = [figures for metric, figures in _OF_HALVES if self._options.wants(metric)]

        def measured(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
            halves = EmbeddingSet(first), EmbeddingSet(second)
            return {name: value for figures in asked for name, value in figures(*halves).items()}

        # What is refused of all is refused by now, with its reason; half of few clips says nothing.
        if min(len(made), len(real)) >= 2 * FEWEST_CLIPS:
            with self._report.refusing():
                for name, interval in half_sample_intervals(measured, made.rows, real.rows, halving).items():
                    self.values.set_interval(self._of_sets(name, evaluator, subject, made, real), interval)
                self._report.note(f"intervals of FID and its kin: over {HALVES} halves of the clips")

    def _refusing(self, subject: str) -> AbstractContextManager[None]:
        """A figure that is not allowed is written down; of the floor, which has half the clips, left out."""
        return suppress(FigureNotAllowed) if subject == FLOOR else self._report.refusing()

    def _of_sets(
        self, metric: str, evaluator: Evaluator, subject: str, made: EmbeddingSet, real: EmbeddingSet
    ) -> Figure:
        fewest, dimensions = min(len(made), len(real)), made.size
        protocol = evaluator_protocol(self._protocol, evaluator)
        if metric in (FID_NAME, UNIT_FID) and fewest <= dimensions:
            protocol += f", biased upward: {fewest} clips, {dimensions} dimensions"
        return Figure(metric, protocol, evaluator.name, len(made), subject)

    def mm_dist(self, evaluator: Evaluator, subject: str, pairs: Embedded) -> None:
        """MM-Dist of pairs."""
        if self._options.wants(MM_DIST):
            protocol = evaluator_protocol(self._protocol, evaluator)
            figure = Figure("MM-Dist", protocol, evaluator.name, len(pairs), subject)
            self.values.add(figure, mm_dist(pairs.texts, pairs.motions))

    def similarity(self, evaluator: Evaluator, subject: str, pairs: Embedded) -> None:
        """M2T: how near in direction motions are to their own sentences; CLIP-score by its own evaluator."""
        self._add_similarity(TEXT_SIMILARITY, evaluator, subject, pairs.texts, pairs.motions)
        if isinstance(evaluator, GuoEvaluator) and evaluator.contrastive:
            self._add_similarity(CLIP_SCORE, evaluator, subject, pairs.texts, pairs.motions, clip_score)

    def motion_similarity(
        self, evaluator: Evaluator, subject: str, made: np.ndarray, real: np.ndarray
    ) -> None:
        """M2M: how near in direction motions (N, D) are to the true ones of their sentences."""
        self._add_similarity(MOTION_SIMILARITY, evaluator, subject, made, real)

    def _add_similarity(
        self,
        name: str,
        evaluator: Evaluator,
        subject: str,
        first: np.ndarray,
        second: np.ndarray,
        measure: Callable[[np.ndarray, np.ndarray], float] = similarity_score,
    ) -> None:
        if self._options.wants(SIMILARITY):
            protocol = evaluator_protocol(self._protocol, evaluator)
            with self._report.refusing():
                figure = Figure(name, protocol, evaluator.name, len(first), subject)
                self.values.add(figure, measure(first, second))

    def r_precision(
        self, evaluator: Evaluator, subject: str, batches: Sequence[Embedded], rng: np.random.Generator | None
    ) -> None:
        """R-precision of pairs that stand in batches of 32 already, or of one lot that ``rng`` shuffles.

        LaMP's own features are compared both ways: by the best query token, as they were trained, and by the
        mean of all, as the paper's release has it.
        """
        if not self._options.wants(R_PRECISION):
            return
        for best_token in (True, False) if isinstance(evaluator, LampEvaluator) else (True,):
            protocol = evaluator_protocol(self._protocol, evaluator, matched=best_token)
            with self._report.refusing():
                found = [r_precision_of(batch, deepcopy(rng), best_token=best_token) for batch in batches]
                for k in TOPS:
                    figure = Figure(f"R-precision top {k}", protocol, evaluator.name, POOL, subject)
                    self.values.add(figure, float(np.mean([each[k] for each in found])))

    def diversity(
        self, evaluator: Evaluator, subject: str, motions: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Diversity of motions (N, D) by each protocol, drawn from a copy of ``rng``."""
        if not self._options.wants(DIVERSITY):
            return
        for protocol in diversity_protocols(self._options, len(motions)):
            with self._report.refusing():
                value = diversity(motions, deepcopy(rng), protocol)
                name = f"{evaluator_protocol(self._protocol, evaluator)}, {protocol.pairs} pairs"
                self.values.add(Figure("Diversity", name, evaluator.name, len(motions), subject), value)


def report_matching(figures: MatchingFigures, options: ScoreOptions, report: Report) -> None:
    """Write down what was gathered, and what it cannot say."""
    found = figures.values.measurements(options.seed)
    report.measurements += found
    figures.note_repeated()
    for sentence in saturated(found):
        report.note(sentence)


def repeated_sentences(texts: Sequence[str]) -> int:
    """How many of the texts stand there more than once, every one of them counted."""
    return sum(count for count in Counter(texts).values() if count > 1)


def saturated(measurements: Sequence[Measurement]) -> list[str]:
    """A sentence for every evaluator by which motions match their texts better than true motions do.

    There R-precision ranks models no longer: it measures how well they please the evaluator.
    """
    named = {f"R-precision top {k}": k for k in TOPS}
    kept = [m for m in measurements if m.metric in named]
    truth = {(m.metric, m.protocol, m.evaluator): m.value for m in kept if m.subject == GROUND_TRUTH}
    above: dict[tuple[str, str, str | None], list[int]] = {}
    for m in kept:
        if m.subject not in CONTROLS and m.value > truth.get((m.metric, m.protocol, m.evaluator), np.inf):
            above.setdefault((m.subject, m.protocol, m.evaluator), []).append(named[m.metric])
    return [
        f"R-precision top {', '.join(map(str, tops))} of {subject} motions is above the truth's: "
        f"{evaluator} is saturated ({protocol}) and ranks such models no longer"
        for (subject, protocol, evaluator), tops in above.items()
    ]


def _require_clips(figure: str, made: EmbeddingSet, real: EmbeddingSet) -> None:
    fewest = min(len(made), len(real))
    if fewest < FEWEST_CLIPS:
        raise FigureNotAllowed(figure, _too_few(fewest))


def _too_few(clips: int) -> str:
    return f"needs at least {FEWEST_CLIPS} clips, found {clips}"
