"""Scoring as functions: known answers by hand, slow references, refusals."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.bench.score import LookedUp, numbered_clips, same_motions
from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import EvaluationPair
from lamp_cli.data.examples import write_example
from lamp_cli.data.statistics import Statistics, save_statistics
from lamp_cli.files.reading import Reading
from lamp_cli.inference.generate import GenerateOptions
from lamp_cli.metrics.bertscore import FIELD, TokenStates
from lamp_cli.metrics.captioning import MOTION_GPT, RAW, TM2T
from lamp_cli.metrics.measurement import GENERATED, GROUND_TRUTH, SHUFFLED, Measurement
from lamp_cli.model.sampling import SamplingOptions
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.scoring import motion_quality
from lamp_cli.scoring.bertscore_encoders import (
    RememberingEncoder,
    bert_encoder,
    bertscore_setting,
    bundle_encoder,
)
from lamp_cli.scoring.embedded import Embedded, r_precision_of
from lamp_cli.scoring.figures import (
    CAPTIONS,
    FIGURES,
    GIVEN,
    MATCHING,
    METRICS,
    MM_DIST,
    MULTIMODALITY,
    RETRIEVAL,
    RETRIEVED,
    MotionOrigin,
    Report,
    ScoreOptions,
    no_progress,
)
from lamp_cli.scoring.generation import score_given, score_loadings
from lamp_cli.scoring.language import LampBertScore, MotionCaptions, shuffled, text_figures
from lamp_cli.scoring.lines import Line, line_of_record, require_captions_of_all_or_none
from lamp_cli.scoring.models import ModelChoice, Models
from lamp_cli.scoring.motion_quality import reconstruction_figures, score_physics
from lamp_cli.scoring.multimodality import score_given_multimodality, score_multimodality
from lamp_cli.scoring.recall import MatchingReranker, RetrievalPool, score_retrieval
from lamp_cli.scoring.score import score_pairs
from lamp_cli.scoring.scored_motions import (
    Example,
    generate_for,
    generated_origin,
    open_split,
    origin_of,
    read_examples,
)
from tests.conftest import wandering
from tests.inference.test_caption import with_captioner
from tests.inference.test_retrieve import tiny_bundle

CPU = torch.device("cpu")
MADE, OWN = MotionOrigin(GENERATED), MotionOrigin(GIVEN)
TEXTS = ["someone walks sideways", "he jumps", ""]


class OneHot(LookedUp):
    """Every clip's text and motion are the same axis: all is right, and everything else equally wrong."""

    def __init__(self, clips: int):
        self.texts = self.motions = np.eye(clips, dtype=np.float32)


class WordEncoder:
    """A word is an axis, whatever its neighbours."""

    name = "words"

    def __init__(self) -> None:
        self.calls = 0
        self._ids: dict[str, int] = {}

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        self.calls += len(sentences)
        found = []
        for text in sentences:
            ids = np.array([self._ids.setdefault(w, len(self._ids)) for w in text.split()], int)
            found.append(TokenStates(ids, np.eye(50, dtype=np.float32)[ids], np.ones(len(ids), bool)))
        return found


def models_with(encoder: WordEncoder) -> Models:
    models = Models(ModelChoice(None, CPU), with_captioner())
    models.encoder = RememberingEncoder(lambda: encoder)
    return models


def one(figures: Sequence[Measurement], metric: str, subject: str, part: str = "") -> Measurement:
    [found] = [m for m in figures if (m.metric, m.subject) == (metric, subject) and part in m.protocol]
    return found


# Text-to-motion


def test_a_perfect_generator_is_perfect_and_stands_beside_ground_truth() -> None:
    report = Report()
    options = ScoreOptions(MATCHING, repetitions=5, seed=5, protocols=("guo-small",))
    score_loadings(numbered_clips(140), [OneHot(140)], same_motions, options, MADE, report, no_progress)
    assert report.refusals == [
        "FID of infinite samples: needs at least 280 clips, twice the dimensions, found 128"
    ]
    for subject in (GENERATED, GROUND_TRUTH):
        for k in (1, 2, 3):
            figure = one(report.measurements, f"R-precision top {k}", subject)
            assert (figure.value, figure.interval) == (1.0, 0.0)
            assert (figure.pool, figure.repetitions, figure.seed) == (32, 5, 5)
            assert (figure.protocol, figure.evaluator) == ("guo", "looked-up")
        dist = one(report.measurements, "MM-Dist", subject)
        # 140 clips are four batches of 32; the last, incomplete one is dropped.
        assert (dist.value, dist.pool) == (0.0, 128)
        spread = one(report.measurements, "Diversity", subject)
        assert spread.protocol == "guo, 100 pairs"
        assert 0.9 * np.sqrt(2) < spread.value <= np.sqrt(2)
    assert one(report.measurements, "FID", GENERATED).value == pytest.approx(0, abs=1e-9)
    # Two loadings drop different clips.
    assert one(report.measurements, "FID", GROUND_TRUTH).value > 1e-3


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (GenerateOptions(candidates=16), "guo, best of 16 by check and LaMP"),
        (GenerateOptions(candidates=1), "guo"),
        (GenerateOptions(candidates=1, clean_up=False, precision="bf16"), "guo, bf16"),
        (
            GenerateOptions(sampling=SamplingOptions(5, 3.0, 0.5), candidates=16),
            "guo, best of 16 by check and LaMP, guidance 3, 5 steps, temperature 0.5",
        ),
    ],
)
def test_how_motions_were_made_stands_in_the_protocol(options: GenerateOptions, name: str) -> None:
    assert generated_origin(options, delivered=False).labelled("guo") == name
    cleaned = "" if options.clean_up else ", raw"
    assert generated_origin(options, delivered=True).labelled("guo") == name + cleaned


