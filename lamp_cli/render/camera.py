"""The camera: where it stands, what it looks at, how points become pixels. It follows the body gently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion.representation import gaussian_smooth

# From the camera to what is drawn, metres.
NEAREST = 0.05


@dataclass(frozen=True)
class SceneOptions:
    """What a picture looks like.

    width: pixels.
    height: pixels.
    azimuth: of the camera around the body, degrees.
    elevation: of the camera above the horizon, degrees.
    field_of_view: vertical, degrees.
    least_distance: from the camera to the body, metres.
    style: ``body``, solid limbs, or ``skeleton``, thin lines.
    headroom: pixels at the top that the body does not reach.
    """

    width: int = 480
    height: int = 480
    azimuth: float = 35.0
    elevation: float = 14.0
    field_of_view: float = 34.0
    least_distance: float = 4.0
    style: str = "body"
    headroom: int = 0


@dataclass(frozen=True)
class Camera:
    """Axes (3, 3) right, up, towards the viewer; distance to the target; pixels per unit at depth 1.

    The target is seen ``lower`` pixels below the middle of the picture.
    """

    axes: np.ndarray
    distance: float
    focal: float
    lower: float = 0.0

    def project(self, points: np.ndarray, target: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Pixel x, pixel y and depth (..., 3) of points (..., 3)."""
        local = (points - target) @ self.axes.T
        depth = np.maximum(self.distance - local[..., 2], NEAREST)
        scale = self.focal / depth
        middle = size[0] / 2, size[1] / 2 + self.lower
        return np.stack(
            [middle[0] + local[..., 0] * scale, middle[1] - local[..., 1] * scale, depth], axis=-1
        )


def targets_of(joints: np.ndarray) -> np.ndarray:
    """What the camera looks at (T, 3): the smoothed path of the root, at a fixed height."""
    root = joints[:, 0].astype(np.float64)
    path = gaussian_smooth(root, sigma=8.0)
    path[:, 1] = max(0.75, 0.5 * float(joints[..., 1].max()))
    return path.astype(np.float32)


def camera_for(joints: np.ndarray, targets: np.ndarray, options: SceneOptions) -> Camera:
    azimuth, elevation = np.radians(options.azimuth), np.radians(options.elevation)
    backward = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    axes = np.stack([right, np.cross(backward, right), backward]).astype(np.float32)
    # Python's own float: a float64 scalar of NumPy would make every picture float64, twice as slow.
    tangent = float(np.tan(np.radians(options.field_of_view) / 2))
    # Everything that strays from the target must stay in the picture, with some air around it.
    reach = float(np.abs(joints - targets[:, None]).max()) + 0.25
    distance = max(options.least_distance, reach / tangent * 1.05) / (1 - options.headroom / options.height)
    focal = min(options.width, options.height) / 2 / tangent
    return Camera(axes, distance, focal, options.headroom / 2)
