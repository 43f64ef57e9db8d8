"""Pretraining: a data set folder in, a bundle out, stage by stage, resumable at any moment.

    OUTPUT/
      config.json …                    the bundle
      training/run.json                what this run is: data, size, seed; a resumed run must agree
      training/vocab.txt               the vocabulary it began with
      training/STAGE/stage.json        the weights it was built on, and whether it is finished
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, load_bundle, require_bundle_folder, save_bundle
from ..bundle.config import BundleConfig, ModelConfig, to_json
from ..bundle.text_encoder import (
    AUTO,
    PretrainedTextEncoder,
    find_text_encoder,
    ids_in_encoder,
    vocabulary_fingerprint,
    vocabulary_for,
)
from ..data.vocabulary import Vocabulary, load_vocabulary
from ..inference.familiarity import remember_sentences
from ..model import distributed
from ..model.bert import initialise_from_bert
from ..model.captioner import Captioner
from ..model.lamp import Lamp, is_text_weight
from ..model.qformer import QFormer
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from .corpus import Corpus, read_corpus
from .curves import draw_curves
from .loop import BEST, TrainingConfig, TrainingResult, load_best_weights, train
from .options import PretrainOptions, PretrainReport, Report, with_overrides
from .plan import Origin, StartFrom, other_weights, plan_stages, used_frozen
from .pretrain_captioner import Frozen, captioner_of, pretrain_captioner, trained_captioner
from .pretrain_evaluator import pretrain_evaluator
from .run_record import RUN, begin_stage, claim, finish_stage, read_stage, weights_fingerprint
from .sizes import CAPTIONER, CORE, LANGUAGE, SIZES, TOKENIZER_WINDOW
from .stages.evaluator import EVALUATOR
from .stages.generator import GeneratorStage
from .stages.lamp import LampStage, PairData
from .stages.tokenizer import TokenizerData, TokenizerStage

# What must agree for a stage to stay as it is in a bundle to start from.
_PARTS = ("tokenizer", "lamp", "generator", "length")
VOCABULARY = "vocab.txt"
# What is no size: training and sampling may go on with another.
_NO_SIZES = ("dropout", "matching_share", "motion_generation_share", "guidance")


def _silent(message: str) -> None:
    pass


def pretrain(
    data: Path,
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
    announce: Callable[[str], None] = _silent,
) -> PretrainReport:
    """Train ``options.stages`` on a data set folder and write the bundle to ``output``.

    Goes on from checkpoints of the same run, skips finished stages, and trains again what was built on
    weights that have changed since. ``report(stage, step, steps, figures)`` is called after every step,
    ``announce(line)`` for what a user should know. Raises ``ValueError`` when the data does not serve, an
    earlier stage is not trained to its end, or ``output`` holds a run with other settings or data. The
    evaluator shares nothing with the other stages and is a run of its own.
    """
    require_bundle_folder(output)
    if EVALUATOR in options.stages:
        judge = pretrain_evaluator(data, output, options, device, report)
        others = tuple(stage for stage in options.stages if stage != EVALUATOR)
        if not others:
            return judge
        rest = pretrain(data, output, dataclasses.replace(options, stages=others), device, report, announce)
        return PretrainReport({**rest.results, **judge.results}, rest.read, rest.changed)
    corpus = read_corpus(data, options.captions)
    run = _prepare_run(corpus, output, options, announce)
    results = _train_core(run, corpus, output, options, device, report, announce)
    captioner, of_captioner = _captioner(run, corpus, output, options, device, report, announce)
    results |= of_captioner
    bundle = _bundle(run, corpus, captioner, results, output.name, device)
    if distributed.rank() == 0:
        if set(results) >= set(CORE):
            save_bundle(output, _with_memory(bundle, corpus, bool(run.pairs.reworded_share)))
        draw_curves(output / "training")
    changed = tuple(name for name in CORE if name not in run.fitting)
    return PretrainReport(results, corpus.read, changed)


@dataclass(frozen=True)
class _Run:
    """Networks before training, and what their training needs.

    start_from: the bundle to start from.
    fitting: the stages whose networks are of its kind; all when there is none.
    origins: where the weights of every stage come from.
    model: sizes of the networks.
    training: how each stage of the core is trained.
    text_encoder: the pretrained text transformer that LaMP's is held near.
    pairs: clips, statistics and vocabulary of the stages that read sentences.
    """

    start_from: Bundle | None
    origins: dict[str, Origin]
    fitting: tuple[str, ...]
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


def _prepare_run(
    corpus: Corpus, output: Path, options: PretrainOptions, announce: Callable[[str], None]
) -> _Run:
    """Networks drawn anew or taken from a bundle; claims ``output`` for this run."""
    size, training_folder = SIZES[options.size], output / "training"
    origin = None if options.start_from is None else load_bundle(options.start_from, torch.device("cpu"))
    statistics = corpus.statistics if origin is None else origin.statistics
    encoder = find_text_encoder(options.text_encoder, size.model(corpus.skeleton, 1).lamp.qformer)
    vocabulary, kept = _vocabulary(corpus, origin, output, options, encoder)
    encoder = encoder if kept else None
    if encoder is None and options.text_encoder == AUTO and "lamp" in options.stages:
        announce(_without_encoder(origin is None or options.renew_text, options.size))
    model = _with_ablations(size.model(corpus.skeleton, len(vocabulary)), options)
    training = {name: with_overrides(name, size.training[name], options) for name in CORE}
    identity = _identity(corpus, options, model, training, vocabulary)
    identity |= {"text_encoder": None if encoder is None else encoder.fingerprint}
    identity |= {"reworded_share": size.reworded_share}
    fitting: tuple[str, ...] = CORE
    start_from = None
    if origin is not None:
        fitting = _same_networks(model, origin.config.model)
        if options.keep_text:
            _check_text_is_kept(model, origin.config.model, fitting)
        start_from = _start_from(origin, options, fitting)
        identity["start_from"] = dict(start_from.fingerprints)
        identity |= {name: True for name in ("keep_text", "renew_text") if getattr(options, name)}
    origins = plan_stages(training_folder, options, start_from, announce)
    if origin is not None and origins.get("generator") is Origin.START_FROM:
        guidance = origin.config.model.generator.guidance
        model = dataclasses.replace(model, generator=dataclasses.replace(model.generator, guidance=guidance))
    claim(training_folder / RUN, identity)
    if distributed.rank() == 0:
        # Which pieces serve best is not asked again: the answer may change with the code.
        vocabulary.save(training_folder / VOCABULARY)

    # The initial weights come from torch's own stream, which takes no generator.
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        tokenizer, lamp, text_to_motion = build_networks(model, vocabulary.decoder)
        if encoder is not None:
            initialise_from_bert(lamp.qformer, encoder.weights, kept)
    # A text transformer that stays as it is need not be held to its encoder, nor told of paraphrases.
    text_encoder = None if encoder is None or options.keep_text else copy.deepcopy(lamp.qformer)
    # Groups of one sentence say nothing about wording.
    groups = [group for group in corpus.paraphrases if len(group) > 1 and not options.keep_text]
    pairs = PairData(corpus.train, corpus.val, statistics, vocabulary, groups, size.reworded_share)
    networks = tokenizer, lamp, text_to_motion
    run = _Run(origin, origins, fitting, model, training, *networks, text_encoder, pairs)
    if origin is not None:
        for name, network in run.networks.items():
            _take_over(network, origin.networks()[name], but_text=options.renew_text and name == "lamp")
    if options.keep_text:
        for name, weight in lamp.named_parameters():
            weight.requires_grad_(not is_text_weight(name))
    return run


def _start_from(origin: Bundle, options: PretrainOptions, fitting: Sequence[str]) -> StartFrom:
    """What the plan needs of a bundle; a text side that begins anew makes LaMP's network another one."""
    usable = tuple(stage for stage in fitting if not (options.renew_text and stage == "lamp"))
    fingerprints = {name: weights_fingerprint(network) for name, network in origin.networks().items()}
    return StartFrom(str(options.start_from), usable, fingerprints)


