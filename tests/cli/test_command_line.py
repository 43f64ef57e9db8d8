"""The command line from captions and motions to a generated motion."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.metrics.physics import bone_drift, penetration
from lamp_cli.motion.representation import features_to_joints
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import calling, imported_by, lamp, lamp_process
from tests.conftest import wandering
from tests.small_size import pretrain


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle after a few steps on made-up motions."""
    folder = tmp_path_factory.mktemp("work")
    motions = folder / "motions"
    motions.mkdir()
    requests = []
    for number in range(8):
        joints = wandering(HUMANML3D, 100 + 4 * number, seed=number)
        np.save(motions / f"clip{number}.npy", joints.astype(np.float32))
        split = "val" if number < 2 else "train"
        requests.append({"motion": f"clip{number}", "caption": f"a person walks {number}", "split": split})
    captions = folder / "captions.jsonl"
    captions.write_text("".join(json.dumps(r) + "\n" for r in requests))
    done = lamp_process("prepare", motions, "--captions", captions, "--output", folder / "data")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clips"] == {"train": 6, "val": 2}
    done = pretrain(*_pretrain(folder))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["stage"] for line in done.stdout.splitlines()] == [
        "tokenizer",
        "lamp",
        "generator",
        "language",
        "captioner",
    ]
    return folder / "bundle"


def _pretrain(folder: Path) -> list[str]:
    words = ["--data", str(folder / "data"), "--output", str(folder / "bundle")]
    words += ["--text-encoder", "none"]
    for stage in ("tokenizer", "lamp", "generator", "language", "captioner"):
        words += ["--steps", f"{stage}=2", "--batch-size", f"{stage}=4"]
    return words


def test_a_bundle_says_what_it_is_and_its_experiment_is_the_run_again(bundle: Path) -> None:
    (found,) = lamp("info", bundle).rows
    for name, count in found["parameters"].items():
        assert count == sum(weight.numel() for weight in load_file(bundle / f"{name}.safetensors").values())
    assert set(found["parameters"]) == {"tokenizer", "lamp", "generator", "captioner"}
    assert set(found["steps"]) == {"tokenizer", "lamp", "generator", "language", "captioner"}
    assert found["training"]["training"]["lamp"]["steps"] == 2
    assert found["training"]["generator"]["layers"] == found["networks"]["generator"]["layers"] == 1
    # The file is the whole run: with it no stage is trained again, and nothing differs.
    words = ["--data", bundle.parent / "data", "--output", bundle, "--text-encoder", "none"]
    done = lamp("pretrain", *words, "--config", bundle / "experiment.toml")
    assert done.returncode == 0 and [row["step"] for row in done.rows] == list(found["steps"].values())
    (again,) = lamp("info", bundle).rows
    assert again == found
    with (bundle / "vocab.txt").open("a") as file:
        file.write("zebra\n")
    (other,) = lamp("info", bundle).rows
    assert other["checksum"] != found["checksum"]
    vocabulary = (bundle / "vocab.txt").read_text().removesuffix("zebra\n")
    (bundle / "vocab.txt").write_text(vocabulary)
    assert lamp("info", bundle).rows == [found]


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    heavy, done = imported_by(calling("--help"), "torch", "transformers", "matplotlib", "numpy")
    assert not heavy and "generate" in done.stdout


