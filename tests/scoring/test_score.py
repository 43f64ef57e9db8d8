"""Scoring as functions: known answers by hand, slow references, refusals."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
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
from lamp_cli.inference.generate import GenerateOptions
from lamp_cli.metrics.bertscore import FIELD, TokenStates
from lamp_cli.metrics.measurement import GENERATED, GROUND_TRUTH, SHUFFLED, Measurement
from lamp_cli.model.generator import SamplingOptions
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.scoring import motion as score_motion
from lamp_cli.scoring.bertscore_encoders import (
    RememberingEncoder,
    bert_encoder,
    bertscore_setting,
    bundle_encoder,
)
from lamp_cli.scoring.figures import (
    CAPTIONS,
    MATCHING,
    METRICS,
    MULTIMODALITY,
    RETRIEVAL,
    RETRIEVED,
    Report,
    ScoreOptions,
    silent,
)
from lamp_cli.scoring.language import Describer, LampBertScore, shuffled, text_figures
from lamp_cli.scoring.lines import Line, line_of_record
from lamp_cli.scoring.matching import Embedded, r_precision_of, score_given, score_loadings
from lamp_cli.scoring.models import ModelChoice, Models, sampling
from lamp_cli.scoring.motion import reconstruction_figures, score_physics
from lamp_cli.scoring.multimodality import score_given_multimodality, score_multimodality
from lamp_cli.scoring.retrieval import Pairs, score_retrieval
from lamp_cli.scoring.score import score_pairs
from lamp_cli.scoring.sources import Example, GivenPairs, generate_for, open_split
from tests.conftest import wandering
from tests.inference.test_caption import with_captioner
from tests.inference.test_retrieve import tiny_bundle

CPU = torch.device("cpu")
TEXTS = ["someone walks sideways", "he jumps", ""]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads, much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    models = Models(ModelChoice("unused", CPU), with_captioner())
    models.encoder = RememberingEncoder(lambda: encoder)
    return models


def one(figures: Sequence[Measurement], metric: str, subject: str, part: str = "") -> Measurement:
    [found] = [m for m in figures if (m.metric, m.subject) == (metric, subject) and part in m.protocol]
    return found


# Text-to-motion


def test_a_perfect_generator_is_perfect_and_stands_beside_ground_truth() -> None:
    report = Report()
    options = ScoreOptions(MATCHING, repetitions=3, seed=5, protocols=("guo-small",))
    score_loadings(numbered_clips(140), [OneHot(140)], same_motions, options, report, silent)
    assert not report.refusals
    for subject in (GENERATED, GROUND_TRUTH):
        for k in (1, 2, 3):
            figure = one(report.measurements, f"R-precision top {k}", subject)
            assert (figure.value, figure.interval) == (1.0, 0.0)
            assert (figure.pool, figure.repetitions, figure.seed) == (32, 3, 5)
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


def test_how_motions_were_made_stands_in_the_protocol_unless_it_is_the_default() -> None:
    made = {
        "guo": ScoreOptions(MATCHING),
        "guo, guidance 3": ScoreOptions(MATCHING, guidance=3.0),
        "guo, bf16": ScoreOptions(MATCHING, precision="bf16"),
        "guo, guidance 0.5, bf16": ScoreOptions(MATCHING, guidance=0.5, precision="bf16"),
    }
    for name, options in made.items():
        assert options.labelled("guo") == name
        assert sampling(options).sampling.guidance == options.guidance
        assert sampling(options).precision == options.precision
    with pytest.raises(ValueError, match="precision 'half': expected fp32 or bf16"):
        ScoreOptions(MATCHING, precision="half")


def next_motions(pairs: Sequence[EvaluationPair], rng: np.random.Generator) -> list[np.ndarray]:
    return [np.full_like(pair.features, (pair.number + 1) % 64) for pair in pairs]


def test_wrong_motions_are_as_far_as_axes_are() -> None:
    report = Report()
    options = ScoreOptions(MATCHING, repetitions=2)
    score_loadings(numbered_clips(64), [OneHot(64)], next_motions, options, report, silent)
    assert one(report.measurements, "MM-Dist", GENERATED).value == pytest.approx(np.sqrt(2))
    # The right motion is never there; all that are not the neighbour's tie.
    assert one(report.measurements, "R-precision top 1", GENERATED).value < 1 / 16
    assert one(report.measurements, "R-precision top 1", GROUND_TRUTH).value == 1.0
    assert any("guo-small draws 100 pairs from more clips than that, found 64" in r for r in report.refusals)
    assert len(report.refusals) == 1, "said once, not in every repetition"


def test_a_figure_does_not_change_with_what_else_is_measured() -> None:
    clips, evaluator = numbered_clips(64), LookedUp(64, 8)

    def measured(*metrics: str) -> list[Measurement]:
        report = Report()
        options = ScoreOptions(metrics, repetitions=2, seed=3)
        score_loadings(clips, [evaluator], same_motions, options, report, silent)
        return report.measurements

    alone = measured("r-precision")
    assert alone and {m.metric[:11] for m in alone} == {"R-precision"}
    together = measured(*MATCHING)
    assert [m for m in together if m.metric.startswith("R-")] == alone
    assert measured(*MATCHING) == together


def test_few_clips_have_no_r_precision_but_a_distance() -> None:
    report = Report()
    score_loadings(
        numbered_clips(20), [LookedUp(20, 4)], same_motions, ScoreOptions(MATCHING), report, silent
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


def test_given_pairs_are_drawn_anew_and_fid_needs_real_motions() -> None:
    evaluator = LookedUp(130, 6)
    pairs = Embedded(evaluator.texts, evaluator.motions)
    options, report = ScoreOptions(MATCHING, repetitions=4), Report()
    score_given([evaluator], [pairs], [None], None, options, report)
    assert [r for r in report.refusals if r.startswith("FID: needs real motions")]
    figure = one(report.measurements, "R-precision top 1", GENERATED)
    assert (figure.repetitions, figure.protocol) == (4, "given pairs") and figure.interval
    dist = one(report.measurements, "MM-Dist", GENERATED)
    expected = np.linalg.norm(evaluator.texts - evaluator.motions, axis=1).mean()
    assert (dist.repetitions, dist.interval) == (1, None)
    assert dist.value == pytest.approx(expected, rel=1e-6)
    report = Report()
    score_given([evaluator], [pairs], [pairs], None, options, report)
    assert not report.refusals
    assert one(report.measurements, "FID", GENERATED).value == pytest.approx(0, abs=1e-6)
    assert one(report.measurements, "MM-Dist", GROUND_TRUTH).value == pytest.approx(expected, rel=1e-6)


# MultiModality


@pytest.mark.parametrize(("protocol", "texts"), [("guo", 100), ("momask", 96)])
def test_multimodality_of_one_motion_is_0_and_of_axes_between(protocol: str, texts: int) -> None:
    asked: list[int] = []

    def alike(pair: EvaluationPair, samples: int, rng: np.random.Generator) -> list[np.ndarray]:
        asked.append(samples)
        return [pair.features] * samples

    def apart(pair: EvaluationPair, samples: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [np.full((4, 1), n) for n in range(samples)]

    options = ScoreOptions((MULTIMODALITY,), repetitions=2, protocols=(protocol,))
    values = []
    for make in (alike, apart):
        report = Report()
        score_multimodality(numbered_clips(120), [OneHot(120)], make, options, report, silent)
        [figure] = report.measurements
        assert (figure.pool, figure.repetitions) == (texts, 2)
        assert figure.protocol == f"{protocol}, {texts} x 30"
        values.append(figure.value)
    assert values[0] == 0.0
    # Ten pairs of thirty axes; now and then an axis meets itself.
    assert 0.7 * np.sqrt(2) < values[1] <= np.sqrt(2)
    assert asked == [30] * 2 * texts


def test_multimodality_is_refused_with_what_was_found() -> None:
    options, report = ScoreOptions((MULTIMODALITY,)), Report()
    score_multimodality(numbered_clips(99), [OneHot(99)], lambda *_: [], options, report, silent)
    by_text = {str(n): np.zeros((30 if n else 29, 3)) for n in range(100)}
    score_given_multimodality([OneHot(3)], [by_text], options, report)
    assert report.refusals == [
        "MultiModality: protocol guo needs 100 texts with 30 motions each, found 99 clips",
        "MultiModality: protocol guo needs 100 texts with 30 motions each, found 99 texts with as many",
    ]
    by_text["0"] = np.zeros((31, 3))
    score_given_multimodality([OneHot(3)], [by_text], options, report)
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
        found = generate_for(bundle, pairs, options, np.random.default_rng(seed))
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
    return Example(str(number), Caption(text), motion, truth, described)


def test_lamp_bertscore_of_the_texts_themselves_is_1_and_shuffled_is_not() -> None:
    texts = ["one walks", "two jump", "three kick high"]
    encoder = WordEncoder()
    models, report = models_with(encoder), Report()
    gathered = LampBertScore(Describer(models, "LaMP-BertScore"))
    gathered.add([example(n, text, text) for n, text in enumerate(texts)], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS, seed=2), report)
    for name in ("precision", "recall", "F1"):
        figure = one(figures, f"LaMP-BertScore {name}", GENERATED)
        assert (figure.value, figure.interval, figure.pool) == (1.0, 0.0, 3)
        assert figure.evaluator == "given captions; words"
        assert figure.protocol == "idf, not rescaled, mean over sentences"
        # No two of these sentences share a word.
        assert one(figures, f"LaMP-BertScore {name}", SHUFFLED).value == 0.0
    assert report.notes == ["LaMP-BertScore: no ground-truth row, because no true motion was described"]
    assert encoder.calls == 3, "a sentence is encoded once"


def test_true_motions_are_captioned_for_their_own_row() -> None:
    models, report = models_with(WordEncoder()), Report()
    gathered = LampBertScore(Describer(models, "LaMP-BertScore"))
    truth = Motion(wandering(HUMANML3D, 80), HUMANML3D, 20.0)
    gathered.add([example(0, "a b", "a b", truth), example(1, "c d", "c d")], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS), report)
    assert one(figures, "LaMP-BertScore F1", GROUND_TRUTH).pool == 1
    assert not report.notes


def test_one_text_cannot_be_shuffled() -> None:
    models, report = models_with(WordEncoder()), Report()
    gathered = LampBertScore(Describer(models, "LaMP-BertScore"))
    gathered.add([example(0, "a b", "a"), example(1, "a b", "a")], report)
    figures = gathered.measurements(models, ScoreOptions(METRICS), report)
    # "a" is in both references: its idf is 0, so its tokens weigh alike; one word of two is found.
    assert one(figures, "LaMP-BertScore precision", GENERATED).value == pytest.approx(1.0)
    assert one(figures, "LaMP-BertScore recall", GENERATED).value == pytest.approx(0.5)
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


def test_the_reference_protocols_differ_as_they_should() -> None:
    models = models_with(WordEncoder())
    captions = [[Caption("A man walks.", ("a/DET", "man/NOUN", "walk/VERB"))], [Caption("He jumps")]]
    predictions = ["a man walks", ""]
    options = ScoreOptions((CAPTIONS,))

    def figures(protocol: str) -> list[Measurement]:
        return text_figures(predictions, captions, protocol, "me", models, options)  # type: ignore[arg-type]

    raw, tokens = figures("raw"), figures("tokens")
    penalty = np.exp(1 - 5 / 3)
    assert one(raw, "BLEU-1", "captioned", "closest").value == pytest.approx(penalty)
    assert one(tokens, "BLEU-1", "captioned", "closest").value == pytest.approx(penalty * 2 / 3)
    assert one(raw, "ROUGE-L", "captioned", "rouge-score").value == pytest.approx(0.5)
    assert one(tokens, "ROUGE-L", "captioned", "rouge-score").value == pytest.approx(1 / 3)
    # Six references; "a" and "man" are in three of them, "walks" in none: log(7 / 4) twice and log 7.
    # The empty caption has nothing.
    precision, recall = 2 * np.log(7 / 4) / (2 * np.log(7 / 4) + np.log(7)), 2 / 3
    score = one(tokens, "BERTScore F1", "captioned")
    assert score.value == pytest.approx(precision * recall / (precision + recall), rel=1e-5)
    assert score.pool == 2 and score.evaluator == "me; words"
    names = [(m.metric, m.protocol) for m in raw + tokens]
    assert len(set(names)) == len(names)


# BERTScore's encoders


def test_our_bert_gives_the_states_of_transformers(tmp_path: Path) -> None:
    import transformers

    from lamp_cli.data.vocabulary import english_pieces

    torch.manual_seed(0)
    pieces = [*english_pieces(), "jump", "##s", "walk"]
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

    pairs, report = Pairs(texts, captions, features), Report()
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
    found = split.every_length(None)
    assert [(clip.id, len(clip.features)) for clip in found] == [("a", 19), ("b", 59), ("c", 299)]
    assert [caption.tokens for caption in found[0].captions] == [("x/DET", "y/NOUN"), ("h/PRON",)]
    assert len(split.every_length(2)) == 2


# Motions


def test_a_gliding_statue_skates_and_nothing_else() -> None:
    joints = np.repeat(wandering(HUMANML3D, 1), 30, axis=0)
    joints[..., 1] -= joints[..., 1].min() - 0.0
    joints[..., 0] += 0.02 * np.arange(30)[:, None]
    report = score_physics([Motion(joints, HUMANML3D, 20.0)] * 2, "motions")
    values = {m.metric: (m.value, m.pool, m.subject) for m in report.measurements}
    assert values["foot skate (cm/frame)"] == (pytest.approx(2.0), 2, "motions")
    for name in ("penetration (cm)", "jitter (m/s³)", "bone drift (cm)"):
        assert values[name][0] == pytest.approx(0, abs=1e-6)
    assert score_physics([], "motions").refusals == ["physical quality: no clips to measure"]


def test_a_tokenizer_that_loses_nothing_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    features = [joints_to_features(wandering(HUMANML3D, n, n), HUMANML3D) for n in (3, 42, 203)]
    seen: list[int] = []

    def lossless(bundle: object, batch: list[np.ndarray]) -> list[np.ndarray]:
        seen.extend(map(len, batch))
        return batch

    monkeypatch.setattr(score_motion, "decoded_features", lossless)
    figures = reconstruction_figures(tiny_bundle(), features)
    assert seen == [40, 196]
    assert {m.metric: (round(m.value, 6), m.pool) for m in figures} == {
        "MPJPE (mm)": (0, 2),
        "root-relative MPJPE (mm)": (0, 2),
        "PA-MPJPE (mm)": (0, 2),
        "acceleration error (mm/frame²)": (0, 2),
    }


def test_clips_are_decoded_as_if_alone() -> None:
    bundle = tiny_bundle()
    features = [joints_to_features(wandering(HUMANML3D, n, n), HUMANML3D) for n in (41, 81)]
    together = score_motion.decoded_features(bundle, features)
    for clip, decoded in zip(features, together, strict=True):
        [alone] = score_motion.decoded_features(bundle, [clip])
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
    assert line == Line("a", tmp_path / "m.npy", tmp_path / "t.npy", None, ("b",))
    assert line_of_record(record, "stdin").motion == Path("m.npy")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("speed",)}, "metric 'speed': expected some of bertscore, fid"),
        ({"metrics": METRICS, "protocols": ("mine",)}, "protocol 'mine': expected some of all"),
        ({"metrics": METRICS, "repetitions": 0}, "repetitions: expected at least 1, found 0"),
        ({"metrics": METRICS, "limit": 0}, "limit: expected at least 1, found 0"),
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
    report = score_pairs(GivenPairs(lines), models, ScoreOptions(("mm-dist",)))
    assert [m.pool for m in report.measurements] == [1]
    assert [n.split(": ")[1] for n in report.notes] == [
        f"{frames} frames; evaluators read 4 to 199, left out" for frames in (3, 299)
    ]
    report = score_pairs(GivenPairs(lines[:1]), models, ScoreOptions(("mm-dist",)))
    assert (report.measurements, len(report.refusals)) == ([], 1)
    np.save(tmp_path / "kit.npy", wandering(KIT, 60).astype(np.float32))
    with pytest.raises(ValueError, match=r"evaluator lamp:tiny reads humanml3d, these motions are kit"):
        score_pairs(GivenPairs([Line("a", tmp_path / "kit.npy")]), models, ScoreOptions(("mm-dist",)))
