"""Benchmark of exact search: ``python -m examples.bench.search [--windows N]``.

Random windows on disk, 49 query tokens of width 256 each, memory-mapped as in an index.
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

from lamp_cli.inference.index.search import Block, motion_similarities, text_similarities

TOKENS, WIDTH, BLOCK = 49, 256, 4096


def random_blocks(windows: int, folder: Path) -> list[Block]:
    """An index of random windows, its embeddings in files under ``folder``."""
    blocks = []
    draw = torch.Generator().manual_seed(0)
    for begin in range(0, windows, BLOCK):
        size = min(BLOCK, windows - begin)
        vectors = torch.nn.functional.normalize(torch.randn(size, TOKENS, WIDTH, generator=draw), dim=-1)
        path = folder / f"{begin}.bin"
        vectors.half().numpy().tofile(path)
        stored = np.memmap(path, np.float16, "c", shape=(size, TOKENS, WIDTH))
        blocks.append(Block(stored, np.arange(size)))
    return blocks


def resident_mb() -> float:
    """Memory of this process that belongs to no file, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    """Print milliseconds per query and the memory of a search as a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        blocks = random_blocks(options.windows, Path(folder))
        figures: dict[str, float] = {"windows": options.windows, "threads": torch.get_num_threads()}
        texts = rng.normal(size=(options.queries, WIDTH)) / WIDTH**0.5
        text_similarities(blocks[:1], texts[0])
        before = resident_mb()
        for name, search, queries in (
            ("text", text_similarities, texts),
            ("motion", motion_similarities, blocks[0].embeddings[: options.queries, None]),
        ):
            times = []
            for query in queries:
                begun = time.perf_counter()
                np.argsort(-search(blocks, query), kind="stable")
                times.append(time.perf_counter() - begun)
            figures[f"{name} query, median ms"] = 1000 * float(np.median(times))
            figures[f"{name} query, slowest ms"] = 1000 * max(times)
        figures["memory of searching, MB"] = resident_mb() - before
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