def test_version_and_usage_errors() -> None:
    assert lamp_process("--version").stdout == "lamp 0.1.0\n"
    for words in (["nonsense"], ["prepare"], ["generate", "--samples", "0", "a"]):
        done = lamp(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr


def test_generate_writes_a_motion_and_a_video(bundle: Path, tmp_path: Path) -> None:
    words = ["generate", "a person jumps", "--model", bundle, "--seed", "5", "--frames", "40", "--features"]
    done = lamp(*words, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["text"], record["seed"], record["frames"], record["fps"]) == (
        "a person jumps",
        5,
        40,
        20.0,
    )
    joints = np.load(record["motion"])
    assert (joints.shape, joints.dtype) == ((40, 22, 3), np.float32)
    features = np.load(record["features"])
    assert features.shape == (40, 263)
    assert bone_drift(joints) < 1e-4 and penetration(joints) < 1e-4
    raw = json.loads(lamp(*words, "--raw", "--output", tmp_path / "raw", "--format", "npy").stdout)
    np.testing.assert_array_equal(np.load(raw["motion"]), features_to_joints(features, HUMANML3D))
    assert Path(record["video"]).stat().st_size > 1000
    again = json.loads(lamp(*words, "--output", tmp_path, "--format", "npy").stdout)
    assert again["motion"] != record["motion"]
    assert Path(again["motion"]).read_bytes() == Path(record["motion"]).read_bytes()


def test_the_draws_that_a_motion_is_chosen_from_can_be_counted(bundle: Path, tmp_path: Path) -> None:
    words = ["generate", "a person walks", "--model", bundle, "--seed", "5", "--format", "npy"]
    made = {
        count: json.loads(lamp(*words, "--candidates", count, "--output", tmp_path / count).stdout)
        for count in ("1", "16")
    }
    default = json.loads(lamp(*words, "--output", tmp_path / "default").stdout)
    assert Path(default["motion"]).read_bytes() == Path(made["16"]["motion"]).read_bytes()
    assert Path(default["motion"]).read_bytes() != Path(made["1"]["motion"]).read_bytes()


def test_a_prompt_far_from_training_is_doubted_on_stderr_alone(bundle: Path, tmp_path: Path) -> None:
    rest = ["--model", bundle, "--frames", "40", "--format", "npy", "--output", tmp_path]
    done = lamp("generate", "a person walks 3", "a kid skateboards", *rest)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    doubts = [line for line in done.stderr.splitlines() if "the motion is a guess" in line]
    assert len(doubts) == 1 and "'skateboards' is in no sentence" in doubts[0]


def test_neighbours_do_not_change_a_prompt(bundle: Path, tmp_path: Path) -> None:
    # To a bundle of a few steps its sixteen candidates are so alike that rounding may choose.
    rest = ["--model", bundle, "--seed", "1", "--format", "npy", "--candidates", "1"]
    alone = json.loads(lamp("generate", "a person walks", *rest, "--output", tmp_path / "a").stdout)
    lines = 'someone runs\n{"text": "a person walks", "mine": 7}\n\n'
    among = lamp("generate", *rest, "--output", tmp_path / "b", stdin=lines).rows
    assert [r["text"] for r in among] == ["someone runs", "a person walks"]
    assert among[1]["mine"] == 7
    np.testing.assert_allclose(np.load(among[1]["motion"]), np.load(alone["motion"]), atol=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["   "], "empty"),
        (["a", "--seconds", "0"], "--seconds 0"),
        (["a", "--seconds", "1000"], "1000 s"),
        (["a", "--seconds", "2", "--frames", "40"], "expected one of them"),
        (["a", "--format", "exe"], "--format exe"),
        (["a", "--device", "tpu"], "--device tpu"),
        (["a", "--precision", "fp8"], "precision 'fp8': expected fp32 or bf16"),
        (["a", "--model", "/nowhere"], "/nowhere"),
        (["--prompts", "/nowhere.txt"], "/nowhere.txt"),
    ],
)
def test_mistakes_get_one_sentence(bundle: Path, tmp_path: Path, words: list[str], message: str) -> None:
    done = lamp("generate", "--model", bundle, "--seed", "0", "--output", tmp_path / "out", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_long_and_foreign_prompts_work(bundle: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("jump " * 10_000 + "\n跳\n😀\n../../etc/passwd\n")
    words = [
        "--model",
        bundle,
        "--seed",
        "0",
        "--frames",
        "8",
        "--format",
        "npy",
        "--output",
        tmp_path / "out",
    ]
    done = lamp("generate", "--prompts", prompts, *words)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_broken_bundle_names_its_file(bundle: Path, tmp_path: Path) -> None:

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("training"))
    weights = copy / "lamp.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = lamp("generate", "a", "--model", copy, "--seed", "0", "--output", tmp_path)
    assert (done.returncode, "lamp.safetensors" in done.stderr) == (2, True)
    weights.unlink()
    assert "lamp.safetensors: missing" in lamp("generate", "a", "--model", copy, "--output", tmp_path).stderr


def test_finished_stages_are_skipped_and_other_settings_refused(bundle: Path) -> None:
    folder = bundle.parent
    before = (bundle / "tokenizer.safetensors").read_bytes()
    assert pretrain(*_pretrain(folder)).returncode == 0
    assert (bundle / "tokenizer.safetensors").read_bytes() == before
    other = pretrain(*_pretrain(folder), "--seed", "3")
    assert other.returncode == 2
    assert "another seed" in other.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "--frames", "abc", "x"], "'--frames'"),
        (["genrate"], "'genrate'"),
        (["prepare"], "--output"),
        (["--nope"], "--nope"),
    ],
)
def test_bad_usage_is_one_sentence_that_points_to_the_help(words: list[str], said: str) -> None:
    done = lamp(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("lamp: ")
    assert said in done.stderr and "--help" in done.stderr


def test_lamp_alone_shows_the_help() -> None:
    done = lamp_process()
    assert done.returncode == 0
    assert "Commands" in done.stdout


def test_training_goes_on_from_a_bundle_and_its_paraphrases_are_learned(bundle: Path, tmp_path: Path) -> None:
    data = bundle.parent / "data"
    sentences = tmp_path / "sentences.jsonl"
    sentences.write_text(
        '{"captions": ["a man strolls", "someone walks"]}\n{"captions": ["a jump", "he leaps"]}\n'
    )
    words = ["--data", data, "--output", tmp_path / "further", "--start-from", bundle]
    words += ["--stage", "tokenizer", "--stage", "lamp", "--captions", sentences]
    for stage in ("tokenizer", "lamp"):
        words += ["--steps", f"{stage}=1", "--batch-size", f"{stage}=4"]
    done = pretrain(*words)
    assert done.returncode == 0, done.stderr
    log = json.loads((tmp_path / "further/training/lamp/log.jsonl").read_text().splitlines()[0])
    assert log["paraphrase"] > 0
    before = load_file(bundle / "lamp.safetensors")
    after = load_file(tmp_path / "further/training/lamp/best.safetensors")
    # One step of warm-up moves a weight by its first learning rate; drawn anew it would be far away.
    assert (
        max(float((after[k] - v.float()).abs().max()) for k, v in before.items() if v.is_floating_point())
        < 2e-3
    )
    assert "another kind" not in done.stderr
    alone = ["--data", data, "--start-from", bundle, "--stage", "lamp"]
    other = lamp("pretrain", *alone, "--size", "base", "--output", tmp_path / "other")
    assert other.returncode == 2
    assert "its tokenizer is of another kind than this run's; train stage tokenizer too" in other.stderr
    # Nothing was claimed: the folder is free for the corrected call.
    assert not (tmp_path / "other").exists()
    captioner = pretrain(*words, "--stage", "captioner", "--steps", "captioner=1")
    assert captioner.returncode == 0, captioner.stderr
    # The decoder of the bundle knows its language: it is not learned again.
    assert [json.loads(line)["stage"] for line in captioner.stdout.splitlines()][-1] == "captioner"
    assert not (tmp_path / "further/training/captioner/language").exists()
    before = load_file(bundle / "captioner.safetensors")
    after = load_file(tmp_path / "further/training/captioner/best.safetensors")
    assert max(float((after[k] - v.float()).abs().max()) for k, v in before.items()) < 2e-3


@pytest.mark.parametrize("rate", ["lamp=0", "lamp=2", "lamp=nan", "lamp=fast", "dance=0.1", "0.1"])
def test_impossible_learning_rates_are_refused(bundle: Path, tmp_path: Path, rate: str) -> None:
    done = pretrain("--data", bundle.parent / "data", "--output", tmp_path / "x", "--learning-rate", rate)
    assert done.returncode == 2
    assert f"--learning-rate {rate}: expected STAGE=X" in done.stderr
    assert not (tmp_path / "x").exists()


def test_that_a_generator_is_of_another_kind_is_said(bundle: Path, tmp_path: Path) -> None:
    words = ["--data", bundle.parent / "data", "--output", tmp_path / "other", "--bidirectional"]
    words += ["--start-from", bundle, "--stage", "tokenizer", "--steps", "tokenizer=1"]
    done = pretrain(*words, "--batch-size", "tokenizer=4")
    assert done.returncode == 0, done.stderr
    assert "generator: that of --start-from is of another kind" in done.stderr


def test_stages_that_are_not_named_stay_as_in_the_bundle_to_start_from(bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "further"
    words = ["--data", bundle.parent / "data", "--output", output, "--start-from", bundle]
    words += ["--stage", "generator", "--steps", "generator=1", "--batch-size", "generator=4"]
    done = pretrain(*words)
    assert done.returncode == 0, done.stderr
    same = {name: load_file(bundle / f"{name}.safetensors") for name in ("tokenizer", "lamp", "captioner")}
    for name, weights in same.items():
        after = load_file(output / f"{name}.safetensors")
        assert all(torch.equal(after[key], value) for key, value in weights.items()), name
    before, after = (load_file(folder / "generator.safetensors") for folder in (bundle, output))
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    old, new = (json.loads((folder / "config.json").read_text()) for folder in (bundle, output))
    assert new["steps"] == {**old["steps"], "generator": 1}
    assert new["figures"]["lamp"] == old["figures"]["lamp"]
    assert new["model"] == old["model"]


def test_a_stage_is_not_taken_over_on_top_of_one_that_was_trained_anew(bundle: Path, tmp_path: Path) -> None:
    words = ["--data", bundle.parent / "data", "--output", tmp_path / "other"]
    words += ["--start-from", bundle, "--stage", "tokenizer", "--stage", "generator"]
    for stage in ("tokenizer", "generator"):
        words += ["--steps", f"{stage}=1", "--batch-size", f"{stage}=4"]
    done = pretrain(*words)
    assert done.returncode == 2
    assert "stage lamp is not trained yet" in done.stderr
