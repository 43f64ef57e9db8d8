"""BERTScore against the bert-score package on small random encoders, and by hand on chosen vectors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.metrics.bertscore import (
    FIELD,
    Baseline,
    BertScoreConfig,
    TokenStates,
    bert_score,
    inverse_document_frequencies,
    sentence_embeddings,
)
from lamp_cli.scoring.bertscore_encoders import RememberingEncoder
from lamp_cli.scoring.token_embeddings import HuggingFaceEncoder
from tests.metrics.test_text import corpus

CLS, SEP = 0, 1


class Chosen:
    """Words are letters, each with its own vector; [CLS] and [SEP] around them."""

    name = "chosen vectors"
    vectors = {  # noqa: RUF012
        "[": [0.0, 0.0, 1.0, 0.0],
        "]": [0.0, 0.0, 0.0, 2.0],
        "a": [3.0, 0.0, 0.0, 0.0],
        "b": [0.0, 1.0, 0.0, 0.0],
        "c": [0.6, 0.8, 0.0, 0.0],
        "o": [0.0, 0.0, 5.0, 0.0],
    }

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        self.seen = list(sentences)
        return [self._encode("[" + s.replace(" ", "") + "]") for s in sentences]

    def _encode(self, letters: str) -> TokenStates:
        ids = np.array([list(self.vectors).index(letter) for letter in letters])
        inner = np.array([letter not in "[]" for letter in letters])
        return TokenStates(ids, np.array([self.vectors[letter] for letter in letters]), inner)


PLAIN = BertScoreConfig(idf=False)


def test_greedy_matching_by_hand() -> None:
    score = bert_score(["a b", "a", "c c"], [["a b"], ["b"], ["a b"]], Chosen(), PLAIN)
    assert score.precision == pytest.approx([1.0, 0.0, 0.8])
    assert score.recall == pytest.approx([1.0, 0.0, 0.7])
    assert score.f1 == pytest.approx([1.0, 0.0, 2 * 0.8 * 0.7 / 1.5])
    assert list(score.parts()) == ["precision", "recall", "F1"] and score.parts()["F1"] is score.f1


def test_words_may_match_the_frame_of_the_other_sentence() -> None:
    # "o" points where [CLS] does; the frame itself weighs nothing.
    score = bert_score(["o"], [["a"]], Chosen(), PLAIN)
    assert score.precision == pytest.approx([1.0])
    assert score.recall == pytest.approx([0.0])


def test_idf_weighs_rare_words() -> None:
    encoder = Chosen()
    score = bert_score(["a b", "a"], [["a a"], ["a b"]], encoder)
    # "a" is in both references: log(3/3) = 0, "b" in one: log(3/2); so only "b" counts.
    assert score.precision == pytest.approx([0.0, 1.0])
    assert score.recall[1] == pytest.approx(0.0)
    rarity = inverse_document_frequencies([np.array([0, 2, 2, 1]), np.array([0, 2, 3, 1])])
    assert rarity == pytest.approx({0: 0.0, 1: 0.0, 2: 0.0, 3: np.log(1.5)})


def test_no_rarity_at_all_is_no_division_by_zero() -> None:
    score = bert_score(["a b"], [["b a"]], Chosen())
    assert [score.precision[0], score.recall[0], score.f1[0]] == pytest.approx([1.0, 1.0, 1.0])


def test_empty_sentences_are_legal() -> None:
    score = bert_score(["", "a", "  "], [["a"], [""], [""]], Chosen(), PLAIN)
    assert score.f1.tolist() == score.precision.tolist() == score.recall.tolist() == [0.0, 0.0, 0.0]


def test_the_best_reference_counts_for_each_figure() -> None:
    one = bert_score(["a c"], [["a a a b"]], Chosen(), PLAIN)
    other = bert_score(["a c"], [["c"]], Chosen(), PLAIN)
    both = bert_score(["a c"], [["a a a b", "c"]], Chosen(), PLAIN)
    for name in ("precision", "recall", "f1"):
        assert getattr(both, name) == max(getattr(one, name), getattr(other, name))


def test_rescaling_moves_the_baseline_to_zero() -> None:
    scaled = bert_score(
        ["c c", "a"], [["a b"], ["a"]], Chosen(), BertScoreConfig(False, Baseline(0.5, 0.7, 0.2))
    )
    assert scaled.precision == pytest.approx([0.6, 1.0], abs=1e-6)
    assert scaled.recall == pytest.approx([0.0, 1.0], abs=1e-6)
    assert scaled.f1 == pytest.approx([(2 * 0.8 * 0.7 / 1.5 - 0.2) / 0.8, 1.0], abs=1e-6)


def test_each_distinct_sentence_is_encoded_once() -> None:
    encoder = Chosen()
    bert_score(["a", "a ", "b"], [["a", "c"], ["b", "a"], ["c", "c"]], encoder)
    assert sorted(encoder.seen) == ["a", "b", "c"]


def test_a_remembering_encoder_encodes_nothing_twice() -> None:
    inner = Chosen()
    encoder = RememberingEncoder(lambda: inner)
    first = bert_score(["a", "b"], [["a c"], ["b"]], encoder)
    second = bert_score(["b", "o"], [["a c"], ["b"]], encoder)
    assert inner.seen == ["o"]
    assert encoder.name == "chosen vectors"
    assert first.f1.tolist() == bert_score(["a", "b"], [["a c"], ["b"]], Chosen()).f1.tolist()
    assert second.f1.tolist() == bert_score(["b", "o"], [["a c"], ["b"]], Chosen()).f1.tolist()


def test_sentence_embeddings_are_unit_means() -> None:
    (embedded,) = sentence_embeddings(Chosen().encode(["a b"]))
    mean = np.array([3.0, 1.0, 1.0, 2.0]) / 4
    assert embedded == pytest.approx(mean / np.linalg.norm(mean))
    with pytest.raises(ValueError, match="no sentences"):
        sentence_embeddings([])


def test_bad_states_and_references_are_refused() -> None:
    class Broken(Chosen):
        def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
            return [TokenStates(s.ids, s.states * np.nan, s.inner) for s in super().encode(sentences)]

    with pytest.raises(ValueError, match="finite token states"):
        bert_score(["a"], [["b"]], Broken())
    with pytest.raises(ValueError, match="caption 0 has no reference"):
        bert_score(["a"], [[]], Chosen())


def test_the_field_preset_is_bert_scores_own() -> None:
    bert_score_package = pytest.importorskip("bert_score")
    table = Path(bert_score_package.__file__).parent / "rescale_baseline" / "en" / "roberta-large.tsv"
    row = table.read_text().splitlines()[1 + FIELD.layer].split(",")
    assert (FIELD.model, FIELD.layer, FIELD.config.idf) == ("roberta-large", 17, True)
    assert FIELD.config.baseline == pytest.approx([float(value) for value in row[1:]], abs=1e-9)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small BERT and a small RoBERTa with random weights, four layers each."""
    import torch
    import transformers
    from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("encoders")
    candidates, several = corpus(50, 3)
    texts = candidates + [r for refs in several for r in refs]
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 64}
    # Wider than BERT's own start, or all states would be nearly alike.
    sizes |= {"initializer_range": 0.3, "max_position_embeddings": 40}

    bert = root / "bert"
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(texts, vocab_size=200)
    bert.mkdir()
    pieces.save_model(str(bert))
    transformers.BertTokenizer.from_pretrained(str(bert), model_max_length=38).save_pretrained(bert)
    config = transformers.BertConfig(vocab_size=pieces.get_vocab_size(), **sizes)
    transformers.BertModel(config).save_pretrained(bert)

    roberta = root / "roberta"
    pairs = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pairs.train_from_iterator(texts, vocab_size=350, special_tokens=special)
    roberta.mkdir()
    pairs.save_model(str(roberta))
    # bert-score asks for the space before the first word in a way that newer transformers overlook.
    tokenizer = transformers.RobertaTokenizer.from_pretrained(
        str(roberta), model_max_length=38, add_prefix_space=True
    )
    tokenizer.save_pretrained(roberta)
    config = transformers.RobertaConfig(vocab_size=pairs.get_vocab_size(), **sizes)
    transformers.RobertaModel(config).save_pretrained(roberta)
    return {"bert": bert, "roberta": roberta}


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("idf", [False, True])
def test_scores_are_bert_scores(folders: dict[str, Path], kind: str, idf: bool) -> None:
    package = pytest.importorskip("bert_score")
    candidates, several = corpus(60, 3, seed=5)
    candidates[0] = several[0][1]
    folder = folders[kind]
    expected = package.score(
        candidates, several, model_type=str(folder), num_layers=3, idf=idf, device="cpu", nthreads=0
    )
    ours = bert_score(candidates, several, HuggingFaceEncoder(str(folder), 3), BertScoreConfig(idf))
    for value, reference in zip((ours.precision, ours.recall, ours.f1), expected, strict=True):
        assert value == pytest.approx(reference.numpy(), abs=1e-6)
    assert ours.f1[0] == pytest.approx(1.0, abs=1e-6)
    assert ours.f1.std() > 0.01


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_neighbours_in_a_batch_change_nothing(folders: dict[str, Path], kind: str) -> None:
    encoder = HuggingFaceEncoder(str(folders[kind]))
    texts = ["", "he jumps", "a person walks slowly. " * 30, "he jumps", " waves"]
    together = encoder.encode(texts)
    for text, states in zip(texts, together, strict=True):
        (alone,) = encoder.encode([text])
        assert states.ids.tolist() == alone.ids.tolist()
        np.testing.assert_allclose(states.states, alone.states, atol=1e-5)
    assert not together[0].inner.any()
    assert len(together[2].ids) == 38
    assert encoder.name == f"{kind}, layer 4"
    assert HuggingFaceEncoder(str(folders[kind]), 0).name == f"{kind}, layer 0"


