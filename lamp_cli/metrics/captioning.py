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
    """How captions are compared with their references.

    name: what ``lamp score --protocol`` calls it.
    references: the lemmatised ``tokens``, or the captions as written (``raw``).
    bleu_words, rouge_words, cider_words: how each metric finds its words, out of ``captions.TOKENIZATIONS``.
    bleu_length: which reference's length BLEU's brevity penalty counts.
    rouge: the convention of ROUGE-L.
    """

    name: str
    references: ReferenceProtocol
    bleu_words: str
    rouge_words: str
    cider_words: str
    bleu_length: LengthRule
    rouge: Convention

    @property
    def label(self) -> str:
        """References and name, as they stand beside a figure."""
        return self.name if self.name == self.references else f"{self.references}, {self.name}"


TM2T = CaptionProtocol("tm2t", "tokens", "whitespace", "whitespace", "whitespace", "closest", "coco")
MOTION_GPT = CaptionProtocol("motiongpt", "tokens", "plain", "plain", "whitespace", "shortest", "rouge-score")
# The captions as written: cut into words alike everywhere, or a full stop would count as a mistake.
RAW = CaptionProtocol("raw", "raw", "plain", "plain", "plain", "closest", "rouge-score")
CAPTION_PROTOCOLS = (TM2T, MOTION_GPT, RAW)


def caption_figures(
    candidates: Sequence[str], references: Sequence[Sequence[str]], protocol: CaptionProtocol
) -> dict[str, float]:
    """BLEU-1 to BLEU-4 and ROUGE-L (0..1) and CIDEr-D (0..10) of captions, by name.

    ``references`` are those that ``captions.references`` returns for ``protocol.references``. A single
    caption has no CIDEr-D. Raises ``ValueError`` for captions without references.
    """
    require_captions(candidates, references)
    bleu = corpus_bleu(*_words(candidates, references, protocol.bleu_words), protocol.bleu_length)
    figures = {f"BLEU-{order}": value for order, value in enumerate(bleu, 1)}
    figures["ROUGE-L"] = rouge_l(*_words(candidates, references, protocol.rouge_words), protocol.rouge)
    if len(candidates) > 1:
        figures["CIDEr-D"] = cider_d(*_words(candidates, references, protocol.cider_words))
    return figures


def _words(
    candidates: Sequence[str], references: Sequence[Sequence[str]], tokenization: str
) -> tuple[list[list[str]], list[list[list[str]]]]:
    split = TOKENIZATIONS[tokenization]
    return [split(c) for c in candidates], [[split(r) for r in several] for several in references]
