"""Evaluators: the released design to the letter, and released files read without trusting them."""

from __future__ import annotations

import pickle
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from lamp_cli.bundle.released.evaluator import load_released_evaluator, read_plain_pickle
from lamp_cli.bundle.trained_evaluator import TrainedEvaluatorConfig, save_evaluator
from lamp_cli.data.captions import Caption
from lamp_cli.data.evaluation_set import padded
from lamp_cli.data.statistics import Statistics
from lamp_cli.data.word_tokens import OTHER, TAGS, WordList
from lamp_cli.model import evaluator as evaluators
from lamp_cli.model.evaluator import EvaluatorConfig, MatchingEvaluator
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring.evaluators import (
    Evaluator,
    GuoEvaluator,
    LampEvaluator,
    load_evaluators,
    require_evaluators,
)
from lamp_cli.training.experiment_files import size_named

CPU = torch.device("cpu")
SMALL = EvaluatorConfig(
    words=9,
    word_width=6,
    movement_hidden=7,
    movement_width=8,
    motion_hidden=10,
    text_hidden=5,
    embedding_width=4,
)
VOCABULARY = ["sos", "eos", "unk", "a", "man", "walk", "left", "slowly", "hand"]
CAPTIONS = (
    Caption("a man walks left", ("a/DET", "man/NOUN", "walk/VERB", "left/ADV")),
    Caption("a zebra walks", ("a/DET", "zebra/NOUN", "walk/VERB")),
    Caption("", ()),
    Caption("a man " * 15, ("a/DET", "man/NOUN") * 15),
    Caption("he walks slowly", ("he/PRON", "walk/VERB", "slowly/ADV")),
)
# The released layout, as the authors' repositories (EricGuo5513/text-to-motion, momask-codes) build it.
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
GRU = [f"gru.{part}_l0{way}" for way in ("", "_reverse") for part in PARTS]
HEAD = [f"output_net.{layer}.{part}" for layer in (0, 1, 3) for part in ("weight", "bias")]
LAYOUT = {
    "movement_encoder": {f"{m}.{p}" for m in ("main.0", "main.3", "out_net") for p in ("weight", "bias")},
    "motion_encoder": {"hidden", "input_emb.weight", "input_emb.bias", *GRU, *HEAD},
    "text_encoder": {
        "hidden",
        "pos_emb.weight",
        "pos_emb.bias",
        "input_emb.weight",
        "input_emb.bias",
        *GRU,
        *HEAD,
    },
}


def motions(lengths: tuple[int, ...], width: int = 263) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=(length, width)).astype(np.float32) for length in lengths]


def released(folder: Path, config: EvaluatorConfig = SMALL, words: object = VOCABULARY) -> Path:
    """A folder as the release unpacks it, with random weights."""
    torch.manual_seed(1)
    network = MatchingEvaluator(config)
    states = {name: getattr(network, name).state_dict() for name in LAYOUT}
    for state in states.values():
        for value in state.values():
            value.copy_(0.3 * torch.randn(value.shape))
    data = folder / "checkpoints" / "t2m"
    (data / "text_mot_match/model").mkdir(parents=True)
    torch.save({**states, "epoch": 7, "iter": 9}, data / "text_mot_match/model/finest.tar")
    rng = np.random.default_rng(0)
    meta = data / "Comp_v6_KLD005/meta"
    meta.mkdir(parents=True)
    np.save(meta / "mean.npy", rng.normal(size=config.features))
    np.save(meta / "std.npy", rng.uniform(0.5, 2, size=config.features))
    glove = folder / "glove"
    glove.mkdir()
    np.save(glove / "our_vab_data.npy", rng.normal(size=(len(VOCABULARY) + 2, config.word_width)))
    (glove / "our_vab_words.pkl").write_bytes(pickle.dumps(words))
    rows = {word: len(VOCABULARY) - n for n, word in enumerate(VOCABULARY)}
    (glove / "our_vab_idx.pkl").write_bytes(pickle.dumps(rows))
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return released(tmp_path)


# The design


