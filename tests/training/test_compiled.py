"""Networks whose blocks are compiled: the same training, the same names, a sentence without a compiler."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lamp_cli.model.tokenizer import MotionTokenizer, TokenizerConfig
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.compiled import compile_repeated_parts
from lamp_cli.training.loop import TrainingConfig, train
from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain
from lamp_cli.training.run_record import claim
from tests.small_size import SMALL
from tests.training.test_training import CONFIG, CPU, _tokenizer_stage


def _ignore(*arguments: object) -> None:
    pass


def test_a_compiled_network_computes_the_same_under_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch's own reading of the blocks; what a compiler makes of them is its own matter."""
    monkeypatch.setattr(nn.Module, "compile", functools.partialmethod(nn.Module.compile, backend="eager"))
    torch.manual_seed(0)
    config = TokenizerConfig(width=8, codes=16, code_width=8, stages=1, residual_blocks=1)
    plain = MotionTokenizer(config).eval()
    compiled = copy.deepcopy(plain)
    # A halving of the rate with one block, and its mirror image.
    assert compile_repeated_parts(compiled) == 4
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    windows = torch.randn(2, 8, 263)
    losses = [network(windows, torch.Generator())["loss"] for network in (plain, compiled)]
    torch.testing.assert_close(losses[1], losses[0])
    losses[1].backward()
    assert compiled.decoder.up[0].weight.grad is not None


def test_training_compiles_where_its_field_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[nn.Module] = []
    monkeypatch.setattr("lamp_cli.training.loop.compile_repeated_parts", asked.append)
    for compile in ("none", "default"):
        stage = _tokenizer_stage()
        config = replace(CONFIG, steps=1, validate_every=1, compile=compile)
        train(stage, config, tmp_path / compile, 0, CPU, _ignore)
    assert asked == [stage.network]


def test_without_a_compiler_the_run_is_refused_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(function: object) -> object:
        raise RuntimeError("\nNo working C++ compiler found\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(torch, "compile", missing)
    (tmp_path / "data/new_joint_vecs").mkdir(parents=True)
    monkeypatch.setattr("lamp_cli.training.pretrain.open_dataset", lambda data: _Opened)
    options = PretrainOptions(config=SMALL, settings={"training.lamp.compile": "default"})
    with pytest.raises(ValueError, match=r"cannot compile for this cpu \(No working C\+\+ compiler found\)"):
        pretrain(tmp_path / "data", tmp_path / "out", options, CPU, _ignore)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="compile: expected none or default, found 'fast'"):
        TrainingConfig(4, 2, 1e-2, 1e-3, 1, 0.0, compile="fast")


class _Opened:
    skeleton = HUMANML3D


def test_a_run_may_go_on_compiled(tmp_path: Path) -> None:
    """As one of an earlier version, which did not know the field."""
    for training in (
        {"lamp": {"rate": 1e-4}},
        {"lamp": {"rate": 1e-4, "compile": "default", "fused": False, "read_every": 5}},
    ):
        claim(tmp_path / "run.json", {"training": training})
        claim(tmp_path / "of_one.json", {"training": training["lamp"]})
