"""LaMP-M2T: a motion's query outputs, through one linear layer, are the prefix of a causal language model.

Source: LaMP section 3 (captioning), after BLIP-2 (Li et al. 2023). The decoder is the small one of ours
or any Hugging Face causal language model. As in BLIP-2's second stage, the motion transformer may go on
learning under the decoder's loss (``motion_adapter``). Knows queries and ids; no motion and no words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .decoder import CausalDecoder, DecoderConfig
from .decoding import DecodingOptions, Sentence, beam_search, nucleus_sampling
from .lamp import Lamp, with_places
from .motion_adapter import MotionAdapter, MotionAdapterConfig
from .qformer import Context
from .state import first_misfit

IGNORED = -100
TUNINGS = ("frozen", "lora", "full")


@dataclass(frozen=True)
class LanguageModelConfig:
    """A Hugging Face causal language model by folder or hub name, and what of it is trained.

    ``tuning`` is ``frozen`` (only the projection learns), ``lora`` (Hu et al. 2022; the paper's rank,
    alpha and dropout) or ``full``.
    """

    name: str
    tuning: str = "frozen"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05

    def __post_init__(self) -> None:
        if self.tuning not in TUNINGS:
            raise ValueError(f"tuning: expected one of {', '.join(TUNINGS)}, found {self.tuning!r}")


@dataclass(frozen=True)
class CaptionerConfig:
    """The query outputs' width and the decoder: one of ``embedded`` and ``language_model``.

    With an ``adapter`` the query outputs are those of LaMP's motion transformer changed for captions.
    Raises ``ValueError`` when both or neither is given.
    """

    query_width: int
    embedded: DecoderConfig | None = None
    language_model: LanguageModelConfig | None = None
    adapter: MotionAdapterConfig | None = None
    caption_tokens: int = 32
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        if (self.embedded is None) == (self.language_model is None):
            raise ValueError("captioner: expected either an embedded decoder or a language model")


@dataclass(frozen=True)
class Words:
    """Ids (B, T) and ``mask`` (B, T), True on real tokens: the decoder's begin, a sentence, its end."""

    ids: Tensor
    mask: Tensor


class Captioner(nn.Module):
    """The projection, the decoder, and what is changed of LaMP's motion transformer for them."""

    def __init__(self, config: CaptionerConfig, decoder: CausalDecoder):
        """``decoder`` is the network that ``config`` speaks of."""
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.query_width, decoder.width)
        self.decoder = decoder
        self.adapter = None if config.adapter is None else MotionAdapter(config.adapter)

    def queries(self, lamp: Lamp, motion: Context) -> Tensor:
        """Query outputs (B, N, W) of a motion, which is what :meth:`Lamp.motion_context` made of it."""
        if self.adapter is None:
            return lamp.qformer.motion(motion)
        return self.adapter(lamp.qformer, motion if lamp.config.motion_positions else with_places(motion))

    def forward(self, queries: Tensor | None, words: Words, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of every caption after its query outputs (B, N, W), as ``loss``, and accuracy.

        Only the caption and its end count, not the prefix and not padding. Without ``queries`` the
        decoder alone is trained, as a language model. Nothing is drawn from ``generator``: dropout is the
        one random thing, and torch draws it itself.
        """
        logits, target = self.predictions(queries, words)
        real = target != IGNORED
        smooth = self.config.label_smoothing if self.training else 0.0
        flat = logits.flatten(0, 1).float(), target.flatten()
        total = F.cross_entropy(*flat, ignore_index=IGNORED, label_smoothing=smooth, reduction="sum")
        right = ((logits.argmax(-1) == target) & real).sum()
        return {
            "loss": distributed.global_mean(total, real.sum()),
            "accuracy": (right / real.sum().clamp(min=1)).detach(),
        }

    def predictions(self, queries: Tensor | None, words: Words) -> tuple[Tensor, Tensor]:
        """Logits (B, T', V) and targets (B, T'), ``IGNORED`` on padding, of the words after the begin."""
        begin = len(self.decoder.begin)
        x = self.decoder.embed(words.ids[:, :-1])
        prefix = 0
        if queries is not None:
            x = torch.cat([self.projection(queries).to(x.dtype), x], 1)
            prefix = queries.shape[1]
        target = words.ids.masked_fill(~words.mask, IGNORED)[:, begin:]
        return self.decoder.logits(x, prefix + begin - 1), target

    def captions(
        self,
        queries: Tensor,
        prompt: Sequence[int],
        options: DecodingOptions,
        generators: Sequence[torch.Generator],
    ) -> list[list[Sentence]]:
        """``options.candidates`` sentences for each motion's query outputs (B, N, W), the best first.

        Every sentence goes on from the ids of ``prompt``, which its own ids do not repeat. Raises
        ``ValueError`` for a prompt that leaves no room within ``caption_tokens``.
        """
        room = self.config.caption_tokens - len(prompt)
        if room < 1:
            raise ValueError(
                f"the prompt has {len(prompt)} tokens; a caption has at most {self.config.caption_tokens}"
            )
        begin = torch.tensor([[*self.decoder.begin, *prompt]], dtype=torch.long, device=queries.device)
        words = self.decoder.embed(begin.expand(len(queries), -1))
        x = torch.cat([self.projection(queries).to(words.dtype), words], 1)
        if options.nucleus is not None:
            return nucleus_sampling(self.decoder, x, options, room, generators)
        found = beam_search(self.decoder, x, max(options.beams, options.candidates), room)
        return [sentences[: options.candidates] for sentences in found]

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load what :meth:`state_dict` holds: a language model's frozen weights are not among it."""
        if strict and (misfit := first_misfit(self, state_dict)):
            raise ValueError(f"{misfit} does not fit this captioner")
        return super().load_state_dict(state_dict, strict=False, assign=assign)
