"""Token embeddings of a Hugging Face encoder at one layer, for BERTScore.

Torch and transformers are imported when a network is loaded.
A name that is no folder goes to the Hugging Face hub (or its cache); a folder never does.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..metrics.bertscore import TokenStates

# Lengths above this are "no limit" in the files of some tokenizers.
_UNLIMITED = 100_000
HUB_SECONDS = 5.0


class HuggingFaceEncoder:
    """Hidden states after ``layer`` layers of any encoder that ``AutoModel`` loads.

    ``model`` is a folder or a hub name; ``layer`` counts from 1, 0 is the embeddings, None the last.
    Raises ``ValueError`` when transformers is not installed, the model cannot be loaded, or has
    fewer layers.
    """

    def __init__(self, model: str, layer: int | None = None, device: str = "cpu", batch_size: int = 64):
        try:
            from transformers import AutoConfig, AutoModel, AutoTokenizer
        except ImportError:
            raise ValueError(
                f"{model}: BERTScore with a Hugging Face encoder needs transformers; install it with pip"
            ) from None
        from ..bundle.language_model import others_files

        folder = Path(model).is_dir()
        local = folder or not _hub_answers()
        options = {"local_files_only": local, "trust_remote_code": False}
        unreached = "it is no folder, not in the cache, and the hub cannot be reached"
        absent = f": {unreached}" if local and not folder else ""
        with others_files(f"{model}: expected a Hugging Face encoder{absent}"):
            config = AutoConfig.from_pretrained(model, **options)
        layers = _layer(model, layer, int(config.num_hidden_layers))
        # Layers above the wanted one are not built at all.
        config.num_hidden_layers = layers
        with others_files(f"{model}: expected a Hugging Face encoder"), _quiet():
            self._model = AutoModel.from_pretrained(model, config=config, **options)
            self._tokenizer = AutoTokenizer.from_pretrained(
                model,
                **options,
                # Byte-level vocabularies tell a word at the beginning from others: ``bert-score`` adds it.
                add_prefix_space=config.model_type in ("roberta", "gpt2"),
            )
        self._model.eval().requires_grad_(False).to(device)
        self._limit = _longest(self._tokenizer, config)
        self.name = f"{Path(model).name if folder else model}, layer {layers}"
        self._device = device
        self._batch_size = batch_size

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        """Float32 states of every sentence, cut to the model's longest input."""
        encoded: dict[int, TokenStates] = {}
        # Sentences of as many tokens share a batch, so that little is computed for padding.
        lengths = self._token_counts(sentences)
        order = sorted(range(len(sentences)), key=lambda number: -lengths[number])
        for start in range(0, len(order), self._batch_size):
            numbers = order[start : start + self._batch_size]
            states = self._batch([sentences[n].strip() for n in numbers])
            encoded.update(zip(numbers, states, strict=True))
        return [encoded[number] for number in range(len(sentences))]

    def _token_counts(self, sentences: Sequence[str]) -> list[int]:
        if not sentences:
            return []
        stripped = [sentence.strip() for sentence in sentences]
        return [
            len(ids) for ids in self._tokenizer(stripped, truncation=True, max_length=self._limit).input_ids
        ]

    def _batch(self, sentences: list[str]) -> list[TokenStates]:
        import torch

        batch = self._tokenizer(
            sentences,
            padding=True,
            truncation=True,
            max_length=self._limit,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        mask = batch["attention_mask"].bool().numpy()
        special = batch["special_tokens_mask"].bool().numpy()
        ids = batch["input_ids"].numpy()
        with torch.inference_mode():
            states = self._model(
                input_ids=batch["input_ids"].to(self._device),
                attention_mask=batch["attention_mask"].to(self._device),
            )[0]
        values = states.float().cpu().numpy()
        # Copies: a view of one short sentence would keep its whole batch in memory.
        return [
            TokenStates(row[kept].copy(), value[kept].copy(), ~outer[kept])
            for row, value, kept, outer in zip(ids, values, mask, special, strict=True)
        ]


def _hub_answers() -> bool:
    """Whether the hub can be reached: asked once, where its own library would retry for half a minute."""
    if getproxies():
        # Behind a proxy nothing answers directly.
        return True
    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), timeout=HUB_SECONDS):
            return True
    except OSError:
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar, and no report on the layers that were left out on purpose."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _layer(model: str, layer: int | None, layers: int) -> int:
    if layer is None:
        return layers
    if not 0 <= layer <= layers:
        raise ValueError(f"{model}: expected a layer from 0 to {layers}, found {layer}")
    return layer


def _longest(tokenizer: Any, config: Any) -> int:
    limit = int(min(tokenizer.model_max_length, _UNLIMITED))
    positions = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    # RoBERTa counts positions from the padding id onwards.
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    return int(min(limit, positions - offset))
