"""Evaluators: models that place motions and sentences in one space, to judge generated motions by.

Three kinds share one interface: those that Guo et al. (CVPR 2022) and Meng et al. (MARDM, CVPR 2025)
released, those of the same designs trained with ``lamp pretrain --stage evaluator``, and a bundle's own LaMP
features (LaMP, table 2), which judge their own family. Knows embeddings and similarities; the metrics on them
are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..bundle.released.evaluator import (
    load_contrastive_evaluator,
    load_released_evaluator,
    require_contrastive_evaluator,
    require_released_evaluator,
)
from ..bundle.trained_evaluator import TrainedEvaluator, is_evaluator, load_evaluator_folder
from ..bundle.weights import weights_digest
from ..data.captions import Caption
from ..data.evaluation_set import padded
from ..inference.embed import embed_motions, embed_texts, matching_probabilities, similarity, words_on_device
from ..model.evaluator import CLIP
from ..motion.skeleton import Skeleton

CHUNK = 64
Item = TypeVar("Item")


class Evaluator(Protocol):
    """What the metrics need of an evaluator. An embedding does not depend on its neighbours."""

    @property
    def name(self) -> str:
        """The evaluator's name, to be printed beside every figure."""

    @property
    def skeleton(self) -> Skeleton:
        """Whose features the evaluator reads."""

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) float32 of features (T_i, C), not normalised, T_i from 4 to 196."""

    def text_embeddings(self, captions: Sequence[Caption]) -> np.ndarray:
        """Embeddings (N, D) float32 of captions; those without tokens are tagged by lamp's own tagger."""

    def similarity(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        """How well each sentence says each motion, (captions, motions) float32, larger is better."""


class GuoEvaluator:
    """An evaluator of its own networks: similar is what lies close, by Euclidean distance."""

    def __init__(self, trained: TrainedEvaluator):
        self._trained = trained
        digest = weights_digest([trained.network], trained.statistics, trained.words.words)
        self._name = f"{trained.name} ({digest})"

    @property
    def name(self) -> str:
        """``guo:humanml3d``, ``guo:kit``, or the name of a trained one, with the digest of its weights."""
        return self._name

    @property
    def contrastive(self) -> bool:
        """Whether it was trained by cosines, as MARDM's second is."""
        return self._trained.network.config.design == CLIP

    @property
    def skeleton(self) -> Skeleton:
        """Whose features the evaluator reads."""
        return self._trained.skeleton

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) float32 of features (T_i, C), not normalised, cut to a multiple of 4 frames.

        Raises ``ValueError`` for a motion of another skeleton, shorter than 4 or longer than 196 frames,
        or with NaN.
        """
        trained = self._trained

        def embed(part: slice) -> torch.Tensor:
            rows, lengths = padded(features[part], trained.statistics)
            on_device = (torch.from_numpy(array).to(trained.device) for array in (rows, lengths))
            return trained.network.embed_motion(*on_device)

        return self._in_chunks(len(features), embed)

    def text_embeddings(self, captions: Sequence[Caption]) -> np.ndarray:
        """Embeddings (N, D) float32 of captions by their ``word/POS`` tokens."""
        trained = self._trained

        def embed(part: slice) -> torch.Tensor:
            words = words_on_device(trained.words.encode(captions[part]), trained.device)
            return trained.network.embed_text(words)

        return self._in_chunks(len(captions), embed)

    def similarity(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        """Minus the Euclidean distance (captions, motions)."""
        return -euclidean(self.text_embeddings(captions), self.motion_embeddings(features))

    @torch.inference_mode()
    def _in_chunks(self, count: int, embed: Callable[[slice], torch.Tensor]) -> np.ndarray:
        width = self._trained.network.config.embedding_width
        return in_chunks(count, lambda part: embed(part).cpu().numpy(), (width,))


class LampEvaluator:
    """A bundle's own features: a motion is its projected query tokens, a sentence its projected [CLS].

    It shares its networks with what it judges, so its figures stand beside no other evaluator's.
    """

    def __init__(self, bundle: Bundle):
        self._bundle = bundle

    @cached_property
    def name(self) -> str:
        """``lamp:``, the bundle's name, and the digest of its weights."""
        digest = weights_digest([self._bundle.tokenizer, self._bundle.lamp], self._bundle.statistics)
        return f"lamp:{self._bundle.config.name} ({digest})"

    @property
    def skeleton(self) -> Skeleton:
        """Whose features the bundle reads."""
        return self._bundle.skeleton

    def query_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors (N, Q, D) float32, one per query token, of features (T_i, C), not normalised.

        Raises ``ValueError`` for a motion shorter than one token or longer than 196 frames.
        """
        for row, motion in enumerate(features):
            width = self.skeleton.feature_size
            if motion.ndim != 2 or motion.shape[1] != width or not np.isfinite(motion).all():
                raise ValueError(
                    f"motion {row}: expected finite features (T, {width}), found shape {motion.shape}"
                )
        config = self._bundle.lamp.config
        shape = (config.qformer.query_tokens, config.embedding_width)
        return in_chunks(len(features), lambda part: embed_motions(self._bundle, features[part]), shape)

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors (N, D) float32: the mean of a motion's query embeddings, normalised.

        LaMP compares sentences with single query tokens and has no one vector for a motion; a distance
        between sets of motions (FID, diversity) needs one. Matching uses ``similarity`` instead.
        """
        means = self.query_embeddings(features).mean(1)
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    def text_embeddings(self, captions: Sequence[Caption]) -> np.ndarray:
        """Unit vectors (N, D) float32 of the captions as they are written."""
        texts = [caption.text for caption in captions]
        shape = (self._bundle.lamp.config.embedding_width,)
        return in_chunks(len(texts), lambda part: embed_texts(self._bundle, texts[part]), shape)

    def similarity(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        """Cosine (captions, motions), the best query token of each motion counts (LaMP section 3)."""
        return similarity(self.query_embeddings(features), self.text_embeddings(captions)).T

    def matching(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        """The matching head's probability (N,) float32 that each caption says the motion of its place."""
        texts = [caption.text for caption in captions]
        return in_chunks(
            len(texts), lambda part: matching_probabilities(self._bundle, texts[part], features[part]), ()
        )


def in_chunks(count: int, embed: Callable[[slice], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """What ``embed`` makes (N, *shape) of so many items, a slice of them at a time."""
    parts = [embed(slice(begin, begin + CHUNK)) for begin in range(0, count, CHUNK)]
    return np.concatenate([np.zeros((0, *shape), np.float32), *parts])


# How released ones are loaded, and what is asked of their files before.
RELEASED: Mapping[str, tuple[Callable[[Path, torch.device], TrainedEvaluator], Callable[[Path], None]]] = {
    "guo": (load_released_evaluator, require_released_evaluator),
    "mardm-clip": (load_contrastive_evaluator, require_contrastive_evaluator),
}


def load_evaluators(
    choices: Sequence[str], bundle: Callable[[], Bundle], device: torch.device
) -> list[Evaluator]:
    """The evaluators that ``--evaluator`` names: of ``RELEASED``, ``lamp`` (of ``bundle()``) or a folder.

    A folder is an evaluator's or holds one as ``evaluator/``, as a bundle with one does. A name has the
    digest of the weights behind it, so that two of one name are two; the same one twice counts once. Raises
    ``ValueError`` for a choice that is none of these.
    """
    found: dict[str, Evaluator] = {}
    for choice in choices:
        evaluator: Evaluator
        if choice == "lamp":
            evaluator = LampEvaluator(bundle())
        elif (kind := _released(choice)) is not None:
            evaluator = GuoEvaluator(RELEASED[kind][0](Path(choice.removeprefix(f"{kind}:")), device))
        else:
            evaluator = GuoEvaluator(load_evaluator_folder(_trained(choice), device))
        found.setdefault(evaluator.name, evaluator)
    return list(found.values())


def require_skeleton(evaluator: Evaluator, skeleton: Skeleton) -> None:
    """Raise ``ValueError`` when an evaluator reads another skeleton's features."""
    if evaluator.skeleton.name != skeleton.name:
        raise ValueError(
            f"evaluator {evaluator.name} reads {evaluator.skeleton.name}, these motions are {skeleton.name}"
        )


def require_evaluators(choices: Sequence[str]) -> None:
    """Raise ``ValueError`` for a choice that names no evaluator or lacks a file, before any is opened."""
    for choice in choices:
        if (kind := _released(choice)) is not None:
            RELEASED[kind][1](Path(choice.removeprefix(f"{kind}:")))
        elif choice != "lamp":
            _trained(choice)


def _trained(choice: str) -> Path:
    for folder in (Path(choice), Path(choice) / "evaluator"):
        if is_evaluator(folder):
            return folder
    raise ValueError(
        f"evaluator {choice}: expected guo:PATH or mardm-clip:PATH (released ones), lamp, or a folder that "
        "`lamp pretrain --stage evaluator` wrote"
    )


def _released(choice: str) -> str | None:
    kind = choice.partition(":")[0]
    return kind if kind in RELEASED and choice != kind else None


def euclidean(texts: np.ndarray, motions: np.ndarray) -> np.ndarray:
    """Euclidean distances (texts, motions) float32, summed in float64: expanded squares cancel."""
    left, right = texts.astype(np.float64), motions.astype(np.float64)
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * left @ right.T
    return np.sqrt(np.maximum(squares, 0)).astype(np.float32)
