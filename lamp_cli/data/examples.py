"""One example of a data set on disk: joints, features, sentences; written whole, read back by ``layout``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.representation import joints_to_features
from ..motion.skeleton import Skeleton
from ..storage import read_text_file, write_array, write_text
from .captions import Caption, format_captions, parse_captions

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
    name: str, joints: np.ndarray, captions: Sequence[str], skeleton: Skeleton, output: Path, split: str = ""
) -> WrittenExample:
    """Write joints (T, J, 3) in metres, their features and their captions under ``name``."""
    text = format_captions([Caption(caption) for caption in captions])
    return write_example_with_text(name, joints, text, skeleton, output, split)


def write_example_with_text(
    name: str, joints: np.ndarray, text: str, skeleton: Skeleton, output: Path, split: str = ""
) -> WrittenExample:
    """As :func:`write_example`, with the content of the text file."""
    write_array(output / "new_joints" / f"{name}.npy", joints.astype(np.float32))
    write_array(output / "new_joint_vecs" / f"{name}.npy", joints_to_features(joints, skeleton))
    # The text comes last: it marks the clip as complete.
    write_text(output / "texts" / f"{name}.txt", text)
    return WrittenExample(name, split, len(joints) - 1, len(parse_captions(text)))


def written_example(name: str, output: Path, split: str = "") -> WrittenExample | None:
    """A complete example as :func:`write_example` returned it, None when it is not there."""
    text = output / "texts" / f"{name}.txt"
    if not text.is_file():
        return None
    features = np.load(output / "new_joint_vecs" / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return WrittenExample(name, split, len(features), len(parse_captions(read_text_file(text))))
