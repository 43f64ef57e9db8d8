"""Figures of two sets of embeddings, each beside a slow one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from lamp_cli.metrics.distribution import frechet_inception_distance, infinite_fid, unit_fid
from lamp_cli.metrics.measurement import FigureNotAllowed
from lamp_cli.metrics.pairwise import COVERAGE, DENSITY, KID, PRECISION, RECALL, ROWS, pairwise_figures
from lamp_cli.metrics.resampling import half_sample_intervals
from lamp_cli.processes import in_threads


def two_sets(real: int = 150, made: int = 120, size: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Far from the origin, so that what is lost where squares cancel would show."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(real, size)) + 20.0, 1.2 * rng.normal(size=(made, size)) + 20.5


def slow_kid(first: np.ndarray, second: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / len(x) + 1.0) ** 3

    def others(points: np.ndarray) -> float:
        pairs = [kernel(x, y) for i, x in enumerate(points) for j, y in enumerate(points) if i != j]
        return float(np.mean(pairs))

    across = np.mean([kernel(x, y) for x in first for y in second])
    return others(first) + others(second) - 2.0 * float(across)


def slow_neighbourhoods(real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    def distance(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.sqrt(((x - y) ** 2).sum()))

    def radius(points: np.ndarray, own: int, k: int) -> float:
        return sorted(distance(points[own], other) for i, other in enumerate(points) if i != own)[k - 1]

    narrow, wide = ([radius(real, i, k) for i in range(len(real))] for k in (3, 5))
    made_radii = [radius(made, i, 3) for i in range(len(made))]
    apart = [[distance(r, m) for m in made] for r in real]
    within = [[d < wide[i] for d in row] for i, row in enumerate(apart)]
    columns = list(zip(*apart, strict=True))
    return {
        PRECISION: np.mean([any(d < r for d, r in zip(column, narrow, strict=True)) for column in columns]),
        RECALL: np.mean([any(row[j] < made_radii[j] for j in range(len(made))) for row in apart]),
        DENSITY: np.sum(within) / (5 * len(made)),
        COVERAGE: np.mean([any(row) for row in within]),
    }


def test_figures_of_pairs_are_the_slow_ones() -> None:
    real, made = two_sets()
    found = pairwise_figures(real, made).figures()
    # The kernel's values lie around 64 million: what remains of their difference has five digits.
    assert found.pop(KID) == pytest.approx(slow_kid(real, made), rel=1e-4)
    assert found == pytest.approx(slow_neighbourhoods(real, made), abs=1e-12)
    assert 0.05 < found[PRECISION] < 0.95 and 0.05 < found[RECALL] < 0.95 and 0.05 < found[COVERAGE] < 0.95


def test_neighbourhoods_are_those_of_naeem_et_al() -> None:
    prdc = pytest.importorskip("prdc")
    real, made = two_sets(real=ROWS + 40, made=ROWS + 10, size=16)
    found = pairwise_figures(real, made)
    three, five = (prdc.compute_prdc(real, made, nearest_k=k) for k in (3, 5))
    theirs = three["precision"], three["recall"], five["density"], five["coverage"]
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(theirs, abs=1e-12)


def test_a_set_lies_within_itself() -> None:
    real, _ = two_sets()
    same = pairwise_figures(real, real)
    assert (same.precision, same.recall, same.coverage) == (1.0, 1.0, 1.0)
    # In its own ball a clip lies, and in those of all its neighbours but the one on the surface.
    assert same.density == pytest.approx(1.0, abs=0.1)
    # The unbiased estimate leaves out a clip's pair with itself on one side alone: below zero.
    assert same.kid < 0.0


def test_copies_of_one_clip_lie_in_no_ball() -> None:
    real, _ = two_sets()
    copies = np.repeat(real[:1], 40, axis=0)
    found = pairwise_figures(real, copies)
    # They stand where a real clip does, and no ball of their own has any width.
    assert (found.precision, found.recall) == (1.0, 0.0)


def test_kid_of_sets_of_one_origin_is_0_on_average() -> None:
    rng = np.random.default_rng(1)
    values = [pairwise_figures(*rng.normal(size=(2, 40, 4))).kid for _ in range(100)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 10
    assert pairwise_figures(*two_sets()).kid > 100 * np.std(values)


def test_unit_fid_is_fid_of_directions() -> None:
    real, made = two_sets()
    real, made = real - 19.0, made - 19.0
    directions = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (made, real)]
    assert unit_fid(made, real) == pytest.approx(frechet_inception_distance(*directions))
    # Lengths do not count.
    assert unit_fid(3.0 * made, real) == pytest.approx(unit_fid(made, real))
    with pytest.raises(FigureNotAllowed, match="the first set is zero: it has no direction"):
        unit_fid(np.concatenate([made, np.zeros((1, made.shape[1]))]), real)


def test_infinite_fid_is_the_line_through_fid_of_samples() -> None:
    real, made = two_sets()
    order = np.random.default_rng(3).permutation(len(made))
    sizes = np.linspace(30, 120, 15).astype(int)
    slow = [frechet_inception_distance(made[order[:size]], real) for size in sizes]
    expected = np.polyfit(1.0 / sizes, slow, 1)[1]
    assert infinite_fid(made, real, np.random.default_rng(3)) == pytest.approx(expected, rel=1e-6)


def test_infinite_fid_has_lost_most_of_the_bias_of_few_samples() -> None:
    rng = np.random.default_rng(4)
    real = rng.normal(size=(4000, 16))
    pairs = [(rng.normal(size=(80, 16)), rng) for _ in range(20)]
    raw = np.mean([frechet_inception_distance(made, real) for made, _ in pairs])
    extrapolated = np.mean([infinite_fid(made, real, draws) for made, draws in pairs])
    assert raw > 1.0 and abs(extrapolated) < raw / 5


def test_infinite_fid_needs_more_clips_than_dimensions() -> None:
    real, made = two_sets(made=11)
    with pytest.raises(FigureNotAllowed, match="needs at least 12 clips, twice the dimensions, found 11"):
        infinite_fid(made, real, np.random.default_rng(0))


def test_halves_tell_how_much_a_figure_varies() -> None:
    rng = np.random.default_rng(5)

    def means(first: np.ndarray, second: np.ndarray) -> Mapping[str, float]:
        return {"difference": float(first.mean() - second.mean())}

    first, second = rng.normal(size=(400, 1)), 2.0 * rng.normal(size=(100, 1))
    [interval] = half_sample_intervals(means, first, second, rng, draws=400).values()
    # The standard error of a difference of means is known.
    assert interval == pytest.approx(1.96 * np.sqrt(first.var() / 400 + second.var() / 100), rel=0.1)
    with pytest.raises(ValueError, match="expected at least two halves of two clips, found 1 of 100 clips"):
        half_sample_intervals(means, first, second, rng, draws=1)


def test_sets_that_cannot_be_compared_are_refused() -> None:
    real, made = two_sets()
    with pytest.raises(FigureNotAllowed, match="more clips than the 5 nearest neighbours that are"):
        pairwise_figures(real, made[:5])
    for figure in (pairwise_figures, lambda a, b: infinite_fid(a, b, np.random.default_rng(0)), unit_fid):
        with pytest.raises(ValueError, match="embeddings of one size, found"):
            figure(real, made[:, :4])


def test_threads_give_the_results_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = list(range(20))
    info = [{"user_api": "blas", "num_threads": 4}]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: info)
    several = in_threads(lambda job: job**2, jobs)
    info[0]["num_threads"] = 1
    assert several == in_threads(lambda job: job**2, jobs) == [job**2 for job in jobs]
