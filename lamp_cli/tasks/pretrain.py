"""Pretraining: a data set folder in, a bundle out, stage by stage, resumable at any moment.

    OUTPUT/
      config.json …                    the bundle
      training/run.json                what this run is: data, size, seed; a resumed run must agree
      training/STAGE/last.safetensors  where to go on
      training/STAGE/best.safetensors  the best weights by validation
      training/STAGE/log.jsonl         one line per validation
      training/captioner/language/     the same of the embedded decoder's language pretraining
      training/curves.png
      evaluator/                       the evaluator, when its stage is asked for

Source: LaMP section 3 and its appendix on training. The stages use what came before, frozen.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, load_bundle, save_bundle
from ..bundle.config import BundleConfig, ModelConfig, to_json
from ..corpus.layout import Clip, ReadReport, open_dataset
from ..corpus.sentences import read_paraphrases
from ..corpus.statistics import Statistics, weigh_up_root_and_contacts
from ..corpus.vocabulary import Vocabulary
from ..model import ranks
from ..model.bert import initialise_from_bert
from ..model.captioner import Captioner
from ..model.lamp import Lamp
from ..model.qformer import QFormer
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from ..motion.skeleton import Skeleton
from .evaluator_stage import EVALUATOR
from .familiarity import remember_sentences
from .generator_stage import GeneratorStage
from .index import fingerprint
from .lamp_stage import LampStage, PairData
from .pretrain_captioner import Frozen, captioner_of, pretrain_captioner, trained_captioner
from .pretrain_evaluator import pretrain_evaluator
from .pretrain_options import TRAINING_LIMITS, PretrainOptions, PretrainReport, Report, with_overrides
from .run_record import claim
from .sizes import CAPTIONER, CORE, LANGUAGE, SIZES, TOKENIZER_WINDOW
from .text_encoder import encoder_weights, ids_in_encoder, vocabulary_fingerprint, vocabulary_for
from .tokenizer_stage import TokenizerData, TokenizerStage
from .training import TrainingConfig, TrainingResult, load_weights, train

# What a bundle to start from must agree in.
_PARTS = ("tokenizer", "lamp", "generator", "length")
# What is no size: training may go on with another.
_TRAINING_ONLY = ("dropout", "matching_share")


def pretrain(
    data: Path, output: Path, options: PretrainOptions, device: torch.device, report: Report
) -> PretrainReport:
    """Train ``options.stages`` on a data set folder and write the bundle to ``output``.

    Goes on from checkpoints of the same run and skips finished stages. ``report(stage, step, steps,
    figures)`` is called after every step. Raises ``ValueError`` when the data does not serve, an
    earlier stage is not trained yet, or ``output`` holds a run with other settings. The evaluator
    shares nothing with the other stages and is a run of its own.
    """
    if EVALUATOR in options.stages:
        judge = pretrain_evaluator(data, output, options, device, report)
        others = tuple(stage for stage in options.stages if stage != EVALUATOR)
        if not others:
            return judge
        rest = pretrain(data, output, dataclasses.replace(options, stages=others), device, report)
        return PretrainReport({**rest.results, **judge.results}, rest.read, rest.begun_anew)
    corpus = _read(data, options)
    run = _begin(data, corpus, output, options)
    results, taken_over = _train_core(run, corpus, output, options, device, report)
    captioner, described = _captioner(run, corpus, taken_over, output, options, device, report)
    bundle = _bundle(run, corpus, captioner, {**results, **described}, output.name, device)
    if ranks.rank() == 0:
        if set(results) >= set(CORE):
            save_bundle(output, _with_memory(bundle, corpus.train, corpus.val))
        from .curves import draw_curves

        draw_curves(output / "training")
    anew = tuple(name for name in CORE if name not in run.goes_on)
    return PretrainReport({**results, **described}, corpus.read, anew)


@dataclass(frozen=True)
class _Corpus:
    """What there is to learn from; ``paraphrases`` are groups of sentences without motions."""

    skeleton: Skeleton
    statistics: Statistics
    train: Sequence[Clip]
    val: Sequence[Clip]
    read: dict[str, ReadReport]
    paraphrases: Sequence[Sequence[str]]

    @property
    def sentences(self) -> list[str]:
        return list(dict.fromkeys(sentence for group in self.paraphrases for sentence in group))


@dataclass(frozen=True)
class _Run:
    """Networks at their beginning, and what their training needs.

    ``origin`` is the bundle to start from, ``goes_on`` the stages whose networks are its own.
    """

    origin: Bundle | None
    goes_on: tuple[str, ...]
    model: ModelConfig
    training: dict[str, TrainingConfig]
    tokenizer: MotionTokenizer
    lamp: Lamp
    text_to_motion: TextToMotion
    text_encoder: QFormer | None
    pairs: PairData

    @property
    def networks(self) -> dict[str, nn.Module]:
        return dict(zip(CORE, (self.tokenizer, self.lamp, self.text_to_motion), strict=True))


def _read(data: Path, options: PretrainOptions) -> _Corpus:
    dataset = open_dataset(data)
    statistics = weigh_up_root_and_contacts(dataset.statistics, dataset.skeleton)
    train_clips, train_report = dataset.clips("train", TRAINING_LIMITS)
    val_clips, val_report = dataset.clips("val", TRAINING_LIMITS)
    if not val_clips:
        raise ValueError(f"{data / 'val.txt'}: no usable clip; the best weights are chosen by validation")
    paraphrases = [] if options.captions is None else read_paraphrases(options.captions)
    reports = {"train": train_report, "val": val_report}
    return _Corpus(dataset.skeleton, statistics, train_clips, val_clips, reports, paraphrases)


def _begin(data: Path, corpus: _Corpus, output: Path, options: PretrainOptions) -> _Run:
    """Networks drawn anew or taken from a bundle; claims ``output`` for this run."""
    size, claimed = SIZES[options.size], output / "training" / "run.json"
    origin = None if options.start_from is None else load_bundle(options.start_from, torch.device("cpu"))
    statistics = corpus.statistics
    vocabulary, kept = vocabulary_for(options.text_encoder, size.vocabulary, corpus.sentences, claimed)
    if origin is not None:
        vocabulary, statistics = origin.vocabulary, origin.statistics
        kept = ids_in_encoder(options.text_encoder, vocabulary)
    encoder = options.text_encoder if kept else None
    model = _with_ablations(size.model(corpus.skeleton, len(vocabulary)), options)
    training = {name: with_overrides(name, size.training[name], options) for name in CORE}
    identity = _identity(data, options, model, training, len(corpus.train), vocabulary)
    identity |= {"text_encoder": encoder is not None, "reworded_share": size.reworded_share}
    goes_on: tuple[str, ...] = CORE
    if origin is not None:
        identity["start_from"] = fingerprint(origin)
        goes_on = _same_networks(model, origin.config.model, options.start_from)
    claim(claimed, identity)

    # The initial weights come from torch's own stream, which takes no generator.
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        tokenizer, lamp, text_to_motion = build_networks(model, vocabulary.decoder)
        if encoder is not None:
            initialise_from_bert(lamp.qformer, encoder_weights(encoder), kept)
    text_encoder = None if encoder is None else copy.deepcopy(lamp.qformer)
    # Groups of one sentence say nothing about wording.
    groups = [group for group in corpus.paraphrases if len(group) > 1]
    pairs = PairData(corpus.train, corpus.val, statistics, vocabulary, groups, size.reworded_share)
    run = _Run(origin, goes_on, model, training, tokenizer, lamp, text_to_motion, text_encoder, pairs)
    if origin is not None:
        for name in goes_on:
            run.networks[name].load_state_dict(origin.networks()[name].state_dict())
    return run


def _stage(name: str, run: _Run, corpus: _Corpus, seed: int, device: torch.device) -> Any:
    """One of the core's stages for ``training.train``; it reads what it needs when it is made."""
    size = run.training[name].batch_size
    if name == "tokenizer":
        motions = TokenizerData(corpus.train, corpus.val, run.pairs.statistics, corpus.skeleton)
        return TokenizerStage(run.tokenizer, motions, TOKENIZER_WINDOW, size, seed, device)
    if name == "lamp":
        return LampStage(run.lamp, run.tokenizer, run.pairs, size, seed, device, run.text_encoder)
    return GeneratorStage(run.text_to_motion, run.lamp, run.tokenizer, run.pairs, size, seed, device)


