"""Pretraining: a data set folder in, a bundle out, stage by stage, resumable at any moment.

    OUTPUT/
      config.json …                    the bundle
      experiment.toml                  its networks and training, whole: what `lamp pretrain --config` reads
      training/run.json                what this run is: data, size, seed; a resumed run must agree
      training/vocab.txt               the vocabulary it began with
      training/.lock                   held by the process that trains here
      training/STAGE/stage.json        the weights it was built on, and whether it is finished
      training/STAGE/last.safetensors  where to go on, until the stage is finished
      training/STAGE/previous.safetensors  the same of the save before
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, load_bundle, require_bundle_folder, save_bundle
from ..bundle.config import BundleConfig, ModelConfig, to_json
from ..bundle.description import EXPERIMENT
from ..bundle.sentence_encoder import load_sentence_encoder, parse_condition, with_condition
from ..bundle.text_encoder import (
    AUTO,
    NONE,
    PretrainedTextEncoder,
    find_text_encoder,
    ids_in_encoder,
    vocabulary_fingerprint,
    vocabulary_for,
)
from ..bundle.trained_tokenizer import TrainedTokenizer, is_tokenizer, load_tokenizer_folder
from ..data.layout import open_dataset
from ..data.vocabulary import Vocabulary, load_vocabulary
from ..inference.familiarity import summarise_sentences
from ..model import distributed
from ..model.bert import initialise_from_bert, initialise_word_head, word_head_misfit
from ..model.captioner import Captioner
from ..model.condition import NO_QUERY, WORDS
from ..model.lamp import Lamp
from ..model.qformer import QFormer
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from ..motion.skeleton import Skeleton
from ..storage import remove_temporaries, write_text
from .checkpoint import BEST, TrainingResult, load_best_weights
from .compiled import NONE as NOT_COMPILED
from .compiled import require_compiler
from .curves import draw_curves
from .estimate import planned_steps
from .experiment import CAPTIONER, CORE, LANGUAGE, DataConfig, Experiment
from .experiment_files import experiment_text, read_experiment
from .loop import Stage, TrainingConfig
from .options import PretrainOptions, PretrainReport, Report, RunContext, silent
from .origins import FROZEN, Origin, StartFrom, lamp_reads_motions, other_weights, plan_stages
from .pretrain_captioner import CaptionerInput, captioner_of, pretrain_captioner, trained_captioner
from .pretrain_evaluator import pretrain_evaluator
from .run_record import RUN, alone_in, claim, read_stage, train_stage, weights_fingerprint
from .selection import FID, LoadJudge, MotionJudge, load_judge_of
from .stages.evaluator import EVALUATOR
from .stages.generator import GeneratorStage
from .stages.lamp import LampStage
from .stages.pairs import PairData
from .stages.tokenizer import TokenizerData, TokenizerStage
from .training_set import Corpus, read_corpus

VOCABULARY = "vocab.txt"
# What must agree for a stage to stay as it is in a bundle to start from.
_PARTS = ("tokenizer", "lamp", "generator", "length")
# What is no size: training and sampling may go on with another.
_NO_SIZES = (
    *("dropout", "condition_dropout", "weights", "label_smoothing", "initial_temperature"),
    *("matching_share", "motion_generation_share", "guidance", "candidates", "drawn_share"),
    *("learns_text", "equal_sentences_match"),
    *("codebook_decay", "commitment_weight", "position_weight", "condition_encoder"),
)


def pretrain(
    data: Path,
    output: Path,
    options: PretrainOptions,
    device: torch.device,
    report: Report,
    announce: Callable[[str], None] = silent,
    load_judge: LoadJudge | None = None,
) -> PretrainReport:
    """Train ``options.stages`` on a data set folder and write the bundle to ``output``.

    Goes on from checkpoints of the same run, skips finished stages, and trains again what was built on
    weights that have changed since. ``report`` and ``announce`` are those of :class:`RunContext`;
    ``load_judge`` gives the evaluator of FID by its name, where the experiment chooses weights by it. Raises
    ``ValueError`` when the data does not serve, an earlier stage is not trained to its end, or ``output``
    holds a run with other settings or data. The evaluator shares nothing with the other stages and is a run
    of its own.
    """
    require_bundle_folder(output)
    skeleton = open_dataset(data).skeleton
    experiment = read_experiment(options.size, options.config, options.settings, skeleton)
    planned = planned_steps(options, experiment)
    for stage in planned:
        # Before any stage is trained, for hours perhaps.
        distributed.rows_of_rank(experiment.training.of(stage).batch_size, f"{stage}: a batch")
    if any(experiment.training.of(stage).compile != NOT_COMPILED for stage in planned):
        require_compiler(device)
    if options.text_encoder != AUTO:
        # A folder must be found again from wherever the experiment is read.
        folder = Path(options.text_encoder)
        named = str(folder.resolve()) if folder.is_dir() else options.text_encoder
        experiment = dataclasses.replace(experiment, text_encoder=named)
    judge = load_judge_of(experiment, options.stages, skeleton, load_judge)
    context = RunContext(options, experiment, device, report, announce, judge)
    if EVALUATOR not in options.stages:
        return _pretrain_bundle(data, output, context)
    evaluator = pretrain_evaluator(data, output, context)
    others = tuple(stage for stage in options.stages if stage != EVALUATOR)
    if not others:
        return evaluator
    context = dataclasses.replace(context, options=dataclasses.replace(options, stages=others))
    rest = _pretrain_bundle(data, output, context)
    return dataclasses.replace(rest, results={**rest.results, **evaluator.results})


def _pretrain_bundle(data: Path, output: Path, context: RunContext) -> PretrainReport:
    corpus = read_corpus(data, context.options.captions, context.experiment.data)
    context.announce_skipped(corpus.read)
    with alone_in(output / "training"):
        return _train_bundle(corpus, output, context)


def _train_bundle(corpus: Corpus, output: Path, context: RunContext) -> PretrainReport:
    run = _prepare_run(corpus, output / "training", context)
    results = _train_core(run)
    captioner, of_captioner = _captioner(run)
    results |= of_captioner
    if distributed.rank() == 0:
        if set(results) >= set(CORE):
            # Before the bundle, whose config.json is written last.
            require_bundle_folder(output)
            remove_temporaries(output, (EXPERIMENT,))
            write_text(output / EXPERIMENT, experiment_text(run.experiment))
            save_bundle(output, _bundle(run, captioner, results, output.name))
        draw_curves(run.folder)
    changed = () if run.start_from is None else set(run.start_from.taken) - set(run.start_from.fitting)
    return PretrainReport(results, corpus.read, tuple(name for name in CORE if name in changed))


@dataclass(frozen=True)
class _Run:
    """Networks before training, and what their training needs.

    experiment: networks and training, with the corpus's vocabulary.
    folder: of checkpoints and logs.
    start_from: the bundle to start from, if any.
    origins: where the weights of every stage come from.
    model: sizes of the networks.
    training: how each stage of the core is trained.
    text_encoder: the pretrained text transformer that LaMP's is held near.
    pairs: clips, statistics and vocabulary of the stages that read sentences.
    """

    context: RunContext
    experiment: Experiment
    corpus: Corpus
    folder: Path
    start_from: StartFrom | None
    origins: dict[str, Origin]
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

    def frozen_fingerprints(self, stage: str) -> dict[str, str]:
        """Of the networks that a stage is built on, by their stages."""
        return {name: weights_fingerprint(self.networks[name]) for name in FROZEN[stage]}


def _prepare_run(corpus: Corpus, folder: Path, context: RunContext) -> _Run:
    """Networks drawn anew or taken from a bundle; claims ``folder`` for this run."""
    options, experiment = context.options, context.experiment
    earlier, name, cpu = None, options.start_from, torch.device("cpu")
    if name is not None:
        alone = is_tokenizer(Path(name))
        earlier = load_tokenizer_folder(Path(name), cpu) if alone else load_bundle(name, cpu)
    bundle = earlier if isinstance(earlier, Bundle) else None
    encoder = None
    if bundle is None or options.text_encoder != AUTO or experiment.lamp.trains("retention"):
        encoder = find_text_encoder(options.text_encoder, experiment.lamp.qformer, experiment.text_encoder)
    pieces = None if encoder is None else encoder.pieces
    vocabulary, kept = _vocabulary(corpus, bundle, folder, experiment.data, pieces)
    encoder = encoder if kept else None
    if "lamp" in options.stages:
        _announce_text_side(encoder, bundle is not None, context)
    experiment = experiment.with_vocabulary(len(vocabulary))
    model = with_condition(experiment.model(), *parse_condition(experiment.generator.condition))
    start_from = None if earlier is None else _start_from(earlier, options, corpus.skeleton, model)
    text_stays = start_from is not None and _text_stays(start_from, model)
    origins = plan_stages(folder, options, start_from, context.announce, text_stays)
    if start_from is not None:
        _announce_lamps_part(start_from, origins, context)
        _announce_other_settings(start_from, origins, model, context)
    training = {name: experiment.training.of(name) for name in CORE}
    identity = {
        "data": {"clips": len(corpus.train), **corpus.fingerprint()},
        "seed": options.seed,
        # The captioner is a run of its own: it may come later, and with other settings.
        "model": {name: sizes for name, sizes in to_json(model).items() if name != CAPTIONER},
        "training": {name: to_json(config) for name, config in training.items()},
        "vocabulary": vocabulary_fingerprint(vocabulary),
        "text_encoder": None if encoder is None else encoder.fingerprint,
        "drawing": to_json(experiment.data),
        "start_from": None if start_from is None else dict(start_from.fingerprints),
    }
    claim(folder / RUN, identity)
    if distributed.rank() == 0:
        # Which pieces serve best is not asked again: the answer may change with the code.
        vocabulary.save(folder / VOCABULARY)

    if bundle is not None and origins.get("generator") is Origin.START_FROM:
        # It is sampled as before, too.
        of_earlier = bundle.config.model
        model = dataclasses.replace(model, generator=of_earlier.generator, length=of_earlier.length)
    networks, text_encoder = _networks(model, vocabulary, encoder, kept, options.seed)
    statistics = corpus.statistics
    if start_from is not None:
        earlier_networks = start_from.bundle.networks()
        has_further_codebooks = _adds_quantizers(networks[0], earlier_networks.get("tokenizer"))
        for name, network in zip(CORE, networks, strict=True):
            if name in start_from.taken:
                _take_over(network, earlier_networks[name], has_further_codebooks)
        if "tokenizer" in start_from.taken:
            statistics = start_from.bundle.statistics
    # Groups of one sentence say nothing about wording.
    groups = [group for group in corpus.paraphrases if len(group) > 1]
    data = experiment.data
    drawing = data.reworded_share, data.sorted_steps, data.misspelt_share
    pairs = PairData(corpus.train, corpus.val, statistics, vocabulary, groups, *drawing)
    return _Run(
        context,
        experiment,
        corpus,
        folder,
        start_from,
        origins,
        model,
        training,
        *networks,
        text_encoder,
        pairs,
    )


def _networks(
    model: ModelConfig,
    vocabulary: Vocabulary,
    encoder: PretrainedTextEncoder | None,
    kept: list[int],
    seed: int,
) -> tuple[tuple[MotionTokenizer, Lamp, TextToMotion], QFormer | None]:
    """Networks drawn anew, the text transformer begun as ``encoder``, if any; and a copy of that."""
    # The initial weights come from torch's own stream, which takes no generator.
    sentence_encoder = load_sentence_encoder(model.generator)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        networks = build_networks(model, vocabulary.decoder, sentence_encoder)
        if encoder is None:
            return networks, None
        initialise_from_bert(networks[1].qformer, encoder.weights, kept)
        if word_head_misfit(encoder.weights, model.lamp.qformer.width) is None:
            initialise_word_head(networks[1], encoder.weights, kept)
    return networks, copy.deepcopy(networks[1].qformer)


def _start_from(
    bundle: Bundle | TrainedTokenizer, options: PretrainOptions, skeleton: Skeleton, model: ModelConfig
) -> StartFrom:
    name, networks, same_skeleton = str(options.start_from), bundle.networks(), bundle.skeleton is skeleton
    kept = [stage for stage in (CORE if same_skeleton else ("lamp",)) if stage in networks]
    if not kept:
        raise ValueError(f"{name}: is of {bundle.skeleton.name}'s skeleton, the data have {skeleton.name}'s")
    taken = tuple(stage for stage in kept if stage not in options.anew)
    fitting: tuple[str, ...] = ()
    if isinstance(bundle, Bundle):
        fitting = _same_networks(model, bundle.config.model)
    elif _sizes(model.tokenizer) == _sizes(bundle.config.network):
        fitting = ("tokenizer",)
    fitting = tuple(stage for stage in fitting if stage in taken)
    fingerprints = {stage: weights_fingerprint(networks[stage]) for stage in taken}
    return StartFrom(name, bundle, taken, fitting, fingerprints, same_skeleton)


def _text_stays(start_from: StartFrom, model: ModelConfig) -> bool:
    """Whether the generator to start from goes on reading the same of LaMP, which may learn the rest."""
    bundle = start_from.bundle
    if not isinstance(bundle, Bundle) or "lamp" not in start_from.taken or model.lamp.learns_text:
        return False
    reads_text_alone = model.generator is not None and model.generator.condition in (WORDS, NO_QUERY)
    return reads_text_alone and _sizes(model.lamp.qformer) == _sizes(bundle.lamp.config.qformer)


def _announce_lamps_part(start_from: StartFrom, origins: Mapping[str, Origin], context: RunContext) -> None:
    """Say what of a bundle of another skeleton serves; raises ``ValueError`` for a captioner on it."""
    name, reads_motions = start_from.name, lamp_reads_motions(start_from, origins)
    if CAPTIONER in context.options.stages and not reads_motions:
        raise ValueError(
            f"{name}: its LaMP reads another skeleton's motions; for captions train stage lamp too"
        )
    if start_from.same_skeleton:
        return
    what = "LaMP alone goes on learning" if reads_motions else "LaMP alone serves, to read sentences"
    context.announce(f"{name}: is of {start_from.bundle.skeleton.name}'s skeleton; of its networks {what}")


def _announce_other_settings(
    start_from: StartFrom, origins: Mapping[str, Origin], model: ModelConfig, context: RunContext
) -> None:
    """Say which settings of a network that is trained further are others than those it was trained with."""
    if not isinstance(start_from.bundle, Bundle):
        return
    for stage in start_from.taken:
        if origins.get(stage) is not Origin.TRAINED_NOW:
            continue
        before, now = (to_json(getattr(one, stage)) for one in (start_from.bundle.config.model, model))
        for field in (name for name in now if before[name] != now[name]):
            context.announce(
                f"{stage}.{field}: {before[field]} in {start_from.name}, {now[field]} here; "
                f"--set {stage}.{field}={before[field]} goes on as before"
            )


def _vocabulary(
    corpus: Corpus,
    earlier: Bundle | None,
    folder: Path,
    config: DataConfig,
    pieces: Sequence[str] | None,
) -> tuple[Vocabulary, list[int]]:
    """The run's own, that of the bundle to start from, or a new one; and its ids in the text encoder's."""
    if (folder / VOCABULARY).exists():
        vocabulary = load_vocabulary(folder / VOCABULARY)
    elif earlier is not None:
        vocabulary = earlier.vocabulary
    else:
        sentences = corpus.vocabulary_sentences(reworded_too=config.reworded_share > 0)
        return vocabulary_for(pieces, config.word_pieces, sentences)
    return vocabulary, ids_in_encoder(pieces, vocabulary)


def _announce_text_side(encoder: PretrainedTextEncoder | None, goes_on: bool, context: RunContext) -> None:
    """Say what LaMP's text side lacks of a pretrained encoder, unless the user did without one."""
    experiment = context.experiment
    if encoder is not None:
        problem = word_head_misfit(encoder.weights, experiment.lamp.qformer.width)
        if problem is not None and not goes_on:
            context.announce(f"text encoder {encoder.name} {problem}: LaMP's begins at random")
    elif experiment.text_encoder == NONE:
        return
    elif not goes_on:
        context.announce(
            f"the text encoder {experiment.text_encoder} does not fit these sizes: words are learned from "
            "these sentences alone; --text-encoder names a BERT-family model that does, by folder or hub name"
        )
    elif experiment.lamp.trains("retention"):
        context.announce(
            "the shipped text encoder does not know this vocabulary: LaMP's text side is not held near it"
        )


