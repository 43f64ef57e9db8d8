"""Search your clips from Python: ``python examples/search_your_clips.py FOLDER "someone kicks"``."""

from __future__ import annotations

import sys

import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.inference.retrieve import find

if len(sys.argv) != 3:
    sys.exit(__doc__)
library, sentence = sys.argv[1:]
bundle = load_bundle("lamp-mini", torch.device("cpu"))
for hit in find(bundle, sentence, library):
    print(f"{hit.score:.3f}  {hit.start:6.2f}-{hit.end:6.2f} s  {hit.motion}")