def _vocabulary(
    corpus: Corpus,
    origin: Bundle | None,
    output: Path,
    options: PretrainOptions,
    encoder: PretrainedTextEncoder | None,
) -> tuple[Vocabulary, list[int]]:
    """The run's own, that of the bundle to start from, or a new one; and its ids in the text encoder's."""
    own, size = output / "training" / VOCABULARY, SIZES[options.size]
    pieces = None if encoder is None else encoder.pieces
    if own.exists():
        vocabulary = load_vocabulary(own)
    elif origin is None or options.renew_text:
        sentences = corpus.vocabulary_sentences(reworded_too=size.reworded_share > 0)
        return vocabulary_for(pieces, size.vocabulary, sentences)
    else:
        vocabulary = origin.vocabulary
    return vocabulary, ids_in_encoder(pieces, vocabulary)


def _without_encoder(new_words: bool, size: str) -> str:
    if new_words:
        return (
            f"no text encoder at hand fits size {size}: words are learned from these sentences alone; "
            "--text-encoder takes any BERT-family model that does"
        )
    return "the shipped text encoder does not know this vocabulary: LaMP's text side is not held near it"


def _take_over(network: nn.Module, earlier: nn.Module, but_text: bool = False) -> None:
    """Give a network the weights of an earlier one, as far as their names and shapes agree.

    With ``but_text`` those of LaMP's text transformer, and what belongs to its vocabulary, stay.
    """
    own = network.state_dict()
    fitting = {k: v for k, v in earlier.state_dict().items() if k in own and own[k].shape == v.shape}
    if any(k.startswith("codebook.") and k not in fitting for k in own):
        # How often codes are chosen says nothing of other codes.
        fitting = {k: v for k, v in fitting.items() if not k.startswith("codebook.")}
    if but_text:
        fitting = {k: v for k, v in fitting.items() if not is_text_weight(k)}
    network.load_state_dict(fitting, strict=False)


