"""The generator between two, in weights: often better than both, at no cost.

    python examples/average_generators.py BUNDLE FURTHER OUTPUT [SHARE]

FURTHER is BUNDLE with its generator trained further (`lamp pretrain --start-from BUNDLE --stage generator`);
OUTPUT becomes BUNDLE with the averaged generator, SHARE of it (0.5 when not given) from FURTHER. Source:
Wortsman et al., ICML 2022 (model soups).
"""

import dataclasses
import sys
from pathlib import Path

import torch

from lamp_cli.bundle.bundle import find_bundle, load_bundle, read_config, save_bundle


def main(one: str, other: str, output: str, share: str = "0.5") -> None:
    """Average two bundles' generators.

    Raises ``ValueError`` for what is no bundle, generators on other codes or of other sizes, a share that is
    not between 0 and 1, or an output that is there already.
    """
    weight_of_other = _share(share)
    if Path(output).exists():
        raise ValueError(f"{output}: is there already; choose another name")
    described = read_config(find_bundle(one)).model.captioner is not None
    first = load_bundle(one, torch.device("cpu"), captioner=described)
    second = load_bundle(other, torch.device("cpu"))
    own, further = first.text_to_motion, second.text_to_motion
    if own is None or further is None:
        raise ValueError(f"{one if own is None else other}: has no generator")
    sizes, guidance = further.generator.config, own.generator.config.guidance
    if own.generator.config != dataclasses.replace(sizes, guidance=guidance):
        raise ValueError(f"{other}: its generator has other sizes than that of {one}")
    for part in ("tokenizer", "lamp"):
        weights, others = (bundle.networks()[part].state_dict() for bundle in (first, second))
        if weights.keys() != others.keys() or not all(torch.equal(weights[k], others[k]) for k in weights):
            raise ValueError(
                f"{other}: has another {part} than {one}; only generators on the same one average"
            )
    others = further.state_dict()
    mean = {
        name: torch.lerp(weight, others[name], weight_of_other) for name, weight in own.state_dict().items()
    }
    own.load_state_dict(mean)
    # What was measured of the first generator is not true of this one.
    figures = {stage: each for stage, each in first.config.figures.items() if stage != "generator"}
    config = dataclasses.replace(first.config, name=Path(output).name, figures=figures)
    save_bundle(Path(output), dataclasses.replace(first, config=config))


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 < share < 1.0:
        raise ValueError(f"{text}: expected a share between 0 and 1")
    return share


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(str(error))
