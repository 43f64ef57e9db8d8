"""The notebook's door: it opens quickly, and gives what the command line gives."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import lamp_cli as lamp
from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.command_line import imported_by
from tests.command_line import lamp as command
from tests.conftest import wandering
from tests.inference.test_caption import with_captioner


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a few weights with a captioner, and a library of two clips."""
    root = tmp_path_factory.mktemp("api")
    save_bundle(root / "tiny", with_captioner())
    (root / "clips").mkdir()
    for number in range(2):
        joints = wandering(HUMANML3D, 60 + 30 * number, number).astype(np.float32)
        np.save(root / "clips" / f"clip{number}.npy", joints)
    return root


@pytest.fixture(scope="module")
def model(folder: Path) -> lamp.Model:
    return lamp.load(str(folder / "tiny"), device="cpu")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import lamp_cli\nassert {'load', 'load_motion', 'Motion', 'Model'} <= set(dir(lamp_cli))"
    assert imported_by(code, "torch", "numpy", "matplotlib", "typer")[0] == []
    with pytest.raises(AttributeError, match="no attribute 'dance'"):
        _ = lamp.dance  # type: ignore[attr-defined]


# What reading a file assumes of an untrained model's motion is no concern here.
@pytest.mark.filterwarnings("ignore:.*(no frame rate given|above the floor):UserWarning")
def test_a_sentence_gives_the_motion_that_the_command_line_gives(
    model: lamp.Model, folder: Path, tmp_path: Path
) -> None:
    motion = model.generate("a person jumps", seed=7)
    assert isinstance(motion, lamp.Motion) and motion.text == "a person jumps"
    words = ["generate", "a person jumps", "--seed", "7", "--model", folder / "tiny", "--format", "npy"]
    [record] = command(*words, "--output", tmp_path).rows
    motion.save(tmp_path / "jump.npy")
    assert (tmp_path / "jump.npy").read_bytes() == Path(record["motion"]).read_bytes()
    assert record["frames"] == len(motion) and record["fps"] == motion.fps
    [line] = command("caption", record["motion"], "--model", folder / "tiny").rows
    assert model.caption(motion) == line["caption"] == model.caption(record["motion"])


def test_lists_and_samples_give_lists(model: lamp.Model) -> None:
    options = {"seed": 1, "candidates": 1, "seconds": 2}
    samples = model.generate("a person jumps", samples=2, **options)
    again = model.generate(["a person jumps", "someone sits"], **options)
    assert [len(motions) for motions in (samples, again)] == [2, 2]
    assert [motion.text for motion in again] == ["a person jumps", "someone sits"]
    np.testing.assert_allclose(samples[0].joints, again[0].joints, atol=1e-4)
    assert len(model.generate("a person jumps", samples=1, **options)) == 1
    assert model.generate([]) == []
    assert all(len(motion) == 40 for motion in samples)


def test_a_sequence_of_sentences_is_one_motion(model: lamp.Model, folder: Path, tmp_path: Path) -> None:
    sentences, options = ["a person jumps", "someone sits"], {"seed": 7, "candidates": 1}
    motion = model.generate(sentences, sequence=True, seconds=[1, 2], **options)
    assert isinstance(motion, lamp.Motion) and [part.end for part in motion.parts] == [20, 60]
    words = ["generate", sentences[0], "--then", sentences[1], "--seconds", "1", "--seconds", "2"]
    rest = ["--seed", "7", "--candidates", "1", "--model", folder / "tiny", "--format", "npy"]
    [record] = command(*words, *rest, "--output", tmp_path).rows
    np.testing.assert_array_equal(np.load(record["motion"]), motion.joints)
    assert [p["text"] for p in record["parts"]] == sentences
    assert len(model.generate(sentences, sequence=True, samples=2, frames=8, **options)) == 2
    one = model.generate(sentences[:1], sequence=True, frames=40, **options)
    np.testing.assert_array_equal(one.joints, model.generate(sentences[0], frames=40, **options).joints)
    with pytest.raises(ValueError, match="3 lengths for 2 sentences; expected one for each"):
        model.generate(sentences, frames=[8, 8, 8])


