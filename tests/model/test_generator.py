"""The generator: masking by the schedule, causality, decoding, and the length head."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from lamp_cli.model.generator import (
    Condition,
    GeneratorConfig,
    MaskedGenerator,
    corrupt,
    generator_loss,
    masked_share,
)
from lamp_cli.model.known_codes import UNKNOWN
from lamp_cli.model.length import LengthConfig, LengthHead
from lamp_cli.model.sampling import SamplingOptions, sample

SMALL = GeneratorConfig(
    codes=12, condition_width=6, width=32, layers=2, heads=4, feed_forward=64, max_tokens=10, dropout=0.0
)


def _nothing(count: int) -> Condition:
    """The null condition."""
    return Condition.single(torch.zeros(count, 6))


def _rows(condition: Condition, rows: slice) -> Condition:
    return Condition(condition.vectors[rows], condition.mask[rows])


def _model(causal: bool = True) -> MaskedGenerator:
    torch.manual_seed(0)
    config = GeneratorConfig(**{**SMALL.__dict__, "causal": causal})
    return MaskedGenerator(config).eval()


def _with_cache(
    model: MaskedGenerator,
    tokens: torch.Tensor,
    lengths: torch.Tensor,
    condition: Condition,
    known: torch.Tensor | None = None,
) -> torch.Tensor:
    """Logits as ``model`` gives, what stands before the codes being read once."""
    beginning = model.begin(condition, lengths, known)
    return model.forward_cached(model.cache_beginning(beginning), tokens, lengths, beginning.mask)


def _streams(count: int, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + i) for i in range(count)]


def test_cosine_schedule() -> None:
    ratios = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(
        masked_share(ratios), torch.tensor([1.0, math.sqrt(0.5), 0.0]), atol=1e-6, rtol=0
    )


def test_corruption_chooses_the_share_of_the_clips_own_length() -> None:
    lengths = torch.arange(1, 11).repeat(50)
    tokens = torch.zeros(500, 10, dtype=torch.long)
    _, chosen = corrupt(tokens, lengths, 12, torch.Generator().manual_seed(5))
    ratios = torch.rand(500, generator=torch.Generator().manual_seed(5)).tolist()
    expected = [
        max(1, round(math.cos(math.pi * r / 2) * n)) for r, n in zip(ratios, lengths.tolist(), strict=True)
    ]
    assert chosen.sum(1).tolist() == expected


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


@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_nothing(causal: bool) -> None:
    model = _model(causal)
    tokens = torch.randint(12, (2, 10), generator=torch.Generator().manual_seed(0))
    condition = Condition.single(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)))
    alone = model(tokens[:1, :4], torch.tensor([4]), _rows(condition, slice(1)))
    together = model(tokens, torch.tensor([4, 10]), condition)
    torch.testing.assert_close(together[0, :4], alone[0])
    tokens[0, 4:] = (tokens[0, 4:] + 5) % 12
    other_padding = model(tokens, torch.tensor([4, 10]), condition)
    torch.testing.assert_close(other_padding[0, :4], alone[0])


@pytest.mark.parametrize("causal", [True, False])
def test_causal_attention_sees_no_later_token(causal: bool) -> None:
    model = _model(causal)
    tokens = torch.randint(12, (1, 10), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[0, 6] = (tokens[0, 6] + 1) % 12
    lengths, condition = torch.tensor([10]), _nothing(1)
    before, after = model(tokens, lengths, condition), model(changed, lengths, condition)
    assert torch.allclose(before[0, :6], after[0, :6], atol=1e-5) is causal
    assert not torch.allclose(before[0, 6], after[0, 6], atol=1e-5)


def test_reading_the_condition_once_changes_nothing() -> None:
    model, draw = _model(), torch.Generator().manual_seed(3)
    words = torch.randn(2, 4, 6, generator=draw)
    condition = Condition(words, torch.tensor([[True] * 4, [True, True, False, False]])).with_null()
    tokens = torch.randint(13, (3, 10), generator=draw)
    lengths = torch.tensor([10, 7, 10])
    torch.testing.assert_close(
        _with_cache(model, tokens, lengths, condition)[:, :7], model(tokens, lengths, condition)[:, :7]
    )


@pytest.mark.parametrize("causal", [True, False])
def test_codes_see_every_word_and_no_padding_between_them(causal: bool) -> None:
    model = _model(causal)
    tokens, lengths = torch.randint(12, (1, 5)), torch.tensor([5])
    words = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(2))
    seen = torch.tensor([[True, True, True, False]])
    before = model(tokens, lengths, Condition(words, seen))
    for place in range(4):
        changed = words.clone()
        changed[0, place] += 1
        after = model(tokens, lengths, Condition(changed, seen))
        assert torch.equal(before[0, 0], after[0, 0]) is not bool(seen[0, place])
    short = model(tokens, lengths, Condition(words[:, :3], seen[:, :3]))
    assert torch.allclose(before, short, atol=1e-5)


def test_training_replaces_a_share_of_the_conditions_by_the_null_condition() -> None:
    """Classifier-free guidance needs both (Ho and Salimans 2022)."""
    torch.manual_seed(0)
    codes, lengths = torch.randint(SMALL.codes, (64, 8)), torch.full((64,), 8)
    one, other = torch.randn(64, SMALL.condition_width), torch.randn(64, SMALL.condition_width)

    def loss(share: float, vectors: torch.Tensor) -> float:
        model = _model()
        model.config = dataclasses.replace(SMALL, condition_dropout=share)
        condition = Condition.single(vectors)
        losses = model.losses(codes, lengths, condition, torch.Generator().manual_seed(1))
        return float(losses["loss"].detach())

    assert loss(1.0, one) == loss(1.0, other) == loss(0.0, torch.zeros_like(one))
    assert len({loss(0.0, one), loss(0.5, one), loss(1.0, one)}) == 3


def test_the_null_condition_is_one_vector_of_zeros() -> None:
    words = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(2))
    condition = Condition(words, torch.tensor([[True, True, False], [True, True, True]]))
    half = condition.with_dropout(torch.tensor([False, True]))
    assert torch.equal(half.vectors[1], words[1]) and not half.vectors[0].any()
    assert half.mask.tolist() == [[True, False, False], [True, True, True]]
    both = condition.with_null()
    assert torch.equal(both.vectors, torch.cat([words, torch.zeros(1, 3, 6)]))
    assert both.mask[2:].tolist() == [[True, False, False]]
    again = both.rows(torch.tensor([2, 0, 0]))
    assert torch.equal(again.vectors, torch.stack([torch.zeros(3, 6), words[0], words[0]]))
    assert again.mask.tolist() == [[True, False, False], *[[True, True, False]] * 2]


@pytest.mark.parametrize("causal", [True, False])
def test_neighbours_in_a_batch_do_not_change_a_sample(causal: bool) -> None:
    model = _model(causal)
    condition = Condition.single(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    lengths = torch.tensor([4, 10, 7])
    streams, untouched = _streams(3), torch.get_rng_state()
    together = sample(model, condition, lengths, SamplingOptions(), streams)
    assert torch.equal(torch.get_rng_state(), untouched)
    for row, own in enumerate(lengths.tolist()):
        stream = _streams(1, first=row)
        rows = slice(row, row + 1)
        alone = sample(model, _rows(condition, rows), lengths[rows], SamplingOptions(), stream)
        assert torch.equal(together[row, :own], alone[0])
        # As many numbers drawn alone as in company: the batch's padded length does not count.
        assert torch.equal(stream[0].get_state(), streams[row].get_state())
    again = sample(model, condition, lengths, SamplingOptions(), _streams(3))
    assert torch.equal(together, again)
    other = sample(model, condition, lengths, SamplingOptions(), _streams(3, first=9))
    assert not torch.equal(together, other)


def test_kept_tokens_are_never_masked_again_and_rounds_follow_the_schedule() -> None:
    model = _model()
    seen: list[torch.Tensor] = []
    model.codes.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:2, :, 0].clone()))
    condition = Condition.single(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)))
    drawn = sample(model, condition, torch.tensor([10, 6]), SamplingOptions(steps=6), _streams(2))
    for row, length in enumerate([10, 6]):
        rounds = [tokens[row, :length] for tokens in seen]
        masked = [int((tokens == 12).sum()) for tokens in rounds]
        assert masked == [max(1, round(math.cos(math.pi * i / 10) * length)) for i in range(6)]
        for before, after in pairwise([*rounds, drawn[row, :length]]):
            kept = before != 12
            assert torch.equal(before[kept], after[kept])


@pytest.mark.parametrize("causal", [True, False])
def test_known_codes_stay_and_the_others_are_drawn_after_them(causal: bool) -> None:
    model = _model(causal)
    seen: list[torch.Tensor] = []
    model.codes.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:2, :, 0].clone()))
    condition = Condition.single(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)))
    known, lengths = torch.tensor([[3, 7, 11], [0, 5, 2]]), torch.tensor([10, 6])
    drawn = sample(model, condition, lengths, SamplingOptions(steps=6), _streams(2), known=known)
    # A causal generator reads them once; the other one in every round.
    told = seen[:1] if causal else [each[:, :3] for each in seen]
    rounds = torch.stack(seen[1:] if causal else seen)[:, :, -7:]
    assert torch.equal(drawn[:, :3], known) and all(torch.equal(each, known) for each in told)
    for row, own in enumerate([7, 3]):
        masked = (rounds[:, row, :own] == 12).sum(1)
        assert masked.tolist() == [max(1, round(math.cos(math.pi * i / 10) * own)) for i in range(6)]
        rows = slice(row, row + 1)
        alone = sample(
            model,
            _rows(condition, rows),
            lengths[rows],
            SamplingOptions(steps=6),
            _streams(1, first=row),
            known=known[rows],
        )
        assert torch.equal(alone[0, : 3 + own], drawn[row, : 3 + own])
    # What comes before tells in what follows.
    other = sample(model, condition, lengths, SamplingOptions(steps=6), _streams(2), known=(known + 1) % 12)
    assert not torch.equal(other[0, 3:], drawn[0, 3:])
    with pytest.raises(ValueError, match="known: expected fewer codes than a sample has, found all"):
        sample(model, condition, torch.tensor([10, 3]), SamplingOptions(), _streams(2), known=known)


class _Certain(torch.nn.Module):
    """A model whose code at position i is code i, less certain the later i is."""

    config = dataclasses.replace(SMALL, causal=False)
    mask_token = SMALL.codes

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor,
        condition: Condition,
        known: object = None,
    ) -> torch.Tensor:
        self.seen.append(tokens[0].clone())
        length = tokens.shape[1]
        certainty = torch.arange(length, 0, -1, dtype=torch.float)
        logits = F.one_hot(torch.arange(length), SMALL.codes) * certainty[:, None]
        return logits.expand(len(tokens), -1, -1)


def test_the_least_confident_are_drawn_again_by_their_unfiltered_share() -> None:
    model = _Certain()
    # One code survives the filter: were confidence taken after it, all would be equally certain.
    options = SamplingOptions(steps=4, guidance=3.0, top_fraction=1e-6)
    drawn = sample(model, _nothing(1), torch.tensor([10]), options, _streams(1))  # type: ignore[arg-type]
    assert drawn[0].tolist() == list(range(10))
    for tokens in model.seen:
        masked = int((tokens == 12).sum())
        assert tokens.tolist() == [*range(10 - masked), *[12] * masked]


def test_only_the_likeliest_share_of_the_codes_is_drawn() -> None:
    condition, lengths = _nothing(200), torch.full((200,), 3)
    for kept in (1, 3, 12):
        options = SamplingOptions(steps=1, guidance=1.0, temperature=1e6, top_fraction=kept / 12)
        drawn = sample(_Distinct(), condition, lengths, options, _streams(200))  # type: ignore[arg-type]
        assert set(drawn.flatten().tolist()) == set(range(12 - kept, 12))


class _Distinct(_Certain):
    """A model that likes code 11 best, then 10, and so on."""

    def forward(
        self, tokens: torch.Tensor, lengths: torch.Tensor, condition: Condition, known: object = None
    ) -> torch.Tensor:
        return torch.arange(12.0).expand(*tokens.shape, 12)


def _first_codes(model: MaskedGenerator, condition: Condition, guidance: float | None) -> torch.Tensor:
    """The likeliest codes of one round, from all masked."""
    options = SamplingOptions(steps=1, guidance=guidance, temperature=0.0)
    lengths = torch.full((len(condition.vectors),), 10)
    return sample(model, condition, lengths, options, _streams(len(condition.vectors)))


def test_guidance_weighs_the_conditional_against_the_null_condition() -> None:
    model = _model()
    condition = Condition.single(torch.randn(8, 6, generator=torch.Generator().manual_seed(1)) * 20)
    masked, lengths = torch.full((8, 10), 12), torch.full((8,), 10)
    conditional = model(masked, lengths, condition)
    null = model(masked, lengths, _nothing(8))
    choices = [null.argmax(-1), conditional.argmax(-1), (4 * conditional - 3 * null).argmax(-1)]
    assert not torch.equal(choices[0], choices[1]) and not torch.equal(choices[1], choices[2])
    for guidance, expected in zip([0.0, 1.0, 4.0], choices, strict=True):
        assert torch.equal(_first_codes(model, condition, guidance), expected)


def _knowing(causal: bool = True, learned: bool = True) -> MaskedGenerator:
    """The same model, its tokens knowing how many come after them."""
    knowing = MaskedGenerator(dataclasses.replace(SMALL, causal=causal, remaining_tokens=True)).eval()
    missing = knowing.load_state_dict(_model(causal).state_dict(), strict=False).missing_keys
    assert missing == ["remaining.weight"]
    if learned:
        torch.nn.init.normal_(knowing.remaining.weight, generator=torch.Generator().manual_seed(4))
    return knowing


@pytest.mark.parametrize("causal", [True, False])
def test_tokens_know_how_many_come_after_them_once_they_have_learned_to(causal: bool) -> None:
    tokens = torch.randint(12, (2, 10), generator=torch.Generator().manual_seed(0))
    condition, lengths = _nothing(2), torch.tensor([10, 7])
    unaware, beginner, knowing = _model(causal), _knowing(causal, learned=False), _knowing(causal)
    assert torch.equal(beginner(tokens, lengths, condition), unaware(tokens, lengths, condition))
    # To one that does not know it is all the same how much follows, if attention is causal.
    for model, same in ((unaware, causal), (knowing, False)):
        longer = model(tokens[1:], torch.tensor([10]), _nothing(1))
        assert torch.allclose(model(tokens, lengths, condition)[1, :1], longer[0, :1], atol=1e-5) is same
    # Three remain after the seventh of ten as after the fourth of seven, and none after the last.
    seen = []
    knowing.remaining.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].tolist()))
    knowing(tokens, lengths, condition)
    assert seen == [[[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [6, 5, 4, 3, 2, 1, 0, 0, 0, 0]]]


@pytest.mark.parametrize("causal", [True, False])
def test_samples_that_know_their_length_do_not_hang_on_their_neighbours(causal: bool) -> None:
    model, lengths = _knowing(causal), torch.tensor([4, 10, 7])
    condition = Condition.single(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    together = sample(model, condition, lengths, SamplingOptions(), _streams(3))
    for row, own in enumerate(lengths.tolist()):
        rows = slice(row, row + 1)
        alone = sample(
            model, _rows(condition, rows), lengths[rows], SamplingOptions(), _streams(1, first=row)
        )
        assert torch.equal(together[row, :own], alone[0])


def test_a_generator_has_a_guidance_of_its_own_unless_another_is_asked_for() -> None:
    model = _model()
    condition = Condition.single(torch.randn(8, 6, generator=torch.Generator().manual_seed(1)) * 20)
    drawn = {}
    for own, asked in ((4.0, None), (0.0, None), (0.0, 4.0)):
        model.config = dataclasses.replace(model.config, guidance=own)
        drawn[own, asked] = _first_codes(model, condition, asked)
    assert torch.equal(drawn[4.0, None], drawn[0.0, 4.0])
    assert not torch.equal(drawn[4.0, None], drawn[0.0, None])
    with pytest.raises(ValueError, match="guidance: expected a finite number, found nan"):
        dataclasses.replace(model.config, guidance=math.nan)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_samples_of_one_condition_share_what_is_made_of_it(causal: bool, guidance: float) -> None:
    model, options = _model(causal), SamplingOptions(guidance=guidance)
    condition = Condition.single(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)) * 20)
    rows, lengths = torch.tensor([1, 0, 1, 1]), torch.tensor([4, 10, 7, 10])
    shared = sample(model, condition, lengths, options, _streams(4), rows)
    each = sample(model, condition.rows(rows), lengths, options, _streams(4))
    for row, own in enumerate(lengths.tolist()):
        assert torch.equal(shared[row, :own], each[row, :own])
    with pytest.raises(ValueError, match="found 3 conditions, 4 lengths and 4 generators"):
        sample(model, condition, lengths, options, _streams(4), rows[:3])


def test_nothing_is_computed_for_padding() -> None:
    model, rows = _model(), []
    model.blocks[0].up.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape))
    condition = Condition.single(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    sample(model, condition, torch.tensor([4, 10, 7]), SamplingOptions(steps=2), _streams(3))
    # Three conditions and the null one; what is made of [MASK] alone, of the longest; all samples, twice.
    assert rows == [(4, 32), (40, 32), (42, 32)]


def test_guidance_of_one_runs_the_conditional_model_alone() -> None:
    model = _model()
    calls: list[int] = []
    model.codes.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    options = SamplingOptions(steps=2, guidance=1.0)
    sample(model, _nothing(1), torch.tensor([5]), options, _streams(1))
    assert calls == [1, 1]


def test_loss_and_accuracy_are_means_over_the_chosen_positions() -> None:
    logits = torch.zeros(1, 3, 12)
    logits[0, 0, 4] = 2.0
    logits[0, 2, 7] = 50.0
    tokens, chosen = torch.tensor([[4, 9, 0]]), torch.tensor([[True, True, False]])
    result = generator_loss(logits, tokens, chosen)
    first, second = math.log(math.exp(2) + 11) - 2, math.log(12)
    assert result["loss"].item() == pytest.approx((first + second) / 2, abs=1e-5)
    assert result["accuracy"].item() == 0.5


@pytest.mark.parametrize("quantizers", [1, 2])
def test_what_is_computed_for_chosen_codes_alone_is_what_all_codes_give(quantizers: int) -> None:
    torch.manual_seed(0)
    sizes = dataclasses.replace(SMALL, codebooks=2 * quantizers, quantizers=quantizers, known_share=0.5)
    model = MaskedGenerator(sizes)
    words = torch.rand(40, 3) < 0.7
    words[:, 0] = True
    condition = Condition(torch.randn(40, 3, 6), words)
    lengths = torch.randint(1, 11, (40,))
    tokens = torch.randint(12, (40, 10 * sizes.codebooks))
    known = tokens.masked_fill(torch.rand(tokens.shape) < 0.8, UNKNOWN)
    chosen = (torch.rand(tokens.shape) < 0.3) & (known == UNKNOWN)
    chosen &= torch.arange(tokens.shape[1]) < sizes.codebooks * lengths[:, None]

    def by_codebook(of_codes: torch.Tensor) -> torch.Tensor:
        return of_codes.unflatten(1, (-1, sizes.codebooks)).movedim(2, 0)

    alone = model.logits_of_chosen(tokens, lengths, condition, known, chosen)
    every = by_codebook(model(tokens, lengths, condition, known))[by_codebook(chosen)]
    torch.testing.assert_close(alone, every, atol=1e-5, rtol=1e-5)
    weights = torch.randn(alone.shape)
    found, expected = (
        torch.autograd.grad((logits * weights).sum(), model.parameters()) for logits in (alone, every)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("codebooks", [1, 2])
def test_the_loss_of_chosen_codes_is_that_of_all_logits(codebooks: int) -> None:
    torch.manual_seed(0)
    model = MaskedGenerator(dataclasses.replace(SMALL, codebooks=codebooks))
    tokens, lengths = torch.randint(12, (64, 10 * codebooks)), torch.randint(1, 11, (64,))
    found = model.losses(tokens, lengths, _nothing(64), torch.Generator().manual_seed(3))
    fineness = model.config.fineness(tokens.shape[1])
    stream = torch.Generator().manual_seed(3)
    inputs, chosen = corrupt(tokens, codebooks * lengths, 12, stream, None, fineness)
    expected = generator_loss(model(inputs, lengths, _nothing(64)), tokens, chosen)
    for name in ("loss", "accuracy"):
        assert found[name].item() == pytest.approx(expected[name].item(), rel=1e-5)


def test_it_learns_sequences_by_their_condition_and_samples_them() -> None:
    torch.manual_seed(0)
    model = MaskedGenerator(SMALL)
    tokens = torch.randint(12, (4, 10), generator=torch.Generator().manual_seed(3))
    condition, lengths = Condition.single(torch.eye(6)[:4]), torch.tensor([10, 8, 6, 10])
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
        _model()(torch.zeros(1, 11, dtype=torch.long), torch.tensor([11]), _nothing(1))


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"guidance": math.nan},
        {"temperature": -1.0},
        {"temperature": math.inf},
        {"top_fraction": 0},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected"):
        SamplingOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "lengths", "streams", "message"),
    [
        (_nothing(2), [3, 0], 2, "expected 1 to 10 tokens, found 0 to 3"),
        (_nothing(2), [3, 11], 2, "expected 1 to 10 tokens, found 3 to 11"),
        (_nothing(2), [3, 4], 1, "2 conditions, 2 lengths and 1 generators"),
        (_nothing(0), [], 0, "expected one for each of 0 clips"),
        (Condition.single(torch.full((1, 6), math.nan)), [3], 1, "NaN or infinity"),
    ],
)
def test_bad_batches_are_refused(
    condition: Condition, lengths: list[int], streams: int, message: str
) -> None:
    own = torch.tensor(lengths, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        sample(_model(), condition, own, SamplingOptions(), _streams(streams))


@pytest.mark.parametrize(("share", "expected"), [(0.5, [0.1, 0.6, 0.3]), (1.0, [0.3, 0.3, 0.4])])
def test_lengths_are_drawn_from_the_middle_with_each_sentences_stream(
    share: float, expected: list[float]
) -> None:
    torch.manual_seed(0)
    head = LengthHead(LengthConfig(4, 16, 6, 8, drawn_share=share)).eval()
    torch.nn.init.zeros_(head.output.weight)
    head.output.bias.data = torch.tensor([0.3, 0.3, 0.4]).log()
    text = torch.randn(1, 4).repeat(3000, 1)
    drawn = head.sample(text, _streams(3000))
    assert torch.equal(drawn, head.sample(text, _streams(3000)))
    assert torch.equal(drawn[7:8], head.sample(text[:1], _streams(1, first=7)))
    shares = torch.bincount(drawn, minlength=9)[6:] / 3000
    # Of the half from 0.25 to 0.75: 0.05 of the shortest, all 0.3 of the next, 0.15 of the longest.
    torch.testing.assert_close(shares, torch.tensor(expected), atol=0.03, rtol=0)


def test_a_certain_length_is_the_length_drawn() -> None:
    for sure in range(4):
        head = LengthHead(LengthConfig(text_width=4, width=16, min_tokens=6, max_tokens=9)).eval()
        torch.nn.init.zeros_(head.output.weight)
        head.output.bias.data = 200.0 * F.one_hot(torch.tensor(sure), 4)
        assert set(head.sample(torch.randn(50, 4), _streams(50)).tolist()) == {6 + sure}


def test_length_head_refuses_bad_input() -> None:
    head = LengthHead(LengthConfig(text_width=4, width=16)).eval()
    with pytest.raises(ValueError, match="2 sentences and 1 generators"):
        head.sample(torch.zeros(2, 4), _streams(1))
    with pytest.raises(ValueError, match="NaN or infinity"):
        head.sample(torch.full((1, 4), math.nan), _streams(1))
    with pytest.raises(ValueError, match="found 10 and 9"):
        LengthConfig(max_tokens=9)


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


def test_a_token_may_have_a_code_of_each_of_two_codebooks() -> None:
    torch.manual_seed(0)
    model = MaskedGenerator(dataclasses.replace(SMALL, codebooks=2)).eval()
    lengths = torch.tensor([3, 5])
    codes = torch.randint(12, (2, 10), generator=torch.Generator().manual_seed(1))
    logits = model(codes, lengths, _nothing(2))
    assert logits.shape == (2, 10, 12)
    # The two codes of a token are read together, and none of a later token.
    for place, changed in ((4, {4, 5, 6, 7, 8, 9}), (5, {4, 5, 6, 7, 8, 9}), (9, {8, 9})):
        other = codes.clone()
        other[1, place] = (other[1, place] + 1) % 12
        moved = (model(other, lengths, _nothing(2)) - logits)[1].abs().amax(-1) > 1e-6
        assert set(moved.nonzero()[:, 0].tolist()) == changed
    # The same number in the two codebooks is not the same code.
    swapped = codes.clone()
    swapped[1, 8:] = codes[1, 8:].flip(0)
    assert codes[1, 8] != codes[1, 9]
    assert not torch.allclose(model(swapped, lengths, _nothing(2))[1, 8:], logits[1, 8:])
    torch.testing.assert_close(_with_cache(model, codes, lengths, _nothing(2)), logits)
    drawn = sample(model, _nothing(2), lengths, SamplingOptions(), _streams(2))
    assert drawn.shape == (2, 10)
    assert (drawn[1] < 12).all()
    alone = sample(model, _nothing(1), lengths[:1], SamplingOptions(), _streams(1))
    assert torch.equal(drawn[0, :6], alone[0])


def test_codes_of_two_codebooks_are_masked_one_by_one() -> None:
    torch.manual_seed(0)
    model = MaskedGenerator(dataclasses.replace(SMALL, codebooks=2))
    tokens = torch.randint(12, (64, 20), generator=torch.Generator().manual_seed(1))
    lengths = torch.full((64,), 7)
    losses = model.losses(tokens, lengths, _nothing(64), torch.Generator().manual_seed(3))
    assert float(losses["loss"].detach()) == pytest.approx(math.log(12), abs=0.2)
    _, chosen = corrupt(tokens, 2 * lengths, 12, torch.Generator().manual_seed(3))
    assert not chosen[:, 14:].any()
    pairs = chosen[:, :14].unflatten(1, (7, 2)).sum(-1)
    assert (pairs == 1).any()
