"""Published motion tokenizers: those of LaMP, T2M-GPT and MoMask, by the names of their tensors.

All three are one network (Zhang et al. 2023). LaMP and T2M-GPT have one codebook; MoMask has several, each
for what the ones before it left over. Convolutions say how
wide and deep they are, but not how they are dilated nor what comes between them: that is the published
code's (3 to the power of the block, ReLU). Knows names and shapes; trains and draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...model.tokenizer import MotionTokenizer, TokenizerConfig
from ...motion.skeleton import Skeleton, skeleton_of_features
from .state_dict import StateDict, read_checkpoint

# Where a file keeps its state dict -> what it is.
KINDS = {
    "vq_model": "a motion tokenizer",
    "net": "a motion tokenizer",
    "motion_qformer": "LaMP",
    "t2m_transformer": "a generator",
    "res_transformer": "MoMask's residual transformer",
    "estimator": "MoMask's length estimator",
    "trans": "a captioner or T2M-GPT's generator",
    "text_encoder": "the evaluator of Guo et al.",
}
_LAYER = "quantizer.layers."


@dataclass(frozen=True)
class ReleasedTokenizerWeights:
    """A published tokenizer as one of ours.

    network: the tokenizer.
    skeleton: of the motions it reads, by the count of their features.
    residual: whether its codebooks are those of a residual quantiser.
    further_codebooks: those of a residual quantiser that are left out.
    """

    network: MotionTokenizer
    skeleton: Skeleton
    residual: bool
    further_codebooks: int


def state_dict_of(path: Path, kinds: tuple[str, ...], option: str) -> StateDict:
    """The state dict in a published file that is one of ``kinds``, keys of ``KINDS``.

    Raises ``ValueError`` as :func:`read_checkpoint`, or naming what the file is instead.
    """
    found = read_checkpoint(path)
    for kind in kinds:
        if isinstance(found.get(kind), dict):
            return StateDict(path, found[kind])
    expected = f"{KINDS[kinds[0]]}, a dictionary with {' or '.join(kinds)}"
    raise ValueError(f"{option} {path}: expected {expected}, found {_what_it_is(found)}")


def _what_it_is(found: Mapping[str, Any]) -> str:
    for kind, what in KINDS.items():
        if kind in found:
            return f"{what} ({kind})"
    keys = ", ".join(sorted(map(str, found))[:3])
    return f"a dictionary of {keys}" if keys else "an empty dictionary"


def read_released_tokenizer(path: Path, base_layer: bool = False) -> ReleasedTokenizerWeights:
    """The tokenizer in a file of LaMP, T2M-GPT or MoMask, or the one within LaMP's own checkpoint.

    Of a residual quantiser the ``base_layer`` alone is taken where the networks beside it read one codebook.
    Raises ``ValueError`` naming what is missing, of another shape or without a place in ours.
    """
    state = state_dict_of(path, ("vq_model", "net", "motion_qformer"), "--tokenizer")
    prefix = next(
        (p for p in ("vq_model.vqvae.", "vqvae.") if f"{p}encoder.model.0.weight" in state.tensors), ""
    )
    residual = f"{prefix}{_LAYER}0.codebook" in state.tensors
    count = state.count(f"{prefix}{_LAYER}{{}}.codebook") if residual else 1
    layers = [f"{prefix}{_LAYER}{n}.codebook" for n in range(count)]
    codebooks = layers if residual else [f"{prefix}quantizer.codebook"]
    taken = codebooks[:1] if base_layer else codebooks
    config, skeleton = _sizes(state, prefix, taken)
    network = MotionTokenizer(config)
    state.fill(network.encoder, encoder_names(config, f"{prefix}encoder.model."))
    state.fill(network.decoder, _decoder_names(config, f"{prefix}decoder.model."))
    _fill_codebooks(network, [state.take(name, (config.codes, config.code_width)) for name in taken])
    further = codebooks[len(taken) :]
    state.taken.update(further)
    state.require_whole([f"{prefix}{part}." for part in ("encoder", "decoder", "quantizer")])
    return ReleasedTokenizerWeights(network.eval().requires_grad_(False), skeleton, residual, len(further))


def _sizes(state: StateDict, prefix: str, codebooks: Sequence[str]) -> tuple[TokenizerConfig, Skeleton]:
    """As the weights have them."""
    width, features, _ = state.shape(f"{prefix}encoder.model.0.weight", 3)
    skeleton = skeleton_of_features(features)
    if skeleton is None:
        raise ValueError(f"{state.path}: reads {features} features per frame; expected 263 or 251")
    stages = state.count(f"{prefix}encoder.model.{{}}.0.weight", first=2)
    blocks = state.count(f"{prefix}encoder.model.2.1.model.{{}}.conv1.weight")
    codes, code_width = state.shape(codebooks[0], 2)
    config = TokenizerConfig(
        features=features,
        joints=skeleton.joints,
        width=width,
        codes=codes,
        code_width=code_width,
        stages=stages,
        residual_blocks=blocks,
        mirrored_dilations=False,
        quantizers=len(codebooks),
    )
    return config, skeleton


def encoder_names(config: TokenizerConfig, prefix: str) -> dict[str, str]:
    """The published name of each of our encoder's tensors."""
    modules = {"first": "0", "last": f"{2 + config.stages}"}
    for stage in range(config.stages):
        modules[f"down.{stage}"] = f"{2 + stage}.0"
        modules |= _block_names(config, stage, f"{2 + stage}.1")
    return of_weights_and_biases(modules, prefix)


def _decoder_names(config: TokenizerConfig, prefix: str) -> dict[str, str]:
    modules = {"first": "0", "refine": f"{2 + config.stages}", "last": f"{4 + config.stages}"}
    for stage in range(config.stages):
        modules[f"up.{stage}"] = f"{2 + stage}.2"
        modules |= _block_names(config, stage, f"{2 + stage}.0")
    return of_weights_and_biases(modules, prefix)


def _block_names(config: TokenizerConfig, stage: int, theirs: str) -> dict[str, str]:
    parts = {"dilated": "conv1", "pointwise": "conv2"}
    return {
        f"blocks.{stage}.{block}.{ours}": f"{theirs}.model.{block}.{their}"
        for block in range(config.residual_blocks)
        for ours, their in parts.items()
    }


def of_weights_and_biases(modules: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """The published names of our modules' weights and biases, by those of the modules themselves."""
    return {
        f"{ours}.{kind}": f"{prefix}{theirs}.{kind}"
        for ours, theirs in modules.items()
        for kind in ("weight", "bias")
    }


def _fill_codebooks(network: MotionTokenizer, codebooks: Sequence[Tensor]) -> None:
    """Codes that have been learned; how often they were chosen is not published."""
    vectors = torch.cat([*codebooks])
    with torch.no_grad():
        network.codebook.vectors.copy_(vectors)
        network.codebook.sums.copy_(vectors)
        network.codebook.started.fill_(True)
