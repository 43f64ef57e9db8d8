"""The best weights are kept by the figure that the experiment names: a loss, retrieval, FID by a judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.data.batches import evaluation_batch
from lamp_cli.data.layout import FramesLimit, open_dataset
from lamp_cli.metrics.distribution import frechet_inception_distance
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.scoring.evaluators import load_evaluators
from lamp_cli.training.experiment_files import read_experiment
from lamp_cli.training.pretrain import pretrain
from lamp_cli.training.selection import TrueMotions, load_judge_of, selected_figure
from lamp_cli.training.stages.lamp import LampStage, recalls, wrong_before_right
from lamp_cli.training.stages.tokenizer import TokenizerStage
from tests.small_size import pretrain as pretrain_small
from tests.training.test_pretrain import CPU, OPTIONS, _ignore, dataset


def test_ranks_and_recalls_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.1, 0.2], [0.8, 0.5, 0.6], [0.3, 0.1, 0.2]])
    assert wrong_before_right(scores, torch.arange(3)).tolist() == [0, 2, 1]
    # The first and the third sentence are one: each is right for both.
    assert wrong_before_right(scores, torch.tensor([0, 1, 0])).tolist() == [0, 2, 0]
    assert recalls("x", scores, torch.arange(3)) == {
        "x_r1": pytest.approx(100 / 3),
        "x_r5": 100,
        "x_r10": 100,
    }


def _best(folder: Path) -> tuple[int, list[dict[str, float]]]:
    from safetensors import safe_open

    with safe_open(folder / "best.safetensors", framework="pt") as file:
        best = json.loads(file.metadata()["best"])["step"]
    return best, [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_named_figure_chooses_and_the_larger_or_smaller_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset(tmp_path / "data", HUMANML3D)
    errors = iter([{"mpjpe_mm": 1.0, "global_mpjpe_mm": 9.0}, {"mpjpe_mm": 2.0, "global_mpjpe_mm": 5.0}])
    recalled = iter([{"mean_recall": 9.0, "mrr": 10.0}, {"mean_recall": 5.0, "mrr": 20.0}])
    monkeypatch.setattr(TokenizerStage, "validate", lambda stage: next(errors))
    monkeypatch.setattr(LampStage, "validate", lambda stage: next(recalled))
    chosen = {"training.tokenizer.select": "global_mpjpe_mm", "training.lamp.select": "mrr"}
    options = replace(OPTIONS, stages=("tokenizer", "lamp"), settings={**OPTIONS.settings, **chosen})
    results = pretrain(data, tmp_path / "out", options, CPU, _ignore).results
    assert {stage: result.step for stage, result in results.items()} == {"tokenizer": 4, "lamp": 4}


def test_without_contrastive_learning_lamp_is_chosen_by_its_loss(tmp_path: Path) -> None:
    done = pretrain_small(
        *("--data", dataset(tmp_path / "data", HUMANML3D), "--output", tmp_path / "out"),
        *("--text-encoder", "none", "--stage", "tokenizer", "--stage", "lamp", "--without", "contrastive"),
        *("--steps", "tokenizer=1", "--steps", "lamp=3", "--validate-every", "lamp=1"),
        *("--batch-size", "tokenizer=4", "--batch-size", "lamp=4"),
    )
    assert done.returncode == 0, done.stderr
    said = (
        "without the objective contrastive its mean_recall means nothing; the best weights are chosen by loss"
    )
    assert f"lamp: {said}" in done.stderr.splitlines()
    best, log = _best(tmp_path / "out/training/lamp")
    assert best == min(log, key=lambda record: record["val_loss"])["step"]
    assert "val_contrastive" not in log[0] and log[0]["val_r_sum"] >= 0


def test_another_figure_is_asked_for_only_where_it_means_nothing() -> None:
    for settings, expected in (
        ({}, ("mean_recall", True)),
        ({"training.lamp.select": "loss", "lamp.weights.contrastive": 0.0}, ("loss", True)),
        ({"training.lamp.select": "mrr", "lamp.weights.contrastive": 0.0}, ("loss", False)),
        ({"training.lamp.select": "mrr", "lamp.weights.matching": 0.0}, ("mrr", True)),
    ):
        figure, remark = selected_figure("lamp", read_experiment("paper", None, settings, HUMANML3D))
        assert (figure, remark is None) == expected


class Halves:
    """A judge whose embedding is a motion's mean over its first two features."""

    name = "halves"

    def __init__(self, skeleton: Skeleton = HUMANML3D):
        self.skeleton = skeleton
        self.asked = 0

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        self.asked += 1
        return np.stack([motion[:, :2].mean(0) for motion in features])