def _stage(name: str, run: _Run, corpus: Corpus, seed: int, device: torch.device) -> Any:
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
    corpus: Corpus,
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
    announce: Callable[[str], None],
) -> dict[str, TrainingResult]:
    """Results of the core's stages, trained now, before, or for the bundle to start from."""
    results: dict[str, TrainingResult] = {}
    for name, origin in run.origins.items():
        folder, config = output / "training" / name, run.training[name]
        if origin is Origin.TRAINED_NOW:
            built_on = _fingerprints(run, used_frozen(name, options.keep_text))
            if begin_stage(folder, built_on):
                announce(f"{name}: was built on weights that have changed since; it is trained again")
            stage = _stage(name, run, corpus, options.seed, device)
            progress = partial(_report_step, report, name, config.steps)
            results[name] = train(stage, config, folder, options.seed, device, progress, options.workers)
            finish_stage(folder, built_on, run.networks[name])
        elif origin is Origin.TRAINED_BEFORE:
            results[name] = load_best_weights(folder / BEST, run.networks[name])
        elif run.start_from is not None:
            results[name] = _result_of(run.start_from, name)
    return results


def _fingerprints(run: _Run, stages: Sequence[str]) -> dict[str, str]:
    return {name: weights_fingerprint(run.networks[name]) for name in stages}


def _check_text_is_kept(model: ModelConfig, other: ModelConfig, fitting: Sequence[str]) -> None:
    """Raises ``ValueError`` when a bundle's generator could not go on reading its text transformer."""
    if "generator" not in fitting or model.lamp.qformer != other.lamp.qformer:
        raise ValueError("--keep-text: expected LaMP and generator of the sizes of --start-from")
    if not model.generator.word_condition:
        raise ValueError("--keep-text: this size's generator reads LaMP's queries too, which are trained")


def _report_step(report: Report, name: str, steps: int, step: int, figures: dict[str, float]) -> None:
    report(name, step, steps, figures)


