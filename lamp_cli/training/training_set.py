"""What a pretraining run learns from, read from a data set folder. Knows no networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.layout import Clip, FramesLimit, ReadReport, open_dataset
from ..data.sentences import read_paraphrases
from ..data.statistics import Statistics, with_feature_bias
from ..motion.skeleton import Skeleton
from ..synthetic.corpus import reworded
from .experiment import DataConfig
from .run_record import data_fingerprint

VALIDATION_NEEDED = (
    "the best weights are chosen by validation: prepare more than one captioned motion, or list in it some "
    "clips that train.txt does not list"
)
# Enough of them for every exchange of words to be met.
REWORDED_SENTENCES = 30_000


@dataclass(frozen=True)
class Corpus:
    """Clips of both splits, and groups of sentences without motions that say the same."""

    skeleton: Skeleton
    statistics: Statistics
    train: Sequence[Clip]
    val: Sequence[Clip]
    read: dict[str, ReadReport]
    paraphrases: Sequence[Sequence[str]] = ()

    @property
    def sentences(self) -> list[str]:
        """Those without motions."""
        return list(dict.fromkeys(sentence for group in self.paraphrases for sentence in group))

    def fingerprint(self) -> dict[str, str]:
        """Digests of sentences, features and statistics."""
        clips = ((clip.id, clip.features, clip.sentences) for clip in (*self.train, *self.val))
        return data_fingerprint(clips, self.statistics)

    def vocabulary_sentences(self, reworded_too: bool) -> list[str]:
        """Those whose words the vocabulary must hold; some ``reworded_too``, in other words."""
        of_clips = (sentence for clip in self.train for sentence in clip.sentences)
        every = list(dict.fromkeys([*of_clips, *self.sentences]))
        if not reworded_too:
            return every
        rng = np.random.default_rng(0)
        some = every[:: max(1, len(every) // REWORDED_SENTENCES)]
        return [*every, *(reworded(sentence, rng) for sentence in some)]


def read_corpus(data: Path, captions: Path | None, config: DataConfig) -> Corpus:
    """A data set folder, and a file of more ``captions``; raises ``ValueError`` when there is no val clip."""
    dataset = open_dataset(data)
    statistics = with_feature_bias(dataset.statistics, dataset.skeleton, config.feature_bias)
    limits = FramesLimit(config.least_frames, config.most_frames)
    train_clips, train_report = dataset.clips("train", limits)
    if not (data / "val.txt").is_file():
        raise ValueError(f"{data / 'val.txt'}: missing; {VALIDATION_NEEDED}")
    val_clips, val_report = dataset.clips("val", limits)
    if not val_clips:
        raise ValueError(f"{data / 'val.txt'}: no usable clip; {VALIDATION_NEEDED}")
    paraphrases = [] if captions is None else read_paraphrases(captions)
    reports = {"train": train_report, "val": val_report}
    return Corpus(dataset.skeleton, statistics, train_clips, val_clips, reports, paraphrases)
