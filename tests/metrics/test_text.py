"""BLEU, ROUGE-L and CIDEr-D against sacrebleu, rouge-score and pycocoevalcap on generated captions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lamp_cli.metrics.bleu import corpus_bleu
from lamp_cli.metrics.captioning import MOTION_GPT, RAW, TM2T, caption_figures
from lamp_cli.metrics.captions import TOKENIZATIONS, plain_words, references, whitespace_words
from lamp_cli.metrics.cider import cider_d, cider_d_each
from lamp_cli.metrics.measurement import FigureNotAllowed
from lamp_cli.metrics.meteor import meteor
from lamp_cli.metrics.rouge import longest_common_subsequence, rouge_l, rouge_l_each

SUBJECTS = "a person|the man|someone|a woman|a figure, arms wide,|he".split("|")
VERBS = "walks|jumps up and down|sits down|turns 1,000 degrees|kicks|side-steps|waves".split("|")
ENDS = "slowly.|to the left|with both hands|3 times!|and then stops|forward|on one leg (the left)|".split("|")


def caption(rng: np.random.Generator) -> str:
    parts = [str(rng.choice(SUBJECTS))]
    for _ in range(rng.integers(1, 4)):
        parts += [str(rng.choice(VERBS)), str(rng.choice(ENDS))]
    return " ".join(" ".join(parts).split())


def corpus(size: int, references: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    rng = np.random.default_rng(seed)
    candidates = [caption(rng) for _ in range(size)]
    return candidates, [[caption(rng) for _ in range(references)] for _ in range(size)]


def words(
    texts: tuple[list[str], list[list[str]]], tokenization: str = "whitespace"
) -> tuple[list[list[str]], list[list[list[str]]]]:
    split = TOKENIZATIONS[tokenization]
    return [split(c) for c in texts[0]], [[split(r) for r in several] for several in texts[1]]


def test_bleu_with_the_closest_length_is_sacrebleus() -> None:
    from sacrebleu.metrics import BLEU

    texts = corpus(300, 3)
    texts[0][7] = ""
    ours = corpus_bleu(*words(texts))
    streams = [list(stream) for stream in zip(*texts[1], strict=True)]
    for order, value in enumerate(ours, 1):
        reference = BLEU(
            max_ngram_order=order,
            smooth_method="none",
            tokenize="none",
            force=True,
        )
        assert value == pytest.approx(reference.corpus_score(texts[0], streams).score / 100, abs=1e-6)


@pytest.mark.parametrize("rule", ["closest", "shortest"])
def test_both_length_rules_of_bleu_are_pycocoevalcaps(rule: str) -> None:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    candidates, several = corpus(300, 3, seed=1)
    candidates = [" ".join(c.split()[:4]) for c in candidates]
    scorer = BleuScorer(n=4)
    for candidate, refs in zip(candidates, several, strict=True):
        scorer += (candidate, refs)
    reference, _ = scorer.compute_score(option=rule)
    ours = corpus_bleu(*words((candidates, several)), length_rule=rule)
    assert ours == pytest.approx(reference, abs=1e-6)
    assert corpus_bleu(*words((candidates, several)), "shortest") > corpus_bleu(*words((candidates, several)))


def test_bleu_by_hand() -> None:
    # "the" is clipped to 2 of 3; no bigram matches; closest length 4 against 3 words.
    one, two, *_ = corpus_bleu([["the", "the", "the"]], [[["the", "cat", "the", "mat"]]])
    assert one == pytest.approx(2 / 3 * math.exp(1 - 4 / 3))
    assert two == 0.0
    assert corpus_bleu([[], list("abcd")], [[["a"]], [list("abcd")]])[3] == pytest.approx(math.exp(1 - 5 / 4))
    assert corpus_bleu([[]], [[["a"]]]) == (0.0, 0.0, 0.0, 0.0)
    # Lengths 2 and 4 are as close to 3: the shorter counts, so nothing is penalised.
    assert corpus_bleu([list("abc")], [[list("ab"), list("abcd")]])[2] == pytest.approx(1.0)


def test_rouge_l_is_rouge_scores() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    candidates, several = corpus(200, 3, seed=2)
    candidates[3] = ""
    scorer = RougeScorer(["rougeL"])
    reference = [
        scorer.score_multi(refs, candidate)["rougeL"].fmeasure
        for candidate, refs in zip(candidates, several, strict=True)
    ]
    ours = rouge_l_each(*words((candidates, several), "plain"), "rouge-score")
    assert ours == pytest.approx(reference, abs=1e-6)
    assert rouge_l(*words((candidates, several), "plain")) == pytest.approx(np.mean(reference), abs=1e-6)


def test_rouge_l_of_coco_is_pycocoevalcaps() -> None:
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, several = corpus(200, 3, seed=3)
    names = range(len(candidates))
    mean, each = Rouge().compute_score(
        dict(zip(names, several, strict=True)), {n: [c] for n, c in zip(names, candidates, strict=True)}
    )
    assert rouge_l_each(*words((candidates, several)), "coco") == pytest.approx(each.tolist(), abs=1e-6)
    assert rouge_l(*words((candidates, several)), "coco") == pytest.approx(mean, abs=1e-6)


def test_longest_common_subsequence_is_the_longest_of_all() -> None:
    from itertools import combinations

    rng = np.random.default_rng(0)
    for _ in range(30):
        first, second = ("".join(rng.choice(list("abc"), rng.integers(0, 8))) for _ in range(2))
        runs = [{"".join(c) for n in range(len(s) + 1) for c in combinations(s, n)} for s in (first, second)]
        assert longest_common_subsequence(first, second) == max(map(len, runs[0] & runs[1]))


def test_cider_is_pycocoevalcaps() -> None:
    from pycocoevalcap.cider.cider import Cider

    candidates, several = corpus(300, 3, seed=4)
    candidates[5] = ""
    candidates[6] = "jumps"
    several[7] = [several[7][0], several[7][1], several[7][0]]
    names = range(len(candidates))
    mean, each = Cider().compute_score(
        dict(zip(names, several, strict=True)), {n: [c] for n, c in zip(names, candidates, strict=True)}
    )
    ours = cider_d_each(*words((candidates, several)))
    assert ours == pytest.approx(each.tolist(), abs=1e-6)
    assert cider_d(*words((candidates, several))) == pytest.approx(mean, abs=1e-6)


def test_cider_by_hand() -> None:
    # All n-grams of order 1 to 4 match and none is shared between clips: the full score.
    texts = [list("abcd"), list("efgh")]
    assert cider_d_each(texts, [[t] for t in texts]) == pytest.approx([10.0, 10.0])
    assert cider_d_each([[], list("efgh")], [[t] for t in texts]) == pytest.approx([0.0, 10.0])
    # "a" is in every clip and weighs nothing; "c" is all there is left of "a c", a quarter of the orders
    # with the bigram another; six words too many cost exp(-1/2).
    several = [[["a", "c"]], [["a", "d"]]]
    assert cider_d_each([["a", "b"], ["a", "d"]], several) == pytest.approx([0.0, 5.0])
    assert cider_d_each([["c"], ["d"] + ["a"] * 7], several) == pytest.approx(
        [2.5 * math.exp(-1 / 72), 2.5 * math.exp(-1 / 2)]
    )
    with pytest.raises(FigureNotAllowed, match="at least 2 clips"):
        cider_d([["a"]], [[["a"]]])


def test_plain_words_drop_everything_else() -> None:
    assert plain_words("A man's 2nd side-step, LEFT!") == ["a", "man", "s", "2nd", "side", "step", "left"]
    assert whitespace_words(" A man's  step, ") == ["A", "man's", "step,"]
    assert plain_words("…") == []


def test_references_of_both_protocols() -> None:
    captions = ["A man walks.", "He is walking", "someone walked", "walk"]
    tokens = [["a/DET", "man/NOUN", "walk/VERB"], ["he/PRON", "is/AUX", "walk/VERB"], ["and/or/X"], ["d/X"]]
    assert references(captions, tokens, "tokens") == ("a man walk", "he is walk", "and/or")
    assert references(captions, [], "raw") == tuple(captions[:3])
    assert references(captions[:2], tokens, "raw") == (captions[0], captions[1], captions[0])
    assert references(captions[:1], tokens, "tokens") == ("a man walk",) * 3
    with pytest.raises(ValueError, match="no word/POS tokens"):
        references(captions, tokens[:1], "tokens")
    with pytest.raises(ValueError, match="without captions"):
        references([], [], "raw")
    with pytest.raises(ValueError, match="expected the reference protocol"):
        references(captions, tokens, "lemma")  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [corpus_bleu, rouge_l, cider_d])
def test_captions_without_references_are_refused(score: object) -> None:
    assert callable(score)
    with pytest.raises(ValueError, match="no captions"):
        score([], [])
    with pytest.raises(ValueError, match="expected references for 2 captions, found 1"):
        score([["a"], ["b"]], [[["a"]]])
    with pytest.raises(ValueError, match="caption 1 has no reference"):
        score([["a"], ["b"]], [[["a"]], []])


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="closest or shortest"):
        corpus_bleu([["a"]], [[["a"]]], "average")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rouge-score or coco"):
        rouge_l([["a"]], [[["a"]]], "nltk")  # type: ignore[arg-type]


def test_the_tm2t_protocol_is_nlg_evals() -> None:
    """nlg-eval is pycocoevalcap's scorers on strings split at white space."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, several = corpus(150, 3, seed=6)
    true = dict(enumerate(several))
    predicted = {n: [c] for n, c in enumerate(candidates)}
    ours = caption_figures(candidates, several, TM2T)
    bleu, _ = Bleu(4).compute_score(true, predicted, verbose=0)
    expected = [*bleu, Rouge().compute_score(true, predicted)[0], Cider().compute_score(true, predicted)[0]]
    assert list(ours) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D"]
    assert list(ours.values()) == pytest.approx(expected, abs=1e-6)


