"""The pretrained text encoders that a generator may read sentences with in LaMP's place.

A new one is a class here and a line in ``ENCODERS``: it loads itself from a folder or by hub name and reads
sentences (``model.condition.SentenceEncoder``). Imports ``transformers`` when one is loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..model.condition import OF_LAMP, SentenceEncoder
from ..model.generator import GeneratorConfig
from ..model.length import LengthConfig
from ..model.qformer import Text
from .config import ModelConfig
from .language_model import others_files, quiet_transformers


class ClipSentenceEncoder:
    """CLIP's text encoder with its projection (Radford et al. 2021), by ``transformers``.

    Its vector is the projected last hidden state of the end token, not normalised, as CLIP's own
    ``encode_text`` gives it and as MoMask and T2M-GPT condition their generators.
    """

    def __init__(self, model: nn.Module, tokenizer: Any):
        """``model`` is a ``CLIPTextModelWithProjection``."""
        self._model = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._limit = int(model.config.max_position_embeddings)  # type: ignore[union-attr, arg-type]
        self.width = int(model.config.projection_dim)  # type: ignore[union-attr, arg-type]
        self.digest = _digest(model)

    @classmethod
    def load(cls, name: str) -> ClipSentenceEncoder:
        """The one in a folder or, by name, of the hub; raises ``ValueError`` when there is none."""
        transformers = quiet_transformers()
        local = Path(name).is_dir()
        if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1):
            raise ValueError("no such folder")
        options = {"local_files_only": local, "trust_remote_code": False}
        with others_files("no text encoder of CLIP there"):
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
            model, found = transformers.CLIPTextModelWithProjection.from_pretrained(
                name, dtype=torch.float32, output_loading_info=True, **options
            )
        if missing := sorted(found["missing_keys"]):
            raise ValueError(f"no text encoder of CLIP with its projection: {missing[0]} is missing")
        return cls(model, tokenizer)

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids (B, T) int64 and mask (B, T); sentences beyond CLIP's own limit are cut, their end kept."""
        encoded = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._limit, return_tensors="np"
        )
        return encoded["input_ids"].astype(np.int64), encoded["attention_mask"].astype(bool)

    def vectors(self, text: Text) -> Tensor:
        """One vector (B, width) a sentence."""
        model = self._model.to(text.ids.device)
        return model(input_ids=text.ids, attention_mask=text.mask.long()).text_embeds.float()


# By the name that ``GeneratorConfig.condition`` has for them.
ENCODERS = {"clip": ClipSentenceEncoder.load}
CONDITIONS = (*OF_LAMP, *ENCODERS)


def parse_condition(choice: str) -> tuple[str, str]:
    """The kind of a condition and where its encoder is, of ``KIND`` or ``KIND:ENCODER``; a folder in full.

    The encoder is empty for LaMP's own conditions. Raises ``ValueError`` for what is no condition.
    """
    kind, _, name = choice.partition(":")
    if kind in OF_LAMP and ":" not in choice:
        return kind, ""
    if kind in ENCODERS and name:
        # A folder must be found again from wherever the bundle is used.
        return kind, str(Path(name).resolve()) if Path(name).is_dir() else name
    others = [f"{each}:FOLDER-OR-HUB-NAME" for each in ENCODERS]
    raise ValueError(f"condition {choice}: expected {', '.join(OF_LAMP)} or {', '.join(others)}")


def with_condition(model: ModelConfig, kind: str, name: str) -> ModelConfig:
    """The sizes with another condition of the generator, whose width and the length head's follow it.

    Raises ``ValueError`` as ``load_sentence_encoder``.
    """
    assert model.generator is not None and model.length is not None
    generator = dataclasses.replace(
        model.generator, condition=kind, condition_encoder=name, condition_digest=""
    )
    encoder = load_sentence_encoder(generator)
    width = model.lamp.qformer.width if encoder is None else encoder.width
    digest = "" if encoder is None else encoder.digest
    generator = dataclasses.replace(generator, condition_width=width, condition_digest=digest)
    return dataclasses.replace(
        model, generator=generator, length=dataclasses.replace(model.length, text_width=width)
    )


def load_sentence_encoder(generator: GeneratorConfig | None) -> SentenceEncoder | None:
    """The frozen encoder that a generator reads sentences with; None when that is LaMP, or there is none.

    Raises ``ValueError`` for an unknown condition, or when the encoder is not there or has other weights than
    the generator was trained with.
    """
    if generator is None:
        return None
    kind, name = generator.condition, generator.condition_encoder
    if kind in OF_LAMP:
        return None
    if kind not in ENCODERS:
        raise ValueError(f"condition {kind}: expected one of {', '.join(CONDITIONS)}")
    return _same_encoder(f"condition {kind}", kind, name, generator.condition_digest)


def load_length_encoder(length: LengthConfig | None) -> SentenceEncoder | None:
    """The frozen encoder that a length head reads sentences with; None when it has none of its own.

    Raises ``ValueError`` when the encoder is not there or has other weights than the head was trained with.
    """
    if length is None or not length.encoder:
        return None
    return _same_encoder("length clip", "clip", length.encoder, length.encoder_digest)


def _same_encoder(what: str, kind: str, name: str, digest: str) -> SentenceEncoder:
    """The encoder that ``what`` reads with, its weights those of the ``digest``, if that is known."""
    try:
        encoder = ENCODERS[kind](name)
    except ValueError as error:
        raise ValueError(f"{what}:{name}: {error}") from None
    if digest and encoder.digest != digest:
        found = f"expected weights of digest {digest}, found {encoder.digest}"
        raise ValueError(f"{what}:{name}: is not the encoder it was trained with; {found}")
    return encoder


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.named_parameters()):
        digest.update(name.encode() + value.detach().float().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
