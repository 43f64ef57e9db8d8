"""Search your clips from Python: ``python examples/search_your_clips.py FOLDER "someone kicks"``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.inference.index.index import update_index
from lamp_cli.inference.retrieve import find_by_text

library, sentence = Path(sys.argv[1]), sys.argv[2]
bundle = load_bundle("lamp-mini", torch.device("cpu"))
index, report = update_index(bundle, library, library / ".lamp-index")
print(f"{report.files} files, {report.embedded} newly embedded, {len(index.places)} windows")
for hit in find_by_text(bundle, index, sentence, 5, library):
    fps = bundle.config.fps
    print(f"{hit.score:.3f}  {hit.start / fps:6.2f}-{hit.end / fps:6.2f} s  {hit.path} {hit.take}")
