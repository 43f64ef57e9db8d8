"""A trained evaluator as a folder.

    config.json              sizes, skeleton, figures
    evaluator.safetensors    encoders of motions and text, word vectors
    words.txt                one word per line, in the order of the vectors
    Mean.npy Std.npy         the evaluator's own statistics

Loads, saves and verifies; knows no training and no metric.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..data.byte_pairs import BytePairs
from ..data.statistics import Statistics, load_statistics, save_statistics
from ..data.word_tokens import WordList, load_words
from ..model.contrastive_evaluator import ContrastiveEvaluator
from ..model.evaluator import CLIP, EvaluatorConfig, MatchingEvaluator
from ..motion.skeleton import Skeleton, skeleton_named
from ..storage import write_json
from .config import object_in, read_config_file, to_json
from .weights import SkipInitialisation, load_weights, save_weights

FORMAT = 1
KIND = "evaluator"


@dataclass(frozen=True)
class TrainedEvaluatorConfig:
    """Content of ``config.json``.

    name: of the evaluator.
    skeleton: its name.
    network: sizes.
    figures: on the validation split.
    step: at which they were best, the one that is kept.
    kind: tells an evaluator's folder from a bundle.
    format: version of the folder's files.

    Raises ``ValueError`` for a skeleton that the network does not fit.
    """

    name: str
    skeleton: str
    network: EvaluatorConfig
    figures: dict[str, float] = field(default_factory=dict)
    step: int = 0
    kind: str = KIND
    format: int = FORMAT

    def __post_init__(self) -> None:
        if skeleton_named(self.skeleton).feature_size != self.network.features:
            raise ValueError(f"{self.network.features} features do not fit skeleton {self.skeleton}")


@dataclass(frozen=True)
class TrainedEvaluator:
    """An evaluator that is ready for use.

    name: of the evaluator.
    skeleton: of the motions that it reads.
    network: in evaluation mode.
    words: the words that it knows.
    statistics: mean and standard deviation that features are normalised with.
    device: of the network.
    """

    name: str
    skeleton: Skeleton
    network: MatchingEvaluator | ContrastiveEvaluator
    words: WordList | BytePairs
    statistics: Statistics
    device: torch.device


def save_evaluator(
    folder: Path,
    config: TrainedEvaluatorConfig,
    network: MatchingEvaluator | ContrastiveEvaluator,
    words: WordList,
    statistics: Statistics,
) -> None:
    """Write the folder; weights as 16-bit floats, ``config.json`` last, so that a half one is not loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "evaluator.safetensors", network)
    words.save(folder / "words.txt")
    save_statistics(folder, statistics)
    write_json(folder / "config.json", to_json(config))


def network_of(config: EvaluatorConfig) -> MatchingEvaluator | ContrastiveEvaluator:
    """The network of the design that ``config`` says."""
    return ContrastiveEvaluator(config) if config.design == CLIP else MatchingEvaluator(config)


def is_evaluator(folder: Path) -> bool:
    """True for a folder whose ``config.json`` is an evaluator's."""
    return object_in(folder / "config.json").get("kind") == KIND


def load_evaluator_folder(folder: Path, device: torch.device) -> TrainedEvaluator:
    """Read a folder that ``save_evaluator`` wrote.

    Raises ``ValueError`` naming the file that is missing, cut short or of other sizes.
    """
    config = read_config_file(folder / "config.json", TrainedEvaluatorConfig, "an evaluator")
    skeleton = skeleton_named(config.skeleton)
    words = load_words(folder / "words.txt")
    if len(words) != config.network.words:
        raise ValueError(
            f"{folder / 'words.txt'}: {len(words)} words, config.json says {config.network.words}"
        )
    with SkipInitialisation(folder):
        network = network_of(config.network)
    load_weights(folder / "evaluator.safetensors", network, device)
    # Weights read one by one are not the one piece of memory that the GRUs' kernels want.
    for module in network.modules():
        if isinstance(module, torch.nn.GRU):
            module.flatten_parameters()
    statistics = load_statistics(folder, skeleton.feature_size)
    return TrainedEvaluator(config.name, skeleton, network, words, statistics, device)
