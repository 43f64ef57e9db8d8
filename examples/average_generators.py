"""The generator halfway between two, in weights: often better than both, at no cost.

    python examples/average_generators.py BUNDLE FURTHER OUTPUT

FURTHER is BUNDLE with its generator trained further (`lamp pretrain --start-from BUNDLE --stage generator`);
OUTPUT becomes BUNDLE with the averaged generator. Source: Wortsman et al., ICML 2022 (model soups).
"""

import dataclasses
import sys
from pathlib import Path

import torch

from lamp_cli.bundle.bundle import find_bundle, load_bundle, read_config, save_bundle


def main(one: str, other: str, output: str) -> None:
    """Average two bundles' generators.

    Raises ``ValueError`` for what is no bundle, generators on other codes or of other sizes, or an output
    that is there already.
    """
    if Path(output).exists():
        raise ValueError(f"{output}: is there already; choose another name")
    described = read_config(find_bundle(one)).model.captioner is not None
    first = load_bundle(one, torch.device("cpu"), captioner=described)
    second = load_bundle(other, torch.device("cpu"))
    if first.config.model.generator != second.config.model.generator:
        raise ValueError(f"{other}: its generator has other sizes than that of {one}")
    for part in ("tokenizer", "lamp"):
        weights, others = (bundle.networks()[part].state_dict() for bundle in (first, second))
        if weights.keys() != others.keys() or not all(torch.equal(weights[k], others[k]) for k in weights):
            raise ValueError(
                f"{other}: has another {part} than {one}; only generators on the same one average"
            )
    further = second.text_to_motion.state_dict()
    mean = {k: torch.lerp(weight, further[k], 0.5) for k, weight in first.text_to_motion.state_dict().items()}
    first.text_to_motion.load_state_dict(mean)
    # What was measured of the first generator is not true of this one.
    figures = {stage: each for stage, each in first.config.figures.items() if stage != "generator"}
    config = dataclasses.replace(first.config, name=Path(output).name, figures=figures)
    save_bundle(Path(output), dataclasses.replace(first, config=config))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(str(error))
