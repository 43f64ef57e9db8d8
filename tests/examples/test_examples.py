"""The scripts of examples/, run as a person runs them."""

from __future__ import annotations

import io
import json
import runpy
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples import ablations
from examples.bench import training
from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.bundle.training_sentences import load_training_sentences
from lamp_cli.model.lamp import OBJECTIVES
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.command_line import Done
from tests.inference.test_retrieve import tiny_bundle
from tests.small_size import SMALL
from tests.training.test_pretrain import dataset

EXAMPLES = Path(__file__).parents[2] / "examples"


def _example(name: str, *arguments: Path | str) -> Done:
    """A script within this process: a new one would import torch for every call."""
    script, out, err = str(EXAMPLES / name), io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            return Done(1, out.getvalue(), f"{err.getvalue()}{end.code}\n")
    return Done(0, out.getvalue(), err.getvalue())


def test_clips_are_searched_from_python(tmp_path: Path) -> None:
    for action in ("jump", "walk"):
        joints = synthetic_clip_of(action, np.random.default_rng(1)).joints
        np.save(tmp_path / f"{action}.npy", joints)
    with pytest.warns(UserWarning, match=r"jump\.npy, walk\.npy: no frame rate given"):
        found = _example("search_your_clips.py", tmp_path, "a person jumps")
    assert found.returncode == 0, found.stderr
    first, second = found.stdout.splitlines()
    assert "jump.npy" in first and "walk.npy" in second


def test_a_bundle_remembers_the_sentences_of_a_data_set(tmp_path: Path) -> None:
    folder, data = tmp_path / "bundle", dataset(tmp_path / "data", HUMANML3D)
    save_bundle(folder, tiny_bundle())
    assert load_training_sentences(folder) is None
    done = _example("remember_sentences.py", folder, data)
    assert done.returncode == 0, done.stderr
    remembered = load_training_sentences(folder)
    assert remembered is not None and len(remembered.embeddings) > 0 and remembered.stems
    sentences, words = len(remembered.embeddings), len(remembered.stems)
    assert done.stdout == f"{folder}: {sentences} sentences, {words} words\n"
    with pytest.raises(ValueError, match="absent: no folder"):
        _example("remember_sentences.py", tmp_path / "absent", data)


def test_a_further_objective_is_one_file(tmp_path: Path) -> None:
    data, output = dataset(tmp_path / "data", HUMANML3D), tmp_path / "out"
    words = ["pretrain", "--data", data, "--output", output, "--text-encoder", "none", "--config", SMALL]
    words += ["--stage", "tokenizer", "--stage", "lamp", "--set", "lamp.weights.uniformity=0.25"]
    for stage in ("tokenizer", "lamp"):
        words += ["--steps", f"{stage}=1", "--batch-size", f"{stage}=4"]
    script = str(EXAMPLES / "extra_loss.py")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        # What the script adds is gone after the test.
        patch.setitem(OBJECTIVES, "uniformity", lambda step: None)
        patch.setattr(sys, "argv", [script, *map(str, words)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        assert not end.value.code
        uniformity = OBJECTIVES["uniformity"]
    log = json.loads((output / "training/lamp/log.jsonl").read_text().splitlines()[0])
    own = ("contrastive", "matching", "text_generation", "motion_generation")
    assert log["loss"] == pytest.approx(sum(log[name] for name in own) + 0.25 * log["uniformity"], abs=1e-3)
    # By hand: two sentences at right angles, and one that is said twice.
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    step = SimpleNamespace(sentences=[vectors], pairs=SimpleNamespace(captions=torch.tensor([0, 1, 0])))
    assert float(uniformity(step)) == pytest.approx(-4.0)  # type: ignore[arg-type]


def test_every_row_of_the_ablations_is_trained_on_what_it_shares_and_stands_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The calls of ``lamp`` alone: what each trains is tested where it is made."""
    calls: list[list[str]] = []

    def called(*words: str | Path) -> None:
        calls.append(list(map(str, words)))
        if words[0] == "score":
            number = len([call for call in calls if call[0] == "score"])
            shared = {"protocol": "guo", "evaluator": "judge", "repetitions": 3, "interval": 0.25}
            lines = [
                {**shared, "metric": metric, "subject": subject, "value": value}
                for metric in ("FID", "R-precision top 1", "MM-Dist")
                for subject, value in (("generated", number), ("ground-truth", 0.5))
            ]
            folder = Path(words[words.index("--model") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    monkeypatch.setattr(ablations, "lamp", called)
    ablations.main(["--data", "D", "--output", str(tmp_path), "--clip", "C", "--", "--size", "paper"])
    trained = {call[4].rsplit("/", 1)[-1]: call[5:] for call in calls if call[0] == "pretrain"}
    objectives = ("contrastive", "matching", "text_generation", "motion_generation")
    others = [*(f"without-{name}" for name in objectives), "no-query", "clip", "words", "bidirectional"]
    assert list(trained) == ["evaluator", "full", *others]
    assert all(words[-4:] == ["--size", "paper", "--seed", "0"] for words in trained.values())
    query, start = ["--condition", "query"], ["--start-from", str(tmp_path / "full")]
    stages = [word for stage in ablations.CORE for word in ("--stage", stage)]
    assert trained["full"][:-4] == [*stages, *query]
    again = [word for option in ("--stage", "--anew") for s in ("lamp", "generator") for word in (option, s)]
    for name in objectives:
        assert trained[f"without-{name}"][:-4] == [*start, *again, *query, "--without", name]
    generator = [*start, "--stage", "generator", "--anew", "generator"]
    assert trained["clip"][:-4] == [*generator, "--condition", "clip:C"]
    assert trained["bidirectional"][:-4] == [*generator, *query, "--bidirectional"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "| true motions | 0.500 ± 0.250 | 0.500 ± 0.250 | - | - | 0.500 ± 0.250 |"
    assert [line.split(" | ")[1] for line in printed[3:12]] == [f"{n}.000 ± 0.250" for n in range(1, 10)]
    assert printed[13].startswith("Protocol: guo; evaluator: judge; 3 repetitions")


def test_the_benchmark_of_training_times_every_stage(tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", HUMANML3D)
    found = training.seconds_of_steps(data, 3, ["--config", str(SMALL.resolve())])
    assert list(found) == list(training.STAGES)
    assert all(len(times) == 2 and min(times) > 0 for times in found.values())


def test_the_benchmark_of_training_sets_two_versions_side_by_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Sequence[str], Path | None]] = []

    def seconds(
        data: Path, steps: int, options: Sequence[str] = (), checkout: Path | None = None
    ) -> dict[str, list[float]]:
        asked.append((options, checkout))
        return {stage: [9.0, 0.5, 0.1] if checkout is None else [0.6, 0.7] for stage in training.STAGES}

    monkeypatch.setattr(training, "seconds_of_steps", seconds)
    changed = ["--set", "training.generator.steps=12"]
    training.main(["--data", "d", "--size", "mini", "--beside", "old", *changed])
    mini = ["--size", "mini"]
    assert asked == [([*mini, *changed], None), (mini, Path("old"))] * 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tokenizer       0.500 s of the processor a step; the other 0.650, 1.30 times as many"
    # 2400 steps of the tokenizer, 600, 12, 3000 and 1000.
    assert lines[5] == "all steps       0.974 hours of the processor; the other 1.266, 1.30 times as many"
