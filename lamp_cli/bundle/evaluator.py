"""A trained evaluator as a folder.

    config.json              sizes, skeleton, figures
    evaluator.safetensors    movement, motion and text encoders, word vectors
    words.txt                one word per line, in the order of the vectors
    Mean.npy Std.npy         the evaluator's own statistics

Loads, saves and verifies; knows no training and no metric.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..data.statistics import Statistics, load_statistics, save_statistics
from ..data.word_tokens import WordList, load_words
from ..model.evaluator import EvaluatorConfig, MatchingEvaluator
from ..motion.skeleton import Skeleton, skeleton_named
from ..storage import write_json
from .config import from_json, to_json
from .weights import load_weights, save_weights

FORMAT = 1
KIND = "evaluator"


@dataclass(frozen=True)
class EvaluatorCard:
    """``config.json``: what the evaluator reads, its sizes, and how well it did on validation."""

    name: str
    skeleton: str
    network: EvaluatorConfig
    figures: dict[str, float] = field(default_factory=dict)
    step: int = 0
    kind: str = KIND
    format: int = FORMAT


@dataclass(frozen=True)
class TrainedEvaluator:
    """An evaluator's network in evaluation mode, its words and its own statistics."""

    name: str
    skeleton: Skeleton
    network: MatchingEvaluator
    words: WordList
    statistics: Statistics
    device: torch.device


def save_evaluator(
    folder: Path, card: EvaluatorCard, network: MatchingEvaluator, words: WordList, statistics: Statistics
) -> None:
    """Write the folder; weights as 16-bit floats, ``config.json`` last, so that a half one is not loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "evaluator.safetensors", network)
    words.save(folder / "words.txt")
    save_statistics(folder, statistics)
    write_json(folder / "config.json", to_json(card))


def is_evaluator(folder: Path) -> bool:
    """True for a folder whose ``config.json`` is an evaluator's."""
    try:
        data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return False
    return isinstance(data, dict) and data.get("kind") == KIND


def load_evaluator_folder(folder: Path, device: torch.device) -> TrainedEvaluator:
    """Read a folder that ``save_evaluator`` wrote.

    Raises ``ValueError`` naming the file that is missing, cut short or of other sizes.
    """
    card = _read_card(folder / "config.json")
    skeleton = skeleton_named(card.skeleton)
    words = load_words(folder / "words.txt")
    if len(words) != card.network.words:
        raise ValueError(f"{folder / 'words.txt'}: {len(words)} words, config.json says {card.network.words}")
    with torch.device("meta"):
        network = MatchingEvaluator(card.network)
    load_weights(folder / "evaluator.safetensors", network, device)
    # Modules built on the meta device keep no flat weights for the GRUs' kernels.
    for module in (network.motion_encoder, network.text_encoder):
        module.gru.flatten_parameters()
    statistics = load_statistics(folder, skeleton.feature_size)
    return TrainedEvaluator(card.name, skeleton, network, words, statistics, device)


def _read_card(path: Path) -> EvaluatorCard:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; an evaluator is a folder that `lamp pretrain` wrote") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise ValueError(f"{path}: describes no evaluator; expected the folder of `--stage evaluator`")
    if data.get("format") != FORMAT:
        raise ValueError(f"{path}: evaluator format {data.get('format')!r}, this lamp reads {FORMAT}")
    try:
        card = from_json(EvaluatorCard, data)
        if skeleton_named(card.skeleton).feature_size != card.network.features:
            raise ValueError(f"{card.network.features} features do not fit skeleton {card.skeleton}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return card
