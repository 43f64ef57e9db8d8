"""Captioning: pieces and moments, words, bundles with and without a captioner, and the command line."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, load_bundle, save_bundle
from lamp_cli.bundle.config import BundleConfig, from_json, to_json
from lamp_cli.bundle.language_model import build_captioner
from lamp_cli.data.sentences import read_sentences
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces, trim_vocabulary
from lamp_cli.files.load import load_motion
from lamp_cli.inference.caption import (
    CaptionOptions,
    ScoredCaption,
    caption,
    caption_features,
    caption_pieces,
    pieces_of,
)
from lamp_cli.inference.caption_tokens import caption_tokenizer, caption_words, tidy
from lamp_cli.inference.embed import embed_motions, embed_texts, similarity
from lamp_cli.model.captioner import Captioner, CaptionerConfig, LanguageModelConfig
from lamp_cli.model.decoder import DecoderConfig
from lamp_cli.model.decoding import DecodingOptions
from lamp_cli.motion.motion import Motion, MotionPart
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.command_line import Done, calling, imported_by, lamp
from tests.conftest import wandering
from tests.inference.test_retrieve import tiny_bundle
from tests.model.test_decoding import save_language_model

CPU = torch.device("cpu")


def with_captioner(config: CaptionerConfig | None = None, spread: float = 0.2) -> Bundle:
    """The tiny bundle and a captioner whose weights lie far apart, so that motions get other captions."""
    bundle = tiny_bundle()
    config = config or CaptionerConfig(16, DecoderConfig(len(bundle.vocabulary), 16, 2, 2, 32))
    torch.manual_seed(1)
    captioner = build_captioner(config, bundle.vocabulary, torch.float32).eval()
    if config.embedded is not None:
        for value in captioner.parameters():
            value.data += spread * torch.randn_like(value)
    # An untrained motion tokenizer tells motions hardly apart.
    for value in bundle.tokenizer.parameters():
        value.data += 0.3 * torch.randn_like(value)
    model = dataclasses.replace(bundle.config.model, captioner=config)
    return dataclasses.replace(
        bundle,
        captioner=captioner.requires_grad_(False),
        config=dataclasses.replace(bundle.config, model=model),
    )


def walk(frames: int, seed: int = 0, source: str = "") -> Motion:
    return Motion(wandering(HUMANML3D, frames, seed), HUMANML3D, 20.0, source)


# Pieces and moments


@pytest.mark.parametrize(("frames", "count"), [(5, 1), (197, 1), (198, 2), (393, 2), (394, 3), (1000, 6)])
def test_pieces_follow_each_other_and_are_alike_in_length(frames: int, count: int) -> None:
    pieces = pieces_of(tiny_bundle(), walk(frames))
    assert len(pieces) == count
    assert [pieces[0].start, pieces[-1].end] == [0, frames - 1]
    assert all(a.end == b.start for a, b in itertools.pairwise(pieces))
    lengths = [p.end - p.start for p in pieces]
    assert max(lengths) - min(lengths) <= 1 and max(lengths) <= 196
    assert [len(p.features) for p in pieces] == lengths


def test_parts_are_pieces_where_moments_are_asked_for() -> None:
    spans = (MotionPart("walks", 0, 60), MotionPart("sits", 60, 63), MotionPart("waves", 63, 500))
    motion = dataclasses.replace(walk(500), parts=spans)
    pieces = pieces_of(tiny_bundle(), motion, by_parts=True)
    assert [(p.start, p.end) for p in pieces] == [(0, 59), (63, 208), (208, 353), (353, 499)]
    assert len(pieces_of(tiny_bundle(), motion)) == len(pieces_of(tiny_bundle(), walk(500)))
    [moments] = caption(with_captioner(), [motion], CaptionOptions(DecodingOptions(beams=1), moments=True))
    assert (moments[0].start, moments[0].end, moments[-1].end) == (0.0, 2.95, 24.95)
    assert 3.15 in {moment.start for moment in moments}


def test_pieces_are_cut_at_the_models_frame_rate() -> None:
    [piece] = pieces_of(tiny_bundle(), Motion(wandering(HUMANML3D, 540), HUMANML3D, 60.0))
    assert (piece.start, piece.end, len(piece.features)) == (0, 179, 179)


@pytest.mark.parametrize(
    ("motion", "message"),
    [
        (walk(1, source="a.npy"), r"a\.npy: 1 frame; a caption needs at least 5"),
        (walk(4), "4 frames"),
        (
            Motion(wandering(KIT, 40), KIT, 12.5, "k.npy"),
            r"k\.npy: a kit motion \(21 joints\); tiny was trained on humanml3d",
        ),
    ],
)
def test_motions_that_cannot_be_captioned_are_named(motion: Motion, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pieces_of(tiny_bundle(), motion)


def test_neighbours_and_batches_change_nothing() -> None:
    bundle = with_captioner()
    motions = [walk(60 + 30 * k, seed=k) for k in range(5)]
    options = CaptionOptions(DecodingOptions(beams=3))
    together = list(caption(bundle, motions, options))
    assert len({moments[0].text for moments in together}) > 1, "all alike would prove nothing"
    for size in (1, 2):
        apart = list(caption(bundle, motions, dataclasses.replace(options, batch_size=size)))
        assert [m[0].text for m in apart] == [m[0].text for m in together]
    drawn = CaptionOptions(DecodingOptions(nucleus=0.9), seed=3)
    all_drawn = list(caption(bundle, motions, drawn))
    assert next(caption(bundle, motions[2:3], drawn))[0].text == all_drawn[2][0].text
    other = list(caption(bundle, motions, dataclasses.replace(drawn, seed=4)))
    assert [m[0].text for m in other] != [m[0].text for m in all_drawn]


def test_a_long_take_gets_the_caption_truest_of_all_its_pieces() -> None:
    bundle, motion = with_captioner(), walk(700, seed=2)
    pieces = [piece.features for piece in pieces_of(bundle, motion)]
    own = [c[0] for c in caption_features(bundle, pieces, CaptionOptions())]
    similarities = similarity(embed_motions(bundle, pieces), embed_texts(bundle, [c.text for c in own]))
    best = own[int(np.mean(similarities, axis=0).argmax())]
    [[whole]] = caption(bundle, [motion], CaptionOptions())
    assert (whole.start, whole.end, whole.text) == (0.0, 699 / 20, best.text)


def test_the_pieces_of_a_long_take_are_told_as_they_are_done() -> None:
    bundle, told = with_captioner(), []
    takes = [pieces_of(bundle, walk(frames, seed=2)) for frames in (60, 700, 500)]
    options = CaptionOptions(batch_size=3)
    found = list(caption_pieces(bundle, takes, options, lambda *one: told.append(one)))
    assert len(found) == 3 and [detail for _, detail in told] == [
        "3 of 5 pieces",
        "5 of 5 pieces",
        "3 of 3 pieces",
    ]
    np.testing.assert_allclose(np.cumsum([count for count, _ in told]), [1.5, 2.0, 3.0])


def test_neighbouring_moments_that_say_the_same_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = with_captioner()
    said = iter([("walks", -1.0), ("walks", -0.5), ("sits", -2.0), ("walks", -0.7)])
    monkeypatch.setattr(
        "lamp_cli.inference.caption.caption_features",
        lambda bundle, features, *_: [(ScoredCaption(*next(said)),) for _ in features],
    )
    [moments] = caption(bundle, [walk(781)], CaptionOptions(moments=True))
    assert [(m.start, m.end, m.text, m.captions[0].score) for m in moments] == [
        (0.0, 19.5, "walks", -0.5),
        (19.5, 29.25, "sits", -2.0),
        (29.25, 39.0, "walks", -0.7),
    ]


def test_candidates_are_different_sentences_the_best_first() -> None:
    [[moment]] = caption(with_captioner(), [walk(80)], CaptionOptions(DecodingOptions(3, candidates=7)))
    texts, scores = zip(*((c.text, c.score) for c in moment.captions), strict=True)
    assert len(moment.captions) == 7 and list(scores) == sorted(scores, reverse=True)
    assert len(set(texts)) > 4


def test_a_prompt_begins_every_caption_and_has_its_limit() -> None:
    bundle = with_captioner()
    [[moment]] = caption(bundle, [walk(80)], CaptionOptions(prompt="Ab"))
    assert moment.text.startswith("ab")
    assert bundle.captioner is not None
    assert bundle.captioner.config.caption_tokens == 32
    with pytest.raises(ValueError, match="the prompt has 40 tokens; a caption has at most 32"):
        next(caption(bundle, [walk(80)], CaptionOptions(prompt="a" * 40)))


# Words


def test_word_pieces_come_back_as_people_write() -> None:
    assert tidy("a person ' s hand , then the left - foot ( again ) .") == (
        "a person's hand, then the left-foot (again)."
    )
    pieces = [*ascii_pieces(), "walk", "##ing", DECODER_TOKEN]
    bundle = with_captioner()
    assert bundle.captioner is not None
    tokenizer = caption_tokenizer(bundle.captioner, Vocabulary(pieces))
    [ids] = tokenizer.encode(["Walking, walk-walk"])
    assert [pieces[i] for i in ids] == ["walk", "##ing", ",", "walk", "-", "walk"]
    assert tokenizer.decode(ids) == "walking, walk-walk"


def test_captions_end_unless_they_are_cut() -> None:
    bundle = with_captioner()
    captioner, vocabulary = bundle.captioner, bundle.vocabulary
    assert captioner is not None
    tokenizer = caption_tokenizer(captioner, vocabulary)
    words = caption_words(captioner, tokenizer, ["a" * 31, "a" * 32, "b"], CPU)
    assert words.ids.shape == (3, 33)
    assert words.ids[:, 0].tolist() == [vocabulary.decoder] * 3
    assert [int(words.ids[row, -1]) for row in range(2)] == [vocabulary.end, tokenizer.encode(["aa"])[0][1]]
    assert words.ids[2, :3].tolist() == [vocabulary.decoder, *tokenizer.encode(["b"])[0], vocabulary.end]
    assert words.mask.sum(1).tolist() == [33, 33, 3]


def test_sentences_are_read_from_json_lines_and_text(tmp_path: Path) -> None:
    lines = [{"caption": "a  b"}, {"captions": ["c", "a b", ""]}, {"text": "d"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n\n" for line in lines))
    (tmp_path / "a.txt").write_text("a b\n\nc#c/NOUN#0.0#0.0\n")
    assert read_sentences(tmp_path / "a.jsonl") == ["a b", "c", "d"]
    assert read_sentences(tmp_path / "a.txt") == ["a b", "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no sentence in it"),
        ("{", "line 1: not JSON"),
        ("[]", "expected a JSON object, found list"),
        ('{"words": "a"}', "expected a sentence or a list of them under captions, caption"),
        ('{"caption": [1]}', "captions must be a sentence or a list of sentences"),
        (b"\xff\xfe", "no sentence in it"),
        (b"\x93NUMPY\x01\x00", "expected text"),
    ],
)
def test_files_without_sentences_are_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as error:
        read_sentences(path)
    assert "a.jsonl" in str(error.value)


def test_the_vocabulary_holds_the_words_of_sentences_first() -> None:
    pieces = [*ascii_pieces(), "the", "of", "zebra", "walk", "##ing", "[unused1]"]
    basic = len(ascii_pieces())
    kept = trim_vocabulary(pieces, basic + 3, ["the walking", "walking zebra walk"])
    assert [pieces[i] for i in kept[basic:]] == ["zebra", "walk", "##ing"] or (
        [pieces[i] for i in kept[basic:]] == ["the", "walk", "##ing"]
    )
    assert [pieces[i] for i in trim_vocabulary(pieces, basic + 2)[basic:]] == ["the", "of"]


# Bundles


@pytest.mark.parametrize("tuning", ["embedded", "frozen", "lora", "full"])
def test_a_saved_captioner_says_the_same(tuning: str, tmp_path: Path) -> None:
    config = None
    if tuning != "embedded":
        folder = save_language_model(tmp_path / "lm", "opt")
        config = CaptionerConfig(16, language_model=LanguageModelConfig(str(folder), tuning, ("all-linear",)))
    bundle = with_captioner(config)
    assert bundle.captioner is not None
    for network in bundle.networks().values():
        for name, value in network.named_parameters():
            if name in network.state_dict():
                # Numbers that 16 bits hold, so that saving rounds nothing away.
                value.data = (value + 0.1 * torch.randn_like(value)).half().float()
    save_bundle(tmp_path / "bundle", bundle)
    loaded = load_bundle(tmp_path / "bundle", CPU, captioner=True)
    assert loaded.config == bundle.config
    motions = [walk(80, seed=k) for k in range(3)]
    before, after = (list(caption(b, motions, CaptionOptions())) for b in (bundle, loaded))
    if tuning == "embedded":
        assert [m[0].text for m in after] == [m[0].text for m in before]
    scores = [[m[0].captions[0].score for m in moments] for moments in (before, after)]
    # A language model's weights may be held in 16 bits by the device.
    assert scores[1] == pytest.approx(scores[0], abs=1e-3 if tuning == "embedded" else 0.1)
    assert load_bundle(tmp_path / "bundle", CPU).captioner is None


def test_a_bundle_from_before_captioners_loads_and_says_so(tmp_path: Path) -> None:
    save_bundle(tmp_path / "old", tiny_bundle())
    config = json.loads((tmp_path / "old/config.json").read_text())
    del config["model"]["captioner"]
    (tmp_path / "old/config.json").write_text(json.dumps(config))
    bundle = load_bundle(tmp_path / "old", CPU)
    assert bundle.config.model.captioner is None
    with pytest.raises(ValueError, match="this bundle has no captioner"):
        load_bundle(tmp_path / "old", CPU, captioner=True)
    with pytest.raises(ValueError, match="loaded without a captioner"):
        next(caption(bundle, [walk(60)], CaptionOptions()))


def test_captioner_configs_survive_json_and_mistakes_are_named() -> None:
    embedded, settings = DecoderConfig(10), LanguageModelConfig("facebook/opt-125m", "lora")
    for config in (CaptionerConfig(16, embedded), CaptionerConfig(16, language_model=settings)):
        assert from_json(CaptionerConfig, to_json(config)) == config
    for both in ({}, {"embedded": embedded, "language_model": settings}):
        with pytest.raises(ValueError, match="expected either an embedded decoder or a language model"):
            CaptionerConfig(16, **both)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one of frozen, lora, full, found 'some'"):
        LanguageModelConfig("a", "some")
    data = to_json(with_captioner().config)
    data["model"]["captioner"]["embedded"]["width"] = "wide"
    with pytest.raises(ValueError, match=r"config\.model\.captioner\.embedded\.width: expected int"):
        from_json(BundleConfig, data)


def test_the_mini_captioner_is_at_most_12_mb() -> None:
    from lamp_cli.training.experiment_files import size_named

    vocabulary = Vocabulary([*ascii_pieces(), DECODER_TOKEN])
    config = size_named("mini", HUMANML3D).with_vocabulary(8001).captioner
    with torch.device("meta"):
        captioner = build_captioner(config, vocabulary, torch.float32)
    assert isinstance(captioner, Captioner)
    assert sum(2 * v.numel() for v in captioner.state_dict().values()) <= 12e6


# The command line


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, two clips in nested folders, a long take, an archive, and files that are no good."""
    root = tmp_path_factory.mktemp("caption")
    save_bundle(root / "tiny", with_captioner())
    (root / "clips/deep").mkdir(parents=True)
    np.save(root / "clips/a.npy", wandering(HUMANML3D, 60, 1).astype(np.float32))
    np.save(root / "clips/deep/b.npy", wandering(HUMANML3D, 90, 2).astype(np.float32))
    np.save(root / "clips/mean.npy", np.zeros(263, np.float32))
    np.save(root / "long.npy", wandering(HUMANML3D, 500, 3).astype(np.float32))
    np.savez(root / "many.npz", x=wandering(HUMANML3D, 50, 4), y=wandering(HUMANML3D, 50, 5))
    np.save(root / "kit.npy", wandering(KIT, 60).astype(np.float32))
    np.save(root / "one.npy", wandering(HUMANML3D, 1).astype(np.float32))
    np.save(root / "nan.npy", np.full((60, 22, 3), np.nan, np.float32))
    (root / "empty").mkdir()
    return root


