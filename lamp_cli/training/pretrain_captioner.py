"""Pretraining of the captioner: the embedded decoder's language first, then captions of motions.

Source: LaMP section 3 (LaMP-M2T).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..bundle.bundle import Bundle, load_bundle
from ..bundle.captioner import build_captioner
from ..bundle.config import from_json, to_json
from ..data.vocabulary import Vocabulary
from ..model.captioner import Captioner, CaptionerConfig
from ..model.hugging_face import half_precision
from ..model.lamp import Lamp
from ..model.tokenizer import MotionTokenizer
from .loop import BEST, TrainingResult, load_best_weights, train
from .options import PretrainOptions, Report, with_overrides
from .run_record import RUN, begin_stage, claim, finish_stage, read_object, weights_fingerprint
from .sizes import CAPTIONER, LANGUAGE, LANGUAGE_MODEL_RATES, SIZES
from .stages.captioner import CaptionerStage, LanguageStage
from .stages.lamp import PairData


@dataclass(frozen=True)
class Frozen:
    """What the captioner is built on: LaMP and the motion tokenizer, trained, and the pairs of the corpus.

    ``fingerprints`` are those of the weights of both.
    """

    lamp: Lamp
    tokenizer: MotionTokenizer
    pairs: PairData
    fingerprints: dict[str, str]


def pretrain_captioner(
    folder: Path,
    options: PretrainOptions,
    frozen: Frozen,
    sentences: Sequence[str],
    earlier: Captioner | None,
    device: torch.device,
    report: Report,
    announce: Callable[[str], None],
) -> tuple[Captioner, dict[str, TrainingResult]]:
    """Train a captioner in ``folder``: the embedded decoder's language first, then captions of motions.

    ``sentences`` join the training captions for the language. An ``earlier`` captioner of the same sizes
    is gone on with, and like a Hugging Face language model, when ``options`` name one, knows its language
    already. Raises ``ValueError`` as ``pretrain``.
    """
    size = SIZES[options.size].captioner
    vocabulary, language_model = frozen.pairs.vocabulary, options.language_model
    config = size.network(frozen.lamp.config.qformer, len(vocabulary), language_model)
    training = {
        LANGUAGE: with_overrides(LANGUAGE, size.language, options),
        CAPTIONER: with_overrides(CAPTIONER, size.training, options),
    }
    learned = language_model is None and earlier is not None and _same_decoder(earlier.config, config)
    if language_model is not None:
        rate = options.learning_rates.get(CAPTIONER, LANGUAGE_MODEL_RATES[language_model.tuning])
        training = {CAPTIONER: dataclasses.replace(training[CAPTIONER], learning_rate=rate)}
    elif learned:
        del training[LANGUAGE]
    identity = {
        "seed": options.seed,
        "model": to_json(config),
        "training": {name: to_json(each) for name, each in training.items()},
        "captions": hashlib.sha256("\n".join(sentences).encode()).hexdigest(),
    }
    if learned and earlier is not None:
        identity["start_from"] = weights_fingerprint(earlier)
    claim(folder / RUN, identity)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = build_captioner(config, vocabulary, _training_type(config, device))
    if learned:
        assert earlier is not None
        network.load_state_dict(earlier.state_dict(), strict=False)
    seed, pairs = options.seed, frozen.pairs
    stages: dict[str, Callable[[int], Any]] = {
        LANGUAGE: lambda size: LanguageStage(network, sentences, pairs, size, seed, device),
        CAPTIONER: lambda size: CaptionerStage(
            network, frozen.lamp, frozen.tokenizer, pairs, size, seed, device
        ),
    }
    results = {}
    built_on: dict[str, str] = {}
    for name, each in training.items():
        where = folder if name == CAPTIONER else folder / name
        if name == CAPTIONER:
            built_on |= frozen.fingerprints
        if begin_stage(where, built_on):
            announce(f"{name}: was built on weights that have changed since; it is trained again")
        results[name] = train(
            stages[name](each.batch_size),
            each,
            where,
            seed,
            device,
            lambda step, figures, name=name, steps=each.steps: report(name, step, steps, figures),  # type: ignore[misc]
            options.workers,
        )
        finish_stage(where, built_on, network)
        built_on = {name: weights_fingerprint(network)}
    return network, results


def _same_decoder(one: CaptionerConfig, other: CaptionerConfig) -> bool:
    """Whether the second differs at most in having an adapter, which begins as no change."""
    return one.adapter in (None, other.adapter) and dataclasses.replace(one, adapter=other.adapter) == other


def captioner_of(origin: Bundle, name: str | None) -> Captioner | None:
    """The captioner of a bundle to start from, if it has one whose decoder is embedded."""
    config = origin.config.model.captioner
    if config is None or config.embedded is None:
        return None
    return load_bundle(str(name), torch.device("cpu"), captioner=True).captioner


def trained_captioner(folder: Path, vocabulary: Vocabulary) -> tuple[Captioner, TrainingResult]:
    """The captioner that an earlier run trained in ``folder``, with its own settings."""
    settings = read_object(folder / RUN).get("model")
    config = from_json(CaptionerConfig, settings, f"{folder / RUN}: model")
    network = build_captioner(config, vocabulary, torch.float32)
    return network, load_best_weights(folder / BEST, network)


def _training_type(config: CaptionerConfig, device: torch.device) -> torch.dtype:
    """Weights that stay as they are may be half as wide; those that learn may not."""
    if config.language_model is None or config.language_model.tuning == "full":
        return torch.float32
    half = half_precision(device)
    # float16 has not the range for gradients.
    return torch.float32 if half is torch.float16 else half
