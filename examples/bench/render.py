"""Benchmark of video: ``python -m examples.bench.render``, beside matplotlib as the field draws with it.

The same 196 frames in the same run, written as mp4 through the same encoder; frames/s and peak memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FRAMES = 196


def ours(joints: np.ndarray, size: int, path: Path) -> None:
    """Write the video with lamp's renderer."""
    from lamp_cli.render.camera import SceneOptions
    from lamp_cli.render.video import render_motions

    render_motions([joints], 20.0, ["a person walks"], path, SceneOptions(size, size))


def matplotlibs(joints: np.ndarray, size: int, path: Path) -> None:
    """Write the video as the field's scripts do: lines in 3-D axes, redrawn for every frame."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.animation import FuncAnimation

    from lamp_cli.motion.skeleton import HUMANML3D
    from lamp_cli.render.encode import Footage, write_mp4

    figure = pyplot.figure(figsize=(size / 100, size / 100), dpi=100)
    axes = figure.add_subplot(projection="3d")
    bones = [(p, c) for c, p in enumerate(HUMANML3D.parents) if p >= 0]

    def update(number: int) -> None:
        axes.clear()
        axes.set(xlim=(-2, 2), ylim=(-2, 2), zlim=(0, 2), title="a person walks")
        for parent, child in bones:
            ends = joints[number, [parent, child]]
            axes.plot(ends[:, 0], ends[:, 2], ends[:, 1], linewidth=3)

    animation = FuncAnimation(figure, update, frames=len(joints), init_func=lambda: None)

    def draw(numbers):  # type: ignore[no-untyped-def]
        for number in numbers:
            animation._func(number)
            figure.canvas.draw()
            yield np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()

    write_mp4(Footage(draw, len(joints), 20.0), path)


def measured(name: str, size: int) -> dict[str, float]:
    """Frames per second and peak MB of one way, in a process of its own."""
    command = [sys.executable, "-m", "examples.bench.render", name, str(size)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print a table; with a way and a size, measure that one alone and print JSON."""
    if len(sys.argv) == 3:
        from lamp_cli.motion.skeleton import HUMANML3D
        from tests.conftest import wandering

        joints = wandering(HUMANML3D, FRAMES).astype(np.float32)
        draw = {"ours": ours, "matplotlib": matplotlibs}[sys.argv[1]]
        with tempfile.TemporaryDirectory() as folder:
            draw(joints[:2], int(sys.argv[2]), Path(folder) / "first.mp4")
            begun = time.perf_counter()
            draw(joints, int(sys.argv[2]), Path(folder) / "a.mp4")
            seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"frames_per_second": FRAMES / seconds, "seconds": seconds, "peak_mb": peak}))
        return
    for size in (480, 640, 1080):
        one, other = measured("ours", size), measured("matplotlib", size)
        ratio = one["frames_per_second"] / other["frames_per_second"]
        for name, figures in (("ours", one), ("matplotlib", other)):
            print(f"{size:5d} {name:11s} " + "  ".join(f"{k} {v:.1f}" for k, v in figures.items()))
        print(f"{size:5d} ratio       {ratio:.1f}")


if __name__ == "__main__":
    main()
