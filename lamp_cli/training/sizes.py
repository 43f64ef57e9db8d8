"""The sizes a model is trained in: a size is a named set of config dataclasses, nothing else knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..bundle.bundle import DEFAULT
from ..bundle.config import ModelConfig
from ..bundle.text_encoder import BERT_BASE
from ..model.captioner import CaptionerConfig, LanguageModelConfig
from ..model.decoder import DecoderConfig
from ..model.evaluator import EvaluatorConfig
from ..model.generator import GeneratorConfig
from ..model.lamp import PAPER_WEIGHTS, LampConfig
from ..model.length import LengthConfig
from ..model.motion_adapter import MotionAdapterConfig
from ..model.qformer import QFormerConfig
from ..model.tokenizer import TokenizerConfig
from ..motion.skeleton import Skeleton
from .loop import TrainingConfig

CORE = ("tokenizer", "lamp", "generator")
CAPTIONER = "captioner"
LANGUAGE = "language"
STAGES = (*CORE, CAPTIONER)
TOKENIZER_WINDOW = 64
# The paper's objectives, and two for a corpus of few sentences. A mean word that is 0.1 off in cosine costs
# as much as a nat of another objective.
_WITH_SENTENCES = {**PAPER_WEIGHTS, "paraphrase": 1.0, "retention": 10.0}
# Two actions in a row need more guidance than a single one.
MINI_GUIDANCE = 3.0


@dataclass(frozen=True)
class Size:
    """Networks for a skeleton and a vocabulary, how each stage is trained, how many words are kept.

    A ``reworded_share`` of the sentences is put in other words: for a corpus that has few of its own. The
    ``text_encoder`` is what LaMP's text side starts from unless another is named.
    """

    model: Callable[[Skeleton, int], ModelConfig]
    training: dict[str, TrainingConfig]
    vocabulary: int
    evaluator: EvaluatorSize
    captioner: CaptionerSize
    reworded_share: float = 0.0
    text_encoder: str = DEFAULT


@dataclass(frozen=True)
class CaptionerSize:
    """The embedded decoder, and how it learns first its language, then captions.

    An ``adapter_rank`` of 0 leaves LaMP's motion transformer to captions as it is, but for a copy of it that
    ``learns_qformer``.
    """

    width: int
    layers: int
    heads: int
    language: TrainingConfig
    training: TrainingConfig
    adapter_rank: int = 16
    learns_qformer: bool = False
    label_smoothing: float = 0.1

    def network(
        self, qformer: QFormerConfig, vocabulary: int, language_model: LanguageModelConfig | None
    ) -> CaptionerConfig:
        """The captioner's sizes; a ``language_model`` stands in the embedded decoder's place."""
        adapter = MotionAdapterConfig(qformer, self.adapter_rank) if self.adapter_rank else None
        decoder = None
        if language_model is None:
            decoder = DecoderConfig(vocabulary, self.width, self.layers, self.heads, 4 * self.width)
        return CaptionerConfig(
            qformer.width,
            decoder,
            language_model,
            adapter,
            self.learns_qformer,
            label_smoothing=self.label_smoothing,
        )


# Learning rates by what of a language model is trained: a projection alone bears the highest.
LANGUAGE_MODEL_RATES = {"frozen": 5e-4, "lora": 2e-4, "full": 2e-5}


@dataclass(frozen=True)
class EvaluatorSize:
    """The evaluator's network (its features and words follow the corpus) and how it is trained."""

    network: EvaluatorConfig
    training: TrainingConfig
    most_words: int