def records(done: Done) -> list[dict]:  # type: ignore[type-arg]
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_files_folders_and_archives_are_captioned(work: Path) -> None:
    rest = ["--model", work / "tiny"]
    done = lamp("caption", work / "clips", work / "many.npz", "--recursive", *rest)
    found = records(done)
    assert [(Path(r["motion"]).name, r.get("take")) for r in found] == [
        ("a.npy", None),
        ("b.npy", None),
        ("many.npz", "x"),
        ("many.npz", "y"),
    ]
    assert done.stderr.count("left out") == 1 and "mean.npy" in done.stderr
    assert [r["frames"] for r in found] == [60, 90, 50, 50]
    assert all(r["caption"] and r["model"] == "tiny" and r["fps"] == 20.0 for r in found)
    options = CaptionOptions()
    bundle = load_bundle(work / "tiny", CPU, captioner=True)
    [[expected]] = caption(bundle, [load_motion(work / "clips/a.npy")], options)
    assert found[0]["caption"] == expected.text
    assert [Path(r["motion"]).name for r in records(lamp("caption", work / "clips", *rest))] == ["a.npy"]


def test_the_rate_of_joints_is_an_option_or_stands_in_the_line(work: Path, tmp_path: Path) -> None:
    joints = wandering(HUMANML3D, 60, 1)
    slow, fast = tmp_path / "slow.npy", tmp_path / "fast.npy"
    np.save(slow, joints[::3].astype(np.float32))
    np.save(fast, joints.astype(np.float32))
    rest = ["--model", work / "tiny", "--moments"]
    [expected] = records(lamp("caption", slow, *rest))
    [found] = records(lamp("caption", fast, "--fps", "60", *rest))
    for key in ("caption", "start", "end"):
        assert found[key] == expected[key]
    assert found["fps"] == 60.0
    lines = "".join(json.dumps({"motion": str(fast), "fps": fps}) + "\n" for fps in (60, 30))
    by_line = records(lamp("caption", *rest, "--fps", "20", stdin=lines))
    assert [r["end"] for r in by_line] == [expected["end"], 39 / 20]
    bad = lamp("caption", *rest, stdin=json.dumps({"motion": str(fast), "fps": "fast"}))
    assert bad.returncode == 1 and "'fps' is 'fast'" in bad.stderr
    assert "--fps 0" in lamp("caption", fast, "--fps", "0", *rest).stderr


