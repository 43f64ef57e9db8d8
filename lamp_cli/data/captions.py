"""Captions as the field stores them: one line ``caption#tokens#start#end`` in ``texts/ID.txt``.

Knows sentences and their times, not motions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..language.part_of_speech import tagged_tokens


@dataclass(frozen=True)
class Caption:
    """One sentence about a clip, or about ``start``..``end`` seconds of it (0, 0: the whole clip).

    ``tokens`` are the field's ``word/POS`` pairs, which its released evaluator reads.
    """

    text: str
    tokens: tuple[str, ...] = ()
    start: float = 0.0
    end: float = 0.0

    @property
    def whole_clip(self) -> bool:
        """True unless the caption has its own times."""
        return self.start == 0.0 and self.end == 0.0


def parse_captions(content: str) -> list[Caption]:
    """Captions of a ``texts/ID.txt`` file; a line may be a bare sentence.

    Empty lines are skipped; times that are missing or ``nan`` mean the whole clip, as in the
    field's readers. Raises ``ValueError`` for times that are not numbers.
    """
    captions = []
    for line in content.splitlines():
        parts = line.strip().split("#")
        if not parts[0].strip():
            continue
        tokens = tuple(parts[1].split()) if len(parts) > 1 else ()
        start, end = (_seconds(parts[k]) if len(parts) > k else 0.0 for k in (2, 3))
        captions.append(Caption(parts[0].strip(), tokens, start, end))
    return captions


def format_captions(captions: list[Caption]) -> str:
    """The content of a ``texts/ID.txt`` file; missing tokens are made from the sentence."""
    lines = []
    for caption in captions:
        text = " ".join(caption.text.replace("#", " ").split())
        tokens = " ".join(caption.tokens or tagged_tokens(text))
        lines.append(f"{text}#{tokens}#{caption.start}#{caption.end}\n")
    return "".join(lines)


def _seconds(text: str) -> float:
    value = float(text or 0.0)
    return 0.0 if value != value else value
