"""Two processes with half the batch each learn what one does with all of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.cli.pretrain import _process_group
from lamp_cli.model import distributed
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training import loop
from lamp_cli.training.loop import Stage, train
from lamp_cli.training.pretrain import pretrain
from tests.training import test_captioner, test_evaluator, test_loop, test_training
from tests.training.test_pretrain import OPTIONS as PRETRAINING
from tests.training.test_pretrain import STEPS, dataset

# Seconds; they need about 20 where nothing else runs.
PATIENCE = 300.0


def _evaluator_stage() -> Stage:
    stage = test_evaluator.stage()
    stage._batch_size = 4
    stage.network.eval()
    return stage


def _ordered_stage() -> Stage:
    """One sentence of the batch tells of two events, so one rank has nothing to tell the order of."""
    stage = test_training._lamp_stage(dropout=0.0, weights={"contrastive": 1.0, "order": 1.0})
    stage._sampler._sentences = [["he hops, then walks"], *[["he waves"]] * 5]  # type: ignore[list-item]
    assert len(stage.draw(0).orders) == 1
    return stage


def _captioner_stage(kind: str) -> Stage:
    return test_captioner.undisturbed(test_captioner.stage_of(kind))


STAGES: dict[str, Callable[[], Stage]] = {
    "tokenizer": test_training._tokenizer_stage,
    "lamp": lambda: test_training._lamp_stage(dropout=0.0),
    "ordered lamp": _ordered_stage,
    "evaluator": _evaluator_stage,
    "language": lambda: _captioner_stage("language"),
    "captioner": lambda: _captioner_stage("captioner"),
    "adapted captioner": lambda: _captioner_stage("adapted"),
}
# What of a captioner each kind of step trains; without motions the projection has no part.
TRAINED = {
    "language": {"decoder"},
    "captioner": {"decoder", "projection"},
    "adapted captioner": {"decoder", "projection", "adapter"},
}


def _gradients(stage: Stage, ranks: int) -> dict[str, torch.Tensor]:
    network = stage.network
    if ranks > 1:
        network = torch.nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)
    network(*stage.batch(stage.draw(0)), torch.Generator().manual_seed(5))["loss"].backward()
    return {name: p.grad for name, p in stage.network.named_parameters() if p.grad is not None}


class _Killed(Exception):
    pass


def _train_until_killed(folder: Path, last: int) -> None:
    """The first of four steps of a line, saved after each."""

    def kill(step: int, figures: object) -> None:
        if step == last and figures is not None:
            raise _Killed

    with contextlib.suppress(_Killed):
        train(Pairs([3.0, 2.0]), test_loop.CONFIG, folder, 0, test_loop.CPU, kill, save_every=0.0)


class Pairs(test_loop.Line):
    """A line through two points a step, one for each of two ranks."""

    def batch(self, drawn: int) -> tuple[Any, ...]:
        return (torch.tensor([1.0 + drawn, 3.0 - drawn])[distributed.rows_of_rank(2)],)


class Gathering(test_loop.Line):
    """A line that tells how many rows a validation of one row has after they are gathered."""

    def validate(self) -> dict[str, float]:
        return {**super().validate(), "rows": float(len(distributed.gather(torch.zeros(1))))}


def _rank(rank: int, folder: str) -> None:
    """One of two processes: every stage's gradients, a training written slowly, a pretraining as a whole."""
    if rank == 0:
        _train_until_killed(Path(folder) / "begun by one", 1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name, make in STAGES.items():
        stage = make()
        gradients = _gradients(stage, 2)
        if rank == 0:
            save_file(gradients, Path(folder) / f"{name}.safetensors")
            save_file(dict(stage.network.named_buffers()), Path(folder) / f"{name}_buffers.safetensors")
    _train_until_killed(Path(folder) / "begun by one", 3)
    _train_until_killed(Path(folder) / "begun by two", 3)
    write = loop.save_best

    def slowly(*arguments: Any) -> None:
        time.sleep(0.5)
        write(*arguments)

    loop.save_best = slowly
    stage = Gathering([3.0, 2.0])
    result = train(stage, test_loop.CONFIG, Path(folder) / "run", 0, test_loop.CPU, test_loop.ignore)
    slope = float(stage.network.state_dict()["slope"])
    (Path(folder) / f"{rank}.json").write_text(json.dumps([result.step, slope]))
    loop.save_best = write
    options = replace(PRETRAINING, stages=(*PRETRAINING.stages, "captioner"))
    data, output = Path(folder) / "data", Path(folder) / "bundle"
    report = pretrain(data, output, options, test_loop.CPU, test_loop.ignore)
    results = {name: [result.step, result.figures] for name, result in report.results.items()}
    (Path(folder) / f"pretrained_{rank}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()
    _end_without_the_other(rank, Path(folder))


def _end_without_the_other(rank: int, folder: Path) -> None:
    """A training of which the second process is gone after two steps; what the first says of it."""
    found = {"WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "127.0.0.1"}
    os.environ |= {**found, "MASTER_PORT": _common_port(rank, folder / "port")}

    exit_at_once = os._exit

    def leave(step: int, figures: object) -> None:
        if rank == 1 and step == 2:
            exit_at_once(0)

    def told(code: int) -> None:
        (folder / "left.txt").write_text(f"{said.getvalue()}{code}")
        exit_at_once(0)

    os._exit = told  # type: ignore[assignment]
    with contextlib.redirect_stderr(io.StringIO()) as said, _process_group("cpu"):
        train(Pairs([3.0, 2.0]), test_loop.CONFIG, folder / "left", 0, test_loop.CPU, leave)


def _common_port(rank: int, file: Path) -> str:
    """A free port that the first process finds just before it listens there: soon another may have it."""
    if rank == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            written = file.with_suffix(".new")
            written.write_text(str(free.getsockname()[1]))
        written.replace(file)
    while not file.exists():
        time.sleep(0.01)
    return file.read_text()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind; started once, each imports torch anew."""
    folder = tmp_path_factory.mktemp("ranks")
    dataset(folder / "data", HUMANML3D)
    processes = torch.multiprocessing.spawn(_rank, args=(str(folder),), nprocs=2, join=False)
    latest = time.monotonic() + PATIENCE
    while not processes.join(timeout=1.0):
        if time.monotonic() > latest:
            for process in processes.processes:
                process.kill()
            pytest.fail(f"two processes were not done after {PATIENCE:.0f} s; see {folder}")
    return folder


@pytest.mark.parametrize("name", STAGES)
def test_two_ranks_with_half_the_batch_give_the_gradients_of_one(name: str, ranks: Path) -> None:
    one, two = _gradients(STAGES[name](), 1), load_file(ranks / f"{name}.safetensors")
    if name in TRAINED:
        assert {part.split(".")[0] for part in one} == TRAINED[name]
    assert two.keys() <= one.keys() and len(two) > 5
    # The ranks add the same fp32 numbers in another order. A gradient may be a small difference of large ones
    # (a unit vector's has nothing along itself), so what is lost is measured by the largest of the network.
    rounding = torch.finfo(torch.float32).eps * max(float(gradient.abs().max()) for gradient in one.values())
    for part, expected in one.items():
        gradient = two.get(part, torch.zeros_like(expected))
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=64 * rounding)


def test_two_ranks_learn_the_codebook_of_one(ranks: Path) -> None:
    stage = STAGES["tokenizer"]()
    _gradients(stage, 1)
    two = load_file(ranks / "tokenizer_buffers.safetensors")
    for name, expected in stage.network.named_buffers():
        torch.testing.assert_close(two[name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["begun by one", "begun by two"])
def test_a_run_of_two_processes_goes_on_in_one_and_back(name: str, ranks: Path, tmp_path: Path) -> None:
    for folder, errors in ((ranks / name, [2.0]), (tmp_path, [3.0, 2.0])):
        train(Pairs(errors), test_loop.CONFIG, folder, 0, test_loop.CPU, test_loop.ignore)
    one, other = (load_file(folder / "last.safetensors") for folder in (ranks / name, tmp_path))
    for name, expected in other.items():
        torch.testing.assert_close(one[name], expected, rtol=1e-6, atol=0)


def test_a_process_whose_companion_is_gone_ends_and_says_how_to_go_on(ranks: Path) -> None:
    assert (ranks / "left.txt").read_text() == (
        "lamp: another process of this training has ended; the same command goes on from what is saved\n1"
    )


@pytest.mark.parametrize("rows", [5, 1])
def test_a_batch_without_equal_shares_is_refused(
    rows: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 0)
    with pytest.raises(ValueError, match=f"a batch of {rows} cannot be shared by 2 processes"):
        distributed.rows_of_rank(rows)
    dataset(tmp_path / "data", HUMANML3D)
    options = replace(PRETRAINING, settings={"training.generator.batch_size": rows})
    with pytest.raises(ValueError, match=f"generator: a batch of {rows} cannot be shared"):
        pretrain(tmp_path / "data", tmp_path / "bundle", options, test_loop.CPU, test_loop.ignore)
    assert not (tmp_path / "bundle").exists()


def test_a_validation_gathers_nothing_of_other_ranks(ranks: Path) -> None:
    lines = [json.loads(line) for line in (ranks / "run" / "log.jsonl").read_text().splitlines()]
    assert lines and all(line["val_rows"] == 1 for line in lines)


def test_every_rank_goes_on_with_the_best_that_the_first_wrote(ranks: Path) -> None:
    first, second = (json.loads((ranks / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second and first[0] == 4 and first[1] > 0


def test_two_processes_train_one_bundle(ranks: Path) -> None:
    first, second = (json.loads((ranks / f"pretrained_{rank}.json").read_text()) for rank in range(2))
    assert first == second and set(first) == set(STEPS)
    bundle = load_bundle(ranks / "bundle", test_loop.CPU, captioner=True)
    assert {"tokenizer", "lamp", "generator", "captioner"} <= set(bundle.config.steps)
