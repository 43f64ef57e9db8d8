"""Score motions and models: what a notebook would import.

``score_split`` measures a bundle on a data set, ``score_pairs`` given motions with their sentences,
``score_motions`` motions alone. Each gathers what it needs once, motion by motion, and hands it to the
figures that were asked for; how a figure is measured stands in the module of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..metrics.measurement import GENERATED, GROUND_TRUTH, Measurement
from ..motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ..motion.motion import Motion
from ..motion.skeleton import Skeleton
from .figures import (
    BERTSCORE,
    CAPTIONS,
    FID,
    MATCHING,
    MOTIONS,
    MULTIMODALITY,
    PHYSICS,
    RECONSTRUCTION,
    RETRIEVAL,
    RETRIEVED,
    Advance,
    Report,
    ScoreOptions,
    Show,
    silent,
)
from .language import LAMP_BERTSCORE, Describer, LampBertScore, score_captions
from .matching import Embedded, embedded, joined, maker, score_given, score_loadings, with_motions
from .models import Models, sampling
from .motion import CONTACT_BY_HEIGHT, PhysicsCollector, reconstruction_figures, score_physics
from .multimodality import sampler, score_given_multimodality, score_multimodality
from .retrieval import Pairs, score_retrieval
from .sources import Described, Example, GeneratedForSplit, GivenPairs, Source, Split, described_clips

LONGEST = 199


def score_split(split: Split, models: Models, options: ScoreOptions, show: Show = silent) -> Report:
    """A bundle on a split: motions are generated for its captions, true motions stand beside them.

    Raises ``ValueError`` when the bundle or an evaluator reads motions of another skeleton.
    """
    report = Report()
    for reason, count in split.read.reasons().items():
        report.note(f"{split.dataset.root}, {split.split}: {count} left out: {reason}")
    describer = Describer(models, _describing_figure(options))
    if options.metrics != (RETRIEVAL,):
        # All else generates, captions or encodes; retrieval is its evaluator's alone.
        models.require_own_skeleton(split.skeleton, str(split.dataset.root))
    if options.wants(BERTSCORE, PHYSICS):
        stream = options.stream(BERTSCORE)
        source = GeneratedForSplit(split, models.bundle, sampling(options), stream)
        _each_once(source, describer, models, options, report, show)
    _loadings(split, models, options, report, show)
    if options.wants(RETRIEVAL):
        evaluators = models.evaluators(RETRIEVAL)
        models.require_skeleton(split.skeleton, evaluators)
        clips = split.every_length(options.limit)
        pairs = Pairs(
            [clip.id for clip in clips],
            [clip.captions[0] for clip in clips],
            [clip.features[:LONGEST_CLIP] for clip in clips],
        )
        score_retrieval(pairs, evaluators, models.encoder, options, report, RETRIEVED, show=show)
    if options.wants(CAPTIONS):
        batches = described_clips(split)
        _captions(batches, len(split.clips.clips), split.skeleton, describer, models, options, report, show)
    if options.wants(RECONSTRUCTION):
        numbers = range(len(split.clips.clips))
        with report.refusing():
            features = (split.clips.first(number).features for number in numbers)
            report.measurements += reconstruction_figures(models.bundle, features)
    return report


def score_pairs(pairs: GivenPairs, models: Models, options: ScoreOptions, show: Show = silent) -> Report:
    """Given motions and their sentences.

    True motions are those that the lines name or, by their sentence, those of ``pairs.split``.
    Raises ``ValueError`` naming a file that holds no motion or one of another skeleton.
    """
    report = Report()
    describer = Describer(models, _describing_figure(options))
    if options.wants(BERTSCORE, PHYSICS):
        _each_once(pairs, describer, models, options, report, show)
    if options.wants(*MATCHING, MULTIMODALITY):
        _given(pairs, models, options, report, show)
    if options.wants(RETRIEVAL):
        _retrieval_of_given(pairs, models, options, report, show)
    if options.wants(CAPTIONS):
        batches = pairs.described()
        skeleton = next(pairs.examples())[0].generated.skeleton
        _captions(batches, len(pairs), skeleton, describer, models, options, report, show)
    if options.wants(RECONSTRUCTION):
        with report.refusing():
            motions = (example.generated for batch in pairs.examples() for example in batch)
            report.measurements += _reconstruction(motions, models)
    return report


def score_motions(motions: Iterable[Motion], models: Models, options: ScoreOptions) -> Report:
    """Motions without sentences: physical quality and reconstruction; other figures are refused."""
    everything = list(motions)
    report = score_physics(everything, MOTIONS) if options.wants(PHYSICS) else Report()
    if options.wants(RECONSTRUCTION):
        with report.refusing():
            report.measurements += _reconstruction(everything, models)
    return report


def _describing_figure(options: ScoreOptions) -> str:
    figures = {BERTSCORE: LAMP_BERTSCORE, CAPTIONS: "captions"}
    return " and ".join(name for metric, name in figures.items() if options.wants(metric))


def _each_once(
    source: Source, describer: Describer, models: Models, options: ScoreOptions, report: Report, show: Show
) -> None:
    """LaMP-BertScore and physical quality, of the same motions."""
    physics, language = PhysicsCollector(), LampBertScore(describer)
    describing = options.wants(BERTSCORE)
    with show(len(source), f"{source.work}, captioning" if describing else source.work) as advance:
        for batch in source.examples():
            if describing:
                # Without a captioner the physical figures still come.
                describing = False
                with report.refusing():
                    language.add(batch, report)
                    describing = True
            if options.wants(PHYSICS):
                _physics_of(batch, physics)
            advance(len(batch), "")
    if describing:
        report.measurements += language.measurements(models, options, report)
    if options.wants(PHYSICS):
        with report.refusing():
            protocol = options.labelled(CONTACT_BY_HEIGHT)
            report.measurements += physics.measurements(options.seed, protocol)


def _physics_of(batch: Sequence[Example], physics: PhysicsCollector) -> None:
    for example in batch:
        physics.add(GENERATED, example.generated)
        if example.truth is not None:
            physics.add(GROUND_TRUTH, example.truth)


def _loadings(split: Split, models: Models, options: ScoreOptions, report: Report, show: Show) -> None:
    """The figures that generate for every loading of the split."""
    if not options.wants(*MATCHING, MULTIMODALITY):
        return
    evaluators = models.evaluators(FID)
    models.require_skeleton(split.skeleton, evaluators)
    bundle, how = models.bundle, sampling(options)
    score_loadings(split.clips, evaluators, maker(bundle, how), options, report, show)
    if options.wants(MULTIMODALITY):
        score_multimodality(split.clips, evaluators, sampler(bundle, how), options, report, show)


def _captions(
    batches: Iterable[list[Described]],
    count: int,
    skeleton: Skeleton,
    describer: Describer,
    models: Models,
    options: ScoreOptions,
    report: Report,
    show: Show,
) -> None:
    evaluators = models.evaluators(CAPTIONS)
    models.require_skeleton(skeleton, evaluators)
    with show(count, "captioning") as advance, report.refusing():
        watched = _watched(batches, advance)
        score_captions(watched, describer, models, evaluators, options, report)


def _watched(batches: Iterable[list[Described]], advance: Advance) -> Iterator[list[Described]]:
    for batch in batches:
        yield batch
        advance(len(batch), "")


def _given(pairs: GivenPairs, models: Models, options: ScoreOptions, report: Report, show: Show) -> None:
    """Embed given motions once; measure what is drawn as often as asked."""
    evaluators = models.evaluators(FID)
    made: list[list[Embedded]] = [[] for _ in evaluators]
    real: list[list[Embedded]] = [[] for _ in evaluators]
    texts: list[str] = []
    with show(len(pairs), "embedding") as advance:
        for batch in pairs.examples():
            kept = _of_fitting_length(batch, report)
            texts += [example.caption.text for example in kept]
            truths = [example.truth for example in kept if example.truth is not None]
            for number, evaluator in enumerate(evaluators):
                for example in kept:
                    models.require_skeleton(example.generated.skeleton, [evaluator])
                captions = [example.caption for example in kept]
                part = embedded(evaluator, captions, [_window(e.generated) for e in kept])
                made[number].append(part)
                if len(truths) == len(kept):
                    features = [_window(motion) for motion in truths]
                    real[number].append(with_motions(evaluator, part.texts, features))
            advance(len(batch), "")
    if not texts:
        report.refuse("figures of an evaluator", "no motion is of fitting length")
        return
    generated = [joined(parts) for parts in made]
    truth = [joined(parts) if parts and sum(map(len, parts)) == len(texts) else None for parts in real]
    score_given(evaluators, generated, truth, pairs.split, options, report)
    if options.wants(MULTIMODALITY):
        score_given_multimodality(evaluators, [_by_text(g, texts) for g in generated], options, report)


def _by_text(pairs: Embedded, texts: Sequence[str]) -> dict[str, np.ndarray]:
    rows: dict[str, list[np.ndarray]] = {}
    for text, row in zip(texts, pairs.motions, strict=True):
        rows.setdefault(text, []).append(row)
    return {text: np.stack(several) for text, several in rows.items()}


def _retrieval_of_given(
    pairs: GivenPairs, models: Models, options: ScoreOptions, report: Report, show: Show
) -> None:
    evaluators = models.evaluators(RETRIEVAL)
    examples = [e for batch in pairs.examples() for e in _of_fitting_length(batch, report)]
    for example in examples:
        models.require_skeleton(example.generated.skeleton, evaluators)
    found = Pairs(
        [str(pairs.lines[int(e.id)].motion) for e in examples],
        [e.caption for e in examples],
        [_window(e.generated) for e in examples],
    )
    if not examples:
        report.refuse("retrieval", "no motion is of fitting length")
        return
    score_retrieval(found, evaluators, models.encoder, options, report, GENERATED, "given pairs", show)


def _of_fitting_length(batch: Sequence[Example], report: Report) -> list[Example]:
    """Those that an evaluator can read whole, as its protocol asks; the others are named."""
    kept = []
    for example in batch:
        frames = len(_features(example.generated))
        if FRAMES_PER_TOKEN <= frames <= LONGEST:
            kept.append(example)
        else:
            source = example.generated.source
            report.note(
                f"{source}: {frames} frames; evaluators read {FRAMES_PER_TOKEN} to {LONGEST}, left out"
            )
    return kept


def _features(motion: Motion) -> np.ndarray:
    """Features (T, C); none of a motion of one frame."""
    if len(motion.joints) < 2 and motion.features is None:
        return np.zeros((0, motion.skeleton.feature_size), np.float32)
    return motion.to_features()


def _window(motion: Motion) -> np.ndarray:
    return _features(motion)[:LONGEST_CLIP]


def _reconstruction(motions: Iterable[Motion], models: Models) -> list[Measurement]:
    def features() -> Iterator[np.ndarray]:
        for motion in motions:
            models.require_own_skeleton(motion.skeleton, motion.source)
            yield _features(motion)

    return reconstruction_figures(models.bundle, features())
