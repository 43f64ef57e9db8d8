"""Exact search: the similarity of a query with every indexed window, as chunked matrix products.

A window has one embedding per query token. Embeddings stay in float16 on disk, memory-mapped; a chunk at
a time becomes float32, so memory does not grow with the library. Knows no files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Of 49 query tokens of width 256 a chunk is 3 MB in float32: it stays in the processor's cache.
CHUNK_WINDOWS = 64


@dataclass(frozen=True)
class Block:
    """Embeddings (W, N, E) float16 of which ``rows`` (R,) are searched, in that order."""

    embeddings: np.ndarray
    rows: np.ndarray


def text_similarities(blocks: Sequence[Block], sentence: np.ndarray) -> np.ndarray:
    """Cosine (R,) of a sentence's unit vector (E,) with every searched window, by the best query token."""
    vector = torch.from_numpy(sentence.astype(np.float32))
    return _similarities(blocks, lambda windows: (windows @ vector).amax(1))


def motion_similarities(blocks: Sequence[Block], motions: np.ndarray) -> np.ndarray:
    """Similarity (R,) of a motion's windows (Q, N, E) with every searched window; the best of them counts.

    The mean over query tokens of the cosine of the same token: the tokens are learned and ordered, so one
    token of two motions is comparable.
    """
    count, tokens = motions.shape[:2]
    queries = torch.from_numpy(motions.astype(np.float32)).reshape(count, -1) / tokens
    return _similarities(blocks, lambda windows: (windows.flatten(1) @ queries.T).amax(1))


@torch.no_grad()
def _similarities(blocks: Sequence[Block], similarity: Callable[[Tensor], Tensor]) -> np.ndarray:
    scores = [np.zeros(0, np.float32)]
    for block in blocks:
        stored = torch.from_numpy(block.embeddings)
        parts = [similarity(part.float()) for part in stored.split(CHUNK_WINDOWS)] if len(stored) else []
        if parts:
            scores.append(torch.cat(parts).numpy()[block.rows])
    return np.concatenate(scores)
