"""Captions as people store them: lines ``caption#tokens#start#end`` in ``texts/ID.txt``, or JSON lines.

Knows sentences and their times, not motions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..language.part_of_speech import tagged_tokens
from ..storage import read_text_file

CAPTION_KEYS = ("captions", "caption", "text", "description")


@dataclass(frozen=True)
class Caption:
    """One sentence about a clip or a part of it.

    text: the sentence.
    tokens: the field's ``word/POS`` pairs, which its released evaluator reads.
    start: of the part, in seconds.
    end: of the part, in seconds; infinite: the clip's end. 0 for both: the whole clip.
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

    Fields are counted from the right, so that a sentence may hold ``#``. Empty lines are skipped; times that
    are missing or ``nan`` mean the whole clip, as in the field's readers, and an end of ``inf`` its end.
    Raises ``ValueError`` for times that are no numbers or negative.
    """
    captions = [_parse_line(line.strip()) for line in content.splitlines()]
    return [caption for caption in captions if caption.text]


def json_lines(content: str, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """File and line, and the JSON object of each line that is not empty; raises ``ValueError`` for others."""
    for number, line in enumerate(content.split("\n"), 1):
        where = f"{source}, line {number}"
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        # Also of numbers and lists within lists that are longer than Python reads.
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: not JSON ({error})") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where}: expected a JSON object, found {type(record).__name__}")
        yield where, record


def sentences_in_record(
    record: dict[str, Any], where: str, empty_too: bool = False
) -> tuple[str, ...] | None:
    """The sentences of a JSON object, a string or a list under one of ``CAPTION_KEYS``; None without a key.

    Empty ones are left out but for ``empty_too``. Raises ``ValueError`` for anything else under the key.
    """
    value = next((record[key] for key in CAPTION_KEYS if record.get(key) is not None), None)
    if value is None:
        return None
    sentences = [value] if isinstance(value, str) else value
    if not isinstance(sentences, list) or not all(isinstance(s, str) for s in sentences):
        raise ValueError(f"{where}: captions must be a sentence or a list of sentences")
    plain = (" ".join(s.split()) for s in sentences)
    return tuple(text for text in plain if text or empty_too)


def read_texts(path: Path) -> list[Caption]:
    """Captions of a ``texts/ID.txt`` file; raises ``ValueError`` naming it, or ``OSError``."""
    try:
        return parse_captions(read_text_file(path))
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def format_captions(captions: list[Caption]) -> str:
    """The content of a ``texts/ID.txt`` file; missing tokens are made from the sentence."""
    lines = []
    for caption in captions:
        # Readers of the field split at the first "#".
        text = " ".join(caption.text.replace("#", " ").split())
        tokens = " ".join(caption.tokens or tagged_tokens(text))
        lines.append(f"{text}#{tokens}#{caption.start}#{caption.end}\n")
    return "".join(lines)


def _parse_line(line: str) -> Caption:
    parts = line.split("#")
    # Without the field's tokens and times it is only a sentence, perhaps with "#" in it.
    if len(parts) == 1 or not (len(parts) > 3 or _are_tokens(parts[1])):
        return Caption(line)
    times = [_seconds(part) for part in parts[-2:]] if len(parts) > 3 else [*map(_seconds, parts[2:]), 0.0]
    fields = parts[:-2] if len(parts) > 3 else parts[:2]
    # A "#" of the sentence may have become a token; else the last field holds the tokens.
    first = next((k for k in range(1, len(fields)) if _are_tokens("#".join(fields[k:]))), len(fields) - 1)
    text, tokens = "#".join(fields[:first]).strip(), tuple("#".join(fields[first:]).split())
    start, end = times[0], times[1] if len(parts) > 3 else 0.0
    return Caption(text, tokens, start, 0.0 if start == 0.0 and end == math.inf else end)


def _are_tokens(field: str) -> bool:
    return all(re.fullmatch(r"(#|[^#\s]+)/\w+", token) for token in field.split())


def _seconds(text: str) -> float:
    value = float(text or 0.0)
    if value < 0:
        raise ValueError(f"expected seconds from the start of the clip, found {text}")
    return 0.0 if math.isnan(value) else value
