"""Sentences from a causal decoder: beam search and nucleus sampling, both with its cache.

Sources: beam search with finished hypotheses ranked by mean log-probability and the early stop of
`transformers` (``early_stopping=False``), so that the two agree token for token; nucleus sampling after
Holtzman et al. 2020; the consensus of several sampled sentences, the one of least expected loss (minimum
Bayes risk), after Kumar and Byrne 2004. Knows ids, not words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .decoder import CausalDecoder

# Scores of beams that do not exist: finite, because infinity minus itself is no number.
IMPOSSIBLE = -1e9
BEAMS = 5
# What sentences are drawn from that are to agree, unless told otherwise.
CONSENSUS_NUCLEUS, CONSENSUS_TEMPERATURE = 0.9, 0.6
# Of them so many words in a row are compared.
LONGEST_RUN = 4


@dataclass(frozen=True)
class Sentence:
    """Ids without the end token; ``score`` is the mean log-probability per token, the end included."""

    ids: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class DecodingOptions:
    """How captions are decoded.

    beams: of the beam search, ``BEAMS`` unless told; at least as many as ``candidates``.
    candidates: sentences for each prefix.
    nucleus: probability mass that words are sampled from (top-p), above 0, at most 1.
    temperature: of the sampling, above 0; None: 1, of a consensus ``CONSENSUS_TEMPERATURE``.
    consensus: sentences that are sampled, of which those come first that are most like all the others; 0 for
        none. None: the captioner's own number, unless beams or a nucleus are asked for.

    Raises ``ValueError`` for an option out of its range, and for beams beside a way of sampling.
    """

    beams: int | None = None
    candidates: int = 1
    nucleus: float | None = None
    temperature: float | None = None
    consensus: int | None = None

    def __post_init__(self) -> None:
        for name in ("beams", "candidates"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1, found {value}")
        if self.consensus is not None and self.consensus < 0:
            raise ValueError(f"consensus: expected a number from 0, found {self.consensus}")
        if self.beams is not None and (self.consensus or self.nucleus is not None):
            raise ValueError("beams: sentences that are sampled (nucleus, consensus) have none")
        if self.nucleus is not None and not 0 < self.nucleus <= 1:
            raise ValueError(f"nucleus: expected a share above 0, at most 1, found {self.nucleus}")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature: expected a finite number above 0, found {self.temperature}")

    def sampled(self, own: int) -> int:
        """Sentences whose consensus is asked for, 0 for none; ``own`` is the captioner's number of them."""
        if self.consensus is not None:
            return self.consensus
        return own if self.beams is None and self.nucleus is None else 0

    def draws(self) -> bool:
        """Whether words are drawn of which nothing else is chosen, so that a seed decides the sentence."""
        return self.nucleus is not None and not self.consensus


@torch.no_grad()
def beam_search(model: CausalDecoder, prefix: Tensor, beams: int, max_tokens: int) -> list[list[Sentence]]:
    """The ``beams`` best sentences after each prefix (B, S, W), the best first.

    A sentence ends with the model's end token or after ``max_tokens``. Scores are mean
    log-probabilities per token, the end included. The model must be in evaluation mode.
    """
    size, device = len(prefix), prefix.device
    logits, cache = model.start(prefix)
    active = torch.arange(size, device=device)
    cache.select(active.repeat_interleave(beams))
    logits = logits.repeat_interleave(beams, 0)
    running = torch.zeros(size, beams, 0, dtype=torch.long, device=device)
    # Before the first word all beams of a prefix are equal, so only one of them may continue.
    scores = torch.full((size, beams), IMPOSSIBLE, device=device)
    scores[:, 0] = 0.0
    finished = _FinishedHypotheses(size, beams, max_tokens, model.end, device)
    for length in range(1, max_tokens + 1):
        # Twice the beams: should the better half all end here, the other half continues.
        scores, parent, token = _best_continuations(logits, scores, 2 * beams)
        grown = torch.cat([_rows(running, parent), token[..., None]], -1)
        ends = (token == model.end) | (length == max_tokens)
        finished.add(active, grown[:, :beams], scores[:, :beams] / length, ends[:, :beams])
        scores, kept = scores.masked_fill(ends, IMPOSSIBLE).topk(beams)
        # A prefix is done when its best running beam can no longer enter its list of hypotheses.
        better = scores[:, 0] / length > finished.worst(active)
        if length == max_tokens or not better.any():
            break
        continuing = better.nonzero()[:, 0]
        parent = parent.gather(1, kept)[continuing]
        running, scores = _rows(grown, kept)[continuing], scores[continuing]
        active = active[continuing]
        cache.select((continuing[:, None] * beams + parent).flatten())
        logits = model.step(running[..., -1].flatten(), cache)
    return finished.sentences()


