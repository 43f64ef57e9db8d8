"""The generator's condition: a sentence, seen through the frozen LaMP model.

Source: LaMP section 3 (LaMP-T2M). The paper's own condition is one vector: the text transformer's output,
newly projected, is what the query tokens cross-attend to, and the mean over the queries is taken. The other
leaves out the queries and gives the generator the text transformer's output word by word, so that it need
not read an order of actions, a side and a count out of a single vector.
"""

from __future__ import annotations

from torch import Tensor, nn

from .generator import Condition
from .lamp import Lamp
from .qformer import Context


class QueryCondition(nn.Module):
    """The paper's: one learned part, the projection; trained with the generator."""

    def __init__(self, width: int, context_width: int):
        super().__init__()
        self.projection = nn.Linear(width, context_width)

    def forward(self, lamp: Lamp, words: Tensor, mask: Tensor) -> Condition:
        """One vector of the text transformer's output ``words`` (B, T, W) with ``mask`` (B, T).

        Gradients pass through ``lamp`` to the projection; ``lamp`` itself must be frozen.
        """
        return Condition.single(lamp.qformer.motion(Context(self.projection(words), mask)).mean(1))


class WordCondition(nn.Module):
    """The words themselves; what is learned of them is in the generator."""

    def forward(self, lamp: Lamp, words: Tensor, mask: Tensor) -> Condition:
        """The text transformer's output ``words`` (B, T, W) with ``mask`` (B, T)."""
        return Condition(words, mask)
