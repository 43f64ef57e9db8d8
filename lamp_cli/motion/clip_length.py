"""How long clips are: the frames of one token, and the longest clip of the field (Guo et al., CVPR 2022)."""

from __future__ import annotations

FRAMES_PER_TOKEN = 4
LONGEST_CLIP = 196
LONGEST_CLIP_TOKENS = LONGEST_CLIP // FRAMES_PER_TOKEN


def whole_tokens(frames: int, frames_per_token: int = FRAMES_PER_TOKEN) -> int:
    """The largest multiple of a token within ``frames``, at most the longest clip."""
    return min(frames, LONGEST_CLIP) // frames_per_token * frames_per_token
