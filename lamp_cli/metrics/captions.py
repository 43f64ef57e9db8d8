"""What captions are compared with, and how they are cut into words.

The choice alone changes every figure on captions, so both are named in the protocol. Source: TM2T's
and MotionGPT's released evaluations (references), nlg-eval and rouge-score (words). Knows no metric.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

ReferenceProtocol = Literal["tokens", "raw"]
REFERENCES_PER_CLIP = 3


def references(
    captions: Sequence[str], tokens: Sequence[Sequence[str]], protocol: ReferenceProtocol
) -> tuple[str, str, str]:
    """The three references of one clip with ``captions`` and their ``word/POS`` tokens.

    ``tokens`` joins the lemmatised words as TM2T does (and MotionGPT's code), ``raw`` takes the
    captions as written. The first three count; one stands three times, two stand as A, B, A, which
    weighs in CIDEr and in BERTScore's idf. Raises ``ValueError`` for a clip without captions, or tokens that
    are missing under ``tokens``.
    """
    if protocol not in ("tokens", "raw"):
        raise ValueError(f"expected the reference protocol tokens or raw, found {protocol!r}")
    if not captions:
        raise ValueError("a clip without captions has no reference")
    first = list(captions[:REFERENCES_PER_CLIP])
    if protocol == "tokens":
        if len(tokens) < len(first) or not all(tokens[: len(first)]):
            raise ValueError(f"the caption {captions[0]!r} has no word/POS tokens, which 'tokens' needs")
        first = [" ".join(pair.rsplit("/", 1)[0] for pair in words) for words in tokens[: len(first)]]
    a, b, c = (first * REFERENCES_PER_CLIP)[:REFERENCES_PER_CLIP]
    return a, b, c


def whitespace_words(text: str) -> list[str]:
    """Split at white space and nothing else (nlg-eval, hence TM2T)."""
    return text.split()


def plain_words(text: str) -> list[str]:
    """Lower case, everything but ASCII letters and digits is a gap (rouge-score)."""
    return re.findall(r"[a-z0-9]+", text.lower())


TOKENIZATIONS: Mapping[str, Callable[[str], list[str]]] = {
    "whitespace": whitespace_words,
    "plain": plain_words,
}


def require_captions(candidates: Sequence[object], references: Sequence[Sequence[object]]) -> None:
    """Raise ``ValueError`` unless every candidate has at least one reference; candidates may be empty."""
    if not candidates:
        raise ValueError("no captions to score")
    if len(candidates) != len(references):
        raise ValueError(f"expected references for {len(candidates)} captions, found {len(references)}")
    bare = next((n for n, refs in enumerate(references) if not refs), None)
    if bare is not None:
        raise ValueError(f"caption {bare} has no reference")
