"""LaMP pretraining: pairs of motion and sentence in, retrieval on the validation clips out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ...data.batches import MotionBatch, PairSampler, ParaphraseSampler
from ...data.layout import Clip
from ...inference.embed import encode_text, tokenize
from ...language.events import in_another_order, in_two_orders
from ...model import distributed
from ...model.devices import on_device
from ...model.lamp import Lamp, Orders, PretrainingBatch, mean_word, motion_text_similarity
from ...model.qformer import QFormer, Text
from ...model.tokenizer import MotionTokenizer
from ...motion.clip_length import LONGEST_CLIP
from .pairs import PairData, PairStage, means_of


@dataclass(frozen=True)
class PairDraw:
    """Motions with their sentences, and what else is drawn for a step.

    paraphrases: two lists of sentences that say the same, one by one.
    orders: by row of the motion, its sentence with the events in their order and in another.
    """

    pairs: MotionBatch
    paraphrases: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    orders: Mapping[int, tuple[str, str]] = field(default_factory=dict)


class LampStage(PairStage):
    """Batches and validation for ``training.train``."""

    name = "lamp"

    def __init__(
        self,
        network: Lamp,
        tokenizer: MotionTokenizer,
        data: PairData,
        batch_size: int,
        seed: int,
        device: torch.device,
        text_encoder: QFormer | None = None,
    ):
        """``tokenizer`` is frozen, and so is the ``text_encoder`` whose knowledge of words is to be kept.

        Raises ``ValueError`` when no clip has a caption.
        """
        sampler = PairSampler(
            data.train,
            data.statistics,
            tokenizer.config.frames_per_token,
            reworded_share=data.reworded_share,
            misspelt_share=data.misspelt_share,
        )
        super().__init__("LaMP model", tokenizer, sampler, data, batch_size, seed, device)
        self.network = network
        self._text_encoder = text_encoder if network.config.trains("retention") else None
        if self._text_encoder is not None:
            self._text_encoder.to(device).eval().requires_grad_(False)
        rephrases = bool(data.paraphrases) and network.config.trains("paraphrase")
        self._paraphrases = ParaphraseSampler(data.paraphrases) if rephrases else None

    def draw(self, step: int) -> PairDraw:
        """Pairs and paraphrases of all ranks."""
        drawn = PairDraw(super().draw(step))
        if self._paraphrases is not None:
            paraphrases = self._paraphrases.batch(self._seed, step, self._batch_size)
            drawn = replace(drawn, paraphrases=paraphrases)
        if self.network.config.trains("order"):
            rng = np.random.default_rng([self._seed, 9, step])
            clips = [self._sampler.clip(int(number)) for number in drawn.pairs.clip_numbers]
            orders = sentences_in_two_orders(drawn.pairs.texts, rng) | parts_in_two_orders(clips, rng)
            drawn = replace(drawn, orders=orders)
        return drawn

    def batch(self, drawn: PairDraw) -> tuple[PretrainingBatch]:
        """The pairs of one rank."""
        pairs = self._share(self._pairs(drawn.pairs))
        if drawn.paraphrases is not None:
            first, second = (self._share_of_text(self._encoded(texts)) for texts in drawn.paraphrases)
            pairs = replace(pairs, paraphrases=(first, second))
        if drawn.orders:
            size = len(drawn.pairs.texts)
            rows = range(size)[distributed.rows_of_rank(size)]
            pairs = replace(pairs, orders=self._orders(drawn.orders, rows))
        if self._text_encoder is not None:
            texts = (pairs.text, *(pairs.paraphrases or ()))
            with torch.no_grad():
                kept = tuple(mean_word(self._text_encoder.text(text), text.mask) for text in texts)
            pairs = replace(pairs, retention_targets=kept)
        return (pairs,)

    def _pairs(self, batch: MotionBatch) -> PretrainingBatch:
        latents, codes, mask = tokenize(self._tokenizer, batch, self._device)
        text = self._encoded(batch.texts)
        sentences = np.unique(np.array(batch.texts), return_inverse=True)[1]
        numbers = (torch.from_numpy(np.asarray(each)) for each in (sentences, batch.clip_numbers))
        captions, clips = (on_device(each, self._device) for each in numbers)
        return PretrainingBatch(latents, mask, codes, text, captions, clips)

    def _orders(self, orders: Mapping[int, tuple[str, str]], rows: range) -> Orders:
        """Those of the motions ``rows``, counted from the first of them; may be none."""
        own = {row - rows.start: pair for row, pair in orders.items() if row in rows}
        right, wrong = (self._encoded([pair[side] for pair in own.values()]) for side in (0, 1))
        return Orders(on_device(torch.tensor([*own], dtype=torch.long), self._device), right, wrong)

    def _encoded(self, texts: Sequence[str]) -> Text:
        return encode_text(
            self._data.vocabulary, texts, self.network.config.qformer.text_tokens, self._device
        )

    def _share(self, pairs: PretrainingBatch) -> PretrainingBatch:
        rows = distributed.rows_of_rank(len(pairs.clips))
        motion = pairs.latents[rows], pairs.motion_mask[rows], pairs.codes[rows]
        return PretrainingBatch(
            *motion, self._share_of_text(pairs.text), pairs.captions[rows], pairs.clips[rows]
        )

    def _share_of_text(self, text: Text) -> Text:
        rows = distributed.rows_of_rank(len(text.ids))
        return Text(text.ids[rows], text.mask[rows])

    def validate(self) -> dict[str, float]:
        """Retrieval in both directions over the whole validation split, and its mean losses.

        R@1, 5 and 10, their mean and their sum, the mean reciprocal rank, and the share of the motions of
        several events that are nearer to their sentence than to one in another order, in percent.
        """
        motions, texts, losses, sizes, ordered = [], [], [], [], []
        for batch in self._validation_batches():
            pairs = self._pairs(batch)
            context = self.network.motion_context(pairs.latents, pairs.motion_mask)
            motions.append(self.network.embed_motion(context))
            orders = sentences_in_two_orders(batch.texts, np.random.default_rng(self._seed))
            if orders:
                similarities = self.network.order_similarities(
                    motions[-1], self._orders(orders, range(len(batch.texts)))
                )
                ordered.append(similarities[:, 0] > similarities[:, 1])
            texts.append(self.network.embed_text(pairs.text))
            losses.append(self.network(pairs, torch.Generator().manual_seed(self._seed)))
            sizes.append(len(pairs.clips))
        scores = motion_text_similarity(torch.cat(motions), torch.cat(texts))
        sentences = [clip.captions[0] for clip in self._val]
        equal = torch.from_numpy(np.unique(sentences, return_inverse=True)[1]).to(scores.device)
        figures = recalls("text_to_motion", scores.T, equal) | recalls("motion_to_text", scores, equal)
        summed = float(sum(figures.values()))
        of_recalls = {"mean_recall": summed / len(figures), **figures, "r_sum": summed}
        reciprocal = (1 / (1 + wrong_before_right(each, equal)) for each in (scores.T, scores))
        if ordered:
            of_recalls["order_accuracy"] = 100 * float(torch.cat(ordered).float().mean())
        return {**of_recalls, "mrr": 100 * float(torch.cat([*reciprocal]).mean()), **means_of(losses, sizes)}


def sentences_in_two_orders(texts: Sequence[str], rng: np.random.Generator) -> dict[int, tuple[str, str]]:
    """By number, the sentences that tell of several events: in their order, and in another that is drawn."""
    found = ((number, in_another_order(text, rng)) for number, text in enumerate(texts))
    return {number: pair for number, pair in found if pair is not None}


def parts_in_two_orders(clips: Sequence[Clip], rng: np.random.Generator) -> dict[int, tuple[str, str]]:
    """By number, clips with sentences about several parts that follow each other: one of each part, linked.

    In their order, and in another that is drawn. Clips too long to be seen whole are left out.
    """
    found = {}
    for number, clip in enumerate(clips):
        if len(clip.features) > LONGEST_CLIP or len(spans := _following_parts(clip)) < 2:
            continue
        texts = [several[rng.integers(len(several))] for several in spans]
        found[number] = in_two_orders([text.strip(" .").lower() for text in texts], rng)
    return found


def _following_parts(clip: Clip) -> list[list[str]]:
    """The sentences about each part, in the parts' order; none where parts overlap."""
    spans: dict[tuple[int, int], list[str]] = {}
    for part in clip.parts:
        spans.setdefault((part.start, part.end), []).append(part.text)
    ordered = sorted(spans)
    overlap = any(end > begin for (_, end), (begin, _) in pairwise(ordered))
    return [] if overlap else [spans[span] for span in ordered]


def recalls(direction: str, scores: Tensor, captions: Tensor) -> dict[str, float]:
    """R@K in percent of square ``scores`` (B, B), queries by rows; equal sentences are all right."""
    rank = wrong_before_right(scores, captions)
    return {f"{direction}_r{k}": 100 * float((rank < k).float().mean()) for k in (1, 5, 10)}


def wrong_before_right(scores: Tensor, captions: Tensor) -> Tensor:
    """How many wrong ones are before the best right one of every query (B,), as :func:`recalls` has them."""
    right = captions[:, None] == captions[None]
    best_right = scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    return ((scores > best_right) & ~right).sum(1)
