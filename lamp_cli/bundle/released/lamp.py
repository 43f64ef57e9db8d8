"""The authors' LaMP checkpoints (``h3d-qformer.tar``, ``kit-qformer.tar``) by the names of their tensors.

A BERT of transformers 4 with BLIP-2's additions, the heads of the four objectives, and copies of the
tokenizer. A head of attention has 64 numbers in every BERT that fits. Knows names and shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...model.bert import BERT_PARTS, WORDS
from ...model.lamp import LampConfig
from ...model.qformer import Layer, QFormer, QFormerConfig
from ...model.released import ReleasedLamp, ReleasedTokenizer
from ...model.tokenizer import MotionTokenizer
from .state_dict import StateDict
from .tokenizer import encoder_names, of_weights_and_biases, state_dict_of

HEAD_WIDTH = 64
_BERT = "Qformer.bert."
_WORD_HEAD = "Qformer.cls.predictions."
# What a Q-Former has besides BERT.
_QUERY_PARTS = {
    "query_feed.up": "intermediate_query.dense",
    "query_feed.down": "output_query.dense",
    "query_feed.norm": "output_query.LayerNorm",
}
_CROSS_PARTS = {
    "cross.query": "crossattention.self.query",
    "cross.key": "crossattention.self.key",
    "cross.value": "crossattention.self.value",
    "cross.output": "crossattention.output.dense",
    "cross.norm": "crossattention.output.LayerNorm",
}
_HEADS = {
    "motion_projection": "motion_proj",
    "text_projection": "text_proj",
    "matching_head": "itm_head",
    "word_transform.0": f"{_WORD_HEAD}transform.dense",
    "word_transform.2": f"{_WORD_HEAD}transform.LayerNorm",
}


@dataclass(frozen=True)
class ReleasedLampWeights:
    """Published LaMP weights as our networks.

    lamp: LaMP.
    tokenizer: the tokenizer it was read for, with LaMP's own encoder beside it.
    unused: parts that no network of ours needs.
    """

    lamp: ReleasedLamp
    tokenizer: ReleasedTokenizer
    unused: list[str]


def read_released_lamp(path: Path, tokenizer: MotionTokenizer, decoder_token: int) -> ReleasedLampWeights:
    """LaMP as the authors trained it on ``tokenizer``; ``decoder_token`` is the id of [DEC].

    Raises ``ValueError`` naming what is missing, of another shape or without a place in ours.
    """
    state = state_dict_of(path, ("motion_qformer",), "--lamp")
    codes, sizes = state.shape("motion_cls.weight", 2)[0], tokenizer.config
    if codes != sizes.codes:
        raise ValueError(f"{path}: names {codes} codes; the tokenizer has {sizes.codes}")
    embedding_width = state.shape("text_proj.weight", 2)[0]
    config = LampConfig(qformer=qformer_sizes(state), codes=codes, embedding_width=embedding_width)
    lamp, released = ReleasedLamp(config, decoder_token, sizes.code_width), ReleasedTokenizer(sizes)
    fill_qformer(state, lamp.qformer)
    state.fill(lamp, of_weights_and_biases(_HEADS))
    _fill_other_heads(state, lamp)
    released.load_state_dict(tokenizer.state_dict(), strict=False)
    state.fill(released.lamp_encoder, encoder_names(sizes, "motion_encoder.model."))
    state.require_whole(["Qformer.", "motion_encoder."])
    unused = state.unused_parts()
    codebook = state.tensors.get("vq_model.vqvae.quantizer.codebook")
    if codebook is not None and not torch.equal(codebook.float(), tokenizer.codebook.vectors):
        unused.append("its tokenizer, which is another than the one given")
    for network in (lamp, released):
        network.eval().requires_grad_(False)
    return ReleasedLampWeights(lamp, released, unused)


@torch.no_grad()
def _fill_other_heads(state: StateDict, lamp: ReleasedLamp) -> None:
    """What the release keeps in another way: matrices on the right, a scale instead of a temperature."""
    qformer = lamp.config.qformer
    width, context = qformer.width, qformer.context_width
    lamp.latent_projection.copy_(state.take("motion_projection", lamp.latent_projection.shape))
    lamp.text_context.weight.copy_(state.take("text_projection", (width, context)).T)
    lamp.text_context.bias.zero_()
    assert lamp.code_head is not None
    lamp.code_head.weight.copy_(state.take("motion_cls.weight", lamp.code_head.weight.shape))
    lamp.code_head.bias.zero_()
    scale = state.take("temp", ())
    if scale <= 0:
        raise ValueError(f"{state.path}: temp is {float(scale):g}; expected a scale above 0")
    # The release multiplies by what ours divides by.
    lamp.log_temperature.copy_(-scale.log())
    lamp.word_bias.copy_(_word_bias(state, qformer.vocabulary))
    words = state.take(f"{_WORD_HEAD}decoder.weight", (qformer.vocabulary, width))
    if not torch.equal(words, lamp.qformer.words.weight):
        raise ValueError(f"{state.path}: predicts words by other vectors than it reads them by")


def _word_bias(state: StateDict, vocabulary: int) -> Tensor:
    """Of the word head; another, shorter one is left from before [DEC] was added to the vocabulary."""
    short, used = f"{_WORD_HEAD}bias", f"{_WORD_HEAD}decoder.bias"
    state.taken.add(short)
    return state.take(used if used in state.tensors else short, (vocabulary,))


def qformer_sizes(state: StateDict, text_tokens: int = 32) -> QFormerConfig:
    """As the weights have them; raises ``ValueError`` when one that tells them is missing."""
    vocabulary, width = state.shape(f"{_BERT}embeddings.word_embeddings.weight", 2)
    layers = state.count(f"{_BERT}encoder.layer.{{}}.output.dense.weight")
    crossing = [
        layer
        for layer in range(layers)
        if f"{_BERT}encoder.layer.{layer}.crossattention.self.key.weight" in state.tensors
    ]
    key = f"{_BERT}encoder.layer.0.crossattention.self.key.weight"
    return QFormerConfig(
        vocabulary=vocabulary,
        width=width,
        layers=layers,
        heads=count_heads(state, width),
        feed_forward=state.shape(f"{_BERT}encoder.layer.0.intermediate.dense.weight", 2)[0],
        query_tokens=state.shape("query_tokens", 3)[1],
        text_tokens=text_tokens,
        context_width=state.shape(key, 2)[1],
        cross_attention_every=crossing[1] if len(crossing) > 1 else max(layers, 1),
    )


def count_heads(state: StateDict, width: int) -> int:
    """Attention's heads in a layer; raises ``ValueError`` for a width that is none of whole heads."""
    if width % HEAD_WIDTH:
        raise ValueError(f"{state.path}: its width is {width}; expected a multiple of {HEAD_WIDTH}")
    return width // HEAD_WIDTH


