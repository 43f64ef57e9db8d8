"""Joints -> pictures: a tiled ground, the root's trail, a shadow, and a body of shaded solids.

NumPy alone. Every picture is a function of the joints; knows no files and no video formats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat

import numpy as np

from ..motion.body_shape import TONES, Ellipsoid, PosedBody, RoundCone, posed_body, posed_lines
from ..motion.skeleton import Skeleton
from ..motion.surface import Surface
from ..processes import memory_is_limited
from .camera import Camera, SceneOptions, camera_for, targets_of
from .mesh import draw_mesh, vertex_brightness
from .solids import Canvas, clipped, draw_cone, draw_ellipsoid, paint, segment


def _colour(red: float, green: float, blue: float) -> np.ndarray:
    # Drawn on the scale of bytes with the rounding half already in: pixels are only cut off.
    return 255 * np.array([red, green, blue], np.float32) + np.float32(0.5)


BACKGROUND = _colour(0.955, 0.96, 0.97)
LIGHT_TILE, DARK_TILE = _colour(0.895, 0.905, 0.93), _colour(0.795, 0.825, 0.86)
TILE = 0.5
TRAIL = _colour(0.17, 0.53, 0.43)
# The root's trail: a point for so many frames, of the last so many points.
TRAIL_STEP, TRAIL_POINTS = 5, 60
COLOURS = {tone: _colour(*colour) for tone, colour in TONES.items()}
LIGHT = np.array([-0.35, 0.8, 0.49], np.float32)


STYLES = ("body", "skeleton")
# Of the lines of a skeleton, metres.
LINE_RADIUS = 0.016
# Frames drawn at once: NumPy lets other threads run while it computes.
THREADS = 2


def pictures(
    joints: np.ndarray,
    skeleton: Skeleton,
    fps: float,
    options: SceneOptions,
    surface: Surface | None = None,
    numbers: Sequence[int] | None = None,
) -> Iterator[np.ndarray]:
    """RGB pictures (H, W, 3) uint8, one per frame of joints (T, J, 3) in metres, y up, at ``fps``.

    surface: what is drawn in place of the body around the joints.
    numbers: of the frames to draw, rising; all of them when not given.
    """
    targets = targets_of(joints)
    camera = camera_for(joints, targets, options)
    size = (options.width, options.height)
    floor = _Floor(camera, size, float(targets[0, 1]))
    frames = joints.astype(np.float32)
    body = drawn_body(joints, skeleton, fps, options.style)
    ends, surfaces = body.ends.astype(np.float32), _surfaces(camera.axes @ body.axes)
    shadow, radii = _shadow_of(body)
    light = ((LIGHT / np.linalg.norm(LIGHT)) @ camera.axes.T).tolist()

    def draw(number: int, vertices: np.ndarray | None) -> np.ndarray:
        target = targets[number]
        picture = floor.picture(target)
        _draw_trail(picture, camera.project(_trail(frames, number), target, size), camera)
        _shade_ground(picture, camera.project(shadow[number], target, size), radii, camera.focal)
        if surface is None or vertices is None:
            canvas = Canvas(picture, np.full(picture.shape[1:], np.inf, np.float32), camera, light)
            _draw_body(canvas, camera.project(ends[number], target, size), surfaces[number].tolist(), body)
        else:
            bright = vertex_brightness(vertices, surface.faces, camera.axes, np.array(light))
            colours = (255 * surface.colours * bright[:, None]).astype(np.float32)
            draw_mesh(picture, camera.project(vertices, target, size), surface.faces, colours)
        pixels = np.empty((*picture.shape[1:], 3), np.uint8)
        for channel, plane in enumerate(picture):
            pixels[..., channel] = plane
        return pixels

    chosen = range(len(frames)) if numbers is None else numbers
    meshes = (
        repeat(None)
        if surface is None
        else (vertices for number, vertices in enumerate(surface.frames()) if number in chosen)
    )
    if memory_is_limited():
        # Where a thread finds no memory, NumPy ends the process by a segmentation fault.
        yield from map(draw, chosen, meshes)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        # A few frames ahead and no more, so that memory does not grow with the length.
        waiting: deque[Future[np.ndarray]] = deque()
        for number, vertices in zip(chosen, meshes, strict=False):
            waiting.append(pool.submit(draw, number, vertices))
            if len(waiting) > 2 * THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Floor:
    """The ground plane y = 0, tiled, fading into the background."""

    def __init__(self, camera: Camera, size: tuple[int, int], target_height: float):
        width, height = size
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / camera.focal
        y = -(np.arange(height, dtype=np.float32) + 0.5 - height / 2 - camera.lower) / camera.focal
        rays = x[None, :, None] * camera.axes[0] + y[:, None, None] * camera.axes[1] - camera.axes[2]
        eye = camera.axes[2] * camera.distance
        eye_height = eye[1] + target_height
        self._first_row = (
            int(np.argmax(rays[:, width // 2, 1] < -0.02)) if (rays[..., 1] < -0.02).any() else height
        )
        rays = rays[self._first_row :]
        along = eye_height / np.maximum(-rays[..., 1], 1e-3)
        points = eye[[0, 2]] + rays[..., [0, 2]] * along[..., None]
        # A pixel's footprint on the ground: far lines blur and fade instead of flickering.
        blur = np.maximum(along / camera.focal, 1e-4) / np.clip(-rays[..., 1], 0.05, 1)
        self._places = [np.ascontiguousarray(points[..., k] / (2 * TILE), np.float32) for k in (0, 1)]
        self._sharpness = (2 * TILE / blur).astype(np.float32)
        self._fade = np.clip(1.25 - np.hypot(points[..., 0], points[..., 1]) / 9.0, 0, 1).astype(np.float32)
        self._empty = np.empty((3, height, width), np.float32)
        self._empty[:] = BACKGROUND[:, None, None]
        mean = (LIGHT_TILE + DARK_TILE) / 2 - BACKGROUND
        self._empty[:, self._first_row :] += self._fade * mean[:, None, None]

    def picture(self, target: np.ndarray) -> np.ndarray:
        """Background and ground (3, H, W) float32, values from 0 to 255, for a camera on ``target``.

        Colours come first while a picture is drawn: NumPy is several times faster over long rows.
        """
        sign = None
        for places, shift in zip(self._places, (target[[0, 2]] / (2 * TILE) % 1).tolist(), strict=True):
            place = places + np.float32(shift)
            place -= np.rint(place)
            np.abs(place, out=place)
            # From -1 to 1 across an edge, as wide as a pixel's footprint: far tiles melt into their mean.
            np.subtract(np.float32(0.25), place, out=place)
            place *= self._sharpness
            np.clip(place, -1, 1, out=place)
            sign = place if sign is None else np.multiply(sign, place, out=place)
        assert sign is not None
        sign *= self._fade
        picture = np.empty_like(self._empty)
        picture[:, : self._first_row] = self._empty[:, : self._first_row]
        for k, contrast in enumerate(((LIGHT_TILE - DARK_TILE) / 2).tolist()):
            ground = picture[k, self._first_row :]
            np.multiply(sign, np.float32(contrast), out=ground)
            ground += self._empty[k, self._first_row :]
        return picture


def drawn_body(joints: np.ndarray, skeleton: Skeleton, fps: float, style: str) -> PosedBody:
    """What is drawn for joints (T, J, 3); raises ``ValueError`` for an unknown style."""
    if style not in STYLES:
        raise ValueError(f"style {style}: expected {' or '.join(STYLES)}")
    return (
        posed_body(joints, skeleton, fps) if style == "body" else posed_lines(joints, skeleton, LINE_RADIUS)
    )


def _trail(frames: np.ndarray, number: int) -> np.ndarray:
    """Where the root has been, on the ground: points (P, 3), the newest last."""
    numbers = np.arange(number, max(-1, number - TRAIL_STEP * TRAIL_POINTS), -1)[::TRAIL_STEP][::-1]
    # Whole steps from the start, so that the line does not crawl from frame to frame.
    numbers = np.append(numbers[:-1] // TRAIL_STEP * TRAIL_STEP, number)
    points = frames[numbers, 0]
    points[:, 1] = 0
    return points


def _draw_trail(picture: np.ndarray, points: np.ndarray, camera: Camera) -> None:
    """Paint the trail, fading with its age."""
    for age, (a, b) in enumerate(zip(points[-2::-1].tolist(), points[:0:-1].tolist(), strict=True)):
        if max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.5:
            continue
        width = 0.011 * camera.focal
        found = segment(picture.shape[1:], a, b, width / a[2], width / b[2], 1.0)
        if found is None:
            continue
        box, x, y, _, radius = found
        cover = clipped(radius - np.sqrt(x * x + y * y) + 0.5) * (1 - 0.7 * age / TRAIL_POINTS)
        paint(picture[:, box[0], box[1]], cover, TRAIL)


def throws_shadow(part: RoundCone | Ellipsoid) -> bool:
    """Whether a part is large enough for a shadow of its own."""
    return max(part.radii) >= LINE_RADIUS and part.tone not in ("visor", "sole")


def _shadow_of(body: PosedBody) -> tuple[np.ndarray, np.ndarray]:
    """Lines (T, S, 2, 3) on the ground and their radii (S, 2): shadows of all but small parts."""
    thick = [k for k, part in enumerate(body.parts) if throws_shadow(part)]
    lines, radii = body.ends[:, thick].astype(np.float32), np.zeros((len(thick), 2))
    for row, k in enumerate(thick):
        part = body.parts[k]
        radii[row] = body.size * np.array(part.radii[:2])
        if isinstance(part, Ellipsoid):
            # An ellipsoid's shadow is a line along its longest axis, as thick as the next.
            _, middle, longest = np.argsort(part.radii)
            radii[row] = body.size * part.radii[middle]
            half = (1 - part.radii[middle] / part.radii[longest]) * body.axes[:, k, :, longest]
            lines[:, row] += np.stack([-half, half], axis=1)
    lines -= lines[..., 1:2] * (LIGHT / LIGHT[1] * np.array([0.35, 1, 0.35], np.float32))
    lines[..., 1] = 0
    return lines, radii


def _shade_ground(picture: np.ndarray, lines: np.ndarray, radii: np.ndarray, focal: float) -> None:
    """Darken the ground under the body; the shadow is soft, so half the resolution is enough."""
    height, width = (n // 2 for n in picture.shape[1:])
    dark = np.zeros((height, width), np.float32)
    boxes = []
    halved = lines * np.array([0.5, 0.5, 1.0], np.float32)
    for (a, b), (ra, rb) in zip(halved.tolist(), radii.tolist(), strict=True):
        soft = 0.03 * focal / a[2]
        found = segment(dark.shape, a, b, ra * focal / 2 / a[2], rb * focal / 2 / b[2], soft)
        if found is None:
            continue
        box, x, y, _, radius = found
        cover = clipped((radius + soft - np.sqrt(x * x + y * y)) / (2 * soft))
        np.maximum(dark[box], cover, out=dark[box])
        boxes.append(box)
    if not boxes:
        return
    rows = slice(min(b[0].start for b in boxes), max(b[0].stop for b in boxes))
    columns = slice(min(b[1].start for b in boxes), max(b[1].stop for b in boxes))
    light = (1 - 0.30 * dark[rows, columns]).repeat(2, axis=0).repeat(2, axis=1)
    picture[:, 2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop] *= light


def _surfaces(axes: np.ndarray) -> np.ndarray:
    """Of ellipsoids with axes (..., 3, 3) in the columns, Q (..., 3, 3) with p Q p = 1 at the surface."""
    inverse = np.linalg.inv(axes)
    return np.swapaxes(inverse, -1, -2) @ inverse


def _draw_body(canvas: Canvas, ends: np.ndarray, surfaces: list, body: PosedBody) -> None:
    """Paint parts from far to near; a pixel of a part in front is not painted over.

    ends: points (N, 2, 3).
    surfaces: of ellipsoids, as ``draw_ellipsoid`` takes them.
    """
    order = np.argsort(-ends[..., 2].sum(1), kind="stable").tolist()
    points = ends.tolist()
    for k in order:
        part, (a, b) = body.parts[k], points[k]
        if isinstance(part, RoundCone):
            radii = body.size * part.radii[0], body.size * part.radii[1]
            draw_cone(canvas, a, b, radii, COLOURS[part.tone])
        else:
            draw_ellipsoid(canvas, a, surfaces[k], COLOURS[part.tone])