def test_moments_that_were_found_are_cut_and_joined(model: lamp.Model, folder: Path) -> None:
    hits = model.retrieve("someone kicks", folder / "clips", top=2)
    first, second = (hit.cut() for hit in hits)
    assert [len(cut) for cut in (first, second)] == [round(20 * (hit.end - hit.start)) + 1 for hit in hits]
    both = lamp.join(first, second, transition=0.5)
    assert len(both) == len(first) + 10 + len(second) and both.parts == ()
    named = [dataclasses.replace(motion, text=text) for motion, text in ((first, "a"), (second, "b"))]
    joined = lamp.join(*named, named[0][:30], transition=0.5)
    assert [(part.text, part.start) for part in joined.parts] == [
        ("a", 0),
        ("b", len(first)),
        ("a", len(first) + 10 + len(second)),
    ]
    assert joined.parts[-1].end == len(joined) and joined.text == "a, then b, then a"
    fast = dataclasses.replace(named[1], joints=named[1].joints[::2], fps=10.0)
    assert abs(len(lamp.join(named[0], fast, transition=0.5)) - len(both)) <= 2
    kit = lamp.Motion(wandering(KIT, 30), KIT, 12.5)
    with pytest.raises(ValueError, match="a humanml3d motion and a kit motion cannot be joined"):
        lamp.join(first, kit)
    for wrong in ({"transition": -1.0}, {"trim": float("nan")}):
        with pytest.raises(ValueError, match="expected seconds, 0 or more"):
            lamp.join(first, second, **wrong)
    with pytest.raises(ValueError, match="nothing to join"):
        lamp.join()


def test_nobody_grows_where_motions_of_two_bodies_are_joined() -> None:
    joints = synthetic_clip_of("walk", np.random.default_rng(3)).joints.astype(np.float32)
    walk, child = (lamp.Motion(size * joints, HUMANML3D, 20.0) for size in (1.0, 0.7))
    for first, second in ((walk, child), (child, walk)):
        joined = lamp.join(first, second)
        head, feet = joined.joints[:, 15, 1], joined.joints[:, HUMANML3D.feet, 1].min(1)
        assert np.ptp(head) < 1.5 * np.ptp(first.joints[:, 15, 1]) and np.percentile(np.abs(feet), 90) < 0.06
    assert np.array_equal(lamp.join(walk, walk).joints[:20], walk.joints[:20])


def test_a_model_draws_the_transition(model: lamp.Model, folder: Path) -> None:
    first, second = (lamp.load_motion(folder / "clips" / f"clip{number}.npy") for number in range(2))
    plain, few = lamp.join(first, second, transition=0.5), {"seed": 1, "candidates": 1, "steps": 2}
    drawn = lamp.join(first, second, transition=0.5, model=model, **few)
    span = np.arange(len(first), len(first) + 10)
    assert np.flatnonzero((drawn.joints != plain.joints).any((1, 2))).tolist() == span.tolist()
    # A generator needs some room, where no length is given.
    wave, squat = (synthetic_clip_of(action, np.random.default_rng(3)).joints for action in ("wave", "squat"))
    apart = [lamp.Motion(joints, HUMANML3D, 20.0) for joints in (wave, squat[40:])]
    lengths = [
        len(lamp.join(*apart, trim=0.0, model=each, **how)) for each, how in ((None, {}), (model, few))
    ]
    assert lengths[0] < lengths[1] == len(wave) + 16 + len(squat[40:])
    with pytest.raises(ValueError, match="seed: for a model that draws; expected a model too"):
        lamp.join(first, second, seed=1)


def test_a_motion_is_edited_in_a_word(model: lamp.Model, folder: Path) -> None:
    motion = lamp.load_motion(folder / "clips" / "clip0.npy")
    span, how = (0.8, 1.6), {"seed": 3, "candidates": 1, "steps": 2}
    made = motion.edit(span, "a person waves", model, **how)
    same = model.edit(motion, "a person waves", between=span, **how)
    np.testing.assert_array_equal(made.joints, same.joints)
    np.testing.assert_array_equal(made.joints[:16], motion.joints[:16])
    # By the name of a model it is loaded; a span may also be named as the command line does.
    by_name = motion.edit(text="a person waves", model=folder / "tiny", before=0.5, samples=2, **how)
    assert [len(each) for each in by_name] == [70, 70]
    with pytest.raises(ValueError, match="no span; expected two times"):
        motion.edit(text="a person waves", model=model)
    with pytest.raises(ValueError, match="between and after: expected one of them"):
        motion.edit(span, model=model, after=1.0)
    for wrong in (1.0, (0.5,), (0.5, 1.0, 1.5)):
        with pytest.raises(ValueError, match="expected two times to draw between, in seconds"):
            motion.edit(wrong, model=model)


