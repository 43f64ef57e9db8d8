"""Joints -> pictures: a tiled ground, the root's trail, a shadow, and limbs as shaded round cones.

NumPy alone. Every picture is a function of the joints; knows no files and no video formats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..motion.skeleton import Skeleton
from .camera import Camera, SceneOptions, camera_for, targets_of


def _colour(red: float, green: float, blue: float) -> np.ndarray:
    # Drawn on the scale of bytes with the rounding half already in: pixels are only cut off.
    return 255 * np.array([red, green, blue], np.float32) + np.float32(0.5)


BACKGROUND = _colour(0.955, 0.96, 0.97)
LIGHT_TILE, DARK_TILE = _colour(0.895, 0.905, 0.93), _colour(0.795, 0.825, 0.86)
TILE = 0.5
TRAIL = _colour(0.17, 0.53, 0.43)
# The root's trail: a point for so many frames, of the last so many points.
TRAIL_STEP, TRAIL_POINTS = 5, 60
CENTRE, LEFT, RIGHT = _colour(0.36, 0.39, 0.45), _colour(0.16, 0.47, 0.82), _colour(0.90, 0.38, 0.22)
LIGHT = np.array([-0.35, 0.8, 0.49], np.float32)


STYLES = ("body", "skeleton")
# Frames drawn at once: NumPy lets other threads run while it computes.
THREADS = 2


def pictures(joints: np.ndarray, skeleton: Skeleton, options: SceneOptions) -> Iterator[np.ndarray]:
    """RGB pictures (H, W, 3) uint8, one per frame of joints (T, J, 3) in metres, y up."""
    targets = targets_of(joints)
    camera = camera_for(joints, targets, options)
    size = (options.width, options.height)
    floor = _Floor(camera, size, float(targets[0, 1]))
    bones = bones_of(skeleton, options.style)
    frames = joints.astype(np.float32)

    def draw(number: int) -> np.ndarray:
        frame, target = frames[number], targets[number]
        picture = floor.picture(target)
        _draw_trail(picture, camera.project(_trail(frames, number), target, size), camera)
        _shade_ground(picture, camera.project(_shadow(frame), target, size), bones, camera.focal)
        _draw_body(picture, camera.project(frame, target, size), bones, camera)
        pixels = np.empty((*picture.shape[1:], 3), np.uint8)
        for channel, plane in enumerate(picture):
            pixels[..., channel] = plane
        return pixels

    with ThreadPoolExecutor(THREADS) as pool:
        # A few frames ahead and no more, so that memory does not grow with the length.
        waiting: deque[Future[np.ndarray]] = deque()
        for number in range(len(frames)):
            waiting.append(pool.submit(draw, number))
            if len(waiting) > 2 * THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Floor:
    """The ground plane y = 0, tiled, fading into the background."""

    def __init__(self, camera: Camera, size: tuple[int, int], target_height: float):
        width, height = size
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / camera.focal
        y = -(np.arange(height, dtype=np.float32) + 0.5 - height / 2) / camera.focal
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
        self._places = [np.ascontiguousarray(points[..., k], np.float32) for k in (0, 1)]
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
        period = 2 * TILE
        sign = None
        for points, shift in zip(self._places, target[[0, 2]].tolist(), strict=True):
            place = points + np.float32(shift % period)
            place /= np.float32(period)
            place -= np.rint(place)
            np.abs(place, out=place)
            # From -1 to 1 across an edge, as wide as a pixel's footprint: far tiles melt into their mean.
            np.subtract(np.float32(0.25), place, out=place)
            place *= self._sharpness
            np.clip(place, -1, 1, out=place)
            sign = place if sign is None else np.multiply(sign, place, out=place)
        assert sign is not None
        sign *= self._fade
        picture = self._empty.copy()
        for plane, contrast in zip(picture, ((LIGHT_TILE - DARK_TILE) / 2).tolist(), strict=True):
            plane[self._first_row :] += sign * np.float32(contrast)
        return picture


def bones_of(skeleton: Skeleton, style: str) -> list[tuple[int, int, float, float, np.ndarray]]:
    """Parent, child, radii in metres and colour of every bone."""
    if style not in STYLES:
        raise ValueError(f"style {style}: expected {' or '.join(STYLES)}")
    bones = []
    for child, parent in enumerate(skeleton.parents):
        if parent < 0:
            continue
        name = skeleton.joint_names[child]
        colour = (
            LEFT if name.startswith(("left", "L")) else RIGHT if name.startswith(("right", "R")) else CENTRE
        )
        radii = _radii(name) if style == "body" else (0.016, 0.016)
        bones.append((parent, child, *radii, colour))
    return bones


def _radii(name: str) -> tuple[float, float]:
    name = name.lower()
    thickness = {
        "spine": (0.095, 0.10),
        "chest": (0.10, 0.10),
        "neck": (0.075, 0.05),
        "head": (0.06, 0.095),
        "knee": (0.08, 0.055),
        "ankle": (0.058, 0.042),
        "foot": (0.045, 0.035),
        "collar": (0.07, 0.06),
        "shoulder": (0.06, 0.055),
        "elbow": (0.052, 0.042),
        "wrist": (0.042, 0.034),
        "hip": (0.09, 0.085),
    }
    return next((radii for part, radii in thickness.items() if part in name), (0.06, 0.05))


def _shadow(frame: np.ndarray) -> np.ndarray:
    """Joints (J, 3) thrown onto the ground along the light."""
    height = frame[:, 1:2]
    shadow = frame - height * (LIGHT / LIGHT[1])[None] * np.array([0.35, 1, 0.35], np.float32)
    shadow[:, 1] = 0
    return shadow


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
    for age, (a, b) in enumerate(zip(points[-2::-1], points[:0:-1], strict=True)):
        if max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.5:
            continue
        width = 0.011 * camera.focal
        found = _segment(picture.shape[1:], a, b, width / a[2], width / b[2], 1.0)
        if found is None:
            continue
        box, x, y, _, radius = found
        cover = np.clip(radius - np.sqrt(x * x + y * y) + 0.5, 0, 1) * (1 - 0.7 * age / TRAIL_POINTS)
        _paint(picture[:, box[0], box[1]], cover, TRAIL)


def _segment(
    shape: tuple[int, ...], a: np.ndarray, b: np.ndarray, ra: float, rb: float, margin: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """For the pixels near the segment a-b: box, offsets x and y from its axis, share along it, radius."""
    reach = max(ra, rb) + margin
    left, right = int(min(a[0], b[0]) - reach), int(max(a[0], b[0]) + reach) + 2
    top, bottom = int(min(a[1], b[1]) - reach), int(max(a[1], b[1]) + reach) + 2
    box = slice(max(top, 0), min(bottom, shape[0])), slice(max(left, 0), min(right, shape[1]))
    if box[0].start >= box[0].stop or box[1].start >= box[1].stop:
        return None
    y = (np.arange(box[0].start, box[0].stop, dtype=np.float32) + 0.5 - a[1])[:, None]
    x = (np.arange(box[1].start, box[1].stop, dtype=np.float32) + 0.5 - a[0])[None]
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    return box, x - along * dx, y - along * dy, along, ra + along * (rb - ra)


def _paint(part: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Blend a colour (3,) or picture (3, h, w) into a part (3, h, w) of the picture where it is covered."""
    part += cover * (colour.reshape(3, *(colour.shape[1:] or (1, 1))) - part)


