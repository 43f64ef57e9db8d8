"""Exact search: chunked products in float32 give what reading window by window gives."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.inference.index.search import CHUNK_WINDOWS, Block, motion_similarities, text_similarities

TOKENS, WIDTH = 7, 24


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def embeddings(rng: np.random.Generator, windows: int) -> np.ndarray:
    """Unit vectors (W, N, E) as an index stores them."""
    return unit(rng.normal(size=(windows, TOKENS, WIDTH))).astype(np.float16)


def every_window(table: np.ndarray) -> Block:
    return Block(table, np.arange(len(table)))


@pytest.mark.parametrize("windows", [1, CHUNK_WINDOWS, 3 * CHUNK_WINDOWS + 5])
def test_similarities_equal_brute_force(windows: int) -> None:
    rng = np.random.default_rng(3)
    tables = [embeddings(rng, windows), embeddings(rng, 2)]
    sentence, motions = unit(rng.normal(size=WIDTH)), unit(rng.normal(size=(3, TOKENS, WIDTH)))
    stored = np.concatenate(tables).astype(np.float64)
    of_text = [max(float(token @ sentence) for token in window) for window in stored]
    of_motion = [
        max(float(np.mean([a @ b for a, b in zip(window, motion, strict=True)])) for motion in motions)
        for window in stored
    ]
    blocks = [every_window(table) for table in tables]
    np.testing.assert_allclose(text_similarities(blocks, sentence), of_text, atol=1e-6)
    np.testing.assert_allclose(motion_similarities(blocks, motions), of_motion, atol=1e-6)


def test_only_chosen_rows_are_searched_in_their_order() -> None:
    rng = np.random.default_rng(1)
    table, sentence = embeddings(rng, 50), unit(rng.normal(size=WIDTH))
    scores = text_similarities([every_window(table)], sentence)
    chosen = text_similarities(
        [Block(table, np.array([4, 2, 2])), Block(table, np.zeros(0, np.int64)), Block(table, np.array([4]))],
        sentence,
    )
    assert chosen.tolist() == scores[[4, 2, 2, 4]].tolist()


def test_an_index_without_windows_has_no_scores() -> None:
    nothing = Block(np.zeros((0, TOKENS, WIDTH), np.float16), np.zeros(0, np.int64))
    assert len(text_similarities([], np.ones(WIDTH))) == 0
    assert len(motion_similarities([nothing], np.ones((1, TOKENS, WIDTH)))) == 0