class _FinishedHypotheses:
    """The best finished sentences of every prefix."""

    def __init__(self, size: int, beams: int, max_tokens: int, end: int, device: torch.device):
        self._end = end
        self._tokens = torch.full((size, beams, max_tokens), end, device=device)
        self._scores = torch.full((size, beams), IMPOSSIBLE, device=device)

    def add(self, which: Tensor, tokens: Tensor, scores: Tensor, ends: Tensor) -> None:
        """Add those of the tokens (A, K, L) with scores (A, K) that end here, for the prefixes ``which``."""
        padded = tokens.new_full((*tokens.shape[:2], self._tokens.shape[-1]), self._end)
        padded[..., : tokens.shape[-1]] = tokens
        scores = torch.cat([self._scores[which], scores.masked_fill(~ends, IMPOSSIBLE)], 1)
        self._scores[which], kept = scores.topk(self._scores.shape[1])
        self._tokens[which] = _rows(torch.cat([self._tokens[which], padded], 1), kept)

    def worst(self, which: Tensor) -> Tensor:
        """Score (A,) that a sentence must beat to enter; ``IMPOSSIBLE`` while there is room."""
        return self._scores[which, -1]

    def sentences(self) -> list[list[Sentence]]:
        """The sentences of every prefix, the best first."""
        tokens, scores = self._tokens.tolist(), self._scores.tolist()
        return [
            [
                Sentence(_without_end(ids, self._end), score)
                for ids, score in zip(*pair, strict=True)
                if score > IMPOSSIBLE / 2
            ]
            for pair in zip(tokens, scores, strict=True)
        ]


