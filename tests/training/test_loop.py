"""The loop where something goes wrong: numbers that are none, a torn log, ranks that do not wait."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.training.curves import curves_figure, read_logs
from lamp_cli.training.log import TrainingLog, read_log
from lamp_cli.training.loop import TrainingConfig, is_read, train
from lamp_cli.training.stopping import TrainingStopped

CPU = torch.device("cpu")
CONFIG = TrainingConfig(4, 2, 1e-2, 1e-3, 1, 0.0, validate_every=2, select="error")


class _Slope(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": ((self.slope - x) ** 2).mean()}


class Line:
    """A line through drawn points, whose validation figures are given."""

    name = "line"

    def __init__(self, errors: list[float]):
        self.network: torch.nn.Module = _Slope()
        self._errors = iter(errors)

    def draw(self, step: int) -> int:
        return step

    def names(self, step: int) -> list[str]:
        return [f"clip {step}"]

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


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Signalled(Line):
    """A line whose training gets a signal in the batch of a step, or in a validation."""

    def __init__(self, errors: list[float], number: int, step: int | None = None):
        super().__init__(errors)
        self._signal, self._step = number, step

    def batch(self, drawn: int) -> tuple[Any, ...]:
        if drawn == self._step:
            os.kill(os.getpid(), self._signal)
        return super().batch(drawn)

    def validate(self) -> dict[str, float]:
        if self._step is None:
            os.kill(os.getpid(), self._signal)
        return super().validate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("step", "stopped_at"), [(0, 1), (2, 3), (None, 2)])
def test_a_signal_saves_and_stops_and_the_run_goes_on_bit_identically(
    number: int, step: int | None, stopped_at: int, tmp_path: Path
) -> None:
    train(Line([3.0, 2.0]), CONFIG, tmp_path / "whole", 0, CPU, ignore)
    before = signal.getsignal(number)
    with pytest.raises(TrainingStopped, match=rf"line stopped at step {stopped_at}, its state is saved"):
        train(Signalled([3.0], number, step), CONFIG, tmp_path / "stopped", 0, CPU, ignore)
    assert signal.getsignal(number) is before
    left = [2.0] if step == 2 else [3.0, 2.0]
    result = train(Line(left), CONFIG, tmp_path / "stopped", 0, CPU, ignore)
    assert result.step == 4 and equal(state_of(tmp_path / "whole"), state_of(tmp_path / "stopped"))
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("whole", "stopped")]
    assert logs[0] == logs[1]


def test_the_state_is_saved_by_time_too(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(step: int, figures: object) -> None:
        if step == 2:
            raise Killed

    config = replace(CONFIG, validate_every=4)
    with pytest.raises(Killed):
        train(Line([2.0]), config, tmp_path / "killed", 0, CPU, kill, save_every=0.0)
    assert not (tmp_path / "killed" / "best.safetensors").exists()
    steps: list[int] = []
    train(Line([2.0]), config, tmp_path / "killed", 0, CPU, lambda step, figures: steps.append(step))
    assert steps == [2, 3, 4, 4]
    train(Line([2.0]), config, tmp_path / "whole", 0, CPU, ignore)
    assert equal(state_of(tmp_path / "whole"), state_of(tmp_path / "killed"))


def test_behind_a_checkpoint_cut_short_the_one_before_goes_on(tmp_path: Path) -> None:
    train(Line([3.0, 2.0]), CONFIG, tmp_path, 0, CPU, ignore)
    last = tmp_path / "last.safetensors"
    whole, said = {name: value.clone() for name, value in state_of(tmp_path).items()}, []
    last.write_bytes(last.read_bytes()[:100])
    train(Line([2.0]), CONFIG, tmp_path, 0, CPU, ignore, announce=said.append)
    assert equal(whole, state_of(tmp_path))
    assert len(said) == 1 and "last.safetensors: not a whole checkpoint" in said[0] and "step 2" in said[0]


def test_a_loss_that_is_not_finite_names_the_clips_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    class Broken(Line):
        def batch(self, drawn: int) -> tuple[Any, ...]:
            return (torch.tensor([float("nan") if drawn == 2 else 1.0]),)

    with pytest.raises(
        FloatingPointError, match=r"line: the loss is not finite at step 3, of clip 2; the last"
    ):
        train(Broken([3.0]), CONFIG, tmp_path, 0, CPU, ignore)
    assert all(value.isfinite().all() for value in state_of(tmp_path).values())


class _PlainDescent(torch.nn.Module):
    """The loss is the slope times what was drawn: its gradient is what was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": (self.slope * x).mean()}


def test_a_step_follows_the_mean_gradient_of_its_batches(tmp_path: Path) -> None:
    stage = Line([1.0])
    stage.network = _PlainDescent()
    config = TrainingConfig(1, 2, 1e-2, 1e-3, 0, 0.0, validate_every=1, gradient_clip=100.0, accumulate=3)
    train(stage, config, tmp_path, 0, CPU, ignore)
    # The first moment of one step is (1 - 0.9) times the gradient: the mean of 1, 2 and 3.
    assert state_of(tmp_path)["optimizer.0.exp_avg"].item() == pytest.approx(0.1 * 2.0)
    assert [record["loss"] for record in read_log(tmp_path / "log.jsonl")] == [0.0]


def test_averaged_weights_are_validated_and_kept(tmp_path: Path) -> None:
    seen: list[float] = []

    class Watched(Line):
        def validate(self) -> dict[str, float]:
            seen.append(float(self.network.slope.detach()))
            return super().validate()

    def slopes(average_decay: float) -> list[float]:
        seen.clear()
        config = replace(CONFIG, validate_every=1, average_decay=average_decay)
        train(Watched([4.0, 3.0, 2.0, 1.0]), config, tmp_path / str(average_decay), 0, CPU, ignore)
        return list(seen)

    plain, averaged = slopes(0.0), slopes(0.75)
    expected = 0.0
    for own, average in zip(plain, averaged, strict=True):
        expected = 0.75 * expected + 0.25 * own
        assert average == pytest.approx(expected, rel=1e-5)
    state = state_of(tmp_path / "0.75")
    assert state["network.slope"].item() == plain[-1] and state["average.slope"].item() == averaged[-1]
    assert load_file(tmp_path / "0.75" / "best.safetensors")["slope"].item() == averaged[-1]


def test_the_processor_waits_for_an_accelerator_every_few_steps_alone() -> None:
    config = replace(CONFIG, read_every=5)
    read = {
        device: [step for step in range(1, 13) if is_read(step, config, torch.device(device))]
        for device in ("cpu", "cuda")
    }
    assert read == {"cpu": list(range(1, 13)), "cuda": [5, 10]}
    with pytest.raises(ValueError, match="read_every: expected at least 1 step, found 0"):
        replace(CONFIG, read_every=0)


def test_fused_and_plain_adamw_take_the_same_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    adamw = torch.optim.AdamW

    def watched(*arguments: Any, **settings: Any) -> torch.optim.AdamW:
        asked.append(settings["fused"])
        return adamw(*arguments, **settings)

    monkeypatch.setattr(torch.optim, "AdamW", watched)
    slopes = []
    for fused in (True, False):
        stage = Line([2.0, 1.0])
        train(stage, replace(CONFIG, fused=fused), tmp_path / str(fused), 0, CPU, ignore)
        slopes.append(stage.network.slope.item())
    assert asked == [True, False]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-6) and slopes[0] > 0
