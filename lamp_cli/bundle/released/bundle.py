"""Published checkpoints as a bundle, or as a tokenizer alone: what ``lamp import`` does.

Reads the files that ``tokenizer``, ``lamp``, ``generator`` and ``captioner`` know, with the statistics and
words they were trained with. Of LaMP's release every network computes what the authors' code computes
(``compat: released``). Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ...data.statistics import Statistics, read_statistics
from ...data.vocabulary import DECODER_TOKEN, Vocabulary
from ...motion.skeleton import Skeleton
from ...storage import file_digest
from ..bundle import Bundle
from ..config import RELEASED, BundleConfig, ModelConfig, Provenance
from ..trained_tokenizer import TrainedTokenizer, TrainedTokenizerConfig
from ..word_pieces import find_word_pieces
from .captioner import read_released_captioner
from .generator import read_released_generator
from .lamp import read_released_lamp
from .length import read_length_estimator
from .state_dict import name_some
from .tokenizer import read_released_tokenizer

LAMP_SOURCE = "gentlefress/LaMP (Li et al., ICLR 2025)"
MOMASK_SOURCE = "EricGuo5513/momask-codes (Guo et al., CVPR 2024)"
VQ_VAE_SOURCE = "a VQ-VAE as Mael-zys/T2M-GPT (Zhang et al., CVPR 2023) and gentlefress/LaMP publish them"
LICENCE = "{} for the code; none is stated for the weights, and the motions they learned from have their own"


@dataclass(frozen=True)
class ReleasedFiles:
    """What is imported.

    mean: array of the features' means, as the tokenizer was trained with.
    std: array of their standard deviations.
    tokenizer: checkpoint of a motion tokenizer; None takes the one within ``lamp``.
    lamp: checkpoint of LaMP; None imports a tokenizer alone.
    generator: checkpoint of LaMP's generator; None leaves it out.
    captioner: checkpoint of LaMP's captioner; None leaves it out.
    llm: folder or hub name of the language model that the captioner adapts.
    vocabulary: file, folder or hub name of BERT's word pieces, see ``find_word_pieces``.
    length_estimator: checkpoint of the length estimator; None leaves it out.
    clip: folder or hub name of the CLIP that it reads sentences with.
    """

    mean: Path
    std: Path
    tokenizer: Path | None = None
    lamp: Path | None = None
    generator: Path | None = None
    captioner: Path | None = None
    llm: str = ""
    vocabulary: str | None = None
    length_estimator: Path | None = None
    clip: str = ""

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file, by what it is and its name: trainers name many files alike."""
        parts = ("tokenizer", "lamp", "generator", "length_estimator", "captioner", "mean", "std")
        found = {part.replace("_", " "): getattr(self, part) for part in parts}
        return {f"{part} {path.name}": file_digest(path) for part, path in found.items() if path is not None}


def import_tokenizer(files: ReleasedFiles, name: str) -> TrainedTokenizer:
    """A published tokenizer alone; raises ``ValueError`` naming the file and what is wrong with it."""
    assert files.tokenizer is not None
    read = read_released_tokenizer(files.tokenizer)
    statistics = _statistics(files, read.skeleton)
    source, licence = (MOMASK_SOURCE, "MIT") if read.residual else (VQ_VAE_SOURCE, "Apache-2.0 or MIT")
    provenance = Provenance(source, LICENCE.format(licence), files.digests())
    config = TrainedTokenizerConfig(name, read.skeleton.name, read.network.config, provenance)
    return TrainedTokenizer(config, read.network, statistics)


def import_bundle(files: ReleasedFiles, name: str) -> Bundle:
    """The authors' networks, on the CPU; raises ``ValueError`` naming the file and what is wrong with it."""
    assert files.lamp is not None
    tokenizer = read_released_tokenizer(files.tokenizer or files.lamp, base_layer=True)
    statistics = _statistics(files, tokenizer.skeleton)
    pieces = find_word_pieces(files.vocabulary)
    vocabulary = Vocabulary([*pieces, DECODER_TOKEN])
    lamp = read_released_lamp(files.lamp, tokenizer.network, vocabulary.decoder)
    if len(vocabulary) != lamp.lamp.config.qformer.vocabulary:
        raise ValueError(
            f"--vocabulary: {len(pieces)} word pieces; {files.lamp} reads "
            f"{lamp.lamp.config.qformer.vocabulary - 1}, those of bert-base-uncased"
        )
    generator, captioner, unused = None, None, {files.lamp: lamp.unused}
    if files.generator is not None:
        codes, qformer = tokenizer.network.config.codes, lamp.lamp.config.qformer
        generator, rest = read_released_generator(files.generator, codes, qformer, tokenizer.skeleton)
        unused[files.generator] = rest
        if files.length_estimator is not None:
            most = generator.generator.config.max_tokens
            generator.length, generator.condition.length_encoder = read_length_estimator(
                files.length_estimator, files.clip, most
            )
    if files.captioner is not None:
        captioner, rest = read_released_captioner(
            files.captioner, files.llm, lamp.lamp, lamp.tokenizer, vocabulary
        )
        unused[files.captioner] = rest
    model = ModelConfig(
        tokenizer=lamp.tokenizer.config,
        lamp=lamp.lamp.config,
        generator=None if generator is None else generator.generator.config,
        length=None if generator is None or generator.length is None else generator.length.config,
        captioner=None if captioner is None else captioner.config,
        compat=RELEASED,
    )
    left_out = [f"{path.name}: {name_some(parts)}" for path, parts in unused.items() if parts]
    if tokenizer.further_codebooks:
        left_out.append(f"{tokenizer.further_codebooks} further codebooks")
    provenance = Provenance(LAMP_SOURCE, LICENCE.format("MIT"), files.digests(), "; ".join(left_out))
    return Bundle(
        BundleConfig(
            name=name,
            skeleton=tokenizer.skeleton.name,
            fps=tokenizer.skeleton.fps,
            model=model,
            provenance=provenance,
        ),
        tokenizer.skeleton,
        statistics,
        vocabulary,
        lamp.tokenizer,
        lamp.lamp,
        generator,
        torch.device("cpu"),
        captioner,
    )


def _statistics(files: ReleasedFiles, skeleton: Skeleton) -> Statistics:
    try:
        return read_statistics(files.mean, files.std, skeleton.feature_size)
    except ValueError as error:
        raise ValueError(f"{error}; the tokenizer is one of {skeleton.name}") from None
