"""Benchmarks: ``python -m examples.bench [--model BUNDLE] [--json]``. Timings live here, never in tests.

Everything is measured in one run on one machine, on made-up motions, so that ratios mean something.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

# The parent's memory would count in its rusage of children, so the child reports its own peak (KiB).
MEASURED = """
import re, sys
from lamp_cli.cli.app import main
try:
    main(sys.argv[1:])
except SystemExit:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
"""


def rate(work: Callable[[], object], count: float, seconds: float = 3.0) -> float:
    """``count`` units per second of ``work``, over at least ``seconds`` after one warm-up call."""
    work()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        work()
        calls += 1
    return calls * count / (time.perf_counter() - begun)


def motion_benchmarks() -> dict[str, float]:
    """The representation, files and the renderer, frames per second."""
    from lamp_cli.files.bvh import load_bvh, save_bvh
    from lamp_cli.motion.joint_rotations import joint_rotations
    from lamp_cli.motion.motion import Motion
    from lamp_cli.motion.representation import features_to_joints, joints_to_features
    from lamp_cli.motion.skeleton import HUMANML3D
    from lamp_cli.render.video import render_motions
    from tests.conftest import wandering

    joints = wandering(HUMANML3D, 197)
    features = joints_to_features(joints, HUMANML3D)
    with tempfile.TemporaryDirectory() as folder:
        path, bvh = Path(folder) / "a.mp4", Path(folder) / "a.bvh"
        motion = Motion(joints, HUMANML3D, 20.0)
        return {
            "joints to features, frames/s": rate(lambda: joints_to_features(joints, HUMANML3D), 196),
            "features to joints, frames/s": rate(lambda: features_to_joints(features, HUMANML3D), 196),
            "joints to rotations, frames/s": rate(lambda: joint_rotations(joints, HUMANML3D, 20.0), 197),
            "BVH written, frames/s": rate(lambda: save_bvh(bvh, motion), 197),
            "BVH read, frames/s": rate(lambda: load_bvh(bvh), 197),
            "video 480x480, frames/s": rate(lambda: render_motions([joints], 20.0, ["a walk"], path), 197),
        }


def training_benchmarks() -> dict[str, float]:
    """Training steps of the mini size, clips per second (forward, backward, optimiser)."""
    import torch

    from lamp_cli.bundle.bundle import build_networks
    from lamp_cli.inference.precision import autocast
    from lamp_cli.model.lamp import PretrainingBatch
    from lamp_cli.model.qformer import Text
    from lamp_cli.motion.skeleton import HUMANML3D
    from lamp_cli.training.experiment_files import size_named

    device = torch.device("cpu")
    model = size_named("mini", HUMANML3D).with_vocabulary(8001).model()
    tokenizer, lamp, _ = build_networks(model, 8000)
    draw = torch.Generator().manual_seed(0)
    windows = torch.randn(256, 64, 263, generator=draw)
    full = torch.ones(64, 49, dtype=torch.bool)
    pairs = PretrainingBatch(
        torch.randn(64, 49, model.tokenizer.code_width, generator=draw),
        full,
        torch.randint(512, (64, 49), generator=draw),
        Text(torch.randint(5, 8000, (64, 24), generator=draw), full[:, :24]),
        torch.arange(64),
        torch.arange(64),
    )

    def step(network: torch.nn.Module, batch: object) -> None:
        with autocast(device):
            loss = network(batch, torch.Generator().manual_seed(0))["loss"]
        network.zero_grad()
        loss.backward()

    return {
        "tokenizer training, windows/s": rate(lambda: step(tokenizer, windows), 256),
        "LaMP training, clips/s": rate(lambda: step(lamp, pairs), 64),
    }


def generation_benchmarks(bundle_folder: Path) -> dict[str, float]:
    """Generation: warm seconds per motion of 6 s, and the whole cold command with its peak memory."""
    import torch

    from lamp_cli.bundle.bundle import load_bundle
    from lamp_cli.inference.generate import GenerateOptions, Prompt, generate

    bundle = load_bundle(bundle_folder, torch.device("cpu"))
    texts = [f"a person walks {k}" for k in range(32)]

    def run(count: int) -> list[object]:
        return list(
            generate(bundle, [Prompt(text, 120) for text in texts[:count]], GenerateOptions(candidates=1))
        )

    figures = {
        "generation warm, batch 1, s/motion": 1 / rate(lambda: run(1), 1),
        "generation warm, batch 32, s/motion": 1 / rate(lambda: run(32), 32),
    }
    with tempfile.TemporaryDirectory() as folder:
        words = ["generate", "a person jumps", "--frames", "120", "--seed", "0", "--output", folder]
        command = [sys.executable, "-c", MEASURED, *words, "--model", str(bundle_folder)]
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures["generation cold with video, s"] = time.perf_counter() - begun
        figures["generation cold, peak MB"] = int(done.stderr.split()[-1]) / 1024
    return figures


def help_benchmark() -> dict[str, float]:
    """``lamp --help``, warm."""
    command = [sys.executable, "-m", "lamp_cli", "--help"]
    return {"lamp --help, s": 1 / rate(lambda: subprocess.run(command, capture_output=True), 1, 1.0)}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle for the generation figures")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    np.seterr(all="raise", under="ignore")
    figures = {**help_benchmark(), **motion_benchmarks(), **training_benchmarks()}
    if options.model is not None:
        figures.update(generation_benchmarks(options.model))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:40s} {value:10.3g}")


if __name__ == "__main__":
    main()