def _train_core(
    run: _Run,
    corpus: _Corpus,
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
) -> tuple[dict[str, TrainingResult], tuple[str, ...]]:
    """Results by stage, trained now or before, and the stages that stay as in the bundle to start from."""
    results: dict[str, TrainingResult] = {}
    taken_over: list[str] = []
    needed = max(CORE.index(stage if stage in CORE else "lamp") for stage in options.stages)
    for number, name in enumerate(CORE):
        folder, config = output / "training" / name, run.training[name]
        if name in options.stages:
            stage = _stage(name, run, corpus, options.seed, device)
            told = partial(_told, report, name, config.steps)
            results[name] = train(stage, config, folder, options.seed, device, told)
        elif (folder / "best.safetensors").exists():
            results[name] = load_weights(folder / "best.safetensors", run.networks[name])
        elif run.origin is not None and name in run.goes_on and len(taken_over) == number:
            # Only when what it stands on is the bundle's too.
            results[name] = _result_of(run.origin, name)
            taken_over.append(name)
        elif number <= needed:
            raise ValueError(f"{folder}: stage {name} is not trained yet; train it first, or all stages")
    return results, tuple(taken_over)


def _told(report: Report, name: str, steps: int, step: int, figures: dict[str, float]) -> None:
    report(name, step, steps, figures)


