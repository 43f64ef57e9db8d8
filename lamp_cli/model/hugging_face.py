"""Any Hugging Face causal language model as a captioner's decoder: frozen, with LoRA, or fully trained.

Source: Hu et al. 2022 (LoRA), by the ``peft`` library. Wraps a model that was loaded elsewhere; imports
``peft`` only for LoRA and ``transformers`` never.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from .captioner import LanguageModelConfig
from .decoder import Cache, CausalDecoder
from .transformer import Packing

ALL_LINEAR = "all-linear"


class _PastKeyValues:
    """The cache of ``transformers`` as our ``Cache``."""

    def __init__(self, past: Any):
        self.past = past

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order."""
        self.past.reorder_cache(rows)


class HuggingFaceDecoder(CausalDecoder):
    """The wrapper; ``state_dict`` holds what is trained and nothing else."""

    def __init__(self, model: nn.Module, tokenizer: Any, config: LanguageModelConfig):
        """Freezes ``model``, adds LoRA, or leaves it trainable, as ``config.tuning`` says.

        Raises ``ValueError`` when the tokenizer has no token for the end or ``peft`` is not installed.
        """
        super().__init__()
        if tokenizer.eos_token_id is None:
            raise ValueError(f"{config.name}: its tokenizer has no end token, which a caption must end with")
        self.width = model.get_input_embeddings().embedding_dim  # type: ignore[operator]
        self.begin = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
        self.end = tokenizer.eos_token_id if not config.end else _first_token(tokenizer, config)
        self.tokenizer = tokenizer
        self.tuning = config.tuning
        # Most models can leave out the logits of the prefix, which would be most of the work.
        options = inspect.signature(model.forward).parameters
        self._keeps_logits = "logits_to_keep" in options
        # Renamed in transformers 5, whose version 5.40 drops the former name.
        self._cache_name = "cache" if "cache" in options else "past_key_values"
        model.requires_grad_(config.tuning == "full")
        self.model = _with_lora(model, config) if config.tuning == "lora" else model
        trained = {name for name, value in self.named_parameters() if value.requires_grad}
        self.register_state_dict_post_hook(
            lambda module, tensors, prefix, metadata: _keep_only(tensors, prefix, trained)
        )

    def train(self, mode: bool = True) -> HuggingFaceDecoder:
        """Training mode; a frozen model keeps its dropout off."""
        super().train(mode and self.tuning != "frozen")
        return self

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, W) of ids (B, T)."""
        return self.model.get_input_embeddings()(ids)  # type: ignore[operator]

    def logits(self, x: Tensor, real: Tensor) -> Tensor:
        """Logits (P, V)."""
        kept = real.shape[1]
        logits = self.model(inputs_embeds=x, use_cache=False, **self._only_last(kept)).logits
        return Packing(real).pack(logits[:, -kept:])

    def start(self, x: Tensor) -> tuple[Tensor, Cache]:
        """Logits (B, V) after (B, S, W)."""
        output = self.model(inputs_embeds=x, use_cache=True, **self._only_last(1))
        return output.logits[:, -1], _PastKeyValues(getattr(output, self._cache_name))

    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Logits (R, V) after one more token (R,)."""
        assert isinstance(cache, _PastKeyValues)
        output = self.model(input_ids=ids[:, None], use_cache=True, **{self._cache_name: cache.past})
        cache.past = getattr(output, self._cache_name)
        return output.logits[:, -1]

    def finish(self) -> None:
        """Make ready for use once the trained weights are loaded; ``state_dict`` is not to be used after it.

        LoRA's products are added to the weights that they adapt: the same sentences, computed faster.
        Weights that a model shares between its input and output are shared again.
        """
        if self.tuning == "lora":
            self.model = self.model.merge_and_unload()  # type: ignore[operator]
        if self.tuning == "full":
            self.model.tie_weights()  # type: ignore[operator]

    def _only_last(self, count: int) -> dict[str, int]:
        return {"logits_to_keep": count} if self._keeps_logits else {}


def _first_token(tokenizer: Any, config: LanguageModelConfig) -> int:
    ids = tokenizer(config.end, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ValueError(f"{config.name}: its tokenizer has no token for {config.end!r}, which ends captions")
    return int(ids[0])


def half_precision(device: torch.device) -> torch.dtype:
    """The 16-bit type that the device computes in; 32 bits where it has none."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    capabilities = torch.cpu.get_capabilities()
    has = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if has else torch.float32


def _with_lora(model: nn.Module, config: LanguageModelConfig) -> nn.Module:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise ValueError("LoRA needs the package peft: pip install peft") from None
    # Of every linear layer ``peft`` leaves out the output.
    targets = ALL_LINEAR if config.targets == (ALL_LINEAR,) else list(config.targets) or None
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, lora)  # type: ignore[arg-type]
    except ValueError:
        raise ValueError(f"{config.name}: {_wrong_targets(model, config)}") from None


def _wrong_targets(model: nn.Module, config: LanguageModelConfig) -> str:
    linear = {name.split(".")[-1] for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    known = f"expected targets out of {', '.join(sorted(linear))}, or {ALL_LINEAR}"
    if not config.targets:
        return f"no layers for LoRA are known of its family; {known}"
    return f"LoRA finds no layer of {', '.join(config.targets)}; {known}"


def _keep_only(tensors: dict[str, Tensor], prefix: str, names: set[str]) -> None:
    for key in [key for key in tensors if key.startswith(prefix) and key[len(prefix) :] not in names]:
        del tensors[key]
