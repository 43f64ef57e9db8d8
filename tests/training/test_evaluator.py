"""Training an evaluator: its loss by hand, resuming, ranks, the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import EvaluationClip, EvaluationSet
from lamp_cli.data.statistics import Statistics
from lamp_cli.data.word_tokens import words_of_captions
from lamp_cli.model.evaluator import EvaluatorConfig, EvaluatorTraining, matching_loss
from lamp_cli.scoring.evaluators import GuoEvaluator, load_evaluators
from lamp_cli.training.loop import TrainingConfig, train
from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain
from lamp_cli.training.pretrain_evaluator import training_of
from lamp_cli.training.stages.evaluator import EvaluatorData, EvaluatorStage
from tests.data.test_evaluation_set import corpus
from tests.model.test_evaluator import CPU, SMALL, VOCABULARY, motions, no_bundle, released
from tests.small_size import SMALL as FEW_WEIGHTS
from tests.small_size import of_stages
from tests.small_size import pretrain as pretrain_small


def test_the_loss_is_hadsells_by_hand() -> None:
    texts = torch.tensor([[0.0, 0.0], [3.0, 4.0], [20.0, 0.0]])
    vectors = torch.tensor([[0.0, 1.0], [3.0, 4.0], [0.0, 0.0]])
    clip = torch.tensor([0, 1, 2])
    matched = (1 + 0 + 400) / 3
    distances = [5.0, 0.0, 18**0.5, 5.0, (400 + 1) ** 0.5, (17**2 + 16) ** 0.5]
    wrong = sum(max(0.0, 10 - d) ** 2 for d in distances) / 6
    found = matching_loss(texts, vectors, clip, clip)
    assert float(found) == pytest.approx(matched + wrong, rel=1e-5)
    # The second and third sentence are equal: neither is the other's mismatch.
    distances = [5.0, 0.0, 18**0.5, (400 + 1) ** 0.5]
    wrong = sum(max(0.0, 10 - d) ** 2 for d in distances) / 4
    found = matching_loss(texts, vectors, clip, torch.tensor([0, 1, 1]))
    assert float(found) == pytest.approx(matched + wrong, rel=1e-5)


def stage() -> EvaluatorStage:
    rng = np.random.default_rng(0)
    names = ("a man walks", "he jumps", "a man jumps left", "he sits", "she turns", "a man sits")
    sets = []
    for count in (6, 4):
        members = [
            EvaluationClip(
                str(k), rng.normal(size=(40 + 8 * k, 263)).astype(np.float32), (Caption(names[k]),)
            )
            for k in range(count)
        ]
        sets.append(EvaluationSet(tuple(members)))
    words = words_of_captions([c for clip in sets[0].clips for c in clip.captions], 2, 100)
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    torch.manual_seed(0)
    network = EvaluatorTraining(replace(SMALL, words=len(words)))
    return EvaluatorStage(network, EvaluatorData(sets[0], sets[1], statistics, words), 3, 0, CPU)


def test_the_matching_loss_leaves_the_movement_encoder_alone() -> None:
    made = stage()
    [batch] = made.batch(made.draw(0))
    network: EvaluatorTraining = made.network.eval()  # type: ignore[assignment]
    network(batch, torch.Generator())["loss"].backward()
    together = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    movements = network.evaluator.movement_encoder(batch.features[..., :-4])
    network._autoencoder_loss(batch, movements).backward()
    alone = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    assert {n.removeprefix("evaluator.").split(".")[0] for n in alone} == {"movement_encoder", "decoder"}
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient)
    assert together.keys() == dict(network.named_parameters()).keys()
    assert all(together[n].abs().sum() > 0 for n in together if n.startswith("evaluator.text_encoder"))


def test_the_size_and_the_steps_of_movements_count_a_thousandth_of_the_error() -> None:
    """Guo et al.'s weights, clip by clip, each of its own length."""
    made = stage()
    [batch] = made.batch(made.draw(0))
    network: EvaluatorTraining = made.network.eval()  # type: ignore[assignment]
    movements = 50 * network.evaluator.movement_encoder(batch.features[..., :-4])
    decoded = network.decoder(movements)
    parts: dict[str, list[Tensor]] = {"error": [], "size": [], "steps": []}
    for row, frames in enumerate(batch.lengths.tolist()):
        own = movements[row, : frames // 4]
        parts["error"].append((decoded[row, :frames] - batch.features[row, :frames]).abs().mean(-1))
        parts["size"].append(own.abs().mean(-1))
        parts["steps"].append(own.diff(dim=0).abs().mean(-1))
    error, size, steps = (torch.cat(each).mean() for each in parts.values())
    found = network._autoencoder_loss(batch, movements)
    torch.testing.assert_close(found, error + 0.001 * size + 0.001 * steps)


def test_reconstruction_does_not_see_padding() -> None:
    made = stage()
    [batch] = made.batch(made.draw(0))
    network: EvaluatorTraining = made.network  # type: ignore[assignment]
    network.eval()
    movements = network.evaluator.movement_encoder(batch.features[..., :-4])
    before = network._autoencoder_loss(batch, movements)
    movements = movements.clone()
    for row, length in enumerate(batch.lengths.tolist()):
        movements[row, length // 4 + 1 :] += 5
    assert torch.equal(network._autoencoder_loss(batch, movements), before)


class _Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [1, 3, 4])
def test_a_killed_run_goes_on_bit_identically(killed_at: int, tmp_path: Path) -> None:
    config = TrainingConfig(6, 3, 1e-3, 1e-4, 2, 0.0, validate_every=2)

    def report(step: int, figures: dict[str, float] | None) -> None:
        if step == killed_at:
            raise _Killed

    def run(folder: str) -> dict[str, Tensor]:
        train(stage(), config, tmp_path / folder, 0, CPU, lambda step, figures: None)
        return load_file(tmp_path / folder / "last.safetensors")

    whole = run("whole")
    with pytest.raises(_Killed):
        train(stage(), config, tmp_path / "killed", 0, CPU, report)
    resumed = run("killed")
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


@pytest.mark.parametrize("design", ["guo", "clip"])
def test_training_learns_to_match(design: str, tmp_path: Path) -> None:
    """Four clips, each still at a place of its own, are told apart by their sentences."""
    names = ("a man walks", "he jumps", "she turns left", "it sits")
    members = tuple(
        EvaluationClip(str(k), np.full((48, 263), k - 1.5, np.float32), (Caption(name),))
        for k, name in enumerate(names)
    )
    words = words_of_captions([Caption(name) for name in names], 1, 100)
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    torch.manual_seed(0)
    config = EvaluatorConfig(263, len(words), 8, 15, 8, 8, 16, 16, 8)
    config = replace(config, design=design, layers=1, heads=2, feed_forward=8, dropout=0.0)
    data = EvaluatorData(EvaluationSet(members), EvaluationSet(members), statistics, words)
    made = EvaluatorStage(training_of(config), data, 4, 0, CPU)
    training = TrainingConfig(100, 4, 1e-2, 1e-3, 5, 0.0, validate_every=100)
    result = train(made, training, tmp_path, 0, CPU, lambda step, figures: None)
    assert result.figures["text_to_motion_r1"] == result.figures["motion_to_text_r1"] == 100.0


def test_words_are_chosen_by_count_then_alphabet() -> None:
    captions = [
        Caption("", tuple(f"{w}/X" for w in line.split())) for line in ("b b c a", "a unk unk unk", "d c")
    ]
    assert words_of_captions(captions, 2, 2).words == ["unk", "sos", "eos", "a", "b"]
    assert words_of_captions(captions[::-1], 2, 9).words == ["unk", "sos", "eos", "a", "b", "c"]


def test_the_stage_trains_from_the_command_line_and_resumes(tmp_path: Path) -> None:
    texts = {
        n: f"a man {w}s#a/DET man/NOUN {w}/VERB#0.0#0.0\n"
        for n, w in zip("abcdef", ("walk", "jump") * 3, strict=True)
    }
    root = corpus(
        tmp_path / "h3d", dict.fromkeys("abcdef", 60) | {"f": 20}, texts, train="a b c f", val="d e"
    )
    words = ["--data", root, "--stage", "evaluator", "--batch-size", "evaluator=2"]
    done = pretrain_small(*words, "--output", tmp_path / "out", "--steps", "evaluator=3")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    record = json.loads(line)
    assert (record["stage"], record["step"]) == ("evaluator", 3)
    assert 0 <= record["mean_recall"] <= 100
    assert "train: skipped 1 clips: shorter than 40 frames" in done.stderr
    folder = tmp_path / "out"
    assert not (folder / "config.json").exists()
    assert (folder / "training/evaluator/log.jsonl").is_file()
    assert (folder / "training/curves.png").is_file()
    [evaluator] = load_evaluators([str(folder)], no_bundle, CPU)
    assert evaluator.name.startswith("out (")
    assert evaluator.motion_embeddings(motions((40,))).shape == (1, 16)
    weights = (folder / "evaluator/evaluator.safetensors").read_bytes()
    settings = of_stages(steps={"evaluator": 3}, batch_size={"evaluator": 2})
    same = PretrainOptions(None, FEW_WEIGHTS, settings, ("evaluator",))
    again = pretrain(root, folder, same, CPU, lambda *words: pytest.fail("a finished stage trained on"))
    assert again.results["evaluator"].figures["mean_recall"] == record["mean_recall"]
    assert (folder / "evaluator/evaluator.safetensors").read_bytes() == weights
    with pytest.raises(ValueError, match="this folder holds a run with another training"):
        faster = replace(same, settings=settings | of_stages(learning_rate={"evaluator": 1e-5}))
        pretrain(root, folder, faster, CPU, lambda *words: None)
    longer = replace(same, settings=settings | of_stages(steps={"evaluator": 4}))
    assert pretrain(root, folder, longer, CPU, lambda *words: None).results["evaluator"].step in (3, 4)


def test_given_word_vectors_stay_as_they_are(tmp_path: Path) -> None:
    released(tmp_path)
    texts = {n: f"a man {w}s#a/DET man/NOUN {w}/VERB#0.0#0.0\n" for n, w in (("a", "walk"), ("b", "jump"))}
    root = corpus(tmp_path / "h3d", {"a": 40, "b": 44}, texts, train="a b", val="b")
    settings, glove = of_stages(steps={"evaluator": 2}), tmp_path / "glove"
    options = PretrainOptions(None, FEW_WEIGHTS, settings, ("evaluator",), word_vectors=glove)
    pretrain(root, tmp_path / "out", options, CPU, lambda *words: None)
    folder = tmp_path / "out/evaluator"
    assert (folder / "words.txt").read_text().split() == VOCABULARY
    rows = np.load(tmp_path / "glove/our_vab_data.npy")[[len(VOCABULARY) - n for n in range(len(VOCABULARY))]]
    found = load_file(folder / "evaluator.safetensors")["word_vectors.weight"]
    assert np.array_equal(found.numpy(), rows.astype(np.float32).astype(np.float16))


def test_mardms_second_design_is_trained_saved_and_read_and_refuses_word_vectors(tmp_path: Path) -> None:
    texts = {n: f"a man {w}s#a/DET man/NOUN {w}/VERB#0.0#0.0\n" for n, w in (("a", "walk"), ("b", "jump"))}
    root = corpus(tmp_path / "h3d", {"a": 40, "b": 44}, texts, train="a b", val="b")
    settings = of_stages(steps={"evaluator": 2}) | {
        "evaluator.design": "clip",
        "evaluator.layers": 1,
        "evaluator.heads": 2,
        "evaluator.seen": 67,
    }
    options = PretrainOptions(None, FEW_WEIGHTS, settings, ("evaluator",))
    pretrain(root, tmp_path / "out", options, CPU, lambda *words: None)
    [evaluator] = load_evaluators([str(tmp_path / "out")], no_bundle, CPU)
    assert isinstance(evaluator, GuoEvaluator) and evaluator.contrastive
    vectors = evaluator.motion_embeddings(motions((40, 44)))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    # Neither what a row is padded with nor its neighbours count.
    said = [Caption("a man walks"), Caption("a man jumps and walks")]
    np.testing.assert_allclose(
        evaluator.text_embeddings(said)[:1], evaluator.text_embeddings(said[:1]), atol=1e-5
    )
    with pytest.raises(ValueError, match="an evaluator of design clip learns its own"):
        pretrain(root, tmp_path / "b", replace(options, word_vectors=tmp_path), CPU, lambda *words: None)