@pytest.mark.parametrize(("features", "inputs"), [(263, 259), (251, 247)])
def test_names_shapes_and_counts_are_those_of_the_release(features: int, inputs: int) -> None:
    with torch.device("meta"):
        network = MatchingEvaluator(EvaluatorConfig(features=features))
    for name, keys in LAYOUT.items():
        assert set(getattr(network, name).state_dict()) == keys
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes["movement_encoder.main.0.weight"] == (512, inputs, 4)
    assert shapes["movement_encoder.main.3.weight"] == (512, 512, 4)
    assert shapes["motion_encoder.gru.weight_ih_l0"] == (3 * 1024, 1024)
    assert shapes["motion_encoder.hidden"] == (2, 1, 1024)
    assert shapes["motion_encoder.output_net.0.weight"] == (1024, 2048)
    assert shapes["text_encoder.pos_emb.weight"] == (300, 15)
    assert shapes["text_encoder.input_emb.weight"] == (512, 300)
    assert shapes["text_encoder.gru.weight_hh_l0_reverse"] == (3 * 512, 512)
    assert shapes["text_encoder.output_net.3.weight"] == (512, 512)
    counts = {n: sum(p.numel() for p in getattr(network, n).parameters()) for n in LAYOUT}

    # Written out by hand from the sizes: linear i*o + o, GRU direction 3(h*h + h*h + 2h), norm 2h.
    def encoder(inputs: int, h: int) -> int:
        return (
            inputs * h + h + 2 * 3 * (2 * h * h + 2 * h) + (2 * h * h + h) + 2 * h + (h * 512 + 512) + 2 * h
        )

    assert counts["movement_encoder"] == (4 * inputs + 1) * 512 + (4 * 512 + 1) * 512 + 513 * 512
    assert counts["motion_encoder"] == encoder(512, 1024)
    assert counts["text_encoder"] == encoder(300, 512) + 16 * 300


def test_the_tags_and_the_classes_that_replace_them() -> None:
    batch = WordList(VOCABULARY).encode([*CAPTIONS, Caption("", ("left", "hand/XYZ", "man/XYZ", "a/DET"))])
    assert batch.words.shape == batch.tags.shape == (6, 22)
    assert batch.lengths.tolist() == [6, 5, 2, 22, 5, 6]
    tag = {name: TAGS.index(name) for name in TAGS}
    assert (tag["VERB"], tag["NOUN"], tag["Loc_VIP"], tag["OTHER"]) == (0, 1, 9, 14)
    assert batch.words[0, :7].tolist() == [0, 3, 4, 5, 6, 1, 2]
    assert batch.tags[0, :7].tolist() == [
        OTHER, tag["DET"], tag["NOUN"], tag["Act_VIP"], tag["Loc_VIP"], OTHER, OTHER,
    ]  # fmt: skip
    # An unknown word is unk with the tag OTHER, whatever its own tag.
    assert (batch.words[1, 2], batch.tags[1, 2]) == (2, OTHER)
    assert batch.words[3].tolist() == [0, *[3, 4] * 10, 1]
    assert batch.tags[5, 1:5].tolist() == [tag["Loc_VIP"], tag["Body_VIP"], OTHER, tag["DET"]]


