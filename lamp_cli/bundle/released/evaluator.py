"""The evaluator that Guo et al. released (CVPR 2022), read without trusting its pickles.

    finest.tar                              state dicts text_encoder, movement_encoder, motion_encoder
    mean.npy std.npy                        the evaluator's own statistics (Comp_v6_KLD005/meta)
    our_vab_data.npy _words.pkl _idx.pkl    GloVe vectors of the corpus's words

MARDM's first (Meng et al., CVPR 2025) is of the same design and sees the root and the joints' positions
alone, 67 numbers of a frame (KIT: 64); its statistics are ``eval_mean.npy`` and ``eval_std.npy`` of its
``utils/eval_mean_std``. The three parts may lie in one folder or as the release unpacks them:
``text_mot_match/model``, ``Comp_v6_KLD005/meta`` beside it, ``glove`` here or up to four folders above.

MARDM's second has ``contrast_model`` in the ``finest.tar`` of ``text_mot_match_clip/model``, the same
statistics, and CLIP's byte pairs (``data.byte_pairs``) here, in ``clip`` or up to four folders above. Knows
files, no captions.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.byte_pairs import MERGES, read_byte_pairs
from ...data.statistics import Statistics, read_statistics
from ...data.word_tokens import TAGS, WordList
from ...model.contrastive_evaluator import ContrastiveEvaluator
from ...model.evaluator import CLIP, CONTACTS, EvaluatorConfig, MatchingEvaluator
from ...model.state import first_misfit
from ...motion.skeleton import HUMANML3D, KIT, Skeleton, skeleton_of_features
from ...storage import load_array
from ..trained_evaluator import TrainedEvaluator
from .state_dict import StateDict, read_checkpoint

CHECKPOINT, STATISTICS = "finest.tar", ("mean.npy", "std.npy")
VECTORS, WORDS, ROWS = "our_vab_data.npy", "our_vab_words.pkl", "our_vab_idx.pkl"
# Root and joint positions, which MARDM's evaluator sees: 4 numbers and 3 of every joint but the root.
ESSENTIAL = {4 + 3 * (skeleton.joints - 1): skeleton for skeleton in (HUMANML3D, KIT)}
ENCODERS = ("text_encoder", "movement_encoder", "motion_encoder")
CONTRASTIVE = "contrast_model"
# The released word files have 80 kB; a pickle of builtins can still be made to fill the memory.
LARGEST_PICKLE = 16 * 2**20


def load_released_evaluator(folder: Path, device: torch.device) -> TrainedEvaluator:
    """The released evaluator in ``folder``, for the skeleton that its weights read.

    Raises ``ValueError`` naming the file that is missing, unsafe or of other sizes.
    """
    folder = Path(folder)
    path = _checkpoint_file(folder)
    states = _state_dicts(path)
    words, vectors = load_word_vectors(folder)
    config, skeleton = _sizes(path, states, vectors)
    network = MatchingEvaluator(config)
    for name in ENCODERS:
        _fill(path, name, getattr(network, name), states[name], "the evaluator of Guo et al.")
    network.word_vectors.weight.data = torch.from_numpy(vectors)
    network.to(device).eval().requires_grad_(False)
    return TrainedEvaluator(
        f"mardm:{skeleton.name}" if config.seen else f"guo:{skeleton.name}",
        skeleton,
        network,
        words,
        _statistics(folder, config),
        device,
    )


def load_contrastive_evaluator(folder: Path, device: torch.device) -> TrainedEvaluator:
    """MARDM's second evaluator in ``folder``, for the skeleton that its weights read.

    Raises ``ValueError`` naming the file that is missing, unsafe or of other sizes.
    """
    folder = Path(folder)
    path = _contrastive_file(folder)
    tensors = read_checkpoint(path).get(CONTRASTIVE)
    if not isinstance(tensors, Mapping):
        raise ValueError(f"{path}: lacks {CONTRASTIVE}, MARDM's second evaluator")
    config, skeleton = _contrastive_sizes(StateDict(path, tensors))
    network = ContrastiveEvaluator(config)
    _fill(path, CONTRASTIVE, network, tensors, "MARDM's second evaluator")
    network.to(device).eval().requires_grad_(False)
    words = read_byte_pairs(_merges_file(folder), config.words, config.text_tokens)
    statistics = _statistics(folder, config)
    return TrainedEvaluator(f"mardm-clip:{skeleton.name}", skeleton, network, words, statistics, device)


def require_contrastive_evaluator(folder: Path) -> None:
    """Raise ``ValueError`` naming the first file of MARDM's second evaluator that is missing; opens none."""
    _contrastive_file(folder)
    _merges_file(folder)
    for name in STATISTICS:
        _statistics_file(folder, name)


