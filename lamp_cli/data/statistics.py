"""Mean and standard deviation of features, as the field computes and uses them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.skeleton import Skeleton
from ..storage import load_array, write_array


@dataclass(frozen=True)
class Statistics:
    """``mean`` and ``std``, float32 arrays (12J-1,)."""

    mean: np.ndarray
    std: np.ndarray

    def normalise(self, features: np.ndarray) -> np.ndarray:
        """(features - mean) / std."""
        return (features - self.mean) / self.std

    def denormalise(self, features: np.ndarray) -> np.ndarray:
        """Features * std + mean."""
        return features * self.std + self.mean


def column_groups(skeleton: Skeleton) -> tuple[slice, ...]:
    """The seven groups of columns: turn, root step, height, positions, rotations, steps, contacts."""
    size = skeleton.joints
    widths = (1, 2, 1, 3 * (size - 1), 6 * (size - 1), 3 * size, 4)
    ends = np.cumsum(widths)
    return tuple(slice(int(end - width), int(end)) for end, width in zip(ends, widths, strict=True))


def compute_statistics(clips: Iterable[np.ndarray], skeleton: Skeleton) -> Statistics:
    """Statistics over all frames of ``clips`` (each (T, 12J-1)); the std is one number per group.

    Sums run in float64 in one pass, so that a corpus need not fit in memory. Raises ``ValueError``
    when there are no frames.
    """
    count = 0
    total = np.zeros(skeleton.feature_size)
    squares = np.zeros(skeleton.feature_size)
    for clip in clips:
        frames = clip.astype(np.float64)
        count += len(frames)
        total += frames.sum(axis=0)
        squares += (frames**2).sum(axis=0)
    if count == 0:
        raise ValueError("statistics need at least one frame")
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    for group in column_groups(skeleton):
        # A group that never moves (a corpus of one still pose) must not divide by zero.
        std[group] = max(float(std[group].mean()), 1e-6)
    return Statistics(mean.astype(np.float32), std.astype(np.float32))


def with_feature_bias(statistics: Statistics, skeleton: Skeleton, bias: float) -> Statistics:
    """The statistics used in training: std of root and contacts divided by ``bias``, 5 in the field."""
    std = statistics.std.copy()
    turn, step, height, *_, contacts = column_groups(skeleton)
    for group in (turn, step, height, contacts):
        std[group] /= bias
    return Statistics(statistics.mean, std)


def save_statistics(folder: Path, statistics: Statistics) -> None:
    """Write ``Mean.npy`` and ``Std.npy``."""
    write_array(folder / "Mean.npy", statistics.mean)
    write_array(folder / "Std.npy", statistics.std)


def load_statistics(folder: Path, size: int) -> Statistics:
    """Read ``Mean.npy`` and ``Std.npy`` of ``size`` numbers; raises ``ValueError`` as ``read_statistics``."""
    return read_statistics(folder / "Mean.npy", folder / "Std.npy", size)


def read_statistics(mean: Path, std: Path, size: int) -> Statistics:
    """Read two files of ``size`` numbers; raises ``ValueError`` unless all are finite, ``std`` positive."""
    arrays = []
    for path in (mean, std):
        try:
            array = load_array(path)
        except FileNotFoundError:
            raise ValueError(f"{path}: missing; it holds the features' statistics") from None
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path}: cannot be read as an array ({error})") from None
        if array.shape != (size,) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(f"{path}: expected {size} finite numbers, found shape {array.shape}")
        arrays.append(array.astype(np.float32))
    if (arrays[1] <= 0).any():
        raise ValueError(f"{std}: expected positive numbers")
    return Statistics(*arrays)
