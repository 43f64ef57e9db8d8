"""Reader of the HumanML3D and KIT-ML folder layout, as people have it on disk.

    new_joint_vecs/ID.npy     features (T, 263) or (T, 251)
    texts/ID.txt              caption#tokens#start#end, one per line
    wordings/ID.txt           further sentences that say the same, one per line; not of the field's
    parts/ID.txt              as texts/, about parts of a clip that stays whole; not of the field's
    train.txt val.txt test.txt  one ID per line; mirrored clips are M + ID
    Mean.npy Std.npy          statistics of the features

Source: Guo et al., CVPR 2022. A caption with its own times is a clip of its own (its sub-clip).
Broken clips are reported and skipped, never fatal. Knows nothing of batches or networks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..motion.skeleton import HUMANML3D, Skeleton, skeleton_of_features
from ..storage import load_array, read_text_file
from .captions import Caption, read_texts
from .statistics import Statistics, load_statistics

# The field's readers turn times in texts/ into frames at HumanML3D's rate, for KIT-ML too.
TAG_FPS = HUMANML3D.fps
WORDINGS = "wordings"
PARTS = "parts"
# A caption is about what is left of its span when at least this share of it lies within the motion.
LEAST_SHARE = 0.8


@dataclass(frozen=True)
class PartCaption:
    """A sentence about the frames ``start`` to ``end`` (without it) of a clip."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Clip:
    """One training example.

    id: name of its files; a sub-clip's with the caption's number.
    features: (T, 12J-1) float32, not normalised.
    captions: sentences that are true of it.
    wordings: further sentences, chosen for variety, that text encoders learn from and captioners do not.
    parts: sentences about some of its frames, which a generator learns from that is told the others.
    """

    id: str
    features: np.ndarray
    captions: tuple[str, ...]
    wordings: tuple[str, ...] = ()
    parts: tuple[PartCaption, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Captions and wordings."""
        return self.captions + self.wordings


@dataclass
class ReadReport:
    """What a split held: clips read, and the reason for each one skipped."""

    read: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    def reasons(self) -> dict[str, int]:
        """How many clips were skipped for each reason."""
        return dict(Counter(self.skipped.values()))


@dataclass(frozen=True)
class FramesLimit:
    """Clips shorter than ``least`` frames or longer than ``most`` are skipped."""

    least: int
    most: int


# The length filter of the field's evaluation (Guo et al.); training may use every clip.
FIELD_LIMITS = {"humanml3d": FramesLimit(40, 199), "kit": FramesLimit(24, 199)}


@dataclass(frozen=True)
class Dataset:
    """A folder in the field's layout."""

    root: Path
    skeleton: Skeleton
    statistics: Statistics

    def ids(self, split: str) -> list[str]:
        """Clip ids of a split, in the file's order; raises ``ValueError`` when the file is missing."""
        path = self.root / f"{split}.txt"
        if not path.is_file():
            raise ValueError(f"{path}: missing; it lists the clips of the {split} split")
        return _lines(path)

    def clips(self, split: str, limit: FramesLimit) -> tuple[list[Clip], ReadReport]:
        """All clips of a split, sub-clips included, and the report of what was skipped.

        A clip without captions stays, with none: the motion tokenizer needs no text. A name that the split
        lists several times counts as often, and is read once.
        """
        clips: list[Clip] = []
        report = ReadReport()
        known: dict[str, list[Clip]] = {}
        for name in self.ids(split):
            try:
                if name not in known:
                    known[name] = self._read(name, limit, report)
                clips += known[name]
                report.read += 1
            except _SkippedError as reason:
                report.skipped[name] = str(reason)
        return clips, report

    def _read(self, name: str, limit: FramesLimit, report: ReadReport) -> list[Clip]:
        features = _features(self.root / "new_joint_vecs", name, self.skeleton)
        captions = _captions(self.root / "texts" / f"{name}.txt", "text file")
        if reason := _beyond(limit, len(features)):
            raise _SkippedError(reason)
        whole = tuple(c.text for c in captions if c.whole_clip)
        further: list[str] = []
        parts: list[PartCaption] = []
        if whole:
            wordings = self.root / WORDINGS / f"{name}.txt"
            further = _lines(wordings) if wordings.is_file() else []
            of_parts = _captions(self.root / PARTS / f"{name}.txt", "file of parts")
            parts = _parts(of_parts, len(features))
        clips = [Clip(name, features, whole, tuple(further), tuple(parts))] if whole or not captions else []
        for number, caption in enumerate(c for c in captions if not c.whole_clip):
            part = _frames_of_caption(features, caption)
            if part is None:
                report.skipped[f"{name}_{number}"] = "caption about times beyond the motion"
                continue
            if reason := _beyond(limit, len(part)):
                report.skipped[f"{name}_{number}"] = reason
                continue
            clips.append(Clip(f"{name}_{number}", part, (caption.text,)))
        return clips


def _beyond(limit: FramesLimit, frames: int) -> str | None:
    """Why a clip of so many frames is skipped; None when it is not."""
    if frames < limit.least:
        return f"shorter than {limit.least} frames"
    return f"longer than {limit.most} frames" if frames > limit.most else None


class _SkippedError(Exception):
    """Why one clip is left out; caught by the reader."""


def open_dataset(root: Path) -> Dataset:
    """The data set in a folder; raises ``ValueError`` naming what is missing.

    The skeleton is told from the first readable feature file.
    """
    root = Path(root)
    vectors = root / "new_joint_vecs"
    if not vectors.is_dir():
        raise ValueError(f"{root}: no data set here, expected the HumanML3D layout with new_joint_vecs/")
    skeleton = next(filter(None, map(_skeleton_of_file, sorted(vectors.glob("*.npy")))), None)
    if skeleton is None:
        raise ValueError(f"{vectors}: no feature file (T, 263) or (T, 251)")
    return Dataset(root, skeleton, load_statistics(root, skeleton.feature_size))


def _skeleton_of_file(path: Path) -> Skeleton | None:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    return skeleton_of_features(array.shape[1]) if array.ndim == 2 else None


def _features(folder: Path, name: str, skeleton: Skeleton) -> np.ndarray:
    path = folder / f"{name}.npy"
    # Split files come from elsewhere: a name must not reach outside the data set.
    if path.parent.resolve() != folder.resolve() or not path.is_file():
        raise _SkippedError("no feature file")
    try:
        array = load_array(path)
    except (ValueError, EOFError, OSError):
        raise _SkippedError("unreadable feature file") from None
    if array.ndim != 2 or array.shape[1] != skeleton.feature_size:
        raise _SkippedError(f"not {skeleton.feature_size} numbers per frame")
    if not np.isfinite(array).all():
        raise _SkippedError("NaN or infinite numbers")
    return array.astype(np.float32, copy=False)


def _frames_of_caption(features: np.ndarray, caption: Caption) -> np.ndarray | None:
    """The frames that a caption with times is about; None when most of them lie beyond the motion."""
    last = len(features) / TAG_FPS
    end = last if caption.end == math.inf else caption.end
    if caption.start >= last or (
        end > caption.start and last - caption.start < LEAST_SHARE * (end - caption.start)
    ):
        return None
    return features[int(caption.start * TAG_FPS) : int(end * TAG_FPS)]


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_text_file(path).split("\n") if line.strip()]


def _captions(path: Path, kind: str) -> list[Caption]:
    """The captions of a file that need not be there; ``kind`` says what cannot be read."""
    if not path.is_file():
        return []
    try:
        return read_texts(path)
    except ValueError:
        raise _SkippedError(f"unreadable {kind}") from None


def _parts(captions: Sequence[Caption], frames: int) -> list[PartCaption]:
    """Sentences with their frames, those alone that lie within the clip's."""
    last = frames / TAG_FPS
    parts = [
        PartCaption(c.text, round(c.start * TAG_FPS), round(min(c.end, last) * TAG_FPS)) for c in captions
    ]
    return [part for part in parts if 0 <= part.start < part.end <= frames]