def test_captions_without_tokens_are_tagged() -> None:
    words = WordList([*VOCABULARY, "he"])
    tagged = words.encode([Caption("A man walks slowly!")])
    given = words.encode([Caption("x", ("a/DET", "man/NOUN", "walk/VERB", "slowly/ADV"))])
    assert np.array_equal(tagged.words, given.words)
    assert np.array_equal(tagged.tags, given.tags)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def slow_gru(state: Mapping[str, np.ndarray], way: str, inputs: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The last state of one direction, gate by gate (Cho et al. 2014, in PyTorch's order r, z, n)."""
    for x in inputs:
        i = state[f"gru.weight_ih_l0{way}"] @ x + state[f"gru.bias_ih_l0{way}"]
        h = state[f"gru.weight_hh_l0{way}"] @ hidden + state[f"gru.bias_hh_l0{way}"]
        (ir, iz, new), (hr, hz, hn) = np.split(i, 3), np.split(h, 3)
        reset, update = sigmoid(ir + hr), sigmoid(iz + hz)
        hidden = (1 - update) * np.tanh(new + reset * hn) + update * hidden
    return hidden


def slow_encoder(state: Mapping[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    x = inputs @ state["input_emb.weight"].T + state["input_emb.bias"]
    last = np.concatenate(
        [
            slow_gru(state, "", x, state["hidden"][0, 0]),
            slow_gru(state, "_reverse", x[::-1], state["hidden"][1, 0]),
        ]
    )
    y = state["output_net.0.weight"] @ last + state["output_net.0.bias"]
    y = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
    y = leaky(y * state["output_net.1.weight"] + state["output_net.1.bias"])
    return state["output_net.3.weight"] @ y + state["output_net.3.bias"]


def slow_convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Kernel 4, stride 2, one frame of zeros on either side; x (T, C)."""
    x = np.pad(x, ((1, 1), (0, 0)))
    steps = range(0, len(x) - 3, 2)
    return np.stack([np.einsum("tc,oct->o", x[t : t + 4], weight) + bias for t in steps])


def slow_motion(states: Mapping[str, Mapping[str, np.ndarray]], motion: np.ndarray) -> np.ndarray:
    state = states["movement_encoder"]
    whole = np.zeros((196, 263))
    whole[: len(motion), : motion.shape[1]] = motion
    visible = state["main.0.weight"].shape[1]
    x = leaky(slow_convolution(whole[:, :visible], state["main.0.weight"], state["main.0.bias"]))
    x = leaky(slow_convolution(x, state["main.3.weight"], state["main.3.bias"]))
    x = x @ state["out_net.weight"].T + state["out_net.bias"]
    return slow_encoder(states["motion_encoder"], x[: len(motion) // 4])


def in_double(path: Path) -> dict[str, dict[str, np.ndarray]]:
    checkpoint = torch.load(path, weights_only=True)
    return {n: {k: v.double().numpy() for k, v in checkpoint[n].items()} for n in LAYOUT}


def test_a_released_motion_encoder_gives_the_embeddings_of_a_slow_forward(folder: Path) -> None:
    evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    assert re.fullmatch(r"guo:humanml3d \([0-9a-f]{8}\)", evaluator.name)
    clips = motions((40, 196, 64, 8))
    states = in_double(folder / "text_mot_match/model/finest.tar")
    meta = folder / "Comp_v6_KLD005/meta"
    mean, std = np.load(meta / "mean.npy"), np.load(meta / "std.npy")
    expected = np.stack([slow_motion(states, (clip - mean) / std) for clip in clips])
    found = evaluator.motion_embeddings(clips)
    assert (found.shape, found.dtype) == ((4, 4), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_released_text_encoder_gives_the_embeddings_of_a_slow_forward(folder: Path) -> None:
    state = in_double(folder / "text_mot_match/model/finest.tar")["text_encoder"]
    vectors = np.load(folder.parents[1] / "glove/our_vab_data.npy")
    of_word = {word: vectors[len(VOCABULARY) - n] for n, word in enumerate(VOCABULARY)}

    def embedded(*pairs: tuple[str, int]) -> np.ndarray:
        rows = [of_word[w] + state["pos_emb.weight"][:, tag] + state["pos_emb.bias"] for w, tag in pairs]
        return slow_encoder(state, np.stack(rows))

    first = embedded(("sos", 14), ("a", 2), ("man", 1), ("walk", 12), ("left", 9), ("eos", 14))
    second = embedded(("sos", 14), ("a", 2), ("unk", 14), ("walk", 12), ("eos", 14))
    third = embedded(("sos", 14), ("eos", 14))
    fourth = embedded(("sos", 14), *[("a", 2), ("man", 1)] * 10, ("eos", 14))
    found = GuoEvaluator(load_released_evaluator(folder, CPU)).text_embeddings(CAPTIONS[:4])
    np.testing.assert_allclose(found, np.stack([first, second, third, fourth]), atol=1e-5)


def test_neighbours_and_their_order_change_nothing(folder: Path) -> None:
    evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    clips = motions((40, 196, 64, 8, 120))
    together = evaluator.motion_embeddings(clips)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(
        evaluator.motion_embeddings([clips[n] for n in order]), together[order], atol=1e-6
    )
    alone = np.concatenate([evaluator.motion_embeddings([clip]) for clip in clips])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    texts = evaluator.text_embeddings(CAPTIONS)
    np.testing.assert_allclose(
        evaluator.text_embeddings([CAPTIONS[n] for n in order]), texts[order], atol=1e-6
    )
    np.testing.assert_allclose(evaluator.text_embeddings(CAPTIONS[2:3]), texts[2:3], atol=1e-6)
    many = evaluator.motion_embeddings(clips * 30)
    np.testing.assert_allclose(many, np.tile(together, (30, 1)), atol=1e-6)


def test_contacts_and_frames_beyond_a_multiple_of_four_are_not_seen(folder: Path) -> None:
    evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    [clip] = motions((47,))
    other = clip.copy()
    other[:, 259:] += 1
    other[44:] += 1
    assert np.array_equal(evaluator.motion_embeddings([clip]), evaluator.motion_embeddings([other]))
    other[43, :259] += 1
    assert not np.array_equal(evaluator.motion_embeddings([clip]), evaluator.motion_embeddings([other]))


def test_similarity_is_minus_the_distance(folder: Path) -> None:
    evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    clips = motions((40, 48, 60))
    texts, vectors = evaluator.text_embeddings(CAPTIONS[:2]), evaluator.motion_embeddings(clips)
    expected = [[-np.linalg.norm(t - m) for m in vectors] for t in texts]
    np.testing.assert_allclose(evaluator.similarity(CAPTIONS[:2], clips), expected, rtol=1e-5)


def test_nothing_in_nothing_out(folder: Path) -> None:
    evaluator: Evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    assert evaluator.motion_embeddings([]).shape == evaluator.text_embeddings([]).shape == (0, 4)


# Reading the released files


@pytest.mark.parametrize("place", [".", "text_mot_match/model"])
def test_the_release_is_found_from_its_own_folders(folder: Path, place: str) -> None:
    assert GuoEvaluator(load_released_evaluator(folder / place, CPU)).name.startswith("guo:humanml3d (")


@pytest.mark.parametrize(("name", "features", "seen"), [("humanml3d", 263, 67), ("kit", 251, 64)])
def test_mardms_evaluator_sees_the_root_and_positions_alone(
    tmp_path: Path, name: str, features: int, seen: int
) -> None:
    folder = released(tmp_path, replace(SMALL, features=features, seen=seen))
    shutil.rmtree(folder / "Comp_v6_KLD005")
    own = tmp_path / "utils/eval_mean_std/t2m"
    own.mkdir(parents=True)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=seen), rng.uniform(0.5, 2, size=seen)
    np.save(own / "eval_mean.npy", mean)
    np.save(own / "eval_std.npy", std)
    require_evaluators([f"guo:{folder}"])
    evaluator = GuoEvaluator(load_released_evaluator(folder, CPU))
    assert evaluator.name.startswith(f"mardm:{name} (") and evaluator.skeleton.name == name
    clips = motions((40, 196), features)
    states = in_double(folder / "text_mot_match/model/finest.tar")
    expected = np.stack([slow_motion(states, (clip[:, :seen] - mean) / std) for clip in clips])
    found = evaluator.motion_embeddings(clips)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for clip in clips:
        clip[:, seen:] = 9.0
    np.testing.assert_array_equal(evaluator.motion_embeddings(clips), found)


def test_an_evaluator_of_few_numbers_is_trained_on_those() -> None:
    torch.manual_seed(0)
    training = evaluators.EvaluatorTraining(replace(SMALL, seen=67)).eval()
    assert training.decoder.out_net.out_features == 67
    features = torch.randn(4, 196, 263)
    other = features.clone()
    other[..., 67:] = 5.0
    ones = torch.ones(4, 3, dtype=torch.long)
    text = evaluators.TaggedWords(ones, ones, torch.full((4,), 3))
    batch = evaluators.MatchingBatch(features, torch.full((4,), 40), text, torch.arange(4), torch.arange(4))
    loss, again = (
        training(replace(batch, features=each), torch.Generator())["loss"] for each in (features, other)
    )
    assert loss.isfinite() and torch.equal(loss, again)
    with pytest.raises(ValueError, match="seen: expected 0 to 263 numbers of a frame, found 264"):
        replace(SMALL, seen=264)


def test_a_kit_evaluator_reads_251_features(tmp_path: Path) -> None:
    config = replace(SMALL, features=251)
    evaluator = GuoEvaluator(load_released_evaluator(released(tmp_path, config), CPU))
    assert evaluator.name.startswith("guo:kit (") and evaluator.skeleton.name == "kit"
    assert evaluator.motion_embeddings(motions((24,), 251)).shape == (1, 4)
    with pytest.raises(ValueError, match=r"expected features \(T, 251\), found shape \(40, 263\)"):
        evaluator.motion_embeddings(motions((40,)))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("finest.tar", "no finest.tar in it"),
        ("our_vab_data.npy", "no our_vab_data.npy in it"),
        ("our_vab_words.pkl", "our_vab_words.pkl: missing"),
        ("our_vab_idx.pkl", "our_vab_idx.pkl: missing"),
        ("std.npy", "no std.npy in it"),
    ],
)
def test_a_missing_file_is_told_without_opening_the_others(tmp_path: Path, name: str, sentence: str) -> None:
    folder = released(tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.write_bytes(b"")
    require_evaluators([f"guo:{folder}", "lamp"])
    (path,) = tmp_path.rglob(name)
    path.unlink()
    with pytest.raises(ValueError, match=re.escape(sentence)):
        require_evaluators(["lamp", f"guo:{folder}"])


class _Runs:
    """Unpickling this would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_pickles_that_run_code_are_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    data = released(tmp_path, words=[_Runs(trap)])
    with pytest.raises(ValueError, match=r"our_vab_words\.pkl: refused, it holds .*open"):
        GuoEvaluator(load_released_evaluator(data, CPU))
    path = data / "text_mot_match/model/finest.tar"
    torch.save({**torch.load(path, weights_only=True), "epoch": _Runs(trap)}, path)
    with pytest.raises(ValueError, match=r"finest\.tar: refused, it holds .*open"):
        GuoEvaluator(load_released_evaluator(data, CPU))
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x03]q\x00(X\x03", b"hello", pickle.dumps(["a"])[:-1], b"0."])
def test_a_broken_pickle_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "our_vab_words.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"our_vab_words\.pkl"):
        read_plain_pickle(path)


def test_plain_pickles_of_every_protocol_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.pkl"
    value = {"a": 1, "b": ["c", 2.5, None, True]}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(value, protocol))
        assert read_plain_pickle(path) == value


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("checkpoints/t2m/text_mot_match/model/finest.tar", r"no finest\.tar"),
        ("checkpoints/t2m/Comp_v6_KLD005/meta/std.npy", r"no std\.npy"),
        ("glove/our_vab_data.npy", r"no our_vab_data\.npy"),
        ("glove/our_vab_idx.pkl", r"our_vab_idx\.pkl: missing"),
    ],
)
def test_a_missing_file_is_named(folder: Path, removed: str, message: str) -> None:
    (folder.parents[1] / removed).unlink()
    with pytest.raises(ValueError, match=message):
        GuoEvaluator(load_released_evaluator(folder, CPU))


def test_other_weights_are_named(folder: Path) -> None:
    path = folder / "text_mot_match/model/finest.tar"
    states = torch.load(path, weights_only=True)
    states["motion_encoder"]["output_net.5.weight"] = torch.zeros(1)
    torch.save(states, path)
    with pytest.raises(ValueError, match=r"motion_encoder\.output_net\.5\.weight does not fit"):
        GuoEvaluator(load_released_evaluator(folder, CPU))
    del states["movement_encoder"]
    torch.save(states, path)
    with pytest.raises(ValueError, match="lacks movement_encoder"):
        GuoEvaluator(load_released_evaluator(folder, CPU))


def test_rows_beyond_the_vectors_are_refused(folder: Path) -> None:
    path = folder.parents[1] / "glove/our_vab_idx.pkl"
    path.write_bytes(pickle.dumps(dict.fromkeys(VOCABULARY, 99)))
    with pytest.raises(ValueError, match="expected the row of every word"):
        GuoEvaluator(load_released_evaluator(folder, CPU))


@pytest.mark.parametrize(
    ("motion", "message"),
    [
        (np.zeros((3, 263)), "expected 4 to 196 frames, found 3"),
        (np.zeros((197, 263)), "expected 4 to 196 frames, found 197"),
        (np.zeros((40, 22, 3)), r"expected features \(T, 263\), found shape \(40, 22, 3\)"),
        (np.full((40, 263), np.nan), "NaN"),
    ],
)
def test_motions_that_do_not_serve_are_named(folder: Path, motion: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GuoEvaluator(load_released_evaluator(folder, CPU)).motion_embeddings([*motions((40,)), motion])


def no_bundle() -> NoReturn:
    pytest.fail("an evaluator in a folder needs no bundle")


def test_the_evaluator_is_chosen_by_name(folder: Path, tmp_path: Path) -> None:
    assert load_evaluators([f"guo:{folder}"], no_bundle, CPU)[0].name.startswith("guo:humanml3d (")
    with pytest.raises(ValueError, match="expected guo:PATH"):
        load_evaluators([str(folder)], no_bundle, CPU)
    network = MatchingEvaluator(SMALL).eval()
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    card = TrainedEvaluatorConfig("mine", "humanml3d", SMALL)
    save_evaluator(tmp_path / "b/evaluator", card, network, WordList(VOCABULARY), statistics)
    for place in ("b", "b/evaluator"):
        [evaluator] = load_evaluators([str(tmp_path / place)], no_bundle, CPU)
        assert evaluator.name.startswith("mine (") and len(evaluator.name) == len("mine (01234567)")
    clips = motions((40, 64))
    rows, lengths = padded(clips, statistics)
    with torch.no_grad():
        expected = network.embed_motion(torch.from_numpy(rows), torch.from_numpy(lengths)).numpy()
    # Saved in 16 bits, so equal to about three digits.
    np.testing.assert_allclose(evaluator.motion_embeddings(clips), expected, atol=5e-3)
    (tmp_path / "b/evaluator/words.txt").write_text("unk\nsos\neos\n")
    with pytest.raises(ValueError, match=r"words\.txt: 3 words, config\.json says 9"):
        load_evaluators([str(tmp_path / "b")], no_bundle, CPU)


def test_small_evaluators_stay_small() -> None:
    mini = size_named("mini", HUMANML3D)
    with torch.device("meta"):
        config = replace(mini.evaluator, words=mini.data.evaluator_words + 3)
        network = MatchingEvaluator(config)
    assert 2 * sum(p.numel() for p in network.parameters()) < 8e6
    assert size_named("paper", HUMANML3D).evaluator == EvaluatorConfig()


# A bundle's own features


def test_lamp_features_judge_by_the_best_query_token() -> None:
    from lamp_cli.bundle.bundle import Bundle, build_networks
    from lamp_cli.bundle.config import BundleConfig, ModelConfig
    from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces
    from lamp_cli.model.generator import GeneratorConfig
    from lamp_cli.model.lamp import LampConfig
    from lamp_cli.model.length import LengthConfig
    from lamp_cli.model.qformer import QFormerConfig
    from lamp_cli.model.tokenizer import TokenizerConfig
    from lamp_cli.motion.skeleton import HUMANML3D

    vocabulary = Vocabulary([*ascii_pieces(), DECODER_TOKEN])
    model = ModelConfig(
        TokenizerConfig(width=8, codes=16, code_width=8),
        LampConfig(
            qformer=QFormerConfig(len(vocabulary), 16, 2, 2, 32, 5, 12, 8), codes=16, embedding_width=8
        ),
        GeneratorConfig(codes=16, condition_width=16, width=16, layers=1, heads=2),
        LengthConfig(text_width=16),
    )
    torch.manual_seed(0)
    networks = [network.eval() for network in build_networks(model, vocabulary.decoder)]
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    config = BundleConfig("tiny", "humanml3d", 20.0, model)
    evaluator = LampEvaluator(Bundle(config, HUMANML3D, statistics, vocabulary, *networks, CPU))  # type: ignore[arg-type]
    assert evaluator.name.startswith("lamp:tiny (")
    clips = motions((40, 64, 100))
    queries = evaluator.query_embeddings(clips)
    texts = evaluator.text_embeddings(CAPTIONS)
    assert (queries.shape, texts.shape) == ((3, 5, 8), (5, 8))
    expected = [[max(float(t @ q) for q in row) for row in queries] for t in texts]
    np.testing.assert_allclose(evaluator.similarity(CAPTIONS, clips), expected, atol=1e-6)
    means = evaluator.motion_embeddings(clips)
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, atol=1e-6)
    for mean, row in zip(means, queries, strict=True):
        cosine = row.mean(0) @ mean / np.linalg.norm(row.mean(0))
        assert cosine == pytest.approx(1, abs=1e-6)
    assert evaluator.motion_embeddings([]).shape == (0, 8)
    with pytest.raises(ValueError, match=r"expected finite features \(T, 263\)"):
        evaluator.motion_embeddings([np.full((40, 263), np.inf)])