# In the order of their characters, which is not that of their tokens.
TEXTS = ["counterclockwise walking", "a a a a a a a", "he jumps", "", "to to to to to to"]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_sentences_of_as_many_tokens_share_a_batch(folders: dict[str, Path], kind: str) -> None:
    encoder = HuggingFaceEncoder(str(folders[kind]), batch_size=2)
    widths: list[int] = []
    encoder._model.register_forward_pre_hook(
        lambda _, given, named: widths.append(named["input_ids"].shape[1]), with_kwargs=True
    )
    counts = sorted((len(states.ids) for states in encoder.encode(TEXTS)), reverse=True)
    assert widths == [counts[0], counts[2], counts[4]]
    assert len(set(counts)) > 3 and encoder.encode([]) == []


def test_the_first_word_of_a_roberta_sentence_is_a_word_like_others(folders: dict[str, Path]) -> None:
    encoder = HuggingFaceEncoder(str(folders["roberta"]))
    once, twice = encoder.encode(["jumps", "jumps jumps"])
    word = once.ids[once.inner].tolist()
    assert twice.ids[twice.inner].tolist() == word + word


def test_a_layer_or_model_that_is_not_there_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a layer from 0 to 4, found 17"):
        HuggingFaceEncoder(str(folders["bert"]), 17)
    with pytest.raises(ValueError, match="expected a Hugging Face encoder"):
        HuggingFaceEncoder(str(tmp_path))


def test_without_transformers_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match="needs transformers"):
        HuggingFaceEncoder("anything")


def test_a_hub_out_of_reach_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # Nobody listens on the discard port.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ValueError, match=r"no/such-encoder: .* not in the cache, and the hub cannot be reached"
    ):
        HuggingFaceEncoder("no/such-encoder", 2)
