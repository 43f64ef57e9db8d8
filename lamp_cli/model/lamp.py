"""LaMP: one language-motion model, pretrained with objectives that each have a weight; the paper has four.

Source: Li et al., "LaMP: Language-Motion Pretraining for Motion Generation, Retrieval, and
Captioning", ICLR 2025, section 3. Works on the frozen tokenizer's latents and codes and on WordPiece
ids; knows no files and no features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .cross_entropy import IGNORED, summed_cross_entropy
from .devices import on_device
from .qformer import Attention, Context, QFormer, QFormerConfig, SelfAttention, Text
from .transformer import Packing, initialise_normal

# Least and greatest temperature of the contrastive loss.
TEMPERATURES = (0.01, 1.0)
# The four objectives of the paper, which sums them.
PAPER_WEIGHTS = {"contrastive": 1.0, "matching": 1.0, "text_generation": 1.0, "motion_generation": 1.0}
# Of the size of a trained tokenizer's latents, so that neither drowns the other.
POSITION_AMPLITUDE = 2.0
# Wavelengths from 6 to 600 tokens: a motion has at most 49.
POSITION_BASE = 100.0


@dataclass(frozen=True)
class LampConfig:
    """The Q-Former's sizes, the shared space, and what is trained; the defaults are the paper's.

    qformer: sizes of the Q-Former.
    codes: vectors of one codebook of the tokenizer.
    embedding_width: of the space that motions and sentences share.
    initial_temperature: of the contrastive loss; it is learned.
    label_smoothing: share of the probability that is spread over wrong classes.
    weights: of the objectives in the loss, by their names in ``OBJECTIVES``; one at 0 or not named is off.
    matching_share: share of each batch's pairs that matching is trained on; its negatives are costly.
    motion_generation_share: share of each batch's pairs that the generation of motion is trained on.
    codebooks: of the tokenizer; a token has one code of each.
    transformed_text: motion is generated from the text transformer's output, which then learns from it too;
        without, as in the paper's release, from the word embeddings.
    motion_positions: latents carry their position in the motion; without, as in the paper's release, query
        tokens cannot tell the order of what lies further apart than the tokenizer's receptive field.
    text_attention: a sentence's place in the shared space is read from all its words by one more attention;
        without, as in the paper, from [CLS] alone, which hardly tells the order of events.
    equal_sentences_match: motions of one sentence are no negatives of each other in the contrastive loss; in
        the paper they are.
    learns_text: the text transformer is trained; without, a generator that was trained on its words goes on
        reading them as before.

    Raises ``ValueError`` for a weight that is negative or not finite.
    """

    qformer: QFormerConfig = field(default_factory=QFormerConfig)
    codes: int = 512
    embedding_width: int = 512
    initial_temperature: float = 0.07
    label_smoothing: float = 0.1
    weights: dict[str, float] = field(default_factory=PAPER_WEIGHTS.copy)
    matching_share: float = 1.0
    motion_generation_share: float = 1.0
    codebooks: int = 1
    transformed_text: bool = False
    motion_positions: bool = False
    text_attention: bool = False
    equal_sentences_match: bool = False
    learns_text: bool = True

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"weights.{name}: expected a finite number from 0, found {weight}")

    def trains(self, objective: str) -> bool:
        """Whether an objective has a weight."""
        return self.weights.get(objective, 0.0) > 0


@dataclass(frozen=True)
class PretrainingBatch:
    """A batch for pretraining.

    latents: of the frozen tokenizer, (B, L, C).
    motion_mask: (B, L), True on real tokens.
    codes: of the frozen tokenizer, (B, L * codebooks).
    text: ids from [CLS] to [SEP], one sentence a motion.
    captions: a number (B,) for every distinct sentence; a hard negative shares none with its anchor.
    clips: a number (B,) for every distinct clip; a hard negative shares none with its anchor.
    paraphrases: sentences without a motion; row i of the first says the same as row i of the second.
    retention_targets: the pretrained text encoder's mean words (B, W) of ``text`` and of the paraphrases.
    orders: of motions whose sentences tell of several events, the sentence and one with the events in another
        order; None without any.
    """

    latents: Tensor
    motion_mask: Tensor
    codes: Tensor
    text: Text
    captions: Tensor
    clips: Tensor
    paraphrases: tuple[Text, Text] | None = None
    retention_targets: tuple[Tensor, ...] = ()
    orders: Orders | None = None


@dataclass(frozen=True)
class Orders:
    """K sentences with their events in order and in another one, and the ``rows`` (K,) of their motions."""

    rows: Tensor
    right: Text
    wrong: Text


class Lamp(nn.Module):
    """The Q-Former and the heads of the objectives."""

    def __init__(self, config: LampConfig, decoder_token: int):
        """``decoder_token`` is the id of [DEC], which begins a sentence to be generated."""
        super().__init__()
        self.config = config
        self.decoder_token = decoder_token
        width = config.qformer.width
        self.qformer = QFormer(config.qformer)
        self.motion_projection = nn.Linear(width, config.embedding_width)
        self.text_projection = nn.Linear(width, config.embedding_width)
        if config.text_attention:
            sizes = config.qformer
            self.text_attention = Attention(width, width, sizes.heads, sizes.dropout)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature)))
        self.matching_head = nn.Linear(width, 2)
        self.word_transform = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width, eps=1e-12)
        )
        self.word_bias = nn.Parameter(torch.zeros(config.qformer.vocabulary))
        self.text_context = nn.Linear(width, config.qformer.context_width)
        # Drawn in any case: without an objective the other weights begin as with it.
        code_head = nn.Linear(width, config.codebooks * config.codes)
        self.code_head = code_head if config.trains("motion_generation") else None
        self.apply(initialise_normal)
        for parameter in self.qformer.text_parameters():
            parameter.requires_grad_(config.learns_text)

    # -- features -------------------------------------------------------------------------------

    def motion_context(self, latents: Tensor, mask: Tensor) -> Context:
        """What the query tokens cross-attend to: latents (B, L, C), ``mask`` (B, L) True on real ones."""
        motion = Context(latents, mask)
        return with_positions(motion) if self.config.motion_positions else motion

    def embed_motion(self, motion: Context) -> Tensor:
        """Unit vectors (B, N, E) of the query tokens: the motion's side of the shared space."""
        return self.project_queries(self.qformer.motion(motion))

    def project_queries(self, queries: Tensor) -> Tensor:
        """Unit vectors (B, N, E) of query outputs (B, N, W)."""
        return F.normalize(self.motion_projection(queries).float(), dim=-1)

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors (B, E) of sentences: the text's side of the shared space."""
        return self.project_words(self.qformer.text(text), text.mask)

    def project_words(self, words: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors (B, E) of the text transformer's output (B, T, W) and the sentences' masks (B, T)."""
        sentence = words[:, :1]
        if self.config.text_attention:
            sentence = self.text_attention(sentence, words, mask[:, None, None, :])
        return F.normalize(self.text_projection(sentence[:, 0]).float(), dim=-1)

    def matching_logits(self, motion: Context, text: Text) -> Tensor:
        """Logits (B, 2), no match and match, of pairs whose tokens all attend to each other; query mean."""
        queries = self.qformer.motion_beside(motion, text)
        return self.matching_head(queries).float().mean(1)

    def log_likelihood(self, motion: Context, text: Text) -> tuple[Tensor, Tensor]:
        """Query outputs (B, N, W), and the log-probability (B,) of each sentence, its end included.

        It is what motion-grounded text generation trains.
        """
        queries, logits, target = self.teacher_forced_logits(motion, text)
        losses = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return queries, -losses.view(target.shape).sum(1)

    def order_similarities(self, motions: Tensor, orders: Orders) -> Tensor:
        """Cosines (K, 2) of motions with their sentences and with the same events in another order.

        ``motions`` (B, N, E) are unit vectors of query tokens.
        """
        sentences = torch.stack([self.embed_text(text) for text in (orders.right, orders.wrong)], 1)
        return torch.einsum("kne,kce->kcn", motions[orders.rows], sentences).amax(-1)

    # -- training -------------------------------------------------------------------------------

    def forward(self, pairs: PretrainingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The weighted sum of the objectives that are on, as ``loss``, and each by name, unweighted."""
        if self.training:
            self._limit_temperature()
        step = PretrainingStep(self, pairs, generator)
        losses = {
            name: loss
            for name, objective in OBJECTIVES.items()
            if self.config.trains(name) and (loss := objective(step)) is not None
        }
        if not losses:
            raise ValueError("every objective is switched off; at least one must be on")
        total = torch.stack([self.config.weights[name] * loss for name, loss in losses.items()]).sum()
        named = {name: value.detach() for name, value in losses.items()}
        return {"loss": total, **named, "temperature": self.temperature.detach()}

    @property
    def temperature(self) -> Tensor:
        """The contrastive temperature."""
        return self.log_temperature.exp()

    @torch.no_grad()
    def _limit_temperature(self) -> None:
        """Clamp the temperature to its range (ALBEF, Li et al. 2021).

        The parameter itself: a clamp within the loss has no gradient that would lead back into the range.
        """
        self.log_temperature.clamp_(*(math.log(limit) for limit in TEMPERATURES))

    def contrastive(self, similarities: Tensor, negatives: Tensor | None = None) -> Tensor:
        """Contrastive loss (MTC) of this rank's rows of similarities (RB, RB), mean of both directions.

        ``negatives`` (RB, RB), symmetric, is True on the pairs to be told apart; without it all are.
        """
        rows = distributed.rows_of_rank(len(similarities))
        target = torch.arange(len(similarities), device=similarities.device)
        own = target[rows, None] == target
        allowed = torch.ones_like(own) if negatives is None else negatives[rows] | own
        smooth, losses = self.config.label_smoothing, []
        for direction in (similarities, similarities.T):
            logits = (direction[rows] / self.temperature).masked_fill(~allowed, -torch.inf)
            surprise = -logits.log_softmax(1).masked_fill(~allowed, 0.0)
            right = surprise.gather(1, target[rows, None])[:, 0]
            losses.append((1 - smooth) * right + smooth * surprise.sum(1) / allowed.sum(1))
        return torch.cat(losses).mean()

    def teacher_forced_logits(self, motion: Context, text: Text) -> tuple[Tensor, Tensor, Tensor]:
        """Query outputs (B, N, W), next-word logits (B, T - 1, V) and the next words (B, T - 1)."""
        queries, words, target = self.teacher_forced(motion, text)
        return queries, self.word_logits(words), target

    def teacher_forced(self, motion: Context, text: Text) -> tuple[Tensor, Tensor, Tensor]:
        """Query outputs (B, N, W), text outputs (B, T - 1, W) and the next words (B, T - 1)."""
        ids = self._with_decoder_token(text.ids)
        queries, words = self.qformer.both(motion, Text(ids, text.mask), SelfAttention.MULTIMODAL_CAUSAL)
        return queries, words[:, :-1], text.ids[:, 1:].masked_fill(~text.mask[:, 1:], IGNORED)

    def word_logits(self, outputs: Tensor) -> Tensor:
        """Logits over the vocabulary (..., V) of text outputs (..., W); the weights are the words' own."""
        return self.word_products(outputs).float()

    def word_products(self, outputs: Tensor) -> Tensor:
        """:meth:`word_logits` in the precision of matrix products."""
        return F.linear(self.word_transform(outputs), self.qformer.words.weight, self.word_bias)

    def code_logits(self, text: Text, words: Tensor) -> Tensor:
        """Logits (B, N * codebooks, codes) from a sentence and ``words``, the text transformer's output.

        The codes of one query follow each other. Of an objective without a weight there is no head.
        """
        assert self.code_head is not None
        if not self.config.transformed_text:
            words = self.qformer.embed(self._with_decoder_token(text.ids))
        queries = self.qformer.motion(Context(self.text_context(words), text.mask))
        return self.code_head(queries).float().unflatten(-1, (self.config.codebooks, -1)).flatten(1, 2)

    def _with_decoder_token(self, ids: Tensor) -> Tensor:
        """Ids with [DEC] instead of [CLS]."""
        return torch.cat([torch.full_like(ids[:, :1], self.decoder_token), ids[:, 1:]], 1)


class PretrainingStep:
    """What the objectives compute of one batch and share: each is computed when the first of them asks.

    lamp: the model.
    pairs: the batch.
    generator: of hard negatives and whatever else an objective draws.
    """

    def __init__(self, lamp: Lamp, pairs: PretrainingBatch, generator: torch.Generator):
        self.lamp, self.pairs, self.generator = lamp, pairs, generator

    @cached_property
    def motion(self) -> Context:
        """What the query tokens cross-attend to."""
        return self.lamp.motion_context(self.pairs.latents, self.pairs.motion_mask)

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """The sentences of the motions and, where there are any, the two lists of paraphrases."""
        return (self.pairs.text, *(self.pairs.paraphrases or ()))

    @cached_property
    def words(self) -> list[Tensor]:
        """The text transformer's output (B, T, W) of ``texts``."""
        return [self.lamp.qformer.text(text) for text in self.texts]

    @cached_property
    def teacher_forced(self) -> tuple[Tensor, Tensor, Tensor]:
        """Query outputs (B, N, W), text outputs (B, T - 1, W) and the next words (B, T - 1)."""
        return self.lamp.teacher_forced(self.motion, self.pairs.text)

    @cached_property
    def queries(self) -> Tensor:
        """The motion transformer's query outputs (B, N, W)."""
        if self.lamp.config.trains("text_generation"):
            # The queries do not attend to the sentence there: they are the motion transformer's outputs.
            return self.teacher_forced[0]
        return self.lamp.qformer.motion(self.motion)

    @cached_property
    def similarities(self) -> Tensor:
        """Cosines (RB, RB) of the motions and the sentences of all ranks."""
        motions = distributed.gather(self.lamp.project_queries(self.queries))
        return motion_text_similarity(motions, distributed.gather(self.sentences[0]))

    @cached_property
    def sentences(self) -> list[Tensor]:
        """Unit vectors (B, E) of ``texts``."""
        pairs = zip(self.words, self.texts, strict=True)
        return [self.lamp.project_words(words, text.mask) for words, text in pairs]


# A loss of the batch; None where the batch has nothing for it.
Objective = Callable[[PretrainingStep], Tensor | None]


def _contrastive(step: PretrainingStep) -> Tensor:
    """Motion-text contrastive learning (MTC)."""
    if not step.lamp.config.equal_sentences_match:
        return step.lamp.contrastive(step.similarities)
    captions = distributed.gather(step.pairs.captions)
    return step.lamp.contrastive(step.similarities, captions[:, None] != captions[None])


def _matching(step: PretrainingStep) -> Tensor:
    """Motion-text matching (MTM): each pair, a hard negative motion and a hard negative text."""
    lamp, motion, pairs, similarities = step.lamp, step.motion, step.pairs, step.similarities.detach()
    rows = distributed.rows_of_rank(len(similarities))
    size = math.ceil(lamp.config.matching_share * len(pairs.clips))
    allowed = negatives_allowed(distributed.gather(pairs.clips), distributed.gather(pairs.captions))
    weights = similarities / lamp.temperature.detach()
    # Drawn for the batch of all ranks, so that the number of ranks changes nothing.
    wrong_motion, has_motion = draw_hard_negatives(weights.T, allowed.T, step.generator)
    wrong_text, has_text = draw_hard_negatives(weights, allowed, step.generator)
    wrong_motion, wrong_text = wrong_motion[rows][:size], wrong_text[rows][:size]
    vectors, mask = motion.vectors[:size], motion.mask[:size]
    own_ids, own_mask = pairs.text.ids[:size], pairs.text.mask[:size]
    latents, motion_mask = _gathered(motion.vectors, motion.mask)
    ids, text_mask = _gathered(pairs.text.ids, pairs.text.mask)
    logits = lamp.matching_logits(
        Context(
            torch.cat([vectors, latents[wrong_motion], vectors]),
            torch.cat([mask, motion_mask[wrong_motion], mask]),
        ),
        Text(
            torch.cat([own_ids, own_ids, ids[wrong_text]]),
            torch.cat([own_mask, own_mask, text_mask[wrong_text]]),
        ),
    )
    target = (torch.arange(3 * size, device=logits.device) < size).long()
    has_motion, has_text = has_motion[rows][:size], has_text[rows][:size]
    real = torch.cat([torch.ones_like(has_motion), has_motion, has_text])
    loss = F.cross_entropy(logits, target, reduction="none")
    return distributed.global_mean((loss * real).sum(), real.sum())


def _text_generation(step: PretrainingStep) -> Tensor:
    """Motion-grounded text generation (MGT)."""
    _, words, target = step.teacher_forced
    # A vocabulary is wide: its logits are computed where there is a word to predict.
    packing = Packing(target != IGNORED)
    logits, target = step.lamp.word_products(packing.pack(words)), packing.pack(target[..., None])
    return _smoothed_mean(logits, target, step.lamp.config.label_smoothing)


def _motion_generation(step: PretrainingStep) -> Tensor:
    """Text-grounded motion generation (TGM): every query predicts the codes at its position."""
    lamp, pairs = step.lamp, step.pairs
    size = math.ceil(lamp.config.motion_generation_share * len(pairs.codes))
    text = Text(pairs.text.ids[:size], pairs.text.mask[:size])
    codes, mask = pairs.codes[:size], pairs.motion_mask[:size].repeat_interleave(lamp.config.codebooks, 1)
    logits = lamp.code_logits(text, step.words[0][:size])[:, : codes.shape[1]]
    return _smoothed_mean(logits, codes.masked_fill(~mask, IGNORED), lamp.config.label_smoothing)


def _paraphrase(step: PretrainingStep) -> Tensor | None:
    """The contrastive loss between sentences that say the same.

    Not in the paper; it is for corpora whose sentences are more varied than their motions, so that
    wording that no motion has is embedded beside wording that one has.
    """
    if step.pairs.paraphrases is None:
        return None
    first, second = (distributed.gather(sentences) for sentences in step.sentences[1:])
    return step.lamp.contrastive(first @ second.T)


def _retention(step: PretrainingStep) -> Tensor | None:
    """Distance of the text transformer from the encoder it was initialised from: 1 - cosine of mean words.

    Not in the paper. On a corpus of few words the transformer would soon forget all others, and with them
    the wordings that a user may choose.
    """
    if not step.pairs.retention_targets:
        return None
    means = [mean_word(words, text.mask) for words, text in zip(step.words, step.texts, strict=True)]
    targets = torch.cat([*step.pairs.retention_targets])
    return (1 - F.cosine_similarity(torch.cat(means).float(), targets.float(), dim=-1)).mean()


def _order(step: PretrainingStep) -> Tensor | None:
    """Cross-entropy of each motion's choice between its sentence and the same events in another order.

    Not in the paper; Fujiwara et al. (ECCV 2024) train with such negatives. In a batch of other motions'
    sentences there is hardly one with the same events.
    """
    orders = step.pairs.orders
    if orders is None:
        return None
    similarities = step.lamp.order_similarities(step.lamp.project_queries(step.queries), orders)
    target = torch.zeros(len(similarities), dtype=torch.long, device=similarities.device)
    loss = F.cross_entropy(similarities / step.lamp.temperature, target, reduction="sum")
    return distributed.global_mean(loss, torch.full_like(loss, len(target)))


# What LaMP can be trained with, by name. A further objective needs its entry here and a weight.
OBJECTIVES: dict[str, Objective] = {
    "contrastive": _contrastive,
    "matching": _matching,
    "text_generation": _text_generation,
    "motion_generation": _motion_generation,
    "paraphrase": _paraphrase,
    "retention": _retention,
    "order": _order,
}


def with_positions(motion: Context) -> Context:
    """A motion's vectors with the encoding of their positions added."""
    positions = POSITION_AMPLITUDE * sinusoids(*motion.vectors.shape[1:])
    positions = on_device(positions, motion.vectors.device).to(motion.vectors.dtype)
    return Context(motion.vectors + positions, motion.mask)


def sinusoids(length: int, width: int) -> Tensor:
    """Position encoding (length, width) by sines and cosines, ``width`` even (Vaswani et al. 2017, 3.5)."""
    rates = POSITION_BASE ** -(torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def mean_word(words: Tensor, mask: Tensor) -> Tensor:
    """The mean (B, W) of a sentence's real words, of (B, T, W) with ``mask`` (B, T)."""
    real = mask[..., None].to(words)
    return (words * real).sum(1) / real.sum(1)


def motion_text_similarity(motions: Tensor, texts: Tensor) -> Tensor:
    """Cosine (M, T) of unit motion queries (M, N, E) with unit texts (T, E): that of the best query."""
    return torch.einsum("mne,te->mtn", motions, texts).amax(-1)


def negatives_allowed(clips: Tensor, captions: Tensor) -> Tensor:
    """(B, B), True where motion i and text j are of different clips and of different sentences."""
    return (clips[:, None] != clips[None]) & (captions[:, None] != captions[None])


def draw_hard_negatives(
    weights: Tensor, allowed: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """For every row one column (B,), drawn by the softmax of ``weights`` (B, B) over the allowed columns.

    The second value is 1.0, but 0.0 for rows without any allowed column, whose draw means nothing.
    """
    exists = allowed.any(1)
    scores = weights.float().masked_fill(~allowed, -torch.inf)
    # Gumbel-max on numbers drawn on the CPU: the same draw on every device and rank.
    uniform = on_device(torch.rand(scores.shape, generator=generator).clamp_min(1e-20), scores.device)
    drawn = (scores - (-uniform.log()).log()).masked_fill(~allowed, -torch.inf).argmax(1)
    return drawn, exists.float()


def _gathered(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return distributed.gather(values), distributed.gather(mask)


def _smoothed_mean(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy averaged over the real positions of all ranks."""
    total = summed_cross_entropy(logits.flatten(0, -2), target.flatten(), smoothing)
    return distributed.global_mean(total, (target != IGNORED).sum())
