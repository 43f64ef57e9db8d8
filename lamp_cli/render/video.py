"""Motions -> one moving picture of them all, with titles. Drawing is ``scene``'s work, files ``encode``'s."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..motion.representation import require_joints
from ..motion.skeleton import Skeleton, skeleton_of_joints
from ..motion.surface import Surface
from ..storage import replacing
from .encode import ENCODERS, Footage
from .fonts import font_for
from .scene import BACKGROUND, SceneOptions, pictures

MOST_IN_A_ROW = 4
# Pixels; below it nobody reads a title.
SMALLEST_LETTERS = 9
# From line to line, in heights of letters.
LINE_STEP = 1.35
# Of a title; more is no sentence.
MOST_LETTERS = 1000


def render_motions(
    motions: Sequence[np.ndarray],
    fps: float,
    titles: Sequence[str],
    path: Path,
    options: SceneOptions | None = None,
    surfaces: Sequence[Surface] = (),
    report: Callable[[int, int], None] | None = None,
) -> Path:
    """Write motions, each (T, J, 3) metres, in a grid with their titles; the suffix is the format.

    surfaces: one for each motion, drawn in place of the body around its joints.
    report: told how many of how many pictures are drawn, after each.

    Frames are drawn and encoded one by one, so that long clips need no more memory; those that the format
    does not show are not drawn. Raises
    ``ValueError`` for joints that are no motion or an unknown suffix.
    """
    if path.suffix.lower() not in ENCODERS:
        raise ValueError(f"{path}: expected a name ending in {', '.join(ENCODERS)}")
    if not motions:
        raise ValueError("no motion to render")
    bodies = [np.asarray(motion) for motion in motions]
    for body in bodies:
        skeleton_to_render(body)

    def draw(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        panels = _panels(bodies, fps, titles, options or SceneOptions(), surfaces, numbers)
        for done, picture in enumerate(panels, 1):
            yield picture
            if report is not None:
                report(done, len(numbers))

    with replacing(path) as temporary:
        footage = Footage(draw, max(map(len, bodies)), fps)
        ENCODERS[path.suffix.lower()](footage, temporary)
    return path


def _panels(
    motions: list[np.ndarray],
    fps: float,
    titles: Sequence[str],
    options: SceneOptions,
    surfaces: Sequence[Surface],
    numbers: Sequence[int],
) -> Iterator[np.ndarray]:
    """The grids of the frames of these rising ``numbers``."""
    meshes: Sequence[Surface | None] = surfaces or [None] * len(motions)
    panels = [
        _panel(motion, fps, title, options, mesh, sorted({min(n, len(motion) - 1) for n in numbers}))
        for motion, title, mesh in zip(motions, titles, meshes, strict=True)
    ]
    shown: list[np.ndarray] = [next(panel) for panel in panels]
    yield _grid(shown)
    for _ in numbers[1:]:
        # A shorter motion stands still in its last pose until the longest is over.
        shown = [next(panel, last) for panel, last in zip(panels, shown, strict=True)]
        yield _grid(shown)


def _grid(shown: list[np.ndarray]) -> np.ndarray:
    """Pictures of one size in one row, or from five on in rows of about equal length."""
    columns = len(shown) if len(shown) <= MOST_IN_A_ROW else math.ceil(math.sqrt(len(shown)))
    if len(shown) == 1:
        return shown[0]
    rows = [np.concatenate(shown[k : k + columns], axis=1) for k in range(0, len(shown), columns)]
    missing = rows[0].shape[1] - rows[-1].shape[1]
    if missing:
        empty = np.full((len(rows[-1]), missing, 3), BACKGROUND.astype(np.uint8))
        rows[-1] = np.concatenate([rows[-1], empty], axis=1)
    return np.concatenate(rows, axis=0)


def _panel(
    motion: np.ndarray,
    fps: float,
    title: str,
    options: SceneOptions,
    surface: Surface | None,
    numbers: Sequence[int],
) -> Iterator[np.ndarray]:
    skeleton = skeleton_to_render(motion)
    ink, cover, beyond = _title(title, options.width, options.height)
    rows, options = len(cover), replace(options, headroom=beyond)
    for picture in pictures(motion, skeleton, fps, options, surface, numbers):
        strip = picture[:rows].astype(np.float32)
        picture[:rows] = (strip + cover * (ink - strip) + 0.5).astype(np.uint8)
        yield picture


def skeleton_to_render(motion: np.ndarray) -> Skeleton:
    """The skeleton of joints (T, J, 3); raises ``ValueError`` when they are no motion or not finite."""
    skeleton = skeleton_of_joints(motion.shape[1]) if motion.ndim == 3 and len(motion) else None
    if skeleton is None:
        raise ValueError(f"expected joints (T, 22, 3) or (T, 21, 3) to render, found shape {motion.shape}")
    require_joints(motion, skeleton)
    return skeleton


def _title(text: str, width: int, height: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Colour (3,) and coverage (rows, W, 1) of a title, and the rows that it alone has: one line, none."""
    from PIL import Image, ImageDraw

    font, lines = title_lines(text, width, height)
    step = int(LINE_STEP * font.size)
    mask = Image.new("L", (width, step * (len(lines) + 1)), 0)
    draw = ImageDraw.Draw(mask)
    for number, line in enumerate(lines):
        draw.text((0.04 * width, step * (number + 0.5)), line, fill=255, font=font)
    cover = np.asarray(mask, np.float32)[: height // 2, :, None] / 255
    return np.array([40.0, 44.0, 52.0], np.float32), cover, len(cover) if len(lines) > 1 else 0


def title_lines(text: str, width: int, height: int) -> tuple[Any, list[str]]:
    """The Pillow font and the lines of a title on a picture of ``width`` and ``height`` pixels.

    Letters shrink until two fifths of the picture hold all of it; of what does not fit in the smallest,
    the end is left out and marked.
    """
    words, size = " ".join(text.split()), max(SMALLEST_LETTERS, height // 26)
    words = words if len(words) <= MOST_LETTERS else f"{words[:MOST_LETTERS]} ..."
    while True:
        font = font_for(text, size)
        most = max(1, int(0.4 * height / int(LINE_STEP * size)) - 1)
        lines = _wrapped(words, partial(_fits, font, 0.92 * width))
        if len(lines) <= most:
            return font, lines
        if size == SMALLEST_LETTERS:
            return font, [*lines[: most - 1], f"{lines[most - 1]} ..."]
        size -= 1


def _fits(font: Any, most: float, line: str) -> bool:
    return bool(font.getlength(line) <= most)


def _wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        while word and not fits(word):
            part = next(n for n in range(len(word), 0, -1) if n == 1 or fits(word[:n]))
            lines.append(word[:part])
            word = word[part:]
        joined = f"{lines[-1]} {word}".strip()
        if fits(joined):
            lines[-1] = joined
        else:
            lines.append(word)
    return [line for line in lines if line]
