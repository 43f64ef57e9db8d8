"""Training: a killed run goes on bit-identically, and several ranks give the gradients of one."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.bundle.bundle import find_bundle, read_config
from lamp_cli.cli.pretrain import _drawing_processes, pretrain_command
from lamp_cli.data.batches import PairSampler, ParaphraseSampler, WindowSampler
from lamp_cli.data.layout import Clip, PartCaption
from lamp_cli.data.statistics import Statistics
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces
from lamp_cli.language.typing_errors import with_typing_error
from lamp_cli.model.lamp import Lamp, LampConfig
from lamp_cli.model.qformer import QFormer, QFormerConfig
from lamp_cli.model.tokenizer import MotionTokenizer, TokenizerConfig
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.training.draws import drawn_ahead
from lamp_cli.training.experiment import CORE, DataConfig
from lamp_cli.training.experiment_files import size_named
from lamp_cli.training.loop import Stage, TrainingConfig, learning_rate, train
from lamp_cli.training.options import PretrainOptions, PretrainReport
from lamp_cli.training.pretrain import _same_networks, _take_over, _vocabulary
from lamp_cli.training.run_record import claim
from lamp_cli.training.stages.lamp import LampStage, parts_in_two_orders, sentences_in_two_orders
from lamp_cli.training.stages.pairs import PairData
from lamp_cli.training.stages.tokenizer import TokenizerData, TokenizerStage
from lamp_cli.training.training_set import Corpus
from tests.data.test_evaluation_set import corpus

CPU = torch.device("cpu")
STATISTICS = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
CONFIG = TrainingConfig(6, 4, 1e-3, 1e-4, 2, 0.05, validate_every=2)
WORDS = ("a person walks", "someone jumps", "a man kicks left", "he waves", "she sits down", "it turns")


def _clips(count: int, first: int) -> list[Clip]:
    rng = np.random.default_rng(first)
    lengths = [40 + 8 * k for k in range(count)]
    return [
        Clip(f"{first}_{k}", rng.normal(size=(n, 263)).astype(np.float32), (WORDS[k % 6], WORDS[(k + 1) % 6]))
        for k, n in enumerate(lengths)
    ]


def _tokenizer() -> MotionTokenizer:
    torch.manual_seed(0)
    return MotionTokenizer(TokenizerConfig(width=8, codes=16, code_width=8))


def _lamp_stage(dropout: float = 0.1, text_encoder: QFormer | None = None, **settings: Any) -> LampStage:
    vocabulary = Vocabulary([*ascii_pieces(), DECODER_TOKEN])
    tokenizer = _tokenizer()
    qformer = QFormerConfig(len(vocabulary), 16, 2, 2, 32, 20, 12, 8, dropout=dropout)
    settings = {"weights": size_named("mini", HUMANML3D).lamp.weights, **settings}
    lamp = Lamp(LampConfig(qformer, 16, 8, **settings), vocabulary.decoder)
    groups = [WORDS[:2], WORDS[2:4], WORDS[4:]]
    data = PairData(
        _clips(6, 0), _clips(3, 1), STATISTICS, vocabulary, groups if text_encoder is not None else ()
    )
    return LampStage(lamp, tokenizer, data, 4, 0, CPU, text_encoder)


def _tokenizer_stage() -> TokenizerStage:
    data = TokenizerData(_clips(4, 0), _clips(2, 1), STATISTICS, HUMANML3D)
    return TokenizerStage(_tokenizer(), data, 32, 4, 0, CPU)


class _Killed(Exception):
    pass


def _kill_at(step: int):  # type: ignore[no-untyped-def]
    def report(done: int, figures: dict[str, float] | None) -> None:
        if done == step:
            raise _Killed

    return report


@pytest.mark.parametrize("make", [_tokenizer_stage, _lamp_stage])
@pytest.mark.parametrize("killed_at", [1, 3, 4, 5])
def test_a_killed_run_goes_on_bit_identically(make, killed_at: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = _run(make(), tmp_path / "whole", _kill_at(-1))
    with pytest.raises(_Killed):
        train(make(), CONFIG, tmp_path / "killed", 0, CPU, _kill_at(killed_at))
    resumed = _run(make(), tmp_path / "killed", _kill_at(-1))
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name
    logs = [(tmp_path / folder / "log.jsonl").read_text().splitlines() for folder in ("whole", "killed")]
    without_rate = [
        [{k: v for k, v in json.loads(line).items() if k != "steps_per_second"} for line in log]
        for log in logs
    ]
    assert without_rate[0] == without_rate[1]


def _run(stage: Stage, folder: Path, report) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    train(stage, CONFIG, folder, 0, CPU, report)
    return load_file(folder / "last.safetensors")


@pytest.mark.parametrize("make", [_tokenizer_stage, _lamp_stage])
def test_batches_drawn_ahead_are_the_same_and_drawn_elsewhere(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    drawn_by: set[int] = set()

    def watched(stage: Stage) -> Stage:
        draw = stage.draw
        stage.draw = lambda step: (os.getpid(), draw(step))  # type: ignore[method-assign]
        batch = stage.batch

        def batch_of(drawn):  # type: ignore[no-untyped-def]
            drawn_by.add(drawn[0])
            return batch(drawn[1])

        stage.batch = batch_of  # type: ignore[method-assign]
        return stage

    alone = _run(make(), tmp_path / "alone", _kill_at(-1))
    train(watched(make()), CONFIG, tmp_path / "ahead", 0, CPU, _kill_at(-1), workers=2)
    ahead = load_file(tmp_path / "ahead" / "last.safetensors")
    assert all(torch.equal(alone[name], ahead[name]) for name in alone)
    assert len(drawn_by) == 2 and os.getpid() not in drawn_by


def test_sentences_of_several_events_are_drawn_in_two_orders_too() -> None:
    texts = ("a man walks, then sits down", "a man walks", "she jumps and turns")
    found = sentences_in_two_orders(texts, np.random.default_rng(0))
    assert found == {
        0: ("a man walks, then sits down", "a man sits down, then walks"),
        2: ("she jumps, then turns", "she turns, then jumps"),
    }
    stage = _lamp_stage(weights={"order": 1.0})
    stage._sampler._sentences = [["he hops, then walks"], ["he waves"]] * 3  # type: ignore[list-item]
    orders = stage.batch(stage.draw(0))[0].orders
    assert orders is not None
    assert [stage.draw(0).pairs.texts[row] for row in orders.rows] == ["he hops, then walks"] * len(
        orders.rows
    )
    assert 0 < len(orders.rows) == len(orders.wrong.ids) < 4
    # Without a weight nothing is drawn.
    assert _lamp_stage().batch(_lamp_stage().draw(0))[0].orders is None


def test_sentences_about_parts_that_follow_each_other_are_drawn_in_two_orders() -> None:
    walks, waves = PartCaption("He walks.", 0, 40), PartCaption("a man waves", 40, 60)
    clip = Clip("1", np.zeros((60, 263), np.float32), ("he walks and waves",), parts=(waves, walks))
    overlapping = replace(clip, parts=(walks, replace(waves, start=30)))
    alone = replace(clip, parts=(walks, replace(walks, text="he strolls")))
    long = replace(clip, features=np.zeros((197, 263), np.float32))
    found = parts_in_two_orders([overlapping, clip, alone, long], np.random.default_rng(0))
    assert found == {1: ("he walks, then a man waves", "a man waves, then he walks")}


def test_drawing_ahead_leaves_the_callers_random_stream_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    assert list(drawn_ahead(abs, range(3, 8), 2)) == [3, 4, 5, 6, 7]
    assert torch.equal(torch.rand(3), expected)


def test_where_nothing_can_be_forked_workers_are_refused(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    with pytest.raises(ValueError, match="workers 2: this system cannot fork"):
        list(drawn_ahead(abs, range(3), 2))


@pytest.mark.parametrize(("given", "expected"), [(None, 0), (3, 3)])
def test_the_command_hands_on_workers_and_validation(given, expected, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked: list[PretrainOptions] = []

    def instead(data, output, options, device, *others):  # type: ignore[no-untyped-def]
        asked.append(options)
        return PretrainReport({}, {})

    monkeypatch.setattr("lamp_cli.training.pretrain.pretrain", instead)
    words = {"validate_every": ["lamp=5"], "learning_rate": ["lamp=1e-3"]}
    data = corpus(tmp_path / "data", {"a": 60}, {"a": "a man walks"}, train="a", val="a")
    pretrain_command(data, tmp_path / "out", **words, workers=given, device="cpu")
    assert asked[0].workers == expected
    assert asked[0].settings == {"training.lamp.validate_every": 5, "training.lamp.learning_rate": 1e-3}


def test_beside_a_gpu_idle_processors_draw(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for processors, workers in ((1, 0), (3, 2), (16, 4)):
        monkeypatch.setattr("os.cpu_count", lambda count=processors: count)
        assert _drawing_processes("cuda") == workers
        assert _drawing_processes("cpu") == 0


def test_training_leaves_the_callers_random_stream_alone(tmp_path: Path) -> None:
    stage = _lamp_stage()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(stage, CONFIG, tmp_path, 0, CPU, _kill_at(-1))
    assert torch.equal(torch.rand(3), expected)


def test_a_checkpoint_cut_short_is_named(tmp_path: Path) -> None:
    train(_tokenizer_stage(), CONFIG, tmp_path, 0, CPU, _kill_at(-1))
    for name in ("last", "previous"):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"last\.safetensors: not a whole checkpoint"):
        train(_tokenizer_stage(), CONFIG, tmp_path, 0, CPU, _kill_at(-1))


def test_learning_rate_by_hand() -> None:
    config = TrainingConfig(110, 4, 1e-4, 1e-5, 10, 0.05)
    assert learning_rate(config, 0) == 1e-6
    assert learning_rate(config, 10) == pytest.approx(1e-4)
    assert learning_rate(config, 60) == pytest.approx(5.5e-5)
    assert learning_rate(config, 110) == pytest.approx(1e-5)


def test_windows_are_pieces_of_clips_in_proportion_to_their_frames() -> None:
    clips = [Clip(str(k), np.full((n, 263), k, np.float32), ()) for k, n in enumerate((32, 131))]
    batch = WindowSampler(clips, STATISTICS, 32).batch(0, 0, 4000)
    assert (batch == batch[:, :1, :1]).all()
    assert batch[:, 0, 0].mean() == pytest.approx(100 / 101, abs=0.01)


def test_a_share_of_the_sentences_is_put_in_other_words_and_nothing_else_changes() -> None:
    plain, half, all_ = (
        PairSampler(_clips(6, 0), STATISTICS, 4, reworded_share=share) for share in (0.0, 0.5, 1.0)
    )
    changed = {"half": 0, "all": 0}
    for step in range(100):
        before, some, every = (sampler.batch(0, step, 6) for sampler in (plain, half, all_))
        np.testing.assert_array_equal(before.features, some.features)
        assert half.batch(0, step, 6).texts == some.texts
        changed["half"] += sum(a != b for a, b in zip(before.texts, some.texts, strict=True))
        changed["all"] += sum(a != b for a, b in zip(before.texts, every.texts, strict=True))
    assert 0.4 < changed["half"] / changed["all"] < 0.6
    assert changed["all"] > 400


def test_a_share_of_the_clips_with_parts_comes_with_a_sentence_about_one_of_them() -> None:
    parts = (PartCaption("first", 0, 20), PartCaption("second", 20, 61))
    [clip] = _clips(1, 0)
    whole = dataclasses.replace(clip, features=np.resize(clip.features, (61, 263)))
    clips = [whole, dataclasses.replace(whole, id="of_parts", parts=parts)]
    sampler = PairSampler(clips, STATISTICS, 4, part_share=0.5)
    plain, met = PairSampler(clips, STATISTICS, 4), []
    for step in range(60):
        batch, other = sampler.batch(0, step, 2), plain.batch(0, step, 2)
        np.testing.assert_array_equal(batch.features, other.features)
        for number, text, span, length, before in zip(
            batch.clip_numbers, batch.texts, batch.spans.tolist(), batch.lengths, other.texts, strict=True
        ):
            if text not in ("first", "second"):
                assert text == before and span == [0, length]
                continue
            assert number == 1
            assert span[0] == 0 or text == "second"
            # A crop begins at most five frames late.
            assert (15 <= span[1] <= 20) if text == "first" else (15 <= span[0] <= 20 and span[1] == length)
            met.append(text)
    assert 20 < len(met) < 40 and set(met) == {"first", "second"}


def test_a_share_of_the_sentences_has_one_typing_error_and_nothing_else_changes() -> None:
    plain, some = (PairSampler(_clips(6, 0), STATISTICS, 4, misspelt_share=share) for share in (0.0, 0.3))
    wrong = 0
    for step in range(100):
        before, after = (sampler.batch(0, step, 6) for sampler in (plain, some))
        np.testing.assert_array_equal(before.features, after.features)
        assert some.batch(0, step, 6).texts == after.texts
        for text, typed in zip(before.texts, after.texts, strict=True):
            wrong += text != typed
            assert sum(a != b for a, b in zip(text.split(), typed.split(), strict=True)) <= 1
    assert 0.25 < wrong / 600 < 0.35


def test_typing_errors_keep_first_letters_and_short_words() -> None:
    made = {with_typing_error("he is walking on", np.random.default_rng(seed)) for seed in range(60)}
    assert len(made) > 15
    assert all(text.startswith("he is w") and text.endswith(" on") for text in made)
    assert with_typing_error("he is on it", np.random.default_rng(0)) == "he is on it"


def test_an_epoch_holds_every_clip_once() -> None:
    sampler = PairSampler(_clips(6, 0), STATISTICS, 4)
    seen = [number for step in range(3) for number in sampler.batch(0, step, 2).clip_numbers]
    assert sorted(seen) == list(range(6))
    batch = sampler.batch(0, 5, 2)
    assert (batch.lengths % 4 == 0).all()
    again = sampler.batch(0, 5, 2)
    assert np.array_equal(batch.features, again.features)
    assert batch.texts == again.texts


def test_clips_of_like_length_stand_together_and_every_one_still_comes_once() -> None:
    lengths = np.random.default_rng(0).permutation(np.arange(20, 84))
    clips = [Clip(str(n), np.zeros((n, 263), np.float32), ("a",)) for n in lengths]
    sampler = PairSampler(clips, STATISTICS, 4, sorted_steps=4)
    steps = [sampler.batch(0, step, 8) for step in range(8)]
    assert sorted(n for batch in steps for n in batch.clip_numbers) == list(range(64))
    spread = [np.ptp(lengths[batch.clip_numbers]) for batch in steps]
    mixed = [np.ptp(lengths[PairSampler(clips, STATISTICS, 4).batch(0, s, 8).clip_numbers]) for s in range(8)]
    assert max(spread) < min(mixed)
    first = [lengths[batch.clip_numbers].min() for batch in steps[:4]]
    assert first != sorted(first)
    assert np.array_equal(sampler.batch(0, 5, 8).clip_numbers, steps[5].clip_numbers)
    # An epoch of its own order.
    assert not np.array_equal(sampler.batch(0, 13, 8).clip_numbers, steps[5].clip_numbers)


def test_paraphrases_are_two_sentences_of_one_group_and_every_group_is_met() -> None:
    groups = [("a", "b", "c"), ("alone",), ("d", "e"), ("f", "g")]
    sampler = ParaphraseSampler(groups)
    met = set()
    for step in range(30):
        first, second = sampler.batch(0, step, 2)
        assert (first, second) == sampler.batch(0, step, 2)
        homes = [next(g for g in groups if sentence in g) for sentence in first]
        assert len(set(homes)) == 2
        for one, other, home in zip(first, second, homes, strict=True):
            assert one != other and other in home
            met.add(one)
    assert met == set("abcdefg")
    assert len(sampler.batch(0, 0, 64)[0]) == 3
    with pytest.raises(ValueError, match="groups"):
        ParaphraseSampler([("alone",)])


def test_a_folder_of_another_run_names_the_setting_that_differs(tmp_path: Path) -> None:
    settings = {"seed": 0, "training": {"lamp": {"steps": 600, "rate": 1e-4}}}
    claim(tmp_path / "run.json", settings)
    claim(tmp_path / "run.json", settings)
    for other, name in (
        ({**settings, "seed": 1}, "seed"),
        ({"seed": 0, "training": {"lamp": {"steps": 120, "rate": 1e-3}}}, "training.lamp.rate"),
        ({**settings, "start_from": "abc"}, "start_from"),
    ):
        with pytest.raises(ValueError, match=f"another {name}; choose"):
            claim(tmp_path / "run.json", other)
    # How long a stage is trained may change.
    longer = {"seed": 0, "training": {"lamp": {"steps": 900, "rate": 1e-4}}}
    claim(tmp_path / "run.json", longer)
    assert json.loads((tmp_path / "run.json").read_text()) == longer


def test_the_text_transformer_is_held_near_the_encoder_it_began_as(tmp_path: Path) -> None:
    encoder = copy.deepcopy(_lamp_stage().network.qformer)
    stage = _lamp_stage(dropout=0.0, text_encoder=encoder)
    (pairs,) = stage.batch(stage.draw(0))
    assert pairs.paraphrases is not None
    for text, target in zip((pairs.text, *pairs.paraphrases), pairs.retention_targets, strict=True):
        for row, mask, mean in zip(encoder.text(text), text.mask, target, strict=True):
            torch.testing.assert_close(mean, row[mask].mean(0))
    moved = {}
    free = _lamp_stage(dropout=0.0, text_encoder=encoder)
    weights = {**free.network.config.weights, "retention": 0.0}
    free.network.config = dataclasses.replace(free.network.config, weights=weights)
    for name, kept in (("held", stage), ("free", free)):
        before = kept.network.qformer.text(pairs.text).detach()
        train(kept, dataclasses.replace(CONFIG, steps=10), tmp_path / name, 0, CPU, lambda *_: None)
        moved[name] = float((kept.network.qformer.text(pairs.text) - before).detach().norm())
    assert moved["held"] < moved["free"]


def test_the_shipped_generator_is_the_one_that_its_size_trains() -> None:
    shipped = read_config(find_bundle("lamp-mini")).model
    assert size_named("mini", HUMANML3D).model().generator == shipped.generator
    assert shipped.generator.remaining_tokens and shipped.generator.guidance == 3.0
    # That of the authors' code, by data set.
    for size in ("base", "paper"):
        guidance = [size_named(size, skeleton).generator.guidance for skeleton in (HUMANML3D, KIT)]
        assert guidance == [4.0, 2.0]


def test_stages_stay_as_they_are_where_the_networks_are_of_the_same_sizes() -> None:
    model = size_named("mini", HUMANML3D).model()
    lamp = dataclasses.replace(model.lamp, matching_share=1.0)
    assert _same_networks(dataclasses.replace(model, lamp=lamp), model) == CORE
    fewer = dataclasses.replace(model.lamp, qformer=dataclasses.replace(model.lamp.qformer, layers=4))
    assert _same_networks(dataclasses.replace(model, lamp=fewer), model) == ("tokenizer", "generator")
    length = dataclasses.replace(model, length=dataclasses.replace(model.length, width=8))
    assert _same_networks(length, model) == ("tokenizer", "lamp")
    # How samples are drawn is no matter of the network.
    guided = dataclasses.replace(model, generator=dataclasses.replace(model.generator, guidance=4.0))
    assert _same_networks(guided, model) == CORE
    wider = dataclasses.replace(model, tokenizer=dataclasses.replace(model.tokenizer, encoder_width=256))
    assert _same_networks(wider, model) == ("lamp", "generator")


def test_of_a_network_of_other_sizes_what_fits_is_taken_over() -> None:
    sizes = TokenizerConfig(width=8, codes=16, code_width=8)
    earlier = MotionTokenizer(sizes)
    parts = MotionTokenizer(dataclasses.replace(sizes, upper_joints=(3, 6)))
    first = parts.encoder.parts[0].first.weight.detach().clone()
    _take_over(parts, earlier, False)
    for name, value in earlier.decoder.state_dict().items():
        assert torch.equal(parts.decoder.state_dict()[name], value), name
    assert torch.equal(parts.encoder.parts[0].first.weight, first)
    # How often the earlier codes were chosen says nothing of these.
    earlier.codebook.learn(torch.randn(64, 8), torch.Generator().manual_seed(0))
    wider = MotionTokenizer(dataclasses.replace(sizes, code_width=12))
    _take_over(wider, earlier, False)
    assert not wider.codebook.started and not wider.codebook.sums.any()
    same = MotionTokenizer(sizes)
    _take_over(same, earlier, False)
    assert same.codebook.started and torch.equal(same.codebook.vectors, earlier.codebook.vectors)


def test_a_run_keeps_the_vocabulary_it_began_with(tmp_path: Path) -> None:
    clips = Corpus(HUMANML3D, STATISTICS, _clips(6, 0), _clips(3, 1), {}, ())
    first, _ = _vocabulary(clips, None, tmp_path, DataConfig(word_pieces=8000, reworded_share=0.5), None)
    other = Vocabulary([*ascii_pieces(), "walks", DECODER_TOKEN])
    assert first.pieces != other.pieces
    other.save(tmp_path / "vocab.txt")
    again, _ = _vocabulary(clips, None, tmp_path, DataConfig(word_pieces=8000, reworded_share=0.5), None)
    assert again.pieces == other.pieces
