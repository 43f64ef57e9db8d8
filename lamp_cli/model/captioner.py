"""LaMP-M2T: a motion's query outputs, through one linear layer, are the prefix of a causal language model.

Source: LaMP section 3 (captioning), after BLIP-2 (Li et al. 2023). The decoder is the small one of ours
or any Hugging Face causal language model. As in BLIP-2's second stage, the motion transformer may go on
learning under the decoder's loss: a copy of it as a whole, or changes to it (``motion_adapter``). Knows query
outputs and ids; no motion, no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import distributed
from .cross_entropy import IGNORED, summed_cross_entropy
from .decoder import CausalDecoder, DecoderConfig
from .decoding import (
    BEAMS,
    DecodingOptions,
    Sentence,
    beam_search,
    consensus_sampling,
    nucleus_sampling,
)
from .lamp import Lamp, with_positions
from .motion_adapter import MotionAdapter, MotionAdapterConfig
from .qformer import Context, MotionTransformer, QFormerConfig, Text
from .state import first_misfit
from .transformer import Packing

TUNINGS = ("frozen", "lora", "full")


@dataclass(frozen=True)
class LanguageModelConfig:
    """A Hugging Face causal language model, and what of it is trained.

    name: its folder or hub name.
    tuning: ``frozen`` (only the projection learns), ``lora`` (Hu et al. 2022) or ``full``.
    targets: names of the layers that LoRA adapts; empty for those that ``peft`` chooses for the model's
        family, query and value in OPT and LLaMA, as the paper's release; ``all-linear`` for every linear one.
    rank: of LoRA's matrices.
    alpha: LoRA's scale, times ``rank``.
    dropout: of LoRA's inputs, a probability.
    end: text whose first token ends a caption, a new line in the paper's release; empty for the model's own
        end token.

    Raises ``ValueError`` for another tuning.
    """

    name: str
    tuning: str = "frozen"
    targets: tuple[str, ...] = ()
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    end: str = ""

    def __post_init__(self) -> None:
        if self.tuning not in TUNINGS:
            raise ValueError(f"tuning: expected one of {', '.join(TUNINGS)}, found {self.tuning!r}")


@dataclass(frozen=True)
class CaptionerConfig:
    """The captioner's parts; its decoder is either ``embedded`` or a ``language_model``.

    query_width: of the query outputs.
    embedded: sizes of the bundle's own decoder.
    language_model: the Hugging Face model that is the decoder instead.
    adapter: changes to LaMP's motion transformer that are learned for captions; None for none.
    learns_qformer: a copy of LaMP's motion transformer goes on learning for captions, as in the release.
    caption_tokens: of the longest caption, its end included.
    label_smoothing: share of the probability that is spread over wrong tokens; 0 in the release.
    consensus: sentences that are sampled for a caption, the one that is most like all of them (not in the
        paper), unless another number is asked for; 0: a beam search.

    Raises ``ValueError`` when both decoders or neither is given, or an adapter beside a copy.
    """

    query_width: int
    embedded: DecoderConfig | None = None
    language_model: LanguageModelConfig | None = None
    adapter: MotionAdapterConfig | None = None
    learns_qformer: bool = False
    caption_tokens: int = 32
    label_smoothing: float = 0.1
    consensus: int = 0

    def __post_init__(self) -> None:
        if self.consensus < 0:
            raise ValueError(f"consensus: expected a number from 0, found {self.consensus}")
        if (self.embedded is None) == (self.language_model is None):
            raise ValueError("captioner: expected either an embedded decoder or a language model")
        if self.adapter is not None and self.learns_qformer:
            raise ValueError("captioner: expected either an adapter or learns_qformer, found both")


class Captioner(nn.Module):
    """The projection, the decoder, and what of LaMP's motion transformer is another here."""

    def __init__(self, config: CaptionerConfig, decoder: CausalDecoder, qformer: QFormerConfig | None = None):
        """``decoder`` is what ``config`` describes, ``qformer`` LaMP's sizes, where a copy of it learns."""
        super().__init__()
        self.config = config
        self.projection = nn.Linear(config.query_width, decoder.width)
        self.decoder = decoder
        self.adapter = None if config.adapter is None else MotionAdapter(config.adapter)
        self.motion_transformer = None
        if config.learns_qformer:
            assert qformer is not None, "a copy of LaMP's motion transformer needs its sizes"
            self.motion_transformer = MotionTransformer(qformer)

    def queries(self, lamp: Lamp, motion: Context) -> Tensor:
        """Query outputs (B, N, W) of motions as :meth:`Lamp.motion_context` gives them."""
        if self.motion_transformer is not None:
            return self.motion_transformer.motion(motion)
        if self.adapter is None:
            return lamp.qformer.motion(motion)
        return self.adapter(lamp.qformer, motion if lamp.config.motion_positions else with_positions(motion))

    def forward(
        self, queries: Tensor | None, captions: Text, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Cross-entropy of every caption after its query outputs (B, N, W), as ``loss``, and accuracy.

        Only the caption and its end count, not the prefix and not padding. Without ``queries`` the
        decoder alone is trained, as a language model. ``generator`` is not used.
        """
        logits, target = self.teacher_forced_logits(queries, captions)
        real = target != IGNORED
        smooth = self.config.label_smoothing if self.training else 0.0
        total = summed_cross_entropy(logits, target, smooth)
        # The search for the largest in bf16 takes a CPU six times as long as in fp32.
        right = ((logits.detach().float().argmax(-1) == target) & real).sum()
        return {
            "loss": distributed.global_mean(total, real.sum()),
            "accuracy": (right / real.sum().clamp(min=1)).detach(),
        }

    def teacher_forced_logits(self, queries: Tensor | None, captions: Text) -> tuple[Tensor, Tensor]:
        """Logits (P, V) of the tokens after the begin, each given the true ones before it, and targets (P,).

        ``captions`` are ids and mask (B, T): the decoder's begin, a sentence, its end. Where padding is not
        left out, its targets are ``IGNORED``.
        """
        begin = len(self.decoder.begin)
        x = self.decoder.embed(captions.ids[:, :-1])
        if queries is not None:
            x = torch.cat([self.projection(queries).to(x.dtype), x], 1)
        real = captions.mask[:, begin:]
        target = captions.ids.masked_fill(~captions.mask, IGNORED)[:, begin:]
        return self.decoder.logits(x, real), Packing(real).pack(target[..., None])[:, 0]

    def captions(
        self,
        queries: Tensor,
        prompt: Sequence[int],
        options: DecodingOptions,
        generators: Sequence[torch.Generator],
    ) -> list[list[Sentence]]:
        """``options.candidates`` sentences for each motion's query outputs (B, N, W), the best first.

        Every sentence continues the ids of ``prompt``, which its own ids do not repeat. Raises
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
        if sampled := options.sampled(self.config.consensus):
            return consensus_sampling(self.decoder, x, options, sampled, room, generators)
        if options.nucleus is not None:
            return nucleus_sampling(self.decoder, x, options, room, generators)
        found = beam_search(self.decoder, x, max(options.beams or BEAMS, options.candidates), room)
        return [sentences[: options.candidates] for sentences in found]

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load what :meth:`state_dict` holds, which is all but a language model's frozen weights."""
        if strict and (misfit := first_misfit(self, state_dict)):
            raise ValueError(f"{misfit} does not fit this captioner")
        return super().load_state_dict(state_dict, strict=False, assign=assign)
