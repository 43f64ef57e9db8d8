"""BLEU, ROUGE-L and CIDEr-D of predicted captions under the field's protocols, by name.

Source: the released evaluations of TM2T (Guo et al., ECCV 2022; nlg-eval) and MotionGPT (Jiang et al.,
NeurIPS 2023; nlg-metricverse). Knows strings only; BERTScore has a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .bleu import LengthRule, corpus_bleu
from .captions import TOKENIZATIONS, ReferenceProtocol, require_captions
from .cider import cider_d
from .rouge import Convention, rouge_l


@dataclass(frozen=True)
class CaptionProtocol:
    """Which references, how each metric finds its words, and the convention of each."""

    name: str
    references: ReferenceProtocol
    bleu_words: str
    rouge_words: str
    cider_words: str
    bleu_length: LengthRule
    rouge: Convention


TM2T = CaptionProtocol("tokens, tm2t", "tokens", "whitespace", "whitespace", "whitespace", "closest", "coco")
MOTION_GPT = CaptionProtocol(
    "tokens, motiongpt", "tokens", "plain", "plain", "whitespace", "shortest", "rouge-score"
)
# The captions as written: cut into words alike everywhere, or a full stop would count as a mistake.
RAW = CaptionProtocol("raw, plain words", "raw", "plain", "plain", "plain", "closest", "rouge-score")
CAPTION_PROTOCOLS = (TM2T, MOTION_GPT, RAW)


def caption_figures(
    candidates: Sequence[str], references: Sequence[Sequence[str]], protocol: CaptionProtocol
) -> dict[str, float]:
    """BLEU-1 to BLEU-4 and ROUGE-L (0..1) and CIDEr-D (0..10) of captions, by name.

    ``references`` are those that ``captions.references`` returns for ``protocol.references``. Raises
    ``FigureNotAllowed`` for a single caption, of which CIDEr-D says nothing, ``ValueError`` for captions
    without references.
    """
    require_captions(candidates, references)
    bleu = corpus_bleu(*_words(candidates, references, protocol.bleu_words), protocol.bleu_length)
    figures = {f"BLEU-{order}": value for order, value in enumerate(bleu, 1)}
    figures["ROUGE-L"] = rouge_l(*_words(candidates, references, protocol.rouge_words), protocol.rouge)
    figures["CIDEr-D"] = cider_d(*_words(candidates, references, protocol.cider_words))
    return figures


def _words(
    candidates: Sequence[str], references: Sequence[Sequence[str]], tokenization: str
) -> tuple[list[list[str]], list[list[list[str]]]]:
    split = TOKENIZATIONS[tokenization]
    return [split(c) for c in candidates], [[split(r) for r in several] for several in references]
