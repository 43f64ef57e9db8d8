"""Measurements, their comparison with earlier ones, and the pictures drawn of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamp_cli.metrics.measurement import (
    FigureNotAllowed,
    Measurement,
    confidence_interval,
    mean_and_interval,
    measurement_of_row,
)
from lamp_cli.scoring.comparison import Verdict, compare, regressions
from lamp_cli.scoring.plots import Heatmap, Picture, draw
from tests.command_line import imported_by


def figure(metric: str, value: float, interval: float | None = 0.01, **other: Any) -> Measurement:
    keys = {"protocol": "guo", "evaluator": "guo", "pool": 32, "repetitions": 20, "seed": 0}
    return Measurement(metric, value, interval, **{**keys, "subject": "generated", **other})


def test_a_measurement_survives_json() -> None:
    measurement = figure("FID", 0.045, None, evaluator=None, seed=None)
    row = json.loads(json.dumps(measurement.row()))
    assert list(row) == [
        *("metric", "value", "interval", "protocol", "evaluator", "pool", "repetitions", "seed", "subject")
    ]
    assert measurement_of_row({**row, "note": "passed through"}) == measurement


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": float("nan")}, "FID: expected a finite value, found nan"),
        ({"interval": float("inf")}, "FID: expected a finite interval"),
        ({"value": "0.1"}, "expected a number for 'value', found '0.1'"),
        ({"pool": None}, "expected a number for 'pool'"),
        ({"seed": True}, "expected a number for 'seed'"),
    ],
)
def test_rows_that_are_none_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measurement_of_row({**figure("FID", 0.1).row(), **change})


def test_a_row_without_its_protocol_is_refused() -> None:
    row = figure("FID", 0.1).row()
    del row["protocol"]
    with pytest.raises(ValueError, match="lacks 'protocol'"):
        measurement_of_row(row)


def test_the_interval_is_the_fields() -> None:
    assert confidence_interval([1.0, 3.0]) == pytest.approx(1.96 * 1.0 / np.sqrt(2))
    values = np.random.default_rng(0).random(20)
    assert confidence_interval(values) == pytest.approx(1.96 * np.std(values) / np.sqrt(20))
    assert mean_and_interval([2.0]) == (2.0, None)
    assert mean_and_interval([2.0] * 4) == (2.0, None)
    assert mean_and_interval([2.0] * 5) == (2.0, 0.0)
    for wrong in ([], [np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="finite numbers"):
            confidence_interval(wrong)  # type: ignore[arg-type]


def test_a_refused_figure_names_itself_and_the_reason() -> None:
    refused = FigureNotAllowed("R-precision", "needs 32 pairs, found 20")
    assert isinstance(refused, ValueError)
    assert str(refused) == "R-precision: needs 32 pairs, found 20"
    assert (refused.figure, refused.reason) == ("R-precision", "needs 32 pairs, found 20")


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("FID", -1),
        ("MM-Dist", -1),
        ("text-to-motion MedR", -1),
        ("PA-MPJPE (mm)", -1),
        ("jitter (m/s³)", -1),
        ("foot skate (cm/frame at 20 fps)", -1),
        ("text-to-motion R@1", 1),
        ("R-precision top 1", 1),
        ("BLEU-4", 1),
        ("CIDEr-D", 1),
        ("BERTScore F1", 1),
        ("LaMP-BertScore F1", 1),
    ],
)
def test_every_figure_has_its_better_side(metric: str, better: int) -> None:
    (up,) = compare([figure(metric, 1.5)], [figure(metric, 1.0)])
    (down,) = compare([figure(metric, 1.0)], [figure(metric, 1.5)])
    assert up.verdict is (Verdict.BETTER if better > 0 else Verdict.WORSE)
    assert down.verdict is (Verdict.WORSE if better > 0 else Verdict.BETTER)
    assert up.difference == pytest.approx(0.5)
    assert regressions([up, down]) == [down if better > 0 else up]


def test_only_what_exceeds_both_intervals_together_has_moved() -> None:
    # sqrt(3^2 + 4^2) = 5.
    before = figure("FID", 100.0, 3.0)
    assert compare([figure("FID", 104.9, 4.0)], [before])[0].verdict is Verdict.SAME
    assert compare([figure("FID", 105.1, 4.0)], [before])[0].verdict is Verdict.WORSE
    assert compare([figure("FID", 94.9, 4.0)], [before])[0].verdict is Verdict.BETTER
    exact = figure("BLEU-1", 0.4, None)
    assert compare([figure("BLEU-1", 0.4 + 1e-9, None)], [exact])[0].verdict is Verdict.SAME
    assert compare([figure("BLEU-1", 0.401, None)], [exact])[0].verdict is Verdict.BETTER


def test_diversity_is_better_nearer_to_real_motions() -> None:
    real = figure("Diversity", 9.5, subject="ground-truth")
    nearer = compare([figure("Diversity", 9.4), real], [figure("Diversity", 9.8), real])
    assert [c.verdict for c in nearer] == [Verdict.BETTER, Verdict.SAME]
    assert compare([figure("Diversity", 8.0), real], [figure("Diversity", 9.8)])[0].verdict is Verdict.WORSE
    assert compare([figure("Diversity", 9.4)], [figure("Diversity", 9.8)])[0].verdict is Verdict.MOVED
    assert compare([figure("MultiModality", 2.0)], [figure("MultiModality", 1.0)])[0].verdict is Verdict.MOVED


def test_controls_move_but_are_neither_better_nor_worse() -> None:
    for subject in ("ground-truth", "shuffled"):
        before, now = figure("FID", 0.1, subject=subject), figure("FID", 0.5, subject=subject)
        assert compare([now], [before])[0].verdict is Verdict.MOVED
        assert regressions(compare([now], [before])) == []


def test_figures_pair_up_by_how_they_were_measured() -> None:
    now = [figure("FID", 0.1, evaluator="lamp"), figure("MM-Dist", 3.0, pool=100)]
    before = [figure("FID", 0.1), figure("MM-Dist", 3.0)]
    fid, distance, gone = compare(now, before)
    assert (fid.verdict, fid.difference) == (Verdict.NEW, None)
    assert (distance.verdict, distance.reason) == (Verdict.INCOMPARABLE, "pool 32 then, 100 now")
    assert (gone.verdict, gone.earlier) == (Verdict.GONE, before[0])
    assert regressions([fid, distance, gone]) == [distance, gone]
    with pytest.raises(ValueError, match=r"FID \(guo, generated\) stands twice"):
        compare([before[0], before[0]], [])


def rich_picture() -> Picture:
    rng = np.random.default_rng(0)
    runs = {
        "before": [figure("FID", 0.1), figure("FID", 0.002, None, subject="ground-truth")],
        "after": [figure("FID", 0.2), figure("BLEU-1", 0.4, None, evaluator=None)],
    }
    texts = [f"a person does thing number {n}, at length and in detail" for n in range(5)]
    heatmap = Heatmap(rng.random((5, 6)), texts, tuple("abcdef"))
    return Picture(heatmap, {"text-to-motion": np.linspace(10, 90, 50), "other": np.array([5.0])}, runs)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_are_drawn_without_a_window(tmp_path: Path, suffix: str) -> None:
    path = draw(rich_picture(), tmp_path / f"scores{suffix}")
    beginnings = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert path.read_bytes().startswith(beginnings[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_heatmap_shows_the_similarities(tmp_path: Path) -> None:
    from PIL import Image

    dark = draw(Picture(Heatmap(np.eye(2))), tmp_path / "eye.png")
    pixels = np.asarray(Image.open(dark).convert("RGB")).reshape(-1, 3)
    found = {tuple(pixel) for pixel in pixels}
    # The two ends of viridis.
    assert {(68, 1, 84), (253, 231, 36)} <= found


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Picture(), "nothing to draw"),
        (Picture(recalls={}, runs={}), "nothing to draw"),
        (Picture(Heatmap(np.ones((2, 2)), ("a",))), "expected 2 names"),
        (Picture(Heatmap(np.full((2, 2), np.nan))), "finite similarities"),
        (Picture(recalls={"x": np.ones((2, 2))}), "x: expected a finite recall curve"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, picture: Picture, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(picture, tmp_path / "scores.png")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scores\.txt: expected a picture file"):
        draw(rich_picture(), tmp_path / "scores.txt")


def test_importing_the_metrics_imports_nothing_heavy() -> None:
    names = (
        "metrics.bertscore metrics.retrieval metrics.distribution metrics.cider metrics.rouge metrics.physics"
    )
    names += " metrics.reconstruction scoring.plots scoring.comparison scoring.token_embeddings"
    imports = "; ".join(f"import lamp_cli.{name}" for name in names.split())
    assert imported_by(imports, "torch", "matplotlib", "transformers", "scipy")[0] == []
