"""All that the command line does, from Python: ``python examples/notebook.py [FOLDER OF MOTIONS]``."""

from __future__ import annotations

import sys

import lamp_cli as lamp

model = lamp.load("lamp-mini")
motion = model.generate("a person jumps", seed=7)
motion.save("jump.npy")
motion.render("jump.mp4")
print(model.caption(motion))
print(model.similarity(motion, "a person jumps"))
print(model.score([("a person jumps", motion)], ["bertscore", "physics"]))
for folder in sys.argv[1:]:
    for hit in model.retrieve("someone kicks", folder):
        print(f"{hit.score:.3f}  {hit.start:6.2f} to {hit.end:6.2f} s  {hit.motion}")
