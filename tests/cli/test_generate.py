"""``lamp generate`` within this process: the lines it serves, what it says of them, the files it writes."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.bundle.training_sentences import TrainingSentences
from lamp_cli.cli.app import main
from lamp_cli.files.load import load_motion
from lamp_cli.inference.index.library import parts_beside
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.command_line import calling, imported_by, lamp
from tests.inference.test_retrieve import tiny_bundle


@dataclasses.dataclass
class Done:
    """What a call left behind."""

    code: int
    records: list[dict[str, Any]]
    notes: list[str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a few weights that has learned "jumps" and finds every sentence near."""
    folder = tmp_path_factory.mktemp("generate") / "tiny"
    tiny = tiny_bundle()
    one = np.eye(1, tiny.lamp.config.qformer.width, dtype=np.float32)
    known = TrainingSentences({"person": 100, "jump": 100}, one, -1.0)
    save_bundle(folder, dataclasses.replace(tiny, training_sentences=known))
    return folder


@pytest.fixture
def generate(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)

    def call(*words: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        rest = ["--model", str(bundle), "--seed", "7", "--candidates", "1", "--steps", "2"]
        with pytest.raises(SystemExit) as end:
            main(["generate", *words, *rest, *([] if "--format" in words else ["--format", "npy"])])
        out, err = capsys.readouterr()
        return Done(end.value.code or 0, [json.loads(x) for x in out.splitlines()], err.splitlines())  # type: ignore[arg-type]

    return call


def test_lengths_beside_sentences_are_used(generate: Callable[..., Done]) -> None:
    lines = [
        '{"text": "a person jumps", "frames": 120}',
        '{"text": "a person jumps", "seconds": 2}',
        "a person jumps#132",
        '{"text": "a person jumps#8", "frames": null}',
        "a person jumps",
    ]
    done = generate("--frames", "16", stdin="\n".join(lines))
    assert [len(np.load(r["motion"])) for r in done.records] == [120, 40, 132, 16, 16]
    assert [r["frames"] for r in done.records] == [120, 40, 132, 16, 16]
    assert [r["text"].removeprefix("a person jumps") for r in done.records] == ["", "", "", "#8", ""]
    assert done.records[1]["seconds"] == 2.0
    # What the command prints asks for the same again.
    again = generate(stdin="\n".join(json.dumps(record) for record in done.records))
    assert [r["frames"] for r in again.records] == [120, 40, 132, 16, 16]


def test_several_sentences_make_one_motion(generate: Callable[..., Done]) -> None:
    words = ("a person jumps", "--then", "sits", "--then", "waves", "--seconds", "1")
    [record] = generate(*words, "--seconds", "2", "--seconds", "0.55").records
    assert record["text"] == "a person jumps, then sits, then waves"
    assert [(p["text"], p["start"], p["end"]) for p in record["parts"]] == [
        ("a person jumps", 0.0, 1.0),
        ("sits", 1.0, 3.0),
        ("waves", 3.0, 3.55),
    ]
    assert [(p["first_frame"], p["frames"]) for p in record["parts"]] == [(0, 20), (20, 40), (60, 11)]
    assert record["frames"] == len(np.load(record["motion"])) == 71
    assert record["familiar"] is False or record["reason"] is None
    assert [part.end for part in parts_beside(Path(record["motion"]), 20.0)] == [20, 60, 71]
    assert Path(record["texts"]).read_text().startswith("a person jumps#")
    # What the command prints asks for the same again, and so does a list; one length is every part's.
    lists = ['["a person jumps", {"text": "sits", "seconds": 2}, "waves#11"]', json.dumps(record)]
    for line in lists:
        [again] = generate("--frames", "20", stdin=line).records
        np.testing.assert_array_equal(np.load(again["motion"]), np.load(record["motion"]))
        assert again["parts"] == record["parts"]


def test_a_timeline_says_what_is_done_when(generate: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(
        "a person jumps # 0 # 3 # legs\nwaves # 1 # 2 # right arm\nsits # 3 # 31.05\n\nruns # 5 # 6\n"
    )
    done = generate("--timeline", "t.txt")
    first, second = done.records
    assert [(p["text"], p["first_frame"], p["frames"]) for p in first["parts"]] == [
        ("a person jumps", 0, 20),
        ("a person jumps while waves", 20, 20),
        ("a person jumps", 40, 20),
        ("sits", 60, 561),
    ]
    assert len(np.load(first["motion"])) == first["frames"] == 621
    assert first["text"].endswith("a person jumps, then sits") and first["timeline"] == "t.txt"
    assert (second["text"], second["frames"], "parts" in second) == ("runs", 20, False)
    assert "t.txt: body parts are not kept apart" in "".join(done.notes)
    # What the command prints asks for the same again.
    [again] = generate(stdin=json.dumps({**first, "seconds": None})).records
    assert again["parts"] == first["parts"]
    np.testing.assert_array_equal(np.load(again["motion"]), np.load(first["motion"]))


def test_the_reason_for_doubt_is_that_of_the_part(generate: Callable[..., Done]) -> None:
    [record] = generate("a person jumps", "--then", "wave", "--frames", "8").records
    assert record["familiar"] is False and "'wave'" in record["reason"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--then", " "], "'a': part 2: the prompt is empty"),
        (["a", "b", "--then", "c"], "--then goes on from one sentence: expected one before it"),
        (["--prompts", "prompts.txt", "--then", "c"], "--then goes on from one sentence"),
        (
            ["a", "--then", "c", "--seconds", "2", "--seconds", "-1"],
            "--seconds -1: expected a length above 0",
        ),
        (["a", "--then", "c", "--frames", "2", "--frames", "8"], "'a': part 1: 2 frames (0.1 s): this model"),
        (["a", "--then", "c", "--frames", "8", "--frames", "3"], "part 2: 3 frames (0.15 s): this model"),
        (["a", "--timeline", "t.txt"], "--timeline says what is done when; sentences beside it"),
        (["--timeline", "t.txt", "--seconds", "3"], "--timeline says what is done when; --seconds beside it"),
        (["--timeline", "missing.txt"], "missing.txt: no such file"),
        (["--timeline", "prompts.txt"], "prompts.txt, line 1: expected text # start # end"),
        (["--timeline", "short.txt"], "'a': a timeline of 0.1 s; this model makes motions of 0.2 s and more"),
        (
            ["a", "--then", "c", *["--frames", "8"] * 3],
            "3 lengths by --seconds or --frames: expected one, or",
        ),
        (["a", *["--frames", "8"] * 2], "2 lengths by --seconds or --frames: expected one"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    generate: Callable[..., Done], tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "prompts.txt").write_text("one\n")
    (tmp_path / "short.txt").write_text("a # 0 # 0.1\n")
    done = generate(*words, "--output", "none")
    assert (done.code, done.records, (tmp_path / "none").exists()) == (2, [], False)
    assert message in done.notes[-1]


@pytest.fixture
def as_if_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of what the network makes come synthetic clips: a walk if asked for, else sitting down."""
    from lamp_cli.inference import generate as module

    def clip(bundle: object, draw: Any, features: object, options: object) -> Motion:
        action = "walk" if "walk" in draw.prompt.text else "sit down"
        joints = synthetic_clip_of(action, np.random.default_rng(3)).joints
        return Motion(joints, HUMANML3D, 20.0, text=draw.prompt.text)

    monkeypatch.setattr(module, "_motion", clip)


def test_a_loop_is_made_and_shown_twice(as_if_made: None, generate: Callable[..., Done]) -> None:
    done = generate("a person walks", "--loop", "--in-place", "--frames", "40", "--format", "npy,mp4")
    [record] = done.records
    joints = np.load(record["motion"])
    assert len(joints) == record["frames"] and record["in_place"]
    np.testing.assert_allclose(joints[0], joints[-1], atol=1e-5)
    with av.open(record["video"]) as video:
        assert sum(1 for _ in video.decode(video=0)) == 2 * len(joints) - 1


def test_a_motion_goes_along_a_path_and_one_that_cannot_is_left_out(
    as_if_made: None, generate: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "way.txt").write_text("1 1\n1 5\n4 5\n")
    done = generate("a person walks", "a person sits", "--frames", "40", "--path", "way.txt")
    assert done.code == 1 and "'a person sits': the motion travels" in done.notes[-1]
    [record] = done.records
    assert record["path"]["error"] < 0.1
    np.testing.assert_allclose(np.load(record["motion"])[0, 0, ::2], [1.0, 1.0], atol=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--path", "missing.svg"), "missing.svg: no such file"),
        (("--path", "missing.svg", "--loop"), "--path and --loop: expected one of them"),
        (("--loop", "--features"), "--features: those of the network"),
    ],
)
def test_directions_that_cannot_be_are_refused_before_anything_is_made(
    generate: Callable[..., Done], words: tuple[str, ...], said: str
) -> None:
    done = generate("a person walks", *words)
    assert (done.code, done.records) == (2, []) and said in done.notes[-1]


def test_rotations_are_written_for_other_programs(generate: Callable[..., Done]) -> None:
    record = generate("a person jumps", "--frames", "40", "--format", "npz,bvh").records[0]
    assert (record["motion"], record["npz"]) == ("a_person_jumps.bvh", "a_person_jumps.npz")
    assert [len(load_motion(record[key])) for key in ("motion", "npz")] == [40, 40]


def test_a_number_before_a_sentence_is_said_to_be_a_word(generate: Callable[..., Done]) -> None:
    done = generate("--frames", "8", stdin="60 jumps\n")
    assert done.records[0]["text"] == "60 jumps"
    assert any("the number is read as a word" in note for note in done.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "frames": 1.5}', "'frames' to be a whole number, found 1.5"),
        ('{"text": "a", "frames": "40"}', "'frames' to be a number above 0, found '40'"),
        ('{"text": "a", "seconds": -1}', "'seconds' to be a number above 0, found -1"),
        ('{"text": "a", "frames": 40, "seconds": 3}', "are two lengths at 20 frames per second"),
        ("a#1000", "'a': 1000 frames (50 s)"),
        ('{"text": " "}', "the prompt is empty"),
        ('{"words": "a"}', "has no 'text'"),
        ('["a"', "not a JSON list of parts"),
        ('["a", 5]', "expected the parts of a motion as a list of sentences"),
        ('[ "a", 5 ]', "expected the parts of a motion as a list of sentences"),
        ("[]", "expected the parts of a motion as a list of sentences"),
        ('{"text": "a", "parts": 5}', "expected the parts of a motion as a list of sentences"),
        ('["a", {"text": "b", "frames": -4}]', "'b': expected 'frames' to be a number above 0"),
    ],
)
def test_a_bad_line_on_stdin_is_left_out_and_one_in_a_file_is_refused(
    generate: Callable[..., Done], tmp_path: Path, line: str, message: str
) -> None:
    done = generate("--frames", "8", stdin=f"one\n{line}\ntwo\n")
    assert (done.code, [r["text"] for r in done.records]) == (1, ["one", "two"])
    assert [note for note in done.notes if note.startswith("left out: ") and message in note]
    only = generate("--frames", "8", stdin=line)
    assert (only.code, only.records) == (1, [])
    (tmp_path / "prompts.txt").write_text(f"one\n{line}\n")
    refused = generate("--prompts", "prompts.txt", "--frames", "8", "--output", "none")
    assert (refused.code, refused.records, (tmp_path / "none").exists()) == (2, [], False)
    assert message in refused.notes[-1]


def test_the_same_sentence_three_times_gives_three_motions(generate: Callable[..., Done]) -> None:
    three = generate(stdin="a person jumps\n" * 3)
    assert [r["sample"] for r in three.records] == [0, 1, 2]
    samples = generate("a person jumps", "--samples", "3", "--output", "samples")
    for one, other in zip(three.records, samples.records, strict=True):
        np.testing.assert_allclose(np.load(one["motion"]), np.load(other["motion"]), atol=1e-5)
    first, second, third = (np.load(r["motion"]) for r in three.records)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)


def test_every_line_says_whether_its_sentence_is_familiar(generate: Callable[..., Done]) -> None:
    done = generate("--frames", "8", stdin="a person jumps\nrun\nsit\nkick\nwave\nbow\nswim\nclimb\n")
    assert [r["familiar"] for r in done.records] == [True, *[False] * 7]
    assert done.records[0]["reason"] is None and "'wave'" in done.records[4]["reason"]
    assert sum("the motion is a guess" in n or "word pieces" in n for n in done.notes) == 5
    assert any(note.startswith("and 3 more remarks") for note in done.notes)


def test_what_is_left_out_of_a_long_sentence_is_said(generate: Callable[..., Done]) -> None:
    # The tiny vocabulary spells: [CLS], ten letters and [SEP] are all that is read.
    done = generate("jumps" * 2, "jumps" * 2 + " high", "--frames", "8")
    assert [r.get("truncated_to") for r in done.records] == [None, "jumps" * 2]
    assert [note for note in done.notes if "left out: 'high'" in note and "more word pieces" in note]


def test_only_the_formats_that_are_asked_for_are_written(
    generate: Callable[..., Done], tmp_path: Path
) -> None:
    done = generate("a person jumps", "--format", "gif", "--frames", "4", "--output", "out")
    assert "motion" not in done.records[0] and Path(done.records[0]["gif"]).is_file()
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".gif"]


def test_force_replaces_what_was_there_before_and_nothing_of_its_own(generate: Callable[..., Done]) -> None:
    words = ("a person jumps", "A person jumps!", "--samples", "2", "--frames", "8", "--output", "out")
    names = [{r["motion"] for r in generate(*words, "--force").records} for _ in range(2)]
    assert names[0] == names[1] and len(names[0]) == 4
    kept = generate(*words)
    assert not {r["motion"] for r in kept.records} & names[0]


def test_generating_imports_no_transformers(bundle: Path, tmp_path: Path) -> None:
    code = calling("generate", "jump", "--model", bundle, "--output", tmp_path, "--format", "npy")
    assert imported_by(code, "transformers", "peft", "matplotlib", "av")[0] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seconds", "-3"], "--seconds -3: expected a length above 0"),
        (["--frames", "99999"], "this model makes motions of 4 to"),
        (["--device", "nonsense"], "--device nonsense: expected"),
        (["--output", "/proc/nothing"], "/proc cannot be written to"),
    ],
)
def test_no_seed_is_printed_before_a_mistake(
    bundle: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    rest = ["--model", bundle, "--format", "npy"] + ([] if "--output" in words else ["--output", tmp_path])
    done = lamp("generate", "jump", *words, *rest)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lamp: ") and message in done.stderr


@pytest.mark.parametrize(
    ("encoding", "start"), [("utf-16", b""), ("cp1252", b""), ("utf-8", b"\xef\xbb\xbf")]
)
def test_sentences_of_windows_programs_are_read_from_files_and_stdin_alike(
    bundle: Path, tmp_path: Path, encoding: str, start: bytes
) -> None:
    text = start + 'jump\r\n{"text": "a caf\u00e9"}\r\n'.encode(encoding)
    (tmp_path / "prompts.txt").write_bytes(text)
    rest = ["--model", bundle, "--frames", "8", "--candidates", "1", "--steps", "1", "--format", "npy"]
    for words, stdin in ((["--prompts", tmp_path / "prompts.txt"], b""), (["--prompts", "-"], text)):
        done = lamp("generate", *words, *rest, "--output", tmp_path, stdin=stdin)
        assert [row["text"] for row in done.rows] == ["jump", "a caf\u00e9"]
    refused = lamp("generate", *rest, "--output", tmp_path, stdin=b"\x93NUMPY\x01\x00")
    assert refused.returncode == 2 and "stdin: expected lines of text" in refused.stderr


def test_with_check_the_verdict_and_the_draws_are_told(generate: Callable[..., Done]) -> None:
    plain = generate("a person jumps", "--frames", "40")
    done = generate("a person jumps", "--frames", "40", "--check", "--draws", "2", "--output", "checked")
    [record] = done.records
    assert record["verdict"] in ("yes", "no") and 1 <= record["draws"] <= 2
    assert record["clauses"][0]["asked"] == "jump"
    assert [line for line in done.notes if line.startswith(f"check: 'a person jumps': {record['verdict']}")]
    if record["sample"] == 0:
        np.testing.assert_array_equal(np.load(record["motion"]), np.load(plain.records[0]["motion"]))
    [line] = lamp("check", "-", stdin=json.dumps(record)).rows
    assert (line["verdict"], line["clauses"]) == (record["verdict"], record["clauses"])


def test_draws_without_check_are_refused(generate: Callable[..., Done]) -> None:
    done = generate("a person jumps", "--check", "--in-place")
    assert done.code == 2 and "--check: judges a motion as it is made" in done.notes[-1]
    done = generate("a person jumps", "--draws", "2")
    assert done.code == 2 and done.notes[-1] == "lamp: --draws: belongs to --check"
