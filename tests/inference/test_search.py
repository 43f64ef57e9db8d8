"""Exact search: what it returns is what reading everything would return."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lamp_cli.inference.index.search import Block, Bounds, ExactSearch, MotionQuery, TextQuery

TOKENS, WIDTH = 7, 24


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def embeddings_around_centres(rng: np.random.Generator, windows: int, spread: float) -> np.ndarray:
    """Unit vectors (W, N, E) whose query tokens lie about ``spread`` from the window's own direction."""
    centres = unit(rng.normal(size=(windows, 1, WIDTH)))
    noise = rng.normal(size=(windows, TOKENS, WIDTH)) * spread / np.sqrt(WIDTH)
    return unit(centres + noise).astype(np.float16)


def search_over(tables: list[np.ndarray], rows: list[np.ndarray] | None = None) -> ExactSearch:
    rows = [np.arange(len(t)) for t in tables] if rows is None else rows
    return ExactSearch([Block(t, Bounds.of(t), r) for t, r in zip(tables, rows, strict=True)])


def text_scores(embeddings: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return np.array([max(float(k @ vector) for k in w) for w in embeddings.astype(np.float64)])


def motion_scores(embeddings: np.ndarray, motion: np.ndarray) -> np.ndarray:
    return np.array(
        [np.mean([a @ b for a, b in zip(w, motion, strict=True)]) for w in embeddings.astype(np.float64)]
    )


@pytest.mark.parametrize("spread", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("count", [1, 10, 900, 5000])
def test_best_equals_reading_everything(spread: float, count: int) -> None:
    rng = np.random.default_rng(3)
    tables = [embeddings_around_centres(rng, n, spread) for n in (400, 1, 600)]
    everything = np.concatenate(tables)
    search = search_over(tables)
    sentence = unit(rng.normal(size=WIDTH))
    example = embeddings_around_centres(rng, 1, spread)[0]
    for query, scores in [
        (TextQuery(sentence), text_scores(everything, sentence)),
        (MotionQuery(example), motion_scores(everything, example)),
    ]:
        windows, found = search.best(query, count)
        assert len(windows) == min(count, len(everything)) == len(set(windows.tolist()))
        np.testing.assert_allclose(found, np.sort(scores)[::-1][: len(windows)], atol=2e-6)
        np.testing.assert_allclose(scores[windows], found, atol=2e-6)


def test_a_bound_is_never_below_its_similarity() -> None:
    rng = np.random.default_rng(0)
    table = embeddings_around_centres(rng, 300, 0.3)
    bounds = Bounds.of(table)
    sentence, example = unit(rng.normal(size=WIDTH)), table[0].astype(np.float32)
    assert (TextQuery(sentence).bound(bounds) >= text_scores(table, sentence)).all()
    assert (MotionQuery(example).bound(bounds) >= motion_scores(table, example)).all()
    # The bound of a window with itself is met: all of its spread is in the same direction.
    assert MotionQuery(example).bound(bounds)[0] == pytest.approx(1, abs=1e-3)


def test_only_chosen_rows_are_searched_and_twins_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    table = embeddings_around_centres(rng, 50, 0.2)
    search = search_over([table, table], [np.array([4, 2, 2]), np.array([4])])
    sentence = unit(rng.normal(size=WIDTH))
    scores = text_scores(table, sentence)[[4, 2, 2, 4]]
    windows, found = search.best(TextQuery(sentence), 10)
    assert windows.tolist() == ([0, 3, 1, 2] if scores[0] > scores[1] else [1, 2, 0, 3])
    np.testing.assert_allclose(found, np.sort(scores)[::-1], atol=2e-6)


def test_few_windows_are_read_where_query_tokens_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    search = search_over([embeddings_around_centres(rng, 20_000, 0.05)])
    read = 0

    def counting(block: Block, places: np.ndarray) -> torch.Tensor:
        nonlocal read
        read += len(places)
        return torch.from_numpy(block.embeddings[block.rows[places]]).float()

    monkeypatch.setattr(Block, "read", counting)
    search.best(TextQuery(unit(rng.normal(size=WIDTH))), 5)
    assert 5 <= read < 1000


def test_an_empty_search_finds_nothing() -> None:
    assert len(ExactSearch([]).best(TextQuery(np.ones(WIDTH)), 3)[0]) == 0
