"""FID, diversity, multimodality, R-precision, MM-Dist and retrieval: slow references and hand-made cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lamp_cli.metrics.distribution import (
    DIVERSITY_PROTOCOLS,
    DiversityProtocol,
    EmbeddingSet,
    MultimodalityProtocol,
    diversity,
    diversity_protocol,
    frechet_inception_distance,
    multimodality,
)
from lamp_cli.metrics.matching import POOL, mm_dist, r_precision, similarity_score
from lamp_cli.metrics.measurement import FigureNotAllowed
from lamp_cli.metrics.retrieval import (
    RANKS,
    farthest_first,
    ranks,
    recall_curve,
    retrieval_all,
    retrieval_dissimilar,
    retrieval_small_batches,
    retrieval_threshold,
)


def sample(count: int, size: int, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, size)) @ rng.standard_normal((size, size)) + shift


def fid_by_square_root(first: np.ndarray, second: np.ndarray) -> float:
    """The definition, with scipy's matrix square root."""
    from scipy.linalg import sqrtm

    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    difference = first.mean(0) - second.mean(0)
    return float(difference @ difference + np.trace(a + b - 2 * np.real(sqrtm(a @ b))))


@pytest.mark.parametrize("size", [2, 17, 64])
def test_fid_is_that_of_scipys_square_root(size: int) -> None:
    first, second = sample(400, size, 0), sample(300, size, 1, shift=0.3)
    assert frechet_inception_distance(first, second) == pytest.approx(
        fid_by_square_root(first, second), rel=1e-9, abs=1e-6
    )


def test_fid_by_hand() -> None:
    first = sample(200, 8, 0)
    assert frechet_inception_distance(first, first) == pytest.approx(0.0, abs=1e-9)
    assert frechet_inception_distance(first, first + 2.0) == pytest.approx(8 * 4.0)
    # Twice as wide: tr(C + 4C - 2 * 2C) = tr C.
    mean = first.mean(0)
    trace = np.trace(np.cov(first, rowvar=False))
    assert frechet_inception_distance(first, 2 * (first - mean) + mean) == pytest.approx(trace)
    # Commuting covariances: the sum of squared differences of the deviations.
    wide = np.array([[3.0, 0, 0], [-3, 0, 0], [0, 6, 0], [0, -6, 0]]) / np.sqrt(6)
    other = np.array([[9.0, 0, 0], [-9, 0, 0], [0, 0, 0], [0, 0, 0]]) / np.sqrt(6)
    np.testing.assert_allclose(EmbeddingSet(wide).covariance, np.diag([1.0, 4.0, 0.0]), atol=1e-12)
    assert frechet_inception_distance(wide, other) == pytest.approx(2.0**2 + 2.0**2)


def test_fid_of_rank_deficient_sets() -> None:
    # 20 clips in 64 dimensions. In exact arithmetic the overlap is the sum of the singular values of
    # the product of the centred samples, here taken from the samples themselves.
    first, second = sample(20, 64, 2), sample(25, 64, 3)
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (first, second))
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    difference = first.mean(0) - second.mean(0)
    expected = difference @ difference + (a**2).sum() + (b**2).sum() - 2 * overlap
    assert frechet_inception_distance(first, second) == pytest.approx(expected, rel=1e-9)
    # Orthogonal sets: nothing overlaps, only the traces and means are left.
    rng = np.random.default_rng(0)
    left, right = np.zeros((50, 8)), np.zeros((50, 8))
    left[:, :4], right[:, 4:] = rng.standard_normal((2, 50, 4))
    apart = (
        left.var(0, ddof=1).sum() + right.var(0, ddof=1).sum() + ((left.mean(0) - right.mean(0)) ** 2).sum()
    )
    assert frechet_inception_distance(left, right) == pytest.approx(apart, rel=1e-12)
    assert frechet_inception_distance(np.ones((5, 3)), np.ones((4, 3))) == 0.0


