"""Pretraining: a data set folder in, a bundle out, stage by stage, resumable at any moment.

    OUTPUT/
      config.json …                    the bundle
      training/run.json                what this run is: data, size, seed; a resumed run must agree
      training/vocab.txt               the vocabulary it began with
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
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, load_bundle, require_bundle_folder, save_bundle
from ..bundle.config import BundleConfig, ModelConfig, to_json
from ..bundle.text_encoder import encoder_weights, ids_in_encoder, vocabulary_fingerprint, vocabulary_for
from ..data.layout import Clip, ReadReport, open_dataset
from ..data.sentences import read_paraphrases
from ..data.statistics import Statistics, weigh_up_root_and_contacts
from ..data.vocabulary import Vocabulary, load_vocabulary
from ..inference.familiarity import remember_sentences
from ..inference.index.index import fingerprint
from ..model import distributed
from ..model.bert import initialise_from_bert
from ..model.captioner import Captioner
from ..model.lamp import Lamp, is_of_text
from ..model.qformer import QFormer
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from ..motion.skeleton import Skeleton
from ..synthetic.language.rewording import reworded
from .loop import TrainingConfig, TrainingResult, load_weights, train
from .options import TRAINING_LIMITS, PretrainOptions, PretrainReport, Report, with_overrides
from .pretrain_captioner import Frozen, captioner_of, pretrain_captioner, trained_captioner
from .pretrain_evaluator import pretrain_evaluator
from .run_record import claim
from .sizes import CAPTIONER, CORE, LANGUAGE, SIZES, TOKENIZER_WINDOW
from .stages.evaluator import EVALUATOR
from .stages.generator import GeneratorStage
from .stages.lamp import LampStage, PairData
from .stages.tokenizer import TokenizerData, TokenizerStage

# What must agree for a stage to stay as it is in a bundle to start from.
_PARTS = ("tokenizer", "lamp", "generator", "length")
# Enough of them for every exchange of words to be met.
REWORDED_SENTENCES = 30_000
TRAINED_NOW, TRAINED_BEFORE, TAKEN_OVER = "trained now", "trained before", "taken over"
VOCABULARY = "vocab.txt"
# What is no size: training and sampling may go on with another.
_NO_SIZES = ("dropout", "matching_share", "motion_generation_share", "guidance")


def pretrain(
    data: Path, output: Path, options: PretrainOptions, device: torch.device, report: Report
) -> PretrainReport:
    """Train ``options.stages`` on a data set folder and write the bundle to ``output``.

    Goes on from checkpoints of the same run and skips finished stages. ``report(stage, step, steps,
    figures)`` is called after every step. Raises ``ValueError`` when the data does not serve, an
    earlier stage is not trained yet, or ``output`` holds a run with other settings. The evaluator
    shares nothing with the other stages and is a run of its own.
    """
    require_bundle_folder(output)
    if EVALUATOR in options.stages:
        judge = pretrain_evaluator(data, output, options, device, report)
        others = tuple(stage for stage in options.stages if stage != EVALUATOR)
        if not others:
            return judge
        rest = pretrain(data, output, dataclasses.replace(options, stages=others), device, report)
        return PretrainReport({**rest.results, **judge.results}, rest.read, rest.changed)
    corpus = _read(data, options)
    run = _begin(data, corpus, output, options)
    results, taken_over = _train_core(run, corpus, output, options, device, report)
    captioner, described = _captioner(run, corpus, taken_over, output, options, device, report)
    bundle = _bundle(run, corpus, captioner, {**results, **described}, output.name, device)
    if distributed.rank() == 0:
        if set(results) >= set(CORE):
            save_bundle(output, _with_memory(bundle, corpus, bool(run.pairs.reworded_share)))
        from .curves import draw_curves

        draw_curves(output / "training")
    changed = tuple(name for name in CORE if name not in run.alike)
    return PretrainReport({**results, **described}, corpus.read, changed)


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
        """Those without motions."""
        return list(dict.fromkeys(sentence for group in self.paraphrases for sentence in group))

    @property
    def fingerprint(self) -> str:
        """Of the sentences of the clips, which ``clips`` alone do not tell apart."""
        digest = hashlib.sha256()
        for clip in self.train:
            digest.update("\n".join((clip.id, *clip.sentences, "")).encode())
        return digest.hexdigest()

    def learned_sentences(self, reworded_too: bool) -> list[str]:
        """Those whose words the vocabulary must hold; some ``reworded_too``, in other words."""
        of_clips = (sentence for clip in self.train for sentence in clip.sentences)
        every = list(dict.fromkeys([*of_clips, *self.sentences]))
        if not reworded_too:
            return every
        rng = np.random.default_rng(0)
        some = every[:: max(1, len(every) // REWORDED_SENTENCES)]
        return [*every, *(reworded(sentence, rng) for sentence in some)]


@dataclass(frozen=True)
class _Run:
    """Networks at their beginning, and what their training needs.

    ``origin`` is the bundle to start from, ``alike`` the stages whose networks are of its kind; ``origins``
    says of every stage where its weights come from.
    """

    origin: Bundle | None
    origins: dict[str, str]
    alike: tuple[str, ...]
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
    statistics = corpus.statistics if origin is None else origin.statistics
    vocabulary, kept = _vocabulary(corpus, origin, output, options)
    encoder = options.text_encoder if kept else None
    model = _with_ablations(size.model(corpus.skeleton, len(vocabulary)), options)
    training = {name: with_overrides(name, size.training[name], options) for name in CORE}
    identity = _identity(data, options, model, training, len(corpus.train), vocabulary)
    identity |= {"text_encoder": encoder is not None, "reworded_share": size.reworded_share}
    identity |= {"sentences": corpus.fingerprint}
    goes_on: tuple[str, ...] = CORE
    alike: tuple[str, ...] = CORE
    if origin is not None:
        identity["start_from"] = fingerprint(origin)
        goes_on = alike = _same_networks(model, origin.config.model)
        if options.keep_text:
            identity["keep_text"] = True
            _check_text_is_kept(model, origin.config.model, goes_on)
        if options.renew_text:
            identity["renew_text"] = True
            goes_on = tuple(stage for stage in goes_on if stage != "lamp")
    origins = _origins(output, options, goes_on)
    if origin is not None and origins.get("generator") == TAKEN_OVER:
        guidance = origin.config.model.generator.guidance
        model = dataclasses.replace(model, generator=dataclasses.replace(model.generator, guidance=guidance))
    claim(claimed, identity)
    if distributed.rank() == 0:
        # Which pieces serve best is not asked again: the answer may change with the code.
        vocabulary.save(output / "training" / VOCABULARY)

    # The initial weights come from torch's own stream, which takes no generator.
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        tokenizer, lamp, text_to_motion = build_networks(model, vocabulary.decoder)
        if encoder is not None:
            initialise_from_bert(lamp.qformer, encoder_weights(encoder), kept)
    # A text transformer that stays as it is need not be held to its encoder, nor told of paraphrases.
    text_encoder = None if encoder is None or options.keep_text else copy.deepcopy(lamp.qformer)
    # Groups of one sentence say nothing about wording.
    groups = [group for group in corpus.paraphrases if len(group) > 1 and not options.keep_text]
    pairs = PairData(corpus.train, corpus.val, statistics, vocabulary, groups, size.reworded_share)
    networks = tokenizer, lamp, text_to_motion
    run = _Run(origin, origins, alike, model, training, *networks, text_encoder, pairs)
    if origin is not None:
        for name, network in run.networks.items():
            _take_over(network, origin.networks()[name], but_text=options.renew_text and name == "lamp")
    if options.keep_text:
        for name, weight in lamp.named_parameters():
            weight.requires_grad_(not is_of_text(name))
    return run


def _vocabulary(
    corpus: _Corpus, origin: Bundle | None, output: Path, options: PretrainOptions
) -> tuple[Vocabulary, list[int]]:
    """The run's own, that of the bundle to start from, or a new one; and its ids in the text encoder's."""
    own, size = output / "training" / VOCABULARY, SIZES[options.size]
    if own.exists():
        vocabulary = load_vocabulary(own)
    elif origin is None or options.renew_text:
        sentences = corpus.learned_sentences(reworded_too=size.reworded_share > 0)
        return vocabulary_for(options.text_encoder, size.vocabulary, sentences)
    else:
        vocabulary = origin.vocabulary
    return vocabulary, ids_in_encoder(options.text_encoder, vocabulary)


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
        fitting = {k: v for k, v in fitting.items() if not is_of_text(k)}
    network.load_state_dict(fitting, strict=False)


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
    for name, weights in run.origins.items():
        folder, config = output / "training" / name, run.training[name]
        if weights == TRAINED_NOW:
            stage = _stage(name, run, corpus, options.seed, device)
            told = partial(_told, report, name, config.steps)
            results[name] = train(stage, config, folder, options.seed, device, told, options.workers)
        elif weights == TRAINED_BEFORE:
            results[name] = load_weights(folder / "best.safetensors", run.networks[name])
        elif run.origin is not None:
            results[name] = _result_of(run.origin, name)
    return results, tuple(name for name, weights in run.origins.items() if weights == TAKEN_OVER)


def _origins(output: Path, options: PretrainOptions, goes_on: Sequence[str]) -> dict[str, str]:
    """Where the weights of every stage come from, as far as the stages asked for need them.

    Raises ``ValueError`` naming the first that is needed and neither trained nor to be taken over.
    """
    origins: dict[str, str] = {}
    stands_on = {"tokenizer": (), "lamp": ("tokenizer",), "generator": ("tokenizer", "lamp")}
    if options.keep_text:
        # All that the generator reads of LaMP is what becomes of the words.
        stands_on["generator"] = ("tokenizer",)
    needed = max(CORE.index(stage if stage in CORE else "lamp") for stage in options.stages)
    for number, name in enumerate(CORE):
        as_in_bundle = all(origins.get(each, TAKEN_OVER) == TAKEN_OVER for each in stands_on[name])
        folder = output / "training" / name
        if name in options.stages:
            origins[name] = TRAINED_NOW
        elif (folder / "best.safetensors").exists():
            origins[name] = TRAINED_BEFORE
        elif options.start_from is not None and name in goes_on and as_in_bundle:
            origins[name] = TAKEN_OVER
        elif number <= needed and options.start_from is not None and name not in goes_on:
            what = f"its {name} is not what --size {options.size} trains here"
            raise ValueError(f"{options.start_from}: {what}; train stage {name} too")
        elif number <= needed:
            raise ValueError(f"{folder}: stage {name} is not trained yet; train it first, or all stages")
    return origins


def _check_text_is_kept(model: ModelConfig, other: ModelConfig, alike: Sequence[str]) -> None:
    """Raises ``ValueError`` when a bundle's generator could not go on reading its text transformer."""
    if "generator" not in alike or model.lamp.qformer != other.lamp.qformer:
        raise ValueError("--keep-text: expected LaMP and generator of the sizes of --start-from")
    if not model.generator.word_condition:
        raise ValueError("--keep-text: this size's generator reads LaMP's queries too, which are trained")


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
    # It reads the query outputs of tokenizer and LaMP: of others it understands nothing. Nor may its
    # decoder's words be numbered otherwise.
    understands = {"tokenizer", "lamp"} <= set(taken_over)
    wanted = understands or CAPTIONER in options.stages
    wanted = wanted and not options.renew_text
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


def _with_memory(bundle: Bundle, corpus: _Corpus, wordings_too: bool) -> Bundle:
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