def _mini(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    # All six layers of MiniLM: fewer say less of a sentence than its bare words.
    # No dropout: no run of this size is long enough to learn a corpus by heart.
    qformer = QFormerConfig(
        vocabulary=vocabulary,
        width=384,
        layers=6,
        heads=12,
        feed_forward=1536,
        context_width=256,
        dropout=0.0,
    )
    return ModelConfig(
        TokenizerConfig(
            features=skeleton.feature_size,
            joints=skeleton.joints,
            width=256,
            code_width=256,
            upper_joints=skeleton.upper_body,
            encoder_width=192,
        ),
        LampConfig(
            qformer=qformer,
            embedding_width=256,
            matching_share=0.25,
            motion_generation_share=0.5,
            codebooks=2,
            transformed_text=True,
            weights=_WITH_SENTENCES,
        ),
        GeneratorConfig(
            condition_width=384,
            width=384,
            layers=6,
            heads=6,
            dropout=0.0,
            condition="words",
            codebooks=2,
            guidance=MINI_GUIDANCE,
            remaining_tokens=True,
            candidates=16,
        ),
        LengthConfig(text_width=384, min_tokens=_least_tokens(skeleton), drawn_share=0.5),
    )


def _base(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    qformer = QFormerConfig(vocabulary=vocabulary, width=384, layers=6, heads=12, feed_forward=1536)
    return ModelConfig(
        TokenizerConfig(features=skeleton.feature_size, joints=skeleton.joints, mirrored_dilations=False),
        LampConfig(qformer=qformer, motion_positions=True, weights=_WITH_SENTENCES),
        GeneratorConfig(
            condition_width=384,
            width=384,
            layers=8,
            heads=6,
            guidance=_guidance(skeleton),
            candidates=16,
        ),
        LengthConfig(text_width=384, min_tokens=_least_tokens(skeleton), drawn_share=0.5),
    )


def _paper(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    return ModelConfig(
        TokenizerConfig(
            features=skeleton.feature_size, joints=skeleton.joints, mirrored_dilations=False, dropout=0.2
        ),
        LampConfig(qformer=QFormerConfig(vocabulary=vocabulary)),
        GeneratorConfig(guidance=_guidance(skeleton)),
        LengthConfig(min_tokens=_least_tokens(skeleton)),
    )


def _guidance(skeleton: Skeleton) -> float:
    # That of the authors' code, by data set.
    return 2.0 if skeleton.name == "kit" else 4.0


def _least_tokens(skeleton: Skeleton) -> int:
    # KIT-ML has shorter clips: 24 frames, where HumanML3D has 40.
    return 6 if skeleton.name == "kit" else 10


def _training(
    steps: tuple[int, int, int],
    warmup: tuple[int, int, int],
    validate_every: tuple[int, int, int],
    learning_rates: tuple[float, float, float] = (2e-4, 1e-4, 2e-4),
) -> dict[str, TrainingConfig]:
    return {
        "tokenizer": TrainingConfig(
            steps[0], 256, learning_rates[0], 1e-5, warmup[0], 0.0, validate_every=validate_every[0]
        ),
        "lamp": TrainingConfig(
            steps[1],
            64,
            learning_rates[1],
            1e-5,
            warmup[1],
            0.05,
            (0.9, 0.98),
            validate_every=validate_every[1],
        ),
        "generator": TrainingConfig(
            steps[2], 64, learning_rates[2], 1e-5, warmup[2], 0.01, validate_every=validate_every[2]
        ),
    }


def _evaluator_training(steps: int, learning_rate: float, validate_every: int) -> TrainingConfig:
    return TrainingConfig(
        steps, 32, learning_rate, 1e-5, 100, 0.0, (0.9, 0.999), validate_every, gradient_clip=0.5
    )


_SMALL_EVALUATOR = EvaluatorConfig(
    word_width=128,
    movement_hidden=256,
    movement_width=256,
    motion_hidden=256,
    text_hidden=256,
    embedding_width=256,
)
# Guo et al.'s own sizes; 300 epochs of HumanML3D in batches of 32 are about 200,000 steps.
_GUO_EVALUATOR = EvaluatorSize(EvaluatorConfig(), _evaluator_training(200_000, 1e-4, 2000), 10_000)

_SMALL_CAPTIONER = CaptionerSize(
    256,
    4,
    8,
    TrainingConfig(3000, 64, 1e-3, 1e-5, 100, 0.05, (0.9, 0.98), validate_every=100),
    TrainingConfig(1000, 64, 5e-4, 1e-5, 100, 0.05, (0.9, 0.98), validate_every=50),
)
_LARGE_CAPTIONER = CaptionerSize(
    512,
    6,
    8,
    TrainingConfig(30_000, 64, 5e-4, 1e-5, 1000, 0.05, (0.9, 0.98), validate_every=1000),
    TrainingConfig(40_000, 64, 1e-4, 1e-5, 1000, 0.05, (0.9, 0.98), validate_every=1000),
)

# Low-rank changes of the motion transformer are not the paper's: there a copy of it goes on learning.
_PAPER_CAPTIONER = replace(_LARGE_CAPTIONER, adapter_rank=0, learns_qformer=True, label_smoothing=0.0)

SIZES = {
    "mini": Size(
        _mini,
        _training((2400, 600, 6000), (50, 60, 100), (200, 150, 500), (6e-4, 3e-4, 6e-4)),
        8000,
        EvaluatorSize(_SMALL_EVALUATOR, _evaluator_training(3000, 3e-4, 100), 4000),
        _SMALL_CAPTIONER,
        reworded_share=0.5,
    ),
    "base": Size(
        _base,
        _training((100_000, 60_000, 60_000), (1000, 2000, 2000), (1000, 1000, 1000)),
        30_522,
        _GUO_EVALUATOR,
        _LARGE_CAPTIONER,
    ),
    "paper": Size(
        _paper,
        _training((300_000, 200_000, 200_000), (1000, 2000, 2000), (2000, 2000, 2000)),
        30_522,
        _GUO_EVALUATOR,
        _PAPER_CAPTIONER,
        text_encoder=BERT_BASE,
    ),
}
