"""The generator: a masked transformer over motion tokens, with causal attention by default.

Source: Guo et al. 2024 (MoMask) and Chang et al. 2022 (MaskGIT) for masked modelling and decoding;
LaMP section 3 (LaMP-T2M) for the causal attention. Works on codes and condition vectors; knows no
text and no motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .attention import attend


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes (defaults: the paper's); ``causal`` False is the paper's bidirectional ablation.

    With ``word_condition`` the condition is every word of the sentence instead of one vector for all. A token
    has one code of each of the tokenizer's ``codebooks``; they stand side by side, N codes for N / codebooks
    tokens, and are masked and drawn one by one. ``guidance`` is the scale of classifier-free guidance unless
    another is asked for: which is best is a matter of what was learned.

    With ``remaining_tokens`` every token knows how many come after it. Causal attention does not tell, and
    what a sentence asks for should come to its end where the motion does (not in the paper). Raises
    ``ValueError`` for a guidance that is not finite.
    """

    codes: int = 512
    condition_width: int = 768
    width: int = 512
    layers: int = 8
    heads: int = 8
    feed_forward: int = 1024
    max_tokens: int = 49
    dropout: float = 0.2
    condition_dropout: float = 0.1
    causal: bool = True
    word_condition: bool = False
    codebooks: int = 1
    guidance: float = 4.0
    remaining_tokens: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.guidance):
            raise ValueError(f"guidance: expected a finite number, found {self.guidance}")


@dataclass(frozen=True)
class Condition:
    """Vectors (B, C, W) that stand before the codes and ``mask`` (B, C), True on real ones."""

    vectors: Tensor
    mask: Tensor

    @classmethod
    def single(cls, vectors: Tensor) -> Condition:
        """One vector (B, W) for each sequence."""
        return cls(vectors[:, None], torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device))

    def where(self, kept: Tensor) -> Condition:
        """The same in the rows ``kept`` (B,); in the others the null condition, one vector of zeros."""
        kept = kept.to(self.mask.device)[:, None]
        first = torch.arange(self.mask.shape[1], device=self.mask.device) == 0
        return Condition(self.vectors * kept[..., None].to(self.vectors), torch.where(kept, self.mask, first))

    def with_null(self) -> Condition:
        """These rows, then one of the null condition."""
        null = Condition(self.vectors[:1], self.mask[:1]).where(torch.zeros(1, dtype=torch.bool))
        return Condition(torch.cat([self.vectors, null.vectors]), torch.cat([self.mask, null.mask]))

    def rows(self, numbers: Tensor) -> Condition:
        """The rows of these numbers."""
        return Condition(self.vectors[numbers], self.mask[numbers])


