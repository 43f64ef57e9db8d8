"""Configs of bundles and evaluators and the tensors beside them: one sentence for what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lamp_cli.bundle.bundle import find_bundle, read_config
from lamp_cli.bundle.config import read_config_file
from lamp_cli.bundle.trained_evaluator import TrainedEvaluatorConfig
from lamp_cli.bundle.weights import SkipInitialisation
from lamp_cli.model.evaluator import EvaluatorConfig, MatchingEvaluator
from lamp_cli.model.qformer import QFormer, QFormerConfig
from lamp_cli.model.state import first_misfit
from lamp_cli.model.tokenizer import TokenizerConfig
from lamp_cli.model.transformer import PreNormBlock


def written(folder: Path, config: object) -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return folder / "config.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 7}, r"config\.json: not a bundle, format: expected 1, found 7"),
        ({"skeleton": "octopus"}, r"config\.json: .*octopus"),
        ({"fps": "fast"}, r"config\.json: config\.fps: expected float, found 'fast'"),
        ({"colour": "red"}, r"config\.json: config\.colour: unknown"),
    ],
)
def test_what_is_wrong_in_a_bundles_config_is_named(change, message, tmp_path: Path) -> None:
    shipped = json.loads((find_bundle("lamp-mini") / "config.json").read_text())
    written(tmp_path, {**shipped, **change})
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path)


def test_a_wrong_value_deep_in_a_bundles_config_is_named(tmp_path: Path) -> None:
    shipped = json.loads((find_bundle("lamp-mini") / "config.json").read_text())
    shipped["model"]["lamp"]["weights"]["contrastive"] = "much"
    written(tmp_path, shipped)
    with pytest.raises(ValueError, match=r"lamp\.weights\.contrastive: expected float, found 'much'"):
        read_config(tmp_path)


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"config\.json: missing; .* is not a bundle that `lamp"):
        read_config(tmp_path)
    written(tmp_path, '{"name": ')
    with pytest.raises(ValueError, match=r"config\.json: not JSON"):
        read_config(tmp_path)


def test_an_evaluators_config_is_not_a_bundles(tmp_path: Path) -> None:
    card = asdict(TrainedEvaluatorConfig("judge", "humanml3d", EvaluatorConfig()))
    path = written(tmp_path, card)
    assert read_config_file(path, TrainedEvaluatorConfig, "an evaluator").network == EvaluatorConfig()
    shipped = find_bundle("lamp-mini") / "config.json"
    with pytest.raises(ValueError, match="not an evaluator, kind: expected 'evaluator', found None"):
        read_config_file(shipped, TrainedEvaluatorConfig, "an evaluator")
    path = written(tmp_path, {**card, "skeleton": "kit"})
    with pytest.raises(ValueError, match="263 features do not fit skeleton kit"):
        read_config_file(path, TrainedEvaluatorConfig, "an evaluator")


def test_the_first_tensor_that_does_not_fit_is_named() -> None:
    network = nn.Linear(3, 2)
    own = network.state_dict()
    assert first_misfit(network, own) is None
    assert first_misfit(network, {"weight": own["weight"]}) == "bias"
    assert first_misfit(network, {**own, "scale": own["bias"]}) == "scale"
    assert first_misfit(network, {**own, "weight": torch.zeros(2, 4)}) == "weight"


def test_undrawn_networks_have_the_shapes_of_drawn_ones_and_draw_nothing(tmp_path: Path) -> None:
    config = EvaluatorConfig(words=5, movement_hidden=8, movement_width=8, motion_hidden=8, text_hidden=8)
    drawn = MatchingEvaluator(config).state_dict()
    before = torch.random.get_rng_state()
    save_file(drawn, tmp_path / "evaluator.safetensors")
    with SkipInitialisation(tmp_path):
        network = MatchingEvaluator(config)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first_misfit(network, drawn) is None


@pytest.mark.parametrize("field", ["layers", "feed_forward", "vocabulary"])
def test_networks_larger_than_their_weights_are_refused_while_they_are_built(
    field: str, tmp_path: Path
) -> None:
    save_file({"weight": torch.zeros(50_000)}, tmp_path / "lamp.safetensors")
    sizes = {"vocabulary": 100, "width": 8, "layers": 1, "heads": 2, "feed_forward": 8}
    with SkipInitialisation(tmp_path):
        QFormer(QFormerConfig(**{**sizes, "query_tokens": 4}))
        with pytest.raises(ValueError, match=r"config\.json: describes larger networks"):
            QFormer(QFormerConfig(**{**sizes, "query_tokens": 4, field: 10**9}))


def test_heads_that_cannot_share_the_width_and_endless_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="heads: expected a number that divides the width 8, found 3"):
        PreNormBlock(8, 3, 8, 0.0)
    with pytest.raises(ValueError, match="residual_blocks: expected 0 to 16, found 10000000"):
        TokenizerConfig(residual_blocks=10**7)
