"""FID and its kin, Diversity, R-precision and MM-Dist of texts and motions that an evaluator embeds.

Source: Guo et al., CVPR 2022, section 6: over a split, each repetition loads the clips anew, generates a
motion for every loaded caption as long as its clip, and ground truth is compared with a second,
independent loading. Given pairs are measured as they are; the protocol's name says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy

import numpy as np

from ..bundle.bundle import Bundle
from ..data.evaluation_set import EvaluationPair, EvaluationSet
from ..inference.generate import GenerateOptions, Prompt, generate
from ..metrics.distribution import EmbeddingSet
from ..metrics.matching import POOL
from ..metrics.measurement import GENERATED, GROUND_TRUTH
from .embedded import Embedded, joined, with_motions
from .evaluators import Evaluator
from .figures import (
    DISTRIBUTION,
    DIVERSITY,
    FID,
    MATCHING,
    R_PRECISION,
    MotionOrigin,
    ProgressBar,
    Report,
    ScoreOptions,
)
from .matching_figures import MatchingFigures, report_matching
from .scored_motions import Split

GUO = "guo"
GIVEN_PAIRS = "given pairs"
# Figures of the distribution and floors vary little from loading to loading, and take most of the time: they
# are those of the first so many repetitions.
DISTRIBUTION_REPETITIONS = 10


# Features of some motions for every loaded pair, each as long as the pair's clip, as they are made.
FeatureGenerator = Callable[[Sequence[EvaluationPair], np.random.Generator, int], Iterable[np.ndarray]]


def feature_generator(bundle: Bundle, options: GenerateOptions) -> FeatureGenerator:
    """Features as the network makes them, which is what the field's protocols judge."""
    plain = dataclasses.replace(options, clean_up=False)

    def make(
        pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int = 1
    ) -> Iterator[np.ndarray]:
        prompts = [Prompt(pair.caption.text, len(pair.features)) for pair in pairs]
        chosen = dataclasses.replace(plain, seed=int(rng.integers(2**31)), samples=samples)
        yield from (motion.to_features() for motion in generate(bundle, prompts, chosen))

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
    streams = zip(
        options.stream(FID).spawn(options.repetitions),
        options.stream(DISTRIBUTION).spawn(options.repetitions),
        strict=True,
    )
    size = sum(map(len, _batches(clips, np.random.default_rng(0))))
    if figures.all_need_more_clips(size):
        return
    with bar(size * options.repetitions, "generating and judging") as advance:
        for number, (stream, sampling) in enumerate(streams, 1):
            detail = f"repetition {number} of {options.repetitions}"
            draws = sampling if number <= DISTRIBUTION_REPETITIONS else None
            for count in _one_loading(clips, evaluators, make, options, figures, stream, draws):
                advance(count, detail)
    report_matching(figures, options, report)


def _one_loading(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: FeatureGenerator,
    options: ScoreOptions,
    figures: MatchingFigures,
    stream: np.random.Generator,
    sampling: np.random.Generator | None,
) -> Iterator[int]:
    """Measure one loading; yields how many motions were made since the last time.

    ``stream`` draws clips, motions and pairs, ``sampling`` the samples of figures of the distribution, which
    are not measured without it.
    """
    loading, another, generation, draws = stream.spawn(4)
    real: list[list[Embedded]] = [[] for _ in evaluators]
    made: list[list[Embedded]] = [[] for _ in evaluators]
    for batch in _batches(clips, loading):
        captions = [pair.caption for pair in batch]
        figures.count_sentences([caption.text for caption in captions])
        generated = []
        for features in make(batch, generation, 1):
            generated.append(features)
            yield 1
        for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
            texts = evaluator.text_embeddings(captions)
            true_parts.append(with_motions(evaluator, texts, [pair.features for pair in batch]))
            made_parts.append(with_motions(evaluator, texts, generated))
    # A second loading is embedded for FID alone.
    second = [pair.features for batch in _batches(clips, another) for pair in batch]
    for evaluator, true_parts, made_parts in zip(evaluators, real, made, strict=True):
        generated_motions = _figures(figures, evaluator, GENERATED, made_parts, draws)
        truth = _figures(figures, evaluator, GROUND_TRUTH, true_parts, draws)
        figures.motion_similarity(evaluator, GENERATED, generated_motions, truth)
        made_set, true_set = EmbeddingSet(generated_motions), EmbeddingSet(truth)
        if options.wants(FID):
            figures.fid(evaluator, GENERATED, made_set, true_set)
            figures.fid(evaluator, GROUND_TRUTH, EmbeddingSet(evaluator.motion_embeddings(second)), true_set)
        if sampling is not None:
            figures.distribution(evaluator, GENERATED, made_set, true_set, deepcopy(sampling))
            figures.floor(evaluator, true_set, deepcopy(sampling))


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
    figures.similarity(evaluator, subject, pairs)
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

    FID and its kin compare with the true motions, or with loadings of ``split`` when there is one. What is
    drawn (batches, pairs, loadings) is drawn ``options.repetitions`` times.
    """
    if not options.wants(*MATCHING):
        return
    figures = MatchingFigures(options, report, origin.labelled(GIVEN_PAIRS))
    for evaluator, made, real in zip(evaluators, given, truth, strict=True):
        rows = [(origin.subject, made)] if real is None else [(origin.subject, made), (GROUND_TRUTH, real)]
        for subject, pairs in rows:
            figures.mm_dist(evaluator, subject, pairs)
            figures.similarity(evaluator, subject, pairs)
            # One batch is the same in every order: repeating it would make an interval of nothing.
            for stream in options.stream(R_PRECISION).spawn(options.repetitions if len(pairs) > POOL else 1):
                figures.r_precision(evaluator, subject, [pairs], stream)
            for stream in options.stream(DIVERSITY).spawn(options.repetitions):
                figures.diversity(evaluator, subject, pairs.motions, stream)
        if real is not None:
            figures.motion_similarity(evaluator, origin.subject, made.motions, real.motions)
        if options.wants(FID, DISTRIBUTION):
            _sets_of_given(figures, evaluator, made, real, split, options, origin, report)
    report_matching(figures, options, report)


def _sets_of_given(
    figures: MatchingFigures,
    evaluator: Evaluator,
    made: Embedded,
    real: Embedded | None,
    split: Split | None,
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
) -> None:
    sampling, made_set = options.stream(DISTRIBUTION), EmbeddingSet(made.motions)
    if split is not None:
        streams = options.stream(FID).spawn(options.repetitions)
        samples = sampling.spawn(options.repetitions)
        for number, (stream, draws) in enumerate(zip(streams, samples, strict=True), 1):
            loadings = [
                EmbeddingSet(evaluator.motion_embeddings([p.features for p in split.clips.load(each)]))
                for each in stream.spawn(2)
            ]
            figures.fid(evaluator, origin.subject, made_set, loadings[0])
            figures.fid(evaluator, GROUND_TRUTH, loadings[1], loadings[0])
            if number <= DISTRIBUTION_REPETITIONS:
                figures.distribution(evaluator, origin.subject, made_set, loadings[0], deepcopy(draws))
                figures.floor(evaluator, loadings[0], deepcopy(draws))
    elif real is not None:
        true_set = EmbeddingSet(real.motions)
        figures.sets_measured_once(evaluator, origin.subject, made_set, true_set, sampling)
        figures.floor(evaluator, true_set, sampling)
    else:
        figure = "FID" if options.wants(FID) else "figures of the distribution"
        report.refuse(figure, "needs real motions: a ground_truth for every line, or --data DIR --split NAME")