def _contrastive_sizes(state: StateDict) -> tuple[EvaluatorConfig, Skeleton]:
    """Sizes as the weights have them; the number of heads, which they do not tell, is the release's."""
    width, seen = state.shape("motion_encoder.embed_motion.weight", 2)
    if (skeleton := ESSENTIAL.get(seen)) is None:
        known = " or ".join(map(str, ESSENTIAL))
        raise ValueError(f"{state.path}: reads {seen} features per frame; expected {known}")
    layer = "textTransEncoder.layers.{}.linear1.weight"
    config = EvaluatorConfig(
        features=skeleton.feature_size,
        words=state.shape("token_embedding.weight", 2)[0],
        embedding_width=width,
        seen=seen,
        design=CLIP,
        layers=state.count(layer),
        feed_forward=state.shape(layer.format(0), 2)[0],
        text_tokens=state.shape("positional_embedding", 2)[0],
        padding_seen=True,
    )
    return config, skeleton


def require_released_evaluator(folder: Path) -> None:
    """Raise ``ValueError`` naming the first file of the released evaluator that is missing; opens none."""
    _checkpoint_file(folder)
    vectors = _word_vector_file(folder)
    for name in (WORDS, ROWS):
        if not vectors.with_name(name).is_file():
            raise _missing_word_file(vectors.with_name(name))
    for name in STATISTICS:
        _statistics_file(folder, name)


def _statistics(folder: Path, config: EvaluatorConfig) -> Statistics:
    """The evaluator's own statistics; numbers of a frame that it does not see have none and stay."""
    mean, std = (_statistics_file(folder, name) for name in STATISTICS)
    read = read_statistics(mean, std, config.seen or config.features)
    unseen = config.features - len(read.mean)
    return Statistics(
        np.concatenate([read.mean, np.zeros(unseen, np.float32)]),
        np.concatenate([read.std, np.ones(unseen, np.float32)]),
    )


def load_word_vectors(folder: Path) -> tuple[WordList, np.ndarray]:
    """The words of the ``our_vab`` files in or near ``folder`` and their vectors (V, 300) float32.

    Raises ``ValueError`` naming the file that is missing, unsafe or does not fit the others.
    """
    path = _word_vector_file(Path(folder))
    try:
        vectors = load_array(path)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as an array ({error})") from None
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
        raise ValueError(f"{path}: expected finite vectors (words, 300), found shape {vectors.shape}")
    words = read_plain_pickle(path.with_name(WORDS))
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{path.with_name(WORDS)}: expected a list of words")
    rows = read_plain_pickle(path.with_name(ROWS))
    if not isinstance(rows, dict) or not all(
        isinstance(row := rows.get(word), int) and 0 <= row < len(vectors) for word in words
    ):
        raise ValueError(f"{path.with_name(ROWS)}: expected the row of every word in {VECTORS}")
    return WordList(words), vectors[[rows[word] for word in words]].astype(np.float32)