def fill_qformer(state: StateDict, qformer: QFormer) -> None:
    """Give a Q-Former, or its motion side alone, the weights of BLIP-2's.

    Raises ``ValueError`` as :meth:`StateDict.fill`.
    """
    norm = f"{_BERT}embeddings.LayerNorm"
    modules = {"text_norm": norm, "query_norm": norm}
    for number, layer in enumerate(qformer.layers):
        assert isinstance(layer, Layer)
        parts = BERT_PARTS | _QUERY_PARTS | (_CROSS_PARTS if layer.cross is not None else {})
        modules |= {
            f"layers.{number}.{ours}": f"{_BERT}encoder.layer.{number}.{theirs}"
            for ours, theirs in parts.items()
        }
    names = of_weights_and_biases(modules)
    names |= {"queries": "query_tokens", "words.weight": f"{_BERT}{WORDS}"}
    own = qformer.state_dict()
    state.fill(qformer, {ours: theirs for ours, theirs in names.items() if ours in own})
    if "positions.weight" in own:
        _fill_positions(state, qformer)


@torch.no_grad()
def _fill_positions(state: StateDict, qformer: QFormer) -> None:
    """The first of BERT's positions; the release has no segments."""
    name = f"{_BERT}embeddings.position_embeddings.weight"
    rows, width = state.shape(name, 2)
    wanted = qformer.config.text_tokens
    if rows < wanted:
        raise ValueError(f"{state.path}: {name} has {rows} positions; expected at least {wanted}")
    qformer.positions.weight.copy_(state.take(name, (rows, width))[:wanted])
    # A list of numbers that transformers 4 kept among the weights.
    state.taken.add(f"{_BERT}embeddings.position_ids")
