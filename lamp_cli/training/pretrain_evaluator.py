"""Pretraining of an evaluator of Guo et al.'s design or MARDM's second, a run of its own."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch

from ..bundle.config import to_json
from ..bundle.released.evaluator import load_word_vectors
from ..bundle.trained_evaluator import TrainedEvaluatorConfig, save_evaluator
from ..data.evaluation_set import EvaluationSet, evaluation_set
from ..data.layout import open_dataset
from ..data.statistics import with_feature_bias
from ..data.word_tokens import WordList, words_of_captions
from ..model import distributed
from ..model.contrastive_evaluator import ContrastiveTraining
from ..model.evaluator import CLIP, EvaluatorConfig, EvaluatorTraining
from .curves import draw_curves
from .options import PretrainReport, RunContext
from .run_record import RUN, alone_in, claim, data_fingerprint, train_stage
from .stages.evaluator import EVALUATOR, LEAST_COUNT, EvaluatorData, EvaluatorStage


def pretrain_evaluator(data: Path, output: Path, context: RunContext) -> PretrainReport:
    """Train an evaluator on a data set folder and write it to ``output/evaluator``.

    Resumes in ``output/training/evaluator``. With ``word_vectors`` among the options (a folder with the
    ``our_vab`` files) its words have GloVe's vectors, which stay as they are. Raises ``ValueError`` as
    ``pretrain``.
    """
    options, experiment = context.options, context.experiment
    dataset = open_dataset(data)
    statistics = with_feature_bias(dataset.statistics, dataset.skeleton, experiment.data.feature_bias)
    train_set, train_report = evaluation_set(dataset, "train")
    val_set, val_report = evaluation_set(dataset, "val")
    context.announce_skipped({"train": train_report, "val": val_report})
    if options.word_vectors is not None and experiment.evaluator.design == CLIP:
        raise ValueError(
            "word vectors: an evaluator of design clip learns its own, of its transformers' width"
        )
    words, vectors = _words(train_set, experiment.data.evaluator_words, options.word_vectors)
    config = dataclasses.replace(experiment.evaluator, words=len(words))
    if vectors is not None:
        config = dataclasses.replace(config, word_width=vectors.shape[1])
    training = experiment.training.evaluator
    folder = output / "training" / EVALUATOR
    clips = (
        (c.id, c.features, [each.text for each in c.captions]) for c in (*train_set.clips, *val_set.clips)
    )
    identity = {
        "data": {"clips": len(train_set.clips), **data_fingerprint(clips, statistics)},
        "seed": options.seed,
        "model": to_json(config),
        "training": to_json(training),
        "words": hashlib.sha256("\n".join(words.words).encode()).hexdigest(),
        "word_vectors": None if vectors is None else str(options.word_vectors),
    }
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = training_of(config)
    if vectors is not None:
        assert isinstance(network, EvaluatorTraining)
        network.evaluator.word_vectors.weight.data = vectors
        network.evaluator.word_vectors.requires_grad_(False)
    stage = EvaluatorStage(
        network,
        EvaluatorData(train_set, val_set, statistics, words),
        training.batch_size,
        options.seed,
        context.device,
    )
    with alone_in(folder):
        claim(folder / RUN, identity)
        result = train_stage(stage, training, folder, {}, context)
        if distributed.rank() == 0:
            name, skeleton = output.name, dataset.skeleton.name
            card = TrainedEvaluatorConfig(name, skeleton, config, result.figures, result.step)
            save_evaluator(output / EVALUATOR, card, network.evaluator, words, statistics)
            draw_curves(output / "training")
    return PretrainReport({EVALUATOR: result}, {"train": train_report, "val": val_report})


def training_of(config: EvaluatorConfig) -> EvaluatorTraining | ContrastiveTraining:
    """The network of the design that ``config`` says, with its losses."""
    return ContrastiveTraining(config) if config.design == CLIP else EvaluatorTraining(config)


def _words(train_set: EvaluationSet, most: int, folder: Path | None) -> tuple[WordList, torch.Tensor | None]:
    """The words of the training captions, to be learned; or those of a folder with their vectors."""
    if folder is not None:
        words, vectors = load_word_vectors(folder)
        return words, torch.from_numpy(vectors)
    captions = (caption for clip in train_set.clips for caption in clip.captions)
    return words_of_captions(captions, LEAST_COUNT, most), None
