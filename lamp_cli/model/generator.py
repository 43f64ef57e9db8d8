"""The generator: a masked transformer over motion tokens, with causal attention by default.

Source: Guo et al. 2024 (MoMask) and Chang et al. 2022 (MaskGIT) for masked modelling; LaMP section 3
(LaMP-T2M) for the causal attention. Works on codes and condition vectors; knows no text and no motion. How
codes are drawn is ``sampling``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..motion.clip_length import LONGEST_CLIP_TOKENS
from . import distributed
from .devices import on_device
from .known_codes import UNKNOWN, draw_known, know_all_but
from .transformer import (
    PackedAttention,
    Packing,
    PreNormBlock,
    attend,
    initialise_normal,
    join_heads,
    length_mask,
    split_heads,
)


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of the masked transformer; the defaults are the paper's.

    codes: vectors of one codebook of the tokenizer.
    condition_width: of a condition's vectors.
    width: of a token's vector.
    layers: blocks.
    heads: of attention in every block.
    feed_forward: width of the hidden layer of every feed-forward.
    max_tokens: of the longest motion.
    dropout: probability, in training.
    condition_dropout: probability, in training, of the null condition (classifier-free guidance).
    causal: attention to earlier tokens only; False is the paper's bidirectional ablation.
    condition: what of a sentence the generator is told: ``query``, the paper's one vector by LaMP's query
        tokens; ``no_query``, the text feature alone; ``words``, every word (not in the paper); or the kind
        of a text encoder in LaMP's place, such as ``clip``.
    condition_encoder: folder or hub name of that encoder; empty for LaMP.
    condition_digest: of that encoder's weights, so that no other is taken for it; empty for LaMP.
    codebooks: of the tokenizer. A token has one code of each; they follow each other, N codes for
        N / codebooks tokens, and are masked and drawn one by one.
    quantizers: of the tokenizer. All codes of the coarsest one are drawn first, those of the finest last.
    guidance: scale s of classifier-free guidance, l_u + s (l_c - l_u), unless another is asked for. The
        paper's (1 + alpha) l_c - alpha l_u is the same with s = alpha + 1; the release has s = 4, for KIT 2.
    remaining_tokens: every token is told how many come after it, which causal attention does not show, so
        that what a sentence asks for ends where the motion does (not in the paper).
    known_share: share of the clips in training of which some codes are told beforehand, so that a motion's
        span, its start or its end can be drawn to fit the rest (not in the paper); 0: only codes that come
        before the drawn ones can be known.
    candidates: draws per motion unless another number is asked for; of several, the one is kept that does
        most of the sentence by the check of joints, and of those LaMP's nearest (not in the paper).

    Raises ``ValueError`` for a guidance that is not finite, no candidate, or a share outside 0..1.
    """

    codes: int = 512
    condition_width: int = 768
    width: int = 512
    layers: int = 8
    heads: int = 8
    feed_forward: int = 1024
    max_tokens: int = LONGEST_CLIP_TOKENS
    dropout: float = 0.2
    condition_dropout: float = 0.1
    causal: bool = True
    condition: str = "query"
    condition_encoder: str = ""
    condition_digest: str = ""
    codebooks: int = 1
    quantizers: int = 1
    guidance: float = 4.0
    remaining_tokens: bool = False
    known_share: float = 0.0
    candidates: int = 1

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"candidates: expected at least 1, found {self.candidates}")
        if not 0 <= self.known_share <= 1:
            raise ValueError(f"known_share: expected a share from 0 to 1, found {self.known_share}")
        if not math.isfinite(self.guidance):
            raise ValueError(f"guidance: expected a finite number, found {self.guidance}")

    @property
    def parts(self) -> int:
        """Parts of the body that have codebooks of their own."""
        return self.codebooks // self.quantizers

    def fineness(self, count: int) -> Tensor:
        """The quantizer (``count``,), 0 the coarsest, of each of so many codes that follow each other."""
        return torch.arange(count) % self.codebooks // self.parts


