"""Motions made from closed forms, shared by the tests."""

from __future__ import annotations

import os

# One thread a process, before any library that starts threads is imported; subprocesses inherit it. On a busy
# machine the threads of small tensors wait for each other ten times as long as they compute.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import pytest

from lamp_cli.motion.skeleton import HUMANML3D, Skeleton


def standing(skeleton: Skeleton) -> np.ndarray:
    """One standing pose (J, 3) with arms hanging, metres, facing +z."""
    pose = np.zeros((skeleton.joints, 3))
    lengths = skeleton.bone_lengths or (0.2,) * skeleton.joints
    hanging = ("elbow", "wrist", "knee", "ankle")
    for joint in skeleton.order:
        name = skeleton.joint_names[joint]
        direction = np.array(skeleton.rest_directions[joint], dtype=float)
        if any(part in name for part in hanging):
            direction = np.array([0.0, -1.0, 0.0])
        if "shoulder" in name or "collar" in name or "hip" in name:
            direction = np.array([1.0 if name.startswith("left") else -1.0, 0.0, 0.0])
        if name == "head":
            direction = np.array([0.0, 1.0, 0.0])
        pose[joint] = pose[skeleton.parents[joint]] + direction * lengths[joint]
    pose[:, 1] -= pose[:, 1].min()
    return pose


def wandering(skeleton: Skeleton, frames: int, seed: int = 0) -> np.ndarray:
    """A body (T, J, 3) that wobbles smoothly, walks along a curve and turns, metres."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / skeleton.fps
    pose = np.repeat(standing(skeleton)[None], frames, axis=0)
    phase = rng.uniform(0, 2 * np.pi, size=(skeleton.joints, 3))
    pose = pose + 0.03 * np.sin(3.0 * time[:, None, None] + phase)
    yaw = 0.6 * np.sin(0.5 * time) + 0.2 * time
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x = pose[..., 0] * cos + pose[..., 2] * sin
    z = -pose[..., 0] * sin + pose[..., 2] * cos
    path = np.cumsum(np.stack([np.sin(yaw), np.cos(yaw)], axis=1) / skeleton.fps, axis=0)
    return np.stack([x + path[:, :1], pose[..., 1], z + path[:, 1:]], axis=-1)


def stepping(seconds_of_a_step: float, fps: float) -> np.ndarray:
    """Joints (T, 22, 3) of someone who marches on the spot, eight steps, metres."""
    frames = round(seconds_of_a_step * fps)
    joints = np.repeat(standing(HUMANML3D)[None], 8 * frames, axis=0)
    phase = np.linspace(0, 2 * np.pi, frames)
    circle = 0.05 * np.stack([0 * phase, 1 - np.cos(phase), np.sin(phase)], axis=1)
    for number in range(8):
        side = ("left", "right")[number % 2]
        foot = [HUMANML3D.joint_names.index(f"{side}_{name}") for name in ("ankle", "foot")]
        joints[number * frames : (number + 1) * frames, foot] += circle[:, None]
    return joints


@pytest.fixture
def walk() -> np.ndarray:
    return wandering(HUMANML3D, 120)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first: begun last, it would leave every other process idle.

    Then those that share what takes longest to make: at the end, where pytest-xdist deals tests out by twos,
    every process would make it. Then short ones, since an eighth of all waits behind the longest.
    """
    first = ("test_readme", "test_two_ranks", "tests/files/")
    items.sort(key=lambda item: next((n for n, name in enumerate(first) if name in item.nodeid), len(first)))