def _best_continuations(logits: Tensor, scores: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Score, beam and token (B, count) of the best continuations of beams with ``scores`` (B, K)."""
    size, words = len(scores), logits.shape[-1]
    total = logits.float().log_softmax(-1).view(size, -1, words) + scores[..., None]
    best, index = total.flatten(1).topk(count)
    return best, index // words, index % words


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` (B, K) of values (B, N, L)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


@torch.no_grad()
def nucleus_sampling(
    model: CausalDecoder,
    prefix: Tensor,
    options: DecodingOptions,
    max_tokens: int,
    generators: Sequence[torch.Generator],
) -> list[list[Sentence]]:
    """``options.candidates`` sampled sentences after each prefix (B, S, W), the most probable first.

    Words are drawn from the fewest that together hold ``options.nucleus`` of the probability at the
    temperature; scores are those of the model without either. Each prefix draws from its own CPU
    generator, so the other prefixes do not change it.
    """
    assert options.nucleus is not None
    size, count, device = len(prefix), options.candidates, prefix.device
    temperature = options.temperature or 1.0
    logits, cache = model.start(prefix)
    cache.select(torch.arange(size, device=device).repeat_interleave(count))
    logits = logits.repeat_interleave(count, 0)
    drawn = torch.zeros(size * count, 0, dtype=torch.long, device=device)
    total = torch.zeros(size * count, device=device)
    unfinished = torch.ones(size * count, dtype=torch.bool, device=device)
    for length in range(1, max_tokens + 1):
        uniform = torch.cat([torch.rand(count, generator=g) for g in generators]).to(device)
        token = _draw_from_nucleus(logits.float() / temperature, options.nucleus, uniform)
        token = torch.where(unfinished, token, model.end)
        log_probability = logits.float().log_softmax(-1).gather(1, token[:, None])[:, 0]
        total = total + log_probability * unfinished
        drawn = torch.cat([drawn, token[:, None]], 1)
        unfinished = unfinished & (token != model.end)
        if length == max_tokens or not unfinished.any():
            break
        logits = model.step(token, cache)
    rows = [_scored(ids, value, model.end) for ids, value in zip(drawn.tolist(), total.tolist(), strict=True)]
    groups = [rows[begin : begin + count] for begin in range(0, len(rows), count)]
    return [sorted(group, key=lambda sentence: -sentence.score) for group in groups]


def consensus_sampling(
    model: CausalDecoder,
    prefix: Tensor,
    options: DecodingOptions,
    count: int,
    max_tokens: int,
    generators: Sequence[torch.Generator],
) -> list[list[Sentence]]:
    """At most ``options.candidates`` different ones of ``count`` sampled sentences after each prefix.

    First comes the one that is most like all of them (:func:`by_consensus`), so what most of them say.
    """
    drawing = replace(
        options,
        candidates=max(count, options.candidates),
        nucleus=options.nucleus or CONSENSUS_NUCLEUS,
        temperature=options.temperature or CONSENSUS_TEMPERATURE,
    )
    sampled = nucleus_sampling(model, prefix, drawing, max_tokens, generators)
    return [by_consensus(sentences)[: options.candidates] for sentences in sampled]


def by_consensus(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The different ones of the sentences, those first that are most like all the others.

    Two are alike by the words, and the two to four words in a row, that they share: the mean F1 of these
    sets. Of equally like ones the more probable comes first.
    """
    times = Counter(sentence.ids for sentence in sentences)
    different = list({sentence.ids: sentence for sentence in sentences}.values())
    runs = {ids: _runs(ids) for ids in times}

    def likeness(sentence: Sentence) -> float:
        return sum(n * _shared(runs[sentence.ids], runs[ids]) for ids, n in times.items())

    return sorted(different, key=lambda sentence: (-likeness(sentence), -sentence.score))


def _runs(ids: tuple[int, ...]) -> list[set[tuple[int, ...]]]:
    """The sets of so many ids in a row, of one to ``LONGEST_RUN``."""
    return [
        {ids[k : k + length] for k in range(len(ids) - length + 1)} for length in range(1, LONGEST_RUN + 1)
    ]


def _shared(one: Sequence[set[tuple[int, ...]]], other: Sequence[set[tuple[int, ...]]]) -> float:
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a or b]
    return sum(2 * len(a & b) / (len(a) + len(b)) for a, b in pairs) / max(len(pairs), 1)


def _draw_from_nucleus(logits: Tensor, mass: float, uniform: Tensor) -> Tensor:
    """One word (R,) of each row's nucleus, by inverting its distribution at ``uniform`` (R,) in [0, 1)."""
    probabilities, words = logits.softmax(-1).sort(dim=-1, descending=True)
    sums = probabilities.cumsum(-1)
    # A word is in the nucleus when the more probable ones alone do not hold the mass: the first always is.
    held = sums.masked_fill(sums - probabilities >= mass, -torch.inf).amax(-1)
    index = torch.searchsorted(sums, (uniform * held)[:, None], right=True)
    last = (sums - probabilities < mass).sum(-1, keepdim=True) - 1
    return words.gather(1, torch.minimum(index, last))[:, 0]


def _scored(ids: list[int], total: float, end: int) -> Sentence:
    words = _without_end(ids, end)
    ended = len(words) < len(ids)
    return Sentence(words, total / max(1, len(words) + ended))


def _without_end(ids: list[int], end: int) -> tuple[int, ...]:
    return tuple(ids[: ids.index(end)] if end in ids else ids)