@dataclass(frozen=True)
class Condition:
    """Vectors (B, C, W) that precede the codes and ``mask`` (B, C), True on real ones."""

    vectors: Tensor
    mask: Tensor

    @classmethod
    def single(cls, vectors: Tensor) -> Condition:
        """One vector (B, W) for each sequence."""
        return cls(vectors[:, None], torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device))

    def with_dropout(self, kept: Tensor) -> Condition:
        """The null condition, one vector of zeros, in all rows but the ``kept`` (B,)."""
        kept = on_device(kept, self.mask.device)[:, None]
        first = torch.arange(self.mask.shape[1], device=self.mask.device) == 0
        return Condition(self.vectors * kept[..., None].to(self.vectors), torch.where(kept, self.mask, first))

    def with_null(self) -> Condition:
        """These rows, then one of the null condition."""
        null = self.rows(torch.tensor([0])).with_dropout(torch.tensor([False]))
        return Condition(torch.cat([self.vectors, null.vectors]), torch.cat([self.mask, null.mask]))

    def rows(self, numbers: Tensor) -> Condition:
        """The rows of these numbers."""
        return Condition(self.vectors[numbers], self.mask[numbers])


@dataclass(frozen=True)
class Beginning:
    """What stands before the codes: ``embedded`` (B, C, width) and ``mask`` (B, C), True on what is real."""

    embedded: Tensor
    mask: Tensor


# Keys and values (B, H, S, D) of one layer.
KeysValues = tuple[Tensor, Tensor]