def _captioner(
    run: _Run,
    corpus: _Corpus,
    taken_over: Sequence[str],
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
) -> tuple[Captioner | None, dict[str, TrainingResult]]:
    """The captioner of this run, trained now or before, or that of the bundle to start from; if any."""
    folder, origin = output / "training" / CAPTIONER, run.origin
    # It reads the query outputs of tokenizer and LaMP: of others it understands nothing.
    understands = {"tokenizer", "lamp"} <= set(taken_over)
    wanted = understands or CAPTIONER in options.stages
    earlier = captioner_of(origin, options.start_from) if origin is not None and wanted else None
    if CAPTIONER in options.stages:
        frozen = Frozen(run.lamp, run.tokenizer, run.pairs)
        return pretrain_captioner(folder, options, frozen, corpus.sentences, earlier, device, report)
    if (folder / "best.safetensors").exists():
        captioner, result = trained_captioner(folder, run.pairs.vocabulary)
        return captioner, {CAPTIONER: result}
    if origin is None or earlier is None:
        return None, {}
    learned = [each for each in (LANGUAGE, CAPTIONER) if each in origin.config.steps]
    return earlier, {each: _result_of(origin, each) for each in learned}


def _bundle(
    run: _Run,
    corpus: _Corpus,
    captioner: Captioner | None,
    results: dict[str, TrainingResult],
    name: str,
    device: torch.device,
) -> Bundle:
    described = run.model if captioner is None else dataclasses.replace(run.model, captioner=captioner.config)
    config = BundleConfig(
        name=name,
        skeleton=corpus.skeleton.name,
        fps=corpus.skeleton.fps,
        model=described,
        figures={stage: result.figures for stage, result in results.items()},
        steps={stage: result.step for stage, result in results.items()},
    )
    return Bundle(
        config,
        corpus.skeleton,
        run.pairs.statistics,
        run.pairs.vocabulary,
        run.tokenizer.eval(),
        run.lamp.eval(),
        run.text_to_motion.eval(),
        device,
        None if captioner is None else captioner.eval(),
    )


def _with_memory(bundle: Bundle, train: Sequence[Clip], val: Sequence[Clip]) -> Bundle:
    """The bundle with what it needs to tell a familiar sentence from a strange one."""
    training, validation = ([text for clip in clips for text in clip.captions] for clips in (train, val))
    remembered = remember_sentences(bundle.lamp, bundle.vocabulary, training, validation, bundle.device)
    return dataclasses.replace(bundle, training_sentences=remembered)


def _result_of(origin: Bundle, stage: str) -> TrainingResult:
    """What a bundle to start from says of one of its stages."""
    return TrainingResult(origin.config.steps[stage], origin.config.figures[stage])


def _same_networks(model: ModelConfig, other: ModelConfig, name: str | None) -> tuple[str, ...]:
    """The stages whose networks can be gone on with; LaMP or a generator of another kind begins anew.

    Raises ``ValueError`` when the motion tokenizer has other sizes: everything stands on its codes.
    """
    differ = {part for part in _PARTS if _sizes(getattr(model, part)) != _sizes(getattr(other, part))}
    if "tokenizer" in differ:
        raise ValueError(f"{name}: its tokenizer has other sizes than this run's; choose its --size")
    if "length" in differ:
        differ.add("generator")
    return tuple(stage for stage in CORE if stage not in differ)


def _sizes(config: Any) -> dict[str, Any]:
    """A network's settings without those that only its training has."""
    settings = config if isinstance(config, dict) else to_json(config)
    nested = {key: _sizes(value) if isinstance(value, dict) else value for key, value in settings.items()}
    return {key: value for key, value in nested.items() if key not in _TRAINING_ONLY}


def _with_ablations(model: ModelConfig, options: PretrainOptions) -> ModelConfig:
    off: dict[str, Any] = dict.fromkeys(options.objectives_off, False)
    lamp = dataclasses.replace(model.lamp, **off)
    generator = dataclasses.replace(model.generator, causal=not options.bidirectional)
    return dataclasses.replace(model, lamp=lamp, generator=generator)


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
        # The captioner is a run of its own: it may come later, and with other settings.
        "model": {name: sizes for name, sizes in to_json(model).items() if name != CAPTIONER},
        "training": {name: to_json(config) for name, config in training.items()},
        "vocabulary": vocabulary_fingerprint(vocabulary),
    }
