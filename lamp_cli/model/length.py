"""How long the motion of a sentence is: a distribution over token counts.

Source: Guo et al. 2022 (text2length) and its use in MoMask; here on the frozen LaMP text feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..motion.clip_length import LONGEST_CLIP_TOKENS


@dataclass(frozen=True)
class LengthConfig:
    """Sizes of the length head.

    text_width: of the text feature.
    width: of the hidden layer.
    min_tokens: of the shortest motion.
    max_tokens: of the longest motion.
    dropout: probability, in training.
    drawn_share: share of the distribution, around its median, that lengths are drawn from. A motion much
        shorter than is usual for its sentence has no room for what the sentence says; 1, the field's way,
        draws from all of it.
    encoder: folder or hub name of the CLIP text encoder that reads sentences for the head alone, as in the
        authors' release; empty where it is told the generator's text feature.
    encoder_digest: of that encoder's weights; empty without one.

    Raises ``ValueError`` when no count lies between them, or for a share that is none.
    """

    text_width: int = 768
    width: int = 512
    min_tokens: int = 10
    max_tokens: int = LONGEST_CLIP_TOKENS
    dropout: float = 0.2
    drawn_share: float = 1.0
    encoder: str = ""
    encoder_digest: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.min_tokens <= self.max_tokens:
            raise ValueError(
                "min_tokens, max_tokens: expected 1 <= min_tokens <= max_tokens, "
                f"found {self.min_tokens} and {self.max_tokens}"
            )
        if not 0 <= self.drawn_share <= 1:
            raise ValueError(f"drawn_share: expected a share from 0 to 1, found {self.drawn_share}")


class LengthHead(nn.Module):
    """Two layers on the text feature."""

    def __init__(self, config: LengthConfig):
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(config.text_width, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.width, config.max_tokens - config.min_tokens + 1)

    def forward(self, text: Tensor) -> Tensor:
        """Logits (B, counts) of text features (B, W)."""
        hidden = self.dropout(F.relu(self.norm(self.hidden(text))))
        return self.output(hidden).float()

    def loss(self, text: Tensor, tokens: Tensor) -> Tensor:
        """Cross-entropy of true token counts (B,), those out of range at its edge."""
        config = self.config
        target = tokens.clamp(config.min_tokens, config.max_tokens) - config.min_tokens
        return F.cross_entropy(self(text), target)

    def sample(self, text: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Token counts (B,) on the CPU, drawn with one CPU generator per sentence, from the ``drawn_share``.

        Raises ``ValueError`` when the generators are not one per sentence or the feature is not finite.
        """
        if not len(text) == len(generators) > 0:
            found = f"{len(text)} sentences and {len(generators)} generators"
            raise ValueError(f"expected one generator for each sentence, found {found}")
        shares = self(text).softmax(-1).cpu()
        if not shares.isfinite().all():
            raise ValueError("the text feature: expected finite numbers, found NaN or infinity")
        uniform = torch.cat([torch.rand(1, generator=g) for g in generators])
        quantiles = 0.5 + self.config.drawn_share * (uniform - 0.5)
        # Sums of rounded shares end a little below or above 1.
        reached = shares.cumsum(-1) < quantiles[:, None]
        return reached.sum(-1).clamp(max=shares.shape[1] - 1) + self.config.min_tokens
