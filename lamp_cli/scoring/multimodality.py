"""MultiModality: how differently one sentence is moved.

Source: Guo et al., CVPR 2022, section 6: 100 texts (MoMask: 96), 30 motions each, 10 random pairs of
them. Every repetition draws other texts and other motions. Knows no evaluator's insides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np

from ..data.evaluation_set import EvaluationSet
from ..metrics.distribution import MULTIMODALITY_PROTOCOLS, MultimodalityProtocol, multimodality
from ..metrics.measurement import FigureNotAllowed
from .embedded import evaluator_protocol
from .evaluators import Evaluator
from .figures import MULTIMODALITY, Figure, MotionOrigin, ProgressBar, Repeated, Report, ScoreOptions
from .generation import GIVEN_PAIRS, GUO, FeatureGenerator


def multimodality_protocols(options: ScoreOptions) -> list[MultimodalityProtocol]:
    """Those that are named, else Guo's."""
    named = options.named_protocols(MULTIMODALITY) or (GUO,)
    return [protocol for protocol in MULTIMODALITY_PROTOCOLS if protocol.name in named]


def score_multimodality(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: FeatureGenerator,
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
    bar: ProgressBar,
) -> None:
    """MultiModality over a split; refused when it has fewer clips than the protocol has texts."""
    for protocol in multimodality_protocols(options):
        with report.refusing():
            if len(clips.clips) < protocol.texts:
                raise _too_few(protocol, f"{len(clips.clips)} clips")
            values = Repeated()
            streams = options.stream(MULTIMODALITY).spawn(options.repetitions)
            total = options.repetitions * protocol.texts * protocol.samples
            with bar(total, f"generating {protocol.samples} motions per text") as advance:
                for stream in streams:
                    loading, generation, draws = stream.spawn(3)
                    chosen = loading.permutation(len(clips.clips))[: protocol.texts]
                    found: list[list[np.ndarray]] = [[] for _ in evaluators]
                    for number in chosen:
                        pair = clips.draw(int(number), loading)
                        motions = []
                        for features in make([pair], generation, protocol.samples):
                            motions.append(features)
                            advance(1, "")
                        for evaluator, rows in zip(evaluators, found, strict=True):
                            rows.append(evaluator.motion_embeddings(motions))
                    for evaluator, rows in zip(evaluators, found, strict=True):
                        value = multimodality(np.stack(rows), deepcopy(draws), protocol)
                        values.add(_figure(evaluator, protocol, protocol.name, origin), value)
            report.measurements += values.measurements(options.seed)


def score_given_multimodality(
    evaluators: Sequence[Evaluator],
    motions: Sequence[Mapping[str, np.ndarray]],
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
) -> None:
    """MultiModality of given motions: for each evaluator the embeddings (S, D) of each sentence's.

    Sentences with fewer motions than the protocol asks for do not count.
    """
    for protocol in multimodality_protocols(options):
        with report.refusing():
            values = Repeated()
            for evaluator, by_text in zip(evaluators, motions, strict=True):
                enough = [rows for rows in by_text.values() if len(rows) >= protocol.samples]
                if len(enough) < protocol.texts:
                    raise _too_few(protocol, f"{len(enough)} texts with as many")
                for stream in options.stream(MULTIMODALITY).spawn(options.repetitions):
                    texts = stream.permutation(len(enough))[: protocol.texts]
                    rows = np.stack([enough[n][: protocol.samples] for n in texts])
                    value = multimodality(rows, stream, protocol)
                    values.add(_figure(evaluator, protocol, f"{protocol.name}, {GIVEN_PAIRS}", origin), value)
            report.measurements += values.measurements(options.seed)


def _figure(evaluator: Evaluator, protocol: MultimodalityProtocol, name: str, origin: MotionOrigin) -> Figure:
    full = origin.labelled(f"{name}, {protocol.texts} x {protocol.samples}")
    full = evaluator_protocol(full, evaluator)
    return Figure("MultiModality", full, evaluator.name, protocol.texts, origin.subject)


def _too_few(protocol: MultimodalityProtocol, found: str) -> FigureNotAllowed:
    wanted = f"{protocol.texts} texts with {protocol.samples} motions each"
    return FigureNotAllowed("MultiModality", f"protocol {protocol.name} needs {wanted}, found {found}")
