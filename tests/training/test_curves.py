"""Training curves: every stage's log is drawn, those of stages within stages too."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.training.curves import curves_figure, draw_curves, read_logs


@pytest.fixture
def training(tmp_path: Path) -> Path:
    captioner = [
        {"step": 10, "loss": 4.0, "val_loss": 4.5, "val_perplexity": 90.0, "val_word_accuracy": 20.0},
        {"step": 20, "loss": 3.0, "val_loss": 3.5, "val_perplexity": 33.0, "val_word_accuracy": 40.0},
    ]
    language = [{**record, "step": 2 * record["step"]} for record in captioner]
    logs = {
        "tokenizer": [{"step": 5, "loss": 1.0, "val_mpjpe_mm": 80.0}],
        "captioner": captioner,
        "captioner/language": language,
        "lamp": [],
    }
    for stage, records in logs.items():
        (tmp_path / stage).mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / stage / "log.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def test_every_log_has_a_row_and_inner_stages_come_first(training: Path) -> None:
    figure = curves_figure(read_logs(training))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[::2] == ["captioner/language", "captioner", "lamp", "tokenizer"]
    assert titles[1::2] == [f"{title}, validation" for title in titles[::2]]


def test_lines_are_the_logs_numbers(training: Path) -> None:
    figure = curves_figure(read_logs(training))
    losses, accuracy = figure.axes[:2]
    drawn = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in losses.lines}
    assert drawn == {"training loss": [[20, 4.0], [40, 3.0]], "validation loss": [[20, 4.5], [40, 3.5]]}
    assert [line.get_label() for line in accuracy.lines] == ["word_accuracy"]
    assert np.asarray(accuracy.lines[0].get_xydata()).tolist() == [[20, 20.0], [40, 40.0]]


def test_a_figure_that_came_later_is_drawn_where_it_is(training: Path) -> None:
    with (training / "tokenizer" / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"step": 10, "loss": 0.5, "val_mpjpe_mm": 60.0, "val_r1": 7.0}) + "\n")
    right = curves_figure(read_logs(training)).axes[-1]
    assert {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in right.lines} == {
        "mpjpe_mm": [[5, 80.0], [10, 60.0]],
        "r1": [[10, 7.0]],
    }


def test_one_validation_is_a_point_at_a_whole_step(training: Path) -> None:
    left = curves_figure({"tokenizer": read_logs(training)["tokenizer"]}).axes[0]
    assert [line.get_marker() for line in left.lines] == ["."]
    first, last = left.get_xlim()
    assert [tick for tick in left.get_xticks() if first <= tick <= last] == [5.0]


def test_the_picture_is_written_without_a_warning(training: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = draw_curves(training)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_folder_without_logs_gives_an_empty_picture(tmp_path: Path) -> None:
    assert draw_curves(tmp_path).is_file()
