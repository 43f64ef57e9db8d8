"""Shaded solids on a picture with depths: round cones and ellipsoids, pixel by pixel where they are.

Pictures are (3, H, W) float32 with values from 0 to 255; colours come first because NumPy is several times
faster over long rows. Depths (H, W) are metres from the camera. Points are pixel x, pixel y and depth. All
that is one number is Python's own: NumPy's are slower, and float64 ones make every row float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .camera import Camera

Box = tuple[slice, slice]
Point = Sequence[float]


@dataclass(frozen=True)
class Canvas:
    """What is drawn on.

    picture: colours (3, H, W).
    depths: of what is nearest (H, W), metres; infinite where nothing is.
    camera: that looks.
    light: unit vector (3,) towards the light, along the camera's axes.
    """

    picture: np.ndarray
    depths: np.ndarray
    camera: Camera
    light: Point


def segment(
    shape: tuple[int, ...], a: Point, b: Point, ra: float, rb: float, margin: float
) -> tuple[Box, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """For the pixels near the segment a-b: box, offsets x and y from its axis, share along it, radius."""
    reach = max(ra, rb) + margin
    box = _box(
        shape,
        (min(a[0], b[0]) - reach, max(a[0], b[0]) + reach),
        (min(a[1], b[1]) - reach, max(a[1], b[1]) + reach),
    )
    if box is None:
        return None
    x, y = _offsets(box, a)
    dx, dy = b[0] - a[0], b[1] - a[1]
    squared = max(dx * dx + dy * dy, 1e-6)
    along = clipped(x * (dx / squared) + y * (dy / squared))
    return box, x - along * dx, y - along * dy, along, ra + along * (rb - ra)


def clipped(values: np.ndarray) -> np.ndarray:
    """``values`` between 0 and 1, in place; several times faster than ``np.clip`` on small arrays."""
    np.maximum(values, 0, out=values)
    return np.minimum(values, 1, out=values)


def paint(part: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Blend a colour (3,) or picture (3, h, w) into a part (3, h, w) of the picture where it is covered."""
    part += cover * (colour.reshape(3, *(colour.shape[1:] or (1, 1))) - part)


def draw_cone(canvas: Canvas, a: Point, b: Point, radii: tuple[float, float], colour: np.ndarray) -> None:
    """Two spheres at points ``a`` and ``b``, radii in metres, and what lies between them."""
    focal, light = canvas.camera.focal, canvas.light
    found = segment(canvas.depths.shape, a, b, radii[0] * focal / a[2], radii[1] * focal / b[2], 1.0)
    if found is None:
        return
    box, x, y, along, radius = found
    # np.hypot guards against overflow and is several times slower.
    squared = x * x + y * y
    cover = radius - np.sqrt(squared)
    out = np.sqrt(np.maximum(1 - squared / (radius * radius), 0))
    depth = a[2] + along * (b[2] - a[2]) - out * radius * (a[2] / focal)
    lit = (x * light[0] - y * light[1]) / radius + out * light[2]
    _paint_solid(canvas, box, cover, depth, lit, out, colour)


def draw_ellipsoid(canvas: Canvas, centre: Point, surface: Sequence[Point], colour: np.ndarray) -> None:
    """An ellipsoid p Q p = 1 around a point, where ``surface`` is Q (3, 3) in metres along the camera's axes.

    Near its centre the camera's rays are taken as parallel. The normal at p is Q p.
    """
    scale = canvas.camera.focal / centre[2]
    # In pixels, which count downwards.
    (qxx, qxy, qxz), (_, qyy, qyz), (_, _, qzz) = [[q / (scale * scale) for q in row] for row in surface]
    qxy, qyz = -qxy, -qyz
    # Seen along z the outline is (x, y) E (x, y) = 1, and the surface at z = slope (x, y) + out / sqrt(qzz).
    exx, exy, eyy = qxx - qxz * qxz / qzz, qxy - qxz * qyz / qzz, qyy - qyz * qyz / qzz
    area = exx * eyy - exy * exy
    width, height = (eyy / area) ** 0.5 + 1, (exx / area) ** 0.5 + 1
    x_range = (centre[0] - width, centre[0] + width)
    box = _box(canvas.depths.shape, x_range, (centre[1] - height, centre[1] + height))
    if box is None:
        return
    x, y = _offsets(box, centre)
    across, down = exx * x + exy * y, exy * x + eyy * y
    inside = 1 - (x * across + y * down)
    cover = inside / (2 * np.sqrt(across * across + down * down) + np.float32(1e-6))
    out = np.sqrt(np.maximum(inside, 0))
    root = qzz**0.5
    depth = centre[2] - (-qxz / qzz * x - qyz / qzz * y + out / root) / scale
    # The normal: that of the outline, leaning towards the viewer.
    normal_x, normal_y, normal_z = across + (qxz / root) * out, down + (qyz / root) * out, root * out
    length = np.sqrt(normal_x * normal_x + normal_y * normal_y + normal_z * normal_z) + np.float32(1e-9)
    light = canvas.light
    lit = (normal_x * light[0] - normal_y * light[1] + normal_z * light[2]) / length
    _paint_solid(canvas, box, cover, depth, lit, normal_z / length, colour)


def _paint_solid(
    canvas: Canvas,
    box: Box,
    cover: np.ndarray,
    depth: np.ndarray,
    lit: np.ndarray,
    facing: np.ndarray,
    colour: np.ndarray,
) -> None:
    """Paint what is in front of what is there.

    ``cover`` is how far a pixel lies within the outline, in pixels; ``lit`` the cosine between surface and
    light, ``facing`` that between surface and viewer.
    """
    depths = canvas.depths[box]
    cover = np.where(depth < depths, clipped(cover + np.float32(0.5)), 0)
    canvas.depths[box] = np.where(cover > 0.5, depth, depths)
    paint(canvas.picture[:, box[0], box[1]], cover, colour[:, None, None] * shade(lit, facing))


def shade(lit: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """Brightness of a surface, of its cosines with light and viewer."""
    lit = np.maximum(lit, 0)
    gloss = np.square(np.square(np.square(lit)))
    return (0.62 + 0.40 * lit + 0.08 * gloss) * (0.75 + 0.25 * facing)


def _box(shape: tuple[int, ...], x: tuple[float, float], y: tuple[float, float]) -> Box | None:
    """The pixels of a picture between bounds; None for none."""
    rows = slice(max(int(y[0]), 0), min(int(y[1]) + 2, shape[0]))
    columns = slice(max(int(x[0]), 0), min(int(x[1]) + 2, shape[1]))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _offsets(box: Box, point: Point) -> tuple[np.ndarray, np.ndarray]:
    """How far pixels lie right of (1, w) and below (h, 1) a point."""
    y = (np.arange(box[0].start, box[0].stop, dtype=np.float32) + 0.5 - point[1])[:, None]
    x = (np.arange(box[1].start, box[1].stop, dtype=np.float32) + 0.5 - point[0])[None]
    return x, y