def test_a_long_take_in_one_sentence_gets_a_hint(work: Path) -> None:
    rest = ["--model", work / "tiny"]
    assert "long.npy (25 s): longer than" in lamp("caption", work / "long.npy", *rest).stderr
    for words in (["long.npy", "--moments"], ["clips/a.npy"]):
        assert "longer than" not in lamp("caption", work / words[0], *words[1:], *rest).stderr


def test_motions_in_other_formats_are_named(work: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.load(work / "clips/a.npy"))
    for name in ("b.fbx", "c.c3d", "notes.txt"):
        (tmp_path / name).write_text("x")
    done = lamp("caption", tmp_path, "--model", work / "tiny")
    assert len(records(done)) == 1
    left_out = [line for line in done.stderr.splitlines() if line.startswith("left out")]
    assert len(left_out) == 2 and "b.fbx: an FBX file" in left_out[0] and "c.c3d: a C3D file" in left_out[1]


def test_lines_on_stdin_are_names_or_objects_whose_other_keys_stay(work: Path) -> None:
    lines = f"{work / 'clips/a.npy'}\n\n" + json.dumps({"motion": str(work / "long.npy"), "mine": [7]})
    found = records(lamp("caption", "-", "--model", work / "tiny", "--moments", stdin=lines))
    assert [r.get("mine") for r in found] == [None, *[[7]] * (len(found) - 1)]
    assert [found[0]["start"], found[0]["end"]] == [0.0, 59 / 20]
    assert (found[1]["start"], found[-1]["end"]) == (0.0, 499 / 20)
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(found[1:]))


