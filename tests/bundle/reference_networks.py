"""The published networks written once more, in plain torch and by the names of their files.

Nothing of ours is shared: convolutions and post-norm layers are ``torch.nn``'s, and the Q-Former is a loop
over its tensors.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.bundle.released_files import State

HEAD_WIDTH = 64


class Residual(nn.Module):
    """ReLU, dilated convolution, ReLU, pointwise convolution, added."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, 1, dilation, dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, T) -> (B, W, T)."""
        return x + self.conv2(torch.relu(self.conv1(torch.relu(x))))


class Blocks(nn.Module):
    """Three residual blocks of dilations 9, 3 and 1."""

    def __init__(self, width: int):
        super().__init__()
        self.model = nn.Sequential(*(Residual(width, dilation) for dilation in (9, 3, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, T) -> (B, W, T)."""
        return self.model(x)


def part_of(state: State, prefix: str) -> State:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def reference_encoder(state: State, prefix: str) -> nn.Module:
    """Features (B, C, T) to latents (B, D, T / 4)."""
    weights = part_of(state, prefix)
    width, features, _ = weights["model.0.weight"].shape
    down = [nn.Sequential(nn.Conv1d(width, width, 4, 2, 1), Blocks(width)) for _ in range(2)]
    last = nn.Conv1d(width, width, 3, 1, 1)
    return _filled(nn.Sequential(nn.Conv1d(features, width, 3, 1, 1), nn.ReLU(), *down, last), weights)


def reference_decoder(state: State, prefix: str) -> nn.Module:
    """Latents (B, D, L) to features (B, C, 4L)."""
    weights = part_of(state, prefix)
    width, features = weights["model.0.weight"].shape[0], weights["model.6.weight"].shape[0]
    up = [
        nn.Sequential(Blocks(width), nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 3, 1, 1))
        for _ in range(2)
    ]
    ends = [nn.Conv1d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv1d(width, features, 3, 1, 1)]
    return _filled(nn.Sequential(nn.Conv1d(width, width, 3, 1, 1), nn.ReLU(), *up, *ends), weights)


def _filled(network: nn.Module, weights: State) -> nn.Module:
    network.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    return network.eval().requires_grad_(False)


def reference_qformer(
    state: State,
    queries: int,
    x: Tensor,
    mask: Tensor,
    context: Tensor | None = None,
    context_mask: Tensor | None = None,
) -> Tensor:
    """BERT with BLIP-2's additions on ``x`` (B, S, W), the queries first.

    Masks are True where one may attend: ``mask`` (B, S, S), and ``context_mask`` (B, K) of ``context``.
    """
    x = _norm(state, "Qformer.bert.embeddings.LayerNorm", x)
    number = 0
    while (layer := f"Qformer.bert.encoder.layer.{number}.") + "output.dense.weight" in state:
        x = _attention(state, f"{layer}attention.", x, x, mask)
        q, text = x[:, :queries], x[:, queries:]
        if f"{layer}crossattention.self.key.weight" in state and context is not None:
            assert context_mask is not None
            allowed = context_mask[:, None].expand(-1, queries, -1)
            q = _attention(state, f"{layer}crossattention.", q, context, allowed)
        parts = [_feed(state, layer, "_query", q)] if queries else []
        x = torch.cat([*parts, _feed(state, layer, "", text)], 1)
        number += 1
    return x


def reference_words(state: State, ids: Tensor) -> Tensor:
    """Word and position embeddings (B, T, W) before their norm."""
    name = "Qformer.bert.embeddings.{}_embeddings.weight"
    return state[name.format("word")][ids] + state[name.format("position")][: ids.shape[1]]


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-12)


def _attention(state: State, name: str, x: Tensor, context: Tensor, mask: Tensor) -> Tensor:
    q, k, v = (
        _linear(state, f"{name}self.{part}", given).unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2)
        for part, given in (("query", x), ("key", context), ("value", context))
    )
    scores = (q @ k.mT / HEAD_WIDTH**0.5).masked_fill(~mask[:, None], -torch.inf)
    attended = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    return _norm(state, f"{name}output.LayerNorm", x + _linear(state, f"{name}output.dense", attended))


def _feed(state: State, layer: str, kind: str, x: Tensor) -> Tensor:
    hidden = F.gelu(_linear(state, f"{layer}intermediate{kind}.dense", x))
    fed = _linear(state, f"{layer}output{kind}.dense", hidden)
    return _norm(state, f"{layer}output{kind}.LayerNorm", x + fed)


def reference_word_logits(state: State, outputs: Tensor) -> Tensor:
    """Logits over the vocabulary (B, T, V) of text outputs (B, T, W)."""
    head = "Qformer.cls.predictions."
    hidden = F.gelu(_linear(state, f"{head}transform.dense", outputs))
    return _linear(state, f"{head}decoder", _norm(state, f"{head}transform.LayerNorm", hidden))


def reference_generator(state: State, codes: Tensor, condition: Tensor) -> Tensor:
    """Logits (B, N, codes) of codes (B, N), some [MASK], after a condition's vector (B, W).

    Attention's mask is an additive one of 0 and 1, as the authors pass it to torch.
    """
    width = state["cond_emb.weight"].shape[0]
    feed = state["seqTransEncoder.layers.0.linear1.weight"].shape[0]
    layer = nn.TransformerEncoderLayer(width, width // HEAD_WIDTH, feed, activation="gelu")
    layers = sum(name.endswith("linear1.weight") for name in state)
    encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False).eval()
    encoder.load_state_dict(part_of(state, "seqTransEncoder."))
    x = _linear(state, "input_process.poseEmbedding", state["token_emb.weight"][codes]).transpose(0, 1)
    x = torch.cat([_linear(state, "cond_emb", condition)[None], x + state["position_enc.pe"][: len(x)]])
    output = encoder(x, mask=torch.ones(len(x), len(x)).tril())[1:].transpose(0, 1)
    hidden = _norm(state, "output_process.LayerNorm", F.gelu(_linear(state, "output_process.dense", output)))
    return _linear(state, "output_process.poseFinal", hidden)
