"""Start the Q-Former's text side from a pretrained BERT-family encoder.

Source: BLIP-2 and LaMP section 3: self-attention, text feed-forwards and embeddings are the encoder's,
the query feed-forwards begin as copies of the text ones, cross-attention begins at random.
Works on tensors by name; knows no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .qformer import Layer, QFormer

# Our module -> the name in BERT's layers.
_PARTS = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention.norm": "attention.output.LayerNorm",
    "text_feed.up": "intermediate.dense",
    "text_feed.down": "output.dense",
    "text_feed.norm": "output.LayerNorm",
}


@torch.no_grad()
def initialise_from_bert(qformer: QFormer, weights: Mapping[str, Tensor], kept: Sequence[int]) -> None:
    """Copy a BERT encoder's ``weights`` into ``qformer``; the first layers when it has more.

    ``kept`` are the ids of BERT's vocabulary that ours holds, in our order; tokens of ours beyond
    them begin at random. Raises ``ValueError`` when the sizes differ.
    """
    weights = {name.removeprefix("bert."): value for name, value in weights.items()}
    config = qformer.config
    words = _weight(weights, "embeddings.word_embeddings.weight")
    if words.shape[1] != config.width:
        raise ValueError(f"the text encoder's width is {words.shape[1]}, the model's is {config.width}")
    if f"encoder.layer.{config.layers - 1}.output.dense.weight" not in weights:
        raise ValueError(f"the text encoder has fewer than {config.layers} layers, which the model needs")
    qformer.words.weight[: len(kept)] = words[list(kept)].float()
    begin = words[list(kept)].float().norm(dim=1).mean() / config.width**0.5
    qformer.words.weight[len(kept) :].normal_(std=float(begin))
    positions = _weight(weights, "embeddings.position_embeddings.weight")[: config.text_tokens]
    # Every token of ours is of BERT's first segment.
    segment = _weight(weights, "embeddings.token_type_embeddings.weight")[0]
    qformer.positions.weight.copy_(positions + segment)
    for norm in (qformer.text_norm, qformer.query_norm):
        norm.weight.copy_(_weight(weights, "embeddings.LayerNorm.weight"))
        norm.bias.copy_(_weight(weights, "embeddings.LayerNorm.bias"))
    for number, layer in enumerate(qformer.layers):
        assert isinstance(layer, Layer)
        _initialise_layer(layer, weights, f"encoder.layer.{number}.")


def _initialise_layer(layer: Layer, weights: Mapping[str, Tensor], prefix: str) -> None:
    for ours, theirs in _PARTS.items():
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
