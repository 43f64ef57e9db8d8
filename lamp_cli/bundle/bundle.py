"""A trained set of networks as a folder.

    config.json              sizes, skeleton, figures, whose weights
    tokenizer.safetensors    motion tokenizer
    lamp.safetensors         language-motion model
    generator.safetensors    generator, its condition and the length head; imported bundles may have none
    captioner.safetensors    captioner, in bundles that have one: its projection, its motion transformer or
                             changes to LaMP's, and what of its decoder was trained (an embedded one is whole)
    language_model/          config and tokenizer of the captioner's fully trained language model
    vocab.txt                WordPiece vocabulary
    Mean.npy Std.npy         statistics the networks were trained with
    training_sentences.safetensors, training_words.txt
                             a summary of the sentences it was trained on
    README.md                model card
    experiment.toml          networks and training, whole, as `lamp pretrain --config` reads them

Loads, saves and verifies; knows no training and no task.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..data.statistics import Statistics, load_statistics, save_statistics
from ..data.vocabulary import Vocabulary, load_vocabulary
from ..model.captioner import Captioner
from ..model.condition import SentenceEncoder
from ..model.lamp import Lamp
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from ..motion.skeleton import Skeleton, skeleton_named
from ..storage import replacing_several, write_json, write_text
from .card import is_model_card, model_card
from .config import RELEASED, BundleConfig, ModelConfig, object_in, read_config_file, to_json
from .device import torch_device
from .language_model import build_captioner, save_architecture
from .sentence_encoder import load_length_encoder, load_sentence_encoder
from .trained_tokenizer import is_tokenizer
from .training_sentences import TrainingSentences, load_training_sentences, save_training_sentences
from .weights import SkipInitialisation, load_weights, save_weights

DEFAULT = "lamp-mini"
HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.npy", "*.model", "*.toml", "LICENSE*"]


@dataclass(frozen=True)
class Bundle:
    """Networks in evaluation mode, with what they need to read text and write motion.

    config: sizes, names and figures.
    skeleton: of the motions.
    statistics: mean and standard deviation that features are normalised with.
    vocabulary: word pieces.
    tokenizer: motion tokenizer.
    lamp: language-motion model.
    text_to_motion: generator, its condition and the length head; None when the bundle has no generator.
    device: of all networks.
    captioner: None when the bundle has none or it was not asked for.
    training_sentences: None when the bundle has no summary of them.
    """

    config: BundleConfig
    skeleton: Skeleton
    statistics: Statistics
    vocabulary: Vocabulary
    tokenizer: MotionTokenizer
    lamp: Lamp
    text_to_motion: TextToMotion | None
    device: torch.device
    captioner: Captioner | None = None
    training_sentences: TrainingSentences | None = None

    def networks(self) -> dict[str, nn.Module]:
        """The networks by the names of their files."""
        found = {
            "tokenizer": self.tokenizer,
            "lamp": self.lamp,
            "generator": self.text_to_motion,
            "captioner": self.captioner,
        }
        return {name: network for name, network in found.items() if network is not None}


def build_networks(
    model: ModelConfig, decoder_token: int, encoder: SentenceEncoder | None = None
) -> tuple[MotionTokenizer, Lamp, TextToMotion]:
    """The paper's networks of these sizes, not trained, a generator and its length head among them.

    ``encoder`` is what :func:`load_sentence_encoder` gives for the generator.
    """
    assert model.generator is not None and model.length is not None
    return (
        MotionTokenizer(model.tokenizer),
        Lamp(model.lamp, decoder_token),
        TextToMotion(model.lamp.qformer, model.generator, model.length, encoder),
    )


def _released_networks(
    model: ModelConfig, decoder_token: int, length_encoder: SentenceEncoder | None
) -> tuple[MotionTokenizer, Lamp, TextToMotion | None]:
    """The networks of the authors' code, in their sizes."""
    from ..model.released import ReleasedLamp, ReleasedTextToMotion, ReleasedTokenizer

    text_to_motion = None
    if model.generator is not None:
        given = model.lamp.qformer, model.generator, model.length
        text_to_motion = ReleasedTextToMotion(*given, length_encoder)
    return (
        ReleasedTokenizer(model.tokenizer),
        ReleasedLamp(model.lamp, decoder_token, model.tokenizer.code_width),
        text_to_motion,
    )