@dataclass(frozen=True)
class SamplingOptions:
    """How codes are drawn: rounds, classifier-free guidance, temperature, and the share of codes kept.

    ``guidance`` None is the generator's own. Raises ``ValueError`` for an option out of its range, NaN and
    infinity among them.
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


# Keys and values (B, H, S, D).
Attended = tuple[Tensor, Tensor]


class Packing:
    """Which positions of padded sequences are real, so that nothing is computed for the others.

    All that a transformer does position by position works on the packed ones (P, W); attention alone needs
    them in their sequences (B, S, W).
    """

    def __init__(self, real: Tensor):
        """``real`` (B, S), True where a position is no padding."""
        self._shape = real.shape
        self._places = real.flatten().nonzero().squeeze(1)
        self._full = len(self._places) == real.numel()

    def pack(self, x: Tensor) -> Tensor:
        """(B, S, W) -> (P, W)."""
        flat = x.flatten(0, 1)
        return flat if self._full else flat.index_select(0, self._places)

    def pad(self, packed: Tensor) -> Tensor:
        """(P, W) -> (B, S, W), zeros where nothing is real."""
        if not self._full:
            size = self._shape.numel(), packed.shape[1]
            packed = packed.new_zeros(size).index_copy(0, self._places, packed)
        return packed.unflatten(0, self._shape)


class Block(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)
        self.feed_norm = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, packing: Packing, mask: Tensor, earlier: Attended | None = None
    ) -> tuple[Tensor, Attended]:
        """Packed (P, W), mask (B, 1, S, E + S), True where seen; also the keys and values of ``x``.

        ``earlier`` are keys and values (B, H, E, D) of what stands before ``x``.
        """
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for t in packing.pad(self.query_key_value(self.attention_norm(x))).chunk(3, dim=-1)
        )
        own = k, v
        if earlier is not None:
            k, v = torch.cat([earlier[0], k], 2), torch.cat([earlier[1], v], 2)
        mixed = attend(q, k, v, mask)
        x = x + self.dropout(self.output(packing.pack(mixed.transpose(1, 2).flatten(2))))
        return x + self.dropout(self.down(F.gelu(self.up(self.feed_norm(x))))), own


class MaskedGenerator(nn.Module):
    """Logits for every position of a partly masked sequence of codes."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.mask_token = config.codes
        # Every codebook has its own codes and its own [MASK].
        self.codes = nn.Embedding(config.codebooks * (config.codes + 1), config.width)
        self.condition = nn.Linear(config.condition_width, config.width)
        self.positions = nn.Parameter(torch.randn(1, config.max_tokens + 1, config.width) * 0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.codebooks * config.codes)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(_initialise)
        self.remaining = None
        if config.remaining_tokens:
            # Nothing at first, so that a generator that did not know its length can learn to use it.
            self.remaining = nn.Embedding(config.max_tokens, config.width)
            nn.init.zeros_(self.remaining.weight)

    def forward(self, tokens: Tensor, lengths: Tensor, condition: Condition) -> Tensor:
        """Logits (B, N, codes) for codes (B, N), [MASK] being ``mask_token``.

        ``lengths`` (B,) in tokens. Raises ``ValueError`` for more than ``max_tokens``.
        """
        before, embedded = self._begun(condition), self._embedded(tokens, lengths)
        length = embedded.shape[1]
        packing = Packing(torch.cat([condition.mask, _inside(lengths, length)], 1))
        mask = self._mask(lengths, length, condition.mask)
        x = packing.pack(torch.cat([before, embedded], 1))
        for block in self.blocks:
            x, _ = block(x, packing, mask)
        return self._by_code(self.head(self.norm(packing.pad(x)[:, before.shape[1] :])))

    def read(self, condition: Condition) -> list[Attended]:
        """What every block makes of the condition, for ``after``: causal attention lets it see no code."""
        before, kept, packing = self._begun(condition), [], Packing(condition.mask)
        mask = condition.mask[:, None, None, :].expand(-1, 1, before.shape[1], -1)
        x = packing.pack(before)
        for block in self.blocks:
            x, attended = block(x, packing, mask)
            kept.append(attended)
        return kept

    def after(self, read: list[Attended], tokens: Tensor, lengths: Tensor, condition: Condition) -> Tensor:
        """As ``forward`` of a causal generator, with the condition ``read`` before: it does not change."""
        embedded = self._embedded(tokens, lengths)
        packing = Packing(_inside(lengths, embedded.shape[1]))
        mask = self._mask(lengths, embedded.shape[1], condition.mask)[:, :, condition.mask.shape[1] :]
        x = packing.pack(embedded)
        for block, earlier in zip(self.blocks, read, strict=True):
            x, _ = block(x, packing, mask, earlier)
        return self._by_code(packing.pad(self.head(self.norm(x))))

    def _begun(self, condition: Condition) -> Tensor:
        # Words know their own places: the condition as a whole has one.
        return self.dropout(self.condition(condition.vectors) + self.positions[:, :1])

    def _embedded(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Tokens (B, L, W): the sum of their codes' embeddings, and of their place's."""
        each = tokens.unflatten(1, (-1, self.config.codebooks))
        length = each.shape[1]
        if length > self.config.max_tokens:
            raise ValueError(f"{length} tokens; the generator was made for {self.config.max_tokens}")
        books = (self.config.codes + 1) * torch.arange(self.config.codebooks, device=tokens.device)
        embedded = self.codes(each + books).sum(2) + self.positions[:, 1 : length + 1]
        if self.remaining is not None:
            after = lengths[:, None] - 1 - torch.arange(length, device=lengths.device)
            embedded = embedded + self.remaining(after.clamp(min=0))
        return self.dropout(embedded)

    def _by_code(self, logits: Tensor) -> Tensor:
        """(B, L, codebooks * codes) -> (B, N, codes)."""
        return logits.float().unflatten(-1, (self.config.codebooks, -1)).flatten(1, 2)

    def _mask(self, lengths: Tensor, length: int, condition: Tensor) -> Tensor:
        """Who sees whom (B, 1, C + L, C + L); everyone sees the condition, whose real vectors are given."""
        size = condition.shape[1] + length
        mask = torch.cat([condition, _inside(lengths, length)], 1)[:, None, None, :].expand(-1, 1, size, size)
        if not self.config.causal:
            return mask
        places = torch.arange(size, device=lengths.device)
        return mask & ((places[:, None] >= places) | (places < condition.shape[1]))

    def losses(
        self, tokens: Tensor, lengths: Tensor, condition: Condition, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Masked modelling: ``loss`` and ``accuracy`` on the chosen of codes (B, N).

        ``lengths`` (B,) in tokens.
        """
        inputs, chosen = corrupt(tokens, self.config.codebooks * lengths, self.mask_token, generator)
        kept = torch.rand(len(tokens), generator=generator) >= self.config.condition_dropout
        return generator_loss(self(inputs, lengths, condition.where(kept)), tokens, chosen)


def generator_loss(logits: Tensor, tokens: Tensor, chosen: Tensor) -> dict[str, Tensor]:
    """Cross-entropy ``loss`` and ``accuracy`` over the ``chosen`` (B, N) of all ranks.

    Logits (B, N, codes), true codes (B, N). Every chosen position weighs the same, so longer clips
    weigh more (MaskGIT, equation 1).
    """
    total = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none") * chosen.flatten()
    right = ((logits.argmax(-1) == tokens) & chosen).sum()
    count = chosen.sum()
    return {
        "loss": distributed.global_mean(total.sum(), count),
        "accuracy": distributed.global_mean(right, count),
    }


def masked_share(ratio: Tensor) -> Tensor:
    """The cosine schedule: share of masked tokens at ratio r of the way, cos(pi r / 2)."""
    return torch.cos(ratio * math.pi / 2)


def corrupt(
    tokens: Tensor, lengths: Tensor, mask_token: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Input of masked modelling (B, N) and which of the codes (B, N) are to be predicted.

    A drawn share of each clip's own ``lengths`` (B,) codes is chosen; of those 10 % become random codes, 88 %
    of the rest [MASK] (79.2 %), and the others (10.8 %) stay. Raises ``ValueError`` for a length
    outside 1..N.
    """
    size, length = tokens.shape
    own = _checked_lengths(lengths, size, length)
    share = masked_share(torch.rand(size, generator=generator))
    count = (share * own).round().clamp(min=1)
    order = torch.rand(size, length, generator=generator)
    order[torch.arange(length) >= own[:, None]] = 2.0
    chosen = order.argsort(1).argsort(1) < count[:, None]
    draw = torch.rand(size, length, generator=generator)
    codes = torch.randint(mask_token, (size, length), generator=generator)
    device = tokens.device
    chosen, draw, codes = chosen.to(device), draw.to(device), codes.to(device)
    result = torch.where(chosen & (draw < 0.1), codes, tokens)
    result = torch.where(chosen & (draw >= 0.1) & (draw < 0.1 + 0.9 * 0.88), mask_token, result)
    return result.masked_fill(~_inside(lengths, length), mask_token), chosen


def _inside(lengths: Tensor, length: int) -> Tensor:
    """(B, ``length``), True on the first ``lengths`` (B,) of each row."""
    return torch.arange(length, device=lengths.device) < lengths[:, None]


@torch.no_grad()
def sample(
    model: MaskedGenerator,
    condition: Condition,
    lengths: Tensor,
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
    whose: Tensor | None = None,
) -> Tensor:
    """Codes (B, N) of ``lengths`` (B,) tokens; beyond a clip's length they mean nothing.

    ``whose`` (B,) is the number of each sample's condition, so that many samples of one condition cost its
    reading once; None: every sample has the condition of its own number.

    Every round masks the least confident codes by the cosine schedule, all of them in the first
    and at least one in the last, and draws them anew; a code that was once kept stays. Each sample
    draws from its own CPU generator, so its neighbours in the batch do not change it. The model must
    be in evaluation mode. Raises ``ValueError`` for a length outside 1..``max_tokens``, a condition
    that is not finite, or when conditions, lengths and generators differ in number.
    """
    whose = torch.arange(len(condition.vectors)) if whose is None else whose
    size = len(whose)
    if not size == len(lengths) == len(generators):
        found = f"{size} conditions, {len(lengths)} lengths and {len(generators)} generators"
        raise ValueError(f"expected one length and one generator for each condition, found {found}")
    if not condition.vectors.isfinite().all():
        raise ValueError("the condition: expected finite numbers, found NaN or infinity")
    own = _checked_lengths(lengths, size, model.config.max_tokens) * model.config.codebooks
    device, length = condition.vectors.device, int(own.max())
    codes = own.to(device)
    inside = _inside(codes, length)
    tokens = torch.full((size, length), model.mask_token, device=device)
    confidence = torch.zeros(size, length, device=device).masked_fill(~inside, torch.inf)
    guidance = model.config.guidance if options.guidance is None else options.guidance
    guided = _Guided(model, lengths.to(device), condition, whose.to(device), guidance)
    for number, ratio in enumerate(torch.linspace(0, 1, options.steps, device=device)):
        count = (masked_share(ratio) * codes).round().clamp(min=1)
        places = confidence.argsort(stable=True, dim=1).argsort(stable=True, dim=1)
        hidden = (places < count[:, None]) & inside
        seen = tokens.masked_fill(hidden, model.mask_token)
        logits = guided(seen) if number else guided.at_first(seen)
        noise = _gumbel_noise(own, length, model.config.codes, generators).to(device)
        drawn = _draw(logits, noise, options)
        certainty = logits.softmax(-1).gather(-1, drawn[..., None])[..., 0]
        tokens = torch.where(hidden, drawn, tokens)
        confidence = torch.where(hidden, certainty, torch.inf)
    return tokens


def _checked_lengths(lengths: Tensor, size: int, most: int) -> Tensor:
    """Lengths (B,) on the CPU, where the draws are made."""
    own = lengths.cpu()
    if own.shape != (size,) or not size:
        raise ValueError(f"lengths: expected one for each of {size} clips, found shape {tuple(own.shape)}")
    if not 1 <= int(own.min()) <= int(own.max()) <= most:
        raise ValueError(f"lengths: expected 1 to {most} tokens, found {int(own.min())} to {int(own.max())}")
    return own


class _Guided:
    """Logits of codes (B, N) by classifier-free guidance, l_u + s (l_c - l_u) (Ho and Salimans 2022).

    With and without the condition are computed in one batch. What a causal generator makes of a condition,
    and of codes none of which is known, does not depend on the sample: it is computed once per condition.
    """

    def __init__(
        self, model: MaskedGenerator, lengths: Tensor, condition: Condition, whose: Tensor, guidance: float
    ):
        self._model = model
        self._guidance = None if guidance == 1.0 else guidance
        if self._guidance is not None:
            null = torch.full_like(whose, len(condition.vectors))
            condition, whose, lengths = condition.with_null(), torch.cat([whose, null]), lengths.repeat(2)
        self._distinct, self._whose, self._lengths = condition, whose, lengths
        self._condition = condition.rows(whose)
        if model.config.causal:
            self._read = model.read(condition)
            self._read_by_sample = [(keys[whose], values[whose]) for keys, values in self._read]

    def __call__(self, tokens: Tensor) -> Tensor:
        """Of codes (B, N), some of them [MASK]."""
        if self._guidance is not None:
            tokens = tokens.repeat(2, 1)
        if self._model.config.causal:
            logits = self._model.after(self._read_by_sample, tokens, self._lengths, self._condition)
        else:
            logits = self._model(tokens, self._lengths, self._condition)
        return self._combined(logits)

    def at_first(self, tokens: Tensor) -> Tensor:
        """Of codes (B, N) that are all [MASK]."""
        if not self._model.config.causal or self._model.config.remaining_tokens:
            return self(tokens)
        masked = tokens[:1].expand(len(self._distinct.vectors), -1)
        # What comes later is not seen, so what is made of the longest is right for all.
        lengths = self._lengths.max().expand(len(masked))
        return self._combined(self._model.after(self._read, masked, lengths, self._distinct)[self._whose])

    def _combined(self, logits: Tensor) -> Tensor:
        if self._guidance is None:
            return logits
        conditional, unconditional = logits.chunk(2)
        return unconditional + self._guidance * (conditional - unconditional)


def _draw(logits: Tensor, noise: Tensor, options: SamplingOptions) -> Tensor:
    """Codes (B, N) drawn from the likeliest share of the codebook, by Gumbel-max."""
    kept = max(1, math.ceil(options.top_fraction * logits.shape[-1]))
    least = logits.topk(kept, dim=-1).values[..., -1:]
    likely = logits.masked_fill(logits < least, -torch.inf)
    # Temperature scales the noise rather than dividing the logits, so that 0 means the best code.
    return (likely + options.temperature * noise).argmax(-1)


def _gumbel_noise(lengths: Tensor, length: int, codes: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Noise (B, N, codes); a sample draws for its own length only, however long the batch is."""
    noise = torch.zeros(len(generators), length, codes)
    for row, own, generator in zip(noise, lengths.tolist(), generators, strict=True):
        uniform = torch.rand(own, codes, generator=generator).clamp_min(1e-20)
        row[:own] = -(-uniform.log()).log()
    return noise


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
