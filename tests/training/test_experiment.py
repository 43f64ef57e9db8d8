"""Experiments as files: sizes, what a file and single fields replace, and one sentence for every mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from lamp_cli.bundle.bundle import find_bundle, read_config
from lamp_cli.model.captioner import LanguageModelConfig
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import OBJECTIVES, PAPER_WEIGHTS, LampConfig
from lamp_cli.model.length import LengthConfig
from lamp_cli.model.qformer import QFormerConfig
from lamp_cli.model.tokenizer import TokenizerConfig
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.storage import read_toml
from lamp_cli.training.experiment import DataConfig, Experiment, StageTraining
from lamp_cli.training.experiment_files import (
    FOLLOWS,
    SIZES,
    _settable,
    experiment_text,
    read_experiment,
    settings_from,
    size_named,
)
from tests.model.test_tokenizer import upper_body


def changed(*words: str, size: str = "mini") -> Experiment:
    return read_experiment(size, None, settings_from(words), HUMANML3D)


def _leaves(table: Mapping[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in table.items():
        inner = isinstance(value, Mapping)
        found |= _leaves(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}"}
    return found


def test_the_papers_file_holds_every_field_that_decides_a_run() -> None:
    table = read_toml(SIZES["paper"])
    kit = table.pop("kit")
    assert _leaves(kit) <= _leaves(table)
    # A language model and an adapter are left out as wholes.
    absent = ("captioner.language_model.", "captioner.adapter.")
    every = {name for name in _settable() if not name.startswith(absent)} - {"captioner.embedded"}
    assert _leaves(table) == every
    assert {f.name for f in fields(TokenizerConfig)} - {"features", "joints"} == set(table["tokenizer"])


def test_the_paper_is_the_paper() -> None:
    """Its own objectives and draws; the networks' defaults are its sizes."""
    paper = size_named("paper", HUMANML3D)
    assert {name for name in OBJECTIVES if paper.lamp.trains(name)} == set(PAPER_WEIGHTS)
    assert (paper.generator.candidates, paper.length.drawn_share, paper.data.sorted_steps) == (1, 1.0, 1)
    assert paper.tokenizer == TokenizerConfig(mirrored_dilations=False, dropout=0.2)
    assert paper.lamp == LampConfig(replace(QFormerConfig(), vocabulary=1), weights=paper.lamp.weights)
    assert (paper.generator, paper.length) == (GeneratorConfig(), LengthConfig())
    assert paper.data == DataConfig() and paper.text_encoder == "bert-base-uncased"


def test_values_of_a_skeleton_hold_for_its_data() -> None:
    for size in SIZES:
        kit, other = size_named(size, KIT), size_named(size, HUMANML3D)
        assert (kit.tokenizer.features, kit.tokenizer.joints, kit.evaluator.features) == (251, 21, 251)
        assert (kit.length.min_tokens, other.length.min_tokens) == (6, 10)
        assert (kit.data.least_frames, kit.data.most_frames) == (24, 199)
        assert set(kit.tokenizer.upper_joints) == (set(upper_body(KIT)) if size == "mini" else set())
    for size, batch in (("paper", 16), ("base", 64)):
        kit, other = size_named(size, KIT), size_named(size, HUMANML3D)
        assert (kit.generator.guidance, kit.training.generator.batch_size) == (2.0, batch)
        assert (other.generator.guidance, other.training.generator.batch_size) == (4.0, 64)


def test_mini_is_what_lamp_mini_was_trained_as() -> None:
    shipped, mini = read_config(find_bundle("lamp-mini")).model, size_named("mini", HUMANML3D)
    mini = mini.with_vocabulary(shipped.lamp.qformer.vocabulary)
    # Its LaMP went on learning beside a generator that reads its words: some objectives were off.
    of_training = {"weights": mini.lamp.weights, "matching_share": 0.25, "learns_text": True}
    as_mini = replace(shipped, lamp=replace(shipped.lamp, **of_training))
    assert replace(mini.model(), captioner=mini.captioner) == as_mini


def test_a_file_says_only_what_differs_and_single_fields_have_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(
        'size = "paper"\ngenerator.dropout = 0\n[lamp.weights]\nmatching = 0.5\n'
        "[kit.generator]\nguidance = 5\n[training.lamp]\nsteps = 50\nbetas = [0.9, 0.95]\n"
    )
    paper = size_named("paper", HUMANML3D)
    found = read_experiment(None, path, {"generator.layers": 3}, HUMANML3D)
    assert found.generator == replace(paper.generator, dropout=0.0, layers=3)
    assert found.lamp.weights == {**paper.lamp.weights, "matching": 0.5}
    # The warm-up never takes more than a tenth of the steps unless it is asked for.
    expected = replace(paper.training.lamp, steps=50, warmup_steps=5, betas=(0.9, 0.95))
    assert found.training == replace(paper.training, lamp=expected)
    assert read_experiment("paper", path, {}, KIT).generator.guidance == 5.0
    with pytest.raises(ValueError, match=r"--size base: .*says size = 'paper'"):
        read_experiment("base", path, {}, HUMANML3D)
    warm = read_experiment(None, path, {"training.lamp.warmup_steps": 20}, HUMANML3D)
    assert warm.training.lamp.warmup_steps == 20


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    for words in (
        (),
        ("captioner.language_model.name=opt", "lamp.qformer.width=96"),
        ("captioner.adapter=none",),
    ):
        for size in SIZES:
            experiment = changed(*words, size=size)
            path.write_text(experiment_text(experiment.with_vocabulary(1)))
            assert read_experiment(None, path, {}, HUMANML3D) == experiment


