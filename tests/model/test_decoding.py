"""Beam search and sampling: against transformers' generate, a slow search, and no cache at all."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lamp_cli.bundle.language_model import load_language_model
from lamp_cli.model.captioner import Captioner, CaptionerConfig, LanguageModelConfig
from lamp_cli.model.decoder import CausalDecoder, DecoderConfig, EmbeddedDecoder
from lamp_cli.model.decoding import (
    CONSENSUS_NUCLEUS,
    CONSENSUS_TEMPERATURE,
    DecodingOptions,
    Sentence,
    _runs,
    _shared,
    beam_search,
    by_consensus,
    consensus_sampling,
    nucleus_sampling,
)
from lamp_cli.model.hugging_face import HuggingFaceDecoder
from lamp_cli.model.qformer import Text

# The last position of one row.
LAST = torch.ones(1, 1, dtype=torch.bool)
FAMILIES = ("opt", "llama")
WORDS = ["<s>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz", *(f"w{k}" for k in range(11))]


def save_language_model(folder: Path, family: str) -> Path:
    """A small language model of a family, drawn at random, with a tokenizer of whole words."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    torch.manual_seed(FAMILIES.index(family))
    ends = {"vocab_size": len(WORDS), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "init_std": 0.5}
    if family == "opt":
        config = transformers.OPTConfig(**ends, **sizes, ffn_dim=48, word_embed_proj_dim=16)
        model = transformers.OPTForCausalLM(config)
    else:
        config = transformers.LlamaConfig(
            **ends, **sizes, intermediate_size=48, num_key_value_heads=2, initializer_range=0.3
        )
        model = transformers.LlamaForCausalLM(config)
    # The end token is as often predicted as not, so that searches end early and late.
    model.get_output_embeddings().weight.data[1].normal_(std=1.5)
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    return save_language_model(tmp_path_factory.mktemp("lm") / request.param, request.param)


def decoder_of(folder: Path, tuning: str = "frozen") -> HuggingFaceDecoder:
    model, tokenizer = load_language_model(str(folder), torch.float32)
    return HuggingFaceDecoder(model, tokenizer, LanguageModelConfig(str(folder), tuning)).eval()


def embedded(words: int = 23, seed: int = 0) -> EmbeddedDecoder:
    """Weights far from each other, so that sentences differ and some end early."""
    torch.manual_seed(seed)
    decoder = EmbeddedDecoder(DecoderConfig(words, 16, 2, 4, 32), 2, 1).eval()
    for value in decoder.parameters():
        value.data += 0.3 * torch.randn_like(value)
    return decoder


