"""The networks that a score needs, each loaded when a figure first asks for it.

Knows which evaluator is meant when none is named: the independent one that a bundle brings, else the
bundle's own features; for retrieval always the bundle's own, because those are what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import torch

from ..bundle.bundle import Bundle, find_bundle, load_bundle, read_config
from ..bundle.config import BundleConfig
from ..bundle.trained_evaluator import is_evaluator
from ..bundle.weights import weights_digest
from ..inference.precision import FP32, in_precision
from ..metrics.bertscore import BertScoreConfig
from ..metrics.measurement import FigureNotAllowed
from ..motion.skeleton import Skeleton
from .bertscore_encoders import RememberingEncoder, load_bertscore_encoder
from .evaluators import Evaluator, load_evaluators, require_skeleton
from .figures import RETRIEVAL


@dataclass(frozen=True)
class ModelChoice:
    """Networks by name.

    model: the bundle; None for one in hand, whose own features are then the evaluator.
    evaluators: as ``load_evaluators`` takes them; empty for the bundle's own.
    encoder: BERTScore's encoder, as ``load_bertscore_encoder`` takes it.
    layer: of the encoder.
    bertscore: BERTScore's weights and baseline.
    captioner: False leaves out the bundle's captioner, which may be a large language model.
    precision: of BERTScore's encoder.
    """

    model: str | None
    device: torch.device
    evaluators: tuple[str, ...] = ()
    encoder: str | None = None
    layer: int | None = None
    bertscore: BertScoreConfig = field(default_factory=BertScoreConfig)
    captioner: bool = True
    precision: str = FP32


class Models:
    """Networks by choice; a bundle in hand may be given instead of a name to load.

    Raises ``ValueError`` for a precision that the device does not have.
    """

    def __init__(self, choice: ModelChoice, bundle: Bundle | None = None):
        in_precision(choice.precision, choice.device)
        self._choice = choice
        self._given = bundle
        self._loaded: Bundle | None = None
        self._evaluators: dict[tuple[str, ...], list[Evaluator]] = {}
        self.encoder = RememberingEncoder(
            lambda: load_bertscore_encoder(
                choice.encoder, choice.layer, lambda: self.bundle, choice.device, choice.precision
            )
        )

    @property
    def bertscore(self) -> BertScoreConfig:
        """BERTScore's weights and baseline."""
        return self._choice.bertscore

    @property
    def bundle(self) -> Bundle:
        """The bundle, with its captioner when the choice says that it will be needed."""
        if self._given is not None:
            return self._given
        if self._loaded is None:
            captioner = self._choice.captioner and self.captions
            self._loaded = load_bundle(self._name, self._choice.device, captioner)
        return self._loaded

    @cached_property
    def captions(self) -> bool:
        """Whether the bundle has a captioner."""
        return self.config.model.captioner is not None

    def captioning_bundle(self, figure: str) -> Bundle:
        """The bundle with its captioner; raises ``FigureNotAllowed`` for ``figure`` when it has none."""
        if not self.captions:
            reason = f"{self.config.name} has no captioner; `lamp pretrain --stage captioner` trains one"
            raise FigureNotAllowed(figure, reason)
        return self.bundle

    @cached_property
    def config(self) -> BundleConfig:
        """The bundle's configuration; its networks need not be loaded."""
        return self._given.config if self._given else read_config(find_bundle(self._name))

    def evaluators(self, metric: str, skeletons: Iterable[Skeleton] = ()) -> list[Evaluator]:
        """The evaluators that judge ``metric`` of motions of these skeletons.

        Raises ``ValueError`` when one reads another skeleton's features.
        """
        choices = self._choice.evaluators or (self._default_evaluator(metric),)
        if choices not in self._evaluators:
            self._evaluators[choices] = load_evaluators(choices, lambda: self.bundle, self._choice.device)
        for evaluator, skeleton in product(self._evaluators[choices], skeletons):
            require_skeleton(evaluator, skeleton)
        return self._evaluators[choices]

    @cached_property
    def digest(self) -> str:
        """Eight digits that change with any weight of the bundle but its captioner's, loaded or not."""
        networks = self.bundle.networks()
        return weights_digest(
            [networks[name] for name in networks if name != "captioner"], self.bundle.statistics
        )

    @cached_property
    def captioner_digest(self) -> str | None:
        """Eight digits that change with any weight of the bundle's captioner; None without one."""
        captioner = self.bundle.captioner
        return None if captioner is None else weights_digest([captioner], self.bundle.statistics)

    @property
    def name(self) -> str | None:
        """The bundle's name; None when no figure needed one."""
        bundle = self._given or self._loaded
        return None if bundle is None else bundle.config.name

    def require_own_skeleton(self, skeleton: Skeleton, where: str) -> None:
        """Raise ``ValueError`` naming ``where`` when the bundle does not read motions of ``skeleton``."""
        own = self.bundle.skeleton.name
        if skeleton.name != own:
            known = f"{self.bundle.config.name} was trained on {own}"
            raise ValueError(f"{where}: {skeleton.name} motions ({skeleton.joints} joints); {known}")

    @property
    def _name(self) -> str:
        assert self._choice.model is not None
        return self._choice.model

    def _default_evaluator(self, metric: str) -> str:
        if metric == RETRIEVAL or self._choice.model is None:
            return "lamp"
        folder = find_bundle(self._choice.model) / "evaluator"
        return str(folder) if is_evaluator(folder) else "lamp"
