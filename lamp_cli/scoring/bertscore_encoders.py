"""Which network reads the sentences that BERTScore compares.

The default works in the base install: MiniLM, when its small package is there, in our own BERT; else
the bundle's own text transformer. Every name says what it is: figures of two encoders never compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..bundle.text_encoder import default_text_encoder
from ..data.vocabulary import DECODER_TOKEN, Vocabulary, pieces_of_bert
from ..inference.embed import encode_text
from ..inference.precision import BF16, FP32, in_precision
from ..metrics.bertscore import FIELD, BertScoreConfig, TokenEncoder, TokenStates
from ..model.bert import initialise_from_bert
from ..model.qformer import QFormer, QFormerConfig, Text
from .token_embeddings import HuggingFaceEncoder

MINILM = "all-MiniLM-L6-v2"
LONGEST = 256
CHUNK = 64


class TextTransformerEncoder:
    """States of a Q-Former's text transformer after its last layer."""

    def __init__(self, qformer: QFormer, vocabulary: Vocabulary, limit: int, name: str, device: torch.device):
        self._qformer = qformer
        self._vocabulary = vocabulary
        self._limit = limit
        self.name = name
        self._device = device
        self._outer = np.array([vocabulary.pieces.index("[CLS]"), vocabulary.end])

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        """Float32 states of every sentence; sentences of as many tokens share a batch."""
        if not sentences:
            return []
        text = encode_text(self._vocabulary, sentences, self._limit, self._device)
        lengths = text.mask.sum(1)
        order = lengths.argsort(descending=True, stable=True)
        found: dict[int, TokenStates] = {}
        for numbers in order.split(CHUNK):
            longest = int(lengths[numbers[0]])
            batch = Text(text.ids[numbers, :longest], text.mask[numbers, :longest])
            found.update(zip(numbers.tolist(), self._states(batch), strict=True))
        return [found[number] for number in range(len(sentences))]

    def _states(self, text: Text) -> list[TokenStates]:
        with torch.inference_mode():
            states = self._qformer.text(text).float().cpu().numpy()
        ids, mask = text.ids.cpu().numpy(), text.mask.cpu().numpy()
        return [
            TokenStates(row[kept].copy(), value[kept].copy(), ~np.isin(row[kept], self._outer))
            for row, value, kept in zip(ids, states, mask, strict=True)
        ]


class LowPrecisionEncoder:
    """Another encoder in bf16, which its name says."""

    def __init__(self, encoder: TokenEncoder, device: torch.device):
        self._encoder = encoder
        self._device = device

    @property
    def name(self) -> str:
        """The encoder's own name and the precision."""
        return f"{self._encoder.name}, {BF16}"

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        """As the encoder itself; the states are float32 again."""
        with in_precision(BF16, self._device):
            return self._encoder.encode(sentences)


class RememberingEncoder:
    """Encodes every sentence once, however often it is compared."""

    def __init__(self, load: Callable[[], TokenEncoder]):
        self._load = load
        self._encoder: TokenEncoder | None = None
        self._found: dict[str, TokenStates] = {}

    @property
    def name(self) -> str:
        """The encoder's own name."""
        return self._loaded().name

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        """As the encoder itself."""
        new = list(dict.fromkeys(text for text in sentences if text not in self._found))
        if new:
            self._found.update(zip(new, self._loaded().encode(new), strict=True))
        return [self._found[text] for text in sentences]

    def _loaded(self) -> TokenEncoder:
        if self._encoder is None:
            self._encoder = self._load()
        return self._encoder


def bertscore_setting(
    encoder: str | None, layer: int | None, preset: str | None
) -> tuple[str | None, int | None, BertScoreConfig]:
    """Encoder, layer and configuration that the options name.

    ``field`` is the field's setting: roberta-large, layer 17, idf, its published baseline. A folder
    may stand in for the hub's name, the layer is then still the field's. Raises ``ValueError`` for
    another preset or another layer with it, or a layer without an encoder.
    """
    if preset is None:
        if layer is not None and encoder is None:
            raise ValueError(f"layer {layer}: needs an encoder whose layer it is")
        return encoder, layer, BertScoreConfig()
    if preset != "field":
        raise ValueError(f"BERTScore preset {preset!r}: expected field")
    if layer not in (None, FIELD.layer):
        raise ValueError(f"layer {layer}: the preset field is layer {FIELD.layer}; expected one of them")
    return encoder or FIELD.model, FIELD.layer, FIELD.config


def load_bertscore_encoder(
    encoder: str | None,
    layer: int | None,
    bundle: Callable[[], Bundle],
    device: torch.device,
    precision: str = FP32,
) -> TokenEncoder:
    """The encoder of a folder or hub name; ``lamp`` is the bundle's; None the default.

    Raises ``ValueError`` when it cannot be loaded.
    """
    minilm = default_text_encoder() if encoder is None else None
    loaded: TokenEncoder
    if minilm is not None:
        loaded = bert_encoder(minilm, MINILM, device)
    elif encoder is None or encoder == "lamp":
        loaded = bundle_encoder(bundle())
    else:
        loaded = HuggingFaceEncoder(encoder, layer, str(device))
    return LowPrecisionEncoder(loaded, device) if precision == BF16 else loaded


def bundle_encoder(bundle: Bundle) -> TextTransformerEncoder:
    """The text transformer of a bundle."""
    config = bundle.lamp.config.qformer
    name = f"lamp:{bundle.config.name} text transformer, layer {config.layers}"
    return TextTransformerEncoder(
        bundle.lamp.qformer, bundle.vocabulary, config.text_tokens, name, bundle.device
    )


def bert_encoder(folder: Path, name: str, device: torch.device) -> TextTransformerEncoder:
    """A BERT-family folder (safetensors) in our own transformer: transformers is not needed.

    Raises ``ValueError`` when the folder is not a BERT's.
    """
    from safetensors.torch import load_file

    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    pieces = pieces_of_bert(folder)
    vocabulary = Vocabulary([*pieces, DECODER_TOKEN])
    layers = int(sizes["num_hidden_layers"])
    config = QFormerConfig(
        vocabulary=len(vocabulary),
        width=int(sizes["hidden_size"]),
        layers=layers,
        heads=int(sizes["num_attention_heads"]),
        feed_forward=int(sizes["intermediate_size"]),
        query_tokens=1,
        text_tokens=min(LONGEST, int(sizes["max_position_embeddings"])),
        context_width=1,
        # Its text side is BERT itself; nothing is attended to besides.
        cross_attention_every=layers,
        dropout=0.0,
    )
    network = QFormer(config)
    initialise_from_bert(network, load_file(folder / "model.safetensors"), range(len(pieces)))
    network.eval().requires_grad_(False).to(device)
    return TextTransformerEncoder(network, vocabulary, config.text_tokens, f"{name}, layer {layers}", device)
