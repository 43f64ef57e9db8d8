"""A size of a few weights in mini's place: tests train every stage in a second.

The shipped sizes are trained as subprocesses by the commands of the README.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lamp_cli.bundle.config import ModelConfig
from lamp_cli.motion.skeleton import Skeleton
from lamp_cli.training import sizes
from tests.command_line import Done, lamp

# Read before anything stands in its place.
MINI = sizes.SIZES["mini"]


def small_model(skeleton: Skeleton, vocabulary: int) -> ModelConfig:
    """The networks of ``mini``, a few numbers wide."""
    mini = MINI.model(skeleton, vocabulary)
    qformer = replace(mini.lamp.qformer, width=16, layers=1, heads=2, feed_forward=32, context_width=16)
    return ModelConfig(
        replace(mini.tokenizer, width=16, codes=16, code_width=16, encoder_width=16),
        replace(mini.lamp, qformer=qformer, embedding_width=16, codes=16),
        replace(mini.generator, condition_width=16, width=16, layers=1, heads=2, feed_forward=32, codes=16),
        replace(mini.length, text_width=16, width=16),
    )


def small_size() -> sizes.Size:
    """``mini`` with small networks, trained as before."""
    hidden = dict.fromkeys(("movement_hidden", "movement_width", "motion_hidden", "text_hidden"), 16)
    network = replace(MINI.evaluator.network, word_width=16, embedding_width=16, **hidden)
    return replace(
        MINI,
        model=small_model,
        evaluator=replace(MINI.evaluator, network=network),
        captioner=replace(MINI.captioner, width=16, layers=1, heads=2),
    )


@contextmanager
def mini_is_small() -> Iterator[None]:
    """``--size mini`` means the small networks within the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizes.SIZES, "mini", small_size())
        yield


def pretrain(*words: str | Path) -> Done:
    """``lamp pretrain`` of the small size, within this process."""
    with mini_is_small():
        return lamp("pretrain", *words)
