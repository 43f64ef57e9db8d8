"""Sentences about motion without the motion: what a captioner's language is learned from.

Reads JSON lines or plain text. Knows no clips and no vocabulary.
"""

from __future__ import annotations

from pathlib import Path

from ..storage import read_text_file
from .captions import CAPTION_KEYS, json_lines, parse_captions, sentences_in_record


def read_sentences(path: Path) -> list[str]:
    """Sentences of a ``.jsonl`` file or of a text file with one per line, in order, each once.

    JSON lines hold them under ``captions``, ``caption``, ``text`` or ``description`` (a string or a
    list); lines of text may be the field's ``caption#tokens#start#end``. Raises ``ValueError`` naming
    file and line, or when there is none; ``OSError`` when the file cannot be read.
    """
    return list(dict.fromkeys(sentence for group in read_paraphrases(path) for sentence in group))


def read_paraphrases(path: Path) -> list[tuple[str, ...]]:
    """Sentences as ``read_sentences``, those of one JSON line together: they speak of one motion."""
    content = read_text_file(path)
    if Path(path).suffix.lower() in (".jsonl", ".json"):
        found = []
        for where, record in json_lines(content, str(path)):
            sentences = sentences_in_record(record, where)
            if sentences is None:
                known = ", ".join(CAPTION_KEYS)
                raise ValueError(f"{where}: expected a sentence or a list of them under {known}")
            found.append(sentences)
    else:
        try:
            found = [(" ".join(caption.text.split()),) for caption in parse_captions(content)]
        except ValueError as error:
            raise ValueError(f"{path}: expected one sentence per line ({error})") from None
    groups = [tuple(dict.fromkeys(group)) for group in found if group]
    if not groups:
        raise ValueError(f"{path}: no sentence in it")
    return groups
