"""Files of paths: written points, drawn lines, and what is neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.path_file import read_path

SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'


def read(content: str, name: str, folder: Path) -> np.ndarray:
    (folder / name).write_text(content, encoding="utf-8")
    return read_path(folder / name).points


def test_points_are_read_however_they_are_written(tmp_path: Path) -> None:
    expected = read("0 0\n0 2\n", "a.txt", tmp_path)
    for content in (
        "# x z\n0, 0\n\n0, 2 # end\n",
        "0;0\r\n0;2\r\n",
        "\ufeff0\t0\n0\t2",
        "0 0\n0 1\n0 1\n0 2",
    ):
        np.testing.assert_allclose(read(content, "b.csv", tmp_path), expected, atol=1e-9)


@pytest.mark.parametrize(
    "drawn",
    [
        '<path d="M100 50 L100 250"/>',
        '<path d="m100 50 v200"/>',
        '<polyline points="100,50 100,250"/>',
        '<line x1="100" y1="50" x2="100" y2="250"/>',
        '<g transform="translate(100,50)"><path transform="scale(2)" d="M0 0 V100"/></g>',
        '<path transform="rotate(90) translate(50 -100)" d="M0 0 H200"/>',
        '<path transform="matrix(0 1 -1 0 100 50)" d="M0 0 H200"/>',
        '<defs><path d="M0 0 H9"/></defs><text>walk</text><path d="M100 50 V250"/>',
    ],
)
def test_a_drawn_line_is_seen_from_above_a_unit_a_centimetre(drawn: str, tmp_path: Path) -> None:
    points = read(SVG.format(drawn), "a.svg", tmp_path)
    np.testing.assert_allclose(points[[0, -1]], [[1.0, 0.5], [1.0, 2.5]], atol=1e-9)


def test_curves_and_arcs_are_followed(tmp_path: Path) -> None:
    arc = read(SVG.format('<path d="M0 0 A100 100 0 0 1 200 0"/>'), "a.svg", tmp_path)
    distances = np.linalg.norm(arc - [1.0, 0.0], axis=1)
    assert np.ptp(distances) < 0.05 and arc[:, 1].min() < -0.95
    curve = read(SVG.format('<path d="M0 0 C0 100 100 200 200 200"/>'), "c.svg", tmp_path)
    middle = np.array([0.625, 1.375])
    assert np.linalg.norm(curve - middle, axis=1).min() < 0.02
    closed = read(SVG.format('<polygon points="0,0 200,0 200,200"/>'), "p.svg", tmp_path)
    np.testing.assert_allclose(closed[0], closed[-1], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "", "a path of 0 m"),
        ("a.txt", "1 2\n", r"\(1 point\)"),
        ("a.txt", "1 2\nnan 3\n", "line 2: expected finite numbers"),
        ("a.txt", "x z\n1 2\n", "line 1: expected x and z in metres, found 'x z'"),
        ("a.txt", "1 2 3\n", "line 1: expected x and z"),
        ("a.svg", "<svg", "no SVG picture"),
        ("a.svg", "1 2\n", "no SVG picture"),
        ("a.svg", SVG.format(""), "expected one drawn line, found none"),
        ("a.svg", SVG.format('<path d=""/>'), "found none"),
        ("a.svg", SVG.format('<path d="M0 0 H9 M5 5 H9"/>'), "found 2"),
        ("a.svg", SVG.format('<path d="M0 0 L"/><path d="M5 5 H9"/>'), "cannot be read|found"),
        ("a.svg", SVG.format('<path d="L5 5"/>'), "cannot be read|found none"),
        ("a.svg", SVG.format('<path d="M0 0 L nan 7"/>'), "cannot be read"),
        ("a.svg", SVG.format('<circle r="9"/>'), "expected a line drawn"),
        ("a.svg", SVG.format('<path transform="spin(3)" d="M0 0 H9"/>'), "not known: spin"),
        ("a.svg", SVG.format('<path d="M0 0 H1e300"/>'), "expected 0.1 to 1000 m"),
    ],
)
def test_what_is_no_path_is_said_with_the_files_name(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{name}: .*({said})"):
        read(content, name, tmp_path)
