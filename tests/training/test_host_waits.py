"""A training step asks its device for nothing: no processor waits for an accelerator between two steps.

The accelerator is torch's ``meta`` device, which knows shapes and no values: whatever would read a value from
it (``item``, a truth, a count of true values, a copy to the processor) raises. Copies to it must not wait.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lamp_cli.bundle.language_model import build_captioner
from lamp_cli.model.captioner import CaptionerConfig
from lamp_cli.model.decoder import DecoderConfig
from lamp_cli.model.evaluator import CLIP, EvaluatorConfig
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import PAPER_WEIGHTS, Lamp
from lamp_cli.model.length import LengthConfig
from lamp_cli.model.motion_adapter import MotionAdapterConfig
from lamp_cli.model.text_to_motion import TextToMotion
from lamp_cli.model.tokenizer import MotionTokenizer
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.loop import Stage, _Training
from lamp_cli.training.pretrain_evaluator import training_of
from lamp_cli.training.stages.captioner import CaptionerStage, LanguageStage
from lamp_cli.training.stages.evaluator import EvaluatorStage
from lamp_cli.training.stages.generator import GeneratorStage
from lamp_cli.training.stages.lamp import LampStage
from lamp_cli.training.stages.pairs import PairData
from lamp_cli.training.stages.tokenizer import TokenizerData, TokenizerStage
from tests.training.test_evaluator import stage as evaluator_stage
from tests.training.test_training import CONFIG, WORDS, _lamp_stage, _tokenizer

META = torch.device("meta")
EVERY_OBJECTIVE = {**PAPER_WEIGHTS, "paraphrase": 1.0, "retention": 1.0, "order": 1.0}


class _WaitingCopies(TorchDispatchMode):
    """Copies to the device for which the processor waits, and indices that it would have to copy."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if _waits(func, args, kwargs or {}, result):
            self.found.append(str(func))
        return result


def _waits(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> bool:
    if func is torch.ops.aten._to_copy.default:
        return args[0].device.type == "cpu" and result.is_meta and not kwargs.get("non_blocking")
    if func is torch.ops.aten.copy_.default:
        return args[0].is_meta and args[1].device.type == "cpu" and True not in args[2:]
    if func in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default):
        return args[0].is_meta and any(i is not None and not i.is_meta for i in args[1])
    return False


@pytest.fixture(scope="module")
def data() -> PairData:
    made = _lamp_stage()._data
    # Some tell of two events, whose order LaMP learns.
    train = [replace(clip, captions=("a man walks, then jumps", *clip.captions)) for clip in made.train]
    return replace(made, train=train, paraphrases=[WORDS[:2], WORDS[2:4], WORDS[4:]], reworded_share=0.5)


@pytest.fixture
def lamp(data: PairData) -> Lamp:
    made = _lamp_stage(dropout=0.1).network
    config = replace(made.config, weights=EVERY_OBJECTIVE, motion_positions=True)
    return Lamp(config, data.vocabulary.decoder)


def _generator(condition: str, lamp: Lamp) -> TextToMotion:
    width = lamp.config.qformer.width
    config = GeneratorConfig(
        *(lamp.config.codes, width, 16, 2, 2, 32),
        condition=condition,
        remaining_tokens=condition == "words",
        known_share=0.5 if condition == "words" else 0.0,
    )
    return TextToMotion(lamp.config.qformer, config, LengthConfig(width, 16))


def _stage(name: str, data: PairData, lamp: Lamp) -> Stage:
    """A stage, by its name and what is special about it, on the stand-in of an accelerator."""
    kind, _, special = name.partition(" ")
    tokenizer = _tokenizer()
    # Whether the codes have begun is asked in the first step alone.
    tokenizer.codebook._seen_started = True
    if kind == "tokenizer":
        motions = TokenizerData(data.train, data.val, data.statistics, HUMANML3D)
        if special:
            tokenizer = MotionTokenizer(replace(tokenizer.config, upper_joints=(12, 13)))
            tokenizer.codebook._seen_started = True
        return TokenizerStage(tokenizer, motions, 32, 4, 0, META)
    if kind == "lamp":
        return LampStage(lamp, tokenizer, data, 4, 0, META, copy.deepcopy(lamp.qformer))
    if kind == "generator":
        return GeneratorStage(_generator(special, lamp), lamp, tokenizer, data, 4, 0, META)
    if kind == "evaluator":
        made = evaluator_stage()
        small = EvaluatorConfig(
            words=len(made._data.words), design=special, embedding_width=16, heads=2, layers=1
        )
        network = training_of(small) if special == CLIP else made.network
        return EvaluatorStage(network, made._data, 3, 0, META)  # type: ignore[arg-type]
    adapter = MotionAdapterConfig(lamp.config.qformer, 4) if special == "adapted" else None
    config = CaptionerConfig(16, DecoderConfig(len(data.vocabulary), 16, 2, 2, 32), adapter=adapter)
    config = replace(config, learns_qformer=special == "learns")
    captioner = build_captioner(config, data.vocabulary, torch.float32, qformer=lamp.config.qformer)
    if kind == "language":
        return LanguageStage(captioner, WORDS, data, 4, 0, META)
    return CaptionerStage(captioner, lamp, tokenizer, data, 4, 0, META)


@pytest.mark.parametrize(
    "name",
    (
        *("tokenizer", "tokenizer of parts", "lamp", "generator query", "generator words"),
        *(
            "language",
            "captioner",
            "captioner adapted",
            "captioner learns",
            "evaluator guo",
            "evaluator clip",
        ),
    ),
)
def test_no_step_waits_for_the_accelerator(
    name: str, data: PairData, lamp: Lamp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What torch computes by itself in half precision it cannot say of this device.
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: contextlib.nullcontext())
    stage = _stage(name, data, lamp)
    config = replace(CONFIG, accumulate=2, average_decay=0.9)
    training = _Training(stage, config, tmp_path, 0, META, print)
    draws = map(stage.draw, itertools.count())
    with _WaitingCopies() as waiting:
        training.step(draws)
        training.step(draws)
    assert training.progress.step == 2
    assert not waiting.found
    with pytest.raises((RuntimeError, NotImplementedError)):
        # The stand-in does notice who waits for it.
        training.read_figures()


def test_the_stand_in_notices_copies_that_wait() -> None:
    with _WaitingCopies() as waiting:
        torch.ones(2).to(META)
        torch.ones(3, device=META)[torch.tensor([1])]
        torch.zeros(2, device=META).copy_(torch.ones(2))
    assert len(waiting.found) == 3