def next_motions(pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int) -> list[np.ndarray]:
    return [np.full_like(pair.features, (pair.number + 1) % 64) for pair in pairs]


def test_wrong_motions_are_as_far_as_axes_are() -> None:
    report = Report()
    options = ScoreOptions(MATCHING, repetitions=2)
    score_loadings(numbered_clips(64), [OneHot(64)], next_motions, options, MADE, report, no_progress)
    assert one(report.measurements, "MM-Dist", GENERATED).value == pytest.approx(np.sqrt(2))
    # The right motion is never there; all that are not the neighbour's tie.
    assert one(report.measurements, "R-precision top 1", GENERATED).value < 1 / 16
    assert one(report.measurements, "R-precision top 1", GROUND_TRUTH).value == 1.0
    assert any("guo-small draws 100 pairs from more clips than that, found 64" in r for r in report.refusals)
    assert len(report.refusals) == 2, "each said once, not in every repetition"


def test_a_figure_does_not_change_with_what_else_is_measured() -> None:
    clips, evaluator = numbered_clips(64), LookedUp(64, 8)

    def measured(*metrics: str) -> list[Measurement]:
        report = Report()
        options = ScoreOptions(metrics, repetitions=2, seed=3)
        score_loadings(clips, [evaluator], same_motions, options, MADE, report, no_progress)
        return report.measurements

    alone = measured("r-precision")
    assert alone and {m.metric[:11] for m in alone} == {"R-precision"}
    together = measured(*MATCHING)
    assert [m for m in together if m.metric.startswith("R-")] == alone
    assert measured(*MATCHING) == together


def test_few_clips_have_no_r_precision_but_a_distance() -> None:
    report = Report()
    score_loadings(
        numbered_clips(20), [LookedUp(20, 4)], same_motions, ScoreOptions(MATCHING), MADE, report, no_progress
    )
    assert (
        "R-precision: needs batches of 32 pairs, found 20; another pool is not comparable" in report.refusals
    )
    assert one(report.measurements, "MM-Dist", GENERATED).protocol == "guo, one incomplete batch"


def test_r_precision_by_the_best_query_token_is_the_slow_one() -> None:
    rng = np.random.default_rng(0)
    texts, queries = rng.normal(size=(64, 6)), rng.normal(size=(64, 3, 6))
    pairs = Embedded(texts, queries.mean(1), queries)
    for direction in ("text-to-motion", "motion-to-text"):
        hits = {1: 0, 2: 0, 3: 0}
        for start in (0, 32):
            rows = range(start, start + 32)
            for i in rows:
                if direction == "text-to-motion":
                    scores = [max(q @ texts[i] for q in queries[j]) for j in rows]
                else:
                    scores = [max(q @ texts[j] for q in queries[i]) for j in rows]
                above = sum(s > scores[i - start] for s in scores)
                for k in hits:
                    hits[k] += above < k
        assert r_precision_of(pairs, None, direction) == {k: n / 64 for k, n in hits.items()}  # type: ignore[arg-type]


def test_r_precision_by_the_mean_query_token_is_that_of_its_distances() -> None:
    rng = np.random.default_rng(0)
    texts, queries = rng.normal(size=(64, 6)), rng.normal(size=(64, 3, 6))
    mean = Embedded(texts, queries.mean(1))
    pairs = Embedded(texts, queries.mean(1), queries)
    assert r_precision_of(pairs, best_token=False) == r_precision_of(mean) != r_precision_of(pairs)


