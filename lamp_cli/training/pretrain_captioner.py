"""Pretraining of the captioner: the embedded decoder's language first, then captions of motions.

Source: LaMP section 3 (LaMP-M2T).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..bundle.bundle import Bundle, load_bundle
from ..bundle.config import from_json, to_json
from ..bundle.language_model import build_captioner
from ..data.vocabulary import Vocabulary
from ..model.captioner import Captioner, CaptionerConfig
from ..model.hugging_face import half_precision
from ..model.lamp import Lamp
from ..model.qformer import QFormerConfig
from ..model.tokenizer import MotionTokenizer
from .checkpoint import BEST, TrainingResult, load_best_weights
from .experiment import CAPTIONER, LANGUAGE
from .loop import Stage
from .options import RunContext
from .origins import StartFrom
from .run_record import RUN, claim, read_object, train_stage, weights_fingerprint
from .stages.captioner import CaptionerStage, LanguageStage
from .stages.pairs import PairData


@dataclass(frozen=True)
class CaptionerInput:
    """What the captioner is built on: LaMP and the motion tokenizer, trained, and the pairs of the corpus.

    ``fingerprints`` are those of the weights of both.
    """

    lamp: Lamp
    tokenizer: MotionTokenizer
    pairs: PairData
    fingerprints: dict[str, str]


def pretrain_captioner(
    folder: Path,
    given: CaptionerInput,
    sentences: Sequence[str],
    earlier: Captioner | None,
    context: RunContext,
) -> tuple[Captioner, dict[str, TrainingResult]]:
    """Train a captioner in ``folder``: the embedded decoder's language first, then captions of motions.

    ``sentences`` join the training captions for the language. An ``earlier`` captioner of the same sizes
    is gone on with, and like a Hugging Face language model, when the options name one, knows its language
    already. Raises ``ValueError`` as ``pretrain``.
    """
    options, device, pairs = context.options, context.device, given.pairs
    experiment = context.experiment.with_vocabulary(len(pairs.vocabulary))
    config = _for_lamp(experiment.captioner, given.lamp.config.qformer)
    language_model = config.language_model
    if earlier is not None and (language_model is not None or not _same_decoder(earlier.config, config)):
        earlier = None
    # Before captions the language of an embedded decoder that knows none.
    stages = (LANGUAGE, CAPTIONER) if language_model is None and earlier is None else (CAPTIONER,)
    training = {name: experiment.training.of(name) for name in stages}
    identity = {
        "seed": options.seed,
        "model": to_json(config),
        "training": {name: to_json(each) for name, each in training.items()},
        "captions": hashlib.sha256("\n".join(sentences).encode()).hexdigest(),
        "start_from": None if earlier is None else weights_fingerprint(earlier),
    }
    claim(folder / RUN, identity)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        qformer, dtype = given.lamp.config.qformer, _training_type(config, device)
        network = build_captioner(config, pairs.vocabulary, dtype, qformer=qformer)
    if network.motion_transformer is not None:
        network.motion_transformer.take_over(given.lamp.qformer)
    if earlier is not None:
        network.load_state_dict(earlier.state_dict(), strict=False)
    results, built_on = {}, {}
    if LANGUAGE in training:
        each = training[LANGUAGE]
        stage: Stage = LanguageStage(network, sentences, pairs, each.batch_size, options.seed, device)
        results[LANGUAGE] = train_stage(stage, each, folder / LANGUAGE, {}, context)
        built_on = {LANGUAGE: weights_fingerprint(network)}
    each = training[CAPTIONER]
    stage = CaptionerStage(network, given.lamp, given.tokenizer, pairs, each.batch_size, options.seed, device)
    results[CAPTIONER] = train_stage(stage, each, folder, {**built_on, **given.fingerprints}, context)
    return network, results


def _for_lamp(config: CaptionerConfig, qformer: QFormerConfig) -> CaptionerConfig:
    """The captioner for a LaMP in hand, which may be another bundle's."""
    adapter = None if config.adapter is None else dataclasses.replace(config.adapter, qformer=qformer)
    return dataclasses.replace(config, query_width=qformer.width, adapter=adapter)


def _same_decoder(one: CaptionerConfig, other: CaptionerConfig) -> bool:
    """Whether the second differs at most in having an adapter, which begins as no change."""
    return one.adapter in (None, other.adapter) and dataclasses.replace(one, adapter=other.adapter) == other


def captioner_of(start_from: StartFrom) -> Captioner | None:
    """The captioner of the bundle to start from, if it has one whose decoder is embedded."""
    if not isinstance(start_from.bundle, Bundle):
        return None
    config = start_from.bundle.config.model.captioner
    if config is None or config.embedded is None:
        return None
    return load_bundle(start_from.name, torch.device("cpu"), captioner=True).captioner


def trained_captioner(
    folder: Path, qformer: QFormerConfig, vocabulary: Vocabulary
) -> tuple[Captioner, TrainingResult]:
    """The captioner that an earlier run trained in ``folder``, with its own settings, on such a Q-Former."""
    settings = read_object(folder / RUN).get("model")
    config = from_json(CaptionerConfig, settings, f"{folder / RUN}: model")
    network = build_captioner(config, vocabulary, torch.float32, qformer=qformer)
    return network, load_best_weights(folder / BEST, network)


def _training_type(config: CaptionerConfig, device: torch.device) -> torch.dtype:
    """Weights that stay as they are may be half as wide; those that learn may not."""
    if config.language_model is None or config.language_model.tuning == "full":
        return torch.float32
    half = half_precision(device)
    # float16 has not the range for gradients.
    return torch.float32 if half is torch.float16 else half
