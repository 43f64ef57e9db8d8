"""Joints -> pictures: a camera that follows the body, a ground, and limbs as shaded round cones.

NumPy alone. Every picture is a function of the joints; knows no files and no video formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..motion.representation import gaussian_smooth
from ..motion.skeleton import Skeleton

BACKGROUND = np.array([0.955, 0.96, 0.97], np.float32)
GROUND = np.array([0.86, 0.87, 0.89], np.float32)
LINES = np.array([0.72, 0.74, 0.77], np.float32)
CENTRE, LEFT, RIGHT = (
    np.array(c, np.float32) for c in ([0.36, 0.39, 0.45], [0.16, 0.47, 0.82], [0.90, 0.38, 0.22])
)
SIDES = {"left": LEFT, "right": RIGHT}
LIGHT = np.array([-0.35, 0.8, 0.49], np.float32)


@dataclass(frozen=True)
class SceneOptions:
    """Size of one picture in pixels, and where the camera stands (degrees; metres)."""

    width: int = 480
    height: int = 480
    azimuth: float = 35.0
    elevation: float = 14.0
    field_of_view: float = 34.0
    least_distance: float = 4.0


@dataclass(frozen=True)
class _Camera:
    """Axes (3, 3) right, up, towards the viewer; distance to the target; pixels per unit at depth 1."""

    axes: np.ndarray
    distance: float
    focal: float

    def project(self, points: np.ndarray, target: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Pixel x, pixel y and depth (..., 3) of points (..., 3)."""
        local = (points - target) @ self.axes.T
        depth = np.maximum(self.distance - local[..., 2], 0.05)
        scale = self.focal / depth
        return np.stack(
            [size[0] / 2 + local[..., 0] * scale, size[1] / 2 - local[..., 1] * scale, depth], axis=-1
        )


def pictures(joints: np.ndarray, skeleton: Skeleton, options: SceneOptions) -> Iterator[np.ndarray]:
    """RGB pictures (H, W, 3) uint8, one per frame of joints (T, J, 3) in metres, y up."""
    targets = _targets(joints)
    camera = _camera(joints, targets, options)
    size = (options.width, options.height)
    floor = _Floor(camera, size, float(targets[0, 1]))
    bones = _bones(skeleton)
    for frame, target in zip(joints.astype(np.float32), targets, strict=True):
        picture = floor.picture(target)
        _shade_ground(picture, camera.project(_shadow(frame), target, size), bones, camera.focal)
        _draw_body(picture, camera.project(frame, target, size), bones, camera)
        yield (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _targets(joints: np.ndarray) -> np.ndarray:
    """What the camera looks at (T, 3): the smoothed path of the root, at a fixed height."""
    root = joints[:, 0].astype(np.float64)
    path = gaussian_smooth(root, sigma=8.0)
    path[:, 1] = max(0.75, 0.5 * float(joints[..., 1].max()))
    return path.astype(np.float32)


def _camera(joints: np.ndarray, targets: np.ndarray, options: SceneOptions) -> _Camera:
    azimuth, elevation = np.radians(options.azimuth), np.radians(options.elevation)
    backward = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    axes = np.stack([right, np.cross(backward, right), backward]).astype(np.float32)
    tangent = np.tan(np.radians(options.field_of_view) / 2)
    # Everything that strays from the target must stay in the picture, with some air around it.
    reach = float(np.abs(joints - targets[:, None]).max()) + 0.25
    distance = max(options.least_distance, reach / tangent * 1.05)
    return _Camera(axes, distance, min(options.width, options.height) / 2 / tangent)


class _Floor:
    """The ground plane y = 0 with a one-metre grid that fades into the background."""

    def __init__(self, camera: _Camera, size: tuple[int, int], target_height: float):
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
        self._sharpness = (1 / blur).astype(np.float32)
        self._reach = (0.012 / blur + 0.5).astype(np.float32)
        self._strength = np.minimum(1.0, 0.024 / blur + 0.15).astype(np.float32)
        fade = np.clip(1.25 - np.hypot(points[..., 0], points[..., 1]) / 9.0, 0, 1)[..., None]
        self._line = (fade * (LINES - GROUND)).astype(np.float32)
        self._empty = np.empty((height, width, 3), np.float32)
        self._empty[:] = BACKGROUND
        self._empty[self._first_row :] += fade * (GROUND - BACKGROUND)

    def picture(self, target: np.ndarray) -> np.ndarray:
        """Background and ground (H, W, 3) float32 for a camera on ``target``."""
        nearest = np.full(self._sharpness.shape, np.inf, np.float32)
        for points, shift in zip(self._places, target[[0, 2]].tolist(), strict=True):
            place = points + np.float32(shift % 1.0)
            np.minimum(nearest, np.abs(place - np.rint(place)), out=nearest)
        cover = np.clip(self._reach - nearest * self._sharpness, 0, 1) * self._strength
        picture = self._empty.copy()
        picture[self._first_row :] += cover[..., None] * self._line
        return picture


def _bones(skeleton: Skeleton) -> list[tuple[int, int, float, float, np.ndarray]]:
    """Parent, child, radii in metres and colour of every bone."""
    bones = []
    for child, parent in enumerate(skeleton.parents):
        if parent < 0:
            continue
        name = skeleton.joint_names[child]
        colour = (
            LEFT if name.startswith(("left", "L")) else RIGHT if name.startswith(("right", "R")) else CENTRE
        )
        bones.append((parent, child, *_radii(name), colour))
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


def _shade_ground(picture: np.ndarray, points: np.ndarray, bones: list, focal: float) -> None:
    dark = np.zeros(picture.shape[:2], np.float32)
    for parent, child, ra, rb, _ in bones:
        a, b = points[parent], points[child]
        soft = 0.06 * focal / a[2]
        found = _segment(picture.shape, a, b, ra * focal / a[2], rb * focal / b[2], soft)
        if found is None:
            continue
        box, x, y, _, radius = found
        cover = np.clip((radius + soft - np.hypot(x, y)) / (2 * soft), 0, 1)
        np.maximum(dark[box], cover, out=dark[box])
    picture *= 1 - 0.30 * dark[..., None]


def _draw_body(picture: np.ndarray, points: np.ndarray, bones: list, camera: _Camera) -> None:
    """Paint bones from far to near; a pixel of a bone in front is not painted over."""
    depths = np.full(picture.shape[:2], np.inf, np.float32)
    light = (LIGHT / np.linalg.norm(LIGHT)) @ camera.axes.T
    for parent, child, ra, rb, colour in sorted(bones, key=lambda b: -points[b[0], 2] - points[b[1], 2]):
        a, b = points[parent], points[child]
        found = _segment(picture.shape, a, b, ra * camera.focal / a[2], rb * camera.focal / b[2], 1.0)
        if found is None:
            continue
        box, x, y, along, radius = found
        distance = np.hypot(x, y)
        cover = np.clip(radius - distance + 0.5, 0, 1)
        out = np.sqrt(np.maximum(1 - (distance / radius) ** 2, 0))
        depth = a[2] + along * (b[2] - a[2]) - out * radius * a[2] / camera.focal
        cover = np.where(depth < depths[box], cover, 0)
        lit = (x * light[0] - y * light[1]) / radius + out * light[2]
        shade = (0.55 + 0.45 * np.clip(lit, 0, 1) + 0.12 * np.clip(lit, 0, 1) ** 8)[..., None]
        rim = (0.75 + 0.25 * out)[..., None]
        picture[box] += cover[..., None] * (colour * shade * rim - picture[box])
        depths[box] = np.where(cover > 0.5, depth, depths[box])
