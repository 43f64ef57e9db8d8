"""The word pieces of a BERT: a file of its own, one within a model's folder, or one of the hub."""

from __future__ import annotations

from pathlib import Path

from ..data.vocabulary import DECODER_TOKEN

BERT_BASE_NAMES = ("bert-base-uncased", "google-bert/bert-base-uncased")
FILE = "vocab.txt"


def find_word_pieces(choice: str | None) -> list[str]:
    """The pieces in the order of their ids, of a file, a folder with ``vocab.txt``, or a hub name.

    None is bert-base-uncased's, where an earlier download left them; nothing is fetched for it. Raises
    ``ValueError`` when there are none.
    """
    path = _cached() if choice is None else _found(choice)
    try:
        pieces = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--vocabulary {path}: cannot be read as text ({error})") from None
    pieces = [piece.rstrip("\r") for piece in pieces]
    # A bundle's own vocab.txt has [DEC] besides.
    return [piece for piece in pieces if piece not in ("", DECODER_TOKEN)]


def _cached() -> Path:
    from huggingface_hub import try_to_load_from_cache

    for name in BERT_BASE_NAMES:
        found = try_to_load_from_cache(name, FILE)
        if isinstance(found, str):
            return Path(found)
    raise ValueError(
        f"--vocabulary: expected the {FILE} of bert-base-uncased, as a file, a folder, or the hub name "
        f"{BERT_BASE_NAMES[0]}, which fetches it; none is in the Hugging Face cache"
    )


def _found(choice: str) -> Path:
    path = Path(choice)
    if path.is_file():
        return path
    if path.is_dir():
        if (path / FILE).is_file():
            return path / FILE
        raise ValueError(f"--vocabulary {choice}: no {FILE} in it")
    if path.is_absolute() or choice.startswith((".", "~")) or choice.count("/") > 1 or path.suffix == ".txt":
        raise ValueError(f"--vocabulary {choice}: no such file")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(choice, FILE))
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"--vocabulary {choice}: neither file nor folder nor on the hub ({reason})"
        ) from None