def test_candidates_have_scores_and_a_seed_repeats_a_drawing(work: Path) -> None:
    rest = [work / "clips/a.npy", "--model", work / "tiny"]
    [record] = records(lamp("caption", *rest, "--candidates", "3", "--beams", "2", "--prompt", "a"))
    assert len(record["candidates"]) == 3
    assert record["candidates"][0] == {"caption": record["caption"], "score": record["score"]}
    assert all(c["caption"].startswith("a") for c in record["candidates"])
    drawn = [lamp("caption", *rest, "--nucleus", "0.9", "--seed", "5") for _ in range(2)]
    assert drawn[0].stdout == drawn[1].stdout and records(drawn[0])[0]["seed"] == 5
    assert lamp("caption", *rest, "--nucleus", "0.9").stderr.startswith("seed ")
    agreed = [lamp("caption", *rest, "--consensus", "8", "--candidates", "2") for _ in range(2)]
    assert agreed[0].stdout == agreed[1].stdout and records(agreed[0])[0]["seed"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one.npy"], "one.npy: 1 frame; a caption needs at least 5"),
        (["nan.npy"], "nan.npy: NaN or infinite numbers"),
        (["kit.npy"], "kit.npy: a kit motion (21 joints); tiny was trained on humanml3d"),
        (["empty"], "empty: holds no motion file"),
        (["absent.npy"], "absent.npy: no such file"),
        (["clips/a.npy", "--nucleus", "2"], "nucleus: expected a share"),
        (["clips/a.npy", "--temperature", "0"], "temperature: expected"),
        (["clips/a.npy", "--consensus", "4", "--beams", "2"], "beams: sentences that are sampled"),
        (["clips/a.npy", "--prompt", "a" * 50], "the prompt has 50 tokens"),
        ([], "no motion"),
    ],
)
def test_mistakes_get_one_sentence(work: Path, words: list[str], message: str) -> None:
    named = [str(work / w) if (work / w).exists() or w == "absent.npy" else w for w in words]
    done = lamp("caption", *named, "--model", work / "tiny", "--seed", "0")
    assert (done.returncode, done.stdout) == (2, "")
    *notes, sentence = done.stderr.splitlines()
    assert message in sentence and all("no frame rate given" in line for line in notes)


