"""``lamp import``: published checkpoints into a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import AsJson, UsageError, emit, note

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..bundle.trained_tokenizer import TrainedTokenizer


def import_command(
    mean: Annotated[Path, typer.Option(help="mean.npy that the tokenizer was trained with.")],
    std: Annotated[Path, typer.Option(help="std.npy that the tokenizer was trained with.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            help="Motion tokenizer: LaMP's vq.tar, T2M-GPT's net_last.pth, MoMask's net_best_fid.tar (beside "
            "--lamp its base layer alone); else the one within --lamp."
        ),
    ] = None,
    lamp: Annotated[
        Path | None,
        typer.Option(
            help="LaMP's h3d-qformer.tar or kit-qformer.tar; without it a tokenizer alone is imported."
        ),
    ] = None,
    generator: Annotated[
        Path | None, typer.Option(help="LaMP's t2m.tar; without it nothing is generated.")
    ] = None,
    captioner: Annotated[
        Path | None, typer.Option(help="LaMP's m2t.pth; without it nothing is described.")
    ] = None,
    llm: Annotated[
        str, typer.Option(help="The OPT-2.7B that --captioner adapts, a Hugging Face folder or hub name.")
    ] = "",
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="Word pieces of bert-base-uncased: vocab.txt, a folder with it, or bert-base-uncased, which "
            "fetches it; else from the Hugging Face cache."
        ),
    ] = None,
    length_estimator: Annotated[
        Path | None,
        typer.Option(
            help="MoMask's length estimator (length_estimator/model/finest.tar), which LaMP's code asks; "
            "without it a length must be given."
        ),
    ] = None,
    clip: Annotated[
        str,
        typer.Option(
            help="The CLIP ViT-B/32 that --length-estimator reads with, a Hugging Face folder or hub name."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    r"""Import published weights: LaMP's own, or the motion tokenizers of T2M-GPT and MoMask.

    \b
    lamp import --tokenizer vq.tar --lamp h3d-qformer.tar --generator t2m.tar \\
        --mean mean.npy --std std.npy -o lamp-released
    lamp import --tokenizer net_last.pth --mean mean.npy --std std.npy -o t2m-gpt
    """
    heads = {"generator": generator, "captioner": captioner}
    if (length_estimator is None) == bool(clip):
        raise UsageError("--length-estimator, --clip: expected both, or neither")
    if length_estimator is not None and generator is None:
        raise UsageError("--length-estimator: needs --generator too, whose motions it is about")
    _check_options(tokenizer, lamp, heads, vocabulary)
    if (captioner is None) == bool(llm):
        raise UsageError("--captioner, --llm: expected both, the adapters and what they adapt, or neither")
    # A folder must be found again from wherever the bundle is used.
    llm, clip = (str(Path(each).resolve()) if each and Path(each).is_dir() else each for each in (llm, clip))
    from ..bundle.released.bundle import ReleasedFiles, import_bundle, import_tokenizer

    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"--output {output}: is there already; expected a new folder")
    given = mean, std, tokenizer, lamp, generator, captioner, llm, vocabulary, length_estimator, clip
    files = ReleasedFiles(*given)
    name = output.resolve().name
    imported = import_tokenizer(files, name) if lamp is None else import_bundle(files, name)
    _save(output, imported)
    provenance = imported.config.provenance
    assert provenance is not None
    if provenance.left_out:
        note(f"left out: {provenance.left_out}")
    optional = {"lamp": lamp, **heads, "length estimator": length_estimator}
    parts = ["tokenizer", *(part for part, path in optional.items() if path is not None)]
    record: dict[str, Any] = {"model": str(output), "skeleton": imported.skeleton.name, "parts": parts}
    record |= {"source": provenance.source, "files": provenance.files, "left_out": provenance.left_out}
    emit(record, f"{output}: {', '.join(parts)} of {imported.skeleton.name}", as_json)


def _check_options(
    tokenizer: Path | None, lamp: Path | None, others: Mapping[str, Path | None], vocabulary: str | None
) -> None:
    if tokenizer is None and lamp is None:
        raise UsageError("nothing to import; expected --tokenizer, --lamp or both")
    given = [name for name, path in others.items() if path is not None]
    if lamp is None and given:
        raise UsageError(f"--{given[0]}: needs --lamp too, which it was trained on")
    if lamp is None and vocabulary is not None:
        raise UsageError("--vocabulary: has no effect without --lamp: a tokenizer reads no words")


def _save(output: Path, imported: Bundle | TrainedTokenizer) -> None:
    """Write a folder that is there whole or not at all."""
    from ..bundle.bundle import Bundle, save_bundle
    from ..bundle.trained_tokenizer import save_tokenizer
    from ..storage import making_folder

    with making_folder(output) as folder:
        save_bundle(folder, imported) if isinstance(imported, Bundle) else save_tokenizer(folder, imported)
