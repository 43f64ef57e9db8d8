"""Training of LaMP-T2M: codes with their sentence in, accuracy on masked codes out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...data.batches import MotionBatch, PairSampler
from ...inference.embed import encode_condition, tokenize
from ...model import distributed
from ...model.lamp import Lamp
from ...model.qformer import Text
from ...model.sampling import SamplingOptions, sample
from ...model.text_to_motion import TextToMotion
from ...model.tokenizer import MotionTokenizer
from ...motion.clip_length import LONGEST_CLIP
from ..selection import FID, MotionJudge, TrueMotions
from .pairs import PairData, PairStage, means_of

# Masking is random; the validation figure averages over this many draws, the same at every step.
VALIDATION_DRAWS = 2


class GeneratorStage(PairStage):
    """Batches and validation for ``training.train``."""

    name = "generator"

    def __init__(
        self,
        network: TextToMotion,
        lamp: Lamp,
        tokenizer: MotionTokenizer,
        data: PairData,
        batch_size: int,
        seed: int,
        device: torch.device,
        judge: MotionJudge | None = None,
    ):
        """``lamp`` and ``tokenizer`` are frozen; with a ``judge`` validation measures FID.

        Raises ``ValueError`` when no clip has a caption.
        """
        sampler = PairSampler(
            data.train,
            data.statistics,
            tokenizer.config.frames_per_token,
            data.sorted_steps,
            data.reworded_share,
            network.generator.config.known_share,
            data.misspelt_share,
        )
        super().__init__("generator", tokenizer, sampler, data, batch_size, seed, device)
        self.network = network
        self._lamp = lamp.to(device).eval().requires_grad_(False)
        self._true = None
        if judge is not None:
            self._true = TrueMotions(judge, [clip.features[:LONGEST_CLIP] for clip in self._val])

    def batch(self, drawn: MotionBatch) -> tuple[Lamp, Text, Tensor, Tensor, Tensor]:
        """Sentences, codes, token counts and the tokens that a sentence is about, of one rank.

        Counts and spans stay on the CPU, where what is masked is drawn.
        """
        lamp, text, *tensors = self._inputs(drawn)
        rows = distributed.rows_of_rank(len(text.ids))
        codes, lengths, spans = (tensor[rows] for tensor in tensors)
        return lamp, Text(text.ids[rows], text.mask[rows]), codes, lengths, spans

    def _inputs(self, batch: MotionBatch) -> tuple[Lamp, Text, Tensor, Tensor, Tensor]:
        _, codes, _ = tokenize(self._tokenizer, batch, self._device)
        text = encode_condition(self.network, self._lamp, self._data.vocabulary, batch.texts, self._device)
        step = self._tokenizer.config.frames_per_token
        begin, end = torch.from_numpy(batch.spans).unbind(1)
        spans = torch.stack([begin // step, -(-end // step)], 1)
        return self._lamp, text, codes, torch.from_numpy(batch.lengths) // step, spans

    def validate(self) -> dict[str, float]:
        """Loss, length loss and masked accuracy in percent on the validation split."""
        draws, sizes = [], []
        for batch in self._validation_batches():
            inputs = self._inputs(batch)
            for draw in range(VALIDATION_DRAWS):
                random = torch.Generator().manual_seed(self._seed * VALIDATION_DRAWS + draw)
                draws.append(self.network(*inputs, random))
                sizes.append(len(batch.lengths))
        means = means_of(draws, sizes)
        return {
            "masked_accuracy": 100 * means["accuracy"],
            "loss": means["loss"],
            "length": means["length"],
            **({} if self._true is None else {FID: self._true.fid(self._generated())}),
        }

    def _generated(self) -> list[np.ndarray]:
        """A motion for every validation clip's first sentence, as long as the clip: features (T, C)."""
        made, step = [], self._tokenizer.config.frames_per_token
        for number, batch in enumerate(self._validation_batches()):
            lamp, text, _, tokens, _ = self._inputs(batch)
            streams = [_stream(self._seed, number, row) for row in range(len(tokens))]
            condition = self.network.condition(lamp, text).condition
            codes = sample(self.network.generator, condition, tokens, SamplingOptions(), streams)
            features = self._tokenizer.decode(codes, tokens.to(self._device)).float().cpu().numpy()
            counts = (step * tokens).tolist()
            made += [self._data.statistics.denormalise(f[:n]) for f, n in zip(features, counts, strict=True)]
        return made


def _stream(seed: int, batch: int, row: int) -> torch.Generator:
    """The same draw of a clip's motion at every validation."""
    return torch.Generator().manual_seed((seed * 1_000_003 + batch) * 1009 + row)
