"""The generator's condition: a sentence, seen through the frozen LaMP model, as one vector.

Source: LaMP section 3 (LaMP-T2M): the text transformer's output, newly projected, is what the query
tokens cross-attend to; the condition is the mean over the queries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .lamp import Lamp
from .qformer import Context, Text


class TextCondition(nn.Module):
    """The one learned part, the projection; trained with the generator."""

    def __init__(self, width: int, context_width: int):
        super().__init__()
        self.projection = nn.Linear(width, context_width)

    def forward(self, lamp: Lamp, text: Text) -> Tensor:
        """Condition (B, W). ``lamp`` is read, never trained: freeze it before."""
        with torch.no_grad():
            words = lamp.qformer.text(text)
        context = Context(self.projection(words), text.mask)
        return lamp.qformer.motion(context).mean(1)
