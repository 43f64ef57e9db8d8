"""The field's evaluator: motions and sentences as vectors whose distance says how well they match.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, section 4 and
its supplement. A movement encoder makes one vector of every four frames; two bidirectional GRUs read
those and the words. Modules carry the names of the released checkpoint, so that its state dicts load.
Works on normalised features and word numbers; knows no files and no captions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from ..motion.clip_length import FRAMES_PER_TOKEN
from . import distributed
from .devices import on_device
from .lamp import negatives_allowed
from .transformer import length_mask

# The last four features are foot contacts, which the evaluator does not see.
CONTACTS = 4
MARGIN = 10.0
SPARSITY = SMOOTHNESS = 0.001
GUO, CLIP = "guo", "clip"


@dataclass(frozen=True)
class EvaluatorConfig:
    """Sizes; the defaults are the released evaluator's for HumanML3D.

    features: numbers of a frame, contacts among them.
    words: known words.
    word_width: of a word's vector.
    tags: parts of speech.
    movement_hidden: width of the movement encoder's hidden layer.
    movement_width: of a movement's vector.
    motion_hidden: width of the motion encoder's states.
    text_hidden: width of the text encoder's states.
    embedding_width: of the space that motions and sentences share.
    seen: how many of a frame's first numbers the evaluator sees; 0: all but the contacts. MARDM (Meng et al.,
        CVPR 2025) judges by the root and the joints' positions alone, 67 of HumanML3D's and 64 of KIT's.
    design: ``guo``, or ``clip`` for MARDM's second one (``model.contrastive_evaluator``), which of the above
        has features, words, seen and embedding_width, the width of its transformers.
    layers, heads, feed_forward, dropout: of those transformers.
    text_tokens: the most words of a sentence that it reads.
    padding_seen: its words attend to what a sentence is padded with, as in the release.

    Raises ``ValueError`` for more numbers than a frame has, or a design that there is not.
    """

    features: int = 263
    words: int = 4199
    word_width: int = 300
    tags: int = 15
    movement_hidden: int = 512
    movement_width: int = 512
    motion_hidden: int = 1024
    text_hidden: int = 512
    embedding_width: int = 512
    seen: int = 0
    design: str = GUO
    layers: int = 8
    heads: int = 8
    feed_forward: int = 1024
    dropout: float = 0.2
    text_tokens: int = 22
    padding_seen: bool = False

    def __post_init__(self) -> None:
        if self.design not in (GUO, CLIP):
            raise ValueError(f"design: expected {GUO} or {CLIP}, found {self.design!r}")
        if not 0 <= self.seen <= self.features:
            raise ValueError(f"seen: expected 0 to {self.features} numbers of a frame, found {self.seen}")

    @property
    def visible(self) -> int:
        """How many of a frame's first numbers are seen."""
        return self.seen or self.features - CONTACTS


@dataclass(frozen=True)
class TaggedWords:
    """Word numbers and tag numbers (B, T) and the count of real ones in each row, (B,), best on the CPU."""

    words: Tensor
    tags: Tensor
    lengths: Tensor


@dataclass(frozen=True)
class MatchingBatch:
    """Pairs of a motion and a sentence.

    features: normalised, (B, T, C), zero on padding.
    lengths: of the motions, (B,), in frames; best on the CPU, where a GRU is told them.
    text: the sentences.
    captions: a number (B,) for every distinct sentence; a negative shares none with its anchor.
    clips: a number (B,) for every distinct clip; a negative shares none with its anchor.
    """

    features: Tensor
    lengths: Tensor
    text: TaggedWords
    captions: Tensor
    clips: Tensor


