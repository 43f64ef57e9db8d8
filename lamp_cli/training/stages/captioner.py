"""Training of LaMP-M2T: first the embedded decoder on sentences alone, then captions behind motions.

Source: LaMP section 3 (captioning). LaMP and the motion tokenizer are frozen; what captions need of LaMP's
motion transformer besides is learned in the captioner's own adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ...data.batches import MotionBatch, PairSampler, batched, evaluation_batch
from ...inference.caption_tokens import caption_tokenizer, caption_words
from ...inference.embed import tokenize
from ...model import distributed
from ...model.captioner import Captioner
from ...model.lamp import IGNORED, Lamp
from ...model.qformer import Text
from ...model.tokenizer import MotionTokenizer
from .pairs import PairData, PairStage, captioned


class LanguageStage:
    """The decoder as a language model: sentences in, perplexity on the validation captions out."""

    name = "language"

    def __init__(
        self,
        network: Captioner,
        sentences: Sequence[str],
        data: PairData,
        batch_size: int,
        seed: int,
        device: torch.device,
    ):
        """``sentences`` join the training captions. Raises ``ValueError`` when none is for validation."""
        self.network = network
        own = (text for clip in data.train for text in clip.captions)
        self._sentences = list(dict.fromkeys([*own, *sentences]))
        self._val = [text for clip in captioned(data.val, "captioner") for text in clip.captions]
        self._words = caption_tokenizer(network, data.vocabulary)
        self._batch_size = min(batch_size, len(self._sentences))
        self._seed = seed
        self._device = device

    def draw(self, step: int) -> list[str]:
        """Sentences of all ranks: every sentence once per epoch in a drawn order."""
        epoch, place = divmod(step, len(self._sentences) // self._batch_size)
        order = np.random.default_rng([self._seed, 4, epoch]).permutation(len(self._sentences))
        numbers = order[place * self._batch_size : (place + 1) * self._batch_size]
        return [self._sentences[number] for number in numbers]

    def names(self, step: int) -> list[str]:
        """The sentences of a step."""
        return self.draw(step)

    def batch(self, drawn: Sequence[str]) -> tuple[None, Text]:
        """No motion, and the sentences of one rank."""
        texts = drawn[distributed.rows_of_rank(len(drawn))]
        return None, caption_words(self.network, self._words, texts, self._device)

    def validate(self) -> dict[str, float]:
        """Loss per token, its perplexity, and the share of tokens predicted, in percent."""
        batches = (
            (None, caption_words(self.network, self._words, texts, self._device))
            for texts in batched(self._val, self._batch_size)
        )
        return _figures(self.network, batches)


class CaptionerStage(PairStage):
    """Motions with one of their captions in, loss on all validation captions out."""

    name = "captioner"

    def __init__(
        self,
        network: Captioner,
        lamp: Lamp,
        tokenizer: MotionTokenizer,
        data: PairData,
        batch_size: int,
        seed: int,
        device: torch.device,
    ):
        """``lamp`` and ``tokenizer`` are frozen. Raises ``ValueError`` when no clip has a caption."""
        sampler = PairSampler(data.train, data.statistics, tokenizer.config.frames_per_token)
        super().__init__("captioner", tokenizer, sampler, data, batch_size, seed, device)
        self.network = network
        self._lamp = lamp.to(device).eval().requires_grad_(False)
        self._words = caption_tokenizer(network, data.vocabulary)

    def batch(self, drawn: MotionBatch) -> tuple[Tensor, Text]:
        """Query outputs and captions of one rank."""
        batch = drawn.rows(distributed.rows_of_rank(len(drawn.lengths)))
        words = caption_words(self.network, self._words, batch.texts, self._device)
        return self._queries(batch), words

    def _queries(self, batch: MotionBatch) -> Tensor:
        latents, _, mask = tokenize(self._tokenizer, batch, self._device)
        return self.network.queries(self._lamp, self._lamp.motion_context(latents, mask))

    def validate(self) -> dict[str, float]:
        """Loss per token, its perplexity, and the share of tokens predicted, over all validation captions."""
        return _figures(self.network, self._validation())

    def _validation(self) -> Iterator[tuple[Tensor, Text]]:
        multiple = self._tokenizer.config.frames_per_token
        for clips in batched(self._val, self._batch_size):
            queries = self._queries(evaluation_batch(clips, self._data.statistics, multiple))
            texts = [text for clip in clips for text in clip.captions]
            owners = [number for number, clip in enumerate(clips) for _ in clip.captions]
            rows = torch.tensor(owners, device=self._device)
            for part in batched(range(len(texts)), self._batch_size):
                some = [texts[k] for k in part]
                words = caption_words(self.network, self._words, some, self._device)
                yield queries[rows[part[0] : part[-1] + 1]], words


def _figures(network: Captioner, batches: Iterator[tuple[Tensor | None, Text]]) -> dict[str, float]:
    total, right, count = 0.0, 0, 0
    for queries, words in batches:
        logits, target = network.teacher_forced_logits(queries, words)
        losses = torch.nn.functional.cross_entropy(
            logits.float(), target, ignore_index=IGNORED, reduction="sum"
        )
        total += float(losses)
        right += int(((logits.argmax(-1) == target) & (target != IGNORED)).sum())
        count += int((target != IGNORED).sum())
    loss = total / count
    return {"loss": loss, "perplexity": float(np.exp(loss)), "word_accuracy": 100 * right / count}
