"""What a timeline asks of a model: a motion whose parts begin and end when it says so.

A model does one sentence at a time: what overlaps is asked in one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ..bundle.bundle import Bundle
from ..data.timeline import Interval, single_track
from .generate import Prompt, frames_range, in_pieces

# Seconds; a shorter part is hardly seen.
SHORTEST_PART = 1.0


def prompt_of_timeline(bundle: Bundle, timeline: Sequence[Interval]) -> Prompt:
    """The prompt of a timeline (in order of time, from 0); its parts begin at the nearest whole tokens.

    Raises ``ValueError`` for a timeline that is shorter than the model's shortest motion.
    """
    step, fps = frames_range(bundle)[0], bundle.config.fps
    track = single_track(timeline, SHORTEST_PART)
    bounds = [step * round(piece.start * fps / step) for piece in track] + [round(track[-1].end * fps)]
    if bounds[-1] < step:
        least = f"{step / fps:g} s and more"
        raise ValueError(f"a timeline of {track[-1].end:g} s; this model makes motions of {least}")
    lengths = [end - start for start, end in pairwise(bounds)]
    first, *then = (Prompt(piece.text, length) for piece, length in zip(track, lengths, strict=True))
    return in_pieces(bundle, replace(first, then=tuple(then)))
