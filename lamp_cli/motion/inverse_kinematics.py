"""Two bones that reach a goal: knees and elbows. Knows vectors, no skeleton."""

from __future__ import annotations

import numpy as np


def two_bones(
    start: np.ndarray, goal: np.ndarray, pole: np.ndarray, first: float, second: float, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end joints (T, 3) of two bones from ``start`` towards ``goal``, bent towards ``pole``.

    The end is the goal where it lies within reach, else the nearest point in its direction. ``least``
    (metres) is the shortest distance from start to end that the middle joint allows.
    """
    axis = goal - start
    distance = np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
    axis = axis / distance
    reach = np.clip(distance, max(least, abs(first - second) + 1e-4), (first + second) * 0.9995)
    side = pole - np.sum(pole * axis, -1, keepdims=True) * axis
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    along = (first**2 + reach**2 - second**2) / (2 * reach)
    away = np.sqrt(np.maximum(first**2 - along**2, 0.0))
    return start + axis * along + side * away, start + axis * reach
