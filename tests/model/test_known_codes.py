"""Known codes: which are known in training, and that a causal generator uses those that come later."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lamp_cli.model.generator import Condition, GeneratorConfig, MaskedGenerator, corrupt
from lamp_cli.model.known_codes import UNKNOWN, draw_known, know_all_but
from lamp_cli.model.sampling import SamplingOptions, sample

SMALL = GeneratorConfig(
    codes=8,
    condition_width=6,
    width=32,
    layers=2,
    heads=4,
    feed_forward=64,
    max_tokens=10,
    dropout=0.0,
    known_share=0.5,
)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _model(config: GeneratorConfig = SMALL) -> MaskedGenerator:
    torch.manual_seed(0)
    return MaskedGenerator(config).eval()


def _condition(count: int) -> Condition:
    return Condition.single(torch.randn(count, 6, generator=_random(1)))


@pytest.mark.parametrize("codebooks", [1, 2])
def test_a_share_of_the_clips_knows_some_of_its_codes_and_never_all(codebooks: int) -> None:
    lengths = torch.arange(1, 11).repeat(400)
    known = draw_known(lengths, 10, codebooks, 0.5, _random(0)).unflatten(1, (10, codebooks))
    inside = torch.arange(10) < lengths[:, None]
    assert not known[~inside].any()
    assert (known.flatten(1).sum(1) < codebooks * lengths).all()
    long = known[lengths > 5]
    # Some draws of those that may know something fall on an empty span: somewhat fewer than half.
    assert 0.4 < long.flatten(1).any(1).float().mean().item() < 0.5
    parts = (long[:, 1:] != long[:, :-1]).any(2).sum(1)
    spans = long.flatten(1).any(1) & (parts <= 2)
    assert spans.float().mean() > 0.3 and (parts > 2).any()
    by_codebook = (long.any(1) & ~long.any(1).all(1, keepdim=True)).any(1)
    assert by_codebook.any().item() is (codebooks == 2)


def test_no_share_is_a_generator_as_it_was() -> None:
    assert not draw_known(torch.tensor([5, 9]), 10, 2, 0.0, _random(0)).any()
    tokens, lengths, condition = torch.randint(8, (2, 10)), torch.tensor([10, 6]), _condition(2)
    knowing, plain = _model(), _model(replace(SMALL, known_share=0.0))
    missing, _ = knowing.load_state_dict(plain.state_dict(), strict=False)
    assert missing == ["known"]
    assert torch.equal(knowing(tokens, lengths, condition), plain(tokens, lengths, condition))
    known = torch.full((2, 10), UNKNOWN)
    torch.testing.assert_close(knowing(tokens, lengths, condition, known), plain(tokens, lengths, condition))


def test_of_a_clip_whose_sentence_is_about_a_span_all_else_is_known() -> None:
    lengths, drawn = torch.tensor([4, 3]), torch.zeros(2, 10, dtype=torch.bool)
    drawn[1, 1] = True
    known = know_all_but(torch.tensor([[1, 3], [0, 3]]), lengths, 2, drawn)
    assert known[0].tolist() == [True, True, False, False, False, False, True, True, False, False]
    assert torch.equal(known[1], drawn[1])


def test_known_codes_are_not_chosen() -> None:
    tokens, lengths = torch.randint(8, (500, 10), generator=_random(1)), torch.full((500,), 10)
    known = draw_known(lengths, 10, 1, 1.0, _random(2))
    inputs, chosen = corrupt(tokens, lengths, 8, _random(3), known)
    assert not (chosen & known).any() and chosen.any(1).all()
    assert torch.equal(inputs[known], tokens[known])


@pytest.mark.parametrize("causal", [True, False])
def test_what_is_known_later_tells_in_what_is_drawn_before(causal: bool) -> None:
    tokens, lengths = torch.randint(8, (1, 10), generator=_random(2)), torch.tensor([10])
    known = torch.full((1, 10), UNKNOWN)
    known[0, 8] = 3
    other = known.clone()
    other[0, 8] = 4
    for share in (0.5, 0.0):
        model = _model(replace(SMALL, known_share=share, causal=causal))
        first, second = (model(tokens, lengths, _condition(1), told) for told in (known, other))
        assert torch.equal(first[:, :8], second[:, :8]) is (share == 0)


def test_reading_what_is_known_once_changes_nothing() -> None:
    model, lengths = _model(replace(SMALL, codebooks=2)), torch.tensor([10, 7, 10])
    tokens = torch.randint(9, (3, 20), generator=_random(4))
    is_known = draw_known(lengths, 10, 2, 1.0, _random(5))
    known = tokens.clamp(max=7).masked_fill(~is_known, UNKNOWN)
    beginning = model.begin(_condition(3), lengths, known)
    cached = model.forward_cached(model.cache_beginning(beginning), tokens, lengths, beginning.mask)
    whole = model(tokens, lengths, _condition(3), known)
    real = (torch.arange(10) < lengths[:, None]).repeat_interleave(2, 1)
    torch.testing.assert_close(cached[real], whole[real])
    # The first tokens too may be read once.
    cache, mask = model.cache_tokens(model.cache_beginning(beginning), tokens[:, :6], lengths, beginning.mask)
    later = model.forward_cached(cache, tokens[:, 6:16], lengths, mask, first=3)
    torch.testing.assert_close(later[real[:, 6:16]], whole[:, 6:16][real[:, 6:16]])


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_samples_keep_what_is_known_and_do_not_hang_on_their_neighbours(guidance: float) -> None:
    model, lengths = _model(), torch.tensor([10, 6])
    known = torch.full((2, 10), UNKNOWN)
    known[0, [0, 1, 7, 9]] = torch.tensor([1, 2, 3, 4])
    known[1, 5] = 6
    options = SamplingOptions(steps=4, guidance=guidance)
    both = sample(model, _condition(2), lengths, options, [_random(0), _random(1)], known=known)
    assert torch.equal(both[known != UNKNOWN], known[known != UNKNOWN])
    shared = _condition(2).rows(torch.tensor([1]))
    alone = sample(model, shared, lengths[1:], options, [_random(1)], torch.tensor([0]), known[1:, :6])
    assert torch.equal(alone[0], both[1, :6])


def test_a_causal_generator_learns_to_begin_as_a_motion_ends() -> None:
    """Sequences of one code each: what comes before is known by what comes after alone."""
    model, draw = _model().train(), _random(7)
    lengths, nothing = torch.full((64,), 6), Condition.single(torch.zeros(64, 6))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        tokens = torch.randint(8, (64, 1), generator=draw).expand(-1, 6)
        optimiser.zero_grad()
        model.losses(tokens, lengths, nothing, draw)["loss"].backward()
        optimiser.step()
    known = torch.full((8, 6), UNKNOWN)
    known[:, 5] = torch.arange(8)
    drawn = sample(
        model.eval(),
        nothing.rows(torch.arange(8)),
        lengths[:8],
        SamplingOptions(steps=3, temperature=0.0),
        [_random(n) for n in range(8)],
        known=known,
    )
    assert torch.equal(drawn, torch.arange(8)[:, None].expand(-1, 6))


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="known_share: expected a share from 0 to 1"):
        replace(SMALL, known_share=1.5)
