"""Published checkpoints compute, as networks of ours, what plain torch computes from the same tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lamp_cli.bundle.bundle import Bundle, load_bundle, save_bundle
from lamp_cli.bundle.released.bundle import ReleasedFiles, import_bundle
from lamp_cli.bundle.released.tokenizer import read_released_tokenizer
from lamp_cli.model.generator import Condition
from lamp_cli.model.lamp import motion_text_similarity
from lamp_cli.model.qformer import Context, Text
from lamp_cli.model.released import ReleasedTextToMotion
from tests.bundle.reference_networks import (
    part_of,
    reference_decoder,
    reference_encoder,
    reference_generator,
    reference_qformer,
    reference_word_logits,
    reference_words,
)
from tests.bundle.released_files import VOCABULARY, State, language_model, random_state, write_released_files

SENTENCES = ["the person walks", "person jumps and jumps and the quick fox walks over the lazy dog", "a"]
LENGTHS = (196, 100, 40)
LAMP_TOKENS, GENERATOR_TOKENS = 32, 49


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    write_released_files(folder)
    return folder


def released_files(folder: Path) -> ReleasedFiles:
    return ReleasedFiles(
        folder / "mean.npy",
        folder / "std.npy",
        folder / "vq.tar",
        folder / "h3d-qformer.tar",
        folder / "t2m.tar",
        vocabulary=str(folder / "vocab.txt"),
    )


@pytest.fixture(scope="module")
def bundle(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Saved and loaded again: rounding in the files counts too."""
    folder = tmp_path_factory.mktemp("bundle")
    save_bundle(folder, import_bundle(released_files(files), "released"))
    return load_bundle(folder, "cpu")


def _motions() -> torch.Tensor:
    """Normalised features (3, 196, 263) of ``LENGTHS`` frames, noise beyond them."""
    return torch.randn(3, 196, 263, generator=torch.Generator().manual_seed(0))


