"""Benchmark of exact search: ``python -m examples.bench.search [--windows N] [--radius R]``.

Random windows on disk, 49 query tokens of width 256 each, memory-mapped as in an index. A window's
query tokens lie about ``--radius`` from their centroid; how far they do in a trained model decides how
many windows must be read. In lamp-mini it is 0.03 on real clips; the default is three times that.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from lamp_cli.inference.index.search import Block, Bounds, ExactSearch, MotionQuery, TextQuery

TOKENS, WIDTH, BLOCK = 49, 256, 4096


def random_search(windows: int, radius: float, folder: Path, rng: np.random.Generator) -> ExactSearch:
    """An index of random windows, its embeddings in files under ``folder``."""
    blocks = []
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    # One set of offsets serves every block: drawing 12 billion numbers would take longer than the search.
    offsets = torch.nn.functional.normalize(torch.randn(BLOCK, TOKENS, WIDTH, generator=draw), dim=-1)
    for begin in range(0, windows, BLOCK):
        size = min(BLOCK, windows - begin)
        centres = torch.nn.functional.normalize(torch.randn(size, 1, WIDTH, generator=draw), dim=-1)
        vectors = torch.nn.functional.normalize(centres + radius * offsets[:size], dim=-1).half().numpy()
        path = folder / f"{begin}.bin"
        vectors.tofile(path)
        stored = np.memmap(path, np.float16, "r", shape=vectors.shape)
        blocks.append(Block(stored, Bounds.of(vectors), np.arange(size)))
    return ExactSearch(blocks)


def resident_mb() -> float:
    """Memory of this process that belongs to no file, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    """Print milliseconds per query as a JSON line, beside reading everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--radius", type=float, default=0.1)
    parser.add_argument("--queries", type=int, default=20)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        search = random_search(options.windows, options.radius, Path(folder), rng)
        bounds_mb = sum(v.nbytes for b in search.blocks for v in vars(b.bounds).values()) / 2**20
        before = resident_mb()
        figures: dict[str, float] = {"windows": options.windows, "radius": options.radius}
        texts = [TextQuery(v / np.linalg.norm(v)) for v in rng.normal(size=(options.queries, WIDTH))]
        examples = [MotionQuery(search.blocks[0].embeddings[k]) for k in range(options.queries)]
        for name, queries in (("text", texts), ("motion", examples)):
            search.best(queries[0], 10)
            times = []
            for query in queries:
                begun = time.perf_counter()
                search.best(query, 10)
                times.append(time.perf_counter() - begun)
            figures[f"{name} query, median ms"] = 1000 * float(np.median(times))
            figures[f"{name} query, slowest ms"] = 1000 * max(times)
        begun = time.perf_counter()
        for block in search.blocks[:8]:
            texts[0].score(block.read(np.arange(len(block.rows))))
        share = sum(len(b.rows) for b in search.blocks[:8]) / options.windows
        figures["reading everything, ms"] = 1000 * (time.perf_counter() - begun) / share
        figures["centroids and radii, MB"] = bounds_mb
        figures["memory beyond them, MB"] = resident_mb() - before
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
