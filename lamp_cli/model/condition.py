"""The generator's condition: a sentence, seen through the frozen LaMP model, as one vector.

Source: LaMP section 3 (LaMP-T2M): the text transformer's output, newly projected, is what the query
tokens cross-attend to; the condition is the mean over the queries.
"""

from __future__ import annotations

from torch import Tensor, nn

from .lamp import Lamp
from .qformer import Context


class TextCondition(nn.Module):
    """The one learned part, the projection; trained with the generator."""

    def __init__(self, width: int, context_width: int):
        super().__init__()
        self.projection = nn.Linear(width, context_width)

    def forward(self, lamp: Lamp, words: Tensor, mask: Tensor) -> Tensor:
        """Condition (B, W) of the text transformer's output ``words`` (B, T, W).

        Gradients pass through ``lamp`` to the projection; ``lamp`` itself must be frozen.
        """
        return lamp.qformer.motion(Context(self.projection(words), mask)).mean(1)
