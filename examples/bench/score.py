"""Benchmarks of ``lamp score``: ``python -m examples.bench.score [--json]``.

The full text-to-motion protocol with every figure of an evaluator on 4,384 pairs and 20 repetitions, FID, and
BERTScore's arithmetic, on random embeddings; an evaluator that looks them up stands in for the networks. Last
BERTScore as a whole, by the text transformer of lamp-mini, in every precision that the processor has.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import EvaluationClip, EvaluationPair, EvaluationSet
from lamp_cli.inference.precision import BF16, FP32, has_bf16
from lamp_cli.metrics.bertscore import TokenStates, bert_score
from lamp_cli.metrics.distribution import frechet_inception_distance
from lamp_cli.metrics.measurement import GENERATED
from lamp_cli.motion.skeleton import HUMANML3D, Skeleton
from lamp_cli.scoring.figures import MATCHING, MotionOrigin, Report, ScoreOptions, no_progress
from lamp_cli.scoring.generation import score_loadings
from lamp_cli.scoring.models import ModelChoice, Models
from lamp_cli.synthetic.corpus import phrasebook

CPU = torch.device("cpu")
# HumanML3D's test split as the field's loader gives it.
CLIPS, WIDTH = 4384, 512


class LookedUp:
    """An evaluator whose embeddings are rows of a table; a clip's number is its first feature."""

    name = "looked-up"

    def __init__(self, clips: int, width: int, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.texts = rng.normal(size=(clips, width)).astype(np.float32)
        self.motions = (self.texts + rng.normal(size=(clips, width))).astype(np.float32)

    @property
    def skeleton(self) -> Skeleton:
        return HUMANML3D

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        return self.motions[[int(motion[0, 0]) for motion in features]]

    def text_embeddings(self, captions: Sequence[Caption]) -> np.ndarray:
        return self.texts[[int(caption.text) for caption in captions]]

    def similarity(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        return self.text_embeddings(captions) @ self.motion_embeddings(features).T


def numbered_clips(count: int) -> EvaluationSet:
    """Clips that hold nothing but their number."""
    return EvaluationSet(
        tuple(
            EvaluationClip(str(n), np.full((60, 1), n, np.float32), (Caption(str(n)),)) for n in range(count)
        )
    )


def same_motions(pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int) -> list[np.ndarray]:
    """What is generated is what is there."""
    return [pair.features for pair in pairs for _ in range(samples)]


def full_protocol() -> None:
    """Every figure of an evaluator, ground truth and floor beside it, 20 repetitions."""
    options = ScoreOptions(MATCHING, repetitions=20)
    origin, evaluators = MotionOrigin(GENERATED), [LookedUp(CLIPS, WIDTH)]
    score_loadings(numbered_clips(CLIPS), evaluators, same_motions, options, origin, Report(), no_progress)


class RandomTokens:
    """Random states of as many tokens as a sentence has words."""

    name = "random"

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        rng = np.random.default_rng(0)
        found = []
        for text in sentences:
            ids = np.array([hash(word) % 30000 for word in text.split()])
            states = rng.normal(size=(len(ids), 384)).astype(np.float32)
            found.append(TokenStates(ids, states, np.ones(len(ids), bool)))
        return found


def bertscore_arithmetic() -> Callable[[], object]:
    """1,000 captions of 12 words against 3 references each, the encoder apart."""
    rng = np.random.default_rng(0)
    sentences = [" ".join(map(str, rng.integers(0, 3000, 12))) for _ in range(4000)]
    references = [sentences[1000 + 3 * n : 1003 + 3 * n] for n in range(1000)]
    return lambda: bert_score(sentences[:1000], references, RandomTokens())


def whole_bertscore(precision: str) -> Callable[[], object]:
    """1,000 sentences out of the book of phrases against 3 others each."""
    models = Models(ModelChoice("lamp-mini", CPU, encoder="lamp", precision=precision))
    # It is loaded by the first sentence.
    models.encoder.encode([""])
    phrases = dict.fromkeys(phrase.words for several in phrasebook().values() for phrase in several)
    sentences = [f"a person {words}" for words in phrases][:4000]
    references = [sentences[1000 + n :: 1000] for n in range(1000)]
    return lambda: bert_score(sentences[:1000], references, models.encoder)


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes, once."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print one line per benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    as_json = parser.parse_args().json
    rng = np.random.default_rng(1)
    sets = rng.normal(size=(2, CLIPS, WIDTH))
    precisions = (FP32, BF16) if has_bf16(CPU) else (FP32,)
    figures = {
        "full protocol, 4,384 pairs, 20 repetitions, s": seconds(full_protocol),
        "FID of two 4,384 x 512 sets, s": seconds(lambda: frechet_inception_distance(*sets)),
        "BERTScore of 1,000 x 3 without the encoder, s": seconds(bertscore_arithmetic()),
        **{f"BERTScore of 1,000 x 3, {p}, s": seconds(whole_bertscore(p)) for p in precisions},
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:50s} {value:8.2f}")


if __name__ == "__main__":
    main()
