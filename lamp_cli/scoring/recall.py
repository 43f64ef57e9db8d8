"""Motion-text retrieval of an evaluator's embeddings by the four protocols of the field.

Source: Petrovich et al., TMR, ICCV 2023: true motions of any length, the first caption of each, cosine
(for LaMP the best query token's; for Guo's evaluators Euclidean distance). Knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.batches import batched
from ..data.captions import Caption
from ..inference.embed import similarity
from ..metrics.bertscore import TokenEncoder, sentence_embeddings
from ..metrics.matching import DIRECTIONS
from ..metrics.measurement import FigureNotAllowed
from ..metrics.retrieval import (
    Retrieval,
    farthest_first,
    ranks,
    recall_curve,
    retrieval_all,
    retrieval_dissimilar,
    retrieval_small_batches,
    retrieval_threshold,
)
from .evaluators import Evaluator, LampEvaluator
from .figures import PROTOCOLS, RETRIEVAL, Figure, ProgressBar, Report, ScoreOptions, no_progress
from .matching_figures import repeated_sentences
from .plots import Heatmap

CHUNK = 128
# Cosines lie within 2 of each other: what is re-ranked stays before what is not.
ABOVE = 2.0
DRAWN = 24


@dataclass(frozen=True)
class RetrievalPool:
    """Ids, one caption each, and features (T, C) of the motions that are searched."""

    ids: Sequence[str]
    captions: Sequence[Caption]
    features: Sequence[np.ndarray]


def similarities(evaluator: Evaluator, pool: RetrievalPool, bar: ProgressBar = no_progress) -> np.ndarray:
    """How well each caption says each motion, (N, N) float32.

    LaMP's are computed a few motions at a time: all query tokens of 4,400 clips at once need gigabytes.
    """
    if not isinstance(evaluator, LampEvaluator):
        return evaluator.similarity(pool.captions, pool.features)
    texts = evaluator.text_embeddings(pool.captions)
    rows = []
    with bar(len(pool.features), "embedding for retrieval") as advance:
        for part in batched(pool.features, CHUNK):
            rows.append(similarity(evaluator.query_embeddings(part), texts))
            advance(len(part), "")
    return np.concatenate(rows).T


class MatchingReranker:
    """Orders each query's nearest candidates by similarity plus the matching head's probability (BLIP-2).

    A pair that several pools or both directions ask for is judged once.
    """

    def __init__(self, evaluator: LampEvaluator, pool: RetrievalPool, count: int):
        """``count`` is of the candidates of a query that are re-ranked; the others stay behind them."""
        self._evaluator = evaluator
        self._pool = pool
        self._count = count
        self._known = np.full((len(pool.ids), len(pool.ids)), np.nan, np.float32)

    def __call__(self, chosen: np.ndarray, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores (P, P) of texts by rows and of motions by rows, of the ``chosen`` (P,) of the pool."""
        return self._reranked(chosen, similarity, True), self._reranked(chosen, similarity.T, False)

    def _reranked(self, chosen: np.ndarray, similarity: np.ndarray, texts_ask: bool) -> np.ndarray:
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, : self._count]
        queries = np.repeat(np.arange(len(chosen)), nearest.shape[1])
        pairs = (queries, nearest.ravel()) if texts_ask else (nearest.ravel(), queries)
        scores = similarity.copy()
        scores[queries, nearest.ravel()] += ABOVE + self._matching(chosen[pairs[0]], chosen[pairs[1]])
        return scores

    def _matching(self, texts: np.ndarray, motions: np.ndarray) -> np.ndarray:
        """Probabilities of pairs by their numbers in the pool."""
        unknown = np.flatnonzero(np.isnan(self._known[texts, motions]))
        for part in np.split(unknown, range(CHUNK, len(unknown), CHUNK)):
            captions = [self._pool.captions[n] for n in texts[part]]
            features = [self._pool.features[n] for n in motions[part]]
            self._known[texts[part], motions[part]] = self._evaluator.matching(captions, features)
        return self._known[texts, motions]


