"""Score motions and models: what a notebook would import.

``score_split`` measures a bundle on a data set, ``score_pairs`` given motions with their sentences,
``score_motions`` motions alone. Each gathers what it needs once, motion by motion, and hands it to the
figures that were asked for; how a figure is measured stands in the module of its kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..data.batches import batched
from ..inference import BATCH_SIZE
from ..inference.embed import part_read
from ..inference.generate import GenerateOptions
from ..metrics.measurement import GROUND_TRUTH, Measurement
from ..metrics.physics import PhysicalQuality
from ..motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ..motion.motion import Motion
from ..motion.skeleton import Skeleton
from .contrasts import score_contrasts
from .edit_figures import score_edits
from .embedded import Embedded, embedded, joined, with_motions
from .figures import (
    BERTSCORE,
    CAPTIONS,
    CONTRASTS,
    EDITS,
    FID,
    MATCHING,
    MULTIMODALITY,
    PHYSICS,
    R_PRECISION,
    RECONSTRUCTION,
    RETRIEVAL,
    RETRIEVED,
    SEQUENCES,
    MotionOrigin,
    ProgressBar,
    Report,
    ScoreOptions,
    no_progress,
)
from .generation import GIVEN_PAIRS, feature_generator, score_given, score_loadings
from .language import LAMP_BERTSCORE, LampBertScore, MotionCaptions, score_captions
from .models import Models
from .motion_quality import (
    CONTACT_BY_HEIGHT,
    quality_of,
    reconstruction_figures,
    report_physics,
    score_physics,
)
from .multimodality import score_given_multimodality, score_multimodality
from .recall import RetrievalPool, score_retrieval
from .scored_motions import Example, Split, generated_examples, generated_origin, origin_of, true_examples
from .sequence_figures import score_sequences
from .signature import motions_signature, pairs_signature, split_signature

LONGEST = 199
# Of the work on a motion that is made and measured, about how much is the making.
MADE_SHARE = 0.5


def score_split(
    split: Split, models: Models, options: ScoreOptions, bar: ProgressBar = no_progress
) -> Report:
    """A bundle on a split: motions are generated for its captions, true motions stand beside them.

    Raises ``ValueError`` when the bundle or an evaluator reads motions of another skeleton.
    """
    scorer = _Scorer(models, options, bar)
    report = scorer.report
    for reason, count in split.read.reasons().items():
        report.note(f"{split.dataset.root}, {split.split}: {count} left out: {reason}")
    how = generation_of(models, options)
    report.signature = split_signature(split, models, options, how)
    count = len(split.clips.clips)
    if options.metrics != (RETRIEVAL,):
        # All else generates, captions or encodes; retrieval is its evaluator's alone.
        models.require_own_skeleton(split.skeleton, str(split.dataset.root))
    if options.wants(BERTSCORE, PHYSICS):
        made = generated_examples(split, models.bundle, how, options.stream(BERTSCORE))
        origin, title = generated_origin(how, delivered=True), "generating motions"
        scorer.language_and_physics(made, count, title, origin, MADE_SHARE)
    if options.wants(*MATCHING, MULTIMODALITY):
        evaluators = models.evaluators(FID, [split.skeleton])
        make, origin = feature_generator(models.bundle, how), generated_origin(how, delivered=False)
        score_loadings(split.clips, evaluators, make, options, origin, report, bar)
        if options.wants(MULTIMODALITY):
            score_multimodality(split.clips, evaluators, make, options, origin, report, bar)
    if options.wants(RETRIEVAL):
        evaluators = models.evaluators(RETRIEVAL, [split.skeleton])
        clips = split.every_length()
        pool = RetrievalPool(
            [clip.id for clip in clips],
            [clip.captions[0] for clip in clips],
            [clip.features[:LONGEST_CLIP] for clip in clips],
        )
        score_retrieval(pool, evaluators, models.encoder, options, report, RETRIEVED, bar=bar)
    if options.wants(CONTRASTS):
        evaluators = models.evaluators(CONTRASTS, [split.skeleton])
        true = (example for batch in true_examples(split) for example in batch)
        score_contrasts(true, count, evaluators, options, GROUND_TRUTH, report, bar)
    if options.wants(CAPTIONS):
        scorer.captions_of(true_examples(split), count, split.skeleton, None)
    if options.wants(RECONSTRUCTION):
        with report.refusing():
            features = (split.clips.first(number).features for number in range(count))
            report.measurements += reconstruction_figures(models.bundle, features)
    _note_cut_texts((c.text for clip in split.clips.clips for c in clip.captions), models, report)
    return report


def generation_of(models: Models, options: ScoreOptions) -> GenerateOptions:
    """How motions are generated, with the number of draws that the bundle's generator has."""
    return (options.generation or GenerateOptions()).for_generator(models.config.model.generator)