class GeneratorBlock(PreNormBlock):
    """A layer that computes nothing for padding."""

    def forward(self, x: Tensor, attention: PackedAttention, places: Tensor | None = None) -> Tensor:
        """Packed (P, W) -> (P, W), or (K, W) of the ``places`` (K,) among them."""
        q, k, v = self.query_key_value(self.attention_norm(x)).chunk(3, dim=-1)
        attended = attention(q, k, v, self.heads)
        if places is not None:
            x, attended = x.index_select(0, places), attended.index_select(0, places)
        return self.add_and_feed_forward(x, attended)

    def forward_cached(
        self, x: Tensor, packing: Packing, mask: Tensor, cache: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Packed (P, W) -> (P, W), and the keys and values of ``x``.

        ``mask`` (B, 1, S, E + S) is True where a position may attend; ``cache`` are the keys and values
        (B, H, E, D) of the E positions before ``x``.
        """
        q, k, v = (
            split_heads(t, self.heads)
            for t in packing.pad(self.query_key_value(self.attention_norm(x))).chunk(3, dim=-1)
        )
        added = k, v
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        attended = join_heads(attend(q, k, v, mask))
        return self.add_and_feed_forward(x, packing.pack(attended)), added


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
        self.blocks = nn.ModuleList(
            GeneratorBlock(config.width, config.heads, config.feed_forward, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.codebooks * config.codes)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(initialise_normal)
        self.remaining = None
        if config.remaining_tokens:
            # Zeros, so that a generator trained without them can go on training with them.
            self.remaining = nn.Embedding(config.max_tokens, config.width)
            nn.init.zeros_(self.remaining.weight)
        self.known = None
        if config.known_share:
            # Tells a known code from one that is drawn; zeros for the same reason.
            self.known = nn.Parameter(torch.zeros(1, 1, config.width))

    def forward(
        self, tokens: Tensor, lengths: Tensor, condition: Condition, known: Tensor | None = None
    ) -> Tensor:
        """Logits (B, N, codes) for codes (B, N), [MASK] being ``mask_token``.

        ``lengths`` (B,) in tokens; ``known`` (B, N) as :meth:`begin` takes it. Raises ``ValueError`` for more
        than ``max_tokens``.
        """
        x, attention, count = self._before_last_block(tokens, lengths, condition, known)
        x = attention.packing.pad(self.blocks[-1](x, attention))[:, count:]
        return self._logits_of_codes(self.head(self.norm(x)))

    def logits_of_chosen(
        self, tokens: Tensor, lengths: Tensor, condition: Condition, known: Tensor | None, chosen: Tensor
    ) -> Tensor:
        """Logits (K, codes) of the ``chosen`` (B, N) of the codes, those of one codebook after another's.

        As ``forward``, but the last block and the head compute nothing for what is not chosen. To know what
        is, the processor would wait for an accelerator: this is for a CPU.
        """
        x, attention, count = self._before_last_block(tokens, lengths, condition, known)
        by_token = chosen.unflatten(1, (-1, self.config.codebooks))
        wanted = F.pad(by_token.any(2), (count, 0)).flatten()
        if attention.packing.positions is not None:
            wanted = wanted[attention.packing.positions]
        x = self.norm(self.blocks[-1](x, attention, wanted.nonzero()[:, 0]))
        heads = zip(
            self.head.weight.chunk(self.config.codebooks),
            self.head.bias.chunk(self.config.codebooks),
            by_token[by_token.any(2)].unbind(1),
            strict=True,
        )
        return torch.cat([F.linear(x[own], weight, bias) for weight, bias, own in heads]).float()

    def _before_last_block(
        self, tokens: Tensor, lengths: Tensor, condition: Condition, known: Tensor | None
    ) -> tuple[Tensor, PackedAttention, int]:
        """What the last block reads (P, W), packed, and how many positions are before a clip's tokens."""
        beginning, embedded = self.begin(condition, lengths, known), self._embed_tokens(tokens, lengths)
        length = embedded.shape[1]
        packing = Packing(torch.cat([beginning.mask, length_mask(lengths, length)], 1))
        attention = PackedAttention(packing, self._attention_mask(lengths, length, beginning.mask))
        x = packing.pack(torch.cat([beginning.embedded, embedded], 1))
        for block in self.blocks[:-1]:
            x = block(x, attention)
        return x, attention, beginning.mask.shape[1]

    def begin(self, condition: Condition, lengths: Tensor, known: Tensor | None = None) -> Beginning:
        """What stands before the codes: the condition and, with their positions, the codes that are known.

        ``lengths`` (B,) in tokens. ``known`` (B, N) has ``UNKNOWN`` where a code is to be drawn; a generator
        without ``known_share`` does not read it.
        """
        # All of a condition has the first position: its words have the text transformer's positions already.
        embedded = self.dropout(self.condition(condition.vectors) + self.positions[:, :1])
        if known is None or self.known is None:
            return Beginning(embedded, condition.mask)
        tokens = known.masked_fill(known == UNKNOWN, self.mask_token)
        known_tokens = (known != UNKNOWN).unflatten(1, (-1, self.config.codebooks)).any(2)
        return Beginning(
            torch.cat([embedded, self._embed_tokens(tokens, lengths) + self.known], 1),
            torch.cat([condition.mask, known_tokens], 1),
        )

    def cache_beginning(self, beginning: Beginning) -> list[KeysValues]:
        """Every layer's keys and values of the beginning, which in a causal generator attends to no code."""
        cache, packing = [], Packing(beginning.mask)
        mask = beginning.mask[:, None, None, :].expand(-1, 1, beginning.mask.shape[1], -1)
        x = packing.pack(beginning.embedded)
        for block in self.blocks:
            assert isinstance(block, GeneratorBlock)
            x, added = block.forward_cached(x, packing, mask)
            cache.append(added)
        return cache

    def forward_cached(
        self, cache: list[KeysValues], tokens: Tensor, lengths: Tensor, cached: Tensor, first: int = 0
    ) -> Tensor:
        """As ``forward`` of a causal generator, with the ``cache`` of what stands before the codes.

        ``cached`` (B, C) is True on what is real of that: a beginning's mask, and after it one for each token
        before the ``first`` one, where :meth:`cache_tokens` has added those. ``lengths`` count all tokens.
        """
        x, packing, _ = self._through_blocks(cache, tokens, lengths, cached, first)
        return self._logits_of_codes(packing.pad(self.head(self.norm(x))))

    def cache_tokens(
        self, cache: list[KeysValues], tokens: Tensor, lengths: Tensor, cached: Tensor
    ) -> tuple[list[KeysValues], Tensor]:
        """The ``cache`` of a beginning and its mask (B, C) with the first tokens, codes (B, N), added.

        Every clip has as many.
        """
        _, packing, added = self._through_blocks(cache, tokens, lengths, cached, 0)
        both = [
            (torch.cat([k, m], 2), torch.cat([v, n], 2)) for (k, v), (m, n) in zip(cache, added, strict=True)
        ]
        return both, torch.cat([cached, packing.real], 1)

    def _through_blocks(
        self, cache: list[KeysValues], tokens: Tensor, lengths: Tensor, cached: Tensor, first: int
    ) -> tuple[Tensor, Packing, list[KeysValues]]:
        """The last block's output (P, W), packed, and every layer's keys and values of the tokens."""
        embedded, all_added = self._embed_tokens(tokens, lengths, first), []
        packing = Packing(length_mask(lengths - first, embedded.shape[1]))
        mask = self._attention_mask(lengths - first, embedded.shape[1], cached)[:, :, cached.shape[1] :]
        x = packing.pack(embedded)
        for block, layer_cache in zip(self.blocks, cache, strict=True):
            assert isinstance(block, GeneratorBlock)
            x, added = block.forward_cached(x, packing, mask, layer_cache)
            all_added.append(added)
        return x, packing, all_added

    def _embed_tokens(self, tokens: Tensor, lengths: Tensor, first: int = 0) -> Tensor:
        """Tokens (B, L, W) of codes (B, N), the ``first`` of which has that number in its clip.

        Each is the sum of its codes' embeddings, of its position's, and of how many remain after it.
        """
        codes = tokens.unflatten(1, (-1, self.config.codebooks))
        length = first + codes.shape[1]
        if length > self.config.max_tokens:
            raise ValueError(f"{length} tokens; the generator was made for {self.config.max_tokens}")
        first_of_codebook = (self.config.codes + 1) * torch.arange(
            self.config.codebooks, device=tokens.device
        )
        embedded = self.codes(codes + first_of_codebook).sum(2) + self.positions[:, first + 1 : length + 1]
        if self.remaining is not None:
            remaining = lengths[:, None] - 1 - torch.arange(first, length, device=lengths.device)
            embedded = embedded + self.remaining(remaining.clamp(min=0))
        return self.dropout(embedded)

    def _logits_of_codes(self, logits: Tensor) -> Tensor:
        """(B, L, codebooks * codes) -> (B, N, codes)."""
        return logits.float().unflatten(-1, (self.config.codebooks, -1)).flatten(1, 2)

    def _attention_mask(self, lengths: Tensor, length: int, beginning_mask: Tensor) -> Tensor:
        """(B, 1, C + L, C + L), True where a position (rows) may attend to another (columns).

        Every position attends to the beginning, of which ``beginning_mask`` (B, C) tells the real vectors.
        """
        count = beginning_mask.shape[1]
        size = count + length
        real = torch.cat([beginning_mask, length_mask(lengths, length)], 1)
        mask = real[:, None, None, :].expand(-1, 1, size, size)
        if not self.config.causal:
            return mask
        positions = torch.arange(size, device=lengths.device)
        return mask & ((positions[:, None] >= positions) | (positions < count))

    def losses(
        self,
        tokens: Tensor,
        lengths: Tensor,
        condition: Condition,
        generator: torch.Generator,
        spans: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Masked modelling: ``loss`` and ``accuracy`` on the chosen of codes (B, N).

        ``lengths`` (B,) in tokens. Codes that are known are not chosen; the null condition leaves them. Where
        a condition is about a span of the tokens alone, of ``spans`` (B, 2), all others are known. Lengths
        and spans are best on the CPU, where the draws are made: no draw then waits for an accelerator.
        """
        codebooks, is_known, known = self.config.codebooks, None, None
        fineness = self.config.fineness(tokens.shape[1])
        if self.config.known_share:
            length = tokens.shape[1] // codebooks
            is_known = draw_known(
                lengths, length, codebooks, self.config.known_share, generator, self.config.parts
            )
            if spans is not None:
                is_known = know_all_but(spans, lengths, codebooks, is_known)
            known = tokens.masked_fill(~on_device(is_known, tokens.device), UNKNOWN)
        inputs, chosen = corrupt(tokens, codebooks * lengths, self.mask_token, generator, is_known, fineness)
        kept = torch.rand(len(tokens), generator=generator) >= self.config.condition_dropout
        told = on_device(lengths, tokens.device), condition.with_dropout(kept), known
        if tokens.device.type != "cpu":
            return generator_loss(self(inputs, *told), tokens, chosen)
        logits = self.logits_of_chosen(inputs, *told, chosen)
        true, which = (each.unflatten(1, (-1, codebooks)).movedim(2, 0) for each in (tokens, chosen))
        return generator_loss(logits, true[which], torch.ones(len(logits), dtype=torch.bool))


def generator_loss(logits: Tensor, tokens: Tensor, chosen: Tensor) -> dict[str, Tensor]:
    """Cross-entropy ``loss`` and ``accuracy`` over the ``chosen`` (...) of all ranks.

    Logits (..., codes), true codes (...). Every chosen position weighs the same, so longer clips
    weigh more (MaskGIT, equation 1).
    """
    total = F.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="none") * chosen.flatten()
    right = ((logits.argmax(-1) == tokens) & chosen).sum()
    count = chosen.sum()
    return {
        "loss": distributed.global_mean(total.sum(), count),
        "accuracy": distributed.global_mean(right, count),
    }


def masked_share(ratio: Tensor) -> Tensor:
    """The cosine schedule: share of codes that are masked at a ratio r of all rounds, cos(pi r / 2)."""
    return torch.cos(ratio * math.pi / 2)


def corrupt(
    tokens: Tensor,
    lengths: Tensor,
    mask_token: int,
    generator: torch.Generator,
    known: Tensor | None = None,
    fineness: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Input of masked modelling (B, N) and which of the codes (B, N) are to be predicted.

    A drawn share of each clip's own ``lengths`` (B,) codes is chosen, of those alone that are not ``known``
    (B, N, on the CPU); of the chosen 10 % become random codes, 88 % of the rest [MASK] (79.2 %), and the
    others (10.8 %) stay. With several quantizers, of which ``fineness`` (N,) tells every code's, fine codes
    are chosen before coarse ones, as they are drawn after them: of a clip of whose coarse codes some are
    chosen those are predicted alone, and all finer ones are [MASK]. Raises ``ValueError`` for a length
    outside 1..N.
    """
    size, length = tokens.shape
    own = checked_lengths(lengths, size, length)
    open_codes = torch.arange(length) < own[:, None]
    if known is not None:
        open_codes &= ~known
    share = masked_share(torch.rand(size, generator=generator))
    count = (share * open_codes.sum(1)).round().clamp(min=1)
    order = torch.rand(size, length, generator=generator)
    if fineness is not None:
        order = order - fineness
    order[~open_codes] = 2.0
    hidden = order.argsort(1).argsort(1) < count[:, None]
    chosen = hidden
    if fineness is not None:
        finest = int(fineness.max())
        coarsest_hidden = torch.where(hidden, fineness, finest).amin(1, keepdim=True)
        chosen = hidden & (fineness == coarsest_hidden)
    draw = torch.rand(size, length, generator=generator)
    codes = torch.randint(mask_token, (size, length), generator=generator)
    device = tokens.device
    hidden, chosen, draw, codes = (on_device(each, device) for each in (hidden, chosen, draw, codes))
    result = torch.where(chosen & (draw < 0.1), codes, tokens)
    masked = (chosen & (draw >= 0.1) & (draw < 0.1 + 0.9 * 0.88)) | (hidden & ~chosen)
    result = torch.where(masked, mask_token, result)
    return result.masked_fill(~length_mask(on_device(lengths, device), length), mask_token), chosen


def checked_lengths(lengths: Tensor, size: int, most: int) -> Tensor:
    """Lengths (B,) on the CPU, where the draws are made."""
    own = lengths.cpu()
    if own.shape != (size,) or not size:
        raise ValueError(f"lengths: expected one for each of {size} clips, found shape {tuple(own.shape)}")
    if not 1 <= int(own.min()) <= int(own.max()) <= most:
        raise ValueError(f"lengths: expected 1 to {most} tokens, found {int(own.min())} to {int(own.max())}")
    return own