def test_protocols_differ_as_their_names_say() -> None:
    candidates, several = ["A man walks.", "he jumps"], [["a man walks", "a man"], ["He jumps!", "he hops"]]
    assert caption_figures(candidates, several, RAW)["BLEU-1"] == 1.0
    assert caption_figures(candidates, several, TM2T)["BLEU-1"] == pytest.approx(2 / 5)
    assert caption_figures(candidates, several, MOTION_GPT)["ROUGE-L"] == 1.0
    # Four words: the closest reference has five, the shortest two.
    short = (["he walks and stops"] * 2, [["he walks and then stops", "he walks"]] * 2)
    assert caption_figures(*short, RAW)["BLEU-1"] == pytest.approx(math.exp(-1 / 4))
    assert caption_figures(*short, MOTION_GPT)["BLEU-1"] == 1.0
    assert "CIDEr-D" not in caption_figures(candidates[:1], several[:1], RAW)
    assert [p.label for p in (TM2T, MOTION_GPT, RAW)] == ["tokens, tm2t", "tokens, motiongpt", "raw"]


def test_meteor_is_nltks_without_synonyms() -> None:
    theirs = pytest.importorskip("nltk.translate.meteor_score").single_meteor_score
    stemmer = pytest.importorskip("nltk.stem").PorterStemmer()

    class NoSynonyms:
        def synsets(self, word: str) -> list[object]:
            return []

    said, references = words(corpus(60, 3), "plain")
    for candidate, several in zip(said, references, strict=True):
        for reference in (*several, candidate):
            expected = theirs(reference, candidate, stemmer=stemmer, wordnet=NoSynonyms())
            assert meteor(candidate, reference, stemmer.stem) == pytest.approx(expected, abs=1e-12)


def test_meteor_by_hand() -> None:
    walk = "a person walks forward".split()
    assert meteor(walk, walk) == pytest.approx(1 - 0.5 / 4**3)
    # Own stems know irregular verbs: three words of four meet, of both sides, in one chunk.
    assert meteor("a person ran away".split(), "a person runs forward".split()) == pytest.approx(
        0.75 * (1 - 0.5 / 3**3)
    )
    # All four words meet, in two chunks that changed places.
    assert meteor("walks forward a person".split(), walk) == pytest.approx(1 - 0.5 * (2 / 4) ** 3)
    # Two of two words, of four: P 1, R 1/2.
    assert meteor("person walks".split(), walk) == pytest.approx(0.5 / (0.9 + 0.1 * 0.5) * (1 - 0.5 / 8))
    assert meteor([], walk) == meteor(["dog"], walk) == 0.0