def prefixes(decoder: CausalDecoder, size: int, length: int = 7, seed: int = 3) -> Tensor:
    return torch.randn(size, length, decoder.width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_beam_search_is_that_of_transformers_token_for_token(folder: Path, beams: int) -> None:
    decoder = decoder_of(folder)
    for seed in range(2):
        x = prefixes(decoder, 16, seed=seed)
        theirs = decoder.model.generate(
            inputs_embeds=x,
            attention_mask=torch.ones(x.shape[:2], dtype=torch.long),
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=9,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
        ours = [s for row in beam_search(decoder, x, beams, 9) for s in row]
        rows = [row[: row.index(1)] if 1 in row else row for row in theirs.sequences.tolist()]
        assert [list(s.ids) for s in ours] == rows
        if beams > 1:
            torch.testing.assert_close(
                torch.tensor([s.score for s in ours]), theirs.sequences_scores, rtol=1e-4, atol=1e-4
            )
        lengths = {len(s.ids) for s in ours}
        assert len(lengths) > 1, "some must end early and some be cut, or nothing is compared"


@torch.no_grad()
def log_probability(decoder: CausalDecoder, x: Tensor, ids: tuple[int, ...]) -> float:
    """Of ids after one prefix (S, W), token by token without a cache."""
    total = 0.0
    for place, token in enumerate(ids):
        read = decoder.embed(torch.tensor([ids[:place]], dtype=torch.long))
        logits = decoder.logits(torch.cat([x[None], read], 1), LAST)[0]
        total += float(logits.double().log_softmax(-1)[token])
    return total


def slow_beam_search(decoder: EmbeddedDecoder, x: Tensor, beams: int, most: int) -> list[Sentence]:
    """The same search on lists, one prefix (S, W), no cache: every hypothesis is read anew."""
    running: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    ended: list[tuple[float, tuple[int, ...]]] = []
    for length in range(1, most + 1):
        grown = []
        for total, ids in running:
            read = decoder.embed(torch.tensor([ids], dtype=torch.long))
            logits = decoder.logits(torch.cat([x[None], read], 1), LAST)[0]
            shares = logits.double().log_softmax(-1).tolist()
            grown += [(total + share, (*ids, word)) for word, share in enumerate(shares)]
        ranked = sorted(grown, reverse=True)[: 2 * beams]
        just_ended = [(t / length, i) for t, i in ranked[:beams] if i[-1] == decoder.end or length == most]
        ended = sorted(ended + just_ended, reverse=True)[:beams]
        running = [(total, ids) for total, ids in ranked if ids[-1] != decoder.end][:beams]
        if len(ended) == beams and running[0][0] / length <= ended[-1][0]:
            break
    end = decoder.end
    return [Sentence(ids[: ids.index(end)] if end in ids else ids, score) for score, ids in ended]


@pytest.mark.parametrize("seed", range(3))
def test_beam_search_of_the_embedded_decoder_is_the_slow_one(seed: int) -> None:
    decoder = embedded(words=9, seed=seed)
    x = prefixes(decoder, 4, seed=seed)
    with torch.no_grad():
        slow = [slow_beam_search(decoder, row, 3, 7) for row in x]
    for ours, theirs in zip(beam_search(decoder, x, 3, 7), slow, strict=True):
        assert [s.ids for s in ours] == [s.ids for s in theirs]
        assert [s.score for s in ours] == pytest.approx([s.score for s in theirs], abs=1e-4)


def test_as_many_beams_as_sentences_find_the_best_of_all() -> None:
    decoder = embedded(words=4)
    x = prefixes(decoder, 1)
    every = [ids for n in (1, 2, 3) for ids in itertools.product(range(4), repeat=n)]
    whole = [i for i in every if decoder.end not in i[:-1] and (i[-1] == decoder.end or len(i) == 3)]
    with torch.no_grad():
        score, best = max((log_probability(decoder, x[0], ids) / len(ids), ids) for ids in whole)
    [[found, *_]] = beam_search(decoder, x, 40, 3)
    assert found.ids == (best[:-1] if best[-1] == decoder.end else best)
    assert found.score == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize(
    "rows", [[2, 0, 0, 1], [0, 0, 1, 1, 2, 2], [2, 2, 0, 0], [1]], ids=["mixed", "together", "fewer", "one"]
)
@pytest.mark.parametrize("kind", ["embedded", *FAMILIES])
def test_the_cache_changes_nothing(kind: str, rows: list[int], tmp_path: Path) -> None:
    decoder = embedded() if kind == "embedded" else decoder_of(save_language_model(tmp_path, kind))
    x, order = prefixes(decoder, 3), torch.arange(len(rows)).flip(0)
    ids = torch.tensor([[3, 4, 5], [6, 7, 8], [8, 5, 3], [4, 4, 4], [5, 8, 4], [7, 3, 6]])[: len(rows)]
    close = {"rtol": 1e-4, "atol": 1e-4}
    with torch.no_grad():
        first, cache = decoder.start(x)
        torch.testing.assert_close(first, decoder.logits(x, LAST.expand(3, 1)), **close)
        cache.select(torch.tensor(rows))
        whole = x[rows]
        for place in range(3):
            stepped = decoder.step(ids[:, place], cache)
            whole = torch.cat([whole, decoder.embed(ids[:, place : place + 1])], 1)
            torch.testing.assert_close(stepped, decoder.logits(whole, LAST.expand(len(rows), 1)), **close)
            # As when a beam outlives another: rows change places between the steps.
            cache.select(order)
            whole = whole[order]


def test_a_sentence_reads_the_same_wherever_it_stands() -> None:
    """Rotary positions are relative: only distances between words count."""
    decoder = embedded()
    q = torch.randn(1, 4, 6, 4, generator=torch.Generator().manual_seed(0))
    from lamp_cli.model.decoder import _rotary_angles, _rotated

    near, far = (_rotated(q, _rotary_angles(begin, 6, 4, q.device)) for begin in (0, 50))
    torch.testing.assert_close(near @ near.mT, far @ far.mT, atol=1e-4, rtol=1e-4)
    ids = torch.tensor([[2, 3, 4]])
    assert not torch.allclose(
        decoder.logits(decoder.embed(ids), LAST), decoder.logits(decoder.embed(ids.flip(1)), LAST)
    )


def test_the_embedded_decoder_is_causal_and_padding_changes_no_loss() -> None:
    decoder = embedded()
    captioner = Captioner(CaptionerConfig(6, decoder.config), decoder).eval()
    queries = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[2, 5, 6, 1, 9, 9], [2, 7, 8, 4, 3, 1]])
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    rows: list[int] = []
    decoder.blocks[0].register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    both, target = captioner.teacher_forced_logits(queries, Text(ids, mask))
    assert target.tolist() == [5, 6, 1, 7, 8, 4, 3, 1]
    # Nothing is computed for padding, nor for the end, after which nothing comes.
    assert rows == [2 * 5 + 3 + 5]
    alone, _ = captioner.teacher_forced_logits(queries[:1], Text(ids[:1, :4], mask[:1, :4]))
    torch.testing.assert_close(both[:3], alone, atol=1e-5, rtol=1e-5)
    losses = captioner(queries, Text(ids, mask), torch.Generator())
    by_hand = -both.log_softmax(-1)[range(8), target].mean()
    torch.testing.assert_close(losses["loss"], by_hand)


