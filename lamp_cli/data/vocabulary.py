"""Sentences to WordPiece ids and back.

Source: Schuster and Nakajima 2012; BERT's lower-cased vocabulary. One token, [DEC], is added: it
begins a sentence that the model is to generate. Knows words, not networks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import BertWordPieceTokenizer, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

DECODER_TOKEN = "[DEC]"
SENTENCES_AT_ONCE = 10_000


class Vocabulary:
    """A WordPiece tokenizer with [CLS], [SEP], [PAD] and [DEC]."""

    def __init__(self, pieces: Sequence[str]):
        """``pieces`` in the order of their ids; raises ``ValueError`` when a special token is missing."""
        self.pieces = list(pieces)
        ids = {piece: number for number, piece in enumerate(self.pieces)}
        missing = [t for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", DECODER_TOKEN) if t not in ids]
        if missing:
            raise ValueError(f"the vocabulary lacks {missing[0]}; expected a BERT WordPiece vocabulary")
        self._tokenizer: Tokenizer = BertWordPieceTokenizer(vocab=ids, lowercase=True)._tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.padding = ids["[PAD]"]
        self.end = ids["[SEP]"]
        self.decoder = ids[DECODER_TOKEN]

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, texts: Sequence[str], limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids (B, T) int64 and mask (B, T), True on real tokens; [CLS] first, [SEP] last.

        Sentences longer than ``limit`` tokens are cut, their [SEP] kept; T is the longest's length.
        """
        rows = []
        for text in texts:
            ids = self._tokenizer.encode(_beginning(text, limit)).ids
            rows.append(ids if len(ids) <= limit else [*ids[: limit - 1], self.end])
        longest = max(map(len, rows), default=1)
        encoded = np.full((len(rows), longest), self.padding, np.int64)
        for row, ids in zip(encoded, rows, strict=True):
            row[: len(ids)] = ids
        return encoded, encoded != self.padding

    def truncated(self, text: str, limit: int) -> str:
        """The sentence, or the beginning of it that :meth:`encode` keeps within ``limit`` tokens."""
        encoded = self._tokenizer.encode(_beginning(text, limit))
        if len(encoded.ids) <= limit:
            return text
        # The last token that is kept is [SEP].
        return text[: encoded.offsets[limit - 2][1]]

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence of ids, special tokens left out."""
        words = [self.pieces[i] for i in ids if not self.pieces[i].startswith("[")]
        return " ".join(words).replace(" ##", "")

    def save(self, path: Path) -> None:
        """Write one piece per line, BERT's ``vocab.txt``."""
        from ..storage import write_text

        write_text(path, "".join(f"{piece}\n" for piece in self.pieces))


def _beginning(text: str, limit: int) -> str:
    """What of a text is tokenized: a novel is cut before, for no piece is shorter than a character.

    Half a character, as JSON may hold one, is none for the tokenizer.
    """
    return text[: 200 * limit].encode("utf-8", "replace").decode()


def load_vocabulary(path: Path) -> Vocabulary:
    """Read a ``vocab.txt``; raises ``ValueError`` when it is missing or not one."""
    try:
        return Vocabulary(path.read_text(encoding="utf-8").split("\n")[:-1])
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; it holds the vocabulary") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def pieces_of_bert(folder: Path) -> list[str]:
    """The pieces of a BERT-family folder (``vocab.txt`` or ``tokenizer.json``) in the order of ids."""
    if (folder / "vocab.txt").is_file():
        return (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ValueError(f"{folder}: expected a BERT-family model with vocab.txt or tokenizer.json")
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    if model.get("type", "WordPiece") != WordPiece.__name__:
        raise ValueError(f"{path}: expected a WordPiece vocabulary, found {model.get('type')}")
    return sorted(model["vocab"], key=model["vocab"].get)


def trim_vocabulary(pieces: Sequence[str], size: int, sentences: Sequence[str] = ()) -> list[int]:
    """Ids of a smaller vocabulary in which every word can still be spelled, at most about ``size``.

    BERT's vocabulary runs from special tokens and characters to words by falling frequency, so the
    first words are the most common ones. Pieces that ``sentences`` use come before them, the most used
    first. Unused slots and pieces beyond ``size`` go.
    """
    always = [n for n, p in enumerate(pieces) if _is_basic(p)]
    words = [n for n, p in enumerate(pieces) if not _is_basic(p) and p.isascii() and "unused" not in p]
    wanted = set(words)
    used = [n for n in _by_frequency(pieces, sentences) if n in wanted]
    words = list(dict.fromkeys([*used, *words]))
    return sorted(always + words[: max(0, size - len(always))])


def _by_frequency(pieces: Sequence[str], sentences: Sequence[str]) -> list[int]:
    """Ids of the pieces that sentences use, the most used first."""
    if not sentences:
        return []
    vocabulary = Vocabulary([*pieces, DECODER_TOKEN])
    used: Counter[int] = Counter()
    # A part at a time: encodings take far more memory than sentences.
    for begin in range(0, len(sentences), SENTENCES_AT_ONCE):
        encoded = vocabulary._tokenizer.encode_batch(sentences[begin : begin + SENTENCES_AT_ONCE])
        used.update(n for encoding in encoded for n in encoding.ids)
    return sorted(used, key=lambda n: (-used[n], n))


def _is_basic(piece: str) -> bool:
    special = piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    return special or (len(piece.removeprefix("##")) == 1 and piece.isascii())


def learn_pieces(sentences: Sequence[str], size: int) -> list[str]:
    """About ``size`` pieces of which the sentences' words are made, the same for the same sentences.

    WordPiece training: the pieces that most often follow each other become one, so that common words are one.
    Special tokens, ASCII characters and all others of the sentences are always among them.
    """
    normalizer = BertNormalizer(lowercase=True)
    characters = sorted({c for text in sentences for c in normalizer.normalize_str(text) if not c.isspace()})
    others = [c for c in characters if not c.isascii()]
    always = [*ascii_pieces(), *others, *(f"##{c}" for c in others)]
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = BertPreTokenizer()
    # Characters are ordered here: the trainer's own order is a hash table's, another in every process.
    trainer = WordPieceTrainer(vocab_size=max(size, len(always)), special_tokens=always, show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    numbers = tokenizer.get_vocab()
    return sorted(numbers, key=lambda piece: numbers[piece])


def ascii_pieces() -> list[str]:
    """Special tokens and ASCII characters: what every vocabulary holds, and too little for training."""
    letters = [chr(c) for c in range(33, 127)]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
