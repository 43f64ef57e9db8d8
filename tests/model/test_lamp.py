"""The Q-Former and LaMP's four objectives: who sees whom, padding, negatives, closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lamp_cli.model.lamp import (
    OBJECTIVES,
    PAPER_WEIGHTS,
    POSITION_AMPLITUDE,
    POSITION_BASE,
    Lamp,
    LampConfig,
    Orders,
    PretrainingBatch,
    draw_hard_negatives,
    motion_text_similarity,
    negatives_allowed,
    sinusoids,
)
from lamp_cli.model.qformer import Context, QFormerConfig, SelfAttention, Text, self_attention_mask

SMALL = QFormerConfig(
    vocabulary=40,
    width=16,
    layers=2,
    heads=4,
    feed_forward=32,
    query_tokens=6,
    text_tokens=8,
    context_width=8,
    dropout=0.0,
)


def _lamp(**settings: Any) -> Lamp:
    torch.manual_seed(0)
    return Lamp(LampConfig(qformer=SMALL, codes=10, embedding_width=12, **settings), decoder_token=4)


def _pairs(size: int = 4) -> PretrainingBatch:
    draw = torch.Generator().manual_seed(1)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2] * (size // 2))
    text_mask = torch.tensor([[True] * 7, [True] * 5 + [False] * 2] * (size // 2))
    return PretrainingBatch(
        torch.randn(size, 6, 8, generator=draw),
        mask,
        torch.randint(10, (size, 6), generator=draw),
        Text(torch.randint(5, 40, (size, 7), generator=draw), text_mask),
        torch.arange(size),
        torch.arange(size),
    )


def test_nothing_is_computed_for_the_padding_of_sentences() -> None:
    lamp, pairs, rows = _lamp(label_smoothing=0.1, weights={"text_generation": 1.0}), _pairs(), []
    lamp.qformer.layers[0].text_feed.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape))
    words = lamp.qformer.text(pairs.text)
    assert rows == [(2 * 7 + 2 * 5, 16)]
    assert not words[~pairs.text.mask].any()
    # Words to predict are counted without the first, which is given.
    lamp.word_transform.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape))
    losses = lamp(pairs, torch.Generator())
    assert rows[-1] == (2 * 6 + 2 * 4, 16)
    _, logits, target = lamp.teacher_forced_logits(Context(pairs.latents, pairs.motion_mask), pairs.text)
    expected = F.cross_entropy(logits.flatten(0, 1), target.flatten(), label_smoothing=0.1)
    torch.testing.assert_close(losses["loss"], expected)


def test_nothing_is_computed_for_the_padding_of_a_sentence_beside_a_motion() -> None:
    lamp, pairs, rows = _lamp(), _pairs(), []
    motion = Context(pairs.latents, pairs.motion_mask)
    lamp.qformer.layers[0].text_feed.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape))
    for attention in SelfAttention:
        rows.clear()
        queries, words = lamp.qformer.both(motion, pairs.text, attention)
        assert rows == [(2 * 7 + 2 * 5, 16)] and not words[~pairs.text.mask].any()
        for k, count in enumerate(pairs.text.mask.sum(1)):
            own = Context(motion.vectors[k : k + 1], motion.mask[k : k + 1])
            text = Text(pairs.text.ids[k : k + 1, :count], pairs.text.mask[k : k + 1, :count])
            alone = lamp.qformer.both(own, text, attention)
            torch.testing.assert_close(queries[k : k + 1], alone[0])
            torch.testing.assert_close(words[k : k + 1, :count], alone[1])


def test_queries_beside_a_text_are_computed_without_the_texts_last_feed_forward() -> None:
    lamp, pairs = _lamp(), _pairs()
    motion = Context(pairs.latents, pairs.motion_mask)
    queries, _ = lamp.qformer.both(motion, pairs.text, SelfAttention.BIDIRECTIONAL)
    calls: list[int] = []
    for number, layer in enumerate(lamp.qformer.layers):
        layer.text_feed.register_forward_hook(lambda *_, number=number: calls.append(number))
    assert torch.equal(lamp.qformer.motion_beside(motion, pairs.text), queries)
    assert calls == [*range(len(lamp.qformer.layers) - 1)]


@pytest.mark.parametrize("text_attention", [False, True])
def test_padding_of_motion_and_text_changes_nothing(text_attention: bool) -> None:
    lamp = _lamp(text_attention=text_attention)
    pairs = _pairs()
    motion = Context(pairs.latents, pairs.motion_mask)
    cut = Context(pairs.latents[1:2, :4], pairs.motion_mask[1:2, :4])
    torch.testing.assert_close(lamp.embed_motion(motion)[1], lamp.embed_motion(cut)[0])
    short = Text(pairs.text.ids[1:2, :5], pairs.text.mask[1:2, :5])
    torch.testing.assert_close(lamp.embed_text(pairs.text)[1], lamp.embed_text(short)[0])
    torch.testing.assert_close(
        lamp.matching_logits(motion, pairs.text)[1], lamp.matching_logits(cut, short)[0]
    )
    for transformed in (False, True):
        lamp = _lamp(transformed_text=transformed)
        long, cut_words = (lamp.code_logits(text, lamp.qformer.text(text)) for text in (pairs.text, short))
        torch.testing.assert_close(long[1], cut_words[0])


@pytest.mark.parametrize(("dropout", "rows"), [(0.0, 1), (0.5, 4)])
def test_query_tokens_attend_to_each_other_once_for_all_motions(dropout: float, rows: int) -> None:
    torch.manual_seed(0)
    lamp = Lamp(LampConfig(replace(SMALL, dropout=dropout), codes=10, embedding_width=12), decoder_token=4)
    sizes: list[int] = []
    first = lamp.qformer.layers[0].attention
    first.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    pairs = _pairs()
    motion = Context(pairs.latents, pairs.motion_mask)
    together = lamp.qformer.motion(motion)
    assert sizes == [rows] and together.shape == (4, 6, 16)
    lamp.eval()
    each = [
        lamp.qformer.motion(Context(v[None], m[None]))
        for v, m in zip(pairs.latents, pairs.motion_mask, strict=True)
    ]
    torch.testing.assert_close(lamp.qformer.motion(motion), torch.cat(each))


def test_queries_see_an_order_only_with_motion_positions() -> None:
    """Without, a motion told backwards is the same to them, and so it is with every shuffle of its tokens."""
    pairs = _pairs()
    shuffled = pairs.latents[:, [3, 0, 5, 1, 4, 2]]
    whole = torch.ones_like(pairs.motion_mask)
    for seen in (False, True):
        lamp = _lamp(motion_positions=seen)
        one, other = (
            lamp.embed_motion(lamp.motion_context(latents, whole)) for latents in (pairs.latents, shuffled)
        )
        assert torch.allclose(one, other, atol=1e-5) is not seen


def test_motion_positions_do_not_depend_on_what_a_batch_is_padded_to() -> None:
    lamp, pairs = _lamp(motion_positions=True), _pairs()
    long = lamp.embed_motion(lamp.motion_context(pairs.latents, pairs.motion_mask))
    short = lamp.embed_motion(lamp.motion_context(pairs.latents[1:2, :4], pairs.motion_mask[1:2, :4]))
    torch.testing.assert_close(long[1], short[0])


def test_places_are_the_sines_and_cosines_of_their_number() -> None:
    lamp = _lamp(motion_positions=True)
    latents = torch.zeros(1, 6, 8)
    placed = lamp.motion_context(latents, torch.ones(1, 6, dtype=torch.bool)).vectors[0]
    for place in range(6):
        for pair in range(4):
            angle = place / POSITION_BASE ** (2 * pair / 8)
            expected = torch.tensor([math.sin(angle), math.cos(angle)])
            torch.testing.assert_close(placed[place, 2 * pair : 2 * pair + 2], POSITION_AMPLITUDE * expected)
    torch.testing.assert_close(sinusoids(6, 8) * POSITION_AMPLITUDE, placed)


def test_the_likelihood_of_a_sentence_is_that_of_its_words_one_by_one() -> None:
    lamp, pairs = _lamp().eval(), _pairs()
    motion = Context(pairs.latents, pairs.motion_mask)
    queries, found = lamp.log_likelihood(motion, pairs.text)
    torch.testing.assert_close(queries, lamp.qformer.motion(motion))
    for row, length in ((0, 7), (1, 5)):
        alone = Context(pairs.latents[row : row + 1], pairs.motion_mask[row : row + 1])
        total = torch.zeros(())
        for place in range(1, length):
            ids = pairs.text.ids[row : row + 1, :place].clone()
            ids[:, 0] = lamp.decoder_token
            begun = Text(ids, torch.ones_like(ids, dtype=torch.bool))
            _, words = lamp.qformer.both(alone, begun, SelfAttention.MULTIMODAL_CAUSAL)
            total = total + lamp.word_logits(words)[0, -1].log_softmax(-1)[pairs.text.ids[row, place]]
        torch.testing.assert_close(found[row], total)


def test_a_sentence_to_be_generated_is_seen_causally_and_never_by_the_queries() -> None:
    lamp = _lamp()
    pairs = _pairs()
    motion = Context(pairs.latents, pairs.motion_mask)
    changed = pairs.text.ids.clone()
    changed[:, 4] = 39
    before = lamp.qformer.both(motion, pairs.text, SelfAttention.MULTIMODAL_CAUSAL)
    after = lamp.qformer.both(motion, Text(changed, pairs.text.mask), SelfAttention.MULTIMODAL_CAUSAL)
    torch.testing.assert_close(before[0], after[0])
    torch.testing.assert_close(before[1][:, :4], after[1][:, :4])
    assert (before[1][:, 4] - after[1][:, 4]).abs().max() > 1e-3
    torch.testing.assert_close(before[0], lamp.qformer.motion(motion))


def test_self_attention_masks_by_hand() -> None:
    text_mask = torch.tensor([[True, True, False]])
    causal = self_attention_mask(1, text_mask, SelfAttention.MULTIMODAL_CAUSAL)[0, 0].int().tolist()
    assert causal == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    both = self_attention_mask(1, text_mask, SelfAttention.BIDIRECTIONAL)[0, 0].int().tolist()
    assert both == [[1, 1, 1, 0]] * 4


def test_similarity_takes_the_best_query() -> None:
    motions = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.6, 0.8]]])
    texts = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    torch.testing.assert_close(motion_text_similarity(motions, texts), torch.tensor([[1.0, 1.0], [0.8, 0.6]]))


def test_hard_negatives_share_neither_clip_nor_caption() -> None:
    allowed = negatives_allowed(torch.tensor([0, 1, 2, 3]), torch.tensor([0, 0, 1, 2]))
    assert allowed.tolist()[0] == [False, False, True, True]
    weights = torch.zeros(4, 4)
    # The positive and its twin look best by far, and still must never be drawn.
    weights[0, :2] = 50.0
    weights[0, 2] = math.log(3.0)
    draws = torch.tensor(
        [
            draw_hard_negatives(weights, allowed, torch.Generator().manual_seed(s))[0][0].item()
            for s in range(2000)
        ]
    )
    assert set(draws.tolist()) == {2, 3}
    # Softmax of (ln 3, 0) is (3/4, 1/4); 2,000 draws have a standard deviation of 1 %.
    assert (draws == 2).float().mean().item() == pytest.approx(0.75, abs=0.05)


def test_rows_without_a_negative_do_not_count() -> None:
    same = negatives_allowed(torch.arange(3), torch.zeros(3))
    _, exists = draw_hard_negatives(torch.zeros(3, 3), same, torch.Generator())
    assert exists.tolist() == [0.0, 0.0, 0.0]


def test_losses_start_near_those_of_a_blind_guess() -> None:
    losses = _lamp()(_pairs(), torch.Generator().manual_seed(0))
    assert float(losses["matching"].detach()) == pytest.approx(math.log(2), abs=0.1)
    assert float(losses["motion_generation"].detach()) == pytest.approx(math.log(10), abs=0.1)
    assert float(losses["text_generation"].detach()) == pytest.approx(math.log(40), abs=0.2)


@pytest.mark.parametrize("off", ["contrastive", "matching", "text_generation", "motion_generation"])
def test_each_objective_can_be_switched_off(off: str) -> None:
    losses = _lamp(weights={**PAPER_WEIGHTS, off: 0.0})(_pairs(), torch.Generator().manual_seed(0))
    assert off not in losses
    assert len([n for n in losses if n not in ("loss", "temperature")]) == 3
    full = _lamp()(_pairs(), torch.Generator().manual_seed(0))
    for name in losses.keys() - {"loss", "temperature"}:
        torch.testing.assert_close(losses[name], full[name])


def test_the_loss_is_the_weighted_sum_and_a_further_objective_needs_one_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = {"contrastive": 0.5, "matching": 2.0, "squares": 3.0}
    monkeypatch.setitem(OBJECTIVES, "squares", lambda step: step.queries.square().mean())
    losses = _lamp(weights=weights)(_pairs(), torch.Generator().manual_seed(0))
    assert set(losses) == {"loss", "temperature", *weights}
    torch.testing.assert_close(losses["loss"], sum(weights[name] * losses[name] for name in weights))
    with pytest.raises(ValueError, match=r"weights\.matching: expected a finite number from 0, found -1"):
        LampConfig(weights={"matching": -1.0})
    with pytest.raises(ValueError, match="every objective is switched off"):
        _lamp(weights={"paraphrase": 1.0})(_pairs(), torch.Generator())


def test_padded_codes_do_not_enter_the_loss() -> None:
    lamp, pairs = _lamp(), _pairs()
    garbage = PretrainingBatch(
        pairs.latents,
        pairs.motion_mask,
        pairs.codes.masked_fill(~pairs.motion_mask, 3),
        pairs.text,
        pairs.captions,
        pairs.clips,
    )
    one = lamp(pairs, torch.Generator().manual_seed(0))["motion_generation"]
    two = lamp(garbage, torch.Generator().manual_seed(0))["motion_generation"]
    torch.testing.assert_close(one, two)


def test_the_paraphrase_loss_is_the_contrastive_loss_between_sentences() -> None:
    lamp = _lamp(weights={"paraphrase": 1.0}).eval()
    pairs = _pairs()
    draw = torch.Generator().manual_seed(2)
    other = Text(torch.randint(5, 40, (4, 6), generator=draw), torch.ones(4, 6, dtype=torch.bool))
    losses = lamp(replace(pairs, paraphrases=(pairs.text, other)), torch.Generator())
    logits = lamp.embed_text(pairs.text) @ lamp.embed_text(other).T / lamp.temperature
    smooth = torch.full((4, 4), 0.1 / 4) + 0.9 * torch.eye(4)
    by_hand = sum(-(smooth * table.log_softmax(1)).sum(1).mean() for table in (logits, logits.T)) / 2
    torch.testing.assert_close(losses["paraphrase"], by_hand)
    torch.testing.assert_close(losses["loss"], by_hand)


def test_motions_of_one_sentence_may_be_no_negatives_of_each_other() -> None:
    lamp, pairs = _lamp(equal_sentences_match=True).eval(), _pairs()
    same = replace(pairs, captions=torch.tensor([0, 1, 0, 2]))
    motions = lamp.embed_motion(lamp.motion_context(pairs.latents, pairs.motion_mask))
    logits = motion_text_similarity(motions, lamp.embed_text(pairs.text)) / lamp.temperature
    losses = []
    for table in (logits, logits.T):
        for row, allowed in enumerate(([0, 1, 3], [0, 1, 2, 3], [1, 2, 3], [0, 1, 2, 3])):
            surprise = -table[row, allowed].log_softmax(0)
            losses.append(0.9 * surprise[allowed.index(row)] + 0.1 * surprise.mean())
    found = lamp(same, torch.Generator().manual_seed(0))["contrastive"]
    torch.testing.assert_close(found, torch.stack(losses).mean())
    other = _lamp().eval()(same, torch.Generator().manual_seed(0))["contrastive"]
    assert float((found - other).abs()) > 1e-3


def test_the_order_loss_is_a_choice_between_two_sentences() -> None:
    lamp, pairs = _lamp(weights={"order": 2.0}).eval(), _pairs()
    wrong = Text(pairs.text.ids[[1, 3]].flip(1), torch.ones(2, 7, dtype=torch.bool))
    right = Text(pairs.text.ids[[1, 3]], pairs.text.mask[[1, 3]])
    losses = lamp(replace(pairs, orders=Orders(torch.tensor([1, 3]), right, wrong)), torch.Generator())
    motions = lamp.embed_motion(lamp.motion_context(pairs.latents, pairs.motion_mask))[[1, 3]]
    either = [
        motion_text_similarity(motions, lamp.embed_text(text)).diagonal() / lamp.temperature
        for text in (right, wrong)
    ]
    by_hand = torch.nn.functional.softplus(either[1] - either[0]).mean()
    torch.testing.assert_close(losses["order"], by_hand)
    torch.testing.assert_close(losses["loss"], 2 * by_hand)
    # A rank may have none where another has some.
    none = Orders(torch.zeros(0, dtype=torch.long), *(Text(t.ids[:0], t.mask[:0]) for t in (right, wrong)))
    assert float(lamp(replace(pairs, orders=none), torch.Generator())["order"]) == 0.0


@pytest.mark.parametrize("learns", [True, False])
def test_the_text_transformer_learns_or_stays(learns: bool) -> None:
    lamp, pairs = _lamp(learns_text=learns, text_attention=True).eval(), _pairs()
    context = lamp.motion_context(pairs.latents, pairs.motion_mask)
    features = (
        lambda: lamp.qformer.text(pairs.text),
        lambda: lamp.embed_text(pairs.text),
        lambda: lamp.embed_motion(context),
    )
    before = [feature().detach() for feature in features]
    optimizer = torch.optim.AdamW((p for p in lamp.parameters() if p.requires_grad), lr=1e-2)
    lamp(pairs, torch.Generator().manual_seed(0))["loss"].backward()
    optimizer.step()
    stayed = [torch.equal(feature(), earlier) for feature, earlier in zip(features, before, strict=True)]
    assert stayed == [not learns, False, False]


def test_the_retention_loss_is_the_way_the_mean_word_has_gone() -> None:
    lamp = _lamp(weights={"retention": 7.0}).eval()
    pairs = _pairs()
    mask = pairs.text.mask
    words = lamp.qformer.text(pairs.text)
    own = torch.stack([row[real].mean(0) for row, real in zip(words, mask, strict=True)]).detach()
    stayed = lamp(replace(pairs, retention_targets=(3 * own,)), torch.Generator())["retention"]
    torch.testing.assert_close(stayed, torch.zeros(()), atol=1e-5, rtol=0)
    opposite = lamp(replace(pairs, retention_targets=(-own,)), torch.Generator())
    torch.testing.assert_close(opposite["retention"], torch.tensor(2.0))
    torch.testing.assert_close(opposite["loss"], torch.tensor(14.0))
    # Words of sentences without a motion count too.
    both = replace(pairs, paraphrases=(pairs.text, pairs.text), retention_targets=(own, -own, own))
    mixed = lamp(both, torch.Generator())["retention"]
    torch.testing.assert_close(mixed, torch.tensor(2 / 3))


@pytest.mark.parametrize(("outside", "edge"), [(0.001, 0.01), (5.0, 1.0)])
def test_a_temperature_out_of_its_range_is_put_to_the_edge_and_goes_on_learning(
    outside: float, edge: float
) -> None:
    lamp = _lamp().train()
    lamp.log_temperature.data.fill_(math.log(outside))
    losses = lamp(_pairs(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(losses["temperature"], torch.tensor(edge))
    torch.testing.assert_close(lamp.log_temperature.data, torch.tensor(math.log(edge)))
    losses["loss"].backward()
    assert lamp.log_temperature.grad is not None
    assert abs(float(lamp.log_temperature.grad)) > 1e-4


def test_matching_on_a_share_of_the_pairs_is_matching_of_the_first_among_all() -> None:
    """By hand: the negatives are drawn among all pairs, and the loss is that of the first half's triples."""
    lamp, pairs = _lamp(matching_share=0.5).eval(), _pairs()
    half = lamp(pairs, torch.Generator().manual_seed(0))["matching"]
    motion = Context(pairs.latents, pairs.motion_mask)
    weights = (
        motion_text_similarity(lamp.embed_motion(motion), lamp.embed_text(pairs.text)) / lamp.temperature
    )
    allowed = negatives_allowed(pairs.clips, pairs.captions)
    draw = torch.Generator().manual_seed(0)
    wrong_motion, has_motion = draw_hard_negatives(weights.T, allowed.T, draw)
    wrong_text, has_text = draw_hard_negatives(weights, allowed, draw)
    losses, real = [], []
    for row in range(len(pairs.clips) // 2):
        for m, t, label, counts in (
            (row, row, 1, 1.0),
            (int(wrong_motion[row]), row, 0, float(has_motion[row])),
            (row, int(wrong_text[row]), 0, float(has_text[row])),
        ):
            one = Context(pairs.latents[m : m + 1], pairs.motion_mask[m : m + 1])
            sentence = Text(pairs.text.ids[t : t + 1], pairs.text.mask[t : t + 1])
            losses.append(-lamp.matching_logits(one, sentence).log_softmax(-1)[0, label] * counts)
            real.append(counts)
    torch.testing.assert_close(half, torch.stack(losses).sum() / sum(real))


def test_queries_name_a_code_of_every_codebook_side_by_side() -> None:
    lamp = _lamp(codebooks=2)
    pairs = _pairs()
    logits = lamp.code_logits(pairs.text, lamp.qformer.text(pairs.text))
    assert logits.shape == (4, 12, 10)
    queries = lamp.qformer.motion(
        Context(
            lamp.text_context(lamp.qformer.embed(lamp._with_decoder_token(pairs.text.ids))), pairs.text.mask
        )
    )
    whole = lamp.code_head(queries)
    torch.testing.assert_close(logits[:, 6], whole[:, 3, :10])
    torch.testing.assert_close(logits[:, 7], whole[:, 3, 10:])
    # A wrong code beyond a clip's four tokens, eight codes, costs nothing; one within does.
    codes = torch.randint(10, (4, 12), generator=torch.Generator().manual_seed(2))
    beyond, within = codes.clone(), codes.clone()
    beyond[1, 8:] = (beyond[1, 8:] + 1) % 10
    within[1, 7] = (within[1, 7] + 1) % 10
    losses = [
        float(lamp(replace(pairs, codes=each), torch.Generator().manual_seed(0))["motion_generation"])
        for each in (codes, beyond, within)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_text_transformer_learns_from_codes_only_when_the_queries_read_it() -> None:
    for transformed in (False, True):
        lamp = _lamp(weights={"motion_generation": 1.0}, transformed_text=transformed)
        lamp(_pairs(), torch.Generator().manual_seed(0))["loss"].backward()
        feed = lamp.qformer.layers[1].text_feed.up.weight.grad
        assert (feed is not None and bool(feed.abs().sum() > 0)) is transformed


def test_a_share_of_the_pairs_can_be_generated() -> None:
    pairs = _pairs()
    whole, half = _lamp(), _lamp(motion_generation_share=0.5)
    first = PretrainingBatch(
        pairs.latents[:2],
        pairs.motion_mask[:2],
        pairs.codes[:2],
        Text(pairs.text.ids[:2], pairs.text.mask[:2]),
        pairs.captions[:2],
        pairs.clips[:2],
    )
    draw = torch.Generator
    expected = whole(first, draw().manual_seed(0))["motion_generation"]
    torch.testing.assert_close(half(pairs, draw().manual_seed(0))["motion_generation"], expected)
