"""The generator's condition: what of a sentence each kind hands on, and what of it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from lamp_cli.model.condition import OF_LAMP, TextCondition, build_condition
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import Lamp, LampConfig
from lamp_cli.model.length import LengthConfig
from lamp_cli.model.qformer import Context, QFormerConfig, Text
from lamp_cli.model.text_to_motion import TextToMotion

QFORMER = QFormerConfig(
    vocabulary=20,
    width=16,
    layers=2,
    heads=2,
    feed_forward=32,
    query_tokens=5,
    text_tokens=8,
    context_width=12,
    dropout=0.0,
)
TEXT = Text(
    torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]]),
    torch.tensor([[True, True, True, True], [True, True, True, False]]),
)


@pytest.fixture(scope="module")
def lamp() -> Lamp:
    torch.manual_seed(0)
    return Lamp(LampConfig(QFORMER, codes=12, embedding_width=8), 4).eval().requires_grad_(False)


class _Counting:
    """An encoder that says how many real tokens a sentence has."""

    width, digest = 3, "counting"

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def vectors(self, text: Text) -> Tensor:
        return text.mask.sum(1, keepdim=True).float().expand(-1, 3)


def _condition(kind: str) -> TextCondition:
    torch.manual_seed(1)
    return build_condition(kind, QFORMER, None if kind in OF_LAMP else _Counting())


def test_each_kind_hands_on_its_own_part_of_a_sentence(lamp: Lamp) -> None:
    words = lamp.qformer.text(TEXT)
    query, no_query, every, encoder = (_condition(k)(lamp, TEXT) for k in (*OF_LAMP, "counting"))
    projection = _condition("query").projection
    attended = lamp.qformer.motion(Context(projection(words), TEXT.mask)).mean(1)
    torch.testing.assert_close(query.condition.vectors, attended[:, None])
    torch.testing.assert_close(no_query.condition.vectors, words[:, :1])
    torch.testing.assert_close(every.condition.vectors, words)
    assert torch.equal(every.condition.mask, TEXT.mask)
    assert encoder.condition.vectors.tolist() == [[[4.0] * 3], [[3.0] * 3]]
    for read in (query, no_query, every):
        torch.testing.assert_close(read.feature, words[:, 0])
    assert encoder.feature.tolist() == [[4.0] * 3, [3.0] * 3]


@pytest.mark.parametrize("kind", [*OF_LAMP, "counting"])
def test_padding_says_nothing(kind: str, lamp: Lamp) -> None:
    condition = _condition(kind)
    whole, alone = condition(lamp, TEXT), condition(lamp, Text(TEXT.ids[1:, :3], TEXT.mask[1:, :3]))
    real = whole.condition.mask[1]
    torch.testing.assert_close(whole.condition.vectors[1][real], alone.condition.vectors[0])
    torch.testing.assert_close(whole.feature[1], alone.feature[0])


@pytest.mark.parametrize(("kind", "learned"), [("query", True), ("no_query", False), ("counting", False)])
def test_only_the_query_tokens_projection_learns_with_the_generator(
    kind: str, learned: bool, lamp: Lamp
) -> None:
    width = 3 if kind == "counting" else QFORMER.width
    config = GeneratorConfig(12, width, 16, 1, 2, 32, max_tokens=5, condition=kind, condition_dropout=0.0)
    length = LengthConfig(width, 8, 1, 5)
    torch.manual_seed(0)
    network = TextToMotion(QFORMER, config, length, None if kind in OF_LAMP else _Counting())
    codes = torch.randint(12, (2, 5), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([5, 3])
    spans = torch.stack([torch.zeros_like(lengths), lengths], 1)
    losses = network(lamp, TEXT, codes, lengths, spans, torch.Generator().manual_seed(0))
    losses["loss"].backward()
    names = [name for name in network.state_dict() if name.startswith("condition.")]
    assert names == (["condition.projection.weight", "condition.projection.bias"] if learned else [])
    if learned:
        assert float(network.condition.projection.weight.grad.abs().max()) > 0
    assert all(parameter.grad is None for parameter in lamp.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.length.parameters())


def test_a_kind_that_nobody_gives_is_refused() -> None:
    with pytest.raises(ValueError, match="condition octopus: expected one of query, no_query, words, or a"):
        build_condition("octopus", QFORMER, None)
