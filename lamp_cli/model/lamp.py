"""LaMP: one language-motion model, pretrained with four objectives that can each be switched off.

Source: Li et al., "LaMP: Language-Motion Pretraining for Motion Generation, Retrieval, and
Captioning", ICLR 2025, section 3. Works on the frozen tokenizer's latents and codes and on WordPiece
ids; knows no files and no features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .qformer import Context, QFormer, QFormerConfig, SelfAttention, Text
from .transformer import initialise_normal

IGNORED = -100
# Least and greatest temperature of the contrastive loss.
TEMPERATURES = (0.01, 1.0)
# A mean word that is 0.1 off in cosine then costs as much as a nat of another objective.
RETENTION_WEIGHT = 10.0
# Of the size of a trained tokenizer's latents, so that neither drowns the other.
POSITION_AMPLITUDE = 2.0
# Wavelengths from 6 to 600 tokens: a motion has at most 49.
POSITION_BASE = 100.0


@dataclass(frozen=True)
class LampConfig:
    """The Q-Former's sizes, the shared space, and which objectives are trained.

    qformer: sizes of the Q-Former.
    codes: vectors of one codebook of the tokenizer.
    embedding_width: of the space that motions and sentences share.
    initial_temperature: of the contrastive loss; it is learned.
    label_smoothing: share of the probability that is spread over wrong classes.
    contrastive: train motion-text contrastive learning.
    matching: train motion-text matching.
    text_generation: train motion-grounded text generation.
    motion_generation: train text-grounded motion generation.
    matching_share: share of each batch's pairs that matching is trained on; its negatives are costly.
    motion_generation_share: share of each batch's pairs that the generation of motion is trained on.
    codebooks: of the tokenizer; a token has one code of each.
    transformed_text: motion is generated from the text transformer's output, which then learns from it too;
        without, as in the paper's release, from the word embeddings.
    motion_positions: latents carry their position in the motion; without, as in the paper's release, query
        tokens cannot tell the order of what lies further apart than the tokenizer's receptive field.
    """

    qformer: QFormerConfig = field(default_factory=QFormerConfig)
    codes: int = 512
    embedding_width: int = 512
    initial_temperature: float = 0.07
    label_smoothing: float = 0.1
    contrastive: bool = True
    matching: bool = True
    text_generation: bool = True
    motion_generation: bool = True
    matching_share: float = 1.0
    motion_generation_share: float = 1.0
    codebooks: int = 1
    transformed_text: bool = False
    motion_positions: bool = False


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
    """

    latents: Tensor
    motion_mask: Tensor
    codes: Tensor
    text: Text
    captions: Tensor
    clips: Tensor
    paraphrases: tuple[Text, Text] | None = None
    retention_targets: tuple[Tensor, ...] = ()


