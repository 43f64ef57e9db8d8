"""The text side: WordPiece against the reference implementation, BERT weights against transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lamp_cli.bundle.config import BundleConfig, from_json, to_json
from lamp_cli.cli.pretrain import _text_encoder
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, english_pieces, load_vocabulary, trimmed
from lamp_cli.model.bert import initialise_from_bert
from lamp_cli.model.qformer import QFormer, QFormerConfig, Text
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.sizes import SIZES

PIECES = [*english_pieces(), "jump", "##s", "##ing", "walk", "left"]


def test_words_split_into_known_pieces_and_come_back() -> None:
    vocabulary = Vocabulary([*dict.fromkeys(PIECES), DECODER_TOKEN])
    ids, mask = vocabulary.encode(["Jumping LEFT", "walk"], 8)
    assert [vocabulary.pieces[i] for i in ids[0]] == ["[CLS]", "jump", "##ing", "left", "[SEP]"]
    assert mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert [vocabulary.decode(row) for row in ids] == ["jumping left", "walk"]


def test_word_pieces_agree_with_transformers(tmp_path: Path) -> None:
    import transformers

    pieces = [*dict.fromkeys(PIECES), DECODER_TOKEN]
    vocabulary = Vocabulary(pieces)
    vocabulary.save(tmp_path / "vocab.txt")
    reference = transformers.BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=True)
    for text in ("a person Jumps, walking left!", "café naïve", "someone's", "日本 😀", "x" * 300):
        ids, _ = vocabulary.encode([text], 1000)
        assert ids[0].tolist() == reference(text)["input_ids"], text


def test_long_sentences_are_cut_and_still_end() -> None:
    vocabulary = Vocabulary([*dict.fromkeys(PIECES), DECODER_TOKEN])
    ids, _ = vocabulary.encode(["walk " * 10_000], 8)
    assert ids.shape == (1, 8)
    assert ids[0, -1] == vocabulary.end


def test_trimmed_keeps_characters_and_the_commonest_words() -> None:
    pieces = [
        "[PAD]",
        "[unused0]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "##a",
        "é",
        "the",
        "of",
        "zebra",
    ]
    assert [pieces[i] for i in trimmed(pieces, 9)] == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "the", "of")
    ]


def test_a_vocabulary_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    with pytest.raises(ValueError, match=r"vocab\.txt: missing"):
        load_vocabulary(path)
    path.write_text("[PAD]\n[UNK]\n")
    with pytest.raises(ValueError, match=r"lacks \[CLS\]"):
        load_vocabulary(path)


def test_text_transformer_is_bert() -> None:
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    qformer = QFormer(QFormerConfig(51, 16, 3, 4, 32, 5, 12, 8)).eval()
    initialise_from_bert(qformer, bert.state_dict(), list(range(50)))
    ids = torch.randint(50, (2, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 6:] = False
    ours = qformer.text(Text(ids, mask))
    theirs = bert(ids, attention_mask=mask.long()).last_hidden_state
    torch.testing.assert_close(ours[mask], theirs[mask], rtol=1e-4, atol=1e-5)
    layer = qformer.layers[0]
    torch.testing.assert_close(layer.query_feed.up.weight, layer.text_feed.up.weight)


def test_other_encoders_are_refused() -> None:
    qformer = QFormer(QFormerConfig(10, 16, 1, 2, 32, 5, 12, 8))
    with pytest.raises(ValueError, match="not a BERT-family encoder"):
        initialise_from_bert(qformer, {}, [0])
    wide = {"embeddings.word_embeddings.weight": torch.zeros(10, 32)}
    with pytest.raises(ValueError, match="width is 32"):
        initialise_from_bert(qformer, wide, [0])


@pytest.mark.parametrize("size", SIZES)
def test_configs_survive_json(size: str) -> None:
    config = BundleConfig("a", "humanml3d", 20.0, SIZES[size].model(HUMANML3D, 100), {"lamp": {"r1": 2.0}})
    assert from_json(BundleConfig, to_json(config)) == config


def test_config_mistakes_are_named() -> None:
    data = to_json(BundleConfig("a", "humanml3d", 20.0, SIZES["mini"].model(HUMANML3D, 100)))
    data["model"]["generator"]["width"] = "wide"
    with pytest.raises(ValueError, match=r"config\.model\.generator\.width: expected int, found 'wide'"):
        from_json(BundleConfig, data)
    del data["model"]["generator"]
    with pytest.raises(ValueError, match=r"config\.model\.generator: missing"):
        from_json(BundleConfig, data)
    with pytest.raises(ValueError, match=r"config\.x: unknown"):
        from_json(BundleConfig, {**data, "x": 1})


def test_that_no_text_encoder_is_there_is_said_where_words_are_learned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lamp_cli.bundle.text_encoder.default_text_encoder", lambda: None)
    told = {}
    for anew in (True, False):
        assert _text_encoder("auto", words_begin_anew=anew, stages=["tokenizer", "lamp"]) is None
        told[anew] = capsys.readouterr().err
    assert "words are learned from scratch" in told[True]
    # Those of a bundle to start from are there.
    assert "nothing holds words to it" in told[False] and "scratch" not in told[False]
    assert _text_encoder("auto", words_begin_anew=True, stages=["generator"]) is None
    assert capsys.readouterr().err == ""
