"""FID, Diversity, R-precision and MM-Dist of texts and motions that an evaluator embeds.

Source: Guo et al., CVPR 2022, section 6: over a split, each repetition loads the clips anew, generates a
motion for every loaded caption as long as its clip, and ground truth is compared with a second,
independent loading. Given pairs are measured as they are; the protocol's name says so. What an evaluator
is made of is not known here, but for one thing: LaMP's own features match a sentence with single query
tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..bundle.bundle import Bundle
from ..data.captions import Caption
from ..data.evaluation_set import EvaluationPair, EvaluationSet
from ..inference.embed import similarity
from ..inference.generate import GenerateOptions
from ..metrics.distribution import (
    DIVERSITY_PROTOCOLS,
    DiversityProtocol,
    diversity,
    diversity_protocol,
    frechet_inception_distance,
)
from ..metrics.matching import POOL, TOPS, Direction, mm_dist, r_precision
from ..metrics.measurement import GENERATED, GROUND_TRUTH, FigureNotAllowed
from ..metrics.retrieval import places
from .evaluators import Evaluator, LampEvaluator
from .figures import (
    DIVERSITY,
    FID,
    MATCHING,
    MM_DIST,
    R_PRECISION,
    Figure,
    Repeated,
    Report,
    ScoreOptions,
    Show,
)
from .sources import Split, generate_for

GUO = "guo"
GIVEN = "given pairs"
BEST_TOKEN = "best query token"
MEAN_TOKEN = "mean query token"


@dataclass(frozen=True)
class Embedded:
    """Texts (N, D) and motions (N, D), row by row; ``queries`` (N, Q, D) where single tokens match."""

    texts: np.ndarray
    motions: np.ndarray
    queries: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.motions)


def embedded(evaluator: Evaluator, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> Embedded:
    """Embeddings of pairs of a sentence and features (T, C), not normalised."""
    return with_motions(evaluator, evaluator.text_embeddings(captions), features)


def with_motions(evaluator: Evaluator, texts: np.ndarray, features: Sequence[np.ndarray]) -> Embedded:
    """As ``embedded``, of texts that are embedded already."""
    if not isinstance(evaluator, LampEvaluator):
        return Embedded(texts, evaluator.motion_embeddings(features))
    queries = evaluator.query_embeddings(features)
    means = queries.mean(1)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return Embedded(texts, means, queries)


def joined(parts: Sequence[Embedded]) -> Embedded:
    """One after the other."""
    texts, motions = (np.concatenate([getattr(p, name) for p in parts]) for name in ("texts", "motions"))
    queries = [p.queries for p in parts if p.queries is not None]
    return Embedded(texts, motions, np.concatenate(queries) if queries else None)


def r_precision_of(
    pairs: Embedded, rng: np.random.Generator | None = None, direction: Direction = "text-to-motion"
) -> dict[int, float]:
    """R-precision in batches of 32, by Euclidean distance, or by the best query token's cosine.

    Raises ``FigureNotAllowed`` for fewer than 32 pairs.
    """
    if pairs.queries is None or len(pairs) < POOL:
        return r_precision(pairs.texts, pairs.motions, rng, direction)
    order = np.arange(len(pairs)) if rng is None else rng.permutation(len(pairs))
    found = []
    for batch in order[: len(order) // POOL * POOL].reshape(-1, POOL):
        scores = similarity(pairs.queries[batch], pairs.texts[batch])
        found.append(places(scores.T if direction == "text-to-motion" else scores))
    return {k: float((np.concatenate(found) < k).mean()) for k in TOPS}


class Names:
    """What protocols are called, by evaluator: LaMP's features are matched in their own way."""

    def __init__(self, base: str, options: ScoreOptions):
        self._base = options.labelled(base)

    def of(self, evaluator: Evaluator, metric: str) -> str:
        """The protocol's full name."""
        if not isinstance(evaluator, LampEvaluator):
            return self._base
        return f"{self._base}, {BEST_TOKEN if metric == R_PRECISION else MEAN_TOKEN}"


