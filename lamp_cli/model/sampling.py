"""How the generator draws codes: rounds of masked decoding, with classifier-free guidance.

Source: Chang et al. 2022 (MaskGIT) and Guo et al. 2024 (MoMask). Works on codes and condition vectors; knows
no text and no motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .generator import Condition, KeysValues, MaskedGenerator, checked_lengths, masked_share
from .known_codes import UNKNOWN
from .transformer import length_mask


@dataclass(frozen=True)
class SamplingOptions:
    """How codes are drawn.

    steps: rounds of masked decoding.
    guidance: scale of classifier-free guidance; None is the generator's own.
    temperature: of the draw; 0 takes the most probable code.
    top_fraction: share of a codebook, its most probable codes, that is drawn from (top-k, as a share).

    Raises ``ValueError`` for an option out of its range, NaN and infinity among them.
    """

    steps: int = 10
    guidance: float | None = None
    temperature: float = 1.0
    top_fraction: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps: expected at least 1 round, found {self.steps}")
        if self.guidance is not None and not math.isfinite(self.guidance):
            raise ValueError(f"guidance: expected a finite number, found {self.guidance}")
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature: expected a finite number from 0, found {self.temperature}")
        if not 0 < self.top_fraction <= 1:
            raise ValueError(f"top_fraction: expected a share above 0, at most 1, found {self.top_fraction}")


@torch.no_grad()
def sample(
    model: MaskedGenerator,
    condition: Condition,
    lengths: Tensor,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
    condition_of_sample: Tensor | None = None,
    known: Tensor | None = None,
) -> Tensor:
    """Codes (B, N) of ``lengths`` (B,) tokens; beyond a clip's length they mean nothing.

    ``condition_of_sample`` (B,) are row numbers of ``condition``, so that several samples can share one,
    which is then computed once; None: sample i has row i. ``known`` (B, K) are a motion's first K codes with
    ``UNKNOWN`` where one is to be drawn, as are all after them: the known ones are never masked, the
    ``lengths`` count their tokens too, and the rounds are about the others.

    Every round masks the least confident codes by the cosine schedule, all of them in the first
    and at least one in the last, and draws them again; a code that was once kept stays. Of several quantizers
    no code of a finer one is kept before all of a coarser one are. Each sample
    draws from its own CPU generator, so its neighbours in the batch do not change it. The model must
    be in evaluation mode. Raises ``ValueError`` for a length outside 1..``max_tokens``, a condition
    that is not finite, known codes that leave none to draw, or when conditions, lengths and generators differ
    in number.
    """
    if condition_of_sample is None:
        condition_of_sample = torch.arange(len(condition.vectors))
    size = len(condition_of_sample)
    if not size == len(lengths) == len(generators):
        found = f"{size} conditions, {len(lengths)} lengths and {len(generators)} generators"
        raise ValueError(f"expected one length and one generator for each condition, found {found}")
    if not condition.vectors.isfinite().all():
        raise ValueError("the condition: expected finite numbers, found NaN or infinity")
    own = checked_lengths(lengths, size, model.config.max_tokens) * model.config.codebooks
    device, length = condition.vectors.device, int(own.max())
    codes = own.to(device)
    real = length_mask(codes, length)
    tokens = torch.full((size, length), model.mask_token, device=device)
    confidence = torch.zeros(size, length, device=device).masked_fill(~real, torch.inf)
    fineness = model.config.fineness(length).to(device)
    to_draw = codes
    if known is not None:
        # As long as the codes: what is beyond them is left out, what is missing unknown.
        known = F.pad(known[:, :length], (0, max(0, length - known.shape[1])), value=UNKNOWN)
        known = known.to(device).masked_fill(~real, UNKNOWN)
        is_known = known != UNKNOWN
        to_draw = codes - is_known.sum(1)
        if not to_draw.all():
            raise ValueError("known: expected fewer codes than a sample has, found all of them")
        tokens = torch.where(is_known, known, tokens)
        # As a code that an earlier round kept: among those to draw again it comes last.
        confidence = confidence.masked_fill(is_known, torch.inf)
    guidance = model.config.guidance if options.guidance is None else options.guidance
    guided = _ClassifierFreeGuidance(
        model, lengths.to(device), condition, condition_of_sample.to(device), guidance, known
    )
    for number, ratio in enumerate(torch.linspace(0, 1, options.steps, device=device)):
        count = (masked_share(ratio) * to_draw).round().clamp(min=1)
        rank = confidence.argsort(stable=True, dim=1).argsort(stable=True, dim=1)
        masked = (rank < count[:, None]) & real
        inputs = tokens.masked_fill(masked, model.mask_token)
        logits = guided(inputs) if number else guided.first_round(inputs)
        noise = _gumbel_noise(own, length, model.config.codes, generators).to(device)
        drawn = _draw_from_top(logits, noise, options)
        probability = logits.softmax(-1).gather(-1, drawn[..., None])[..., 0]
        tokens = torch.where(masked, drawn, tokens)
        confidence = torch.where(masked, probability - fineness, torch.inf)
    return tokens


class _ClassifierFreeGuidance:
    """Guided logits l_u + s (l_c - l_u) of a conditional l_c and an unconditional l_u (Ho and Salimans 2022).

    Both are computed in one batch. A causal generator's keys and values of a condition, and its logits where
    every code is masked, are the same for all samples of a condition and are computed once; so are those of
    known codes before the first that is drawn. Those behind the last one, which does not see them there, are
    left out.
    """

    def __init__(
        self,
        model: MaskedGenerator,
        lengths: Tensor,
        condition: Condition,
        condition_of_sample: Tensor,
        guidance: float,
        known: Tensor | None = None,
    ):
        self._model = model
        self._guidance = None if guidance == 1.0 else guidance
        if self._guidance is not None:
            null = torch.full_like(condition_of_sample, len(condition.vectors))
            condition_of_sample = torch.cat([condition_of_sample, null])
            condition, lengths = condition.with_null(), lengths.repeat(2)
            known = None if known is None else known.repeat(2, 1)
        self._lengths, self._known = lengths, known
        self._condition = condition.rows(condition_of_sample)
        self._rows, size = condition_of_sample, len(condition.vectors)
        own, told = lengths[:1].expand(size), None if known is None else known[:1].expand(size, -1)
        self._one_beginning = known is None or _all_alike(known, lengths)
        if not self._one_beginning:
            # What is known differs from sample to sample, and so does what stands before their codes.
            condition, own, told = self._condition, lengths, known
            self._rows = torch.arange(len(lengths))
        self._first, self._last = 0, int(lengths.max())
        if not model.config.causal:
            return
        self._beginning = model.begin(condition, own, told)
        self._cache, self._mask = model.cache_beginning(self._beginning), self._beginning.mask
        if known is not None and told is not None:
            self._first, self._last = self._drawn(known, lengths)
            before = told[:, : self._first * model.config.codebooks]
            self._cache, self._mask = model.cache_tokens(self._cache, before, own, self._mask)
        self._mask_of_samples = self._mask[self._rows]
        self._cache_of_samples = [(keys[self._rows], values[self._rows]) for keys, values in self._cache]

    def _drawn(self, known: Tensor, lengths: Tensor) -> tuple[int, int]:
        """The first token of which, in any sample, a code is drawn, and the one after the last."""
        codebooks = self._model.config.codebooks
        drawn = (known == UNKNOWN).unflatten(1, (-1, codebooks)).any(2) & length_mask(
            lengths, known.shape[1] // codebooks
        )
        at = drawn.any(0).nonzero()
        return int(at[0]), int(at[-1]) + 1

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits (B, N, codes) for codes (B, N), some of them [MASK]."""
        if self._guidance is not None:
            tokens = tokens.repeat(2, 1)
        if self._model.config.causal:
            logits = self._logits(self._cache_of_samples, tokens, self._lengths, self._mask_of_samples)
        else:
            logits = self._model(tokens, self._lengths, self._condition, self._known)
        return self._combined(logits)

    def first_round(self, tokens: Tensor) -> Tensor:
        """Logits (B, N, codes) for codes (B, N) of which all that are to be drawn are [MASK]."""
        config = self._model.config
        lengths_tell = config.remaining_tokens and self._known is None
        if not config.causal or not self._one_beginning or lengths_tell:
            return self(tokens)
        masked = tokens[:1].expand(len(self._mask), -1)
        # Causal attention sees nothing later, so the logits of the longest motion hold for shorter ones.
        lengths = self._lengths.max().expand(len(masked))
        return self._combined(self._logits(self._cache, masked, lengths, self._mask)[self._rows])

    def _logits(self, cache: list[KeysValues], tokens: Tensor, lengths: Tensor, cached: Tensor) -> Tensor:
        """Logits (B, N, codes) for codes (B, N) by a causal generator; zeros for what it leaves out."""
        codebooks = self._model.config.codebooks
        drawn = slice(self._first * codebooks, self._last * codebooks)
        found = self._model.forward_cached(cache, tokens[:, drawn], lengths, cached, self._first)
        return F.pad(found, (0, 0, drawn.start, tokens.shape[1] - drawn.stop))

    def _combined(self, logits: Tensor) -> Tensor:
        if self._guidance is None:
            return logits
        conditional, unconditional = logits.chunk(2)
        return unconditional + self._guidance * (conditional - unconditional)


def _all_alike(known: Tensor, lengths: Tensor) -> bool:
    """Whether all samples know the same codes (B, N) and are as long (B,)."""
    return bool((known == known[:1]).all() and (lengths == lengths[:1]).all())


def _draw_from_top(logits: Tensor, noise: Tensor, options: SamplingOptions) -> Tensor:
    """Codes (B, N) drawn from the top k of the codebook, by Gumbel-max."""
    k = max(1, math.ceil(options.top_fraction * logits.shape[-1]))
    least = logits.topk(k, dim=-1).values[..., -1:]
    top = logits.masked_fill(logits < least, -torch.inf)
    # Temperature scales the noise rather than dividing the logits, so that 0 means the best code.
    return (top + options.temperature * noise).argmax(-1)


def _gumbel_noise(lengths: Tensor, length: int, codes: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Noise (B, N, codes); a sample draws for its own length only, however long the batch is."""
    noise = torch.zeros(len(generators), length, codes)
    for row, own, generator in zip(noise, lengths.tolist(), generators, strict=True):
        uniform = torch.rand(own, codes, generator=generator).clamp_min(1e-20)
        row[:own] = -(-uniform.log()).log()
    return noise