def _take_over(network: nn.Module, earlier: nn.Module, has_further_codebooks: bool) -> None:
    """Give a network the weights of an earlier one, as far as their names and shapes agree.

    What is about further codebooks, behind the earlier one's, begins anew.
    """
    own = network.state_dict()
    fitting = {}
    for name, given in earlier.state_dict().items():
        if name in own and own[name].shape == given.shape:
            fitting[name] = given
        elif name in own and has_further_codebooks and own[name].shape[1:] == given.shape[1:]:
            fitting[name] = torch.cat([given, own[name][len(given) :]])
    if any(k.startswith("codebook.") and k not in fitting for k in own):
        # How often codes are chosen says nothing of other codes.
        fitting = {k: v for k, v in fitting.items() if not k.startswith("codebook.")}
    network.load_state_dict(fitting, strict=False)


def _adds_quantizers(tokenizer: MotionTokenizer, earlier: nn.Module | None) -> bool:
    """Whether a tokenizer's codebooks are an earlier one's with further ones behind them."""
    if not isinstance(earlier, MotionTokenizer):
        return False
    now, before = tokenizer.config, earlier.config
    same = now == dataclasses.replace(before, quantizers=now.quantizers)
    return same and now.quantizers > before.quantizers


def _stage(name: str, run: _Run) -> Stage:
    """One of the core's stages; it reads what it needs when it is made."""
    size, seed, device = run.training[name].batch_size, run.context.options.seed, run.context.device
    if name == "tokenizer":
        corpus = run.corpus
        motions = TokenizerData(corpus.train, corpus.val, run.pairs.statistics, corpus.skeleton)
        window = run.experiment.data.window
        return TokenizerStage(run.tokenizer, motions, window, size, seed, device, _judge(name, run))
    if name == "lamp":
        return LampStage(run.lamp, run.tokenizer, run.pairs, size, seed, device, run.text_encoder)
    frozen = run.lamp, run.tokenizer
    return GeneratorStage(run.text_to_motion, *frozen, run.pairs, size, seed, device, _judge(name, run))