def score_retrieval(
    pool: RetrievalPool,
    evaluators: Sequence[Evaluator],
    encoder: TokenEncoder,
    options: ScoreOptions,
    report: Report,
    subject: str,
    caption_choice: str = "first caption",
    bar: ProgressBar = no_progress,
) -> None:
    """R@1, 2, 3, 5, 10 and MedR in both directions, by the protocols asked for; nothing is drawn.

    ``encoder`` reads the captions where near duplicates or unlike ones are looked for. Ties count by their
    chance, see ``metrics.retrieval``; a query with one is noted.
    """
    if len(pool.ids) < 2:
        report.refuse("retrieval", f"needs at least 2 clips, found {len(pool.ids)}")
        return
    protocols = options.named_protocols(RETRIEVAL) or PROTOCOLS[RETRIEVAL]
    sentences: np.ndarray | None = None
    if options.reads_sentences():
        texts = [caption.text for caption in pool.captions]
        sentences = sentence_embeddings(encoder.encode(texts))
    for evaluator in evaluators:
        matrix = similarities(evaluator, pool, bar)
        for rerank in _rerankers(evaluator, pool, options, report):
            how = [] if rerank is None else [f"best {options.rerank} re-ranked by matching"]
            for protocol in protocols:
                with report.refusing():
                    found, reader = _retrieve(protocol, matrix, sentences, pool, encoder, options, rerank)
                    for each in found:
                        _note_small_pool(each, report)
                        named = ", ".join([each.protocol, caption_choice, *reader, *how])
                        for name, value in each.figures().items():
                            figure = Figure(name, named, evaluator.name, each.pool, subject)
                            report.measurements.append(figure.measured(value, seed=options.seed))
        if copies := repeated_sentences([caption.text for caption in pool.captions]):
            report.note(
                f"retrieval: {copies} of {len(pool.captions)} texts stand in the pool more than once; only "
                "the own motion counts as found, but for protocol threshold"
            )
        tied = int((ranks(matrix).tied > 1).sum())
        if tied:
            report.note(
                f"retrieval: {tied} of {len(matrix)} texts tie with other motions; ties count by chance"
            )
        report.recalls |= {f"{evaluator.name} {d}": recall_curve(matrix, d) for d in DIRECTIONS}
        if report.heatmap is None:
            # The paper's Figure 3: the first captions against their motions.
            texts = [caption.text for caption in pool.captions[:DRAWN]]
            report.heatmap = Heatmap(matrix[:DRAWN, :DRAWN], texts, list(pool.ids[:DRAWN]))


def _rerankers(
    evaluator: Evaluator, pool: RetrievalPool, options: ScoreOptions, report: Report
) -> list[MatchingReranker | None]:
    """None for similarities alone, and what re-ranks them when that is asked for."""
    if not options.rerank:
        return [None]
    if isinstance(evaluator, LampEvaluator):
        return [None, MatchingReranker(evaluator, pool, options.rerank)]
    report.refuse("retrieval re-ranked", f"evaluator {evaluator.name} has no matching head")
    return [None]


def _retrieve(
    protocol: str,
    matrix: np.ndarray,
    sentences: np.ndarray | None,
    pool: RetrievalPool,
    encoder: TokenEncoder,
    options: ScoreOptions,
    rerank: MatchingReranker | None,
) -> tuple[tuple[Retrieval, Retrieval], list[str]]:
    """Both directions, and who read the sentences, if anyone did."""
    if protocol == "all":
        return retrieval_all(matrix, rerank), []
    if protocol == "small-batches":
        return retrieval_small_batches(matrix, pool.ids, rerank), []
    if protocol == "dissimilar" and options.dissimilar:
        return retrieval_dissimilar(matrix, _listed(pool, options.dissimilar), rerank=rerank), []
    assert sentences is not None
    reader = [f"sentences by {encoder.name}"]
    if protocol == "threshold":
        return retrieval_threshold(matrix, sentences, rerank=rerank), reader
    return retrieval_dissimilar(matrix, farthest_first(sentences), "farthest-first", rerank), reader


def _listed(pool: RetrievalPool, ids: Sequence[str]) -> np.ndarray:
    number = {name: n for n, name in enumerate(pool.ids)}
    missing = [name for name in ids if name not in number]
    if missing:
        reason = f"protocol dissimilar lists {missing[0]}, which is not among the {len(number)} clips"
        raise FigureNotAllowed("retrieval", reason)
    return np.array([number[name] for name in ids])


def _note_small_pool(found: Retrieval, report: Report) -> None:
    dropped = [f"R@{k}" for k in found.recalls if 2 * k > found.pool]
    if dropped:
        reason = f"more than half of all guesses are right in a pool of {found.pool}"
        report.refuse(f"retrieval {', '.join(dropped)}", reason)
