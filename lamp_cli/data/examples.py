"""One example of a data set on disk: joints, features, sentences; written whole, read back by ``layout``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.representation import joints_to_features
from ..motion.skeleton import Skeleton
from ..storage import write_array, write_text
from .captions import Caption, format_captions

FOLDERS = ("new_joints", "new_joint_vecs", "texts")


@dataclass(frozen=True)
class WrittenExample:
    """What became of one clip that was to be written.

    id: name of its files.
    split: of the data set.
    frames: of features; 0 when it was not written.
    captions: number of them.
    mirrored: whether its mirror image was written too.
    reason: why it was not written; empty when it was.
    notes: what the reader of its motion repaired, in sentences.
    """

    id: str
    split: str
    frames: int
    captions: int = 0
    mirrored: bool = False
    reason: str = ""
    notes: tuple[str, ...] = ()


def write_example(
    name: str, joints: np.ndarray, captions: Sequence[str], skeleton: Skeleton, output: Path
) -> None:
    """Write joints (T, J, 3) in metres, their features and their captions under ``name``."""
    text = format_captions([Caption(caption) for caption in captions])
    write_example_with_text(name, joints, text, skeleton, output)


def write_example_with_text(
    name: str, joints: np.ndarray, text: str, skeleton: Skeleton, output: Path
) -> None:
    """As :func:`write_example`, with the content of the text file."""
    write_array(output / "new_joints" / f"{name}.npy", joints.astype(np.float32))
    write_array(output / "new_joint_vecs" / f"{name}.npy", joints_to_features(joints, skeleton))
    # The text comes last: it marks the clip as complete.
    write_text(output / "texts" / f"{name}.txt", text)


def frames_written(name: str, output: Path) -> int | None:
    """Feature frames of a complete example, None when it is not there."""
    if not (output / "texts" / f"{name}.txt").is_file():
        return None
    return len(np.load(output / "new_joint_vecs" / f"{name}.npy", mmap_mode="r", allow_pickle=False))