def _captioner(
    run: _Run,
    corpus: Corpus,
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
    announce: Callable[[str], None],
) -> tuple[Captioner | None, dict[str, TrainingResult]]:
    """The captioner of this run, trained now or before, or that of the bundle to start from; if any."""
    folder, origin = output / "training" / CAPTIONER, run.start_from
    # It reads the query outputs of tokenizer and LaMP: of others it understands nothing. Nor may its
    # decoder's words be numbered otherwise.
    understands = all(run.origins.get(each) is Origin.START_FROM for each in used_frozen(CAPTIONER))
    wanted = (understands or CAPTIONER in options.stages) and not options.renew_text
    earlier = captioner_of(origin, options.start_from) if origin is not None and wanted else None
    built_on = _fingerprints(run, used_frozen(CAPTIONER))
    if CAPTIONER in options.stages:
        frozen = Frozen(run.lamp, run.tokenizer, run.pairs, built_on)
        return pretrain_captioner(
            folder, options, frozen, corpus.sentences, earlier, device, report, announce
        )
    record = read_stage(folder)
    if record is not None:
        frozen_before = {name: record.built_on.get(name, "") for name in built_on}
        stopped = "was stopped before its last step" if record.weights is None else None
        problem = stopped or other_weights(frozen_before, built_on)
        if problem is None:
            captioner, result = trained_captioner(folder, run.pairs.vocabulary)
            return captioner, {CAPTIONER: result}
        announce(f"{CAPTIONER}: {problem}; it is left out of the bundle until it is trained")
    if origin is None or earlier is None:
        return None, {}
    learned = [each for each in (LANGUAGE, CAPTIONER) if each in origin.config.steps]
    return earlier, {each: _result_of(origin, each) for each in learned}


def _bundle(
    run: _Run,
    corpus: Corpus,
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


def _with_memory(bundle: Bundle, corpus: Corpus, wordings_too: bool) -> Bundle:
    """The bundle with what it needs to tell a familiar sentence from a strange one."""
    training = [text for clip in corpus.train for text in (clip.sentences if wordings_too else clip.captions)]
    validation = [text for clip in corpus.val for text in clip.captions]
    remembered = remember_sentences(bundle.lamp, bundle.vocabulary, training, validation, bundle.device)
    return dataclasses.replace(bundle, training_sentences=remembered)


def _result_of(origin: Bundle, stage: str) -> TrainingResult:
    """What a bundle to start from says of one of its stages."""
    return TrainingResult(origin.config.steps[stage], origin.config.figures[stage])


def _same_networks(model: ModelConfig, other: ModelConfig) -> tuple[str, ...]:
    """The stages whose networks are those of another model; the others must be trained again."""
    differ = {part for part in _PARTS if _sizes(getattr(model, part)) != _sizes(getattr(other, part))}
    if "length" in differ:
        differ.add("generator")
    return tuple(stage for stage in CORE if stage not in differ)


def _sizes(config: Any) -> dict[str, Any]:
    """A network's settings without those that only its training or its sampling has."""
    settings = config if isinstance(config, dict) else to_json(config)
    nested = {key: _sizes(value) if isinstance(value, dict) else value for key, value in settings.items()}
    return {key: value for key, value in nested.items() if key not in _NO_SIZES}


def _with_ablations(model: ModelConfig, options: PretrainOptions) -> ModelConfig:
    off: dict[str, Any] = dict.fromkeys(options.objectives_off, False)
    lamp = dataclasses.replace(model.lamp, **off)
    generator = dataclasses.replace(model.generator, causal=not options.bidirectional)
    return dataclasses.replace(model, lamp=lamp, generator=generator)


def _identity(
    corpus: Corpus,
    options: PretrainOptions,
    model: ModelConfig,
    training: dict[str, TrainingConfig],
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """What a resumed run must share with the one it goes on from."""
    return {
        "data": {"clips": len(corpus.train), **corpus.fingerprint()},
        "seed": options.seed,
        # The captioner is a run of its own: it may come later, and with other settings.
        "model": {name: sizes for name, sizes in to_json(model).items() if name != CAPTIONER},
        "training": {name: to_json(config) for name, config in training.items()},
        "vocabulary": vocabulary_fingerprint(vocabulary),
    }
