"""``lamp info``: what the shipped bundle is, and one sentence for what is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.bundle.bundle import find_bundle, read_config
from lamp_cli.bundle.config import Provenance
from lamp_cli.bundle.description import describe_bundle
from lamp_cli.bundle.trained_tokenizer import TrainedTokenizer, TrainedTokenizerConfig, save_tokenizer
from lamp_cli.data.statistics import Statistics
from lamp_cli.model.tokenizer import MotionTokenizer, TokenizerConfig
from tests.command_line import lamp


def test_lamp_mini_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = lamp("info").rows
    config = json.loads((find_bundle("lamp-mini") / "config.json").read_text())
    assert (found["model"], found["skeleton"], found["evaluator"]) == ("lamp-mini", "humanml3d", True)
    assert found["figures"] == config["figures"] and found["steps"] == config["steps"]
    # Weights are 16-bit floats: two bytes a number, and little else.
    assert 2 * sum(found["parameters"].values()) == pytest.approx(found["bytes"], rel=0.02)
    assert found["checksum"].startswith("sha256:") and found["training"] is None


def test_a_person_reads_it_line_by_line(tmp_path: Path) -> None:
    from lamp_cli.cli.info import _for_people

    for path in find_bundle("lamp-mini").iterdir():
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "LICENSE").write_text("\nMIT License\n\nCopyright\n")
    (tmp_path / "experiment.toml").write_text("[generator]\ndropout = 0.1\n")
    lines = _for_people(describe_bundle(tmp_path)).splitlines()
    assert "licence: MIT License" in lines
    config = read_config(tmp_path)
    step, accuracy = config.steps["generator"], config.figures["generator"]["masked_accuracy"]
    begin = f"generator: best at step {step}, masked_accuracy {accuracy:.4g}"
    assert any(line.startswith(begin) for line in lines)
    assert lines[-2:] == ["[generator]", "dropout = 0.1"]


def test_a_tokenizer_alone_is_described(tmp_path: Path) -> None:
    config = TokenizerConfig(width=8, codes=16, code_width=8)
    provenance = Provenance("T2M-GPT", "Apache License 2.0", {"net.pth": "0" * 64})
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    described = TrainedTokenizerConfig("t2m-gpt", "humanml3d", config, provenance)
    tokenizer = TrainedTokenizer(described, MotionTokenizer(config), statistics)
    save_tokenizer(tmp_path / "t2m-gpt", tokenizer)
    (found,) = lamp("info", tmp_path / "t2m-gpt").rows
    assert (found["model"], found["parts"], found["licence"]) == (
        "t2m-gpt",
        ["motion tokenizer"],
        "Apache License 2.0",
    )
    weights = tokenizer.network.state_dict().values()
    assert found["parameters"] == {"tokenizer": sum(weight.numel() for weight in weights)}
    assert found["networks"]["tokenizer"]["codes"] == 16 and found["provenance"]["source"] == "T2M-GPT"


def test_what_is_no_bundle_is_said_in_one_sentence(tmp_path: Path) -> None:
    for change, message in (
        (lambda: None, "config.json: missing"),
        (lambda: shutil.copy(find_bundle("lamp-mini") / "config.json", tmp_path), None),
        (lambda: (tmp_path / "lamp.safetensors").write_bytes(b"short"), "lamp.safetensors: cannot be read"),
    ):
        change()
        done = lamp("info", tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == ((2, 1) if message else (0, 0))
        assert message is None or message in done.stderr
