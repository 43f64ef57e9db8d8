"""What a bundle is, told from its files: networks and their sizes, figures, licence, checksum, training.

Reads no weights but to digest them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..motion.skeleton import skeleton_named
from ..storage import file_digest, read_text_file, read_toml
from .bundle import find_bundle, read_config
from .card import bundle_parts
from .config import BundleConfig, read_config_file, to_json
from .trained_evaluator import is_evaluator
from .trained_tokenizer import TrainedTokenizerConfig, is_tokenizer
from .training_sentences import EMBEDDINGS

# The networks and training that a bundle was made with, whole, beside its weights.
EXPERIMENT = "experiment.toml"
# What its networks compute by: model cards and evaluators may change without it.
DIGESTED = ("*.safetensors", "config.json", "vocab.txt", "*.npy", "language_model/*")


@dataclass(frozen=True)
class BundleDescription:
    """A bundle, or a tokenizer alone, as its files tell it.

    folder: where it is.
    config: sizes, figures, steps and provenance.
    parameters: numbers in each network's file, codebooks among them.
    size: of all files that are digested, in bytes.
    checksum: SHA-256 of the names and contents of these files.
    licence: as its provenance or a LICENSE file states it; None when nothing does.
    evaluator: whether it brings one.
    training: the experiment that it was trained by; None for a bundle that does not say.
    """

    folder: Path
    config: BundleConfig | TrainedTokenizerConfig
    parameters: dict[str, int]
    size: int
    checksum: str
    licence: str | None
    evaluator: bool
    training: dict[str, Any] | None

    @property
    def parts(self) -> list[str]:
        """What it holds, a phrase each."""
        return bundle_parts(self.config) if isinstance(self.config, BundleConfig) else ["motion tokenizer"]

    def record(self) -> dict[str, Any]:
        """Everything as one JSON object."""
        config = to_json(self.config)
        if isinstance(self.config, TrainedTokenizerConfig):
            fps = skeleton_named(self.config.skeleton).fps
            config |= {"fps": fps, "steps": {}, "figures": {}, "model": {"tokenizer": config.pop("network")}}
        return {
            "model": config.pop("name"),
            "folder": str(self.folder),
            "parts": self.parts,
            "evaluator": self.evaluator,
            "licence": self.licence,
            "checksum": self.checksum,
            "bytes": self.size,
            "parameters": self.parameters,
            "skeleton": config.pop("skeleton"),
            "fps": config.pop("fps"),
            "steps": config.pop("steps"),
            "figures": config.pop("figures"),
            "networks": config.pop("model"),
            "training": self.training,
            **config,
        }


def describe_bundle(name: str | Path) -> BundleDescription:
    """The description of a bundle: a folder (of a tokenizer alone, too), a hub name, or the one that ships.

    Raises ``ValueError`` when there is none or one of its files cannot be read.
    """
    folder = find_bundle(name)
    config: BundleConfig | TrainedTokenizerConfig
    if is_tokenizer(folder):
        config = read_config_file(folder / "config.json", TrainedTokenizerConfig, "a tokenizer")
    else:
        config = read_config(folder)
    files = sorted({path for pattern in DIGESTED for path in folder.glob(pattern) if path.is_file()})
    experiment = folder / EXPERIMENT
    return BundleDescription(
        folder,
        config,
        # The summary of its sentences is no network.
        {p.stem: _numbers_in(p) for p in files if p.suffix == ".safetensors" and p.name != EMBEDDINGS},
        sum(path.stat().st_size for path in files),
        f"sha256:{_digest(folder, files)}",
        _licence(folder, config),
        is_evaluator(folder / "evaluator"),
        read_toml(experiment) if experiment.is_file() else None,
    )


def _numbers_in(path: Path) -> int:
    try:
        with safe_open(path, framework="numpy") as file:
            return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None


def _digest(folder: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def _licence(folder: Path, config: BundleConfig | TrainedTokenizerConfig) -> str | None:
    if config.provenance is not None:
        return config.provenance.licence
    for path in sorted(folder.glob("LICENSE*")):
        lines = [line.strip() for line in read_text_file(path).split("\n") if line.strip()]
        return lines[0] if lines else path.name
    return None