def diversity_protocols(options: ScoreOptions, clips: int) -> list[DiversityProtocol]:
    """Those that are named, else the one that fits the number of clips."""
    named = options.named_protocols(DIVERSITY)
    if not named:
        return [diversity_protocol(clips)]
    return [protocol for protocol in DIVERSITY_PROTOCOLS if protocol.name in named]


class Matcher:
    """Adds the figures of one repetition to ``values``, for what ``options`` asks for."""

    def __init__(self, options: ScoreOptions, report: Report, names: Names):
        self._options = options
        self._report = report
        self._names = names
        self.values = Repeated()

    @property
    def wants_fid(self) -> bool:
        """Whether FID is asked for: a second loading is embedded for it alone."""
        return self._options.wants(FID)

    def fid(self, evaluator: Evaluator, subject: str, made: np.ndarray, real: np.ndarray) -> None:
        """FID of ``made`` against ``real``, (N, D) and (M, D)."""
        with self._report.refusing():
            value = frechet_inception_distance(made, real)
            self._add(evaluator, FID, "FID", len(made), subject, value)

    def mm_dist(self, evaluator: Evaluator, subject: str, pairs: Embedded) -> None:
        """MM-Dist of pairs."""
        if self._options.wants(MM_DIST):
            self._add(evaluator, MM_DIST, "MM-Dist", len(pairs), subject, mm_dist(pairs.texts, pairs.motions))

    def r_precision(
        self, evaluator: Evaluator, subject: str, batches: Sequence[Embedded], rng: np.random.Generator | None
    ) -> None:
        """R-precision of pairs that stand in batches of 32 already, or of one lot that ``rng`` shuffles."""
        if not self._options.wants(R_PRECISION):
            return
        with self._report.refusing():
            found = [r_precision_of(batch, rng) for batch in batches]
            for k in TOPS:
                value = float(np.mean([each[k] for each in found]))
                self._add(evaluator, R_PRECISION, f"R-precision top {k}", POOL, subject, value)

    def diversity(
        self, evaluator: Evaluator, subject: str, motions: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Diversity of motions (N, D)."""
        if not self._options.wants(DIVERSITY):
            return
        for protocol in diversity_protocols(self._options, len(motions)):
            with self._report.refusing():
                value = diversity(motions, rng, protocol)
                name = self._names.of(evaluator, DIVERSITY)
                full = f"{name}, {protocol.pairs} pairs"
                figure = Figure("Diversity", full, evaluator.name, len(motions), subject)
                self.values.add(figure, value)

    def _add(
        self, evaluator: Evaluator, metric: str, name: str, pool: int, subject: str, value: float
    ) -> None:
        protocol = self._names.of(evaluator, metric)
        self.values.add(Figure(name, protocol, evaluator.name, pool, subject), value)


Maker = Callable[[Sequence[EvaluationPair], np.random.Generator], list[np.ndarray]]


def maker(bundle: Bundle, sampling: GenerateOptions) -> Maker:
    """Features for loaded pairs, by a bundle; their joints, which nobody sees, are left as they come."""
    plain = dataclasses.replace(sampling, clean_up=False)
    return lambda pairs, rng: [m.to_features() for m in generate_for(bundle, pairs, plain, rng)]


def score_loadings(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: Maker,
    options: ScoreOptions,
    report: Report,
    show: Show,
) -> None:
    """The text-to-motion protocol over a split: ``options.repetitions`` loadings, generations, measurements.

    A set of fewer than 32 clips is one incomplete batch, which the protocol's name says: R-precision
    is then refused.
    """
    if not options.wants(*MATCHING):
        return
    base = GUO if len(clips.clips) >= POOL else f"{GUO}, one incomplete batch"
    matcher = Matcher(options, report, Names(base, options))
    streams = options.stream(FID).spawn(options.repetitions)
    size = sum(map(len, _batches(clips, np.random.default_rng(0))))
    with show(size * options.repetitions, "generating and judging") as advance:
        for number, stream in enumerate(streams, 1):
            detail = f"repetition {number} of {options.repetitions}"
            for count in _one_loading(clips, evaluators, make, matcher, stream):
                advance(count, detail)
    report.measurements += matcher.values.measurements(options.seed)


def _one_loading(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: Maker,
    matcher: Matcher,
    stream: np.random.Generator,
) -> Iterator[int]:
    """Measure one loading; yields how many clips were done since the last time."""
    loading, another, generation, draws = stream.spawn(4)
    real: list[list[Embedded]] = [[] for _ in evaluators]
    made: list[list[Embedded]] = [[] for _ in evaluators]
    for batch in _batches(clips, loading):
        captions = [pair.caption for pair in batch]
        generated = make(batch, generation)
        for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
            texts = evaluator.text_embeddings(captions)
            true_parts.append(with_motions(evaluator, texts, [pair.features for pair in batch]))
            made_parts.append(with_motions(evaluator, texts, generated))
        yield len(batch)
    second = [pair.features for batch in _batches(clips, another) for pair in batch]
    for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
        generated_motions = _figures(matcher, evaluator, GENERATED, made_parts, draws)
        truth = _figures(matcher, evaluator, GROUND_TRUTH, true_parts, draws)
        if matcher.wants_fid:
            matcher.fid(evaluator, GENERATED, generated_motions, truth)
            matcher.fid(evaluator, GROUND_TRUTH, evaluator.motion_embeddings(second), truth)


def _figures(
    matcher: Matcher, evaluator: Evaluator, subject: str, batches: list[Embedded], rng: np.random.Generator
) -> np.ndarray:
    """R-precision, MM-Dist and Diversity of one loading; its motions (N, D)."""
    matcher.r_precision(evaluator, subject, batches, None)
    pairs = joined([Embedded(batch.texts, batch.motions) for batch in batches])
    matcher.mm_dist(evaluator, subject, pairs)
    matcher.diversity(evaluator, subject, pairs.motions, rng)
    return pairs.motions


def _batches(clips: EvaluationSet, rng: np.random.Generator) -> list[list[EvaluationPair]]:
    return clips.batches(rng) if len(clips.clips) >= POOL else [clips.load(rng)]


def score_given(
    evaluators: Sequence[Evaluator],
    generated: Sequence[Embedded],
    truth: Sequence[Embedded | None],
    split: Split | None,
    options: ScoreOptions,
    report: Report,
) -> None:
    """Given pairs, embedded by each evaluator; ``truth`` their true motions where all have one.

    FID compares with the true motions, or with loadings of ``split`` when there is one. What is drawn
    (batches, pairs, loadings) is drawn ``options.repetitions`` times.
    """
    if not options.wants(*MATCHING):
        return
    matcher = Matcher(options, report, Names(GIVEN, options))
    for evaluator, made, real in zip(evaluators, generated, truth, strict=True):
        rows = [(GENERATED, made)] if real is None else [(GENERATED, made), (GROUND_TRUTH, real)]
        for subject, pairs in rows:
            matcher.mm_dist(evaluator, subject, pairs)
            for stream in options.stream(R_PRECISION).spawn(options.repetitions):
                matcher.r_precision(evaluator, subject, [pairs], stream)
            for stream in options.stream(DIVERSITY).spawn(options.repetitions):
                matcher.diversity(evaluator, subject, pairs.motions, stream)
        if options.wants(FID):
            _fid_of_given(matcher, evaluator, made, real, split, options, report)
    report.measurements += matcher.values.measurements(options.seed)


def _fid_of_given(
    matcher: Matcher,
    evaluator: Evaluator,
    made: Embedded,
    real: Embedded | None,
    split: Split | None,
    options: ScoreOptions,
    report: Report,
) -> None:
    if split is None and real is None:
        with report.refusing():
            reason = "needs real motions: a ground_truth for every line, or --data DIR --split NAME"
            raise FigureNotAllowed("FID", reason)
        return
    if split is None:
        assert real is not None
        matcher.fid(evaluator, GENERATED, made.motions, real.motions)
        return
    for stream in options.stream(FID).spawn(options.repetitions):
        loadings = [
            evaluator.motion_embeddings([p.features for p in split.clips.load(each)])
            for each in stream.spawn(2)
        ]
        matcher.fid(evaluator, GENERATED, made.motions, loadings[0])
        matcher.fid(evaluator, GROUND_TRUTH, loadings[1], loadings[0])
