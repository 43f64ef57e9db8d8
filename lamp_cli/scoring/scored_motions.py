"""Where scored motions come from: lines that name motion files, or a data set that is generated for.

Both give the same examples: sentences, the motion made for them, and the true motion where there is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bundle.bundle import Bundle
from ..data.batches import batched
from ..data.captions import Caption
from ..data.evaluation_set import EvaluationClip, EvaluationPair, EvaluationSet, evaluation_set, with_captions
from ..data.layout import Dataset, FramesLimit, ReadReport, open_dataset
from ..data.samples import EVALUATION_SPLIT, sample_evaluation_set
from ..files.load import motion_of_file
from ..files.reading import AS_STORED, Reading
from ..inference import BATCH_SIZE
from ..inference.generate import GenerateOptions, Prompt, generate
from ..metrics.measurement import GENERATED
from ..motion.clip_length import FRAMES_PER_TOKEN
from ..motion.motion import Motion, MotionPart
from ..motion.representation import features_to_joints
from ..motion.skeleton import Skeleton
from .figures import GIVEN, MotionOrigin
from .lines import Line

# Retrieval has no length filter; a motion must only be long enough for one token.
ANY_LENGTH = FramesLimit(FRAMES_PER_TOKEN, 10**9)


@dataclass(frozen=True)
class Edit:
    """What an edited motion was made of, its frames ``start`` to ``stop`` that were drawn, poses ``kept``."""

    source: Motion
    start: int
    stop: int
    kept: tuple[int, ...] = ()


@dataclass(frozen=True)
class Example:
    """A motion with its sentences.

    number: its place among the examples.
    captions: sentences that are true of it; it was made for the first one.
    motion: the motion that is scored.
    truth: the true motion.
    given_caption: what a captioner said of the motion; it may be empty.
    references: what captions are compared with; ``captions`` when empty.
    edit: how the motion was edited, where it was.
    """

    number: int
    captions: tuple[Caption, ...]
    motion: Motion
    truth: Motion | None = None
    given_caption: str | None = None
    references: tuple[Caption, ...] = ()
    edit: Edit | None = None

    @property
    def caption(self) -> Caption:
        """The sentence that the motion was made for."""
        return self.captions[0]


def read_examples(
    lines: Sequence[Line],
    split: Split | None = None,
    reading: Reading = AS_STORED,
    leave_out: Callable[[Exception], None] | None = None,
    show: Callable[[Motion], None] = lambda motion: None,
) -> list[Example]:
    """The motions of lines; several lines of one motion are one example with several captions.

    split: where true motions that no line names are looked up by their sentence.
    reading: how motion files are read; a line may name the rate of its motion.
    leave_out: is told of a motion that cannot be read; without it that raises.
    show: is given every motion that was read.

    Raises ``ValueError`` for lines of one motion that disagree.
    """
    by_motion: dict[Path, list[Line]] = {}
    for line in lines:
        by_motion.setdefault(line.motion.resolve(), []).append(line)
    numbers = split.clip_of_sentence() if split else {}
    examples: list[Example] = []
    for several in by_motion.values():
        first = several[0]
        for key in ("caption", "truth"):
            if len({getattr(line, key) for line in several}) > 1:
                raise ValueError(
                    f"{first.motion}: its lines give different {key}s; expected one for a motion"
                )
        texts = dict.fromkeys(line.text for line in several)
        listed = dict.fromkeys(text for line in several for text in line.references)
        try:
            motion = motion_of_file(first.motion, reading.at(first.fps))
            motion = dataclasses.replace(motion, candidates=first.candidates, parts=_parts(first, motion))
            edit = _edit(first, motion, reading)
            truth = None if first.truth is None else motion_of_file(first.truth, reading)
        except (ValueError, OSError) as error:
            if leave_out is None:
                raise
            leave_out(error)
            continue
        for read in (motion, truth):
            if read is not None:
                show(read)
        if truth is None and split is not None and first.text in numbers:
            truth = split.motion(split.clips.clips[numbers[first.text]].features)
        captions, references = tuple(map(Caption, texts)), tuple(map(Caption, listed))
        examples.append(Example(len(examples), captions, motion, truth, first.caption, references, edit))
    return examples


def _parts(line: Line, motion: Motion) -> tuple[MotionPart, ...]:
    """The parts that a line tells; raises ``ValueError`` for frames that the motion has not."""
    parts = tuple(MotionPart(text, start, start + frames) for text, start, frames in line.parts)
    if parts and parts[-1].end > len(motion):
        raise ValueError(f"{line.motion}: {len(motion)} frames; its line has a part up to {parts[-1].end}")
    return parts


def _edit(line: Line, motion: Motion, reading: Reading) -> Edit | None:
    """How a motion was edited; raises ``ValueError`` for kept poses that the motion or its source has not."""
    if line.span is None or line.source is None:
        return None
    source = motion_of_file(line.source, reading.at(line.fps))
    if line.span.kept and max(line.span.kept) >= min(len(motion), len(source)):
        found = f"{len(motion)} frames, {len(source)} of its source"
        raise ValueError(f"{line.motion}: {found}; its line has a kept pose at {max(line.span.kept)}")
    return Edit(source, line.span.start, line.span.start + line.span.frames, line.span.kept)


def examples_of_pairs(pairs: Iterable[tuple[str, Motion]]) -> list[Example]:
    """Sentences and motions in memory; several pairs of one motion are one example with several captions."""
    texts: dict[int, list[str]] = {}
    motions: dict[int, Motion] = {}
    for text, motion in pairs:
        motions[id(motion)] = motion
        texts.setdefault(id(motion), []).append(text)
    return [
        Example(number, tuple(map(Caption, texts[key])), motion)
        for number, (key, motion) in enumerate(motions.items())
    ]


@dataclass(frozen=True)
class Split:
    """The first ``limit`` clips of a data set's split that the field's protocol admits."""

    dataset: Dataset
    split: str
    clips: EvaluationSet
    read: ReadReport
    limit: int | None = None

    @property
    def skeleton(self) -> Skeleton:
        """Whose features the clips are."""
        return self.dataset.skeleton

    def motion(self, features: np.ndarray) -> Motion:
        """Features (T, C) as a motion."""
        joints = features_to_joints(features, self.skeleton)
        return Motion(joints, self.skeleton, self.skeleton.fps, "", features)

    def clip_of_sentence(self) -> dict[str, int]:
        """The number of the first clip of which each sentence is said."""
        found: dict[str, int] = {}
        for number, clip in enumerate(self.clips.clips):
            for caption in clip.captions:
                found.setdefault(caption.text, number)
        return found

    def every_length(self) -> list[EvaluationClip]:
        """Clips of any length with their captions and tokens, for retrieval; those without any go."""
        clips, _ = self.dataset.clips(self.split, ANY_LENGTH)
        return list(with_captions(self.dataset, self.split, clips)[: self.limit])


def open_split(folder: Path, split: str, limit: int | None = None) -> Split:
    """The split of a data set in the HumanML3D layout; raises ``ValueError`` naming what is missing."""
    dataset = open_dataset(folder)
    clips, report = evaluation_set(dataset, split)
    return Split(dataset, split, EvaluationSet(clips.clips[:limit]), report, limit)


def named_split(folder: Path | None, split: str | None, limit: int | None) -> Split:
    """A split of a data set, test unless named; without one the small evaluation set of synthetic clips."""
    if folder is None:
        return open_split(sample_evaluation_set(), EVALUATION_SPLIT, limit)
    return open_split(folder, split or "test", limit)


def generated_examples(
    split: Split, bundle: Bundle, options: GenerateOptions, rng: np.random.Generator
) -> Iterator[Example]:
    """A motion generated for each clip's first caption, as long as the clip, beside the true one.

    ``split`` and ``bundle`` are of one skeleton. Motions are as ``lamp generate`` delivers them: where they
    were cleaned up, their features are those of the joints, no longer the network's.
    """
    for pairs in batched(map(split.clips.first, range(len(split.clips.clips))), BATCH_SIZE):
        for pair, motion in zip(pairs, generate_for(bundle, pairs, options, rng), strict=True):
            made = dataclasses.replace(motion, features=None) if options.clean_up else motion
            yield Example(pair.number, (pair.caption,), made, split.motion(pair.features))


def true_examples(split: Split) -> Iterator[list[Example]]:
    """Batches of the true motions of a split, from their first frame, with all their captions."""
    clips = split.clips
    for numbers in batched(range(len(clips.clips)), BATCH_SIZE):
        yield [Example(n, clips.clips[n].captions, split.motion(clips.first(n).features)) for n in numbers]


def generate_for(
    bundle: Bundle, pairs: Sequence[EvaluationPair], options: GenerateOptions, rng: np.random.Generator
) -> Iterator[Motion]:
    """A motion for every pair's caption, as long as the pair's clip; one seed drawn from ``rng``."""
    prompts = [Prompt(pair.caption.text, len(pair.features)) for pair in pairs]
    yield from generate(bundle, prompts, dataclasses.replace(options, seed=int(rng.integers(2**31))))


def origin_of(motions: Iterable[Motion]) -> MotionOrigin:
    """Who made given motions, as far as they say it: a model, and how many draws it chose from."""
    found = {motion.candidates for motion in motions}
    label = chosen_of_draws(max((count for count in found if count is not None), default=1))
    some = "some " if label and len(found) > 1 else ""
    return MotionOrigin(GIVEN if None in found else GENERATED, some + label)


def chosen_of_draws(candidates: int) -> str:
    """How protocols say that the check of joints and LaMP itself kept the best of some draws."""
    return f"best of {candidates} by check and LaMP" if candidates > 1 else ""


def generated_origin(options: GenerateOptions, delivered: bool) -> MotionOrigin:
    """How motions are generated where that is not the field's way: best of some, or other than the default.

    ``delivered`` for motions as people get them, which are cleaned up unless the options say otherwise.
    """
    default, sampling = GenerateOptions(), options.sampling
    parts = [chosen_of_draws(options.candidates or 1)]
    if sampling.guidance is not None:
        parts.append(f"guidance {sampling.guidance:g}")
    if sampling.steps != default.sampling.steps:
        parts.append(f"{sampling.steps} steps")
    if sampling.temperature != default.sampling.temperature:
        parts.append(f"temperature {sampling.temperature:g}")
    if sampling.top_fraction != default.sampling.top_fraction:
        parts.append(f"drawn from {100 * sampling.top_fraction:g} % of the codes")
    if options.precision != default.precision:
        parts.append(options.precision)
    if delivered and not options.clean_up:
        parts.append("raw")
    return MotionOrigin(GENERATED, ", ".join(filter(None, parts)))