def test_nucleus_sampling_draws_from_the_nucleus_in_proportion() -> None:
    decoder = embedded()
    x = prefixes(decoder, 1)
    shares = decoder.start(x)[0][0].softmax(-1).detach()
    order = shares.argsort(descending=True)
    inside = order[: int((shares[order].cumsum(0) < 0.7).sum()) + 1]
    options = DecodingOptions(nucleus=0.7, candidates=4000)
    [drawn] = nucleus_sampling(decoder, x, options, 1, [torch.Generator().manual_seed(0)])
    counts = torch.zeros(len(shares))
    for sentence in drawn:
        counts[sentence.ids[0] if sentence.ids else decoder.end] += 1
    expected = torch.zeros(len(shares)).index_copy(0, inside, shares[inside] / shares[inside].sum())
    torch.testing.assert_close(counts / 4000, expected, atol=0.03, rtol=0)
    assert [s.score for s in drawn] == sorted((s.score for s in drawn), reverse=True)
    likeliest = max(drawn, key=lambda s: s.score)
    assert likeliest.score == pytest.approx(float(shares.max().log()), abs=1e-5)


def test_a_sample_depends_on_its_own_stream_only() -> None:
    decoder = embedded()
    x, options = prefixes(decoder, 3), DecodingOptions(nucleus=0.95, candidates=3)
    together = nucleus_sampling(decoder, x, options, 6, [torch.Generator().manual_seed(k) for k in range(3)])
    alone = nucleus_sampling(decoder, x[1:2], options, 6, [torch.Generator().manual_seed(1)])[0]
    assert [s.ids for s in together[1]] == [s.ids for s in alone]
    assert [s.score for s in together[1]] == pytest.approx([s.score for s in alone], abs=1e-5)
    scores = [
        log_probability(decoder, x[1], (*s.ids, decoder.end)[:6]) / min(len(s.ids) + 1, 6) for s in alone
    ]
    assert [s.score for s in alone] == pytest.approx(scores, abs=1e-4)


def test_the_consensus_is_what_most_sentences_say() -> None:
    likely, twice = Sentence((9, 8, 7), -0.1), Sentence((1, 2, 3, 4), -0.9)
    near, far = Sentence((1, 2, 3, 5), -0.5), Sentence((6,), -0.2)
    found = by_consensus([likely, twice, near, far, twice])
    assert [sentence.ids for sentence in found][:2] == [(1, 2, 3, 4), (1, 2, 3, 5)]
    # Nothing in common with any other: the more probable first.
    assert found[2:] == [likely, far]
    # Of four runs of each length these share: 3 of 4, 2 of 3, 1 of 2 and none of one.
    assert _shared(_runs((1, 2, 3, 4)), _runs((1, 2, 3, 5))) == pytest.approx((3 / 4 + 2 / 3 + 1 / 2) / 4)


def test_a_consensus_is_of_the_sentences_that_sampling_draws() -> None:
    decoder = embedded()
    x = prefixes(decoder, 2)
    streams = lambda: [torch.Generator().manual_seed(k) for k in range(2)]
    options = DecodingOptions(candidates=2)
    found = consensus_sampling(decoder, x, options, 12, 6, streams())
    drawn = DecodingOptions(candidates=12, nucleus=CONSENSUS_NUCLEUS, temperature=CONSENSUS_TEMPERATURE)
    sampled = nucleus_sampling(decoder, x, drawn, 6, streams())
    assert found == [by_consensus(sentences)[:2] for sentences in sampled]
    assert all(len({sentence.ids for sentence in row}) == len(row) for row in found)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 7), ({"consensus": 3}, 3), ({"consensus": 0}, 0), ({"beams": 4}, 0), ({"nucleus": 0.9}, 0)],
)
def test_the_captioners_own_consensus_gives_way_to_what_is_asked_for(options, expected) -> None:
    assert DecodingOptions(**options).sampled(7) == expected