def test_what_follows_from_a_field_goes_with_it() -> None:
    found = changed("tokenizer.codes=32", "tokenizer.code_width=8", "tokenizer.upper_joints=[]")
    found.model()
    # One part of the body, four quantizers.
    assert (found.lamp.codes, found.generator.codes, found.generator.codebooks) == (32, 32, 4)
    assert found.generator.quantizers == 4
    assert found.lamp.qformer.context_width == 8
    wide = changed("lamp.qformer.width=48").with_vocabulary(99)
    assert wide.captioner.adapter is not None and wide.captioner.embedded is not None
    assert wide.captioner.adapter.qformer == wide.lamp.qformer and wide.captioner.query_width == 48
    assert (wide.generator.condition_width, wide.length.text_width) == (48, 48)
    assert wide.captioner.embedded.vocabulary == wide.lamp.qformer.vocabulary == 99
    llm = changed("captioner.language_model.name=opt", "captioner.language_model.tuning=lora")
    assert llm.captioner.embedded is None
    assert llm.captioner.language_model == LanguageModelConfig("opt", "lora")
    # A language model bears less than a small decoder, unless a rate is asked for.
    assert llm.training.captioner.learning_rate == 2e-4
    rated = changed("captioner.language_model.name=opt", "training.captioner.learning_rate=1e-3")
    assert rated.training.captioner.learning_rate == 1e-3
    assert changed("captioner.adapter=none").captioner.adapter is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("generator.drpout=0.1", r"--set generator\.drpout: unknown; did you mean generator\.dropout\?"),
        ("generator.guidence=2", r"generator\.guidence: unknown; did you mean generator\.guidance\?"),
        ("lamp.weights.retension=1", r"did you mean lamp\.weights\.retention\?"),
        ("zebra=1", r"--set zebra: unknown$"),
        ("generator.dropout=much", r"--set generator\.dropout: expected float, found 'much'"),
        ("generator.layers=2.5", r"generator\.layers: expected int, found 2\.5"),
        ("generator.layers=true", r"generator\.layers: expected int, found True"),
        ("generator.causal=1", r"generator\.causal: expected bool, found 1"),
        ("training.lamp.betas=[0.9]", r"training\.lamp\.betas: expected 2 values, found 1"),
        ("generator=3", r"--set generator: expected a table of fields, found 3"),
        ("generator.dropout", r"--set generator\.dropout: expected FIELD=VALUE"),
        ("generator.codes=3", r"generator\.codes: follows from tokenizer\.codes and cannot be set"),
        ("generator.candidates=0", r"--set generator\.candidates: expected at least 1, found 0"),
        ("training.lamp.steps=0", r"--set training\.lamp\.steps: expected at least 1, found 0"),
        ("data.most_frames=3", r"experiment\.data: least_frames, most_frames: expected one not above"),
        ("captioner.language_model.tuning=lora", r"experiment\.captioner\.language_model\.name: missing"),
        ("generator.heads=5", r"generator\.heads: expected a divisor of the width 384, found 5"),
        ("lamp.qformer.layers=0", r"lamp\.qformer\.layers: expected at least 1, found 0"),
        ("tokenizer.width=-2", r"tokenizer\.width: expected at least 1, found -2"),
        ("training.lamp.learning_rate=nan", r"learning_rate: expected a share from 0 to 1, found nan"),
        ("tokenizer.position_weight=-1", r"position_weight: expected a finite number from 0, found -1"),
        ("lamp.qformer.query_tokens=9", r"query_tokens: expected at least 49, one for each token"),
        (
            "training.lamp.select=fid",
            r"select: expected one of mean_recall, r_sum, mrr, loss, found",
        ),
        (
            "training.generator.select=fid",
            r"generator\.select: fid needs an evaluator; expected --set",
        ),
        ("generator.dropout=1.5", r"generator\.dropout: expected a share from 0 to 1, found 1\.5"),
    ],
)
def test_mistakes_are_one_sentence(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        changed(word)
    assert "\n" not in str(error.value)


def test_mistakes_in_a_file_name_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, message in (
        (
            "generator.drpout = 0.1",
            r"mine\.toml: generator\.drpout: unknown; did you mean generator\.dropout\?",
        ),
        (
            "[kit.generator]\nguidance = true",
            r"mine\.toml: kit\.generator\.guidance: expected float, found True",
        ),
        ('size = "huge"', r"mine\.toml: size: expected one of base, mini, paper, found 'huge'"),
        ("generator = ", r"mine\.toml: not TOML \("),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_experiment(None, path, {}, HUMANML3D)


def test_every_stage_has_its_training_and_nothing_follows_from_what_is_not() -> None:
    assert {f.name for f in fields(StageTraining)} >= {"language", "evaluator"}
    assert not set(FOLLOWS) & set(_settable())
