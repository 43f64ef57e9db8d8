"""Motions -> mp4, gif, webp or a png strip of poses. The picture itself is ``scene``'s work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..motion.representation import require_joints
from ..motion.skeleton import Skeleton, skeleton_of_joints
from ..storage import replacing
from .scene import SceneOptions, pictures

STRIP_POSES = 8


def render_motions(
    motions: Sequence[np.ndarray],
    fps: float,
    titles: Sequence[str],
    path: Path,
    options: SceneOptions | None = None,
) -> Path:
    """Write motions, each (T, J, 3) metres, side by side with their titles; the suffix is the format.

    Frames are drawn and encoded one by one, so that long clips need no more memory. Raises
    ``ValueError`` for joints that are no motion or an unknown suffix.
    """
    writers: dict[str, Callable[..., None]] = {
        ".mp4": _write_mp4,
        ".gif": _write_animation,
        ".webp": _write_animation,
        ".png": _write_strip,
    }
    if path.suffix.lower() not in writers:
        raise ValueError(f"{path}: expected a name ending in {', '.join(writers)}")
    if not motions:
        raise ValueError("no motion to render")
    bodies = [np.asarray(motion) for motion in motions]
    for body in bodies:
        skeleton_to_render(body)
    frames = _panels(bodies, titles, options or SceneOptions())
    with replacing(path) as temporary:
        writers[path.suffix.lower()](frames, fps, temporary)
    return path


def _panels(motions: list[np.ndarray], titles: Sequence[str], options: SceneOptions) -> Iterator[np.ndarray]:
    columns = [_panel(motion, title, options) for motion, title in zip(motions, titles, strict=True)]
    shown: list[np.ndarray] = [next(column) for column in columns]
    yield np.concatenate(shown, axis=1)
    for _ in range(1, max(map(len, motions))):
        # A shorter motion stands still in its last pose until the longest is over.
        shown = [next(column, last) for column, last in zip(columns, shown, strict=True)]
        yield np.concatenate(shown, axis=1)


def _panel(motion: np.ndarray, title: str, options: SceneOptions) -> Iterator[np.ndarray]:
    skeleton = skeleton_to_render(motion)
    ink, cover = _title(title, options.width, options.height)
    rows = len(cover)
    for picture in pictures(motion, skeleton, options):
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


def _title(text: str, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour (3,) and coverage (rows, W, 1) of the title, wrapped to the picture's width."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), max(11, height // 26))
    lines = _wrapped(" ".join(text.split()), lambda line: font.getlength(line) <= 0.92 * width)[:4]
    step = int(1.35 * font.size)
    mask = Image.new("L", (width, step * (len(lines) + 1)), 0)
    draw = ImageDraw.Draw(mask)
    for number, line in enumerate(lines):
        draw.text((0.04 * width, step * (number + 0.5)), line, fill=255, font=font)
    cover = np.asarray(mask, np.float32)[: height // 2, :, None] / 255
    return np.array([40.0, 44.0, 52.0], np.float32), cover


def _wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    lines = [""]
    for word in text[:400].split(" "):
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


def _write_mp4(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    """H.264, yuv420p, the index in front: plays in a browser while it loads."""
    import av

    first = next(frames)
    # yuv420p halves the colour planes, so both sides must be even.
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One thread: x264's output depends on their number.
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "20", "preset": "superfast"}
        for picture in chain([first], frames):
            container.mux(stream.encode(_video_frame(picture, height, width)))
        container.mux(stream.encode())


def _video_frame(picture: np.ndarray, height: int, width: int) -> Any:
    import av

    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")


def _write_animation(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    from PIL import Image

    first = Image.fromarray(next(frames))
    rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)


def _write_strip(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    from PIL import Image

    every = list(frames)
    chosen = np.linspace(0, len(every) - 1, min(STRIP_POSES, len(every))).round().astype(int)
    Image.fromarray(np.concatenate([every[i] for i in chosen], axis=1)).save(path)