def test_true_motions_are_judged_once() -> None:
    rng, judge = np.random.default_rng(0), Halves()
    motions = [rng.normal(size=(8, 263)) for _ in range(5)]
    true = TrueMotions(judge, motions)
    assert true.fid(motions) == pytest.approx(0, abs=1e-9) and judge.asked == 2
    # The means are 3 apart in each of two numbers, the covariances equal.
    assert true.fid([motion + 3 for motion in motions]) == pytest.approx(18) and judge.asked == 3


def test_a_judge_is_loaded_when_a_stage_that_is_trained_needs_it() -> None:
    settings = {"training.generator.select": "fid", "judge": "guo:x"}
    experiment = read_experiment("mini", None, settings, HUMANML3D)
    assert load_judge_of(experiment, ("tokenizer", "lamp"), HUMANML3D, None) is None
    with pytest.raises(ValueError, match="judge guo:x: nothing is given to load it with"):
        load_judge_of(experiment, ("generator",), HUMANML3D, None)
    asked: list[str] = []
    judge = load_judge_of(experiment, ("generator",), HUMANML3D, lambda name: asked.append(name) or Halves())
    assert isinstance(judge, Halves) and asked == ["guo:x"]
    with pytest.raises(ValueError, match="judge guo:x: reads kit's motions, the data have humanml3d's"):
        load_judge_of(experiment, ("generator",), HUMANML3D, lambda name: Halves(KIT))


def test_tokenizer_and_generator_are_chosen_by_the_fid_of_an_evaluator(tmp_path: Path) -> None:
    data, output = dataset(tmp_path / "data", HUMANML3D), tmp_path / "out"
    words = ["--data", data, "--output", tmp_path / "judge", "--stage", "evaluator"]
    done = pretrain_small(*words, "--steps", "evaluator=1", "--batch-size", "evaluator=2")
    assert done.returncode == 0, done.stderr
    words = [
        "--data",
        data,
        "--output",
        output,
        "--text-encoder",
        "none",
        "--set",
        f"judge={tmp_path / 'judge'}",
    ]
    for stage in ("tokenizer", "lamp", "generator"):
        words += ["--steps", f"{stage}=3", "--batch-size", f"{stage}=4", "--stage", stage]
        words += ["--validate-every", f"{stage}=1"]
    for stage in ("tokenizer", "generator"):
        words += ["--set", f"training.{stage}.select=fid"]
    done = pretrain_small(*words)
    assert done.returncode == 0, done.stderr
    for stage in ("tokenizer", "generator"):
        best, log = _best(output / "training" / stage)
        assert best == min(log, key=lambda record: record["val_fid"])["step"] and len(log) == 3
    assert "val_fid" not in _best(output / "training/lamp")[1][0]
    # The figure, once more by hand: the clips through the codes of the kept weights.
    bundle = load_bundle(output, "cpu")
    [judge] = load_evaluators([str(tmp_path / "judge")], lambda: bundle, CPU)
    clips, _ = open_dataset(data).clips("val", FramesLimit(20, 10_000))
    made = []
    for clip in clips:
        normalised = torch.from_numpy(evaluation_batch([clip], bundle.statistics, 4).features)
        output_features = bundle.tokenizer.decode(bundle.tokenizer.encode(normalised)).numpy()[0]
        made.append(bundle.statistics.denormalise(output_features))
    true = [judge.motion_embeddings([clip.features[:196]])[0] for clip in clips]
    by_hand = frechet_inception_distance(np.stack(true), judge.motion_embeddings(made))
    # A bundle's weights are 16-bit floats.
    assert by_hand == pytest.approx(bundle.config.figures["tokenizer"]["fid"], rel=0.02)