def test_people_get_the_caption_alone_or_behind_its_file(work: Path) -> None:
    def shown(*words: str | Path) -> list[list[str]]:
        done = lamp("caption", *words, "--model", work / "tiny", terminal=True)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    one, two = work / "clips/a.npy", work / "clips/deep/b.npy"
    [[text]] = shown(one)
    assert text == records(lamp("caption", one, "--model", work / "tiny"))[0]["caption"]
    assert shown(one, two)[0] == [str(one), text]
    assert [line[0] for line in shown(work / "clips")] == [str(one)]
    assert [line[0] for line in shown(work / "many.npz")] == [f"{work / 'many.npz'}:{k}" for k in "xy"]
    assert all(len(line) == 2 and line[0].endswith(" s") for line in shown(work / "long.npy", "--moments"))
    several = shown(one, "--candidates", "3")
    assert len(several) == 3 and several[0][1] == text and float(several[0][0]) >= float(several[2][0])


def test_generated_motions_are_captioned_down_the_pipe(work: Path, tmp_path: Path) -> None:
    words = ["generate", "a person jumps", "--model", work / "tiny", "--seed", "1", "--frames", "40"]
    made = lamp(*words, "--format", "npy", "--output", tmp_path)
    assert made.returncode == 0, made.stderr
    [record] = records(lamp("caption", "--model", work / "tiny", stdin=made.stdout))
    assert record["text"] == "a person jumps" and record["motion"] == json.loads(made.stdout)["motion"]
    assert isinstance(record["caption"], str) and record["score"] < 0


def test_captioning_with_the_embedded_decoder_imports_no_transformers(work: Path) -> None:
    code = calling("caption", work / "clips/a.npy", "--model", work / "tiny")
    assert imported_by(code, "transformers", "peft", "matplotlib", "av")[0] == []
