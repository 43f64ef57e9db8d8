"""Pictures -> mp4, gif, webp, or a png strip of poses. One picture at a time, so length costs no memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

STRIP_POSES = 8
# Browsers show a picture for a tenth of a second when an animation asks for less than this, milliseconds.
LEAST_DELAY = 20


@dataclass(frozen=True)
class Footage:
    """Pictures to encode.

    draw: makes the RGB pictures (H, W, 3) uint8, all of one size, of rising numbers, as they are asked for.
    count: how many pictures there are.
    fps: pictures per second.
    """

    draw: Callable[[Sequence[int]], Iterator[np.ndarray]]
    count: int
    fps: float


def write_mp4(footage: Footage, path: Path) -> None:
    """H.264, yuv420p, the index in front: plays in a browser while it loads."""
    import av

    pictures = footage.draw(range(footage.count))
    first = next(pictures)
    # yuv420p halves the colour planes, so both sides must be even.
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(footage.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One thread: x264's output depends on their number.
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "20", "preset": "superfast"}
        for picture in chain([first], pictures):
            cut = np.ascontiguousarray(picture[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode())


def write_animation(footage: Footage, path: Path, unit: int) -> None:
    """An animation that lasts as long as the motion; the format counts in ``unit`` milliseconds."""
    from PIL import Image

    stride, delays = animation_delays(footage.count, footage.fps, unit)
    shown = map(Image.fromarray, footage.draw(range(0, footage.count, stride)))
    next(shown).save(path, save_all=True, append_images=shown, duration=delays, loop=0)


def animation_delays(count: int, fps: float, unit: int) -> tuple[int, list[int]]:
    """Every how many pictures one is shown, and how long each of those stands, in milliseconds.

    ``unit`` is what the format counts in. Rounding errors do not add up, and no picture stands for less
    than browsers grant: of faster motions pictures are left out.
    """
    stride = max(1, math.ceil(LEAST_DELAY * fps / 1000 - 1e-9))
    ends = [round(1000 * min(first + stride, count) / fps / unit) for first in range(0, count, stride)]
    delays = [unit * (end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    # Left over from whole strides, the last picture may stand for less.
    delays[-1] = max(delays[-1], LEAST_DELAY)
    return stride, delays


def write_strip(footage: Footage, path: Path) -> None:
    """A png of poses side by side, evenly spaced in time."""
    from PIL import Image

    chosen = np.linspace(0, footage.count - 1, min(STRIP_POSES, footage.count)).round()
    strip = list(footage.draw(chosen.astype(int).tolist()))
    Image.fromarray(np.concatenate(strip, axis=1)).save(path)


ENCODERS: dict[str, Callable[[Footage, Path], None]] = {
    ".mp4": write_mp4,
    ".gif": partial(write_animation, unit=10),
    ".webp": partial(write_animation, unit=1),
    ".png": write_strip,
}
