"""A motion tokenizer alone as a folder, for the later stages of training to start from.

    config.json              sizes, skeleton, where it comes from
    tokenizer.safetensors    the weights, in fp32
    Mean.npy Std.npy         statistics it was trained with

Loads, saves and verifies; knows no training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..data.statistics import Statistics, load_statistics, save_statistics
from ..model.tokenizer import MotionTokenizer, TokenizerConfig
from ..motion.skeleton import Skeleton, skeleton_named
from ..storage import write_json
from .config import Provenance, object_in, read_config_file, to_json
from .weights import SkipInitialisation, load_weights, save_weights

FORMAT = 1
KIND = "tokenizer"


@dataclass(frozen=True)
class TrainedTokenizerConfig:
    """Content of ``config.json``.

    name: of the folder.
    skeleton: its name.
    network: sizes.
    provenance: where the weights come from.
    kind: tells a tokenizer's folder from a bundle.
    format: version of the folder's files.

    Raises ``ValueError`` for a skeleton that the network does not fit.
    """

    name: str
    skeleton: str
    network: TokenizerConfig
    provenance: Provenance
    kind: str = KIND
    format: int = FORMAT

    def __post_init__(self) -> None:
        if skeleton_named(self.skeleton).feature_size != self.network.features:
            raise ValueError(f"{self.network.features} features do not fit skeleton {self.skeleton}")


@dataclass(frozen=True)
class TrainedTokenizer:
    """A tokenizer that is ready for use, with the statistics that features are normalised with."""

    config: TrainedTokenizerConfig
    network: MotionTokenizer
    statistics: Statistics

    @property
    def skeleton(self) -> Skeleton:
        """Of the motions that it reads."""
        return skeleton_named(self.config.skeleton)

    def networks(self) -> dict[str, nn.Module]:
        """The network by the name of its file, as those of a bundle."""
        return {"tokenizer": self.network}


def save_tokenizer(folder: Path, tokenizer: TrainedTokenizer) -> None:
    """Write the folder, ``config.json`` last, so that a half one is not loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "tokenizer.safetensors", tokenizer.network, halved=False)
    save_statistics(folder, tokenizer.statistics)
    write_json(folder / "config.json", to_json(tokenizer.config))


def is_tokenizer(folder: Path) -> bool:
    """True for a folder whose ``config.json`` is a tokenizer's."""
    return object_in(folder / "config.json").get("kind") == KIND


def load_tokenizer_folder(folder: Path, device: torch.device) -> TrainedTokenizer:
    """Read a folder that ``save_tokenizer`` wrote.

    Raises ``ValueError`` naming the file that is missing, cut short or of other sizes.
    """
    config = read_config_file(folder / "config.json", TrainedTokenizerConfig, "a tokenizer")
    with SkipInitialisation(folder):
        network = MotionTokenizer(config.network)
    load_weights(folder / "tokenizer.safetensors", network, device)
    return TrainedTokenizer(config, network, load_statistics(folder, config.network.features))