class MovementEncoder(nn.Module):
    """One vector for every four frames: two convolutions of stride 2 and a linear layer."""

    def __init__(self, features: int, hidden: int, width: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv1d(features, hidden, 4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(hidden, width, 4, stride=2, padding=1),
            nn.Dropout(0.2),
            nn.LeakyReLU(0.2),
        )
        self.out_net = nn.Linear(width, width)
        self.apply(_initialise_xavier)

    def forward(self, features: Tensor) -> Tensor:
        """Movements (B, T/4, W) of features without contacts (B, T, C)."""
        return self.out_net(self.main(features.mT).mT)


class MovementDecoder(nn.Module):
    """Features from movements; only training uses it."""

    def __init__(self, width: int, hidden: int, features: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose1d(width, hidden, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(hidden, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.out_net = nn.Linear(features, features)
        self.apply(_initialise_xavier)

    def forward(self, movements: Tensor) -> Tensor:
        """Features (B, 4L, C) of movements (B, L, W)."""
        return self.out_net(self.main(movements.mT).mT)


class _GRUEncoder(nn.Module):
    """A linear layer, a bidirectional GRU with a learned initial state, and a head on its last states."""

    def __init__(self, inputs: int, hidden: int, embedding: int):
        super().__init__()
        self.input_emb = nn.Linear(inputs, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * hidden, hidden),
            nn.LayerNorm(hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, embedding),
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, hidden))
        self.apply(_initialise_xavier)

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E) of sequences (B, T, I) of which ``lengths`` (B,) are real, in any order."""
        # Sorted here: torch would wait until an accelerator has the order.
        lengths, order = lengths.cpu().sort(descending=True)
        sorted_rows, back = (on_device(each, inputs.device) for each in (order, order.argsort()))
        rows = self.input_emb(inputs).index_select(0, sorted_rows)
        first = self.hidden.repeat(1, len(inputs), 1)
        _, last = self.gru(pack_padded_sequence(rows, lengths, batch_first=True), first)
        last = last.index_select(1, back)
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class MotionEncoder(_GRUEncoder):
    """A motion's embedding from its movements."""

    def forward(self, movements: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E) of movements (B, L, W) of which ``lengths`` (B,) are real."""
        return self.embed(movements, lengths)


class TextEncoder(_GRUEncoder):
    """A sentence's embedding from its word vectors and parts of speech."""

    def __init__(self, word_width: int, tags: int, hidden: int, embedding: int):
        super().__init__(word_width, hidden, embedding)
        self.pos_emb = nn.Linear(tags, word_width)
        self.pos_emb.apply(_initialise_xavier)

    def forward(self, vectors: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E) of word vectors (B, T, V) and one-hot tags (B, T, 15)."""
        return self.embed(vectors + self.pos_emb(tags), lengths)


class MatchingEvaluator(nn.Module):
    """The three encoders and the word vectors."""

    def __init__(self, config: EvaluatorConfig):
        super().__init__()
        self.config = config
        self.movement_encoder = MovementEncoder(config.visible, config.movement_hidden, config.movement_width)
        self.motion_encoder = MotionEncoder(
            config.movement_width, config.motion_hidden, config.embedding_width
        )
        self.text_encoder = TextEncoder(
            config.word_width, config.tags, config.text_hidden, config.embedding_width
        )
        self.word_vectors = nn.Embedding(config.words, config.word_width)
        # The scale of GloVe's vectors, for evaluators that learn their words.
        nn.init.normal_(self.word_vectors.weight, std=0.35)

    def embed_motion(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E) of normalised features (B, T, C), zero beyond ``lengths`` (B,) frames.

        The zeros enter through the second convolution's bias, so T changes the last movement of a
        motion: for the field's numbers it must be ``LONGEST_CLIP``.
        """
        movements = self.movement_encoder(features[..., : self.config.visible])
        return self.motion_encoder(movements, lengths // FRAMES_PER_TOKEN)

    def embed_text(self, text: TaggedWords) -> Tensor:
        """Embeddings (B, E) of sentences."""
        tags = nn.functional.one_hot(text.tags, self.config.tags).to(self.word_vectors.weight.dtype)
        return self.text_encoder(self.word_vectors(text.words), tags, text.lengths)


class EvaluatorTraining(nn.Module):
    """The evaluator with the decoder and the losses of its training.

    Guo et al. train the movement encoder first, as an autoencoder, and freeze it for the matching. Here
    both are trained in the same steps, and the matching loss sends no gradient into the movement encoder,
    which learns from reconstruction alone, as theirs does.
    """

    def __init__(self, config: EvaluatorConfig):
        super().__init__()
        self.evaluator = MatchingEvaluator(config)
        # Contacts are told from what is seen, but of what is not seen nothing is.
        self.decoder = MovementDecoder(
            config.movement_width, config.movement_hidden, config.seen or config.features
        )

    def forward(self, batch: MatchingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The losses' sum as ``loss`` and each by name; nothing is drawn from ``generator``."""
        # A GRU takes no mixed precision on the CPU, and distances near the margin need their digits.
        with torch.autocast(batch.features.device.type, enabled=False):
            movements = self.evaluator.movement_encoder(batch.features[..., : self.evaluator.config.visible])
            tokens = batch.lengths // FRAMES_PER_TOKEN
            motions = self.evaluator.motion_encoder(movements.detach(), tokens)
            texts = self.evaluator.embed_text(batch.text)
            matching = matching_loss(texts, motions, batch.clips, batch.captions)
            reconstruction = self._autoencoder_loss(batch, movements)
        named = {"matching": matching.detach(), "reconstruction": reconstruction.detach()}
        return {"loss": matching + reconstruction, **named}

    def _autoencoder_loss(self, batch: MatchingBatch, movements: Tensor) -> Tensor:
        """L1 error of real frames, and small weights on the size and the steps of movements."""
        frames = length_mask(on_device(batch.lengths, batch.features.device), batch.features.shape[1])
        decoded = self.decoder(movements)
        error = (decoded - batch.features[..., : decoded.shape[-1]]).abs().mean(-1)
        loss = distributed.global_mean((error * frames).sum(), frames.sum())
        real = frames[:, ::FRAMES_PER_TOKEN]
        size = movements.abs().mean(-1)
        steps = (movements[:, 1:] - movements[:, :-1]).abs().mean(-1)
        pairs = real[:, 1:]
        loss = loss + SPARSITY * distributed.global_mean((size * real).sum(), real.sum())
        return loss + SMOOTHNESS * distributed.global_mean((steps * pairs).sum(), pairs.sum())


def matching_loss(texts: Tensor, motions: Tensor, clips: Tensor, captions: Tensor) -> Tensor:
    """Contrastive loss (Hadsell et al. 2006) with margin 10 of paired embeddings (B, E).

    Matched pairs: squared distance. Mismatched ones: squared shortfall of the distance from the margin.
    Guo et al. pair every text with one wrong motion, by rolling the batch by a random number of rows; here
    it is the mean over all wrong motions of the batch, the expectation of theirs, without pairs of the same
    clip or the same sentence (theirs can roll by zero rows and push matched pairs apart).
    """
    every = distributed.gather(motions)
    rows = distributed.rows_of_rank(len(every))
    difference = texts[:, None] - every[None]
    # The root of an exact zero has no gradient.
    distance = difference.square().sum(-1).clamp_min(1e-12).sqrt()
    matched = distance[:, rows].diagonal().square().mean()
    wrong = negatives_allowed(distributed.gather(clips), distributed.gather(captions))[rows]
    shortfall = (MARGIN - distance).clamp_min(0).square()
    return matched + distributed.global_mean((shortfall * wrong).sum(), wrong.sum())


def _initialise_xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
        nn.init.xavier_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
