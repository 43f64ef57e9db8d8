"""Known codes: those of a motion that are given, wherever they stand, while the others are drawn.

A causal generator cannot see what comes after a gap. As in filling in the middle (Bavarian et al. 2022), what
is known is therefore told to it before the codes that are drawn, here beside the condition.
"""

from __future__ import annotations

import torch
from torch import Tensor

# In place of a code that is to be drawn.
UNKNOWN = -1

# How often a clip in training is told what, where it is told something.
_PATTERNS = {"before": 0.2, "after": 0.15, "both": 0.4, "keyframes": 0.15, "part": 0.1}
# Of keyframes, at most this share of a clip's tokens.
_MOST_KEYFRAMES = 0.3


def draw_known(
    lengths: Tensor,
    length: int,
    codebooks: int,
    share: float,
    draw: torch.Generator,
    parts: int | None = None,
) -> Tensor:
    """Which codes (B, N) of clips of ``lengths`` (B,) tokens, of at most ``length``, are known in training.

    N is ``length`` tokens of ``codebooks`` codes each. Of a ``share`` of the clips something is known: what
    comes before a span, what comes after it, both, single tokens (keyframes), or all codes of one of the
    ``parts`` of the body, which are as many as ``codebooks`` unless there are several quantizers.
    At least one code of each clip stays unknown. Drawn and returned on the CPU.
    """
    own = lengths.cpu()
    positions = torch.arange(length)
    pattern = torch.multinomial(
        torch.tensor(list(_PATTERNS.values())), len(own), replacement=True, generator=draw
    )
    is_pattern = {name: (pattern == number)[:, None] for number, name in enumerate(_PATTERNS)}
    ends = (torch.rand(len(own), 2, generator=draw) * own[:, None]).long().sort(1).values
    before, after = positions < ends[:, :1], positions > ends[:, 1:]
    keyframe_share = _MOST_KEYFRAMES * torch.rand(len(own), 1, generator=draw)
    keyframes = torch.rand(len(own), length, generator=draw) < keyframe_share
    span = before & (is_pattern["before"] | is_pattern["both"])
    span |= after & (is_pattern["after"] | is_pattern["both"])
    # A generator of one part has no other that could be known: it learns spans instead.
    parts = codebooks if parts is None else parts
    one_part = is_pattern["part"] & (parts > 1)
    span |= (before | after) & is_pattern["part"] & (parts == 1)
    tokens = span | (keyframes & is_pattern["keyframes"])
    part = torch.randint(parts, (len(own), 1, 1), generator=draw)
    known = tokens[..., None] | (one_part[..., None] & (torch.arange(codebooks) % parts == part))
    told = torch.rand(len(own), generator=draw) < share
    known = known & told[:, None, None] & (positions < own[:, None])[..., None]
    # One token, at least, is left to be drawn: it is one that keyframes may all have taken.
    left = (torch.rand(len(own), generator=draw) * own).long()
    known[torch.arange(len(own)), left] &= ~known.flatten(1).sum(1).eq(codebooks * own)[:, None]
    return known.flatten(1)


def know_all_but(spans: Tensor, lengths: Tensor, codebooks: int, known: Tensor) -> Tensor:
    """As ``known`` (B, N), but all codes beside a span that is not the whole clip are known, and none in it.

    ``spans`` (B, 2) in tokens, the second without; ``lengths`` (B,). Returned on the CPU, as ``known`` is.
    """
    spans, own = spans.cpu(), lengths.cpu()[:, None]
    positions = torch.arange(known.shape[1] // codebooks)
    beside = ((positions < spans[:, :1]) | (positions >= spans[:, 1:])) & (positions < own)
    return torch.where(spans[:, 1:] - spans[:, :1] < own, beside.repeat_interleave(codebooks, 1), known)
