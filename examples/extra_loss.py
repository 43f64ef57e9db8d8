"""One more objective for LaMP, in a file of its own: the uniformity loss, with which sentences spread out.

    python examples/extra_loss.py pretrain --data data --output my-model --set lamp.weights.uniformity=0.1

is `lamp` with the objective: its loss stands in the log, its weight in the experiment that the bundle keeps.
It pushes the sentences of a batch apart on the sphere where they meet motions (Wang and Isola, ICML 2020).
"""

import torch
from torch import Tensor

from lamp_cli.cli.app import main
from lamp_cli.model import distributed
from lamp_cli.model.lamp import OBJECTIVES, PretrainingStep


def uniformity(step: PretrainingStep) -> Tensor:
    """Logarithm of the mean of exp(-2 d^2), d the distances between the unit vectors of the sentences."""
    vectors = distributed.gather(step.sentences[0])
    captions = distributed.gather(step.pairs.captions)
    # Equal sentences belong together.
    apart = captions[:, None] != captions[None]
    nearness = torch.exp(-4 * (1 - vectors @ vectors.T)) * apart
    # Of a batch without two sentences it is 0.
    return ((nearness.sum() + 1e-9) / (apart.sum() + 1e-9)).log()


OBJECTIVES["uniformity"] = uniformity

if __name__ == "__main__":
    main()
