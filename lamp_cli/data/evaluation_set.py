"""The field's loading protocol for evaluation, drawn from a generator that is passed in.

Source: Guo et al., CVPR 2022, as every later paper uses it. Clips of 40 to 199 frames (KIT-ML: from 24);
a caption with its own times is a sub-clip of its own; per loading each clip gets one of its captions by
chance, is cut to a multiple of four frames, one time in three four frames shorter, from a start drawn by
chance; features are normalised with the evaluator's statistics and then padded with zeros to 196 frames;
batches of 32 in a drawn order, the last incomplete one dropped. Knows no networks and no metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.matching import POOL
from ..motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP, whole_tokens
from .captions import Caption, read_texts
from .layout import FIELD_LIMITS, Clip, Dataset, ReadReport
from .statistics import Statistics


@dataclass(frozen=True)
class EvaluationClip:
    """Features (T, C) float32, not normalised, and the sentences that are true of them, with tokens."""

    id: str
    features: np.ndarray
    captions: tuple[Caption, ...]


@dataclass(frozen=True)
class EvaluationPair:
    """One clip as one loading sees it: a crop (T, C), T a multiple of 4 up to 196, and one caption.

    ``number`` is the clip's place in the set.
    """

    number: int
    features: np.ndarray
    caption: Caption


@dataclass(frozen=True)
class EvaluationSet:
    """The clips of a split that the protocol admits."""

    clips: tuple[EvaluationClip, ...]

    def load(self, rng: np.random.Generator) -> list[EvaluationPair]:
        """One loading of the whole set in its own order: every clip once, its caption and crop drawn."""
        return [self.draw(number, rng) for number in range(len(self.clips))]

    def batches(self, rng: np.random.Generator) -> list[list[EvaluationPair]]:
        """One loading in a drawn order, in batches of 32, the last incomplete one dropped.

        Raises ``ValueError`` when there is not even one whole batch.
        """
        if len(self.clips) < POOL:
            raise ValueError(f"{len(self.clips)} clips; the protocol needs at least one batch of {POOL}")
        order = rng.permutation(len(self.clips))[: len(self.clips) // POOL * POOL]
        return [[self.draw(int(n), rng) for n in part] for part in order.reshape(-1, POOL)]

    def draw(self, number: int, rng: np.random.Generator) -> EvaluationPair:
        """One clip with a caption and a crop drawn from ``rng``."""
        clip = self.clips[number]
        caption = clip.captions[int(rng.integers(len(clip.captions)))]
        length = whole_tokens(len(clip.features))
        # One time in three a token shorter: part of the protocol, against learning lengths.
        if rng.integers(3) == 2:
            length -= FRAMES_PER_TOKEN
        start = int(rng.integers(len(clip.features) - length + 1))
        return EvaluationPair(number, clip.features[start : start + length], caption)

    def first(self, number: int) -> EvaluationPair:
        """One clip from its first frame with its first caption: nothing drawn."""
        clip = self.clips[number]
        return EvaluationPair(number, clip.features[: whole_tokens(len(clip.features))], clip.captions[0])


def evaluation_set(dataset: Dataset, split: str) -> tuple[EvaluationSet, ReadReport]:
    """The clips of a split by the field's limits of its skeleton, and what was skipped and why.

    Raises ``ValueError`` when no clip with a caption is left.
    """
    limit = FIELD_LIMITS[dataset.skeleton.name]
    clips, report = dataset.clips(split, limit)
    kept = with_captions(dataset, split, clips)
    if not kept:
        raise ValueError(
            f"{dataset.root / f'{split}.txt'}: no clip of {limit.least} to {limit.most} frames with a caption"
        )
    return EvaluationSet(kept), report


def with_captions(dataset: Dataset, split: str, clips: Sequence[Clip]) -> tuple[EvaluationClip, ...]:
    """Those of the clips, read from this split, that have captions, with the captions' tokens."""
    tokens = _tokens(dataset, split)
    return tuple(
        EvaluationClip(clip.id, clip.features, tuple(tokens[clip.id, text] for text in clip.captions))
        for clip in clips
        if clip.captions
    )


def padded(features: Sequence[np.ndarray], statistics: Statistics) -> tuple[np.ndarray, np.ndarray]:
    """Normalised features (B, 196, C) float32, zeros after normalisation beyond the lengths (B,) int64.

    Frames beyond a multiple of 4 are cut. Raises ``ValueError`` for a motion that is not (T, C) of finite
    numbers with T from 4 to 196.
    """
    width = len(statistics.mean)
    result = np.zeros((len(features), LONGEST_CLIP, width), np.float32)
    lengths = np.zeros(len(features), np.int64)
    for row, motion in enumerate(features):
        if motion.ndim != 2 or motion.shape[1] != width:
            raise ValueError(f"motion {row}: expected features (T, {width}), found shape {motion.shape}")
        if not FRAMES_PER_TOKEN <= len(motion) <= LONGEST_CLIP:
            raise ValueError(
                f"motion {row}: expected {FRAMES_PER_TOKEN} to {LONGEST_CLIP} frames, found {len(motion)}"
            )
        if not np.isfinite(motion).all():
            raise ValueError(f"motion {row}: expected finite numbers, found NaN or infinity")
        lengths[row] = whole_tokens(len(motion))
        result[row, : lengths[row]] = statistics.normalise(motion[: lengths[row]])
    return result, lengths


def _tokens(dataset: Dataset, split: str) -> dict[tuple[str, str], Caption]:
    """Captions with their tokens by clip id (as ``Dataset.clips`` names clips) and text."""
    found: dict[tuple[str, str], Caption] = {}
    for name in dataset.ids(split):
        path = dataset.root / "texts" / f"{name}.txt"
        if not path.is_file():
            continue
        try:
            captions = read_texts(path)
        except ValueError:
            # The reader of clips has skipped this one and says so in its report.
            continue
        found |= {(name, c.text): c for c in captions if c.whole_clip}
        timed = (c for c in captions if not c.whole_clip)
        found |= {(f"{name}_{number}", c.text): c for number, c in enumerate(timed)}
    return found
