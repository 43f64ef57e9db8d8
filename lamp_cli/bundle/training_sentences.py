"""A summary of the sentences that a bundle was trained on.

    training_sentences.safetensors   mean outputs (N, W) of the text transformer for some, spread over all
    training_words.txt               a line per stem of a meaningful word, and in how many sentences it is

Loads and saves; ``inference/familiarity`` makes and uses it. Bundles of earlier versions have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..storage import replacing, write_text

# In earlier versions the vectors were those of LaMP's space.
MEAN_OUTPUTS, EARLIER = "mean_outputs", "embeddings"
EMBEDDINGS, WORDS = "training_sentences.safetensors", "training_words.txt"


@dataclass(frozen=True)
class TrainingSentences:
    """What is kept of the sentences.

    stems: of their words, and in how many sentences each is; None where that is not known.
    embeddings: unit vectors (N, W) of some of them; N is 0 where a bundle of an earlier version kept others.
    least_similarity: the cosine to the nearest embedding from which a sentence is like them.
    """

    stems: Mapping[str, int | None]
    embeddings: np.ndarray
    least_similarity: float


def save_training_sentences(folder: Path, sentences: TrainingSentences) -> None:
    """Write both files; embeddings as 16-bit floats."""
    tensors: dict[str, np.ndarray] = {
        MEAN_OUTPUTS: sentences.embeddings.astype(np.float16),
        "least_similarity": np.array([sentences.least_similarity], np.float32),
    }
    with replacing(folder / EMBEDDINGS) as temporary:
        save_file(tensors, temporary)
    write_text(folder / WORDS, "".join(map(_line, sorted(sentences.stems.items()))))


def load_training_sentences(folder: Path) -> TrainingSentences | None:
    """Read what ``save_training_sentences`` wrote; None when the bundle has none.

    Raises ``ValueError`` for a file that is cut short or not one of these.
    """
    path = folder / EMBEDDINGS
    if not path.is_file():
        return None
    try:
        tensors = load_file(path)
        if MEAN_OUTPUTS not in tensors and EARLIER in tensors:
            tensors[MEAN_OUTPUTS] = np.empty((0, 0), np.float16)
        embeddings = tensors[MEAN_OUTPUTS].astype(np.float32)
        least = float(tensors["least_similarity"][0])
        stems = dict(map(_counted, (folder / WORDS).read_text(encoding="utf-8").splitlines()))
    except (SafetensorError, KeyError, IndexError, OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None
    if embeddings.ndim != 2:
        raise ValueError(f"{path}: expected embeddings (N, W), found shape {embeddings.shape}")
    return TrainingSentences(stems, embeddings, least)


def _line(entry: tuple[str, int | None]) -> str:
    stem, count = entry
    return f"{stem}\n" if count is None else f"{stem} {count}\n"


def _counted(line: str) -> tuple[str, int | None]:
    """A stem and its count; files of earlier versions have none."""
    stem, _, count = line.partition(" ")
    return stem, int(count) if count else None