def test_a_timeline_gives_its_motions(model: lamp.Model, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a person jumps # 0 # 1\nsits # 1 # 12\n\na person jumps # 0 # 1\n")
    first, second = model.generate(timeline=tmp_path / "t.txt", seed=1, candidates=1)
    assert [(part.text, part.end) for part in first.parts] == [("a person jumps", 20), ("sits", 240)]
    assert len(second) == 20
    with pytest.raises(ValueError, match="no sentences and no length"):
        model.generate("a person jumps", timeline=tmp_path / "t.txt")


def test_motions_are_directed_as_by_the_command_line(tmp_path: Path) -> None:
    walk = lamp.Motion(synthetic_clip_of("walk", np.random.default_rng(3)).joints, HUMANML3D, 20.0)
    walk.save(tmp_path / "walk.npy")
    (tmp_path / "way.txt").write_text("0 0\n2 0\n2 2\n")
    words = {"loop": ("--loop",), "place": ("--in-place",), "way": ("--path", tmp_path / "way.txt")}
    for name, rest in words.items():
        assert command("convert", tmp_path / "walk.npy", tmp_path / f"{name}.npy", *rest).returncode == 0
    np.testing.assert_array_equal(lamp.loop(walk).joints, np.load(tmp_path / "loop.npy"))
    np.testing.assert_array_equal(lamp.in_place(walk).joints, np.load(tmp_path / "place.npy"))
    for way in (tmp_path / "way.txt", [(0, 0), (2, 0), (2, 2)]):
        np.testing.assert_array_equal(lamp.along(walk, way).joints, np.load(tmp_path / "way.npy"))
    still = lamp.in_place(lamp.loop(walk), is_loop=True).joints
    np.testing.assert_allclose(still[0], still[-1], atol=1e-5)
    with pytest.raises(ValueError, match="no finite number"):
        lamp.along(walk, [(0, 0), (0, float("nan"))])


def test_a_seed_that_was_drawn_is_named(model: lamp.Model) -> None:
    motion = model.generate("a person jumps", candidates=1, frames=40)
    seed = int(motion.source.split("seed ")[1].split(",")[0])
    again = model.generate("a person jumps", candidates=1, frames=40, seed=seed)
    np.testing.assert_array_equal(again.joints, motion.joints)


def test_features_are_kept_only_where_they_are_those_of_the_joints(model: lamp.Model) -> None:
    assert model.generate("a person jumps", candidates=1, seed=1).features is None
    raw = model.generate("a person jumps", candidates=1, seed=1, clean_up=False)
    assert raw.features is not None and len(raw.features) == len(raw)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 2, "frames": 40}, "expected one of them"),
        ({"seconds": 0}, "seconds 0: expected a length above 0"),
        ({"samples": 0}, "samples: expected at least 1, found 0"),
        ({"precision": "fp8"}, "precision 'fp8'"),
    ],
)
def test_options_out_of_their_range_are_refused(
    model: lamp.Model, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model.generate("a person jumps", **options)


def test_sentences_and_motions_in_each_others_place_are_told(model: lamp.Model) -> None:
    motion = lamp.Motion(wandering(HUMANML3D, 40), HUMANML3D, 20.0)
    wrong_sentences = (
        lambda: model.similarity("a person jumps", motion),
        lambda: model.edit("a person jumps", motion, after=1),
        lambda: model.generate(motion),
        lambda: model.score([(motion, "a person jumps")]),
    )
    for call in wrong_sentences:
        with pytest.raises(TypeError, match="expected a sentence or a list of them, found Motion"):
            call()
    with pytest.raises(ValueError, match="'a person jumps': no such file; expected a motion"):
        model.caption("a person jumps")


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    for device in ("tpu", "cuda:x", "cpu:7"):
        with pytest.raises(ValueError, match=f"device {device}"):
            lamp.load(folder / "tiny", device)


@pytest.mark.filterwarnings("ignore:.*(no frame rate given|more word pieces):UserWarning")
def test_motions_are_found_compared_and_scored(model: lamp.Model, folder: Path) -> None:
    motion = lamp.load_motion(folder / "clips/clip0.npy")
    hits = model.retrieve(motion, str(folder / "clips"), top=2)
    assert [Path(hit.motion).name for hit in hits] == ["clip0.npy", "clip1.npy"]
    assert (hits[0].start, hits[0].end) == (0.0, 59 / 20) and hits[0].score > hits[1].score
    lines = command(
        "retrieve", "a person jumps", "--library", folder / "clips", "--model", folder / "tiny"
    ).rows
    found = model.retrieve("a person jumps", folder / "clips")
    assert [(line["motion"], line["score"]) for line in lines] == [(hit.motion, hit.score) for hit in found]
    values = model.similarity(motion, ["a person jumps", "someone sits"])
    (folder / "texts.txt").write_text("a person jumps\nsomeone sits\n")
    words = [
        "retrieve",
        folder / "clips/clip0.npy",
        "--texts",
        folder / "texts.txt",
        "--model",
        folder / "tiny",
    ]
    scores = {line["text"]: line["score"] for line in command(*words).rows}
    assert values == [scores["a person jumps"], scores["someone sits"]]
    alone = [model.similarity(motion, text) for text in ("a person jumps", "someone sits")]
    assert values == pytest.approx(alone, abs=1e-5)


@pytest.mark.filterwarnings("ignore:.*(no frame rate given|negations are not):UserWarning")
def test_what_reading_assumed_and_what_a_model_doubts_is_said(model: lamp.Model, folder: Path) -> None:
    with pytest.warns(UserWarning, match=r"clip0\.npy: no frame rate given, 20 frames per second assumed"):
        model.caption(folder / "clips/clip0.npy")
    with pytest.warns(UserWarning, match=r"clip0\.npy, clip1\.npy: no frame rate given"):
        model.retrieve("jump", folder / "clips")
    motion = lamp.load_motion(folder / "clips/clip0.npy", fps=20)
    sentence = "he never ever jumps over anything"
    cut = "has more word pieces than this model reads"
    with pytest.warns(UserWarning, match=cut):
        model.similarity(motion, sentence)
    with pytest.warns(UserWarning, match=cut):
        model.retrieve(sentence, folder / "clips")
    made = model.generate(sentence, seed=1, candidates=1, frames=8)
    assert any("negations are not understood" in note for note in made.notes)
    assert any(cut in note for note in made.notes)


def test_moments_of_a_long_take_have_times(model: lamp.Model) -> None:
    take = lamp.Motion(wandering(HUMANML3D, 500), HUMANML3D, 20.0)
    moments = model.moments(take)
    assert (moments[0].start, moments[-1].end) == (0.0, 499 / 20) and all(m.text for m in moments)


def test_scores_are_those_of_the_command_line(model: lamp.Model, folder: Path, tmp_path: Path) -> None:
    clips = [folder / "clips" / f"clip{number}.npy" for number in range(2)]
    texts = ["a person jumps", "someone walks"]
    lines = [json.dumps({"text": t, "motion": str(c)}) for t, c in zip(texts, clips, strict=True)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    metrics = ["bertscore", "physics", "mm-dist", "captions"]
    words = ["score", "--pairs", tmp_path / "pairs.jsonl", *(f"--{metric}" for metric in metrics)]
    rows = command(*words, "--seed", "3", "--model", folder / "tiny", "--device", "cpu").rows
    in_memory = [(texts[0], lamp.load_motion(clips[0])), (texts[1], clips[1])]
    report = model.score(in_memory, metrics, seed=3)
    said = {"model": "tiny", "signature": report.signature}
    assert [{**m.row(), **said} for m in report.measurements] == rows
    assert "| LaMP-BertScore F1 |" in repr(report) and "given captions" not in repr(report)
    chosen = model.generate("a person jumps", seed=7, candidates=16)
    made = model.score([chosen], ["mm-dist"], seed=3).measurements
    assert {(m.subject, m.protocol) for m in made} == {
        ("generated", "given pairs, best of 16 by check and LaMP, mean query token")
    }
    alone = model.score([clips[0]], ["physics"], seed=3)
    assert [m.value for m in alone.measurements] == [
        r["value"] for r in command("score", clips[0], "--physics").rows
    ]
    with pytest.raises(ValueError, match="motion 1: expected a pair of a sentence and a motion"):
        model.score([clips[0]], ["bertscore"])
