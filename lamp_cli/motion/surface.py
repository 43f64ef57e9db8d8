"""A mesh of triangles that moves: what is drawn in place of a body's own shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Skin:
    """How joints carry a mesh: a vertex is the mean, by its shares, of where each of its joints takes it.

    rest: vertices (V, 3) in the rest pose, metres.
    carriers: joints of each vertex (V, 4).
    shares: of each of these (V, 4), sum 1.
    joints: places (K, 3) of the joints in the rest pose.
    turns: of the joints against the rest pose (T, K, 4), unit quaternions, w first.
    places: of the joints (T, K, 3).
    """

    rest: np.ndarray
    carriers: np.ndarray
    shares: np.ndarray
    joints: np.ndarray
    turns: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Surface:
    """One mesh over time.

    faces: vertices of triangles (F, 3), counter-clockwise from outside.
    colours: of vertices (V, 3), sRGB up to 1.
    frames: begins anew with the first frame's vertices (V, 3), metres, y up; each is made when asked for.
    skin: makes nearly the same vertices, without what poses change of a body's shape.
    """

    faces: np.ndarray
    colours: np.ndarray
    frames: Callable[[], Iterator[np.ndarray]]
    skin: Skin