class Lamp(nn.Module):
    """The Q-Former and the heads of the four objectives."""

    def __init__(self, config: LampConfig, decoder_token: int):
        """``decoder_token`` is the id of [DEC], which begins a sentence to be generated."""
        super().__init__()
        self.config = config
        self.decoder_token = decoder_token
        width = config.qformer.width
        self.qformer = QFormer(config.qformer)
        self.motion_projection = nn.Linear(width, config.embedding_width)
        self.text_projection = nn.Linear(width, config.embedding_width)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature)))
        self.matching_head = nn.Linear(width, 2)
        self.word_transform = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width, eps=1e-12)
        )
        self.word_bias = nn.Parameter(torch.zeros(config.qformer.vocabulary))
        self.text_context = nn.Linear(width, config.qformer.context_width)
        self.code_head = nn.Linear(width, config.codebooks * config.codes)
        self.apply(initialise_normal)

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
        """Unit vectors (B, E) of [CLS]: the text's side of the shared space."""
        return self.project_words(self.qformer.text(text))

    def project_words(self, words: Tensor) -> Tensor:
        """Unit vectors (B, E) of the text transformer's output (B, T, W), by its [CLS]."""
        return F.normalize(self.text_projection(words[:, 0]).float(), dim=-1)

    def matching_logits(self, motion: Context, text: Text) -> Tensor:
        """Logits (B, 2), no match and match, of pairs whose tokens all attend to each other; query mean."""
        queries, _ = self.qformer.both(motion, text, SelfAttention.BIDIRECTIONAL)
        return self.matching_head(queries).float().mean(1)

    def log_likelihood(self, motion: Context, text: Text) -> tuple[Tensor, Tensor]:
        """Query outputs (B, N, W), and the log-probability (B,) of each sentence, its end included.

        It is what motion-grounded text generation trains.
        """
        queries, logits, target = self._teacher_forced_logits(motion, text)
        losses = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return queries, -losses.view(target.shape).sum(1)

    # -- training -------------------------------------------------------------------------------

    def forward(self, pairs: PretrainingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The sum of the objectives that are on, as ``loss``, and each by name."""
        if self.training:
            self._limit_temperature()
        motion = self.motion_context(pairs.latents, pairs.motion_mask)
        losses: dict[str, Tensor] = {}
        queries = None
        texts = (pairs.text, *(pairs.paraphrases or ()))
        words = [self.qformer.text(text) for text in texts]
        if self.config.text_generation:
            # The queries do not attend to the sentence here: they are the motion transformer's outputs.
            queries, losses["text_generation"] = self._text_generation(motion, pairs.text)
        if self.config.contrastive or self.config.matching:
            queries = self.qformer.motion(motion) if queries is None else queries
            motions = distributed.gather(self.project_queries(queries))
            similarities = motion_text_similarity(motions, distributed.gather(self.project_words(words[0])))
            if self.config.contrastive:
                losses["contrastive"] = self._contrastive(similarities)
            if self.config.matching:
                losses["matching"] = self._matching(motion, pairs, similarities.detach(), generator)
        if self.config.motion_generation:
            losses["motion_generation"] = self._motion_generation(pairs, words[0])
        if pairs.paraphrases is not None:
            losses["paraphrase"] = self._paraphrase(words[1], words[2])
        if pairs.retention_targets:
            losses["retention"] = _retention(words, texts, pairs.retention_targets)
        if not losses:
            raise ValueError("every objective is switched off; at least one must be on")
        total = torch.stack(list(losses.values())).sum()
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

    def _contrastive(self, similarities: Tensor) -> Tensor:
        """Motion-text contrastive loss (MTC) of this rank's rows of (RB, RB), mean of both directions."""
        rows = distributed.rows_of_rank(len(similarities))
        target = torch.arange(len(similarities), device=similarities.device)[rows]
        logits = similarities / self.temperature
        smooth = self.config.label_smoothing
        to_text = F.cross_entropy(logits[rows], target, label_smoothing=smooth)
        to_motion = F.cross_entropy(logits.T[rows], target, label_smoothing=smooth)
        return (to_text + to_motion) / 2

    def _paraphrase(self, first: Tensor, second: Tensor) -> Tensor:
        """The contrastive loss between sentences, from their words (B, T, W).

        Not in the paper; it is for corpora whose sentences are more varied than their motions, so that
        wording that no motion has is embedded beside wording that one has.
        """
        return self._contrastive(
            distributed.gather(self.project_words(first)) @ distributed.gather(self.project_words(second)).T
        )

    def _matching(
        self,
        motion: Context,
        pairs: PretrainingBatch,
        similarities: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Motion-text matching loss (MTM): each pair, a hard negative motion and a hard negative text."""
        rows = distributed.rows_of_rank(len(similarities))
        size = math.ceil(self.config.matching_share * len(pairs.clips))
        allowed = negatives_allowed(distributed.gather(pairs.clips), distributed.gather(pairs.captions))
        weights = similarities / self.temperature.detach()
        # Drawn for the batch of all ranks, so that the number of ranks changes nothing.
        wrong_motion, has_motion = draw_hard_negatives(weights.T, allowed.T, generator)
        wrong_text, has_text = draw_hard_negatives(weights, allowed, generator)
        wrong_motion, wrong_text = wrong_motion[rows][:size], wrong_text[rows][:size]
        vectors, mask = motion.vectors[:size], motion.mask[:size]
        own_ids, own_mask = pairs.text.ids[:size], pairs.text.mask[:size]
        latents, motion_mask = _gathered(motion.vectors, motion.mask)
        ids, text_mask = _gathered(pairs.text.ids, pairs.text.mask)
        logits = self.matching_logits(
            Context(
                torch.cat([vectors, latents[wrong_motion], vectors]),
                torch.cat([mask, motion_mask[wrong_motion], mask]),
            ),
            Text(
                torch.cat([own_ids, own_ids, ids[wrong_text]]),
                torch.cat([own_mask, own_mask, text_mask[wrong_text]]),
            ),
        )
        target = torch.cat([torch.ones(size), torch.zeros(2 * size)]).long().to(logits.device)
        has_motion, has_text = has_motion[rows][:size], has_text[rows][:size]
        real = torch.cat([torch.ones_like(has_motion), has_motion, has_text])
        loss = F.cross_entropy(logits, target, reduction="none")
        return distributed.global_mean((loss * real).sum(), real.sum())

    def _text_generation(self, motion: Context, text: Text) -> tuple[Tensor, Tensor]:
        """Motion-grounded text generation loss (MGT); also the queries' outputs."""
        queries, logits, target = self._teacher_forced_logits(motion, text)
        return queries, _smoothed_mean(logits, target, self.config.label_smoothing)

    def _teacher_forced_logits(self, motion: Context, text: Text) -> tuple[Tensor, Tensor, Tensor]:
        """Query outputs (B, N, W), next-word logits (B, T - 1, V) and the next words (B, T - 1)."""
        ids = self._with_decoder_token(text.ids)
        queries, words = self.qformer.both(motion, Text(ids, text.mask), SelfAttention.MULTIMODAL_CAUSAL)
        logits = self.word_logits(words[:, :-1])
        return queries, logits, text.ids[:, 1:].masked_fill(~text.mask[:, 1:], IGNORED)

    def word_logits(self, outputs: Tensor) -> Tensor:
        """Logits over the vocabulary (B, T, V) of text outputs; the weights are the word embeddings'."""
        return F.linear(self.word_transform(outputs), self.qformer.words.weight, self.word_bias).float()

    def _motion_generation(self, pairs: PretrainingBatch, words: Tensor) -> Tensor:
        """Text-grounded motion generation loss (TGM): every query predicts the codes at its position."""
        size = math.ceil(self.config.motion_generation_share * len(pairs.codes))
        text = Text(pairs.text.ids[:size], pairs.text.mask[:size])
        codes, mask = pairs.codes[:size], pairs.motion_mask[:size].repeat_interleave(self.config.codebooks, 1)
        logits = self.code_logits(text, words[:size])[:, : codes.shape[1]]
        return _smoothed_mean(logits, codes.masked_fill(~mask, IGNORED), self.config.label_smoothing)

    def code_logits(self, text: Text, words: Tensor) -> Tensor:
        """Logits (B, N * codebooks, codes) from a sentence and ``words``, the text transformer's output.

        The codes of one query follow each other.
        """
        if not self.config.transformed_text:
            words = self.qformer.embed(self._with_decoder_token(text.ids))
        queries = self.qformer.motion(Context(self.text_context(words), text.mask))
        return self.code_head(queries).float().unflatten(-1, (self.config.codebooks, -1)).flatten(1, 2)

    def _with_decoder_token(self, ids: Tensor) -> Tensor:
        """Ids with [DEC] instead of [CLS]."""
        return torch.cat([torch.full_like(ids[:, :1], self.decoder_token), ids[:, 1:]], 1)


def with_positions(motion: Context) -> Context:
    """A motion's vectors with the encoding of their positions added."""
    positions = POSITION_AMPLITUDE * sinusoids(*motion.vectors.shape[1:])
    return Context(motion.vectors + positions.to(motion.vectors), motion.mask)


def sinusoids(length: int, width: int) -> Tensor:
    """Position encoding (length, width) by sines and cosines, ``width`` even (Vaswani et al. 2017, 3.5)."""
    rates = POSITION_BASE ** -(torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _retention(words: Sequence[Tensor], texts: Sequence[Text], targets: Sequence[Tensor]) -> Tensor:
    """Distance of the text transformer from the encoder it was initialised from: 1 - cosine of mean words.

    Not in the paper. On a corpus of few words the transformer would soon forget all others, and with them
    the wordings that a user may choose.
    """
    means = torch.cat([mean_word(each, text.mask) for each, text in zip(words, texts, strict=True)])
    cosine = F.cosine_similarity(means.float(), torch.cat([*targets]).float(), dim=-1)
    return RETENTION_WEIGHT * (1 - cosine).mean()


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
    uniform = torch.rand(scores.shape, generator=generator).clamp_min(1e-20).to(scores.device)
    drawn = (scores - (-uniform.log()).log()).masked_fill(~allowed, -torch.inf).argmax(1)
    return drawn, exists.float()


def _gathered(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return distributed.gather(values), distributed.gather(mask)


def _smoothed_mean(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy averaged over the real positions of all ranks."""
    total = F.cross_entropy(
        logits.flatten(0, 1),
        target.flatten(),
        ignore_index=IGNORED,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return distributed.global_mean(total, (target != IGNORED).sum())
