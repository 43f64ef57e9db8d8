"""A synthetic corpus: captioned motions from code alone, as many as asked, with what is true of each."""

from .actions import ACTIONS
from .clips import SyntheticClip, numbered_clip, synthetic_clip, synthetic_clip_of, synthetic_clips

__all__ = [
    "ACTIONS",
    "SyntheticClip",
    "numbered_clip",
    "synthetic_clip",
    "synthetic_clip_of",
    "synthetic_clips",
]
