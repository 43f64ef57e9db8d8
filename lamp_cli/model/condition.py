"""The generator's condition: what the frozen LaMP model makes of a sentence.

Source: LaMP section 3 (LaMP-T2M). The paper's own condition is one vector: the query tokens cross-attend to
a learned projection of the text transformer's output, and the mean of their outputs is taken. The other is
the text transformer's output word by word, because one vector hardly holds an order of actions, a side and
a count.
"""

from __future__ import annotations

from torch import Tensor, nn

from .generator import Condition
from .lamp import Lamp
from .qformer import Context


class QueryCondition(nn.Module):
    """The paper's condition, whose projection is trained with the generator."""

    def __init__(self, width: int, context_width: int):
        super().__init__()
        self.projection = nn.Linear(width, context_width)

    def forward(self, lamp: Lamp, words: Tensor, mask: Tensor) -> Condition:
        """One vector for each text transformer's output ``words`` (B, T, W) with ``mask`` (B, T).

        Gradients pass through ``lamp`` to the projection; ``lamp`` itself must be frozen.
        """
        return Condition.single(lamp.qformer.motion(Context(self.projection(words), mask)).mean(1))


class WordCondition(nn.Module):
    """Every word of the text transformer's output; has no weights."""

    def forward(self, lamp: Lamp, words: Tensor, mask: Tensor) -> Condition:
        """The text transformer's output ``words`` (B, T, W) with ``mask`` (B, T)."""
        return Condition(words, mask)
