"""Meshes of triangles: which pixels they cover, what is in front, how they are lit."""

from __future__ import annotations

import numpy as np

from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.surface import Skin, Surface
from lamp_cli.render.camera import Camera, SceneOptions
from lamp_cli.render.mesh import draw_mesh, vertex_brightness
from lamp_cli.render.scene import pictures
from lamp_cli.render.solids import Canvas, draw_cone
from tests.conftest import standing

WHITE = np.full((3, 3), 255, np.float32)


def _drawn(points: list, faces: list, colours: np.ndarray = WHITE, size: int = 24) -> np.ndarray:
    picture = np.zeros((3, size, size), np.float32)
    draw_mesh(picture, np.array(points, np.float32), np.array(faces), np.float32(colours))
    return picture


def test_pixels_are_covered_as_much_as_they_lie_within() -> None:
    rng = np.random.default_rng(0)
    # Quarters of pixels whose centres lie within, counted one by one.
    y, x = (np.mgrid[0:48, 0:48] + 0.5) / 2
    for _ in range(20):
        corners = rng.uniform(-6, 30, (3, 2))
        edges = [np.subtract(corners[(k + 1) % 3], corners[k]) for k in range(3)]
        sides = [e[0] * (y - c[1]) - e[1] * (x - c[0]) for e, c in zip(edges, corners, strict=True)]
        within = np.all([side <= 0 for side in sides], axis=0)
        other = np.all([side >= 0 for side in sides], axis=0)
        points = [[*corner, 2.0] for corner in corners]
        towards = _drawn(points, [[0, 1, 2]])
        away = _drawn(points, [[0, 2, 1]])
        for picture, mask in ((towards, within), (away, other)):
            share = mask.reshape(24, 2, 24, 2).mean((1, 3))
            assert np.allclose(picture / 255, share, atol=1e-5)


def test_neighbours_leave_no_gap_and_the_nearest_is_in_front() -> None:
    square = [[3.3, 2.1, 4], [3.7, 20.9, 4], [21.2, 21.8, 4], [20.4, 3.9, 4]]
    faces = [[0, 1, 2], [0, 2, 3]]
    whole = _drawn(square, faces, np.full((4, 3), 255))
    assert whole[0, 6:18, 6:18].min() == 255
    behind = [[x + 4, y, 5] for x, y, _ in square]
    both = [[k + 4 for k in face] for face in faces] + faces
    colours = np.array([[255, 0, 0]] * 4 + [[0, 255, 0]] * 4)
    for order in (both, both[::-1]):
        picture = _drawn(square + behind, order, colours)
        assert picture[0, 8:16, 8:18].min() == 255 and picture[1, 8:16, 8:18].max() == 0
        assert picture[1, 8:16, 22:24].min() > 0


def test_nothing_is_painted_outside_or_behind_the_camera() -> None:
    corners = [[-300, -300, 2.0], [-300, 900, 2.0], [900, -300, 2.0]]
    assert _drawn(corners, [[0, 1, 2]]).min() == 255
    assert _drawn([[x, y, 0.05] for x, y, _ in corners], [[0, 1, 2]]).max() == 0
    assert _drawn([[x + 2000, y, d] for x, y, d in corners], [[0, 1, 2]]).max() == 0


def _sphere(rings: int = 40) -> tuple[np.ndarray, np.ndarray]:
    height = np.linspace(-np.pi / 2 + 0.01, np.pi / 2 - 0.01, rings)
    around = 2 * np.pi * np.arange(2 * rings) / (2 * rings)
    ring = np.stack([np.sin(around), 0 * around, np.cos(around)], axis=-1)
    vertices = np.concatenate([np.cos(h) * ring + [0, np.sin(h), 0] for h in height])
    first = np.arange((rings - 1) * 2 * rings)
    right = first // (2 * rings) * 2 * rings + (first + 1) % (2 * rings)
    faces = np.concatenate(
        [
            np.stack([first, right, right + 2 * rings], axis=-1),
            np.stack([first, right + 2 * rings, first + 2 * rings], axis=-1),
        ]
    )
    return vertices.astype(np.float32), faces


def test_a_sphere_of_triangles_is_lit_as_a_sphere() -> None:
    vertices, faces = _sphere()
    axes, light = np.eye(3), np.array([0.48, 0.64, 0.6])
    bright = vertex_brightness(vertices, faces, axes, light)
    colours = np.float32(200 * bright[:, None].repeat(3, axis=1))
    points = np.stack([20 + 15 * vertices[:, 0], 20 - 15 * vertices[:, 1], 40 - vertices[:, 2]], axis=-1)
    mesh = _drawn(points.tolist(), faces.tolist(), colours, size=40)
    picture = np.zeros((3, 40, 40), np.float32)
    canvas = Canvas(picture, np.full((40, 40), np.inf, np.float32), Camera(axes, 40.0, 600.0), light.tolist())
    draw_cone(canvas, (20.0, 20.0, 40.0), (20.0, 20.0, 40.0), (1.0, 1.0), np.full(3, 200, np.float32))
    inside = np.hypot(*(np.mgrid[0.5:40, 0.5:40] - 20)) < 13.5
    assert np.abs(mesh - picture)[:, inside].max() < 6
    assert np.abs(mesh - picture).max() < 70


def test_a_surface_is_drawn_in_place_of_the_body_frame_by_frame() -> None:
    joints = np.repeat(standing(HUMANML3D)[None], 5, axis=0)
    vertices, faces = _sphere(8)
    green = np.tile([0.0, 1.0, 0.0], (len(vertices), 1))
    moves = [0.3 * vertices + np.float32([0, 0.4 + 0.2 * k, 0]) for k in range(5)]
    none = np.zeros(0)
    surface = Surface(faces, green, lambda: iter(moves), Skin(none, none, none, none, none, none))
    options = SceneOptions(96, 96)
    drawn = list(pictures(joints, HUMANML3D, 20.0, options, surface))
    rows = []
    for picture in drawn:
        values = picture.astype(int)
        ball = (values[..., 1] > 2 * values[..., 0]) & (values[..., 1] > 2 * values[..., 2])
        rows.append(np.nonzero(ball)[0].mean())
        assert not ((values[..., 2] > values[..., 1] + 60) | (values[..., 0] > values[..., 1] + 60)).any()
    assert len(drawn) == 5 and (np.diff(rows) < -2).all()
    again = list(pictures(joints, HUMANML3D, 20.0, options, surface))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))
    some = pictures(joints, HUMANML3D, 20.0, options, surface, [1, 4])
    assert all(np.array_equal(a, b) for a, b in zip(some, [drawn[1], drawn[4]], strict=True))
