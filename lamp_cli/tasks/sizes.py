"""The sizes a model is trained in: a size is a named set of config dataclasses, nothing else knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..bundle.config import ModelConfig
from ..model.generator import GeneratorConfig
from ..model.lamp import LampConfig
from ..model.length import LengthConfig
from ..model.qformer import QFormerConfig
from ..model.tokenizer import TokenizerConfig
from ..motion.skeleton import Skeleton
from .training import TrainingConfig

STAGES = ("tokenizer", "lamp", "generator")
TOKENIZER_WINDOW = 64


@dataclass(frozen=True)
class Size:
    """Networks for a skeleton and a vocabulary, how each stage is trained, how many words are kept."""

    model: Callable[[Skeleton, int], ModelConfig]
    training: dict[str, TrainingConfig]
    vocabulary: int


def _mini(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    qformer = QFormerConfig(
        vocabulary=vocabulary,
        width=384,
        layers=4,
        heads=12,
        feed_forward=1536,
        context_width=256,
    )
    return ModelConfig(
        TokenizerConfig(features=skeleton.feature_size, joints=skeleton.joints, width=256, code_width=256),
        LampConfig(qformer=qformer, embedding_width=256),
        GeneratorConfig(condition_width=384, width=384, layers=6, heads=6),
        LengthConfig(text_width=384, min_tokens=_least_tokens(skeleton)),
    )


def _base(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    qformer = QFormerConfig(vocabulary=vocabulary, width=384, layers=6, heads=12, feed_forward=1536)
    return ModelConfig(
        TokenizerConfig(features=skeleton.feature_size, joints=skeleton.joints),
        LampConfig(qformer=qformer),
        GeneratorConfig(condition_width=384, width=384, layers=8, heads=6),
        LengthConfig(text_width=384, min_tokens=_least_tokens(skeleton)),
    )


def _paper(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    return ModelConfig(
        TokenizerConfig(features=skeleton.feature_size, joints=skeleton.joints),
        LampConfig(qformer=QFormerConfig(vocabulary=vocabulary)),
        GeneratorConfig(),
        LengthConfig(min_tokens=_least_tokens(skeleton)),
    )


def _least_tokens(skeleton: Skeleton) -> int:
    # KIT-ML has shorter clips: 24 frames, where HumanML3D has 40.
    return 6 if skeleton.name == "kit" else 10


def _training(
    steps: tuple[int, int, int], warmup: tuple[int, int, int], validate_every: int
) -> dict[str, TrainingConfig]:
    return {
        "tokenizer": TrainingConfig(steps[0], 256, 4e-4, 1e-5, warmup[0], 0.0, validate_every=validate_every),
        "lamp": TrainingConfig(
            steps[1], 64, 1e-4, 1e-5, warmup[1], 0.05, (0.9, 0.98), validate_every=validate_every
        ),
        "generator": TrainingConfig(steps[2], 64, 2e-4, 1e-5, warmup[2], 0.01, validate_every=validate_every),
    }


SIZES = {
    "mini": Size(_mini, _training((2400, 600, 1500), (100, 60, 100), 30), 8000),
    "base": Size(_base, _training((100_000, 60_000, 60_000), (1000, 2000, 2000), 1000), 30_522),
    "paper": Size(_paper, _training((300_000, 200_000, 200_000), (1000, 2000, 2000), 2000), 30_522),
}
