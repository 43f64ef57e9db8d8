"""Where scored motions come from: lines that name motion files, or a data set that is generated for.

Both give the same examples: a sentence, the motion made for it, and the true motion where there is
one. Motions are read or generated batch by batch; nothing here keeps them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..bundle.bundle import Bundle
from ..data.batches import batched
from ..data.captions import Caption
from ..data.evaluation_set import EvaluationClip, EvaluationPair, EvaluationSet, evaluation_set, with_captions
from ..data.layout import Dataset, FramesLimit, ReadReport, open_dataset
from ..data.samples import EVALUATION_SPLIT, sample_evaluation_set
from ..files.load import load_motion
from ..inference import BATCH_SIZE
from ..inference.generate import GenerateOptions, Prompt, generate
from ..motion.clip_length import FRAMES_PER_TOKEN
from ..motion.motion import Motion
from ..motion.representation import features_to_joints
from ..motion.skeleton import Skeleton
from .lines import Line

# Retrieval has no length filter; a motion must only be long enough for one token.
ANY_LENGTH = FramesLimit(FRAMES_PER_TOKEN, 10**9)


@dataclass(frozen=True)
class Example:
    """One sentence with the motion made for it; ``described`` is a caption that came with the motion."""

    id: str
    caption: Caption
    generated: Motion
    truth: Motion | None = None
    described: str | None = None


@dataclass(frozen=True)
class Described:
    """A motion, the sentences that are true of it, and a caption that came with it."""

    id: str
    motion: Motion
    references: tuple[Caption, ...]
    described: str | None = None


class Source(Protocol):
    """Examples for the figures that need each sentence once; ``work`` is what giving them takes."""

    work: str

    def __len__(self) -> int:
        """How many examples there are."""

    def examples(self) -> Iterator[list[Example]]:
        """Batches of examples."""


class GivenPairs:
    """Sentences and motion files; true motions are named by the lines or found by their sentence."""

    work = "reading motions"

    def __init__(self, lines: Sequence[Line], split: Split | None = None):
        """``split`` is where true motions are looked up by their sentence; no lines are a ``ValueError``."""
        if not lines:
            raise ValueError("no pair of text and motion; the input is empty")
        self.lines = lines
        self.split = split
        self._clip_of = split.clip_of_sentence() if split else {}

    def __len__(self) -> int:
        return len(self.lines)

    def examples(self) -> Iterator[list[Example]]:
        """Batches of examples, motions read as they are needed; raises ``ValueError`` for no motion file."""
        for begin in range(0, len(self.lines), BATCH_SIZE):
            part = enumerate(self.lines[begin : begin + BATCH_SIZE], begin)
            yield [self._example(number, line) for number, line in part]

    def described(self) -> Iterator[list[Described]]:
        """Each motion with its own sentence, or the references that its line lists."""
        for batch in self.examples():
            yield [Described(e.id, e.generated, self._references(int(e.id)), e.described) for e in batch]

    def _example(self, number: int, line: Line) -> Example:
        motion = load_motion(line.motion)
        return Example(str(number), Caption(line.text), motion, self._truth(line), line.caption)

    def _truth(self, line: Line) -> Motion | None:
        if line.truth is not None:
            return load_motion(line.truth)
        number = self._clip_of.get(line.text)
        if self.split is None or number is None:
            return None
        return self.split.motion(self.split.clips.clips[number].features)

    def _references(self, number: int) -> tuple[Caption, ...]:
        line = self.lines[number]
        return tuple(Caption(text) for text in line.references or (line.text,))


@dataclass(frozen=True)
class Split:
    """The clips of a data set's split that the field's protocol admits."""

    dataset: Dataset
    split: str
    clips: EvaluationSet
    read: ReadReport

    @property
    def skeleton(self) -> Skeleton:
        """Whose features the clips are."""
        return self.dataset.skeleton

    def motion(self, features: np.ndarray) -> Motion:
        """Features (T, C) as a motion."""
        return motion_of_features(features, self.skeleton)

    def clip_of_sentence(self) -> dict[str, int]:
        """The number of the first clip of which each sentence is said."""
        found: dict[str, int] = {}
        for number, clip in enumerate(self.clips.clips):
            for caption in clip.captions:
                found.setdefault(caption.text, number)
        return found

    def every_length(self, limit: int | None) -> list[EvaluationClip]:
        """Clips of any length with their captions and tokens, for retrieval; those without any go."""
        clips, _ = self.dataset.clips(self.split, ANY_LENGTH)
        return list(with_captions(self.dataset, self.split, clips)[:limit])


def open_split(folder: Path, split: str, limit: int | None = None) -> Split:
    """The split of a data set in the HumanML3D layout; raises ``ValueError`` naming what is missing."""
    dataset = open_dataset(folder)
    clips, report = evaluation_set(dataset, split)
    return Split(dataset, split, EvaluationSet(clips.clips[:limit]), report)


def sample_split(limit: int | None = None) -> Split:
    """The small evaluation set that is there without any data: synthetic clips."""
    return open_split(sample_evaluation_set(), EVALUATION_SPLIT, limit)


class GeneratedForSplit:
    """A split with a motion generated for each clip's first caption, as long as the clip."""

    work = "generating motions"

    def __init__(self, split: Split, bundle: Bundle, options: GenerateOptions, rng: np.random.Generator):
        """``split`` and ``bundle`` are of one skeleton."""
        self._split = split
        self._bundle = bundle
        self._options = options
        self._rng = rng

    def __len__(self) -> int:
        return len(self._split.clips.clips)

    def examples(self) -> Iterator[list[Example]]:
        """Batches of examples, generated as they are asked for."""
        for batch in batched(self._pairs(), BATCH_SIZE):
            made = generate_for(self._bundle, batch, self._options, self._rng)
            yield [
                Example(
                    str(pair.number),
                    pair.caption,
                    motion,
                    self._split.motion(pair.features),
                )
                for pair, motion in zip(batch, made, strict=True)
            ]

    def _pairs(self) -> Iterator[EvaluationPair]:
        return (self._split.clips.first(number) for number in range(len(self)))


def described_clips(split: Split) -> Iterator[list[Described]]:
    """The true motions of a split, from their first frame, with all their captions."""
    clips = split.clips
    for numbers in batched(range(len(clips.clips)), BATCH_SIZE):
        yield [
            Described(str(n), split.motion(clips.first(n).features), clips.clips[n].captions) for n in numbers
        ]


def generate_for(
    bundle: Bundle, pairs: Sequence[EvaluationPair], options: GenerateOptions, rng: np.random.Generator
) -> list[Motion]:
    """A motion for every pair's caption, as long as the pair's clip; one seed drawn from ``rng``."""
    prompts = [Prompt(pair.caption.text, len(pair.features)) for pair in pairs]
    return list(generate(bundle, prompts, dataclasses.replace(options, seed=int(rng.integers(2**31)))))


def motion_of_features(features: np.ndarray, skeleton: Skeleton) -> Motion:
    """Features (T, C) and the joints they stand for."""
    return Motion(features_to_joints(features, skeleton), skeleton, skeleton.fps, "", features)
