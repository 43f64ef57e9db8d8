"""The shape of a person as one mesh of triangles in the T-pose, with the joints that move each vertex."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from . import rotation
from .body_shape import Ellipsoid, Place, RoundCone, body_parts, body_size, rest_axes
from .joint_rotations import forward
from .skeleton import Skeleton

# Vertices around a part, and from the middle of each end to its pole.
AROUND, TO_POLE = 16, 5
# Parts thinner than this, metres, have half as many.
SMALL = 0.05


@dataclass(frozen=True)
class BodyMesh:
    """A closed surface for every part of a body, in the T-pose with the root at the origin.

    Attributes:
        positions: of vertices (V, 3), metres.
        normals: unit vectors (V, 3), outwards.
        tones: of each vertex (V,), a key of ``body_shape.TONES``.
        carriers: two joints that move each vertex (V, 2).
        shares: of the two (V, 2), sum 1.
        triangles: vertices (F, 3), counter-clockwise from outside.

    """

    positions: np.ndarray
    normals: np.ndarray
    tones: np.ndarray
    carriers: np.ndarray
    shares: np.ndarray
    triangles: np.ndarray


def body_mesh(offsets: np.ndarray, skeleton: Skeleton) -> BodyMesh:
    """The mesh of a body whose T-pose has these offsets (J, 3) of joints from their parents, metres."""
    at_rest = np.tile([1.0, 0.0, 0.0, 0.0], (1, skeleton.joints, 1))
    joints = forward(at_rest, np.zeros((1, 3)), offsets, skeleton)[0]
    size = body_size(np.linalg.norm(offsets, axis=-1), skeleton)
    meshes = [_part_mesh(part, joints, size, skeleton) for part in body_parts(skeleton)]
    begin = np.cumsum([0, *(len(mesh.positions) for mesh in meshes[:-1])])
    numbered = [
        replace(mesh, triangles=mesh.triangles + first) for mesh, first in zip(meshes, begin, strict=True)
    ]
    return BodyMesh(*(np.concatenate([getattr(m, f.name) for m in numbered]) for f in fields(BodyMesh)))


def _part_mesh(part: RoundCone | Ellipsoid, joints: np.ndarray, size: float, skeleton: Skeleton) -> BodyMesh:
    around, to_pole = (AROUND, TO_POLE) if max(part.radii) > SMALL else (AROUND // 2, TO_POLE // 2 + 1)
    if isinstance(part, Ellipsoid):
        axes = rest_axes(part, size)
        sphere = _rings(np.zeros(1), around, to_pole)
        normals = rotation.unit(sphere @ np.linalg.inv(axes))
        positions = _rest_place(part.centre, joints, size, skeleton) + sphere @ axes.T
        carriers = np.full((len(sphere), 2), skeleton.joint_names.index(part.centre.joint))
        shares = np.tile([1.0, 0.0], (len(sphere), 1))
    else:
        start, end = (_rest_place(place, joints, size, skeleton) for place in (part.start, part.end))
        length = max(float(np.linalg.norm(end - start)), 1e-6)
        lean = np.clip(size * (part.radii[0] - part.radii[1]) / length, -0.99, 0.99)
        sphere = _rings(np.full(2, np.arcsin(lean)), around, to_pole)
        normals = sphere @ _axes_along((end - start) / length).T
        at_end = (np.arange(len(sphere)) >= len(sphere) // 2)[:, None]
        positions = np.where(at_end, end, start) + size * np.where(at_end, *part.radii[::-1]) * normals
        carriers = np.tile(_carriers(part, skeleton), (len(sphere), 1))
        shares = np.where(at_end, [0.0, 1.0], [1.0, 0.0])
        shares = np.where(carriers[:, :1] == carriers[:, 1:], [1.0, 0.0], shares)
    tones = np.full(len(sphere), part.tone)
    return BodyMesh(positions, normals, tones, carriers, shares, _triangles(len(sphere), around))


def _rings(lean: np.ndarray, around: int, to_pole: int) -> np.ndarray:
    """Unit vectors in rings about z from -z to z, and again from where a second angle is given.

    Of one angle in ``lean`` (radians above the middle) the rings go from pole to pole; of two, from the first
    pole up to it and from it on to the second.
    """
    if len(lean) == 1:
        heights = np.linspace(-np.pi / 2, np.pi / 2, 2 * to_pole + 1)
    else:
        heights = np.concatenate(
            [np.linspace(-np.pi / 2, lean[0], to_pole + 1), np.linspace(lean[1], np.pi / 2, to_pole + 1)]
        )
    # A pole's ring is as wide as nothing; a little width keeps its triangles' sides apart.
    heights = np.clip(heights, -np.pi / 2 + 0.02, np.pi / 2 - 0.02)
    angle = 2 * np.pi * np.arange(around) / around
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(around)], axis=-1)
    return np.concatenate([np.cos(h) * ring + [0.0, 0.0, np.sin(h)] for h in heights])


def _triangles(vertices: int, around: int) -> np.ndarray:
    """Between neighbouring rings, and over the two outermost ones."""
    faces = []
    rings = vertices // around
    for ring in range(rings - 1):
        for k in range(around):
            a, b = ring * around + k, ring * around + (k + 1) % around
            faces += [(a, b, b + around), (a, b + around, a + around)]
    last = (rings - 1) * around
    for k in range(1, around - 1):
        faces += [(0, k + 1, k), (last, last + k, last + k + 1)]
    return np.array(faces)


def _rest_place(place: Place, joints: np.ndarray, size: float, skeleton: Skeleton) -> np.ndarray:
    return np.asarray(joints[skeleton.joint_names.index(place.joint)] + size * np.array(place.offset))


def _axes_along(direction: np.ndarray) -> np.ndarray:
    """A right-handed frame (3, 3) in the columns whose third axis is ``direction``."""
    other = np.eye(3)[np.argmin(np.abs(direction))]
    first = rotation.unit(np.cross(other, direction))
    return np.stack([first, np.cross(direction, first), direction], axis=-1)


def _carriers(part: RoundCone, skeleton: Skeleton) -> tuple[int, int]:
    """The joints that move start and end; a place on a joint itself moves with the bone that ends there."""
    start, end = (skeleton.joint_names.index(place.joint) for place in (part.start, part.end))
    return start, end if any(part.end.offset) else skeleton.parents[end]
