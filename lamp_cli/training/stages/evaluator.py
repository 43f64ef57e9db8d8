"""Training of an evaluator of Guo et al.'s design: an independent judge for any corpus.

Source: Guo et al., CVPR 2022, whose loading protocol, networks, loss and margin these are; what differs
is written in model/evaluator.py (MARDM's second: model/contrastive_evaluator.py). Where GloVe's vectors are
not at hand, word vectors are learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...data.batches import batched
from ...data.evaluation_set import EvaluationPair, EvaluationSet, padded
from ...data.statistics import Statistics
from ...data.word_tokens import WordList
from ...inference.embed import words_on_device
from ...model import distributed
from ...model.contrastive_evaluator import ContrastiveTraining
from ...model.devices import on_device
from ...model.evaluator import EvaluatorTraining, MatchingBatch
from .lamp import recalls
from .pairs import means_of

EVALUATOR = "evaluator"
# A word met once teaches nothing about itself; as `unk` it teaches what an unknown word is.
LEAST_COUNT = 2


@dataclass(frozen=True)
class EvaluatorData:
    """Clips of the two splits, the statistics they are normalised with, and the words."""

    train: EvaluationSet
    val: EvaluationSet
    statistics: Statistics
    words: WordList


class EvaluatorStage:
    """Batches and validation for ``training.train``."""

    name = EVALUATOR

    def __init__(
        self,
        network: EvaluatorTraining | ContrastiveTraining,
        data: EvaluatorData,
        batch_size: int,
        seed: int,
        device: torch.device,
    ):
        """Raises ``ValueError`` for a training set of one clip, which has no mismatched pair."""
        if len(data.train.clips) < 2:
            raise ValueError("an evaluator needs at least two training clips to tell apart")
        self.network: nn.Module = network
        self._evaluator = network.evaluator
        self._data = data
        self._batch_size = min(batch_size, len(data.train.clips))
        self._seed = seed
        self._device = device

    def draw(self, step: int) -> list[EvaluationPair]:
        """The pairs of all ranks: every clip once per epoch in a drawn order, by the field's protocol."""
        rng = np.random.default_rng([self._seed, 5, step])
        return [self._data.train.draw(number, rng) for number in self._clip_numbers(step)]

    def names(self, step: int) -> list[str]:
        """The clips of a step."""
        return [self._data.train.clips[number].id for number in self._clip_numbers(step)]

    def _clip_numbers(self, step: int) -> list[int]:
        size = self._batch_size
        epoch, place = divmod(step, len(self._data.train.clips) // size)
        order = np.random.default_rng([self._seed, 4, epoch]).permutation(len(self._data.train.clips))
        return order[place * size : (place + 1) * size].tolist()

    def batch(self, drawn: Sequence[EvaluationPair]) -> tuple[MatchingBatch]:
        """The pairs of one rank."""
        return (self._matching_batch(drawn, distributed.rows_of_rank(len(drawn))),)

    def _matching_batch(self, pairs: Sequence[EvaluationPair], rows: slice) -> MatchingBatch:
        # Numbered over the whole batch: ranks must agree on which sentences are equal.
        texts = np.unique(np.array([p.caption.text for p in pairs]), return_inverse=True)[1]
        words = self._data.words.encode([p.caption for p in pairs[rows]])
        features, lengths = padded([p.features for p in pairs[rows]], self._data.statistics)
        return MatchingBatch(
            on_device(torch.from_numpy(features), self._device),
            torch.from_numpy(lengths),
            words_on_device(words, self._device),
            on_device(torch.from_numpy(texts[rows]), self._device),
            on_device(torch.tensor([p.number for p in pairs[rows]]), self._device),
        )

    def validate(self) -> dict[str, float]:
        """R@1, 5, 10 in both directions over the whole validation split, and the losses in batches.

        First caption, first frame, nothing drawn; ranked by Euclidean distance.
        """
        pairs = [self._data.val.first(number) for number in range(len(self._data.val.clips))]
        texts, motions, losses, sizes = [], [], [], []
        for part in batched(pairs, self._batch_size):
            batch = self._matching_batch(part, slice(None))
            texts.append(self._evaluator.embed_text(batch.text))
            motions.append(self._evaluator.embed_motion(batch.features, batch.lengths))
            losses.append(self.network(batch, torch.Generator()))
            sizes.append(len(part))
        scores = -torch.cdist(torch.cat(texts).float(), torch.cat(motions).float())
        captions = np.unique(np.array([p.caption.text for p in pairs]), return_inverse=True)[1]
        same = torch.from_numpy(captions).to(scores.device)
        figures = recalls("text_to_motion", scores, same) | recalls("motion_to_text", scores.T, same)
        mean = float(np.mean(list(figures.values())))
        return {"mean_recall": mean, **figures, **means_of(losses, sizes)}
