"""Another tokenizer, in a file of its own: residual codes, of which each tells what those before it leave.

    python examples/residual_codes.py pretrain --data data --output my-model --size mini
    python examples/residual_codes.py generate "a person walks" --model my-model

is `lamp` with two codes a token, coarse and fine (RVQ: Zeghidour et al. 2021; MoMask: Guo et al. 2024).
LaMP, generator and captioner take codes as they come. The bundle is opened by this program alone.
"""

import torch
from torch import Tensor

from lamp_cli.cli.app import main
from lamp_cli.model import tokenizer
from lamp_cli.model.tokenizer import Codebook, TokenizerConfig, nearest_rows

LEVELS = 2


class ResidualCodebook(Codebook):
    """``LEVELS`` codebooks over whole latents; the vector of a token is the sum of its codes' vectors."""

    def __init__(self, codes: int, width: int, decay: float, codebooks: int = LEVELS):
        super().__init__(codebooks * codes, width, decay)
        self.codebooks = codebooks

    def nearest(self, latents: Tensor) -> Tensor:
        """Indices (..., L * codebooks), level by level, of latents (..., L, D)."""
        found = []
        for vectors in self.vectors.chunk(self.codebooks):
            found.append(nearest_rows(latents, vectors))
            latents = latents - vectors[found[-1]]
        return torch.stack(found, -1).flatten(-2)

    def lookup(self, codes: Tensor) -> Tensor:
        """Vectors (..., L, D) of codes (..., L * codebooks): the sums of their levels."""
        levels = codes.unflatten(-1, (-1, self.codebooks)).unbind(-1)
        tables = zip(self.vectors.chunk(self.codebooks), levels, strict=True)
        return torch.stack([vectors[chosen] for vectors, chosen in tables]).sum(0)

    @torch.no_grad()
    def learn(self, latents: Tensor, generator: torch.Generator) -> None:
        """Move each level's codes towards what the levels before it leave of the latents (N, D)."""
        rest = latents.float()
        tables = (table.chunk(self.codebooks) for table in (self.vectors, self.counts, self.sums))
        with torch.autocast(latents.device.type, enabled=False):
            for vectors, counts, sums in zip(*tables, strict=True):
                self._learn(rest, vectors, counts, sums, generator)
                rest = rest - vectors[nearest_rows(rest, vectors)]
        self.started.fill_(True)


tokenizer.Codebook = ResidualCodebook  # type: ignore[misc]
TokenizerConfig.codebooks = property(lambda self: LEVELS)  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    main()
