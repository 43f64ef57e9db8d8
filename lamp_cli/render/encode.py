"""Pictures -> mp4, gif, webp, or a png strip of poses. One picture at a time, so length costs no memory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

STRIP_POSES = 8


def write_mp4(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    """H.264, yuv420p, the index in front: plays in a browser while it loads.

    Without PyAV a system's own ``ffmpeg`` does it. Raises ``ValueError`` when there is neither.
    """
    try:
        import av
    except ImportError:
        _write_by_ffmpeg(frames, fps, path)
        return
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


def _write_by_ffmpeg(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise ValueError("mp4 needs the package av or the program ffmpeg, neither is here; use --format webp")
    first = next(frames)
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "20", "-movflags", "+faststart", str(path)]
    command = [program, "-v", "error", "-y", *raw, *coded]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stderr is not None
        for picture in chain([first], frames):
            process.stdin.write(np.ascontiguousarray(picture[:height, :width]).tobytes())
        process.stdin.close()
        message = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise OSError(f"ffmpeg failed: {message.splitlines()[-1] if message else process.returncode}")


def write_animation(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    from PIL import Image

    first = Image.fromarray(next(frames))
    rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)


def write_strip(frames: Iterator[np.ndarray], fps: float, path: Path) -> None:
    """A png of poses side by side, evenly spaced in time; holds no more frames than a few strips of them."""
    from PIL import Image

    kept: list[np.ndarray] = []
    every, last = 1, None
    for number, frame in enumerate(frames):
        last = frame
        if number % every == 0:
            kept.append(frame)
        if len(kept) > 8 * STRIP_POSES:
            kept, every = kept[::2], 2 * every
    assert last is not None
    chosen = np.linspace(0, len(kept) - 1, min(STRIP_POSES, len(kept))).round().astype(int)
    strip = [kept[i] for i in chosen]
    strip[-1] = last
    Image.fromarray(np.concatenate(strip, axis=1)).save(path)


ENCODERS: dict[str, Callable[[Iterator[np.ndarray], float, Path], None]] = {
    ".mp4": write_mp4,
    ".gif": write_animation,
    ".webp": write_animation,
    ".png": write_strip,
}
