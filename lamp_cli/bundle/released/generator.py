"""The authors' generator checkpoint (``t2m.tar``) by the names of its tensors.

torch's post-norm ``TransformerEncoder`` over code vectors that are embedded in two steps, with a copy of
LaMP's Q-Former for the condition. A head of attention has 64 numbers. Knows names and shapes.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ...model.generator import GeneratorConfig
from ...model.qformer import QFormerConfig
from ...model.released import ReleasedGenerator, ReleasedTextToMotion
from ...motion.clip_length import LONGEST_CLIP_TOKENS
from ...motion.skeleton import KIT, Skeleton
from .lamp import count_heads, fill_qformer, qformer_sizes
from .state_dict import StateDict
from .tokenizer import of_weights_and_biases, state_dict_of

# Scale of classifier-free guidance in the release's commands of evaluation.
GUIDANCE, KIT_GUIDANCE = 4.0, 2.0
_LAYERS = "seqTransEncoder.layers."
_LAYER_PARTS = {
    "output": "self_attn.out_proj",
    "attention_norm": "norm1",
    "up": "linear1",
    "down": "linear2",
    "feed_norm": "norm2",
}
_MODULES = {
    "condition": "cond_emb",
    "head.0": "output_process.dense",
    "head.2": "output_process.LayerNorm",
    "head.3": "output_process.poseFinal",
}
_USED = ("seqTransEncoder.", "output_process.", "input_process.", "cond_emb.", "token_emb.", "Qformer.bert.")


def read_released_generator(
    path: Path, codes: int, qformer: QFormerConfig, skeleton: Skeleton
) -> tuple[ReleasedTextToMotion, list[str]]:
    """The generator and its condition, for a tokenizer of ``codes`` and a LaMP of the sizes ``qformer``.

    Beside it the parts of the file that no network of ours needs. Raises ``ValueError`` naming what is
    missing, of another shape or without a place in ours.
    """
    state = state_dict_of(path, ("t2m_transformer", "trans"), "--generator")
    # The vectors of [MASK] and of padding follow the codes'.
    rows, code_width = state.shape("token_emb.weight", 2)
    if rows != codes + 2:
        raise ValueError(f"{path}: names {rows - 2} codes; the tokenizer has {codes}")
    if qformer_sizes(state, qformer.text_tokens) != qformer:
        raise ValueError(f"{path}: its Q-Former is of other sizes than LaMP's")
    condition_width = state.shape("cond_emb.weight", 2)[1]
    if condition_width != qformer.width:
        raise ValueError(f"{path}: its condition has {condition_width} numbers, LaMP's {qformer.width}")
    network = ReleasedTextToMotion(qformer, _sizes(state, codes, skeleton))
    fill_qformer(state, network.condition.qformer)
    state.fill(network.condition.projection, {"weight": "text2former.weight", "bias": "text2former.bias"})
    state.fill(network.generator, _names(network.generator))
    _fill_embeddings(state, network.generator, code_width)
    state.require_whole(_USED)
    return network.eval().requires_grad_(False), state.unused_parts()


def _sizes(state: StateDict, codes: int, skeleton: Skeleton) -> GeneratorConfig:
    """As the weights have them."""
    width, condition_width = state.shape("cond_emb.weight", 2)
    return GeneratorConfig(
        codes=codes,
        condition_width=condition_width,
        width=width,
        layers=state.count(f"{_LAYERS}{{}}.linear1.weight"),
        heads=count_heads(state, width),
        feed_forward=state.shape(f"{_LAYERS}0.linear1.weight", 2)[0],
        # Positions attend to later ones too: see ``ReleasedBlock``.
        causal=False,
        guidance=KIT_GUIDANCE if skeleton is KIT else GUIDANCE,
    )


def _names(generator: ReleasedGenerator) -> dict[str, str]:
    modules, stacked = dict(_MODULES), {}
    for number in range(generator.config.layers):
        ours, theirs = f"blocks.{number}", f"{_LAYERS}{number}"
        modules |= {f"{ours}.{part}": f"{theirs}.{their}" for part, their in _LAYER_PARTS.items()}
        for kind in ("weight", "bias"):
            stacked[f"{ours}.query_key_value.{kind}"] = f"{theirs}.self_attn.in_proj_{kind}"
    return of_weights_and_biases(modules) | stacked


@torch.no_grad()
def _fill_embeddings(state: StateDict, generator: ReleasedGenerator, code_width: int) -> None:
    """One vector a code, of two steps in fp64; positions for all but the condition, which has none."""
    config = generator.config
    vectors = state.take("token_emb.weight", (config.codes + 2, code_width))[:-1].double()
    weight = state.take("input_process.poseEmbedding.weight", (config.width, code_width)).double()
    bias = state.take("input_process.poseEmbedding.bias", (config.width,)).double()
    generator.codes.weight.copy_(vectors @ weight.T + bias)
    rows = state.shape("position_enc.pe", 3)[0]
    if rows < LONGEST_CLIP_TOKENS:
        raise ValueError(f"{state.path}: has {rows} positions; expected at least {LONGEST_CLIP_TOKENS}")
    positions = state.take("position_enc.pe", (rows, 1, config.width))[: config.max_tokens, 0]
    generator.positions.zero_()
    generator.positions[0, 1:].copy_(positions)