def read_plain_pickle(path: Path) -> Any:
    """A pickle of lists, dictionaries, strings and numbers only.

    Raises ``ValueError`` for one that names any class or function: loading it would run its code.
    """
    try:
        if path.stat().st_size > LARGEST_PICKLE:
            raise ValueError(f"{path}: larger than {LARGEST_PICKLE >> 20} MiB, which no word list is")
        return _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError:
        raise _missing_word_file(path) from None
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: {error}") from None
    except (EOFError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a whole pickle ({error})") from None


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(
            f"refused, it holds {module}.{name} where only words and numbers belong; loading would run code"
        )

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("refused, it refers to objects outside the file")


def _find_file(folder: Path, name: str, subfolders: tuple[str, ...]) -> Path:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected the released evaluator's")
    for subfolder in subfolders:
        if (folder / subfolder / name).is_file():
            return folder / subfolder / name
    raise ValueError(f"{folder}: no {name} in it (looked in {', '.join(subfolders)})")


def _checkpoint_file(folder: Path) -> Path:
    return _find_file(folder, CHECKPOINT, (".", "model", "text_mot_match/model"))


def _word_vector_file(folder: Path) -> Path:
    return _find_file(folder, VECTORS, _near("glove"))


def _contrastive_file(folder: Path) -> Path:
    return _find_file(folder, CHECKPOINT, ("text_mot_match_clip/model", ".", "model"))


def _merges_file(folder: Path) -> Path:
    places = (folder / subfolder / name for subfolder in _near("clip") for name in MERGES)
    if (found := next((place for place in places if place.is_file()), None)) is None:
        raise ValueError(
            f"{folder}: no byte pairs of CLIP in or near it; expected {MERGES[0]}, which comes with CLIP's "
            f"code, or {MERGES[-1]} of openai/clip-vit-base-patch16 on the Hugging Face hub"
        )
    return found


def _near(name: str) -> tuple[str, ...]:
    """The folder itself, one of that name in it, and those in the four above."""
    return (".", *("../" * above + name for above in range(5)))


def _missing_word_file(path: Path) -> ValueError:
    return ValueError(f"{path}: missing; it belongs to the evaluator's word vectors")


def _statistics_file(folder: Path, name: str) -> Path:
    # MARDM's lie beside its code, in a folder of the data set's name.
    own = Path("../../utils/eval_mean_std")
    for place in (".", str(own / folder.resolve().name)):
        if (folder / place / f"eval_{name}").is_file():
            return folder / place / f"eval_{name}"
    inside = (".", "meta", "Comp_v6_KLD005/meta", "Comp_v6_KLD01/meta")
    # The folder may also be finest.tar's own, two below the data set's.
    return _find_file(folder, name, inside + tuple(f"../../{subfolder}" for subfolder in inside[1:]))


def _state_dicts(path: Path) -> dict[str, Mapping[str, Tensor]]:
    checkpoint = read_checkpoint(path)
    missing = [n for n in ENCODERS if n not in checkpoint]
    if missing:
        raise ValueError(f"{path}: lacks {missing[0]}; expected {', '.join(ENCODERS)}")
    return {name: checkpoint[name] for name in ENCODERS}


def _sizes(
    path: Path, states: Mapping[str, Mapping[str, Tensor]], vectors: np.ndarray
) -> tuple[EvaluatorConfig, Skeleton]:
    """Sizes as the weights have them."""

    def shape(encoder: str, name: str, axes: int) -> torch.Size:
        value = states[encoder].get(name)
        if not isinstance(value, Tensor) or value.ndim != axes:
            raise ValueError(f"{path}: {encoder}.{name} is missing or of another shape")
        return value.shape

    movement = shape("movement_encoder", "main.0.weight", 3)
    seen = ESSENTIAL.get(movement[1])
    features = movement[1] + CONTACTS if seen is None else seen.feature_size
    skeleton = skeleton_of_features(features)
    if skeleton is None:
        known = "263 or 251, or MARDM's 67 or 64"
        raise ValueError(f"{path}: reads {features} features per frame; expected {known}")
    word_width, tags = shape("text_encoder", "pos_emb.weight", 2)
    if word_width != vectors.shape[1] or tags != len(TAGS):
        raise ValueError(
            f"{path}: reads word vectors of {word_width} numbers and {tags} tags; "
            f"found vectors of {vectors.shape[1]} and {len(TAGS)} tags"
        )
    config = EvaluatorConfig(
        features=features,
        words=len(vectors),
        word_width=word_width,
        tags=tags,
        movement_hidden=movement[0],
        movement_width=shape("movement_encoder", "out_net.weight", 2)[0],
        motion_hidden=shape("motion_encoder", "input_emb.weight", 2)[0],
        text_hidden=shape("text_encoder", "input_emb.weight", 2)[0],
        embedding_width=shape("text_encoder", "output_net.3.weight", 2)[0],
        seen=0 if seen is None else movement[1],
    )
    return config, skeleton


def _fill(path: Path, name: str, encoder: nn.Module, tensors: Mapping[str, Tensor], whose: str) -> None:
    if misfit := first_misfit(encoder, tensors):
        raise ValueError(f"{path}: {name}.{misfit} does not fit {whose}")
    encoder.load_state_dict(tensors)
