"""LaMP-T2M: everything that is learned on top of the frozen LaMP model to make codes from a sentence.

Source: LaMP section 3. The condition's projection, the generator, the length head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .condition import QueryCondition, WordCondition
from .generator import GeneratorConfig, MaskedGenerator
from .lamp import Lamp
from .length import LengthConfig, LengthHead
from .qformer import QFormerConfig, Text


class TextToMotion(nn.Module):
    """Trained together: the length head shares no weights with the others."""

    def __init__(self, qformer: QFormerConfig, generator: GeneratorConfig, length: LengthConfig):
        super().__init__()
        self.condition = (
            WordCondition()
            if generator.word_condition
            else QueryCondition(qformer.width, qformer.context_width)
        )
        self.generator = MaskedGenerator(generator)
        self.length = LengthHead(length)

    def forward(
        self, lamp: Lamp, text: Text, codes: Tensor, lengths: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses for codes (B, N) of ``lengths`` (B,) tokens; ``lamp`` must be frozen."""
        words = lamp.qformer.text(text)
        condition = self.condition(lamp, words, text.mask)
        losses = self.generator.losses(codes, lengths, condition, generator)
        length = self.length.loss(words[:, 0], lengths)
        return {**losses, "loss": losses["loss"] + length, "length": length.detach()}
