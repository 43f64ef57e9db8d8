"""A mesh of triangles that moves: what is drawn in place of a body's own shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Surface:
    """One mesh over time.

    faces: vertices of triangles (F, 3), counter-clockwise from outside.
    colours: of vertices (V, 3), sRGB up to 1.
    frames: begins anew with the first frame's vertices (V, 3), metres, y up; each is made when asked for.
    """

    faces: np.ndarray
    colours: np.ndarray
    frames: Callable[[], Iterator[np.ndarray]]
