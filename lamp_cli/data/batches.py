"""Batches for training. The batch of step s depends on (seed, s) alone.

That is what makes a resumed run bit-identical: there is no position in the data to save.
Knows clips and sentences; knows no networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..language.typing_errors import with_typing_error
from ..motion.clip_length import LONGEST_CLIP, whole_tokens
from .layout import Clip
from .statistics import Statistics

Item = TypeVar("Item")


@dataclass(frozen=True)
class MotionBatch:
    """Motions with one sentence each.

    features: normalised, (B, T, C) float32, zero on padding.
    lengths: of the motions, (B,), in frames.
    texts: the sentences.
    clip_numbers: of the clips that the motions are from, (B,).
    spans: frames that each sentence is about, (B, 2), the second without; all of a motion's, or a part's.
    """

    features: np.ndarray
    lengths: np.ndarray
    texts: tuple[str, ...]
    clip_numbers: np.ndarray
    spans: np.ndarray

    def rows(self, rows: slice) -> MotionBatch:
        """Some rows of the batch."""
        return MotionBatch(
            self.features[rows],
            self.lengths[rows],
            self.texts[rows],
            self.clip_numbers[rows],
            self.spans[rows],
        )


class WindowSampler:
    """Windows of fixed length, every frame of the corpus equally likely: what the tokenizer trains on."""

    def __init__(self, clips: Sequence[Clip], statistics: Statistics, window: int):
        """Clips shorter than ``window`` are left out; raises ``ValueError`` when none is left."""
        # Normalised when drawn: normalised copies of a large corpus would need its memory twice.
        self._clips = [clip for clip in clips if len(clip.features) >= window]
        if not self._clips:
            raise ValueError(f"no clip has {window} frames, which the motion tokenizer trains on")
        self._statistics = statistics
        self._window = window
        starts = np.array([len(clip.features) - window + 1 for clip in self._clips])
        self._ends = np.cumsum(starts)

    def batch(self, seed: int, step: int, size: int) -> np.ndarray:
        """Normalised windows (size, window, C) float32."""
        numbers, begins = self._drawn(seed, step, size)
        rows = [
            self._clips[number].features[begin : begin + self._window]
            for number, begin in zip(numbers.tolist(), begins.tolist(), strict=True)
        ]
        return self._statistics.normalise(np.stack(rows))

    def names(self, seed: int, step: int, size: int) -> list[str]:
        """The clips of a step's windows."""
        return [self._clips[number].id for number in self._drawn(seed, step, size)[0]]

    def _drawn(self, seed: int, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Clip numbers and first frames (size,)."""
        draws = np.random.default_rng([seed, 1, step]).integers(self._ends[-1], size=size)
        numbers = np.searchsorted(self._ends, draws, side="right")
        return numbers, draws - np.concatenate([[0], self._ends])[numbers]


class PairSampler:
    """Motions with one of their sentences each, every clip once per epoch in a drawn order."""

    def __init__(
        self,
        clips: Sequence[Clip],
        statistics: Statistics,
        frames_per_token: int,
        sorted_steps: int = 1,
        reworded_share: float = 0.0,
        part_share: float = 0.0,
        misspelt_share: float = 0.0,
    ):
        """Clips without captions are left out; raises ``ValueError`` when none is left.

        With a ``reworded_share`` sentences are drawn from a clip's further wordings too, and that share of
        them is reworded; in a ``misspelt_share`` one word has a typing error. The clips of ``sorted_steps``
        consecutive steps are sorted by length, so that a batch has little padding, and these steps are then
        taken in a drawn order. Of the clips that have sentences about their parts, a ``part_share`` comes
        with one of these.
        """
        self._clips = [c for c in clips if c.captions and len(c.features) >= frames_per_token]
        self._sentences = [c.sentences if reworded_share else c.captions for c in self._clips]
        if not self._clips:
            raise ValueError("no clip has a caption; language-motion pretraining needs pairs")
        self._statistics = statistics
        self._frames_per_token = frames_per_token
        self._sorted_steps = sorted_steps
        self._reworded_share = reworded_share
        self._part_share = part_share
        self._misspelt_share = misspelt_share
        self._lengths = np.array([min(len(c.features), LONGEST_CLIP) for c in self._clips])

    def __len__(self) -> int:
        return len(self._clips)

    def batch(self, seed: int, step: int, size: int) -> MotionBatch:
        """The batch of a step: clips by the epoch's order, a drawn caption, a drawn crop.

        A batch never holds a clip twice, so it is smaller than ``size`` on a smaller corpus.
        """
        rng = np.random.default_rng([seed, 3, step])
        numbers = self._clip_numbers(seed, step, size)
        clips = [self._clips[n] for n in numbers]
        offered = [self._sentences[n] for n in numbers]
        texts = [several[rng.integers(len(several))] for several in offered]
        crops = [self._crop(c.features, rng) for c in clips]
        spans = np.array([(0, len(crop)) for crop in crops])
        if self._part_share:
            draw = np.random.default_rng([seed, 7, step])
            for row, (clip, crop) in enumerate(zip(clips, crops, strict=True)):
                if clip.parts and draw.random() < self._part_share:
                    texts[row], spans[row] = _part(clip, crop, draw)
        if self._reworded_share:
            texts = self._reworded(texts, np.random.default_rng([seed, 6, step]))
        if self._misspelt_share:
            texts = self._misspelt(texts, np.random.default_rng([seed, 8, step]))
        motions = [
            self._statistics.normalise(c.features[crop.start : crop.stop])
            for c, crop in zip(clips, crops, strict=True)
        ]
        return collate(motions, texts, numbers, spans)

    def names(self, seed: int, step: int, size: int) -> list[str]:
        """The clips of a step."""
        return [self._clips[number].id for number in self._clip_numbers(seed, step, size)]

    def clip(self, number: int) -> Clip:
        """The clip of a number in a batch."""
        return self._clips[number]

    def _clip_numbers(self, seed: int, step: int, size: int) -> np.ndarray:
        """The clips (B,) of a step, by the epoch's order."""
        size = min(size, len(self._clips))
        steps_per_epoch = len(self._clips) // size
        epoch, step_of_epoch = divmod(step, steps_per_epoch)
        order = np.random.default_rng([seed, 2, epoch]).permutation(len(self._clips))
        steps = order[: steps_per_epoch * size].reshape(-1, size)
        return self._sorted_by_length(steps, step_of_epoch, [seed, 5, epoch])

    def _sorted_by_length(self, steps: np.ndarray, step: int, seed: list[int]) -> np.ndarray:
        """Clips (B,) of step number ``step`` of an epoch whose steps (S, B) are not sorted yet."""
        if self._sorted_steps == 1:
            return steps[step]
        begin = step // self._sorted_steps * self._sorted_steps
        together = steps[begin : begin + self._sorted_steps]
        by_length = together.ravel()[np.argsort(self._lengths[together.ravel()], kind="stable")]
        drawn = np.random.default_rng([*seed, begin]).permutation(len(together))
        return by_length.reshape(together.shape)[drawn[step - begin]]

    def _reworded(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        # Inference imports this module too, and rewording imports all of the synthetic corpus.
        from ..synthetic.corpus import reworded

        chosen = rng.random(len(texts)) < self._reworded_share
        return [reworded(text, rng) if other else text for text, other in zip(texts, chosen, strict=True)]

    def _misspelt(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        chosen = rng.random(len(texts)) < self._misspelt_share
        pairs = zip(texts, chosen, strict=True)
        return [with_typing_error(text, rng) if wrong else text for text, wrong in pairs]

    def _crop(self, features: np.ndarray, rng: np.random.Generator) -> range:
        """The frames that are taken."""
        length = whole_tokens(len(features), self._frames_per_token)
        # As the field does: one time in three a token shorter, and a drawn start.
        if length > 10 * self._frames_per_token and rng.random() < 1 / 3:
            length -= self._frames_per_token
        start = int(rng.integers(len(features) - length + 1))
        return range(start, start + length)


def _part(clip: Clip, crop: range, rng: np.random.Generator) -> tuple[str, tuple[int, int]]:
    """A drawn sentence about a part of a clip, and the frames of the ``crop`` that it is about."""
    part = clip.parts[rng.integers(len(clip.parts))]
    begin = min(max(0, part.start - crop.start), len(crop) - 1)
    return part.text, (begin, min(max(begin + 1, part.end - crop.start), len(crop)))


class ParaphraseSampler:
    """Pairs of sentences that say the same, from groups of them (B pairs from B groups)."""

    def __init__(self, groups: Sequence[Sequence[str]]):
        """Groups of one sentence are left out; raises ``ValueError`` when there is no other."""
        self._groups = [tuple(group) for group in groups if len(group) > 1]
        if not self._groups:
            raise ValueError("no two sentences describe the same clip; paraphrases come in groups")

    def batch(self, seed: int, step: int, size: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Two sentences each of ``size`` groups (of all groups, when there are fewer)."""
        rng = np.random.default_rng([seed, 4, step])
        size = min(size, len(self._groups))
        chosen = [self._groups[n] for n in rng.choice(len(self._groups), size, replace=False)]
        pairs = [rng.choice(len(group), 2, replace=False).tolist() for group in chosen]
        first, second = zip(*((g[a], g[b]) for g, (a, b) in zip(chosen, pairs, strict=True)), strict=True)
        return first, second


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in order, ``size`` at a time; the last list may be shorter."""
    remaining = iter(items)
    while batch := list(itertools.islice(remaining, size)):
        yield batch


def evaluation_batch(clips: Sequence[Clip], statistics: Statistics, frames_per_token: int) -> MotionBatch:
    """Clips from their first frame with their first caption, nothing drawn: for validation."""
    motions = [
        statistics.normalise(c.features[: whole_tokens(len(c.features), frames_per_token)]) for c in clips
    ]
    texts = tuple(c.captions[0] if c.captions else "" for c in clips)
    return collate(motions, texts, np.arange(len(clips)))


def collate(
    motions: Sequence[np.ndarray],
    texts: Sequence[str],
    numbers: np.ndarray,
    spans: np.ndarray | None = None,
) -> MotionBatch:
    """Pad motions (T_i, C) with zeros to the longest; without ``spans`` sentences are about all frames."""
    lengths = np.array([len(m) for m in motions])
    features = np.zeros((len(motions), lengths.max(), motions[0].shape[1]), np.float32)
    for row, motion in zip(features, motions, strict=True):
        row[: len(motion)] = motion
    if spans is None:
        spans = np.stack([np.zeros_like(lengths), lengths], 1)
    return MotionBatch(features, lengths, tuple(texts), numbers, spans)
