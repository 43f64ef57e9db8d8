"""The loop where something goes wrong: numbers that are none, a torn log, ranks that do not wait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lamp_cli.training.curves import curves_figure, read_logs
from lamp_cli.training.log import TrainingLog, read_log
from lamp_cli.training.loop import TrainingConfig, train

CPU = torch.device("cpu")
CONFIG = TrainingConfig(4, 2, 1e-2, 1e-3, 1, 0.0, validate_every=2)


class _Slope(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": ((self.slope - x) ** 2).mean()}


class Line:
    """A line through drawn points, whose validation figures are given."""

    name = "line"
    figure = "error"
    larger_is_better = False

    def __init__(self, errors: list[float]):
        self.network: torch.nn.Module = _Slope()
        self._errors = iter(errors)

    def draw(self, step: int) -> int:
        return step

    def batch(self, drawn: int) -> tuple[Any, ...]:
        return (torch.tensor([1.0 + drawn]),)

    def validate(self) -> dict[str, float]:
        return {"error": next(self._errors)}


def ignore(*arguments: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("errors", "best"), [([float("nan"), 3.0], 4), ([3.0, float("nan")], 2), ([float("nan")] * 2, 2)]
)
def test_any_number_is_better_than_none(errors: list[float], best: int, tmp_path: Path) -> None:
    assert train(Line(errors), CONFIG, tmp_path, 0, CPU, ignore).step == best


def test_a_log_line_cut_short_at_the_end_does_not_stop_a_run(tmp_path: Path) -> None:
    train(Line([3.0, 2.0]), CONFIG, tmp_path, 0, CPU, ignore)
    log = tmp_path / "log.jsonl"
    whole = read_log(log)
    log.write_text(log.read_text() + '{"step": 6, "loss": 0.')
    assert read_log(log) == whole
    train(Line([]), CONFIG, tmp_path, 0, CPU, ignore)
    assert [json.loads(line) for line in log.read_text().splitlines()] == whole


@pytest.mark.parametrize("bad", ["{torn", "[1]", '{"loss": 1.0}'])
def test_any_other_line_of_a_log_is_named(bad: str, tmp_path: Path) -> None:
    log = tmp_path / "stage" / "log.jsonl"
    log.parent.mkdir()
    log.write_text(f'{{"step": 1}}\n{bad}\n{{"step": 3}}\n')
    for read in (lambda: TrainingLog(log, 5), lambda: read_logs(tmp_path)):
        with pytest.raises(ValueError, match=r"log\.jsonl, line 2: expected a JSON object with a step"):
            read()


def test_a_single_validation_is_drawn_as_a_point() -> None:
    figure = curves_figure(
        {"lamp": [{"step": 1, "loss": 2.0, "val_loss": 2.5, "val_text_to_motion_r1": 3.0}]}
    )
    lines = [line for axes in figure.axes for line in axes.lines]
    assert len(lines) == 3 and all(line.get_marker() == "." for line in lines)


def test_the_process_group_ends_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from lamp_cli.cli.pretrain import _process_group

    calls: list[str] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("torch.distributed.init_process_group", calls.append)
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: calls.append("destroyed"))
    with pytest.raises(KeyboardInterrupt), _process_group("cpu"):
        raise KeyboardInterrupt
    assert calls == ["gloo", "destroyed"]
