"""What the stages share that learn from pairs of motion and sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.batches import MotionBatch, PairSampler, batched, evaluation_batch
from ...data.layout import Clip
from ...data.statistics import Statistics
from ...data.vocabulary import Vocabulary
from ...model.tokenizer import MotionTokenizer


@dataclass(frozen=True)
class PairData:
    """Clips of the two splits, the statistics they are normalised with, and the vocabulary.

    ``paraphrases`` are groups of sentences, each group about one motion that is not at hand. A
    ``reworded_share`` of the training sentences is put in other words for the networks that must understand
    people, and a ``misspelt_share`` has a typing error; what speaks itself learns from the sentences as they
    are. The generator's clips are sorted by length over ``sorted_steps`` steps.
    """

    train: Sequence[Clip]
    val: Sequence[Clip]
    statistics: Statistics
    vocabulary: Vocabulary
    paraphrases: Sequence[Sequence[str]] = ()
    reworded_share: float = 0.0
    sorted_steps: int = 1
    misspelt_share: float = 0.0


class PairStage:
    """Pairs drawn step by step, and validation batches in order; its tokenizer is frozen."""

    def __init__(
        self,
        what: str,
        tokenizer: MotionTokenizer,
        sampler: PairSampler,
        data: PairData,
        batch_size: int,
        seed: int,
        device: torch.device,
    ):
        """``what`` is trained, in words. Raises ``ValueError`` when no validation clip has a caption."""
        self._tokenizer = tokenizer.to(device).eval().requires_grad_(False)
        self._sampler = sampler
        self._data = data
        self._val = captioned(data.val, what)
        self._batch_size = batch_size
        self._seed = seed
        self._device = device

    def draw(self, step: int) -> Any:
        """Motions and sentences of all ranks."""
        return self._sampler.batch(self._seed, step, self._batch_size)

    def names(self, step: int) -> list[str]:
        """The clips of a step."""
        return self._sampler.names(self._seed, step, self._batch_size)

    def _validation_batches(self) -> Iterator[MotionBatch]:
        """The validation clips, a batch at a time, so that a large split needs no more memory."""
        for part in batched(self._val, self._batch_size):
            yield evaluation_batch(part, self._data.statistics, self._tokenizer.config.frames_per_token)


def captioned(clips: Sequence[Clip], network: str) -> list[Clip]:
    """The clips with a caption; raises ``ValueError`` where there is none to choose a ``network`` by."""
    found = [clip for clip in clips if clip.captions]
    if not found:
        raise ValueError(f"no validation clip has a caption; the best {network} is chosen by them")
    return found


def means_of(batches: Sequence[Mapping[str, Tensor]], sizes: Sequence[int]) -> dict[str, float]:
    """The mean of each figure over batches of so many clips."""
    return {
        name: float(np.average([float(each[name]) for each in batches], weights=sizes)) for name in batches[0]
    }
