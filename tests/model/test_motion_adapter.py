"""What the captioner changes of LaMP's motion transformer: nothing at first, and never LaMP itself."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import load_bundle, save_bundle
from lamp_cli.bundle.config import ModelConfig, from_json, to_json
from lamp_cli.bundle.language_model import build_captioner
from lamp_cli.inference.caption import CaptionOptions, caption_features
from lamp_cli.model.captioner import CaptionerConfig
from lamp_cli.model.decoder import DecoderConfig
from lamp_cli.model.lamp import Lamp, LampConfig, with_positions
from lamp_cli.model.motion_adapter import SCALE, MotionAdapter, MotionAdapterConfig
from lamp_cli.model.qformer import Context
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.experiment_files import size_named
from lamp_cli.training.pretrain_captioner import _same_decoder
from tests.inference.test_caption import with_captioner
from tests.inference.test_retrieve import tiny_bundle
from tests.model.test_lamp import SMALL

CPU = torch.device("cpu")


def _lamp(positions: bool = False) -> Lamp:
    torch.manual_seed(0)
    sizes = LampConfig(qformer=SMALL, codes=10, embedding_width=12, motion_positions=positions)
    return Lamp(sizes, decoder_token=4).eval()


def _motion() -> Context:
    latents = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(1))
    return Context(latents, torch.tensor([[True] * 6, [True] * 4 + [False] * 2]))


def _disturbed() -> MotionAdapter:
    torch.manual_seed(2)
    adapter = MotionAdapter(MotionAdapterConfig(SMALL, rank=3))
    for weight in (*adapter.widen, adapter.queries):
        torch.nn.init.normal_(weight)
    return adapter


def test_it_begins_as_no_change() -> None:
    lamp, motion = _lamp(), _motion()
    begun = MotionAdapter(MotionAdapterConfig(SMALL, rank=3))(lamp.qformer, motion)
    assert torch.equal(begun, lamp.qformer.motion(motion))


def test_by_hand_it_is_a_q_former_with_other_weights() -> None:
    lamp, motion, adapter = _lamp(), _motion(), _disturbed()
    found = adapter(lamp.qformer, motion)
    other = copy.deepcopy(lamp.qformer)
    products = [w.detach() @ n.detach() for w, n in zip(adapter.widen, adapter.narrow, strict=True)]
    first, second = other.layers
    adapted = [
        *(getattr(first.cross, name) for name in ("query", "key", "value", "output")),
        *(getattr(layer.query_feed, name) for layer in (first, second) for name in ("up", "down")),
    ]
    assert second.cross is None and len(products) == len(adapted)
    for linear, product in zip(adapted, products, strict=True):
        linear.weight.data += SCALE * product
    other.queries.data += adapter.queries.detach()
    torch.testing.assert_close(found, other.motion(motion))
    assert not torch.allclose(found, lamp.qformer.motion(motion), atol=0.1)


def test_padding_changes_nothing() -> None:
    lamp, motion, adapter = _lamp(), _motion(), _disturbed()
    cut = Context(motion.vectors[1:, :4], motion.mask[1:, :4])
    torch.testing.assert_close(adapter(lamp.qformer, motion)[1], adapter(lamp.qformer, cut)[0])


def test_gradients_reach_the_adapter_alone() -> None:
    lamp, motion, adapter = _lamp(), _motion(), _disturbed()
    before = {name: value.clone() for name, value in lamp.state_dict().items()}
    adapter(lamp.qformer, motion).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in adapter.parameters())
    assert all(weight.grad is None for weight in lamp.parameters())
    assert all(torch.equal(before[name], value) for name, value in lamp.state_dict().items())


@pytest.mark.parametrize("positions", [False, True])
def test_a_captioner_with_an_adapter_sees_places_once(positions: bool) -> None:
    lamp, motion, vocabulary = _lamp(positions), _motion(), tiny_bundle().vocabulary
    decoder = DecoderConfig(len(vocabulary), 16, 2, 2, 32)
    config = CaptionerConfig(16, decoder, adapter=MotionAdapterConfig(SMALL, 3))
    captioner = build_captioner(config, vocabulary, torch.float32).eval()
    assert captioner.adapter is not None
    placed = lamp.motion_context(motion.vectors, motion.mask)
    expected = captioner.adapter(lamp.qformer, with_positions(motion))
    torch.testing.assert_close(captioner.queries(lamp, placed), expected)
    plain = build_captioner(dataclasses.replace(config, adapter=None), vocabulary, torch.float32)
    assert torch.equal(plain.queries(lamp, placed), lamp.qformer.motion(placed))


def test_a_bundle_keeps_the_adapter(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    qformer = bundle.config.model.lamp.qformer
    decoder = DecoderConfig(len(bundle.vocabulary), 16, 2, 2, 32)
    config = CaptionerConfig(16, decoder, adapter=MotionAdapterConfig(qformer, 3))
    saved = with_captioner(config)
    save_bundle(tmp_path, saved)
    read = load_bundle(tmp_path, CPU, captioner=True)
    assert read.config.model.captioner == config
    assert saved.captioner is not None and read.captioner is not None
    assert read.captioner.adapter is not None
    for name, value in saved.captioner.adapter.state_dict().items():
        torch.testing.assert_close(read.captioner.adapter.state_dict()[name], value, atol=2e-3, rtol=2e-3)


def test_motions_are_captioned_through_the_adapter() -> None:
    bundle = tiny_bundle()
    decoder = DecoderConfig(len(bundle.vocabulary), 16, 2, 2, 32)
    adapter = MotionAdapterConfig(bundle.config.model.lamp.qformer, 3)
    bundle = with_captioner(CaptionerConfig(16, decoder, adapter=adapter))
    assert bundle.captioner is not None and bundle.captioner.adapter is not None
    motion = [np.random.default_rng(0).normal(size=(60, 263)).astype(np.float32)]
    changed = caption_features(bundle, motion, CaptionOptions())[0][0]
    for widen in (*bundle.captioner.adapter.widen, bundle.captioner.adapter.queries):
        widen.data.zero_()
    unchanged = caption_features(bundle, motion, CaptionOptions())[0][0]
    assert changed.score != unchanged.score


@pytest.mark.parametrize("rank", [0, -1])
def test_a_rank_below_one_is_refused(rank: int) -> None:
    data = {"qformer": to_json(SMALL), "rank": rank}
    with pytest.raises(ValueError, match=r"adapter\.rank: expected at least 1"):
        from_json(MotionAdapterConfig, data)


def test_an_adapter_for_another_q_former_is_refused() -> None:
    model = tiny_bundle().config.model
    decoder = DecoderConfig(40, 16, 2, 2, 32)
    other = dataclasses.replace(model.lamp.qformer, layers=7)
    wrong = CaptionerConfig(16, decoder, adapter=MotionAdapterConfig(other, 3))
    with pytest.raises(ValueError, match=r"captioner\.adapter: is for another motion transformer"):
        dataclasses.replace(model, captioner=wrong)
    # Dropout is no size.
    dropped = MotionAdapterConfig(dataclasses.replace(model.lamp.qformer, dropout=0.3), 3)
    assert isinstance(
        dataclasses.replace(model, captioner=CaptionerConfig(16, decoder, adapter=dropped)), ModelConfig
    )


def test_an_earlier_captioner_is_gone_on_with_when_it_has_no_other_adapter() -> None:
    own = size_named("mini", HUMANML3D).captioner
    assert own.adapter is not None and own.adapter.rank == 16
    assert size_named("paper", HUMANML3D).captioner.adapter is None
    assert _same_decoder(dataclasses.replace(own, adapter=None), own)
    assert _same_decoder(own, own)
    assert not _same_decoder(dataclasses.replace(own, adapter=MotionAdapterConfig(SMALL, 3)), own)
    assert not _same_decoder(dataclasses.replace(own, caption_tokens=9), own)
