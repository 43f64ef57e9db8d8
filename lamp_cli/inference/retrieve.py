"""Search a motion library by words or by example; rank sentences for a motion.

Source: LaMP section 3 (LaMP-Feat): similarity is the best query token's cosine with the sentence; the
matching head may re-rank the best.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..bundle.bundle import Bundle
from ..files.load import load_takes
from ..files.reading import AS_STORED, Reading
from ..motion.motion import Motion
from .caption import CaptionOptions, caption
from .embed import embed_motions, embed_texts, matching_probabilities, similarity
from .familiarity import Remark, remarks_on
from .index.index import MotionIndex, WindowSource, default_folder, update_index
from .index.library import Window, caption_beside, windows_of_file, windows_of_motion
from .index.search import motion_similarities, text_similarities
from .query import check_rerank, read_query
from .spelling import as_read

# A window widens the better hit that it overlaps when it scores at least this share of the hit's score.
WIDENING_SHARE = 0.9


@dataclass(frozen=True)
class Hit:
    """A moment of a library that a query found.

    motion    file of the motion; of an archive FILE:ENTRY
    start     seconds from the take's beginning
    end       seconds
    score     cosine similarity with the query, -1 to 1, of the window that scored best
    path      the file alone
    take      the entry of an archive; empty for a file of one motion
    window    start and end in seconds of the window that scored best
    matching  the matching head's probability, 0 to 1, when hits were re-ranked, else None
    """

    motion: str
    start: float
    end: float
    score: float
    path: Path
    take: str
    window: tuple[float, float]
    matching: float | None = None

    def cut(self, reading: Reading = AS_STORED) -> Motion:
        """The moment itself, its file read as ``reading`` says; ``text`` is the caption beside the file."""
        motion = self.whole_take(reading)
        first, last = (round(seconds * motion.fps) for seconds in (self.start, self.end))
        return replace(motion[first : last + 1], text=caption_beside(self.path, self.start, self.end))

    def whole_take(self, reading: Reading) -> Motion:
        """The motion that the moment is of."""
        motion = next(motion for take, motion in load_takes(self.path, reading) if take == self.take)
        if isinstance(motion, ValueError):
            raise motion
        return motion


@dataclass(frozen=True)
class RankedSentence:
    """A sentence with its similarity with a motion.

    text      the sentence
    score     cosine similarity with the window that scored best, -1 to 1
    matching  the matching head's probability, 0 to 1, when sentences were re-ranked, else None
    """

    text: str
    score: float
    matching: float | None = None


def find(
    bundle: Bundle,
    query: str | Motion,
    library: Path | str,
    top: int = 5,
    reading: Reading = AS_STORED,
    rerank: int = 0,
) -> list[Hit]:
    """The ``top`` moments of a library nearest to a sentence or a motion, the best first.

    Brings the library's index up to date first. ``query`` may name a motion file. ``rerank``, at least
    ``top``, hits are ordered with the matching head, as :func:`search_index` does. Warns of takes that cannot
    be read, of what reading assumed, and of a sentence unlike those of training. Raises ``ValueError`` when
    the library is no folder or holds no motion, or for a query that looks like a path and is none.
    """
    asked = read_query(query, reading) if isinstance(query, str) else query
    check_rerank(rerank, top)
    root = Path(library)
    index, report = update_index(bundle, root, default_folder(root), reading, notify=_warn)
    for name, reason in report.unreadable.items():
        _warn(f"left out: {name}: {reason}")
    for sentence, names in report.notes.items():
        _warn(f"{', '.join(names)}: {sentence}")
    if isinstance(asked, str):
        warn_of(remarks_on(bundle, [asked]), "the matches are")
    if not index.windows:
        raise ValueError(f"{library}: holds no motion that can be searched")
    return search_index(bundle, index, asked, top, rerank)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)


def warn_of(remarks: Mapping[str, Remark], guess: str) -> None:
    """Warn of sentences that the model can only guess at, or reads a part of; ``guess`` is what is one."""
    for text, remark in remarks.items():
        for sentence in remark.sentences(text, guess):
            _warn(sentence)


def search_index(
    bundle: Bundle, index: MotionIndex, query: str | Motion, top: int, rerank: int = 0
) -> list[Hit]:
    """The ``top`` moments of an index; windows of one take that overlap are merged into one.

    Ordered by ``score``; when ``rerank`` are re-ranked, by ``score`` plus ``matching`` as in BLIP-2's
    retrieval. Of a long motion the best window counts; the matching head, which judges motions by a sentence,
    is told :func:`example_sentence` it.
    """
    if isinstance(query, Motion):
        scores = motion_similarities(index.blocks, embed_motions(bundle, _windows(bundle, query)))
    else:
        scores = text_similarities(index.blocks, embed_texts(bundle, as_read(bundle, [query]))[0])
    hits = _merged(index, scores, max(top, rerank), bundle.config.fps)
    if not rerank:
        return hits
    sentence = query if isinstance(query, str) else example_sentence(bundle, query)
    return _reranked(bundle, index, sentence, hits)[:top]


def example_sentence(bundle: Bundle, motion: Motion) -> str:
    """The sentence that a motion has, else what the captioner says of it.

    Raises ``ValueError`` when it has none and no captioner is loaded.
    """
    if motion.text:
        return motion.text
    if bundle.captioner is None:
        raise ValueError("re-ranking by example needs a captioner, or a motion with a sentence of its own")
    [[moment]] = caption(bundle, [motion], CaptionOptions())
    return moment.text


def rank_texts(bundle: Bundle, motion: Motion, texts: Sequence[str], rerank: int = 0) -> list[RankedSentence]:
    """Sentences by similarity with a motion, the best first; of a long motion its best window counts.

    ``rerank`` of them, and no others, are given, ordered by ``score`` plus ``matching``.
    """
    windows, read = _windows(bundle, motion), as_read(bundle, texts)
    similarities = similarity(embed_motions(bundle, windows), embed_texts(bundle, read))
    scores, best = similarities.max(0), similarities.argmax(0)
    order = np.argsort(-scores, kind="stable").tolist()
    if not rerank:
        return [RankedSentence(texts[i], float(scores[i])) for i in order]
    order = order[:rerank]
    asked = [read[i] for i in order]
    matching = matching_probabilities(bundle, asked, [windows[best[i]] for i in order]).tolist()
    ranked = [RankedSentence(texts[i], float(scores[i]), m) for i, m in zip(order, matching, strict=True)]
    return sorted(ranked, key=lambda each: -each.score - (each.matching or 0.0))


def _windows(bundle: Bundle, motion: Motion) -> list[np.ndarray]:
    return [features for *_, features in windows_of_motion(motion, bundle.skeleton)]


@dataclass
class _Moment:
    """The window that scored best, and the frames it was widened to by others that overlap it."""

    window: WindowSource
    score: float
    start: int
    end: int

    def overlaps(self, window: WindowSource) -> bool:
        same = (self.window.path, self.window.take) == (window.path, window.take)
        return same and window.start <= self.end and self.start <= window.end


def _merged(index: MotionIndex, scores: np.ndarray, count: int, fps: float) -> list[Hit]:
    """At most ``count`` hits, the best first, ties in the index's order.

    Raises ``ValueError`` for embeddings that were damaged.
    """
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{index.root}: its index, or the model, holds no numbers; a deleted index is made again"
        )
    moments: list[_Moment] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        window, score = index.windows[row], float(scores[row])
        near = next((moment for moment in moments if moment.overlaps(window)), None)
        if near is None:
            if len(moments) == count:
                break
            moments.append(_Moment(window, score, window.start, window.end))
        elif score > WIDENING_SHARE * near.score:
            near.start, near.end = min(near.start, window.start), max(near.end, window.end)
    return [_hit(index, moment, fps) for moment in moments]


def _hit(index: MotionIndex, moment: _Moment, fps: float) -> Hit:
    window = moment.window
    path = index.root / window.path
    return Hit(
        motion=f"{path}:{window.take}" if window.take else str(path),
        start=moment.start / fps,
        end=moment.end / fps,
        score=moment.score,
        path=path,
        take=window.take,
        window=(window.start / fps, window.end / fps),
    )


def _reranked(bundle: Bundle, index: MotionIndex, text: str, hits: list[Hit]) -> list[Hit]:
    """Hits by their score plus the matching head's probability for the window that scored."""
    windows = [_features_of_window(bundle, index, hit) for hit in hits]
    matching = matching_probabilities(bundle, as_read(bundle, [text]) * len(hits), windows).tolist()
    judged = [(hit.score + m, replace(hit, matching=m)) for hit, m in zip(hits, matching, strict=True)]
    return [hit for _, hit in sorted(judged, key=lambda pair: -pair[0])]


def _features_of_window(bundle: Bundle, index: MotionIndex, hit: Hit) -> np.ndarray:
    start = round(hit.window[0] * bundle.config.fps)
    windows = windows_of_file(hit.path, bundle.skeleton, index.reading)
    for window in windows:
        if isinstance(window, Window) and (window.take, window.start) == (hit.take, start):
            return window.features
    raise ValueError(f"{hit.path}: has changed since the library was searched; search again")


def joints_of_hit(bundle: Bundle, hit: Hit, reading: Reading = AS_STORED) -> np.ndarray:
    """Joints (T, J, 3) in metres of a hit's moment, at the bundle's frame rate.

    ``reading`` is how the library was read.
    """
    rate = bundle.skeleton.fps
    return hit.whole_take(reading).joints_at(rate)[round(hit.start * rate) : round(hit.end * rate) + 1]