def require_bundle_folder(folder: Path) -> None:
    """Raise ``ValueError`` when ``folder`` holds files of a bundle's names that belong to something else."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; expected a folder for the bundle")
    config = folder / "config.json"
    if config.exists():
        if not {"name", "skeleton", "model"} <= object_in(config).keys():
            raise ValueError(f"{config}: is not a lamp bundle's; expected a bundle or another folder")
        return
    # A save that was cut short has weights and no config yet.
    if (folder / "tokenizer.safetensors").exists():
        return
    foreign = [name for name in ("vocab.txt", "Mean.npy", "Std.npy") if (folder / name).exists()]
    if foreign:
        raise ValueError(
            f"{folder / foreign[0]}: is not a lamp bundle's; expected a bundle or another folder"
        )


def save_bundle(folder: Path, bundle: Bundle) -> None:
    """Write a bundle, whole or not at all; ``config.json`` last, so that a half one is not loaded.

    Weights are 16-bit floats; those of others keep their 32 bits, which their outputs need to be the same.

    A README.md that is no model card of ours stays as it is. Raises ``ValueError`` as
    :func:`require_bundle_folder`.
    """
    require_bundle_folder(folder)
    readme = folder / "README.md"
    with replacing_several(folder, "config.json") as temporary:
        _write_bundle(temporary, bundle)
        if not readme.exists() or is_model_card(readme):
            write_text(temporary / "README.md", model_card(bundle.config))


def _write_bundle(folder: Path, bundle: Bundle) -> None:
    for name, network in bundle.networks().items():
        halved = bundle.config.provenance is None
        save_weights(folder / f"{name}.safetensors", network, halved)
    settings = None if bundle.captioner is None else bundle.captioner.config.language_model
    if bundle.captioner is not None and settings is not None and settings.tuning == "full":
        save_architecture(folder, bundle.captioner.decoder)  # type: ignore[arg-type]
    bundle.vocabulary.save(folder / "vocab.txt")
    save_statistics(folder, bundle.statistics)
    if bundle.training_sentences is not None:
        save_training_sentences(folder, bundle.training_sentences)
    write_json(folder / "config.json", to_json(bundle.config))


def load_bundle(name: str | Path, device: str | torch.device, captioner: bool = False) -> Bundle:
    """The bundle in a folder, the one that ships (``lamp-mini``), or one from the Hugging Face hub.

    The captioner is loaded when asked for, because it may bring a large language model. Only a name
    that is no folder and looks like ``owner/name`` goes to the network. Raises ``ValueError`` naming the
    file that is missing, cut short or of other sizes, when a captioner is asked for and there is none, or
    for a device that :func:`torch_device` does not find.
    """
    device = torch_device(device)
    folder = find_bundle(name)
    config = read_config(folder)
    skeleton = skeleton_named(config.skeleton)
    vocabulary = load_vocabulary(folder / "vocab.txt")
    if len(vocabulary) != config.model.lamp.qformer.vocabulary:
        raise ValueError(
            f"{folder / 'vocab.txt'}: {len(vocabulary)} pieces, "
            f"config.json says {config.model.lamp.qformer.vocabulary}"
        )
    released = config.model.compat == RELEASED
    encoder = _sentence_encoder(folder, config)
    networks: tuple[MotionTokenizer, Lamp, TextToMotion | None]
    with SkipInitialisation(folder):
        if released:
            networks = _released_networks(config.model, vocabulary.decoder, encoder)
        else:
            networks = build_networks(config.model, vocabulary.decoder, encoder)
    for file, network in zip(("tokenizer", "lamp", "generator"), networks, strict=True):
        if network is not None:
            load_weights(folder / f"{file}.safetensors", network, device)
    statistics = load_statistics(folder, skeleton.feature_size)
    return Bundle(
        config,
        skeleton,
        statistics,
        vocabulary,
        *networks,
        device,
        captioner=_load_captioner(folder, config, vocabulary, device) if captioner else None,
        training_sentences=load_training_sentences(folder),
    )


def _sentence_encoder(folder: Path, config: BundleConfig) -> SentenceEncoder | None:
    """The encoder beside LaMP that the bundle's generator, or the release's length head, reads with."""
    released = config.model.compat == RELEASED
    place = "length.encoder" if released else "generator.condition_encoder"
    try:
        if released:
            return load_length_encoder(config.model.length)
        return load_sentence_encoder(config.model.generator)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}; its place is {place} in config.json") from None


def add_captioner(bundle: Bundle, name: str | Path) -> Bundle:
    """The bundle with its captioner; ``name`` is where :func:`load_bundle` found the bundle.

    Raises ``ValueError`` when there is none.
    """
    folder = find_bundle(name)
    captioner = _load_captioner(folder, bundle.config, bundle.vocabulary, bundle.device)
    return dataclasses.replace(bundle, captioner=captioner)


def _load_captioner(
    folder: Path, config: BundleConfig, vocabulary: Vocabulary, device: torch.device
) -> Captioner:
    sizes = config.model.captioner
    if sizes is None:
        raise ValueError(
            f"{folder}: this bundle has no captioner; `lamp pretrain --stage captioner` trains one"
        )
    qformer = config.model.lamp.qformer
    if sizes.embedded is not None:
        with SkipInitialisation(folder):
            captioner = build_captioner(sizes, vocabulary, torch.float32, qformer=qformer)
        load_weights(folder / "captioner.safetensors", captioner, device)
        return captioner
    from ..model.hugging_face import HuggingFaceDecoder, half_precision

    latent_width = config.model.tokenizer.code_width if config.model.compat == RELEASED else None
    half = half_precision(device)
    captioner = build_captioner(sizes, vocabulary, half, folder, qformer, latent_width).to(device)
    load_weights(folder / "captioner.safetensors", captioner, device)
    assert isinstance(captioner.decoder, HuggingFaceDecoder)
    captioner.decoder.finish()
    return captioner


def find_bundle(name: str | Path) -> Path:
    """The folder of a bundle; raises ``ValueError`` when there is none."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    shipped = Path(__file__).parent / str(name)
    if str(name) == DEFAULT and shipped.is_dir():
        return shipped
    if str(name).count("/") == 1 and not folder.is_absolute() and not str(name).startswith("."):
        return _from_hub(str(name))
    raise ValueError(f"{name}: no bundle here; expected a folder that `lamp pretrain` wrote, or {DEFAULT}")


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        raise ValueError(f"{name}: is no folder; to load it by hub name, install huggingface_hub") from None
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name}: neither a folder nor a bundle on the hub ({reason})") from None


def read_config(folder: Path) -> BundleConfig:
    """The bundle's ``config.json``; raises ``ValueError`` naming what is wrong in it."""
    if is_tokenizer(folder):
        raise ValueError(
            f"{folder}: holds a motion tokenizer alone; `lamp pretrain --start-from` trains the rest"
        )
    return read_config_file(folder / "config.json", BundleConfig, "a bundle")
