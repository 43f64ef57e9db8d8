"""What the authors' code does otherwise than the paper, for their own weights alone (``compat: released``).

Source: the code of gentlefress/LaMP, which trained the published checkpoints. Every network here gives what
that code gives for a clip or a sentence by itself; ours are the paper's. Imported by nobody but the bundle.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.vocabulary import Vocabulary
from ..motion.clip_length import LONGEST_CLIP, LONGEST_CLIP_TOKENS
from .captioner import Captioner, CaptionerConfig
from .condition import SentenceEncoder, TextCondition, TextReading
from .decoder import CausalDecoder
from .generator import Condition, GeneratorConfig, MaskedGenerator
from .lamp import Lamp, LampConfig
from .length import LengthConfig, LengthHead
from .qformer import Context, QFormer, QFormerConfig, Text
from .text_to_motion import TextToMotion
from .tokenizer import Encoder, MotionTokenizer, TokenizerConfig
from .transformer import PackedAttention, PreNormBlock, join_heads, length_mask, split_heads

# The generator reads sentences longer than LaMP does, as many tokens as a motion may have.
CONDITION_TOKENS = LONGEST_CLIP_TOKENS


class ReleasedTokenizer(MotionTokenizer):
    """The tokenizer and, for the latents that LaMP reads, LaMP's own copy of the encoder.

    Every motion is padded with zeros to the longest one, and the padding is encoded like a motion.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__(config)
        self.lamp_encoder = Encoder(config, config.features, config.code_width)

    def latents(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """LaMP's latents (B, 49, D) of normalised features (B, T, C); ``lengths`` (B,) in frames."""
        if lengths is not None:
            features = features * length_mask(lengths, features.shape[1])[..., None]
        padded = F.pad(features, (0, 0, 0, LONGEST_CLIP - features.shape[1]))
        return self.lamp_encoder(padded.transpose(1, 2), None).transpose(1, 2)

    def tokenize(self, features: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """LaMP's latents (B, 49, D) and the tokenizer's codes (B, N) of normalised features (B, T, C)."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            own = super().latents(features, lengths)
            return self.latents(features, lengths), self.codebook.nearest(own)


@dataclass(frozen=True)
class ReleasedContext(Context):
    """What LaMP's queries attend to, and the ``latents`` (B, 49, D) that it was made of."""

    latents: Tensor


class ReleasedLamp(Lamp):
    """LaMP whose queries attend to a projection of the latents, those of padding among them."""

    def __init__(self, config: LampConfig, decoder_token: int, latent_width: int):
        super().__init__(config, decoder_token)
        self.latent_projection = nn.Parameter(torch.zeros(latent_width, config.qformer.context_width))

    def motion_context(self, latents: Tensor, mask: Tensor) -> ReleasedContext:
        """All of the latents (B, 49, D), projected; ``mask`` is not used."""
        real = torch.ones(latents.shape[:2], dtype=torch.bool, device=latents.device)
        return ReleasedContext(latents @ self.latent_projection, real, latents)


class ReleasedCondition(TextCondition):
    """The query tokens' mean, by the generator's own copy of LaMP; padding is attended to like words.

    How long a motion is, the release asks another encoder, whose tokens follow LaMP's.
    """

    def __init__(self, qformer: QFormerConfig, length_encoder: SentenceEncoder | None = None):
        super().__init__()
        self.length_encoder = length_encoder
        self.qformer = QFormer(replace(qformer, text_tokens=CONDITION_TOKENS))
        self.projection = nn.Linear(qformer.width, qformer.context_width)

    def tokens(
        self, texts: Sequence[str], vocabulary: Vocabulary, limit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids (B, 49) and mask (B, 49) of sentences, whatever the ``limit`` of LaMP's own.

        Those of the other encoder follow.
        """
        ids, mask = vocabulary.encode(texts, CONDITION_TOKENS)
        missing = ((0, 0), (0, CONDITION_TOKENS - ids.shape[1]))
        ids, mask = np.pad(ids, missing, constant_values=vocabulary.padding), np.pad(mask, missing)
        if self.length_encoder is None:
            return ids, mask
        pairs = zip((ids, mask), self.length_encoder.tokens(texts), strict=True)
        ids, mask = (np.concatenate(pair, 1) for pair in pairs)
        return ids, mask

    def part_read(self, text: str, vocabulary: Vocabulary, limit: int) -> str:
        """The sentence, or its beginning of 49 tokens, whatever the ``limit`` of LaMP's own."""
        return vocabulary.truncated(text, CONDITION_TOKENS)

    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """One vector (B, W), and the other encoder's, if there is one; ``lamp`` is not used."""
        own, others = (
            Text(text.ids[:, part], text.mask[:, part])
            for part in (slice(CONDITION_TOKENS), slice(CONDITION_TOKENS, None))
        )
        words = self.qformer.text(own, padding=True)
        queries = self.qformer.motion(Context(self.projection(words), torch.ones_like(own.mask)))
        feature = words[:, 0] if self.length_encoder is None else self.length_encoder.vectors(others)
        return TextReading(Condition.single(queries.mean(1)), feature)


class ReleasedBlock(PreNormBlock):
    """A post-norm layer; all positions attend to each other, to earlier ones with 1 added to the score."""

    def forward(self, x: Tensor, attention: PackedAttention) -> Tensor:
        """Packed (P, W) -> (P, W)."""
        packing, mask = attention.packing, attention.mask
        q, k, v = (split_heads(t, self.heads) for t in packing.pad(self.query_key_value(x)).chunk(3, dim=-1))
        earlier = torch.ones(mask.shape[-2:], dtype=x.dtype, device=x.device).tril()
        attended = F.scaled_dot_product_attention(
            q, k, v, attn_mask=torch.where(mask, earlier, earlier.new_tensor(-torch.inf))
        )
        x = self.attention_norm(x + self.dropout(self.output(packing.pack(join_heads(attended)))))
        feed = self.down(self.dropout(F.gelu(self.up(x))))
        return self.feed_norm(x + self.dropout(feed))


class ReleasedGenerator(MaskedGenerator):
    """The masked transformer of ``ReleasedBlock``; its positions are sinusoids, none on the condition."""

    def __init__(self, config: GeneratorConfig):
        super().__init__(config)
        width = config.width
        self.blocks = nn.ModuleList(
            ReleasedBlock(width, config.heads, config.feed_forward, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.Identity()  # type: ignore[assignment]
        self.head = nn.Sequential(  # type: ignore[assignment]
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width, eps=1e-12),
            nn.Linear(width, config.codes),
        )


class ReleasedLengthEstimator(LengthHead):
    """MoMask's length estimator, four layers of falling width on CLIP's vector.

    Its counts begin at 0; a motion of no tokens is not drawn.
    """

    def __init__(self, config: LengthConfig):
        nn.Module.__init__(self)
        self.config = config
        widths = config.text_width, config.width, config.width // 2, config.width // 4
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths[1:])
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(widths[-1], config.max_tokens + 1)

    def forward(self, text: Tensor) -> Tensor:
        """Logits (B, counts) of CLIP's vectors (B, W)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            text = self.dropout(F.leaky_relu(norm(layer(text)), 0.2))
        return self.output(text)[:, self.config.min_tokens :].float()


class ReleasedTextToMotion(TextToMotion):
    """The generator and its condition; how long a motion is, the release asks CLIP, not LaMP."""

    condition: ReleasedCondition
    generator: ReleasedGenerator

    def __init__(
        self,
        qformer: QFormerConfig,
        generator: GeneratorConfig,
        length: LengthConfig | None = None,
        length_encoder: SentenceEncoder | None = None,
    ):
        """Without a ``length`` and the encoder that it names, no lengths are predicted."""
        nn.Module.__init__(self)
        self.condition = ReleasedCondition(qformer, length_encoder)
        self.generator = ReleasedGenerator(generator)
        self.length = None if length is None else ReleasedLengthEstimator(length)


class ReleasedCaptioner(Captioner):
    """The captioner, whose copy of the motion transformer has a projection of latents of its own."""

    def __init__(
        self, config: CaptionerConfig, decoder: CausalDecoder, qformer: QFormerConfig, latent_width: int
    ):
        super().__init__(config, decoder, qformer)
        self.latent_projection = nn.Parameter(torch.zeros(latent_width, qformer.context_width))

    def queries(self, lamp: Lamp, motion: Context) -> Tensor:
        """Query outputs (B, N, W) of motions as :meth:`ReleasedLamp.motion_context` gives them."""
        assert self.motion_transformer is not None and isinstance(motion, ReleasedContext)
        return self.motion_transformer.motion(Context(motion.latents @ self.latent_projection, motion.mask))