def test_fid_does_not_care_about_order_or_side() -> None:
    first, second = sample(100, 16, 4), sample(90, 16, 5)
    value = frechet_inception_distance(first, second)
    assert frechet_inception_distance(second, first[::-1]) == pytest.approx(value)


def test_figures_that_cannot_be_are_refused() -> None:
    with pytest.raises(FigureNotAllowed, match="at least 2 clips, found 1"):
        frechet_inception_distance(np.ones((1, 4)), np.ones((9, 4)))
    with pytest.raises(ValueError, match="one size, found 4 and 5"):
        frechet_inception_distance(np.ones((3, 4)), np.ones((3, 5)))
    with pytest.raises(ValueError, match="NaN"):
        frechet_inception_distance(np.full((3, 4), np.nan), np.ones((3, 4)))
    with pytest.raises(ValueError, match="the first set: expected an array"):
        frechet_inception_distance(np.ones(4), np.ones((3, 4)))
    with (
        pytest.raises(ValueError, match="expected embeddings of a finite covariance"),
        np.errstate(all="ignore"),
    ):
        frechet_inception_distance(np.array([[1e200, 0.0], [-1e200, 1.0]]), np.ones((3, 2)))
    with pytest.raises(FigureNotAllowed, match="draws 300 pairs from more clips than that, found 300"):
        diversity(np.ones((300, 4)), np.random.default_rng(0))
    with pytest.raises(FigureNotAllowed, match="100 texts with 30 motions each, found 5 with 30"):
        multimodality(np.ones((5, 30, 4)), np.random.default_rng(0))
    with pytest.raises(ValueError, match="1 to 5 pairs"):
        MultimodalityProtocol("small", 3, 5, 6)
    with pytest.raises(FigureNotAllowed, match="batches of 32 pairs, found 31"):
        r_precision(np.ones((31, 4)), np.ones((31, 4)))
    with pytest.raises(ValueError, match="a text for every motion"):
        mm_dist(np.ones((3, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match="direction"):
        r_precision(np.ones((32, 4)), np.ones((32, 4)), direction="t2m")  # type: ignore[arg-type]


def test_diversity_is_the_mean_of_the_drawn_pairs() -> None:
    points = sample(400, 6, 0)
    rng = np.random.default_rng(3)
    first, second = (rng.choice(400, 300, replace=False) for _ in range(2))
    expected = np.mean([np.linalg.norm(points[i] - points[j]) for i, j in zip(first, second, strict=True)])
    assert diversity(points, np.random.default_rng(3)) == pytest.approx(expected)
    assert diversity(np.ones((301, 6)), np.random.default_rng(0)) == 0.0
    # Two groups 10 apart: half of the pairs are, give or take.
    groups = np.repeat([[0.0], [10.0]], 5000, axis=0)
    many = DiversityProtocol("many", 9999)
    assert diversity(groups, np.random.default_rng(0), many) == pytest.approx(5.0, abs=0.2)
    assert [diversity_protocol(n).pairs for n in (101, 300, 301)] == [100, 100, 300]
    assert [p.name for p in DIVERSITY_PROTOCOLS] == ["guo", "guo-small"]


def test_multimodality_compares_motions_of_one_text_only() -> None:
    # Texts are far apart, motions of a text 0 or 3-4-5 apart along one axis.
    protocol = MultimodalityProtocol("small", texts=4, samples=10, pairs=10)
    motions = 1000.0 * np.arange(4)[:, None, None] + np.zeros((4, 10, 2))
    assert multimodality(motions, np.random.default_rng(0), protocol) == 0.0
    motions = motions + np.arange(10)[None, :, None] * np.array([3.0, 4.0])
    rng = np.random.default_rng(1)
    first, second = (rng.choice(10, 10, replace=False) for _ in range(2))
    expected = 5.0 * np.abs(first - second).mean()
    assert multimodality(motions, np.random.default_rng(1), protocol) == pytest.approx(expected)


def slow_r_precision(queries: np.ndarray, candidates: np.ndarray) -> list[float]:
    """Sort every batch by distance and look for the partner; without ties."""
    found = []
    for start in range(0, len(queries) - POOL + 1, POOL):
        for own in range(POOL):
            query = queries[start + own]
            distances = [np.linalg.norm(query - c) for c in candidates[start : start + POOL]]
            found.append(np.argsort(distances).tolist().index(own))
    return [float(np.mean([place < k for place in found])) for k in (1, 2, 3)]


def test_r_precision_is_the_slow_one() -> None:
    motions = sample(100, 12, 0)
    texts = motions + 3.0 * sample(100, 12, 1)
    assert list(r_precision(texts, motions).values()) == pytest.approx(slow_r_precision(texts, motions))
    assert list(r_precision(texts, motions, direction="motion-to-text").values()) == pytest.approx(
        slow_r_precision(motions, texts)
    )
    order = np.random.default_rng(5).permutation(100)
    shuffled = r_precision(texts, motions, np.random.default_rng(5))
    assert list(shuffled.values()) == pytest.approx(slow_r_precision(texts[order], motions[order]))


def test_r_precision_by_hand() -> None:
    points = sample(64, 8, 0)
    assert r_precision(points, points) == {1: 1.0, 2: 1.0, 3: 1.0}
    # Everything alike: the chance of 32.
    alike = r_precision(np.ones((64, 4)), np.ones((64, 4)))
    assert alike == pytest.approx({1: 1 / 32, 2: 2 / 32, 3: 3 / 32})
    # Partners are neighbours in a ring, one place off: always second nearest on a line.
    line = np.arange(32.0)[:, None] * np.array([[1.0, 0.0]])
    swapped = line.reshape(16, 2, 2)[:, ::-1].reshape(32, 2)
    result = r_precision(line, swapped)
    assert result[1] == 0.0
    # The last 4 of 36 make no pool and do not count, however wrong they are.
    wrong = np.concatenate([points[:32], -points[32:36]])
    assert r_precision(points[:36], wrong) == {1: 1.0, 2: 1.0, 3: 1.0}
    # A twin in the batch: each of the two is the first in half of the draws.
    twins = points[:32].copy()
    twins[1] = twins[0]
    assert r_precision(twins, twins)[1] == pytest.approx(31 / 32)


def test_mm_dist_by_hand() -> None:
    motions = sample(10, 4, 0)
    assert mm_dist(motions, motions) == 0.0
    assert mm_dist(motions + np.array([3.0, 0.0, 4.0, 0.0]), motions) == pytest.approx(5.0)


def test_ties_count_by_their_chance() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.integers(0, 6, size=(40, 40)).astype(float)
    few = rng.random((40, 40)) < 0.1
    np.fill_diagonal(few, True)
    for hits in (None, few):
        found = ranks(similarity, hits)
        for query, row in enumerate(similarity):
            right = np.zeros(40, bool) if hits is None else hits[query]
            right[query] = True
            best = row[right].max()
            better, tied = int((row > best).sum()), int((row == best).sum())
            wrong = tied - int((row[right] == best).sum())
            for k in (1, 2, 5, 10):
                drawn = min(max(k - better, 0), tied)
                assert found.found(k)[query] == pytest.approx(
                    1 - math.comb(wrong, drawn) / math.comb(tied, drawn)
                )
            # The first right one stands behind as many wrong ones as fall into the first of its gaps.
            assert found.expected()[query] == better + wrong / (tied - wrong + 1)


def test_copies_of_one_motion_share_their_recall() -> None:
    """Two copies, three copies: the right one is drawn with 1/2, 1/3, never all or nothing."""
    for copies in (2, 3):
        similarity = np.kron(np.eye(4), np.ones((copies, copies)))
        # What separates copies is the rounding of float32.
        similarity += 1e-8 * np.random.default_rng(0).standard_normal(similarity.shape)
        to_motion, to_text = retrieval_all(similarity)
        assert to_motion.recalls[1] == to_text.recalls[1] == pytest.approx(100 / copies)
        assert to_motion.recalls[3] == pytest.approx(100.0)


def test_re_ranking_sees_every_pool_and_each_direction_its_own_scores() -> None:
    rng = np.random.default_rng(0)
    similarity, better = rng.normal(size=(70, 70)), rng.normal(size=(2, 70, 70))
    seen = []

    def rerank(pool: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        np.testing.assert_array_equal(scores, similarity[np.ix_(pool, pool)])
        seen.append(pool.tolist())
        to_motion, to_text = (each[np.ix_(pool, pool)] for each in better)
        return to_motion, to_text.T

    ids = [f"{n:02d}" for n in range(70)]
    for measure in (
        lambda scores, how=None: retrieval_all(scores, how),
        lambda scores, how=None: retrieval_small_batches(scores, ids, how),
        lambda scores, how=None: retrieval_dissimilar(scores, [5, 3, 60], rerank=how),
        lambda scores, how=None: retrieval_threshold(scores, np.eye(70), rerank=how),
    ):
        found = measure(similarity, rerank)
        assert found == (measure(better[0])[0], measure(better[1])[1])
    assert [len(pool) for pool in seen] == [70, 32, 32, 3, 70] and seen[3] == [5, 3, 60]


def test_retrieval_of_all_by_hand() -> None:
    similarity = np.array(
        [
            [0.9, 0.1, 0.2, 0.3],
            [0.8, 0.7, 0.1, 0.1],
            [0.5, 0.5, 0.5, 0.4],
            [0.4, 0.3, 0.2, 0.1],
        ]
    )
    to_motion, to_text = retrieval_all(similarity)
    # Ranks 0, 1, one of 0 to 2 (a tie of three), 3.
    assert to_motion.recalls == pytest.approx({1: 100 / 3, 2: 200 / 3, 3: 75.0, 5: 100.0, 10: 100.0})
    assert to_motion.median_rank == 2.0
    assert (to_motion.direction, to_motion.protocol, to_motion.pool) == ("text-to-motion", "all", 4)
    # Columns: ranks 0, 0, 0, 2 or 3 (ties with row 1 at 0.1).
    assert to_text.recalls == {1: 75.0, 2: 75.0, 3: 87.5, 5: 100.0, 10: 100.0}
    assert to_text.median_rank == 1.0
    assert to_text.figures()["motion-to-text R@1"] == 75.0
    # Guessing finds one of four among three more often than not.
    assert list(to_motion.figures()) == ["text-to-motion R@1", "text-to-motion R@2", "text-to-motion MedR"]
    assert to_motion.figures()["text-to-motion MedR"] == 2.0
    assert recall_curve(similarity, "text-to-motion").tolist() == pytest.approx(
        [100 / 3, 200 / 3, 75.0, 100.0]
    )
    assert recall_curve(similarity, "motion-to-text", longest=2).tolist() == [75.0, 75.0]


def test_everything_alike_is_no_success() -> None:
    to_motion, to_text = retrieval_all(np.ones((100, 100)))
    assert to_motion.recalls == to_text.recalls == pytest.approx({k: float(k) for k in (1, 2, 3, 5, 10)})
    assert to_motion.median_rank == pytest.approx(50.5)


def test_near_duplicate_captions_count_as_found() -> None:
    # Captions 0 and 1 say nearly the same (cosine 0.95); 2 is at exactly 0.6 of caption 0.
    sentences = np.array([[1.0, 0.0], [0.95, np.sqrt(1 - 0.95**2)], [0.6, -0.8]]) * 7.0
    similarity = np.array([[0.1, 0.9, 0.5], [0.9, 0.1, 0.5], [0.3, 0.2, 0.1]])
    plain, _ = retrieval_all(similarity)
    kind, _ = retrieval_threshold(similarity, sentences)
    assert plain.recalls[1] == 0.0
    assert kind.recalls[1] == pytest.approx(100 * 2 / 3)
    assert kind.protocol == "threshold 0.9"
    strict, _ = retrieval_threshold(similarity, sentences, threshold=0.96)
    assert strict.recalls == plain.recalls


def test_a_dissimilar_subset_is_its_own_pool() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.random((30, 30))
    chosen = [3, 7, 29]
    result = retrieval_dissimilar(similarity, chosen)
    small = retrieval_all(similarity[np.ix_(chosen, chosen)])
    assert [r.recalls for r in result] == [r.recalls for r in small]
    assert (result[0].pool, result[0].protocol) == (3, "dissimilar (listed)")
    for wrong in ([0, 0], [30], [-1], [], [0.5]):
        with pytest.raises(ValueError, match="different indices from 0 to 29"):
            retrieval_dissimilar(similarity, wrong)  # type: ignore[arg-type]


def test_farthest_first_takes_one_of_each_group() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(6)
    sentences = np.repeat(centres, 5, axis=0) + 0.01 * rng.standard_normal((30, 6))
    chosen = farthest_first(sentences, 6)
    assert sorted(c // 5 for c in chosen) == [0, 1, 2, 3, 4, 5]
    assert farthest_first(sentences * 3.0, 6).tolist() == chosen.tolist()
    assert len(set(farthest_first(sentences, 30).tolist())) == 30
    with pytest.raises(FigureNotAllowed, match="chooses 100 captions, found 30"):
        farthest_first(sentences)
    with pytest.raises(ValueError, match="is zero"):
        farthest_first(np.zeros((3, 2)), 2)


def test_small_batches_are_tmrs() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.random((70, 70)) + 0.4 * np.eye(70)
    ids = [f"{n:06d}" for n in rng.permutation(70)]
    order = sorted(range(70), key=lambda n: ids[n])
    shuffled = np.arange(70)
    state = np.random.get_state()
    np.random.seed(0)
    np.random.shuffle(shuffled)
    np.random.set_state(state)
    recalls, medians = [], []
    for start in (0, 32):
        batch = [order[n] for n in shuffled[start : start + 32]]
        found = np.array(
            [(similarity[b][batch] > similarity[b][batch[n]]).sum() for n, b in enumerate(batch)]
        )
        recalls.append([100 * np.mean(found < k) for k in RANKS])
        medians.append(np.median(found) + 1)
    to_motion, to_text = retrieval_small_batches(similarity, ids)
    assert list(to_motion.recalls.values()) == pytest.approx(np.mean(recalls, 0))
    assert to_motion.median_rank == pytest.approx(np.mean(medians))
    assert (to_motion.pool, to_text.direction) == (32, "motion-to-text")
    again, _ = retrieval_small_batches(similarity[::-1, ::-1], ids[::-1])
    assert again == to_motion
    with pytest.raises(FigureNotAllowed, match="pools of 32, found 31 clips"):
        retrieval_small_batches(similarity[:31, :31], ids[:31])
    with pytest.raises(ValueError, match="expected 70 ids, found 3"):
        retrieval_small_batches(similarity, ids[:3])


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(4), np.ones((0, 0)), np.full((2, 2), np.nan)])
def test_similarities_that_are_none_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="similarities"):
        retrieval_all(bad)


def test_similarity_is_of_directions_from_0_to_1() -> None:
    first = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    second = np.array([[2.0, 0.0], [0.0, -1.0], [-1.0, 1.0]])
    # The same, opposite and square directions.
    assert similarity_score(first, second) == pytest.approx((1.0 + 0.0 + 0.5) / 3)
    with pytest.raises(FigureNotAllowed, match="an embedding is zero"):
        similarity_score(first, 0.0 * second)
