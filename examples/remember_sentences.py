"""Let a bundle remember the sentences of a data set, by which it tells familiar sentences from strange ones.

    python examples/remember_sentences.py BUNDLE DATA

`lamp pretrain` does it at its end; this does it again, for a bundle of an earlier version or one whose LaMP
was trained by other means. BUNDLE is a folder, in which training_sentences.safetensors and training_words.txt
are written anew; DATA is the data set that its networks learned from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.bundle.training_sentences import save_training_sentences
from lamp_cli.data.layout import FramesLimit, open_dataset
from lamp_cli.inference.familiarity import summarise_sentences


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files; raises ``ValueError`` for what is no bundle or no data set, or has no sentences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of a bundle")
    parser.add_argument("data", type=Path, help="data set folder")
    options = parser.parse_args(arguments)
    if not options.bundle.is_dir():
        raise ValueError(f"{options.bundle}: no folder; expected that of a bundle")
    bundle = load_bundle(str(options.bundle), torch.device("cpu"))
    dataset, any_length = open_dataset(options.data), FramesLimit(1, 10**9)
    train, val = (dataset.clips(split, any_length)[0] for split in ("train", "val"))
    remembered = summarise_sentences(
        bundle.lamp,
        bundle.vocabulary,
        [text for clip in train for text in clip.sentences],
        [text for clip in val for text in clip.captions],
        bundle.device,
    )
    save_training_sentences(options.bundle, remembered)
    print(f"{options.bundle}: {len(remembered.embeddings)} sentences, {len(remembered.stems)} words")


if __name__ == "__main__":
    main()
