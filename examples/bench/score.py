"""Benchmarks of ``lamp score``: ``python -m examples.bench.score [--json]``.

What ``lamp score --all`` computes of HumanML3D's 4,384 test clips besides its networks' own work: every
figure of an evaluator in 20 repetitions, retrieval, figures on words, what captions invent and leave
out, physical figures; on random embeddings and made-up clips, an evaluator that looks them up standing
in for the networks. Then FID alone, and BERTScore: its arithmetic, and as a whole by the text
transformer of lamp-mini, in every precision that the processor has. Seconds are of processors, all
threads together.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from lamp_cli.checking.agreement import ANSWERED
from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import EvaluationClip, EvaluationPair, EvaluationSet
from lamp_cli.inference.precision import BF16, FP32, has_bf16
from lamp_cli.metrics.bertscore import TokenStates, bert_score
from lamp_cli.metrics.captioning import CAPTION_PROTOCOLS, caption_figures
from lamp_cli.metrics.distribution import frechet_inception_distance
from lamp_cli.metrics.measurement import GENERATED, GROUND_TRUTH
from lamp_cli.motion.clip_length import LONGEST_CLIP
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, Skeleton
from lamp_cli.scoring.faithfulness import Faithfulness
from lamp_cli.scoring.figures import (
    MATCHING,
    RETRIEVAL,
    RETRIEVED,
    MotionOrigin,
    Report,
    ScoreOptions,
    no_progress,
)
from lamp_cli.scoring.generation import score_loadings
from lamp_cli.scoring.models import ModelChoice, Models
from lamp_cli.scoring.motion_quality import quality_of, report_physics
from lamp_cli.scoring.recall import RetrievalPool, score_retrieval
from lamp_cli.synthetic.corpus import phrasebook, synthetic_clip_of

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


def matching() -> None:
    """Every figure of an evaluator, ground truth and floor beside it, 20 repetitions."""
    options = ScoreOptions(MATCHING, repetitions=20)
    origin, evaluators = MotionOrigin(GENERATED), [LookedUp(CLIPS, WIDTH)]
    score_loadings(numbered_clips(CLIPS), evaluators, same_motions, options, origin, Report(), no_progress)


def retrieval() -> None:
    """Retrieval by every protocol, both ways."""
    clips = numbered_clips(CLIPS).clips
    pool = RetrievalPool(
        [clip.id for clip in clips], [clip.captions[0] for clip in clips], [clip.features for clip in clips]
    )
    evaluators = [LookedUp(CLIPS, WIDTH)]
    score_retrieval(pool, evaluators, RandomTokens(), ScoreOptions((RETRIEVAL,)), Report(), RETRIEVED)


def words() -> None:
    """BLEU, ROUGE-L and CIDEr-D of captions with three references each, by every protocol."""
    sentences = phrases()
    rng = np.random.default_rng(0)
    captions = rng.choice(sentences, CLIPS).tolist()
    references = rng.choice(sentences, (CLIPS, 3)).tolist()
    for protocol in CAPTION_PROTOCOLS:
        caption_figures(captions, references, protocol)


def clips_and_sentences() -> list[tuple[Motion, str]]:
    """A made-up clip of each action that is judged, over and over, with a sentence of that action."""
    rng, book = np.random.default_rng(0), phrasebook()
    made = []
    for action in sorted(ANSWERED):
        joints = synthetic_clip_of(action, rng).joints[:LONGEST_CLIP]
        said = f"a person {book[action][0].words.partition(' {')[0]}" if action in book else action
        made.append((Motion(joints, HUMANML3D, HUMANML3D.fps), said))
    return [made[n % len(made)] for n in range(CLIPS)]


def faithfulness(pairs: Sequence[tuple[Motion, str]]) -> None:
    """Captions of which every second one is true of its clip; three references, one of them true."""
    counted = Faithfulness()
    for number, (motion, said) in enumerate(pairs):
        others = [pairs[number - back][1] for back in (1, 2)]
        counted.add(motion, said if number % 2 else others[0], [said, *others])


def physics(pairs: Sequence[tuple[Motion, str]]) -> None:
    """Physical figures of generated motions and of true ones."""
    for subject in (GENERATED, GROUND_TRUTH):
        report_physics({subject: [quality_of(motion) for motion, _ in pairs]}, "", None, Report())


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


def phrases() -> list[str]:
    """Sentences out of the book of phrases."""
    said = dict.fromkeys(phrase.words for several in phrasebook().values() for phrase in several)
    return [f"a person {each}" for each in said]


def whole_bertscore(precision: str) -> Callable[[], object]:
    """1,000 sentences out of the book of phrases against 3 others each."""
    models = Models(ModelChoice("lamp-mini", CPU, encoder="lamp", precision=precision))
    # It is loaded by the first sentence.
    models.encoder.encode([""])
    sentences = phrases()[:4000]
    references = [sentences[1000 + n :: 1000] for n in range(1000)]
    return lambda: bert_score(sentences[:1000], references, models.encoder)


def seconds(work: Callable[[], object]) -> float:
    """What ``work`` takes of the processors, once."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print one line per benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    as_json = parser.parse_args().json
    rng = np.random.default_rng(1)
    sets = rng.normal(size=(2, CLIPS, WIDTH))
    precisions = (FP32, BF16) if has_bf16(CPU) else (FP32,)
    pairs = clips_and_sentences()
    protocol = {
        "figures of an evaluator, 20 repetitions, s": seconds(matching),
        "retrieval, s": seconds(retrieval),
        "figures on words, s": seconds(words),
        "what captions invent and leave out, s": seconds(lambda: faithfulness(pairs)),
        "physical figures, s": seconds(lambda: physics(pairs)),
    }
    figures = {
        **protocol,
        "all of these, s": sum(protocol.values()),
        "their peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "FID of two 4,384 x 512 sets, s": seconds(lambda: frechet_inception_distance(*sets)),
        "BERTScore of 1,000 x 3 without the encoder, s": seconds(bertscore_arithmetic()),
        **{f"BERTScore of 1,000 x 3, {p}, s": seconds(whole_bertscore(p)) for p in precisions},
    }
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:50s} {value:8.2f}")


if __name__ == "__main__":
    main()
