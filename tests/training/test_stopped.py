"""Training that is killed, or given other steps later: nothing is lost, and nothing half-written stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from examples.bench.kills import kill_often
from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.storage import replacing_several
from lamp_cli.training.log import read_log
from lamp_cli.training.loop import TrainingConfig, learning_rate
from tests.command_line import Done
from tests.inference.test_retrieve import tiny_bundle
from tests.small_size import SMALL, pretrain
from tests.training.test_pretrain import dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return dataset(tmp_path / "data", HUMANML3D)


def tokenizer(data: Path, output: Path, steps: int, *more: str) -> Done:
    words = ["--stage", "tokenizer", "--batch-size", "tokenizer=4", "--validate-every", "tokenizer=2"]
    return pretrain("--data", data, "--output", output, *words, "--steps", f"tokenizer={steps}", *more)


def test_what_was_killed_anywhere_learns_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawing takes longer than training does here.
    monkeypatch.setattr("lamp_cli.training.pretrain.draw_curves", lambda folder: None)
    made, wrong = kill_often(data, tmp_path, 2, 0, 6, SMALL, ("tokenizer",))
    assert len(made) >= 2 and not wrong


@pytest.mark.parametrize("more", [(), ("--set", "training.tokenizer.average_decay=0.5")])
def test_a_finished_stage_goes_on_from_its_best_weights(
    more: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert tokenizer(data, output, 4, *more).returncode == 0
    stage = output / "training" / "tokenizer"
    kept = {path.name for path in stage.iterdir()}
    assert kept == {"best.safetensors", "stage.json", "log.jsonl"}
    best = json.loads((stage / "stage.json").read_text())["weights"]
    step = tokenizer(data, output, 4, *more).rows[0]["step"]
    again = tokenizer(data, output, 6, *more)
    said = f"is trained for 4 steps; goes on to 6 from its best weights, of step {step}"
    assert again.returncode == 0 and said in again.stderr
    assert [record["step"] for record in read_log(stage / "log.jsonl")] == list(range(2, step + 1, 2)) + [
        each for each in (2, 4, 6) if each > step
    ]
    record = json.loads((stage / "stage.json").read_text())
    assert record["steps"] == 6 and (record["weights"] == best) == (again.rows[0]["step"] == step)
    fewer = tokenizer(data, output, 5, *more)
    assert (
        fewer.returncode == 2 and "tokenizer: 6 steps are done; expected --steps tokenizer=6" in fewer.stderr
    )
    assert {path.name for path in stage.iterdir()} == kept


def test_a_stage_that_was_stopped_may_be_given_other_steps(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("lamp_cli.training.run_record.weights_fingerprint", stopped)
        assert tokenizer(data, output, 4).returncode == 130
    assert (output / "training/tokenizer/last.safetensors").exists()
    fewer = tokenizer(data, output, 2)
    assert fewer.returncode == 2 and "4 steps are done" in fewer.stderr
    assert tokenizer(data, output, 6).returncode == 0
    assert [each["step"] for each in read_log(output / "training/tokenizer/log.jsonl")] == [2, 4, 6]


def test_an_optimiser_begun_anew_warms_up_to_the_cosine() -> None:
    config = TrainingConfig(100, 1, 1e-3, 1e-5, 10, 0.0)
    rates = [learning_rate(config, step, 40) for step in (40, 45, 50)]
    assert rates[0] == 1e-6 and rates[2] == learning_rate(config, 50)
    assert rates[1] == pytest.approx((1e-6 + learning_rate(config, 45)) / 2)


def test_a_full_disk_is_said_in_a_sentence_and_what_was_saved_stays(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, last = tmp_path / "out", tmp_path / "out/training/tokenizer/last.safetensors"

    def full(tensors: object, path: Path, metadata: object = None) -> None:
        if last.exists():
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(tensors, path, metadata)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("lamp_cli.training.checkpoint.save_file", full)
        done = tokenizer(data, output, 6)
    lost = "no space left on device; the same command goes on from what is saved"
    said = f"lamp: {last.with_name('best.safetensors')}: {lost}"
    also = f"lamp: {last}: {lost}"
    assert done.returncode == 1 and done.stderr.splitlines()[-1] in (said, also)
    assert not list(output.rglob(".*-*")) and load_file(last)
    assert tokenizer(data, output, 6).returncode == 0
    assert [each["step"] for each in read_log(last.with_name("log.jsonl"))] == [2, 4, 6]


def test_two_runs_do_not_share_a_folder(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "training"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        done = tokenizer(data, tmp_path / "out", 2)
    assert done.returncode == 2 and f"{folder}: another process trains here" in done.stderr
    assert {path.name for path in folder.iterdir()} == {".lock"}


def test_what_a_killed_save_left_is_removed_and_nothing_else(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert tokenizer(data, output, 2).returncode == 0
    folder = output / "training"
    names = (".run-abcdefgh.json", "tokenizer/.last-a1b2c3d4.safetensors", "tokenizer/.tmpA1b2C3")
    left = [folder / name for name in names]
    others = [
        folder / "tokenizer" / name for name in ("last-abcdefgh.safetensors", ".last.safetensors", ".a")
    ]
    for path in (*left, *others):
        path.touch()
    assert tokenizer(data, output, 2).returncode == 0
    assert not any(path.exists() for path in left) and all(path.exists() for path in others)


def test_a_bundle_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bundle(tmp_path, tiny_bundle())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lamp_cli.bundle.bundle.save_statistics", full)
    with pytest.raises(OSError, match="No space left"):
        save_bundle(tmp_path, tiny_bundle())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_file_that_makes_a_folder_whole_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "config.json"):
        (tmp_path / name).write_text("old")
    seen: list[tuple[str, bool]] = []

    def replace(source: Path, target: Path) -> None:
        seen.append((target.name, (tmp_path / "config.json").exists()))
        source.rename(target)

    monkeypatch.setattr("lamp_cli.storage.os.replace", replace)
    (tmp_path / ".saving-abcd").mkdir()
    with replacing_several(tmp_path, "config.json") as folder:
        for name in ("config.json", "z/config.json", "a.txt"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("new")
    assert seen == [("a.txt", False), ("config.json", False), ("config.json", False)]
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "config.json", "z"}


def test_the_averaged_weights_of_a_longer_run_begin_as_the_best(data: Path, tmp_path: Path) -> None:
    output, more = tmp_path / "out", ("--set", "training.tokenizer.average_decay=0.999999")
    assert tokenizer(data, output, 2, *more).returncode == 0
    before = load_file(output / "training/tokenizer/best.safetensors")
    assert tokenizer(data, output, 4, *more).returncode == 0
    after = load_file(output / "training/tokenizer/best.safetensors")
    name = "encoder.0.weight" if "encoder.0.weight" in before else next(n for n in before if "weight" in n)
    assert float((after[name] - before[name]).abs().max()) < 1e-4
