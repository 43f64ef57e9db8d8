"""Files of a path on the floor: lines of ``x z`` in metres, or one line drawn in an SVG picture.

Knows no motion. The curves of SVG are fontTools' to read, which comes with matplotlib.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..motion.floor_path import FloorPath, floor_path
from ..storage import read_text_file

# A unit of an SVG picture is a centimetre, seen from above: its y is the floor's z.
METRES_PER_UNIT = 0.01
POINTS_PER_CURVE = 50
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_DRAWN = ("path", "polyline", "polygon", "line", "circle", "ellipse", "rect")


def read_path(path: Path) -> FloorPath:
    """The path of a file; raises ``ValueError`` naming it, or ``OSError``.

    ``.svg``: one drawn line, 100 units a metre. Else two numbers a line, x and z in metres, blanks or a comma
    between; ``#`` begins a remark.
    """
    content = read_text_file(path)
    try:
        is_svg = path.suffix.lower() == ".svg"
        return floor_path(
            _drawn_line(content) if is_svg else np.array(list(_written_points(content))).reshape(-1, 2)
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _written_points(content: str) -> Iterator[tuple[float, float]]:
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        try:
            x, z = map(float, words)
        except ValueError:
            raise ValueError(
                f"line {number}: expected x and z in metres, found {line.strip()[:60]!r}"
            ) from None
        if not (math.isfinite(x) and math.isfinite(z)):
            raise ValueError(f"line {number}: expected finite numbers, found {line.strip()[:60]!r}")
        yield x, z


def _drawn_line(content: str) -> np.ndarray:
    """Points (N, 2) in metres of an SVG picture's one line; raises ``ValueError`` for none or several."""
    from fontTools.misc.transform import Transform

    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"no SVG picture ({error})") from None
    lines = [line for line in _lines_of(root, Transform()) if len(line) > 1]
    if len(lines) != 1:
        raise ValueError(f"expected one drawn line, found {len(lines) or 'none'}")
    return METRES_PER_UNIT * np.array(lines[0])


def _lines_of(element: ElementTree.Element, outer: Any) -> Iterator[list[tuple[float, float]]]:
    """The lines of an element and those within it, as ``outer`` and its own transforms place them."""
    name = str(element.tag).rpartition("}")[2]
    if name in ("defs", "clipPath", "mask", "marker", "symbol", "pattern"):
        return
    transform = outer.transform(_transform(element.get("transform", "")))
    if name in _DRAWN:
        for line in _traced(_shape(name, element)):
            yield [transform.transformPoint(point) for point in line]
    for child in element:
        yield from _lines_of(child, transform)


def _shape(name: str, element: ElementTree.Element) -> str:
    """What an element draws, as the ``d`` of a path."""
    if name == "path":
        return element.get("d", "")
    if name in ("polyline", "polygon"):
        return f"M{element.get('points', '')}{' Z' if name == 'polygon' else ''}"
    if name == "line":
        return (
            " ".join(["M", *(element.get(key, "0") for key in ("x1", "y1")), "L"])
            + " "
            + " ".join(element.get(key, "0") for key in ("x2", "y2"))
        )
    raise ValueError(
        f"a <{name}>; expected a line drawn as a path or a polyline (in Inkscape: Object to Path)"
    )


def _traced(shape: str) -> list[list[tuple[float, float]]]:
    """Each line of a path's ``d`` as points; curves become ``POINTS_PER_CURVE`` of them."""
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    pen = RecordingPen()
    try:
        parse_path(shape, pen)
    except Exception as error:  # the reader names no errors of its own
        raise ValueError(f"a path that cannot be read ({type(error).__name__}: {error})") from None
    lines: list[list[tuple[float, float]]] = []
    for what, points in pen.value:
        if what == "moveTo":
            lines.append([points[0]])
        elif what in ("lineTo", "curveTo", "qCurveTo"):
            lines[-1] += _curve([lines[-1][-1], *points])
        elif what == "closePath":
            lines[-1].append(lines[-1][0])
    return lines


def _curve(controls: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points behind the first of a Bezier curve of any degree; of a straight one its end."""
    if len(controls) == 2:
        return controls[1:]
    time = np.linspace(0.0, 1.0, POINTS_PER_CURVE + 1)[1:, None]
    level = [np.array(point)[None] + 0.0 * time for point in controls]
    while len(level) > 1:
        level = [(1 - time) * a + time * b for a, b in pairwise(level)]
    return [(float(x), float(y)) for x, y in level[0]]


def _transform(text: str) -> Any:
    """The ``transform`` of an element; raises ``ValueError`` for one that is not known."""
    from fontTools.misc.transform import Transform

    result = Transform()
    for name, arguments in re.findall(r"(\w+)\s*\(([^)]*)\)", text):
        values = [float(number) for number in re.findall(_NUMBER, arguments)]
        step = _TRANSFORMS.get((name, len(values)))
        if step is None:
            raise ValueError(f"a transform that is not known: {name}({arguments})")
        result = result.transform(step(Transform(), values))
    return result


_TRANSFORMS: dict[tuple[str, int], Callable[[Any, list[float]], Any]] = {
    ("matrix", 6): lambda t, v: t.transform(tuple(v)),
    ("translate", 1): lambda t, v: t.translate(v[0], 0.0),
    ("translate", 2): lambda t, v: t.translate(*v),
    ("scale", 1): lambda t, v: t.scale(v[0], v[0]),
    ("scale", 2): lambda t, v: t.scale(*v),
    ("rotate", 1): lambda t, v: t.rotate(math.radians(v[0])),
    ("rotate", 3): lambda t, v: t.translate(v[1], v[2]).rotate(math.radians(v[0])).translate(-v[1], -v[2]),
    ("skewX", 1): lambda t, v: t.skew(math.radians(v[0]), 0.0),
    ("skewY", 1): lambda t, v: t.skew(0.0, math.radians(v[0])),
}
