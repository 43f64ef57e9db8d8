"""MoMask's length estimator (``length_estimator/model/finest.tar``), which LaMP's release asks for lengths.

Four linear layers with norms between them, on the text feature of CLIP. Knows names and shapes.
"""

from __future__ import annotations

from pathlib import Path

from ...model.condition import SentenceEncoder
from ...model.length import LengthConfig
from ...model.released import ReleasedLengthEstimator
from ..sentence_encoder import load_length_encoder
from .tokenizer import of_weights_and_biases, state_dict_of

_MODULES = {
    **{f"layers.{number}": f"output.{4 * number}" for number in range(3)},
    **{f"norms.{number}": f"output.{4 * number + 1}" for number in range(3)},
    "output": "output.11",
}


def read_length_estimator(
    path: Path, clip: str, most: int
) -> tuple[ReleasedLengthEstimator, SentenceEncoder]:
    """The estimator of counts up to ``most`` tokens, and the CLIP of this folder or name, its reader.

    Raises ``ValueError`` naming what is missing, of another shape or without a place in ours, or a CLIP of
    another width.
    """
    state = state_dict_of(path, ("estimator",), "--length-estimator")
    width, text_width = state.shape("output.0.weight", 2)
    counts = state.shape("output.11.weight", 2)[0]
    if counts != most + 1:
        raise ValueError(f"{path}: tells {counts} counts of tokens apart; expected 0 to {most}")
    encoder = load_length_encoder(LengthConfig(encoder=clip))
    assert encoder is not None
    if encoder.width != text_width:
        found = f"its text feature has {encoder.width} numbers"
        raise ValueError(f"--clip {clip}: {found}; {path} reads {text_width}")
    config = LengthConfig(text_width, width, 1, most, encoder=clip, encoder_digest=encoder.digest)
    network = ReleasedLengthEstimator(config)
    state.fill(network, of_weights_and_biases(_MODULES))
    state.require_whole(("",))
    return network.eval().requires_grad_(False), encoder