def test_cold_sampling_is_greedy_search() -> None:
    decoder = embedded()
    x = prefixes(decoder, 4)
    streams = [torch.Generator().manual_seed(k) for k in range(4)]
    drawn = nucleus_sampling(decoder, x, DecodingOptions(nucleus=1.0, temperature=1e-4), 6, streams)
    assert [row[0].ids for row in drawn] == [row[0].ids for row in beam_search(decoder, x, 1, 6)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "beams: expected at least 1, found 0"),
        ({"candidates": 0}, "candidates: expected at least 1"),
        ({"nucleus": 0.0}, "nucleus: expected a share above 0"),
        ({"nucleus": 1.5}, "found 1.5"),
        ({"temperature": 0.0}, "temperature: expected a finite number above 0"),
        ({"temperature": float("nan")}, "temperature"),
        ({"consensus": -1}, "consensus: expected a number from 0"),
        ({"beams": 3, "consensus": 4}, "beams: sentences that are sampled"),
        ({"beams": 3, "nucleus": 0.9}, "beams: sentences that are sampled"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecodingOptions(**options)  # type: ignore[arg-type]


# LoRA and the other ways to train


def lora_layers(folder: Path, targets: tuple[str, ...]) -> set[str]:
    """The names of the layers that LoRA adapts in a language model."""
    config = LanguageModelConfig(str(folder), "lora", targets)
    decoder = HuggingFaceDecoder(*load_language_model(str(folder), torch.float32), config)
    return {name.split(".")[-4] for name in decoder.state_dict()}


def test_lora_adapts_the_layers_that_are_asked_for(folder: Path) -> None:
    attention = {"q_proj", "k_proj", "v_proj"}
    assert lora_layers(folder, ()) == {"q_proj", "v_proj"}
    assert lora_layers(folder, ("k_proj",)) == {"k_proj"}
    assert lora_layers(folder, ("all-linear",)) > attention
    found = "LoRA finds no layer of c_attn; expected targets out of .*k_proj, .*, or all-linear"
    with pytest.raises(ValueError, match=found):
        lora_layers(folder, ("c_attn",))


def captioner_of(folder: Path, tuning: str) -> Captioner:
    torch.manual_seed(5)
    decoder = decoder_of(folder, tuning)
    return Captioner(CaptionerConfig(6, language_model=LanguageModelConfig(str(folder), tuning)), decoder)


def learn(captioner: Captioner, steps: int = 3) -> Tensor:
    """A few steps; the loss in evaluation mode afterwards."""
    queries = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[0, 4, 5, 6, 1], [0, 7, 8, 9, 1], [0, 9, 1, 1, 1], [0, 3, 3, 3, 1]])
    words = Text(ids, torch.tensor([[True] * 5, [True] * 5, [True] * 3 + [False] * 2, [True] * 5]))
    optimizer = torch.optim.Adam([p for p in captioner.parameters() if p.requires_grad], 1e-2)
    captioner.train()
    for _ in range(steps):
        optimizer.zero_grad()
        captioner(queries, words, torch.Generator())["loss"].backward()
        optimizer.step()
    captioner.eval()
    return captioner(queries, words, torch.Generator())["loss"].detach()


@pytest.mark.parametrize("tuning", ["frozen", "lora", "full"])
def test_only_what_is_trained_learns_and_is_saved(folder: Path, tuning: str) -> None:
    from safetensors.torch import load, save

    captioner = captioner_of(folder, tuning)
    before = {name: value.detach().clone() for name, value in captioner.named_parameters()}
    start = learn(captioner, 0)
    assert learn(captioner) < start
    moved = {n for n, value in captioner.named_parameters() if not torch.equal(value, before[n])}
    assert moved <= captioner.state_dict().keys()
    kinds = {"frozen": {"projection"}, "lora": {"projection", "lora"}, "full": {"projection", "decoder"}}
    found = {"lora" if "lora_" in n else n.split(".")[0] for n in moved}
    assert found == kinds[tuning]
    again = captioner_of(folder, tuning)
    again.load_state_dict(load(save(captioner.state_dict())))
    torch.testing.assert_close(learn(again, 0), learn(captioner, 0), rtol=0, atol=0)


def test_merged_lora_says_the_same(folder: Path) -> None:
    captioner = captioner_of(folder, "lora")
    untouched = learn(captioner, 0)
    trained = learn(captioner)
    assert abs(float(trained - untouched)) > 1e-2
    assert isinstance(captioner.decoder, HuggingFaceDecoder)
    captioner.decoder.finish()
    assert not [name for name, _ in captioner.named_parameters() if "lora_" in name]
    torch.testing.assert_close(learn(captioner, 0), trained, rtol=1e-5, atol=1e-5)


def test_weights_of_another_captioner_are_refused(folder: Path) -> None:
    lora, frozen = captioner_of(folder, "lora"), captioner_of(folder, "frozen")
    with pytest.raises(ValueError, match="does not fit this captioner"):
        lora.load_state_dict(frozen.state_dict())


def test_language_models_that_are_none_are_named(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "absent"), "./absent"):
        with pytest.raises(ValueError, match="causal language model") as error:
            load_language_model(name, torch.float32)
        assert name in str(error.value) and "\n" not in str(error.value)
