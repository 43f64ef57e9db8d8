"""A captioner's networks by their config: the embedded decoder, or a Hugging Face model by folder or name.

Imports ``transformers`` only when a Hugging Face model is asked for. Knows no weights of ours.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..data.vocabulary import Vocabulary
from ..model.captioner import Captioner, CaptionerConfig
from ..model.decoder import EmbeddedDecoder
from ..model.qformer import QFormerConfig

if TYPE_CHECKING:
    from ..model.hugging_face import HuggingFaceDecoder

# A fully trained language model's config and tokenizer lie in this folder of a bundle.
LANGUAGE_MODEL = "language_model"


def build_captioner(
    config: CaptionerConfig,
    vocabulary: Vocabulary,
    dtype: torch.dtype,
    trained: Path | None = None,
    qformer: QFormerConfig | None = None,
    latent_width: int | None = None,
) -> Captioner:
    """A captioner of these sizes; ours not trained, a Hugging Face model with its own weights in ``dtype``.

    ``qformer`` are the sizes of LaMP's, of which ``config`` may want a copy, and ``latent_width`` is given
    for the captioner of the authors' code, which reads latents of that width. With ``trained``, the folder of
    a bundle that holds a fully trained language model, its architecture and tokenizer come from there and its
    weights are still to be loaded. Raises ``ValueError`` when there is no such language model or a package
    for it is not installed.
    """
    if config.embedded is not None:
        decoder = EmbeddedDecoder(config.embedded, vocabulary.decoder, vocabulary.end)
        return Captioner(config, decoder, qformer)
    from ..model.hugging_face import HuggingFaceDecoder

    settings = config.language_model
    assert settings is not None
    if trained is not None and settings.tuning == "full":
        model, tokenizer = _untrained(trained / LANGUAGE_MODEL, dtype)
    else:
        model, tokenizer = load_language_model(settings.name, dtype)
    wrapped = HuggingFaceDecoder(model, tokenizer, settings)
    if latent_width is None or qformer is None:
        return Captioner(config, wrapped, qformer)
    from ..model.released import ReleasedCaptioner

    return ReleasedCaptioner(config, wrapped, qformer, latent_width)


def save_architecture(folder: Path, decoder: HuggingFaceDecoder) -> None:
    """Write what :func:`build_captioner` needs of a fully trained language model besides its weights."""
    decoder.model.config.save_pretrained(folder / LANGUAGE_MODEL)  # type: ignore[union-attr, operator]
    decoder.tokenizer.save_pretrained(folder / LANGUAGE_MODEL)


def load_language_model(name: str, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """A causal language model and its tokenizer, from a folder or, by name, from the Hugging Face hub.

    Raises ``ValueError`` when there is none, or ``transformers`` is not installed.
    """
    transformers = quiet_transformers()
    local = Path(name).is_dir()
    if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ValueError(f"{name}: no such folder; expected a Hugging Face causal language model")
    options = {"local_files_only": local, "trust_remote_code": False}
    with others_files(f"{name}: no Hugging Face causal language model"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)
    return model, tokenizer


def _untrained(folder: Path, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    transformers = quiet_transformers()
    options = {"local_files_only": True, "trust_remote_code": False}
    with others_files(f"{folder}: no language model's config and tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        config = transformers.AutoConfig.from_pretrained(folder, **options)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype), tokenizer


def quiet_transformers() -> Any:
    """The package ``transformers``, told to keep its bars and hints to itself."""
    import transformers

    # Its own bars and hints would stand between our lines.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


@contextmanager
def others_files(wrong: str) -> Iterator[None]:
    """Whatever ``transformers`` raises of files that others made becomes a ``ValueError`` that begins so.

    What that is depends on their bytes. Code in them is not run: it opens pickles of tensors alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except pickle.UnpicklingError:
        raise ValueError(f"{wrong} (refused: its pickle holds more than weights)") from None
    except Exception as error:
        raise ValueError(f"{wrong} ({(str(error).splitlines() or [type(error).__name__])[0]})") from None