def _judge(stage: str, run: _Run) -> MotionJudge | None:
    """The evaluator, where this stage's best weights are chosen by FID."""
    return run.context.judge if run.training[stage].select == FID else None


def _train_core(run: _Run) -> dict[str, TrainingResult]:
    """Results of the core's stages, trained now, before, or for the bundle to start from."""
    results: dict[str, TrainingResult] = {}
    for name, origin in run.origins.items():
        folder = run.folder / name
        if origin is Origin.TRAINED_NOW:
            built_on = run.frozen_fingerprints(name)
            results[name] = train_stage(_stage(name, run), run.training[name], folder, built_on, run.context)
        elif origin is Origin.TRAINED_BEFORE:
            results[name] = load_best_weights(folder / BEST, run.networks[name])
        elif run.start_from is not None:
            results[name] = _result_of(run.start_from.bundle, name)
    return results


def _captioner(run: _Run) -> tuple[Captioner | None, dict[str, TrainingResult]]:
    """The captioner of this run, trained now or before, or that of the bundle to start from; if any."""
    folder, built_on = run.folder / CAPTIONER, run.frozen_fingerprints(CAPTIONER)
    # It reads the query outputs of tokenizer and LaMP: of others it understands nothing.
    understands = all(run.origins.get(each) is Origin.START_FROM for each in FROZEN[CAPTIONER])
    wanted = understands or CAPTIONER in run.context.options.stages
    wanted = wanted and CAPTIONER not in run.context.options.anew
    earlier = captioner_of(run.start_from) if run.start_from is not None and wanted else None
    if CAPTIONER in run.context.options.stages:
        given = CaptionerInput(run.lamp, run.tokenizer, run.pairs, built_on)
        return pretrain_captioner(folder, given, run.corpus.sentences, earlier, run.context)
    record = read_stage(folder)
    if record is not None:
        frozen_before = {name: record.built_on.get(name, "") for name in built_on}
        stopped = "was stopped before its last step" if record.weights is None else None
        problem = stopped or other_weights(frozen_before, built_on)
        if problem is None:
            qformer = run.lamp.config.qformer
            captioner, result = trained_captioner(folder, qformer, run.pairs.vocabulary)
            return captioner, {CAPTIONER: result}
        run.context.announce(f"{CAPTIONER}: {problem}; it is left out of the bundle until it is trained")
    if run.start_from is None or earlier is None:
        return None, {}
    bundle = run.start_from.bundle
    assert isinstance(bundle, Bundle)
    learned = [each for each in (LANGUAGE, CAPTIONER) if each in bundle.config.steps]
    return earlier, {each: _result_of(bundle, each) for each in learned}


