"""What decides a training run beside its data, its seed and its stages, as one value.

A named size is such a value, written as a file (``sizes/``); ``experiment_files`` reads and writes them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..bundle.config import ModelConfig
from ..model.captioner import CaptionerConfig
from ..model.evaluator import EvaluatorConfig
from ..model.generator import GeneratorConfig
from ..model.lamp import LampConfig
from ..model.length import LengthConfig
from ..model.tokenizer import TokenizerConfig
from .loop import TrainingConfig

CORE = ("tokenizer", "lamp", "generator")
CAPTIONER = "captioner"
LANGUAGE = "language"
STAGES = (*CORE, CAPTIONER)


@dataclass(frozen=True)
class DataConfig:
    """What is learned from of a data set, and how it is drawn.

    feature_bias: the std of root and contacts is divided by it, so that they weigh more: 5 in the field's
        papers, 25 in the statistics that it published.
    least_frames: of a clip; shorter ones are left out.
    most_frames: of a clip; longer ones are left out.
    window: frames of what the motion tokenizer trains on.
    word_pieces: about how many the vocabulary holds.
    evaluator_words: the most that an evaluator knows.
    reworded_share: of the sentences, put in other words: for a corpus that has few of its own.
    misspelt_share: of the sentences that LaMP and the generator read, one word with a typing error.
    sorted_steps: of the generator; clips of so many steps are sorted by length, so that a batch has little
        padding, and the steps taken in a drawn order. 1 sorts nothing, as the field.

    Raises ``ValueError`` for a number out of its range.
    """

    feature_bias: float = 25.0
    least_frames: int = 40
    most_frames: int = 199
    window: int = 64
    word_pieces: int = 30522
    evaluator_words: int = 10_000
    reworded_share: float = 0.0
    sorted_steps: int = 1
    misspelt_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("window", "word_pieces", "evaluator_words", "sorted_steps", "least_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if self.feature_bias <= 0:
            raise ValueError(f"feature_bias: expected a number above 0, found {self.feature_bias}")
        if self.most_frames < self.least_frames:
            found = f"{self.least_frames} and {self.most_frames}"
            raise ValueError(f"least_frames, most_frames: expected one not above the other, found {found}")
        for name in ("reworded_share", "misspelt_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a share from 0 to 1, found {getattr(self, name)}")


@dataclass(frozen=True)
class StageTraining:
    """How each stage is trained; the captioner's language is a stage of its own."""

    tokenizer: TrainingConfig
    lamp: TrainingConfig
    generator: TrainingConfig
    language: TrainingConfig
    captioner: TrainingConfig
    evaluator: TrainingConfig

    def of(self, stage: str) -> TrainingConfig:
        """How the stage of this name is trained."""
        found: TrainingConfig = getattr(self, stage)
        return found


@dataclass(frozen=True)
class Experiment:
    """Networks and their training.

    text_encoder: what LaMP's text side starts from, as ``bundle.text_encoder.find_text_encoder`` takes it.
    judge: evaluator of FID, ``guo:FOLDER`` or an evaluator's folder, where the best weights of a stage are
        chosen by it; empty for none.
    data: what is learned from.
    tokenizer: motion tokenizer.
    lamp: language-motion model and its objectives.
    generator: masked transformer.
    length: length head.
    captioner: captioner; with a language model its decoder is that.
    evaluator: evaluator of Guo et al.'s design.
    training: of every stage.
    """

    text_encoder: str
    judge: str
    data: DataConfig
    tokenizer: TokenizerConfig
    lamp: LampConfig
    generator: GeneratorConfig
    length: LengthConfig
    captioner: CaptionerConfig
    evaluator: EvaluatorConfig
    training: StageTraining

    def model(self) -> ModelConfig:
        """The networks of a bundle, but the captioner, which comes later."""
        return ModelConfig(self.tokenizer, self.lamp, self.generator, self.length)

    def with_vocabulary(self, pieces: int) -> Experiment:
        """The same with a vocabulary of so many pieces, which is known when the corpus has been read."""
        qformer = dataclasses.replace(self.lamp.qformer, vocabulary=pieces)
        captioner = self.captioner
        if captioner.embedded is not None:
            embedded = dataclasses.replace(captioner.embedded, vocabulary=pieces)
            captioner = dataclasses.replace(captioner, embedded=embedded)
        if captioner.adapter is not None:
            adapter = dataclasses.replace(captioner.adapter, qformer=qformer)
            captioner = dataclasses.replace(captioner, adapter=adapter)
        lamp = dataclasses.replace(self.lamp, qformer=qformer)
        return dataclasses.replace(self, lamp=lamp, captioner=captioner)