def _shade_ground(picture: np.ndarray, points: np.ndarray, bones: list, focal: float) -> None:
    """Darken the ground under the body; the shadow is soft, so half the resolution is enough."""
    height, width = (n // 2 for n in picture.shape[1:])
    dark = np.zeros((height, width), np.float32)
    boxes = []
    halved = points * np.array([0.5, 0.5, 1.0], np.float32)
    for parent, child, ra, rb, _ in bones:
        a, b = halved[parent], halved[child]
        soft = 0.03 * focal / a[2]
        found = _segment(dark.shape, a, b, ra * focal / 2 / a[2], rb * focal / 2 / b[2], soft)
        if found is None:
            continue
        box, x, y, _, radius = found
        cover = np.clip((radius + soft - np.sqrt(x * x + y * y)) / (2 * soft), 0, 1)
        np.maximum(dark[box], cover, out=dark[box])
        boxes.append(box)
    if not boxes:
        return
    rows = slice(min(b[0].start for b in boxes), max(b[0].stop for b in boxes))
    columns = slice(min(b[1].start for b in boxes), max(b[1].stop for b in boxes))
    light = (1 - 0.30 * dark[rows, columns]).repeat(2, axis=0).repeat(2, axis=1)
    picture[:, 2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop] *= light


def _draw_body(picture: np.ndarray, points: np.ndarray, bones: list, camera: Camera) -> None:
    """Paint bones from far to near; a pixel of a bone in front is not painted over."""
    depths = np.full(picture.shape[1:], np.inf, np.float32)
    light = (LIGHT / np.linalg.norm(LIGHT)) @ camera.axes.T
    for parent, child, ra, rb, colour in sorted(bones, key=lambda b: -points[b[0], 2] - points[b[1], 2]):
        a, b = points[parent], points[child]
        found = _segment(depths.shape, a, b, ra * camera.focal / a[2], rb * camera.focal / b[2], 1.0)
        if found is None:
            continue
        box, x, y, along, radius = found
        # np.hypot guards against overflow and is several times slower.
        squared = x * x + y * y
        cover = np.clip(radius - np.sqrt(squared) + 0.5, 0, 1)
        out = np.sqrt(np.maximum(1 - squared / (radius * radius), 0))
        depth = a[2] + along * (b[2] - a[2]) - out * radius * a[2] / camera.focal
        cover = np.where(depth < depths[box], cover, 0)
        lit = (x * light[0] - y * light[1]) / radius + out * light[2]
        lit = np.clip(lit, 0, 1)
        gloss = np.square(np.square(np.square(lit)))
        shade = (0.55 + 0.45 * lit + 0.1 * gloss) * (0.75 + 0.25 * out)
        _paint(picture[:, box[0], box[1]], cover, colour[:, None, None] * shade)
        depths[box] = np.where(cover > 0.5, depth, depths[box])