def _bundle(run: _Run, captioner: Captioner | None, results: dict[str, TrainingResult], name: str) -> Bundle:
    """The bundle, with what it needs to tell a familiar sentence from a strange one."""
    corpus, pairs, device = run.corpus, run.pairs, run.context.device
    model = run.model if captioner is None else dataclasses.replace(run.model, captioner=captioner.config)
    reads_motions = lamp_reads_motions(run.start_from, run.origins)
    if not reads_motions:
        # There is nobody to choose among several draws.
        assert model.generator is not None
        model = dataclasses.replace(model, generator=dataclasses.replace(model.generator, candidates=1))
    stays = Origin.START_FROM in run.origins.values()
    config = BundleConfig(
        name=name,
        skeleton=corpus.skeleton.name,
        fps=corpus.skeleton.fps,
        model=model,
        figures={stage: result.figures for stage, result in results.items()},
        steps={stage: result.step for stage, result in results.items()},
        # Of imported weights that stay in the bundle: those of the bundle to start from.
        provenance=None if run.start_from is None or not stays else run.start_from.bundle.config.provenance,
        lamp_reads_motions=reads_motions,
    )
    reworded = bool(pairs.reworded_share)
    training = [text for clip in corpus.train for text in (clip.sentences if reworded else clip.captions)]
    validation = [text for clip in corpus.val for text in clip.captions]
    return Bundle(
        config,
        corpus.skeleton,
        pairs.statistics,
        pairs.vocabulary,
        run.tokenizer.to(device).eval(),
        run.lamp.to(device).eval(),
        run.text_to_motion.to(device).eval(),
        device,
        None if captioner is None else captioner.eval(),
        summarise_sentences(run.lamp, pairs.vocabulary, training, validation, device),
    )


def _result_of(origin: Bundle | TrainedTokenizer, stage: str) -> TrainingResult:
    """What a bundle to start from says of one of its stages; nothing of imported weights."""
    if not isinstance(origin, Bundle) or stage not in origin.config.steps:
        return TrainingResult(0, {})
    return TrainingResult(origin.config.steps[stage], origin.config.figures[stage])


def _same_networks(model: ModelConfig, other: ModelConfig) -> tuple[str, ...]:
    """The stages whose networks are those of another model; the others must be trained again."""
    differ = {part for part in _PARTS if _sizes(getattr(model, part)) != _sizes(getattr(other, part))}
    if model.compat != other.compat:
        # Networks of the authors' code compute something else, whatever their sizes.
        differ |= {"lamp", "generator"}
    if "length" in differ:
        differ.add("generator")
    return tuple(stage for stage in CORE if stage not in differ)


def _sizes(config: Any) -> dict[str, Any]:
    """A network's settings without those that only its training or its sampling has."""
    settings = config if isinstance(config, dict) else to_json(config) if config is not None else {}
    nested = {key: _sizes(value) if isinstance(value, dict) else value for key, value in settings.items()}
    return {key: value for key, value in nested.items() if key not in _NO_SIZES}
