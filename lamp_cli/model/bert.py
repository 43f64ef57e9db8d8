"""Start the Q-Former's text side from a pretrained BERT-family encoder.

Source: BLIP-2 and LaMP section 3: self-attention, text feed-forwards and embeddings are the encoder's,
the query feed-forwards start as copies of the text ones, cross-attention is initialised at random; the
head that generates text is the encoder's own word-prediction head. Works on tensors by name; knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .lamp import Lamp
from .qformer import Layer, QFormer

# Our module -> the name in BERT's layers.
BERT_PARTS = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention.norm": "attention.output.LayerNorm",
    "text_feed.up": "intermediate.dense",
    "text_feed.down": "output.dense",
    "text_feed.norm": "output.LayerNorm",
}
WORDS = "embeddings.word_embeddings.weight"
_POSITIONS, _SEGMENTS = "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"

_HEAD = "cls.predictions."
WORD_BIAS = f"{_HEAD}bias"
# Lamp's module -> the name in BERT's word-prediction head.
_HEAD_PARTS = {
    "word_transform.0.weight": f"{_HEAD}transform.dense.weight",
    "word_transform.0.bias": f"{_HEAD}transform.dense.bias",
    "word_transform.2.weight": f"{_HEAD}transform.LayerNorm.weight",
    "word_transform.2.bias": f"{_HEAD}transform.LayerNorm.bias",
    "word_bias": WORD_BIAS,
}


def with_current_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A BERT checkpoint's tensors as ``transformers`` names an encoder's today.

    Files converted from BERT's first release, bert-base-uncased's among them, say ``gamma`` and ``beta`` of
    a norm's weight and bias; those of a model with a head begin with ``bert.``.
    """
    return {
        name.removeprefix("bert.")
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias"): value
        for name, value in weights.items()
    }


def layer_count(weights: Mapping[str, Tensor]) -> int:
    """How many layers a BERT encoder has."""
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layer.")}
    return len(layers)


def weights_by_bert_names(lamp: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text side of a Lamp's tensors under BERT's names, as the functions below read them."""
    qformer = {k.removeprefix("qformer."): v for k, v in lamp.items() if k.startswith("qformer.")}
    positions = qformer["positions.weight"]
    weights = {
        WORDS: qformer["words.weight"],
        _POSITIONS: positions,
        # Ours are the sum of position and segment.
        _SEGMENTS: torch.zeros_like(positions[:1]),
        "embeddings.LayerNorm.weight": qformer["text_norm.weight"],
        "embeddings.LayerNorm.bias": qformer["text_norm.bias"],
    }
    for number in range(len({name.split(".")[1] for name in qformer if name.startswith("layers.")})):
        for ours, theirs in BERT_PARTS.items():
            for kind in ("weight", "bias"):
                name = f"encoder.layer.{number}.{theirs}.{kind}"
                weights[name] = qformer[f"layers.{number}.{ours}.{kind}"]
    return weights | {theirs: lamp[ours] for ours, theirs in _HEAD_PARTS.items()}


@torch.no_grad()
def initialise_from_bert(qformer: QFormer, weights: Mapping[str, Tensor], kept: Sequence[int]) -> None:
    """Copy a BERT encoder's ``weights`` into ``qformer``; the first layers when it has more.

    ``kept`` are the ids of BERT's vocabulary that ours holds, in our order; tokens of ours beyond
    them are initialised at random. Raises ``ValueError`` when the sizes differ.
    """
    weights = with_current_names(weights)
    config = qformer.config
    words = _weight(weights, WORDS)
    if words.shape[1] != config.width:
        raise ValueError(f"the text encoder's width is {words.shape[1]}, the model's is {config.width}")
    if f"encoder.layer.{config.layers - 1}.output.dense.weight" not in weights:
        raise ValueError(f"the text encoder has fewer than {config.layers} layers, which the model needs")
    qformer.words.weight[: len(kept)] = words[list(kept)].float()
    deviation = words[list(kept)].float().norm(dim=1).mean() / config.width**0.5
    qformer.words.weight[len(kept) :].normal_(std=float(deviation))
    positions = _weight(weights, _POSITIONS)[: config.text_tokens].float()
    if len(positions) < config.text_tokens:
        raise ValueError(
            f"the text encoder reads {len(positions)} tokens of a sentence, the model {config.text_tokens}"
        )
    # Every token of ours is of BERT's first segment.
    segment = _weight(weights, _SEGMENTS)[0].float()
    qformer.positions.weight.copy_(positions + segment)
    for norm in (qformer.text_norm, qformer.query_norm):
        norm.weight.copy_(_weight(weights, "embeddings.LayerNorm.weight"))
        norm.bias.copy_(_weight(weights, "embeddings.LayerNorm.bias"))
    for number, layer in enumerate(qformer.layers):
        assert isinstance(layer, Layer)
        _initialise_layer(layer, weights, f"encoder.layer.{number}.")


def word_head_misfit(weights: Mapping[str, Tensor], width: int) -> str | None:
    """Why the word-prediction head of a model of this width cannot start from BERT's; None when it can."""
    missing = [name for name in _HEAD_PARTS.values() if name not in weights]
    if missing:
        return f"has no word-prediction head ({missing[0]} is missing)"
    dense = tuple(weights[_HEAD_PARTS["word_transform.0.weight"]].shape)
    return None if dense == (width, width) else f"has a word-prediction head of another size, {dense}"


@torch.no_grad()
def initialise_word_head(lamp: Lamp, weights: Mapping[str, Tensor], kept: Sequence[int]) -> None:
    """Copy BERT's word-prediction head into the one that generates text; ``kept`` as above.

    The output vectors are the word embeddings in both. ``word_head_misfit`` must be None.
    """
    for ours, theirs in _HEAD_PARTS.items():
        if ours != "word_bias":
            lamp.get_parameter(ours).copy_(weights[theirs])
    lamp.word_bias[: len(kept)] = weights[WORD_BIAS][list(kept)].float()


def _initialise_layer(layer: Layer, weights: Mapping[str, Tensor], prefix: str) -> None:
    for ours, theirs in BERT_PARTS.items():
        module = layer.get_submodule(ours)
        for kind in ("weight", "bias"):
            source = _weight(weights, f"{prefix}{theirs}.{kind}")
            target = getattr(module, kind)
            if source.shape != target.shape:
                raise ValueError(
                    f"the text encoder's {theirs} is {tuple(source.shape)}, the model's {tuple(target.shape)}"
                )
            target.copy_(source)
    layer.query_feed.load_state_dict(layer.text_feed.state_dict())


def _weight(weights: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in weights:
        raise ValueError(f"not a BERT-family encoder: {name} is missing")
    return weights[name]
