"""Several quantizers: codes that tell, coarse to fine, what those before them leave of a latent."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from lamp_cli.model.generator import Condition, GeneratorConfig, MaskedGenerator, corrupt
from lamp_cli.model.known_codes import draw_known
from lamp_cli.model.sampling import SamplingOptions, sample
from lamp_cli.model.tokenizer import Codebook, MotionTokenizer, TokenizerConfig, nearest_rows

TOKENIZER = TokenizerConfig(
    width=16, codes=8, code_width=8, upper_joints=(12, 13), encoder_width=16, quantizers=3
)
# Two parts of the body, two quantizers: a token has the codes lower, upper, finer lower, finer upper.
GENERATOR = GeneratorConfig(
    codes=12,
    condition_width=6,
    width=32,
    layers=2,
    heads=4,
    feed_forward=64,
    max_tokens=10,
    dropout=0.0,
    codebooks=4,
    quantizers=2,
)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _learned(latents: Tensor) -> Codebook:
    book = Codebook(8, latents.shape[1], 0.9, parts=2, quantizers=3)
    for step in range(30):
        book.learn(latents, _random(step))
    return book


def test_every_quantizer_codes_what_those_before_it_leave() -> None:
    latents = torch.randn(600, 6, generator=_random(0))
    book = _learned(latents)
    codes = book.nearest(latents[None])
    assert codes.shape == (1, 600 * 6)
    by_quantizer = book.lookup_coarse_to_fine(codes)
    assert torch.equal(by_quantizer[-1], book.lookup(codes))
    errors = [float((each[0] - latents).square().mean()) for each in by_quantizer]
    assert errors[1] < 0.7 * errors[0] and errors[2] < 0.7 * errors[1]
    # By hand, for the lower half: the nearest row of its first table, then of its second to the rest.
    tables, half = book.vectors.chunk(6), latents[:, :3]
    first = nearest_rows(half, tables[0])
    second = nearest_rows(half - tables[0][first], tables[2])
    of_token = codes[0].unflatten(0, (-1, 6))
    assert torch.equal(of_token[:, 0], first) and torch.equal(of_token[:, 2], second)


def test_the_coarsest_quantizer_learns_as_it_would_alone() -> None:
    latents = torch.randn(256, 6, generator=_random(0))
    both, alone = Codebook(8, 6, 0.9, 2, 2), Codebook(8, 6, 0.9, 2)
    draws = [_random(7), _random(7)]
    both.learn(latents, draws[0])
    alone.learn(latents, draws[1])
    torch.testing.assert_close(both.vectors[:8], alone.vectors[:8])


def test_a_window_may_be_decoded_from_its_coarse_codes_alone_in_training() -> None:
    torch.manual_seed(0)
    always = dataclasses.replace(TOKENIZER, quantizer_dropout=1.0)
    coarse_to_fine = [torch.full((64, 2, 8), float(n)) for n in range(3)]
    network = MotionTokenizer(always)
    read = network._without_some_quantizers(coarse_to_fine, _random(0))
    assert {float(value) for value in read.unique()} == {0.0, 1.0}
    assert (read == read[:, :1, :1]).all()
    network.eval()
    assert (network._without_some_quantizers(coarse_to_fine, _random(0)) == 2).all()
    never = MotionTokenizer(dataclasses.replace(TOKENIZER, quantizer_dropout=0.0))
    assert (never._without_some_quantizers(coarse_to_fine, _random(0)) == 2).all()


def test_motions_pass_through_all_quantizers() -> None:
    torch.manual_seed(0)
    network, features = MotionTokenizer(TOKENIZER), torch.randn(4, 16, 263)
    losses = network(features, _random(0))
    losses["loss"].backward()
    assert network.encoder.parts[0].first.weight.grad.abs().sum() > 0  # type: ignore[union-attr, operator]
    network.eval()
    codes = network.encode(features)
    assert codes.shape == (4, 4 * 6)
    assert network.decode(codes).shape == features.shape


@pytest.mark.parametrize("field", [{"quantizers": 0}, {"quantizer_dropout": 1.5}])
def test_bad_fields_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        dataclasses.replace(TOKENIZER, **field)  # type: ignore[arg-type]


def test_fine_codes_are_masked_first_and_learned_where_all_coarse_ones_show() -> None:
    tokens = torch.randint(12, (400, 40), generator=_random(1))
    lengths, fineness = torch.randint(20, 41, (400,), generator=_random(2)) // 4 * 4, GENERATOR.fineness(40)
    assert fineness[:8].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    inputs, chosen = corrupt(tokens, lengths, 12, _random(3), fineness=fineness)
    own = torch.arange(40) < lengths[:, None]
    learns_coarse = (chosen & (fineness == 0)).any(1)
    # Two thirds of the cosine schedule hide more than half of the codes.
    assert 0.6 < learns_coarse.float().mean() < 0.73
    hidden_fine = (inputs == 12) & (fineness == 1) & own
    assert (hidden_fine.sum(1) == lengths // 2)[learns_coarse].all()
    assert not (chosen & (fineness == 1))[learns_coarse].any()
    shown = torch.where(fineness == 0, inputs == tokens, True) | ~own
    assert shown[~learns_coarse].all() and (chosen & own).any(1).all()


def test_of_one_quantizer_the_codes_are_chosen_as_ever() -> None:
    tokens, lengths = torch.randint(12, (8, 20), generator=_random(1)), torch.full((8,), 18)
    one = dataclasses.replace(GENERATOR, codebooks=2, quantizers=1)
    for told in (None, one.fineness(20)):
        found = corrupt(tokens, lengths, 12, _random(3), fineness=told)
        assert [each.sum() for each in found] == [
            each.sum() for each in corrupt(tokens, lengths, 12, _random(3))
        ]


def test_all_coarse_codes_are_drawn_before_a_fine_one_is_kept() -> None:
    torch.manual_seed(0)
    model, rounds = MaskedGenerator(GENERATOR).eval(), []
    forward = model.forward_cached

    def watched(cache: object, tokens: Tensor, *rest: object) -> Tensor:
        rounds.append(tokens.clone())
        return forward(cache, tokens, *rest)  # type: ignore[arg-type]

    model.forward_cached = watched  # type: ignore[method-assign, assignment]
    condition = Condition.single(torch.randn(1, 6))
    options = SamplingOptions(steps=10, guidance=1.0)
    drawn = sample(model, condition, torch.tensor([10]), options, [_random(0)])
    assert drawn.shape == (1, 40) and len(rounds) == 10
    fine = GENERATOR.fineness(40) == 1
    for tokens in rounds:
        kept = tokens[0] != model.mask_token
        assert not kept[fine].any() or kept[~fine].all()
    assert any((each[0] != model.mask_token)[~fine].all() for each in rounds)


def test_a_part_of_the_body_is_known_by_all_of_its_codes() -> None:
    known = draw_known(torch.full((300,), 10), 10, 4, 1.0, _random(5), parts=2).unflatten(1, (10, 4))
    of_token = known.unflatten(2, (2, 2))
    assert torch.equal(of_token[:, :, 0], of_token[:, :, 1])
    assert (of_token[:, :, 0, 0] != of_token[:, :, 0, 1]).any()


def test_a_generator_learns_codes_of_several_quantizers() -> None:
    """Fine codes follow from the coarse ones, coarse ones from the condition."""
    torch.manual_seed(0)
    model = MaskedGenerator(dataclasses.replace(GENERATOR, condition_dropout=0.0))
    optimizer, random = torch.optim.AdamW(model.parameters(), lr=2e-3), _random(0)
    lengths, which = torch.full((32,), 6), torch.arange(32) % 2
    condition = Condition.single(torch.eye(6)[which])
    coarse = (which[:, None, None] * 5 + torch.arange(6)[:, None]).expand(32, 6, 2)
    tokens = torch.cat([coarse, (coarse + 3) % 12], 2).flatten(1)
    for _ in range(150):
        optimizer.zero_grad()
        model.losses(tokens, lengths, condition, random)["loss"].backward()
        optimizer.step()
    model.eval()
    options = SamplingOptions(guidance=1.0, temperature=0.0)
    drawn = sample(model, Condition.single(torch.eye(6)[:2]), lengths[:2], options, [_random(0), _random(1)])
    assert torch.equal(drawn, tokens[:2])
