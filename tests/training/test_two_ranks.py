"""Two processes with half the batch each learn what one does with all of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training import loop
from lamp_cli.training.loop import Stage, train
from lamp_cli.training.pretrain import pretrain
from tests.training import test_captioner, test_evaluator, test_loop, test_training
from tests.training.test_pretrain import OPTIONS as PRETRAINING
from tests.training.test_pretrain import STEPS, dataset


def _evaluator_stage() -> Stage:
    stage = test_evaluator.stage()
    stage._batch_size = 4
    stage.network.eval()
    return stage


def _captioner_stage(kind: str) -> Stage:
    return test_captioner.undisturbed(test_captioner.stage_of(kind))


STAGES: dict[str, Callable[[], Stage]] = {
    "lamp": lambda: test_training._lamp_stage(dropout=0.0),
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


def _rank(rank: int, folder: str) -> None:
    """One of two processes: every stage's gradients, a training written slowly, a pretraining as a whole."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name, make in STAGES.items():
        gradients = _gradients(make(), 2)
        if rank == 0:
            save_file(gradients, Path(folder) / f"{name}.safetensors")
    write = loop.save_best

    def slowly(*arguments: Any) -> None:
        time.sleep(0.5)
        write(*arguments)

    loop.save_best = slowly
    stage = test_loop.Line([3.0, 2.0])
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


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind; started once, each imports torch anew."""
    folder = tmp_path_factory.mktemp("ranks")
    dataset(folder / "data", HUMANML3D)
    torch.multiprocessing.spawn(_rank, args=(str(folder),), nprocs=2)
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


def test_every_rank_goes_on_with_the_best_that_the_first_wrote(ranks: Path) -> None:
    first, second = (json.loads((ranks / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second and first[0] == 4 and first[1] > 0


def test_two_processes_train_one_bundle(ranks: Path) -> None:
    first, second = (json.loads((ranks / f"pretrained_{rank}.json").read_text()) for rank in range(2))
    assert first == second and set(first) == set(STEPS)
    bundle = load_bundle(ranks / "bundle", test_loop.CPU, captioner=True)
    assert {"tokenizer", "lamp", "generator", "captioner"} <= set(bundle.config.steps)
