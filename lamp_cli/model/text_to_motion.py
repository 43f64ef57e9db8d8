"""LaMP-T2M: everything that is learned on top of the frozen LaMP model to make codes from a sentence.

Source: LaMP section 3. The condition's projection, the generator, the length head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .condition import SentenceEncoder, TextCondition, build_condition
from .devices import on_device
from .generator import GeneratorConfig, MaskedGenerator
from .lamp import Lamp
from .length import LengthConfig, LengthHead
from .qformer import QFormerConfig, Text


class TextToMotion(nn.Module):
    """Trained together: the length head, if there is one, shares no weights with the others."""

    condition: TextCondition
    generator: MaskedGenerator
    length: LengthHead | None

    def __init__(
        self,
        qformer: QFormerConfig,
        generator: GeneratorConfig,
        length: LengthConfig,
        encoder: SentenceEncoder | None = None,
    ):
        """``encoder`` is the frozen text encoder that ``generator.condition`` names, if not LaMP's."""
        super().__init__()
        self.condition = build_condition(generator.condition, qformer, encoder)
        self.generator = MaskedGenerator(generator)
        self.length = LengthHead(length)

    def forward(
        self,
        lamp: Lamp,
        text: Text,
        codes: Tensor,
        lengths: Tensor,
        spans: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Losses for codes (B, N) of ``lengths`` (B,) tokens; ``text`` are the condition's own tokens.

        A sentence is about its ``spans`` (B, 2) of tokens, the second without; lengths and spans are best on
        the CPU, see :meth:`MaskedGenerator.losses`. ``lamp`` must be frozen.
        """
        reading = self.condition(lamp, text)
        losses = self.generator.losses(codes, lengths, reading.condition, generator, spans)
        if self.length is None:
            return losses
        tokens = on_device(spans[:, 1] - spans[:, 0], codes.device)
        length = self.length.loss(reading.feature, tokens)
        return {**losses, "loss": losses["loss"] + length, "length": length.detach()}
