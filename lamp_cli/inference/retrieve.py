"""Search a motion library by words or by example; rank sentences for a motion.

Source: LaMP section 3 (LaMP-Feat): similarity is the best query token's cosine with the sentence; the
matching head may re-rank the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..files.arrays import motion_of_array, read_arrays
from ..motion.motion import Motion
from ..motion.transform import resample
from .embed import embed_motions, embed_texts, encode_text, motion_context, similarity
from .index.index import MotionIndex, Place
from .index.library import Window, windows_of_file, windows_of_motion
from .index.search import MotionQuery, TextQuery

# Overlapping windows of one take come together; that many are looked at for every hit asked for.
WINDOWS_PER_HIT = 4


@dataclass(frozen=True)
class Hit:
    """A moment of the library: ``start`` and ``end`` in frames, a higher ``score`` is better."""

    path: str
    take: str
    start: int
    end: int
    score: float


def find_by_text(
    bundle: Bundle, index: MotionIndex, text: str, count: int, library: Path, rerank: int = 0
) -> list[Hit]:
    """The ``count`` best moments for a sentence, windows of one take that touch merged into one.

    The matching head orders the ``rerank`` best anew; 0 leaves the contrastive order.
    """
    query = TextQuery(embed_texts(bundle, [text])[0])
    hits = _ranked(index, [query], max(count, rerank))
    if rerank:
        hits = _reranked(bundle, text, hits[:rerank], library) + hits[rerank:]
    return hits[:count]


def find_by_motion(bundle: Bundle, index: MotionIndex, motion: Motion, count: int) -> list[Hit]:
    """The ``count`` moments most like a motion (its best window, when it is long)."""
    windows = [features for *_, features in windows_of_motion(motion, bundle.skeleton)]
    return _ranked(index, [MotionQuery(e) for e in embed_motions(bundle, windows)], count)


def rank_texts(bundle: Bundle, motion: Motion, texts: Sequence[str]) -> list[tuple[str, float]]:
    """Sentences by similarity with a motion, the best first; of a long motion its best window counts."""
    windows = [features for *_, features in windows_of_motion(motion, bundle.skeleton)]
    scores = similarity(embed_motions(bundle, windows), embed_texts(bundle, texts)).max(0)
    order = np.argsort(-scores, kind="stable")
    return [(texts[i], float(scores[i])) for i in order]


def _ranked(index: MotionIndex, queries: Sequence[TextQuery | MotionQuery], count: int) -> list[Hit]:
    """The best moments by the best of the queries; asks for more windows until enough are apart."""
    wanted = WINDOWS_PER_HIT * count
    while True:
        rows, scores = _best_of_all(index, queries, wanted)
        hits, more = _merged(index, rows, scores, count)
        if more or wanted >= len(index.places):
            return hits
        wanted *= 4


def _best_of_all(
    index: MotionIndex, queries: Sequence[TextQuery | MotionQuery], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` best windows (a window's best query counts) and their scores, the best first."""
    found = [index.search.best(query, count) for query in queries]
    rows, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    first = np.sort(np.unique(rows, return_index=True)[1])[:count]
    return rows[first], scores[first]


def _merged(index: MotionIndex, rows: np.ndarray, scores: np.ndarray, count: int) -> tuple[list[Hit], bool]:
    """At most ``count`` hits, and whether a window beyond the last of them was met.

    A window that overlaps a better hit of the same take widens it instead.
    """
    hits: list[Hit] = []
    for row, score in zip(rows, scores, strict=True):
        place = index.places[row]
        near = next((k for k, hit in enumerate(hits) if _touches(hit, place)), None)
        if near is None:
            if len(hits) == count:
                return hits, True
            hits.append(Hit(place.path, place.take, place.start, place.end, float(score)))
        elif score > 0.9 * hits[near].score:
            old = hits[near]
            start, end = min(old.start, place.start), max(old.end, place.end)
            hits[near] = Hit(old.path, old.take, start, end, old.score)
    return hits, False


def _touches(hit: Hit, place: Place) -> bool:
    same = (hit.path, hit.take) == (place.path, place.take)
    return same and place.start <= hit.end and hit.start <= place.end


@torch.no_grad()
def _reranked(bundle: Bundle, text: str, hits: list[Hit], library: Path) -> list[Hit]:
    """Hits by the matching head's probability, added to the similarity as in BLIP-2's retrieval."""
    features = [_features_of(bundle, hit, library) for hit in hits]
    context = motion_context(bundle, features)
    limit = bundle.lamp.config.qformer.text_tokens
    tokens = encode_text(bundle.vocabulary, [text] * len(hits), limit, bundle.device)
    match = bundle.lamp.matching_logits(context, tokens).softmax(-1)[:, 1].tolist()
    scored = [Hit(h.path, h.take, h.start, h.end, h.score + m) for h, m in zip(hits, match, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)


def _features_of(bundle: Bundle, hit: Hit, library: Path) -> np.ndarray:
    path = library / hit.path if library.is_dir() else library
    windows = [w for w in windows_of_file(path, bundle.skeleton) if isinstance(w, Window)]
    own = [w for w in windows if w.take == hit.take and hit.start <= w.start and w.end <= hit.end]
    return own[0].features


def joints_of_hit(bundle: Bundle, hit: Hit, library: Path) -> np.ndarray:
    """Joints (T, J, 3) in metres of a hit's moment, at the bundle's frame rate."""
    path = library / hit.path if library.is_dir() else library
    array = next(array for take, array in read_arrays(path) if take == hit.take)
    motion = motion_of_array(array, str(path))
    joints = resample(motion.joints, motion.fps, bundle.skeleton.fps)
    return joints[hit.start : hit.end + 1]