def score_pairs(
    examples: Sequence[Example],
    models: Models,
    options: ScoreOptions,
    split: Split | None = None,
    bar: ProgressBar = no_progress,
) -> Report:
    """Given motions and their sentences, beside their true motions where there are some.

    ``split`` holds the real motions that FID compares with. Raises ``ValueError`` for no examples, or
    motions of another skeleton.
    """
    if not examples:
        raise ValueError("no pair of text and motion")
    scorer, origin = _Scorer(models, options, bar), origin_of(example.motion for example in examples)
    report = scorer.report
    report.signature = pairs_signature(examples, models, options)
    several = sum(len(example.captions) > 1 for example in examples)
    if several and options.wants(BERTSCORE, *MATCHING, MULTIMODALITY, RETRIEVAL):
        report.note(f"motions of several sentences: {several}; the first one counts, for --captions all do")
    texts = Counter(example.caption.text for example in examples)
    repeated = sum(count > 1 for count in texts.values())
    if repeated and options.wants(R_PRECISION, RETRIEVAL):
        report.note(f"sentences of several motions: {repeated}; only the own motion counts as found")
    if options.wants(BERTSCORE, PHYSICS):
        scorer.language_and_physics(examples, len(examples), "measuring", origin)
    if options.wants(*MATCHING, MULTIMODALITY):
        scorer.matching_of_given(examples, origin, split)
    if options.wants(RETRIEVAL):
        scorer.retrieval_of_given(examples, origin)
    if options.wants(CONTRASTS) and (readable := _of_length(examples, report)):
        evaluators = models.evaluators(CONTRASTS, _skeletons(readable))
        score_contrasts(readable, len(readable), evaluators, options, origin.subject, report, bar)
    if options.wants(CAPTIONS) and (readable := _of_length(examples, report)):
        skeleton = readable[0].motion.skeleton
        scorer.captions_of(batched(readable, BATCH_SIZE), len(readable), skeleton, origin)
    if options.wants(RECONSTRUCTION):
        with report.refusing():
            report.measurements += _reconstruction((e.motion for e in examples), models)
    if options.wants(SEQUENCES):
        scorer.sequences_of(examples, origin, split)
    if options.wants(EDITS):
        score_edits(examples, origin, report)
    _note_cut_texts((caption.text for e in examples for caption in e.captions), models, report)
    return report


def score_motions(motions: Iterable[Motion], models: Models, options: ScoreOptions) -> Report:
    """Motions without sentences: physical quality and reconstruction; other figures are refused."""
    everything = list(motions)
    report = score_physics(everything) if options.wants(PHYSICS) else Report()
    report.signature = motions_signature(len(everything), options, models)
    if options.wants(RECONSTRUCTION):
        with report.refusing():
            report.measurements += _reconstruction(everything, models)
    return report


class _Scorer:
    """Hands examples to the figures that were asked for; all of them go into one report."""

    def __init__(self, models: Models, options: ScoreOptions, bar: ProgressBar):
        self.models = models
        self.options = options
        self.bar = bar
        self.report = Report()
        # The figures that need captions, for the sentence that refuses them.
        names = {BERTSCORE: LAMP_BERTSCORE, CAPTIONS: "captions"}
        needing = " and ".join(name for metric, name in names.items() if options.wants(metric))
        self.captions = MotionCaptions(models, needing)

    def language_and_physics(
        self,
        examples: Iterable[Example],
        count: int,
        title: str,
        origin: MotionOrigin,
        made_share: float = 0.0,
    ) -> None:
        """LaMP-BertScore and physical quality, of the same motions.

        ``made_share`` of the work is done when an example comes.
        """
        qualities: dict[str, list[PhysicalQuality]] = {}
        language = LampBertScore(self.captions, origin)
        captioning, captioned = self.options.wants(BERTSCORE), 0
        with self.bar(count, f"{title}, captioning" if captioning else title) as advance:

            def watched() -> Iterator[Example]:
                for example in examples:
                    advance(made_share, "")
                    yield example

            for batch in batched(watched(), BATCH_SIZE):
                if captioning and (long := _of_length(batch, self.report)):
                    # Without a captioner the physical figures still come.
                    captioning = False
                    with self.report.refusing():
                        language.add(long, self.report)
                        captioning, captioned = True, captioned + len(long)
                if self.options.wants(PHYSICS):
                    _add_physics(batch, origin.subject, qualities)
                advance(len(batch) * (1 - made_share), "")
        if captioning and captioned:
            self.report.measurements += language.measurements(self.models, self.options, self.report)
        report_physics(qualities, origin.labelled(CONTACT_BY_HEIGHT), self.options.seed, self.report)

    def captions_of(
        self, batches: Iterable[list[Example]], count: int, skeleton: Skeleton, origin: MotionOrigin | None
    ) -> None:
        """Figures of the captions of motions, of true ones when ``origin`` is None."""
        evaluators = self.models.evaluators(CAPTIONS, [skeleton])
        with self.bar(count, "captioning") as advance, self.report.refusing():

            def watched() -> Iterator[list[Example]]:
                for batch in batches:
                    yield batch
                    advance(len(batch), "")

            score_captions(
                watched(), self.captions, self.models, evaluators, self.options, origin, self.report
            )

    def matching_of_given(
        self, examples: Sequence[Example], origin: MotionOrigin, split: Split | None
    ) -> None:
        """Embed given motions once; measure what is drawn as often as asked."""
        kept = _of_length(examples, self.report, LONGEST)
        if not kept:
            self.report.refuse("figures of an evaluator", "no motion is of fitting length")
            return
        evaluators = self.models.evaluators(FID, _skeletons(kept))
        made: list[list[Embedded]] = [[] for _ in evaluators]
        real: list[list[Embedded]] = [[] for _ in evaluators]
        with self.bar(len(kept), "embedding") as advance:
            for batch in batched(kept, BATCH_SIZE):
                truths = [e.truth for e in batch if e.truth is not None]
                for evaluator, parts, true_parts in zip(evaluators, made, real, strict=True):
                    part = embedded(evaluator, [e.caption for e in batch], [_window(e.motion) for e in batch])
                    parts.append(part)
                    if len(truths) == len(batch):
                        true_parts.append(with_motions(evaluator, part.texts, [_window(m) for m in truths]))
                advance(len(batch), "")
        given = [joined(parts) for parts in made]
        truth = [joined(parts) if sum(map(len, parts)) == len(kept) else None for parts in real]
        score_given(evaluators, given, truth, split, self.options, origin, self.report)
        if self.options.wants(MULTIMODALITY):
            texts = [example.caption.text for example in kept]
            by_text = [_by_text(pairs, texts) for pairs in given]
            score_given_multimodality(evaluators, by_text, self.options, origin, self.report)

    def sequences_of(self, examples: Sequence[Example], origin: MotionOrigin, split: Split | None) -> None:
        """Transitions and parts of given motions, beside the true motions that there are."""
        evaluators = self.models.evaluators(FID, _skeletons(examples))
        motions = [example.motion for example in examples]
        truths = [example.truth for example in examples if example.truth is not None]
        if split is not None:
            truths = [split.motion(clip.features) for clip in split.clips.clips]
        score_sequences(motions, truths, evaluators, self.options, origin, self.report)

    def retrieval_of_given(self, examples: Sequence[Example], origin: MotionOrigin) -> None:
        """Retrieval among given motions, each by its first sentence."""
        kept = _of_length(examples, self.report, LONGEST)
        evaluators = self.models.evaluators(RETRIEVAL, _skeletons(kept))
        pool = RetrievalPool(
            [example.motion.source or str(example.number) for example in kept],
            [example.caption for example in kept],
            [_window(example.motion) for example in kept],
        )
        how = origin.labelled(GIVEN_PAIRS)
        score_retrieval(
            pool, evaluators, self.models.encoder, self.options, self.report, origin.subject, how, self.bar
        )


