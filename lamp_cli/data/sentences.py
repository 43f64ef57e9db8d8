"""Sentences about motion without the motion: what a captioner's language is learned from.

Reads JSON lines or plain text. Knows no clips and no vocabulary.
"""

from __future__ import annotations

import json
from pathlib import Path

from .captions import parse_captions
from .prepare.requests import CAPTION_KEYS


def read_sentences(path: Path) -> list[str]:
    """Sentences of a ``.jsonl`` file or of a text file with one per line, in order, each once.

    JSON lines hold them under ``captions``, ``caption``, ``text`` or ``description`` (a string or a
    list); lines of text may be the field's ``caption#tokens#start#end``. Raises ``ValueError`` naming
    file and line, or when there is none; ``OSError`` when the file cannot be read.
    """
    return list(dict.fromkeys(sentence for group in read_paraphrases(path) for sentence in group))


def read_paraphrases(path: Path) -> list[tuple[str, ...]]:
    """Sentences as ``read_sentences``, those of one JSON line together: they speak of one motion."""
    try:
        content = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected captions as UTF-8 text, found other bytes") from None
    if Path(path).suffix.lower() in (".jsonl", ".json"):
        lines = enumerate(content.splitlines(), 1)
        found = [_of_json(line, f"{path}, line {n}") for n, line in lines if line.strip()]
    else:
        try:
            found = [[caption.text] for caption in parse_captions(content)]
        except ValueError as error:
            raise ValueError(f"{path}: expected one sentence per line ({error})") from None
    groups = [tuple(dict.fromkeys(" ".join(s.split()) for s in group if s.strip())) for group in found]
    groups = [group for group in groups if group]
    if not groups:
        raise ValueError(f"{path}: no sentence in it")
    return groups


def _of_json(line: str, where: str) -> list[str]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error.msg})") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, found {type(record).__name__}")
    value = next((record[key] for key in CAPTION_KEYS if record.get(key) is not None), None)
    sentences = [value] if isinstance(value, str) else value
    if not isinstance(sentences, list) or not all(isinstance(s, str) for s in sentences):
        raise ValueError(f"{where}: expected a sentence or a list of them under {', '.join(CAPTION_KEYS)}")
    return sentences