def _words(limit: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask (B, ``limit``), padded as the authors pad them."""
    ids, mask = VOCABULARY.encode(SENTENCES, limit)
    missing = (0, limit - ids.shape[1])
    return F.pad(torch.from_numpy(ids), missing, value=VOCABULARY.padding), F.pad(
        torch.from_numpy(mask), missing
    )


def _close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("file", ["vq.tar", "h3d-qformer.tar", "momask.tar"])
def test_tokenizers_give_the_same_codes_and_frames(files: Path, file: str) -> None:
    state = random_state(file)
    prefix = {"vq.tar": "vqvae.", "h3d-qformer.tar": "vq_model.vqvae.", "momask.tar": ""}[file]
    codebook = state.get(f"{prefix}quantizer.codebook", state.get("quantizer.layers.0.codebook"))
    assert codebook is not None
    network = read_released_tokenizer(files / file, base_layer=True).network
    # Larger than usual, so that many codes are chosen.
    features = 3 * _motions()
    latents = reference_encoder(state, f"{prefix}encoder.")(features.transpose(1, 2)).transpose(1, 2)
    codes = torch.cdist(latents, codebook[None]).argmin(-1)
    assert len(codes.unique()) > 10
    assert torch.equal(network.encode(features), codes)
    frames = reference_decoder(state, f"{prefix}decoder.")(codebook[codes].transpose(1, 2)).transpose(1, 2)
    _close(network.decode(codes), frames)


def test_a_residual_tokenizer_gives_the_codes_of_all_its_codebooks(files: Path) -> None:
    state = random_state("momask.tar")
    codebooks = [state[f"quantizer.layers.{n}.codebook"] for n in range(3)]
    network = read_released_tokenizer(files / "momask.tar").network
    assert network.config.quantizers == 3
    features = 3 * _motions()
    rest = reference_encoder(state, "encoder.")(features.transpose(1, 2)).transpose(1, 2)
    whole, codes = torch.zeros_like(rest), []
    for codebook in codebooks:
        codes.append(torch.cdist(rest, codebook[None]).argmin(-1))
        rest, whole = rest - codebook[codes[-1]], whole + codebook[codes[-1]]
    assert torch.equal(network.encode(features), torch.stack(codes, -1).flatten(1))
    frames = reference_decoder(state, "decoder.")(whole.transpose(1, 2)).transpose(1, 2)
    _close(network.decode(torch.stack(codes, -1).flatten(1)), frames)


def _motion_context(state: State) -> torch.Tensor:
    """What the authors' queries attend to: padding is zeros and is encoded and attended to like motion."""
    padded = _motions()
    for row, length in zip(padded, LENGTHS, strict=True):
        row[length:] = 0
    latents = reference_encoder(state, "motion_encoder.")(padded.transpose(1, 2)).transpose(1, 2)
    return latents @ state["motion_projection"]


def _everything(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.bool)


def test_lamp_embeds_and_matches_the_same(bundle: Bundle) -> None:
    state = random_state("h3d-qformer.tar")
    context, lengths = _motion_context(state), torch.tensor(LENGTHS)
    queries, real = state["query_tokens"].expand(3, -1, -1), _everything(3, 49)
    outputs = reference_qformer(state, 49, queries, _everything(3, 49, 49), context, real)
    motion = F.normalize(F.linear(outputs, state["motion_proj.weight"], state["motion_proj.bias"]), dim=-1)
    ids, mask = _words(LAMP_TOKENS)
    words = reference_qformer(state, 0, reference_words(state, ids), mask[:, None].expand(-1, 32, -1))
    text = F.normalize(F.linear(words[:, 0], state["text_proj.weight"], state["text_proj.bias"]), dim=-1)

    latents, codes = bundle.tokenizer.tokenize(_motions(), lengths)
    own = bundle.lamp.motion_context(latents, _everything(3, latents.shape[1]))
    sentences = Text(*map(torch.from_numpy, VOCABULARY.encode(SENTENCES, LAMP_TOKENS)))
    _close(own.vectors, context)
    _close(bundle.lamp.embed_motion(own), motion)
    _close(bundle.lamp.embed_text(sentences), text)
    similarity = motion_text_similarity(bundle.lamp.embed_motion(own), bundle.lamp.embed_text(sentences))
    scaled = state["temp"] * torch.einsum("mne,te->mtn", motion, text).amax(-1)
    _close(similarity / bundle.lamp.temperature, scaled)

    both = torch.cat([queries, reference_words(state, ids)], 1)
    seen = torch.cat([real, mask], 1)[:, None].expand(-1, 81, -1)
    outputs = reference_qformer(state, 49, both, seen, context, real)[:, :49]
    matching = F.linear(outputs, state["itm_head.weight"], state["itm_head.bias"]).mean(1)
    _close(bundle.lamp.matching_logits(own, sentences), matching)
    assert codes.shape == (3, 49)


def test_lamp_says_and_codes_the_same(bundle: Bundle) -> None:
    state = random_state("h3d-qformer.tar")
    context = _motion_context(state)
    ids, mask = _words(LAMP_TOKENS)
    ids[:, 0] = VOCABULARY.decoder
    queries, real = state["query_tokens"].expand(3, -1, -1), _everything(3, 49)
    text = reference_words(state, ids)
    # Words see queries and earlier words, queries see queries.
    seen = torch.cat([torch.cat([_everything(49, 49), ~_everything(49, 32)], 1)], 0).expand(3, -1, -1)
    later = torch.cat([_everything(32, 49), _everything(32, 32).tril()], 1).expand(3, -1, -1)
    allowed = torch.cat([seen, later & torch.cat([real, mask], 1)[:, None]], 1)
    outputs = reference_qformer(state, 49, torch.cat([queries, text], 1), allowed, context, real)[:, 49:]
    expected = reference_word_logits(state, outputs)[:, :-1]

    sentences = Text(*map(torch.from_numpy, VOCABULARY.encode(SENTENCES, LAMP_TOKENS)))
    found = bundle.lamp.teacher_forced_logits(Context(context, real), sentences)[1]
    kept = sentences.mask[:, 1:]
    _close(found[kept], expected[:, : found.shape[1]][kept])

    norm = part_of(state, "Qformer.bert.embeddings.LayerNorm.")
    embedded = F.layer_norm(text, text.shape[-1:], norm["weight"], norm["bias"], eps=1e-12)
    told = embedded @ state["text_projection"]
    outputs = reference_qformer(state, 49, queries, _everything(3, 49, 49), told, mask)
    _close(bundle.lamp.code_logits(sentences, embedded), F.linear(outputs, state["motion_cls.weight"]))


@pytest.mark.parametrize("tokens", [49, 12])
def test_the_generator_gives_the_same_logits(bundle: Bundle, tokens: int) -> None:
    state = random_state("t2m.tar")
    ids, mask = _words(GENERATOR_TOKENS)
    words = reference_qformer(state, 0, reference_words(state, ids), mask[:, None].expand(-1, 49, -1))
    told = F.linear(words, state["text2former.weight"], state["text2former.bias"])
    queries = state["query_tokens"].expand(3, -1, -1)
    # The padding of a sentence is attended to as if it were words.
    outputs = reference_qformer(state, 49, queries, _everything(3, 49, 49), told, _everything(3, 49))
    condition = outputs.mean(1)

    network = bundle.text_to_motion
    assert isinstance(network, ReleasedTextToMotion)
    given = network.condition.tokens(SENTENCES, VOCABULARY, LAMP_TOKENS)
    reading = network.condition(bundle.lamp, Text(*map(torch.from_numpy, given)))
    _close(reading.condition.vectors[:, 0], condition)

    codes = torch.randint(0, 25, (3, 49), generator=torch.Generator().manual_seed(1))
    # A clip beside longer ones gives what it gives alone.
    lengths = torch.tensor([49, tokens, 30])
    for vectors in (condition, torch.zeros_like(condition)):
        found = network.generator(codes, lengths, Condition.single(vectors))
        expected = reference_generator(state, codes[1:2, :tokens], vectors[1:2])
        _close(found[1:2, :tokens], expected)


def test_a_word_head_with_other_vectors_is_refused(tmp_path: Path) -> None:
    def untie(file: str, state: State) -> None:
        name = "Qformer.cls.predictions.decoder.weight"
        if name in state:
            state[name] = state[name] + 1

    write_released_files(tmp_path, untie)
    with pytest.raises(ValueError, match=r"h3d-qformer\.tar: predicts words by other vectors"):
        import_bundle(released_files(tmp_path), "released")


def test_statistics_and_words_are_kept(bundle: Bundle, files: Path) -> None:
    np.testing.assert_array_equal(bundle.statistics.std, np.load(files / "std.npy").astype(np.float32))
    assert bundle.vocabulary.pieces == VOCABULARY.pieces
    assert bundle.config.model.compat == "released"


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_model(tmp_path_factory.mktemp("llm"))


def test_the_captioner_gives_the_same_logits(
    files: Path, llm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    # In 16 bits, as it is loaded where a processor has them, it is the same to fewer digits.
    for module in ("lamp_cli.bundle.released.captioner", "lamp_cli.model.hugging_face"):
        monkeypatch.setattr(f"{module}.half_precision", lambda device: torch.float32)
    given = replace(released_files(files), captioner=files / "m2t.pth", llm=str(llm), generator=None)
    save_bundle(tmp_path, import_bundle(given, "released"))
    bundle = load_bundle(tmp_path, "cpu", captioner=True)
    assert bundle.captioner is not None

    state = random_state("m2t.pth")
    padded = _motions()
    for row, length in zip(padded, LENGTHS, strict=True):
        row[length:] = 0
    latents = reference_encoder(state, "motion_encoder.")(padded.transpose(1, 2)).transpose(1, 2)
    context, real = latents @ state["motion_projection"], _everything(3, 49)
    queries = state["query_tokens"].expand(3, -1, -1)
    outputs = reference_qformer(state, 49, queries, _everything(3, 49, 49), context, real)
    prefix = F.linear(outputs, state["opt_proj.weight"], state["opt_proj.bias"])
    model = transformers.AutoModelForCausalLM.from_pretrained(llm, dtype=torch.float32).eval()
    adapters = part_of(state, "llm.base_model.model.")
    for name in [name for name in adapters if name.endswith("lora_A.default.weight")]:
        layer = name.removesuffix(".lora_A.default.weight")
        # LoRA's alpha of 32 over its rank of 16.
        model.get_submodule(layer).weight += 2 * adapters[f"{layer}.lora_B.default.weight"] @ adapters[name]
    ids = torch.tensor([[0, 5, 9, 12]]).expand(3, -1)
    embedded = torch.cat([prefix, model.get_input_embeddings()(ids)], 1)
    expected = model(inputs_embeds=embedded).logits[:, 49:]

    tokens, _ = bundle.tokenizer.tokenize(_motions(), torch.tensor(LENGTHS))
    own = bundle.captioner.queries(bundle.lamp, bundle.lamp.motion_context(tokens, real))
    _close(own, outputs)
    decoder = bundle.captioner.decoder
    x = torch.cat([bundle.captioner.projection(own), decoder.embed(ids)], 1)
    _close(decoder.logits(x, torch.ones(3, 4, dtype=torch.bool)), expected.flatten(0, 1))
    assert decoder.end == len(model.get_input_embeddings().weight) - 1 != 1