def _skeletons(examples: Iterable[Example]) -> list[Skeleton]:
    return [example.motion.skeleton for example in examples]


def _note_cut_texts(texts: Iterable[str], models: Models, report: Report) -> None:
    """Say when the bundle, where it reads sentences at all, does not read all of them."""
    if models.name is None:
        return
    distinct = set(texts)
    cut = sum(part_read(models.bundle, text) != text for text in distinct)
    if cut:
        limit = models.config.model.lamp.qformer.text_tokens
        report.note(
            f"{cut} of {len(distinct)} sentences have more than the {limit} word pieces that {models.name} "
            "reads: of those it judges only the beginning"
        )


def _add_physics(batch: Sequence[Example], subject: str, qualities: dict[str, list[PhysicalQuality]]) -> None:
    for example in batch:
        qualities.setdefault(subject, []).append(quality_of(example.motion))
        if example.truth is not None:
            qualities.setdefault(GROUND_TRUTH, []).append(quality_of(example.truth))


def _by_text(pairs: Embedded, texts: Sequence[str]) -> dict[str, np.ndarray]:
    rows: dict[str, list[np.ndarray]] = {}
    for text, row in zip(texts, pairs.motions, strict=True):
        rows.setdefault(text, []).append(row)
    return {text: np.stack(several) for text, several in rows.items()}


def _of_length(examples: Sequence[Example], report: Report, longest: int | None = None) -> list[Example]:
    """Those that networks can read, whole if ``longest`` says so; the others are named."""
    kept = []
    for example in examples:
        frames = _frames(example.motion)
        if FRAMES_PER_TOKEN <= frames <= (longest or frames):
            kept.append(example)
        else:
            bounds = f"{FRAMES_PER_TOKEN} to {longest}" if longest else f"at least {FRAMES_PER_TOKEN}"
            name = example.motion.source or f"pair {example.number + 1}"
            report.note(f"{name}: {frames} frames; expected {bounds}, left out")
    return kept


def _frames(motion: Motion) -> int:
    """How many frames of features a motion has."""
    if motion.features is not None:
        return len(motion.features)
    return int((len(motion) - 1) * motion.skeleton.fps / motion.fps + 1e-9)


def _window(motion: Motion) -> np.ndarray:
    return motion.to_features()[:LONGEST_CLIP]


def _reconstruction(motions: Iterable[Motion], models: Models) -> list[Measurement]:
    def features() -> Iterator[np.ndarray]:
        for motion in motions:
            models.require_own_skeleton(motion.skeleton, motion.source)
            if _frames(motion):
                yield motion.to_features()

    return reconstruction_figures(models.bundle, features())
