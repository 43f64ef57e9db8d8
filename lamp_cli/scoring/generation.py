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
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from ..bundle.bundle import Bundle
from ..data.captions import Caption
from ..data.evaluation_set import EvaluationPair, EvaluationSet
from ..inference.embed import similarity
from ..inference.generate import GenerateOptions, Prompt, generate
from ..metrics.distribution import (
    DIVERSITY_PROTOCOLS,
    DiversityProtocol,
    diversity,
    diversity_protocol,
    frechet_inception_distance,
)
from ..metrics.matching import POOL, TOPS, Direction, mm_dist, r_precision
from ..metrics.measurement import GENERATED, GROUND_TRUTH, FigureNotAllowed
from ..metrics.retrieval import ranks
from .evaluators import Evaluator, LampEvaluator
from .figures import (
    DIVERSITY,
    FID,
    MATCHING,
    MM_DIST,
    R_PRECISION,
    Figure,
    MotionOrigin,
    ProgressBar,
    Repeated,
    Report,
    ScoreOptions,
)
from .scored_motions import Split

GUO = "guo"
GIVEN_PAIRS = "given pairs"
BEST_TOKEN = "best query token"
MEAN_TOKEN = "mean query token"
# Of fewer clips a covariance says nothing.
FEWEST_FOR_FID = 32


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
    pairs: Embedded,
    rng: np.random.Generator | None = None,
    direction: Direction = "text-to-motion",
    best_token: bool = True,
) -> dict[int, float]:
    """R-precision in batches of 32: where single tokens match by the best one's cosine, else by distance.

    Without ``best_token`` the mean of the query tokens is compared, by its distance. Raises
    ``FigureNotAllowed`` for fewer than 32 pairs.
    """
    if pairs.queries is None or len(pairs) < POOL or not best_token:
        return r_precision(pairs.texts, pairs.motions, rng, direction)
    order = np.arange(len(pairs)) if rng is None else rng.permutation(len(pairs))
    found: dict[int, list[float]] = {k: [] for k in TOPS}
    for batch in order[: len(order) // POOL * POOL].reshape(-1, POOL):
        scores = similarity(pairs.queries[batch], pairs.texts[batch])
        placed = ranks(scores.T if direction == "text-to-motion" else scores)
        for k, values in found.items():
            values.append(placed.found(k).mean())
    return {k: float(np.mean(values)) for k, values in found.items()}


def evaluator_protocol(base: str, evaluator: Evaluator, matched: bool = False) -> str:
    """The protocol's full name: LaMP's features are ``matched`` with texts in their own way."""
    if not isinstance(evaluator, LampEvaluator):
        return base
    return f"{base}, {BEST_TOKEN if matched else MEAN_TOKEN}"


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
        self.values = Repeated()

    def fid(self, evaluator: Evaluator, subject: str, made: np.ndarray, real: np.ndarray) -> None:
        """FID of ``made`` against ``real``, (N, D) and (M, D)."""
        if not self._options.wants(FID):
            return
        fewest, dimensions = min(len(made), len(real)), made.shape[1]
        with self._report.refusing():
            if fewest < FEWEST_FOR_FID:
                raise FigureNotAllowed("FID", f"needs at least {FEWEST_FOR_FID} clips, found {fewest}")
            protocol = evaluator_protocol(self._protocol, evaluator)
            if fewest <= dimensions:
                protocol += f", biased upward: {fewest} clips, {dimensions} dimensions"
            figure = Figure("FID", protocol, evaluator.name, len(made), subject)
            self.values.add(figure, frechet_inception_distance(made, real))

    def mm_dist(self, evaluator: Evaluator, subject: str, pairs: Embedded) -> None:
        """MM-Dist of pairs."""
        if self._options.wants(MM_DIST):
            protocol = evaluator_protocol(self._protocol, evaluator)
            figure = Figure("MM-Dist", protocol, evaluator.name, len(pairs), subject)
            self.values.add(figure, mm_dist(pairs.texts, pairs.motions))

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


# Features of some motions for every loaded pair, each as long as the pair's clip.
FeatureGenerator = Callable[[Sequence[EvaluationPair], np.random.Generator, int], list[np.ndarray]]


def feature_generator(bundle: Bundle, options: GenerateOptions) -> FeatureGenerator:
    """Features as the network makes them, which is what the field's protocols judge."""
    plain = dataclasses.replace(options, clean_up=False)

    def make(pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int = 1) -> list[np.ndarray]:
        prompts = [Prompt(pair.caption.text, len(pair.features)) for pair in pairs]
        chosen = dataclasses.replace(plain, seed=int(rng.integers(2**31)), samples=samples)
        return [motion.to_features() for motion in generate(bundle, prompts, chosen)]

    return make


def score_loadings(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: FeatureGenerator,
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
    bar: ProgressBar,
) -> None:
    """The text-to-motion protocol over a split: ``options.repetitions`` loadings, generations, measurements.

    ``origin`` says how ``make`` generates. A set of fewer than 32 clips is one incomplete batch, which the
    protocol's name says: R-precision is then refused.
    """
    if not options.wants(*MATCHING):
        return
    base = GUO if len(clips.clips) >= POOL else f"{GUO}, one incomplete batch"
    figures = MatchingFigures(options, report, origin.labelled(base))
    streams = options.stream(FID).spawn(options.repetitions)
    size = sum(map(len, _batches(clips, np.random.default_rng(0))))
    with bar(size * options.repetitions, "generating and judging") as advance:
        for number, stream in enumerate(streams, 1):
            detail = f"repetition {number} of {options.repetitions}"
            for count in _one_loading(clips, evaluators, make, options, figures, stream):
                advance(count, detail)
    report.measurements += figures.values.measurements(options.seed)


def _one_loading(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: FeatureGenerator,
    options: ScoreOptions,
    figures: MatchingFigures,
    stream: np.random.Generator,
) -> Iterator[int]:
    """Measure one loading; yields how many clips were done since the last time."""
    loading, another, generation, draws = stream.spawn(4)
    real: list[list[Embedded]] = [[] for _ in evaluators]
    made: list[list[Embedded]] = [[] for _ in evaluators]
    for batch in _batches(clips, loading):
        captions = [pair.caption for pair in batch]
        generated = make(batch, generation, 1)
        for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
            texts = evaluator.text_embeddings(captions)
            true_parts.append(with_motions(evaluator, texts, [pair.features for pair in batch]))
            made_parts.append(with_motions(evaluator, texts, generated))
        yield len(batch)
    # A second loading is embedded for FID alone.
    second = [pair.features for batch in _batches(clips, another) for pair in batch]
    for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
        generated_motions = _figures(figures, evaluator, GENERATED, made_parts, draws)
        truth = _figures(figures, evaluator, GROUND_TRUTH, true_parts, draws)
        if options.wants(FID):
            figures.fid(evaluator, GENERATED, generated_motions, truth)
            figures.fid(evaluator, GROUND_TRUTH, evaluator.motion_embeddings(second), truth)


def _figures(
    figures: MatchingFigures,
    evaluator: Evaluator,
    subject: str,
    batches: list[Embedded],
    rng: np.random.Generator,
) -> np.ndarray:
    """R-precision, MM-Dist and Diversity of one loading; its motions (N, D)."""
    figures.r_precision(evaluator, subject, batches, None)
    pairs = joined([Embedded(batch.texts, batch.motions) for batch in batches])
    figures.mm_dist(evaluator, subject, pairs)
    figures.diversity(evaluator, subject, pairs.motions, rng)
    return pairs.motions


def _batches(clips: EvaluationSet, rng: np.random.Generator) -> list[list[EvaluationPair]]:
    return clips.batches(rng) if len(clips.clips) >= POOL else [clips.load(rng)]


def score_given(
    evaluators: Sequence[Evaluator],
    given: Sequence[Embedded],
    truth: Sequence[Embedded | None],
    split: Split | None,
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
) -> None:
    """Given pairs, embedded by each evaluator; ``truth`` their true motions where all have one.

    FID compares with the true motions, or with loadings of ``split`` when there is one. What is drawn
    (batches, pairs, loadings) is drawn ``options.repetitions`` times.
    """
    if not options.wants(*MATCHING):
        return
    figures = MatchingFigures(options, report, origin.labelled(GIVEN_PAIRS))
    for evaluator, made, real in zip(evaluators, given, truth, strict=True):
        rows = [(origin.subject, made)] if real is None else [(origin.subject, made), (GROUND_TRUTH, real)]
        for subject, pairs in rows:
            figures.mm_dist(evaluator, subject, pairs)
            # One batch is the same in every order: repeating it would make an interval of nothing.
            for stream in options.stream(R_PRECISION).spawn(options.repetitions if len(pairs) > POOL else 1):
                figures.r_precision(evaluator, subject, [pairs], stream)
            for stream in options.stream(DIVERSITY).spawn(options.repetitions):
                figures.diversity(evaluator, subject, pairs.motions, stream)
        if options.wants(FID):
            _fid_of_given(figures, evaluator, made, real, split, options, origin, report)
    report.measurements += figures.values.measurements(options.seed)


def _fid_of_given(
    figures: MatchingFigures,
    evaluator: Evaluator,
    made: Embedded,
    real: Embedded | None,
    split: Split | None,
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
) -> None:
    if split is not None:
        for stream in options.stream(FID).spawn(options.repetitions):
            loadings = [
                evaluator.motion_embeddings([p.features for p in split.clips.load(each)])
                for each in stream.spawn(2)
            ]
            figures.fid(evaluator, origin.subject, made.motions, loadings[0])
            figures.fid(evaluator, GROUND_TRUTH, loadings[1], loadings[0])
    elif real is not None:
        figures.fid(evaluator, origin.subject, made.motions, real.motions)
    else:
        report.refuse("FID", "needs real motions: a ground_truth for every line, or --data DIR --split NAME")
