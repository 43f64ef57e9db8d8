"""The generator: masking by the schedule, causality, decoding, and the length head."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from lamp_cli.model.generator import (
    GeneratorConfig,
    MaskedGenerator,
    SamplingOptions,
    corrupt,
    masked_share,
    sample,
)
from lamp_cli.model.length import LengthConfig, LengthHead

SMALL = GeneratorConfig(
    codes=12, condition_width=6, width=32, layers=2, heads=4, feed_forward=64, max_tokens=10, dropout=0.0
)


def _model(causal: bool = True) -> MaskedGenerator:
    torch.manual_seed(0)
    config = GeneratorConfig(**{**SMALL.__dict__, "causal": causal})
    return MaskedGenerator(config).eval()


def _streams(count: int, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + i) for i in range(count)]


def test_cosine_schedule() -> None:
    ratios = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(
        masked_share(ratios), torch.tensor([1.0, math.sqrt(0.5), 0.0]), atol=1e-6, rtol=0
    )


def test_corruption_has_the_shares_of_the_paper_and_stays_inside_the_clip() -> None:
    tokens = torch.randint(12, (4000, 10), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([4, 10] * 2000)
    inputs, chosen = corrupt(tokens, lengths, 12, torch.Generator().manual_seed(1))
    assert not chosen[0::2, 4:].any()
    assert (inputs[0::2, 4:] == 12).all()
    assert chosen.any(1).all()
    # The mean of cos(pi r / 2) over r is 2 / pi.
    assert chosen[1::2].float().mean().item() == pytest.approx(2 / math.pi, abs=0.02)
    assert (inputs[chosen] == 12).float().mean().item() == pytest.approx(0.792, abs=0.01)
    # Of the 10 % random codes one in twelve is right by chance.
    assert (inputs[chosen] == tokens[chosen]).float().mean().item() == pytest.approx(
        0.108 + 0.1 / 12, abs=0.01
    )
    untouched = ~chosen & (torch.arange(10) < lengths[:, None])
    assert torch.equal(inputs[untouched], tokens[untouched])


def test_padding_changes_nothing() -> None:
    model = _model()
    tokens = torch.randint(12, (2, 10), generator=torch.Generator().manual_seed(0))
    condition = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    together = model(tokens, torch.tensor([4, 10]), condition)
    alone = model(tokens[:1, :4], torch.tensor([4]), condition[:1])
    torch.testing.assert_close(together[0, :4], alone[0])


@pytest.mark.parametrize("causal", [True, False])
def test_causal_attention_sees_no_later_token(causal: bool) -> None:
    model = _model(causal)
    tokens = torch.randint(12, (1, 10), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[0, 6] = (tokens[0, 6] + 1) % 12
    lengths, condition = torch.tensor([10]), torch.zeros(1, 6)
    before, after = model(tokens, lengths, condition), model(changed, lengths, condition)
    assert torch.allclose(before[0, :6], after[0, :6], atol=1e-5) is causal
    assert not torch.allclose(before[0, 6], after[0, 6], atol=1e-5)


def test_neighbours_in_a_batch_do_not_change_a_sample() -> None:
    model = _model(causal=False)
    condition = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([4, 10, 7])
    together = sample(model, condition, lengths, SamplingOptions(), _streams(3))
    alone = sample(model, condition[:1], lengths[:1], SamplingOptions(), _streams(1))
    assert torch.equal(together[0, :4], alone[0])
    again = sample(model, condition, lengths, SamplingOptions(), _streams(3))
    assert torch.equal(together, again)
    other = sample(model, condition, lengths, SamplingOptions(), _streams(3, first=9))
    assert not torch.equal(together, other)


def test_kept_tokens_are_never_masked_again() -> None:
    model = _model()
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:1].clone()))
    sample(model, torch.randn(1, 6), torch.tensor([10]), SamplingOptions(steps=6), _streams(1))
    assert len(seen) == 6
    assert (seen[0] == 12).all()
    assert (seen[-1] == 12).sum() == 1
    for before, after in pairwise(seen):
        kept = before != 12
        assert torch.equal(before[kept], after[kept])
        assert (after == 12).sum() <= (before == 12).sum()


def test_guidance_of_one_is_the_conditional_model() -> None:
    model = _model()
    calls: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    options = SamplingOptions(steps=2, guidance=1.0)
    sample(model, torch.randn(1, 6), torch.tensor([5]), options, _streams(1))
    assert calls == [1, 1]


def test_it_learns_sequences_by_their_condition_and_samples_them() -> None:
    torch.manual_seed(0)
    model = MaskedGenerator(SMALL)
    tokens = torch.randint(12, (4, 10), generator=torch.Generator().manual_seed(3))
    condition, lengths = torch.eye(6)[:4], torch.tensor([10, 8, 6, 10])
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(250):
        loss = model.losses(tokens, lengths, condition, torch.Generator().manual_seed(step))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    drawn = sample(
        model.eval(), condition, lengths, SamplingOptions(guidance=2.0, temperature=0.0), _streams(4)
    )
    inside = torch.arange(10) < lengths[:, None]
    assert (drawn == tokens)[inside].float().mean() > 0.95


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="11 tokens"):
        _model()(torch.zeros(1, 11, dtype=torch.long), torch.tensor([11]), torch.zeros(1, 6))


def test_length_head_learns_lengths() -> None:
    torch.manual_seed(0)
    head = LengthHead(LengthConfig(text_width=4, width=16, dropout=0.0))
    text, lengths = torch.eye(4), torch.tensor([10, 20, 49, 3])
    optimizer = torch.optim.AdamW(head.parameters(), 1e-2)
    for _ in range(150):
        loss = head.loss(text, lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert head.sample(text, _streams(4)).tolist() == [10, 20, 49, 10]
