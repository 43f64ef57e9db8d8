"""The authors' captioner checkpoint (``m2t.pth``) by the names of its tensors.

LaMP's motion side once more, trained on, a linear layer, and LoRA within an OPT, whose own weights come from
elsewhere. LoRA's scale stands in the authors' code, not in the file. Knows names and shapes.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ...data.vocabulary import Vocabulary
from ...model.captioner import Captioner, CaptionerConfig, LanguageModelConfig
from ...model.hugging_face import half_precision
from ...model.released import ReleasedLamp, ReleasedTokenizer
from ..language_model import build_captioner
from .lamp import fill_qformer, qformer_sizes
from .state_dict import StateDict, name_some
from .tokenizer import encoder_names, state_dict_of

ALPHA = 32
_LORA_A = ".lora_A.default.weight"
# What our wrapper of the language model adds to the names that ``peft`` gives.
_OURS, _THEIRS = "decoder.model.", "llm."


def read_released_captioner(
    path: Path, llm: str, lamp: ReleasedLamp, tokenizer: ReleasedTokenizer, vocabulary: Vocabulary
) -> tuple[Captioner, list[str]]:
    """The captioner on ``lamp``, and the parts of the file that no network of ours needs.

    ``llm`` is the folder or hub name of the OPT that it adapts.

    Raises ``ValueError`` naming what is missing, of another shape, or of another LaMP or language model.
    """
    state = state_dict_of(path, ("trans",), "--captioner")
    width = state.shape("opt_proj.weight", 2)[1]
    sizes = lamp.config.qformer
    if qformer_sizes(state, sizes.text_tokens) != sizes:
        raise ValueError(f"{path}: its Q-Former is of other sizes than LaMP's")
    _require_same_encoder(state, tokenizer)
    config = CaptionerConfig(
        width, language_model=_language_model(state, llm), learns_qformer=True, label_smoothing=0.0
    )
    half = half_precision(torch.device("cpu"))
    latent_width = tokenizer.config.code_width
    network = build_captioner(config, vocabulary, half, qformer=sizes, latent_width=latent_width)
    if network.decoder.width != state.shape("opt_proj.weight", 2)[0]:
        expected = state.shape("opt_proj.weight", 2)[0]
        raise ValueError(
            f"--llm {llm}: its width is {network.decoder.width}; {path} is for one of {expected}"
        )
    assert network.motion_transformer is not None
    fill_qformer(state, network.motion_transformer)
    names = {f"projection.{kind}": f"opt_proj.{kind}" for kind in ("weight", "bias")}
    state.fill(network, {"latent_projection": "motion_projection", **names})
    adapted = [name for name in network.state_dict() if name.startswith(_OURS)]
    state.fill(network, {name: _THEIRS + name.removeprefix(_OURS) for name in adapted})
    rest = [name for name in state.left_over([_THEIRS]) if ".lora_" in name]
    if rest:
        raise ValueError(f"{path}: adapts {name_some(rest)}, which {llm} does not have")
    return network.eval().requires_grad_(False), state.unused_parts()


def _language_model(state: StateDict, llm: str) -> LanguageModelConfig:
    """Which layers are adapted, and how, as the weights have it; a caption ends with its line."""
    first = [name for name in state.tensors if name.startswith(_THEIRS) and name.endswith(_LORA_A)]
    if not first:
        raise ValueError(f"{state.path}: lacks LoRA's tensors, {_THEIRS}...{_LORA_A}")
    targets = tuple(sorted({name.removesuffix(_LORA_A).split(".")[-1] for name in first}))
    rank = state.shape(first[0], 2)[0]
    return LanguageModelConfig(llm, "lora", targets=targets, rank=rank, alpha=ALPHA, end="\n")


def _require_same_encoder(state: StateDict, tokenizer: ReleasedTokenizer) -> None:
    own = tokenizer.lamp_encoder.state_dict()
    for ours, theirs in encoder_names(tokenizer.config, "motion_encoder.model.").items():
        if theirs in state.tensors and not torch.equal(state.take(theirs, own[ours].shape), own[ours]):
            raise ValueError(f"{state.path}: reads motions by another encoder than LaMP ({theirs} differs)")
