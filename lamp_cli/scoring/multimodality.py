"""MultiModality: how differently one sentence is moved.

Source: Guo et al., CVPR 2022, section 6: 100 texts (MoMask: 96), 30 motions each, 10 random pairs of
them. Every repetition draws other texts and other motions. Knows no evaluator's insides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..bundle.bundle import Bundle
from ..data.evaluation_set import EvaluationPair, EvaluationSet
from ..inference.generate import GenerateOptions, Prompt, generate
from ..metrics.distribution import MULTIMODALITY_PROTOCOLS, MultimodalityProtocol, multimodality
from ..metrics.measurement import GENERATED, FigureNotAllowed
from .evaluators import Evaluator
from .figures import MULTIMODALITY, Figure, Repeated, Report, ScoreOptions, Show
from .matching import GIVEN, GUO, Names

# Features of ``samples`` motions for one loaded caption.
Sampler = Callable[[EvaluationPair, int, np.random.Generator], list[np.ndarray]]


def multimodality_protocols(options: ScoreOptions) -> list[MultimodalityProtocol]:
    """Those that are named, else Guo's."""
    named = options.named_protocols(MULTIMODALITY) or (GUO,)
    return [protocol for protocol in MULTIMODALITY_PROTOCOLS if protocol.name in named]


def sampler(bundle: Bundle, sampling: GenerateOptions) -> Sampler:
    """Motions of a bundle, each of the length of the caption's clip."""

    def make(pair: EvaluationPair, samples: int, rng: np.random.Generator) -> list[np.ndarray]:
        seed = int(rng.integers(2**31))
        chosen = dataclasses.replace(sampling, seed=seed, samples=samples, clean_up=False)
        prompt = Prompt(pair.caption.text, len(pair.features))
        return [motion.to_features() for motion in generate(bundle, [prompt], chosen)]

    return make


def score_multimodality(
    clips: EvaluationSet,
    evaluators: Sequence[Evaluator],
    make: Sampler,
    options: ScoreOptions,
    report: Report,
    show: Show,
) -> None:
    """MultiModality over a split; refused when it has fewer clips than the protocol has texts."""
    for protocol in multimodality_protocols(options):
        with report.refusing():
            if len(clips.clips) < protocol.texts:
                raise _too_few(protocol, f"{len(clips.clips)} clips")
            values = Repeated()
            streams = options.stream(MULTIMODALITY).spawn(options.repetitions)
            total = options.repetitions * protocol.texts
            with show(total, f"generating {protocol.samples} motions per text") as advance:
                for stream in streams:
                    loading, generation, draws = stream.spawn(3)
                    chosen = loading.permutation(len(clips.clips))[: protocol.texts]
                    found: list[list[np.ndarray]] = [[] for _ in evaluators]
                    for number in chosen:
                        motions = make(clips.draw(int(number), loading), protocol.samples, generation)
                        for evaluator, rows in zip(evaluators, found, strict=True):
                            rows.append(evaluator.motion_embeddings(motions))
                        advance(1, "")
                    for evaluator, rows in zip(evaluators, found, strict=True):
                        value = multimodality(np.stack(rows), draws, protocol)
                        values.add(_figure(evaluator, protocol, protocol.name, options), value)
            report.measurements += values.measurements(options.seed)


def score_given_multimodality(
    evaluators: Sequence[Evaluator],
    motions: Sequence[Mapping[str, np.ndarray]],
    options: ScoreOptions,
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
                    values.add(_figure(evaluator, protocol, f"{protocol.name}, {GIVEN}", options), value)
            report.measurements += values.measurements(options.seed)


def _figure(
    evaluator: Evaluator, protocol: MultimodalityProtocol, name: str, options: ScoreOptions
) -> Figure:
    full = Names(f"{name}, {protocol.texts} x {protocol.samples}", options).of(evaluator, MULTIMODALITY)
    return Figure("MultiModality", full, evaluator.name, protocol.texts, GENERATED)


def _too_few(protocol: MultimodalityProtocol, found: str) -> FigureNotAllowed:
    wanted = f"{protocol.texts} texts with {protocol.samples} motions each"
    return FigureNotAllowed("MultiModality", f"protocol {protocol.name} needs {wanted}, found {found}")
