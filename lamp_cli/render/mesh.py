"""Triangle meshes on a picture: smooth shading, the nearest in front, edges smoothed by finer pixels."""

from __future__ import annotations

import numpy as np

from .camera import NEAREST
from .solids import shade

# Finer pixels in a pixel, along each side.
FINE = 2


def vertex_brightness(
    vertices: np.ndarray, faces: np.ndarray, axes: np.ndarray, light: np.ndarray
) -> np.ndarray:
    """Brightness (V,) of vertices (V, 3) of a smooth surface.

    axes: of the camera (3, 3), in rows.
    light: unit vector towards the light, along these axes.
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    # As long as twice the area: large triangles count more.
    sums = [
        np.bincount(faces.reshape(-1), np.repeat(across[:, k], 3), minlength=len(vertices)) for k in range(3)
    ]
    normals = np.stack(sums, axis=-1) @ axes.T
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return np.asarray(shade(normals @ light, np.clip(normals[:, 2], 0, 1)))


def draw_mesh(picture: np.ndarray, points: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
    """Paint a closed mesh over a picture (3, H, W) float32.

    points: pixel x, pixel y and depth of vertices (V, 3).
    faces: their triangles (F, 3), counter-clockwise from outside.
    colours: of the vertices (V, 3), on the picture's scale.
    """
    height, width = (FINE * n for n in picture.shape[1:])
    corners = (points * np.array([FINE, FINE, 1.0]))[faces]
    # Rows count downwards, so of what looks at the viewer they are below 0.
    shown = (_doubled_areas(corners) < -1e-6) & (corners[..., 2] > 2 * NEAREST).all(1)
    faces, corners = faces[shown], corners[shown]
    triangle, row, column = _pixels_within(corners, width, height)
    if not len(triangle):
        return
    top, left = row.min() // FINE * FINE, column.min() // FINE * FINE
    size = row.max() // FINE * FINE + FINE - top, column.max() // FINE * FINE + FINE - left
    planes = _planes(corners)
    depth = _at(planes @ corners[..., 2:], triangle, row, column)[:, 0].astype(np.float32)
    target = (row - top) * size[1] + column - left
    depths = np.full(size[0] * size[1], np.inf, np.float32)
    np.minimum.at(depths, target, depth)
    nearest = depth <= depths[target]
    triangle, row, column = triangle[nearest], row[nearest], column[nearest]
    painted = np.zeros((4, size[0] * size[1]), np.float32)
    painted[:3, target[nearest]] = _at(planes @ colours[faces], triangle, row, column).T
    painted[3, target[nearest]] = 1.0
    finer = painted.reshape(4, size[0] // FINE, FINE, size[1] // FINE, FINE).mean((2, 4))
    begin = top // FINE, left // FINE
    part = picture[:, begin[0] : begin[0] + finer.shape[1], begin[1] : begin[1] + finer.shape[2]]
    part *= 1 - finer[3]
    part += finer[:3]


def _doubled_areas(corners: np.ndarray) -> np.ndarray:
    """Twice the areas (F,) of triangles (F, 3, 3) in the picture, above 0 from x towards y."""
    (ax, ay), (bx, by), (cx, cy) = np.moveaxis(corners[..., :2], 0, -1)
    return np.asarray((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def _planes(corners: np.ndarray) -> np.ndarray:
    """Corners' shares as planes (F, 3, 3): each column's is row 0 times x, row 1 times y, and row 2."""
    (ax, ay), (bx, by), (cx, cy) = np.moveaxis(corners[..., :2], 0, -1)
    rows = [[by - cy, cy - ay, ay - by], [cx - bx, ax - cx, bx - ax]]
    rows.append([bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx])
    return np.moveaxis(np.array(rows), -1, 0) / _doubled_areas(corners)[:, None, None]


def _at(planes: np.ndarray, triangle: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The values (N, C) of triangles' planes (F, 3, C) at pixels' centres."""
    of = planes[triangle]
    return np.asarray(of[:, 0] * (column + 0.5)[:, None] + of[:, 1] * (row + 0.5)[:, None] + of[:, 2])


def _pixels_within(corners: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangle, row and column (N,) of every pixel whose centre lies in one of the triangles (F, 3, 3).

    Row by row, for on a row all pixels of a triangle lie between two of its sides.
    """
    low = np.clip(np.ceil(corners[..., 1].min(1) - 0.5), 0, height).astype(np.int64)
    high = np.clip(np.floor(corners[..., 1].max(1) - 0.5) + 1, 0, height).astype(np.int64)
    triangle, row = _counted_up(low, np.maximum(high - low, 0))
    y = row + 0.5
    left, right = np.full(len(row), -np.inf), np.full(len(row), np.inf)
    for k in range(3):
        (ax, ay), (bx, by) = (corners[:, (k + n) % 3, :2].T for n in range(2))
        down = by - ay
        slope = (bx - ax) / np.where(down == 0, 1.0, down)
        x = (ax - slope * ay)[triangle] + slope[triangle] * y
        # Counter-clockwise as seen: sides that go down bound on the left.
        left = np.where(down[triangle] > 0, np.maximum(left, x), left)
        right = np.where(down[triangle] < 0, np.minimum(right, x), right)
    first = np.clip(np.ceil(left - 0.5), 0, width).astype(np.int64)
    last = np.clip(np.floor(right - 0.5) + 1, 0, width).astype(np.int64)
    of, column = _counted_up(first, np.maximum(last - first, 0))
    return triangle[of], row[of], column


def _counted_up(first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ranges that begin at ``first`` (R,) and have so many numbers, the range and every number (N,)."""
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
