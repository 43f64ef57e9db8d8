"""What a training folder remembers of itself, so that nothing is built on what has changed meanwhile.

run.json          the settings and the data of a run; a resumed run must have the same
STAGE/stage.json  which frozen networks a stage was built on, and whether it is finished
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn

from ..bundle.config import from_json
from ..data.statistics import Statistics
from ..model import distributed
from ..storage import remove_temporaries, write_json
from .checkpoint import BEST, CHECKPOINTS, LAST, PREVIOUS, TrainingResult, go_on_from_best, load_best_weights
from .log import LOG
from .loop import Stage, TrainingConfig, too_few_steps, train
from .options import RunContext
from .selection import selected_figure

RUN, STAGE, LOCK = "run.json", "stage.json", ".lock"
# How a stage is trained that may change between two calls: how long, and what decides rounding alone.
MAY_CHANGE = ("steps", "compile", "fused", "read_every")
# What lies beside the folders of stages.
FILES = (RUN, "vocab.txt", "curves.png")


@dataclass(frozen=True)
class StageRecord:
    """``stage.json``.

    built_on: fingerprints of the weights that the stage uses frozen, by the stage they come from.
    weights: fingerprint of the stage's own best weights; None until its last step is done.
    steps: optimiser steps after which it was done; None before, and in records of earlier versions.
    """

    built_on: dict[str, str]
    weights: str | None = None
    steps: int | None = None


def claim(path: Path, identity: dict[str, Any]) -> None:
    """Remember what the run is; raises ``ValueError`` for a folder that holds another one.

    Only what ``MAY_CHANGE`` of its stages may be other than before.
    """
    identity = json.loads(json.dumps(identity))
    before = read_object(path) if path.exists() else None
    # No rank may find the file changed before it has looked.
    distributed.barrier()
    if before is not None and _lasting(before) != _lasting(identity):
        changed = first_difference(_lasting(before), _lasting(identity))
        raise ValueError(
            f"{path}: this folder holds a run with another {changed}; choose another --output, with "
            "--start-from to go on with the networks of a bundle"
        )
    if before != identity and distributed.rank() == 0:
        write_json(path, identity)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Within the block no other run trains in ``folder``; raises ``ValueError`` when one does.

    A folder that nothing else has come into is removed at the end.
    """
    if distributed.rank() > 0:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{folder}: another process trains here; wait for it, or choose another --output"
        ) from None
    try:
        remove_temporaries(folder, FILES)
        yield
    finally:
        lock.release()
        if made and [path.name for path in folder.iterdir()] in ([], [LOCK]):
            (folder / LOCK).unlink(missing_ok=True)
            for path in made:
                path.rmdir()


def _lasting(identity: dict[str, Any]) -> dict[str, Any]:
    """What a run is but for what may change of its stages, or of its only one."""
    training = identity.get("training")
    if not isinstance(training, dict):
        return identity
    return {**identity, "training": {k: _kept(v) for k, v in _kept(training).items()}}


def _kept(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {name: value for name, value in fields.items() if name not in MAY_CHANGE}


def first_difference(before: Any, now: Any) -> str:
    """The dotted name of the first setting that differs, as in ``training.lamp.steps``."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return ""
    every = [*now, *before]
    key = next(k for k in every if (k in before) != (k in now) or before[k] != now[k])
    return f"{key}.{first_difference(before.get(key), now.get(key))}".rstrip(".")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises ``ValueError`` for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def read_stage(folder: Path) -> StageRecord | None:
    """The record of the stage in ``folder``; None when it was never begun."""
    path = folder / STAGE
    return from_json(StageRecord, read_object(path), str(path)) if path.exists() else None


def train_stage(
    stage: Stage, config: TrainingConfig, folder: Path, built_on: Mapping[str, str], context: RunContext
) -> TrainingResult:
    """Train a stage in ``folder``, or go on, and remember the weights that it was built on and its own.

    ``built_on`` are fingerprints of the weights that it uses frozen, by their stages. Of a finished stage the
    best weights alone are kept; when it is given more steps than it had, it goes on from them. Raises
    ``ValueError`` for fewer steps than are done.
    """
    options = context.options
    if distributed.rank() == 0:
        remove_temporaries(folder, (*CHECKPOINTS, LOG, STAGE))
    if _begin_stage(folder, built_on):
        context.announce(f"{stage.name}: was built on weights that have changed since; it is trained again")
    if _is_finished(folder, stage.name, config.steps, context):
        return load_best_weights(folder / BEST, stage.network.to(context.device))
    figure, remark = selected_figure(stage.name, context.experiment)
    if remark is not None:
        context.announce(remark)
    result = train(
        stage,
        dataclasses.replace(config, select=figure),
        folder,
        options.seed,
        context.device,
        lambda step, figures: context.report(stage.name, step, config.steps, figures),
        options.workers,
        context.announce,
    )
    if distributed.rank() == 0:
        record = StageRecord(dict(built_on), weights_fingerprint(stage.network), config.steps)
        write_json(folder / STAGE, dataclasses.asdict(record))
        for name in (LAST, PREVIOUS):
            (folder / name).unlink(missing_ok=True)
    return result


def _begin_stage(folder: Path, built_on: Mapping[str, str]) -> bool:
    """Make ``folder`` that of a stage built on these weights.

    Checkpoints of a stage that was built on others are removed; returns whether there were any.
    """
    before = read_stage(folder)
    stale = before is not None and before.built_on != dict(built_on)
    # No rank may find the folder changed before it has looked.
    distributed.barrier()
    if distributed.rank() == 0 and (before is None or stale):
        for name in (*CHECKPOINTS, LOG):
            (folder / name).unlink(missing_ok=True)
        write_json(folder / STAGE, dataclasses.asdict(StageRecord(dict(built_on))))
    distributed.barrier()
    return stale


def _is_finished(folder: Path, name: str, steps: int, context: RunContext) -> bool:
    """Whether a stage is trained for so many ``steps``; one that is for fewer is made ready to go on."""
    record = read_stage(folder)
    if record is None or record.weights is None or not (folder / BEST).exists():
        return False
    if record.steps in (None, steps):
        return True
    if steps < record.steps:
        raise ValueError(too_few_steps(name, record.steps))
    # No rank may find the folder changed before it has looked.
    distributed.barrier()
    if distributed.rank() == 0:
        begun = go_on_from_best(folder)
        write_json(folder / STAGE, dataclasses.asdict(StageRecord(record.built_on)))
        context.announce(
            f"{name}: is trained for {record.steps} steps; goes on to {steps} from its best weights, of step "
            f"{begun}, with an optimiser that begins anew"
        )
    distributed.barrier()
    return False


def weights_fingerprint(network: nn.Module) -> str:
    """A digest of a network's weights, by name."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def data_fingerprint(
    clips: Iterable[tuple[str, np.ndarray, Iterable[str]]], statistics: Statistics
) -> dict[str, str]:
    """Digests of what is learned from: ids with their sentences, features (T, C), and the statistics."""
    sentences, features = hashlib.sha256(), hashlib.sha256()
    for name, motion, texts in clips:
        sentences.update("\n".join((name, *texts, "")).encode())
        features.update(str(motion.shape).encode() + np.ascontiguousarray(motion).tobytes())
    moments = hashlib.sha256(statistics.mean.tobytes() + statistics.std.tobytes())
    return {
        "sentences": sentences.hexdigest(),
        "features": features.hexdigest(),
        "statistics": moments.hexdigest(),
    }