class CountingHead:
    """A matching head that likes pairs whose numbers are near, and says how many it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def matching(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        self.asked += len(captions)
        pairs = zip(captions, features, strict=True)
        return np.array([1 / (1 + abs(int(c.text) - f[0, 0])) for c, f in pairs], np.float32)


def test_the_best_candidates_are_ordered_by_similarity_and_matching_and_pairs_are_judged_once() -> None:
    numbers = np.arange(6)
    pool = RetrievalPool(
        [str(n) for n in numbers], [Caption(str(n)) for n in numbers], [np.full((4, 1), n) for n in numbers]
    )
    head, similarity = CountingHead(), np.random.default_rng(0).uniform(-0.1, 0.1, (6, 6)).astype(np.float32)
    rerank = MatchingReranker(head, pool, 3)  # type: ignore[arg-type]
    chosen = np.array([4, 1, 0, 5])
    of_pool = similarity[np.ix_(chosen, chosen)]
    for rows, scores in zip((of_pool, of_pool.T), rerank(chosen, of_pool), strict=True):
        for query, (before, after) in enumerate(zip(rows, scores, strict=True)):
            best = sorted(range(4), key=lambda n: -before[n])[:3]
            judged = [before[n] + 1 / (1 + abs(chosen[query] - chosen[n])) for n in best]
            expected = [n for _, n in sorted(zip(judged, best, strict=True), reverse=True)]
            assert np.argsort(-after)[:3].tolist() == expected
    before = head.asked
    rerank(chosen, of_pool)
    assert head.asked == before <= 4 * 4


def test_given_pairs_are_drawn_anew_and_fid_needs_real_motions() -> None:
    evaluator = LookedUp(130, 6)
    pairs = Embedded(evaluator.texts, evaluator.motions)
    options, report = ScoreOptions(MATCHING, repetitions=6), Report()
    score_given([evaluator], [pairs], [None], None, options, OWN, report)
    assert [r for r in report.refusals if r.startswith("FID: needs real motions")]
    figure = one(report.measurements, "R-precision top 1", GIVEN)
    assert (figure.repetitions, figure.protocol) == (6, "given pairs") and figure.interval
    dist = one(report.measurements, "MM-Dist", GIVEN)
    expected = np.linalg.norm(evaluator.texts - evaluator.motions, axis=1).mean()
    assert (dist.repetitions, dist.interval) == (1, None)
    assert dist.value == pytest.approx(expected, rel=1e-6)
    report = Report()
    score_given([evaluator], [pairs], [pairs], None, options, OWN, report)
    assert not report.refusals
    assert one(report.measurements, "FID", GIVEN).value == pytest.approx(0, abs=1e-6)
    assert one(report.measurements, "MM-Dist", GROUND_TRUTH).value == pytest.approx(expected, rel=1e-6)


# MultiModality


@pytest.mark.parametrize(("protocol", "texts"), [("guo", 100), ("momask", 96)])
def test_multimodality_of_one_motion_is_0_and_of_axes_between(protocol: str, texts: int) -> None:
    asked: list[int] = []

    def alike(pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int) -> list[np.ndarray]:
        asked.append(samples)
        return [pairs[0].features] * samples

    def apart(pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int) -> list[np.ndarray]:
        return [np.full((4, 1), n) for n in range(samples)]

    options = ScoreOptions((MULTIMODALITY,), repetitions=2, protocols=(protocol,))
    values = []
    for make in (alike, apart):
        report = Report()
        score_multimodality(numbered_clips(120), [OneHot(120)], make, options, MADE, report, no_progress)
        [figure] = report.measurements
        assert (figure.pool, figure.repetitions) == (texts, 2)
        assert figure.protocol == f"{protocol}, {texts} x 30"
        values.append(figure.value)
    assert values[0] == 0.0
    # Ten pairs of thirty axes; now and then an axis meets itself.
    assert 0.7 * np.sqrt(2) < values[1] <= np.sqrt(2)
    assert asked == [30] * 2 * texts


def test_every_motion_is_told_as_soon_as_it_is_made() -> None:
    made: list[int] = []

    @contextmanager
    def bar(total: int, title: str) -> Iterator[Callable[[float, str], None]]:
        assert total == 40
        yield lambda count, detail: made.append(0)

    def watched(
        pairs: Sequence[EvaluationPair], rng: np.random.Generator, samples: int
    ) -> Iterator[np.ndarray]:
        for pair in pairs:
            before = len(made)
            yield pair.features
            assert len(made) == before + 1

    options = ScoreOptions((MM_DIST,), repetitions=2)
    score_loadings(numbered_clips(20), [OneHot(20)], watched, options, MADE, Report(), bar)
    assert len(made) == 40


def test_multimodality_is_refused_with_what_was_found() -> None:
    options, report = ScoreOptions((MULTIMODALITY,)), Report()
    score_multimodality(numbered_clips(99), [OneHot(99)], lambda *_: [], options, MADE, report, no_progress)
    by_text = {str(n): np.zeros((30 if n else 29, 3)) for n in range(100)}
    score_given_multimodality([OneHot(3)], [by_text], options, OWN, report)
    assert report.refusals == [
        "MultiModality: protocol guo needs 100 texts with 30 motions each, found 99 clips",
        "MultiModality: protocol guo needs 100 texts with 30 motions each, found 99 texts with as many",
    ]
    by_text["0"] = np.zeros((31, 3))
    score_given_multimodality([OneHot(3)], [by_text], options, OWN, report)
    assert [m.value for m in report.measurements] == [0.0]


def test_a_sentence_that_occurs_twice_is_generated_twice() -> None:
    bundle = tiny_bundle()
    # An untrained codebook is all zeros: every motion would be the same.
    bundle.tokenizer.codebook.vectors.copy_(torch.randn(16, 8))
    lengths = (40, 60, 40, 40)
    texts = ("a person walks", "he jumps", "a person walks", "a person walks")
    pairs = [
        EvaluationPair(n, np.zeros((length, 263), np.float32), Caption(text))
        for n, (length, text) in enumerate(zip(lengths, texts, strict=True))
    ]

    def made(seed: int) -> list[np.ndarray]:
        # So few codes are all allowed, or the same one would always win.
        options = GenerateOptions(sampling=SamplingOptions(temperature=5.0, top_fraction=1.0), candidates=1)
        found = list(generate_for(bundle, pairs, options, np.random.default_rng(seed)))
        assert [m.text for m in found] == list(texts)
        return [m.to_features() for m in found]

    first = made(1)
    assert [len(motion) for motion in first] == list(lengths)
    for a, b in itertools.combinations((first[0], first[2], first[3]), 2):
        assert not np.array_equal(a, b)
    for a, b in zip(first, made(1), strict=True):
        np.testing.assert_array_equal(a, b)


# Sentences


def example(number: int, text: str, described: str, truth: Motion | None = None) -> Example:
    motion = Motion(wandering(HUMANML3D, 45), HUMANML3D, 20.0)
    return Example(number, (Caption(text),), motion, truth, described)


def test_lamp_bertscore_of_the_texts_themselves_is_1_and_shuffled_is_not() -> None:
    texts = ["one walks", "two jump", "three kick high"]
    encoder = WordEncoder()
    models, report = models_with(encoder), Report()
    gathered = LampBertScore(MotionCaptions(models, "LaMP-BertScore"), OWN)
    gathered.add([example(n, text, text) for n, text in enumerate(texts)], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS, seed=2), report)
    for name in ("precision", "recall", "F1"):
        figure = one(figures, f"LaMP-BertScore {name}", GIVEN)
        assert (figure.value, figure.interval, figure.pool) == (1.0, None, 3)
        assert figure.evaluator == "given captions; words"
        assert figure.protocol == "idf, not rescaled, mean over sentences"
        # No two of these sentences share a word.
        assert one(figures, f"LaMP-BertScore {name}", SHUFFLED).value == 0.0
    assert report.notes == ["LaMP-BertScore: no ground-truth row, because no true motion was described"]
    assert encoder.calls == 3, "a sentence is encoded once"


def test_true_motions_are_captioned_for_their_own_row() -> None:
    models, report = models_with(WordEncoder()), Report()
    gathered = LampBertScore(MotionCaptions(models, "LaMP-BertScore"), OWN)
    truth = Motion(wandering(HUMANML3D, 80), HUMANML3D, 20.0)
    gathered.add([example(0, "a b", "a b", truth), example(1, "c d", "c d")], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS), report)
    assert one(figures, "LaMP-BertScore F1", GROUND_TRUTH).pool == 1
    assert not report.notes


def test_one_text_cannot_be_shuffled() -> None:
    models, report = models_with(WordEncoder()), Report()
    gathered = LampBertScore(MotionCaptions(models, "LaMP-BertScore"), OWN)
    gathered.add([example(0, "a b", "a"), example(1, "a b", "a")], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS), report)
    # "a" is in both references: its idf is 0, so its tokens weigh alike; one word of two is found.
    assert one(figures, "LaMP-BertScore precision", GIVEN).value == pytest.approx(1.0)
    assert one(figures, "LaMP-BertScore recall", GIVEN).value == pytest.approx(0.5)
    assert not [m for m in figures if m.subject == SHUFFLED]
    assert "no row of shuffled texts" in report.notes[-1]


@pytest.mark.parametrize("sizes", [(1, 1), (1,) * 9, (3, 3), (2, 1, 1), (4, 3, 2, 1), (5, 1)])
def test_shuffled_texts_leave_their_places(sizes: tuple[int, ...]) -> None:
    texts = [str(kind) for kind, size in enumerate(sizes) for _ in range(size)]
    for seed in range(5):
        found = shuffled(texts, np.random.default_rng(seed))
        assert sorted(found) == sorted(texts)
        same = sum(a == b for a, b in zip(found, texts, strict=True))
        assert same == max(0, 2 * max(sizes) - len(texts))
        assert found == shuffled(texts, np.random.default_rng(seed))
    with pytest.raises(ValueError, match="at least 2 texts"):
        shuffled(["a"], np.random.default_rng(0))


def test_captions_are_scored_by_the_protocols_of_the_metrics() -> None:
    models = models_with(WordEncoder())
    captions = [[Caption("A man walks.", ("a/DET", "man/NOUN", "walk/VERB"))], [Caption("He jumps")]]
    predictions = ["a man walks", ""]
    figures = text_figures(predictions, captions, "me", OWN, models, ScoreOptions((CAPTIONS,)))
    penalty = np.exp(1 - 5 / 3)
    assert one(figures, "BLEU-1", "captioned", "raw").value == pytest.approx(penalty)
    assert one(figures, "BLEU-1", "captioned", "tm2t").value == pytest.approx(penalty * 2 / 3)
    assert one(figures, "ROUGE-L", "captioned", "raw").value == pytest.approx(0.5)
    assert one(figures, "ROUGE-L", "captioned", "motiongpt").value == pytest.approx(1 / 3)
    # Six references; "a" and "man" are in three of them, "walks" in none: log(7 / 4) twice and log 7.
    # The empty caption has nothing.
    precision, recall = 2 * np.log(7 / 4) / (2 * np.log(7 / 4) + np.log(7)), 2 / 3
    score = one(figures, "BERTScore F1", "captioned", "tokens")
    assert score.value == pytest.approx(precision * recall / (precision + recall), rel=1e-5)
    assert score.pool == 2 and score.evaluator == "me; words"
    names = [(m.metric, m.protocol) for m in figures]
    assert len(set(names)) == len(names)
    for protocol in (TM2T, MOTION_GPT, RAW):
        chosen = ScoreOptions((CAPTIONS,), protocols=(protocol.name,))
        alone = text_figures(predictions, captions, "me", OWN, models, chosen)
        assert [m for m in figures if m.protocol == protocol.label] == alone[:6]
        assert {m.protocol.split(",")[0] for m in alone[6:]} == {protocol.references}


def examples_with_truth(count: int) -> list[Example]:
    made = []
    for n in range(count):
        motion, truth = (Motion(wandering(HUMANML3D, 50 + n, n + k), HUMANML3D, 20.0) for k in (0, 100))
        made.append(Example(n, (Caption(f"a person {n} {TEXTS[n % 2]}"),), motion, truth))
    return made


def test_figures_of_pairs_do_not_change_with_what_else_is_measured() -> None:
    """Captions of the given motions, not those of their true ones that LaMP-BertScore has made."""
    examples = examples_with_truth(5)

    def measured(*metrics: str) -> list[Measurement]:
        return score_pairs(examples, models_with(WordEncoder()), ScoreOptions(metrics, seed=3)).measurements

    together = measured("bertscore", "captions", "mm-dist", "retrieval", "physics")
    for metric in ("bertscore", "captions", "mm-dist", "retrieval", "physics"):
        alone = measured(metric)
        assert alone and alone == [m for m in together if FIGURES[m.metric].metric == metric]


def test_the_diversity_of_an_evaluator_does_not_change_with_another_beside_it() -> None:
    first, second = LookedUp(140, 6), LookedUp(140, 6, seed=1)
    second.name = "another"  # type: ignore[misc]

    def diversity(evaluators: list[LookedUp]) -> list[Measurement]:
        report, options = Report(), ScoreOptions(("diversity",), repetitions=2)
        score_loadings(numbered_clips(140), evaluators, same_motions, options, MADE, report, no_progress)
        return [m for m in report.measurements if m.evaluator == "another"]

    assert diversity([second]) == diversity([first, second])


def test_an_empty_caption_counts_as_nothing_said(tmp_path: Path) -> None:
    """In whatever batch it stands, and never as one of ours."""
    texts = [f"{word} {word} {word}" for word in "abcd"]
    examples = [example(n, text, text if n < 3 else "") for n, text in enumerate(texts)]
    options = ScoreOptions((CAPTIONS,), protocols=("raw",))
    report = score_pairs(examples, models_with(WordEncoder()), options)
    rouge = one(report.measurements, "ROUGE-L", "captioned")
    assert (rouge.value, rouge.evaluator) == (0.75, "given captions")
    alone = [dataclasses.replace(examples[3], number=0), dataclasses.replace(examples[3], number=1)]
    report = score_pairs(alone, models_with(WordEncoder()), options)
    assert one(report.measurements, "ROUGE-L", "captioned").value == 0.0
    lines = [Line("a", Path("a.npy"), caption="x"), Line("b", Path("b.npy"))]
    with pytest.raises(ValueError, match=r"b.npy \(pair 2\): has no 'caption', others have"):
        require_captions_of_all_or_none(lines)


def test_true_motions_captioned_by_us_stand_in_no_row_of_given_captions() -> None:
    models, report = models_with(WordEncoder()), Report()
    gathered = LampBertScore(MotionCaptions(models, "LaMP-BertScore"), OWN)
    truth = Motion(wandering(HUMANML3D, 80), HUMANML3D, 20.0)
    gathered.add([example(0, "a b", "a b", truth), example(1, "c d", "c d")], report)
    judges = {m.subject: m.evaluator for m in gathered.measurements(models, ScoreOptions(METRICS), report)}
    assert judges[GIVEN] == judges[SHUFFLED] == "given captions; words"
    assert judges[GROUND_TRUTH] == "captions by tiny; words"


def test_lines_of_one_motion_are_one_clip_with_several_captions(tmp_path: Path) -> None:
    for n in range(4):
        np.save(tmp_path / f"{n}.npy", wandering(HUMANML3D, 50 + n, n).astype(np.float32))
    once = [Line(f"text {n}", tmp_path / f"{n}.npy") for n in range(4)]
    more = [Line(f"again {n}", tmp_path / f"../{tmp_path.name}/{n}.npy") for n in range(4)]
    options = ScoreOptions(("retrieval", "physics"), protocols=("all",))
    alone = score_pairs(read_examples(once), models_with(WordEncoder()), options)
    report = score_pairs(read_examples([*once, *more, *once]), models_with(WordEncoder()), options)
    assert report.measurements == alone.measurements
    assert {m.pool for m in report.measurements} == {4}
    assert [[c.text for c in e.captions] for e in read_examples([once[0], more[0]])] == [
        ["text 0", "again 0"]
    ]
    assert "motions of several sentences: 4; the first one counts, for --captions all do" in report.notes
    several = read_examples([*once, *more])
    scored = score_pairs(several, models_with(WordEncoder()), ScoreOptions((CAPTIONS,)))
    assert {m.pool for m in scored.measurements} == {4}
    with pytest.raises(ValueError, match="its lines give different captions; expected one"):
        read_examples([dataclasses.replace(once[0], caption="x"), dataclasses.replace(more[0], caption="y")])


def test_a_line_says_its_rate_and_an_option_the_rate_of_the_others(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", wandering(HUMANML3D, 120).astype(np.float32))
    line = Line("a", tmp_path / "m.npy")
    [(assumed,), (asked,), (said,)] = [
        read_examples([line]),
        read_examples([line], reading=Reading(60.0)),
        read_examples([dataclasses.replace(line, fps=30.0)], reading=Reading(60.0)),
    ]
    assert [e.motion.fps for e in (assumed, asked, said)] == [20.0, 60.0, 30.0]
    with pytest.raises(ValueError, match="here: 'fps' is -1; expected a number above 0"):
        line_of_record({"text": "a", "motion": "m.npy", "fps": -1}, "here")


def test_who_made_the_motions(tmp_path: Path) -> None:
    own = Motion(wandering(HUMANML3D, 40), HUMANML3D, 20.0)
    best, single = (dataclasses.replace(own, candidates=count) for count in (16, 1))
    assert origin_of([best, best]) == MotionOrigin(GENERATED, "best of 16 by check and LaMP")
    assert origin_of([best, single]) == MotionOrigin(GENERATED, "some best of 16 by check and LaMP")
    assert origin_of([single]) == MotionOrigin(GENERATED)
    assert origin_of([own]) == MotionOrigin(GIVEN)
    assert origin_of([own, best]) == MotionOrigin(GIVEN, "some best of 16 by check and LaMP")
    np.save(tmp_path / "m.npy", own.joints.astype(np.float32))
    for found, kept in ((16, 16), ([{"caption": "c"}], None), (True, None), (0, None)):
        record = {"text": "a", "motion": str(tmp_path / "m.npy"), "candidates": found}
        [read] = read_examples([line_of_record(record, "here")])
        assert read.motion.candidates == kept


def test_a_sentence_of_several_motions_is_noted() -> None:
    examples = [example(n, "walk", "x") for n in range(3)]
    report = score_pairs(examples, models_with(WordEncoder()), ScoreOptions(("retrieval",)))
    assert any(note.startswith("sentences of several motions: 1") for note in report.notes)


def test_sentences_that_are_too_long_for_the_bundle_are_noted() -> None:
    examples = [example(0, "walk " * 40, "x"), example(1, "walk", "x")]
    report = score_pairs(examples, models_with(WordEncoder()), ScoreOptions(("mm-dist",)))
    [told] = [note for note in report.notes if "word pieces" in note]
    assert told.startswith("1 of 2 sentences have more than the ")


def test_a_body_off_the_floor_has_its_figure_or_is_named() -> None:
    joints = wandering(HUMANML3D, 40)
    joints[..., 1] -= joints[..., 1].min() - 0.2
    up, down = (Motion((joints - np.array([0.0, y, 0.0])), HUMANML3D, 20.0) for y in (0.0, 0.2))
    report = score_physics([up, down])
    pools = {m.metric: (m.pool, m.value) for m in report.measurements}
    assert pools["floating (cm)"][0] == 2 and pools["floating (cm)"][1] > 10.0
    reason = "1 of 2 given clips are too short or never stand on the floor"
    assert f"foot skate (cm/frame at 20 fps): {reason}, and do not count" in report.notes
    assert score_physics([up]).refusals == [
        f"{name}: {reason.replace('1 of 2', '1 of 1')}"
        for name in ("foot skate (cm/frame at 20 fps)", "skating ratio by Kimodo")
    ]


def test_fid_of_few_clips_is_refused_or_marked() -> None:
    for clips, width, found in (
        (31, 4, None),
        (40, 40, "given pairs, biased upward: 40 clips, 40 dimensions"),
        (40, 39, "given pairs"),
    ):
        evaluator = LookedUp(clips, width)
        pairs, report = Embedded(evaluator.texts, evaluator.motions), Report()
        score_given([evaluator], [pairs], [pairs], None, ScoreOptions(("fid",)), OWN, report)
        assert [m.protocol for m in report.measurements] == ([found] if found else [])
        assert report.refusals == ([] if found else ["FID: needs at least 32 clips, found 31"])


def test_one_batch_of_pairs_has_no_interval() -> None:
    evaluator = LookedUp(32, 6)
    pairs, report = Embedded(evaluator.texts, evaluator.motions), Report()
    score_given([evaluator], [pairs], [None], None, ScoreOptions(("r-precision",)), OWN, report)
    assert {(m.repetitions, m.interval) for m in report.measurements} == {(1, None)}


# BERTScore's encoders


def test_our_bert_gives_the_states_of_transformers(tmp_path: Path) -> None:
    import transformers

    from lamp_cli.data.vocabulary import ascii_pieces

    torch.manual_seed(0)
    pieces = [*ascii_pieces(), "jump", "##s", "walk"]
    (tmp_path / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces))
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        initializer_range=0.3,
    )
    network = transformers.BertModel(config).eval()
    network.save_pretrained(tmp_path)
    tokenizer = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"))
    encoder = bert_encoder(tmp_path, "tiny", CPU)
    assert encoder.name == "tiny, layer 3"
    texts = ["Jumps, walk!", "", "a " * 60, "walk"]
    for text, states in zip(texts, encoder.encode(texts), strict=True):
        batch = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            expected = network(**batch).last_hidden_state[0].numpy()
        assert states.ids.tolist() == batch["input_ids"][0].tolist()
        np.testing.assert_allclose(states.states, expected, atol=2e-5)
        assert states.inner.tolist() == [False, *[True] * (len(states.ids) - 2), False]


def test_the_bundles_own_text_transformer_reads_sentences() -> None:
    bundle = tiny_bundle()
    encoder = bundle_encoder(bundle)
    assert encoder.name == "lamp:tiny text transformer, layer 2"
    first, second = encoder.encode(["walk", "jump high"])
    [alone] = encoder.encode(["walk"])
    np.testing.assert_allclose(first.states, alone.states, atol=1e-6)
    assert len(second.ids) == 10 and second.inner.sum() == 8


def test_bertscores_encoder_reads_in_the_precision_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # bf16 can be computed anywhere; it is only slow where there are no instructions for it.
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    exact, fast = (
        Models(ModelChoice("lamp-mini", CPU, encoder="lamp", precision=precision)).encoder
        for precision in ("fp32", "bf16")
    )
    assert fast.name == f"{exact.name}, bf16"
    for states, rough in zip(exact.encode(TEXTS), fast.encode(TEXTS), strict=True):
        assert rough.states.dtype == np.float32 and rough.ids.tolist() == states.ids.tolist()
        apart = np.linalg.norm(rough.states - states.states) / np.linalg.norm(states.states)
        assert 1e-4 < apart < 2e-2
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    with pytest.raises(ValueError, match="precision bf16: this cpu has no instructions for it"):
        Models(ModelChoice("lamp-mini", CPU, precision="bf16"))


def test_sentences_of_as_many_tokens_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamp_cli.scoring.bertscore_encoders.CHUNK", 2)
    bundle = load_bundle("lamp-mini", CPU)
    widths: list[int] = []
    words = bundle.lamp.qformer.words
    words.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    # In the order of their characters, which is not that of their tokens.
    texts = ["someone walks sideways", "a a a a a a a a", "to and fro he", "he jumps", ""]
    counts = [len(states.ids) for states in bundle_encoder(bundle).encode(texts)]
    assert counts == [5, 10, 7, 4, 2]
    assert widths == [10, 5, 2]
    assert bundle_encoder(bundle).encode([]) == []


def test_bertscore_settings_by_name() -> None:
    assert bertscore_setting(None, None, "field") == ("roberta-large", 17, FIELD.config)
    assert bertscore_setting("folder", None, "field")[:2] == ("folder", 17)
    for arguments, message in (
        ((None, None, "mine"), "preset 'mine': expected field"),
        (("a", 3, "field"), "layer 3: the preset field is layer 17"),
        ((None, 3, None), "needs an encoder"),
    ):
        with pytest.raises(ValueError, match=message):
            bertscore_setting(*arguments)  # type: ignore[arg-type]


# Retrieval


def test_retrieval_of_axes_is_perfect_by_every_protocol() -> None:
    texts = [f"w{n % 40} v{n // 40}" for n in range(120)]
    captions = [Caption(str(n)) for n in range(120)]
    features = [np.full((40, 1), n, np.float32) for n in range(120)]

    class Reader:
        name = "reader"

        def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
            table = np.random.default_rng(0).normal(size=(120, 64))
            return [TokenStates(np.zeros(1), table[[int(s)]], np.ones(1, bool)) for s in sentences]

    pairs, report = RetrievalPool(texts, captions, features), Report()
    options = ScoreOptions((RETRIEVAL,), dissimilar=("w3 v0", "w0 v1"))
    score_retrieval(pairs, [OneHot(120)], Reader(), options, report, RETRIEVED)
    protocols = {m.protocol: m.pool for m in report.measurements}
    assert protocols == {
        "all, first caption": 120,
        "threshold 0.9, first caption, sentences by reader": 120,
        "dissimilar (listed), first caption": 2,
        "small-batches, first caption": 32,
    }
    for m in report.measurements:
        assert m.value == (1.0 if "MedR" in m.metric else 100.0)
    assert report.heatmap is not None and report.heatmap.similarity.shape == (24, 24)
    report = Report()
    chosen = dataclasses.replace(options, protocols=("dissimilar",), dissimilar=("absent",))
    score_retrieval(pairs, [OneHot(120)], Reader(), chosen, report, RETRIEVED)
    assert report.refusals == [
        "retrieval: protocol dissimilar lists absent, which is not among the 120 clips"
    ]


def test_retrieval_takes_clips_of_every_length_with_their_own_tokens(tmp_path: Path) -> None:
    for name, frames in (("a", 20), ("b", 60), ("c", 300)):
        write_example(name, wandering(HUMANML3D, frames), ["a man walks"], HUMANML3D, tmp_path)
    (tmp_path / "texts/a.txt").write_text("a man walks#x/DET y/NOUN#0.0#0.0\nhe#h/PRON#0.0#0.0\n")
    (tmp_path / "test.txt").write_text("a\nb\nc\n")
    save_statistics(tmp_path, Statistics(np.zeros(263, np.float32), np.ones(263, np.float32)))
    split = open_split(tmp_path, "test")
    assert [clip.id for clip in split.clips.clips] == ["b"]
    found = split.every_length()
    assert [(clip.id, len(clip.features)) for clip in found] == [("a", 19), ("b", 59), ("c", 299)]
    assert [caption.tokens for caption in found[0].captions] == [("x/DET", "y/NOUN"), ("h/PRON",)]
    assert len(open_split(tmp_path, "test", 2).every_length()) == 2


# Motions


def test_a_gliding_statue_skates_and_nothing_else() -> None:
    joints = np.repeat(wandering(HUMANML3D, 1), 30, axis=0)
    joints[..., 1] -= joints[..., 1].min() - 0.0
    joints[..., 0] += 0.02 * np.arange(30)[:, None]
    report = score_physics([Motion(joints, HUMANML3D, 20.0)] * 2)
    values = {m.metric: (m.value, m.pool, m.subject) for m in report.measurements}
    assert values["foot skate (cm/frame at 20 fps)"] == (pytest.approx(2.0), 2, "given")
    for name in ("penetration (cm)", "floating (cm)", "jitter (m/s³)", "bone drift (cm)"):
        assert values[name][0] == pytest.approx(0, abs=1e-6)
    assert score_physics([]).refusals == ["physical quality: no clips to measure"]


def test_a_tokenizer_that_loses_nothing_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    features = [joints_to_features(wandering(HUMANML3D, n, n), HUMANML3D) for n in (3, 42, 203)]
    seen: list[int] = []

    def lossless(bundle: object, batch: list[np.ndarray]) -> list[np.ndarray]:
        seen.extend(map(len, batch))
        return batch

    monkeypatch.setattr(motion_quality, "decoded_features", lossless)
    figures = reconstruction_figures(tiny_bundle(), features)
    assert seen == [40, 196]
    assert {m.metric: (round(m.value, 6), m.pool) for m in figures} == {
        "MPJPE (mm)": (0, 2),
        "root-relative MPJPE (mm)": (0, 2),
        "PA-MPJPE (mm)": (0, 2),
        "acceleration error (mm/frame² at 20 fps)": (0, 2),
    }


def test_clips_are_decoded_as_if_alone() -> None:
    bundle = tiny_bundle()
    features = [joints_to_features(wandering(HUMANML3D, n, n), HUMANML3D) for n in (41, 81)]
    together = motion_quality.decoded_features(bundle, features)
    for clip, decoded in zip(features, together, strict=True):
        [alone] = motion_quality.decoded_features(bundle, [clip])
        assert decoded.shape == clip.shape
        np.testing.assert_allclose(decoded, alone, atol=1e-4)


# Lines and options


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"motion": "a.npy"}, "here: expected a 'text' for every line, found None"),
        ({"text": " ", "motion": "a.npy"}, "expected a 'text'"),
        ({"text": "a"}, "expected a 'motion'"),
        ({"text": "a", "motion": "b", "caption": 3}, "expected 'caption' to be a string, found 3"),
        ({"text": "a", "motion": "b", "references": "c"}, "expected 'references' to be a list"),
    ],
)
def test_lines_that_are_none_are_named(record: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        line_of_record(record, "here")


def test_paths_are_looked_for_beside_the_manifest(tmp_path: Path) -> None:
    record = {"text": " a ", "motion": "m.npy", "ground_truth": "t.npy", "seed": 3, "references": ["b"]}
    line = line_of_record(record, "here", tmp_path)
    assert line == Line("a", tmp_path / "m.npy", tmp_path / "t.npy", None, ("b",), None, None)
    assert line_of_record(record, "stdin").motion == Path("m.npy")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("speed",)}, "metric 'speed': expected some of bertscore, fid"),
        ({"metrics": METRICS, "protocols": ("mine",)}, "protocol 'mine': expected some of all"),
        ({"metrics": METRICS, "repetitions": 0}, "repetitions: expected at least 1, found 0"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScoreOptions(**options)  # type: ignore[arg-type]


def test_motions_an_evaluator_cannot_read_are_left_out_or_refused(tmp_path: Path) -> None:
    lines = []
    for name, frames in (("short", 4), ("fits", 100), ("long", 300)):
        np.save(tmp_path / f"{name}.npy", wandering(HUMANML3D, frames).astype(np.float32))
        lines.append(Line(name, tmp_path / f"{name}.npy"))
    models = models_with(WordEncoder())
    report = score_pairs(read_examples(lines), models, ScoreOptions(("mm-dist",)))
    assert [m.pool for m in report.measurements] == [1]
    assert [n.split(": ")[1] for n in report.notes] == [
        f"{frames} frames; expected 4 to 199, left out" for frames in (3, 299)
    ]
    report = score_pairs(read_examples(lines[:1]), models, ScoreOptions(("mm-dist",)))
    assert (report.measurements, len(report.refusals)) == ([], 1)
    np.save(tmp_path / "kit.npy", wandering(KIT, 60).astype(np.float32))
    with pytest.raises(
        ValueError, match=r"evaluator lamp:tiny \(........\) reads humanml3d, these motions are kit"
    ):
        score_pairs(read_examples([Line("a", tmp_path / "kit.npy")]), models, ScoreOptions(("mm-dist",)))
