"""Checks that the metrics on embeddings share, and distances between them.

Knows arrays only.
"""

from __future__ import annotations

import numpy as np


def require_embeddings(embeddings: np.ndarray, name: str, dimensions: int = 2) -> np.ndarray:
    """``embeddings`` as float64; raises ``ValueError`` unless (N, D), N and D at least 1, and finite.

    With ``dimensions`` 3 the shape is (texts, samples, D).
    """
    array = np.asarray(embeddings)
    if array.ndim != dimensions or 0 in array.shape:
        wanted = "(N, D)" if dimensions == 2 else "(texts, samples, D)"
        raise ValueError(f"{name}: expected an array {wanted}, found shape {array.shape}")
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"{name}: expected real numbers, found {array.dtype}")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds NaN or infinite numbers")
    return array


def require_pairs(texts: np.ndarray, motions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64; raises ``ValueError`` unless row i of one can belong to row i of the other."""
    texts = require_embeddings(texts, "text embeddings")
    motions = require_embeddings(motions, "motion embeddings")
    if texts.shape != motions.shape:
        raise ValueError(f"expected a text for every motion, found {texts.shape} and {motions.shape}")
    return texts, motions


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (..., N, M) of rows (..., N, D) and (..., M, D); never negative."""
    squares = np.sum(first**2, -1)[..., :, None] + np.sum(second**2, -1)[..., None, :]
    return np.maximum(squares - 2.0 * first @ np.swapaxes(second, -1, -2), 0.0)
