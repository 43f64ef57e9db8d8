"""The small sets of motions that are there without any data: a library to search, a set to score.

They are synthetic, so nothing of them has to be stored in the package: they are made on first use, in the
user's cache folder, and are the same everywhere. Their seed is none that training uses.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .. import __version__
from ..motion.skeleton import HUMANML3D
from ..storage import making_folder, write_array, write_text
from .examples import FOLDERS, write_example
from .statistics import compute_statistics, save_statistics

SEED = 20_260_000
# Raised when the synthetic corpus changes, so that sets made of the earlier one are not taken for it.
CORPUS = f"{__version__}-3"
LIBRARY_CLIPS = 120
EVALUATION_CLIPS = 96
EVALUATION_SPLIT = "val"


def sample_library() -> Path:
    """A folder of motion files with a sentence beside each; made when it is not there yet."""
    folder = _cache() / f"library-{CORPUS}"
    if folder.is_dir():
        return folder
    from ..synthetic.corpus import numbered_clip

    with making_folder(folder) as temporary:
        for number in range(LIBRARY_CLIPS):
            clip = numbered_clip(SEED, number)
            name = f"{number:03d}_{clip.truth['action'].replace(' ', '_')}"
            write_array(temporary / f"{name}.npy", clip.joints)
            write_text(temporary / f"{name}.txt", "".join(f"{caption}\n" for caption in clip.captions))
    return folder


def sample_evaluation_set() -> Path:
    """A data set folder whose ``val`` split is a small evaluation set; made when it is not there yet."""
    folder = _cache() / f"evaluation-set-{CORPUS}"
    if folder.is_dir():
        return folder
    from ..synthetic.corpus import numbered_clip

    with making_folder(folder) as temporary:
        for name in FOLDERS:
            (temporary / name).mkdir()
        names = [f"E{number:03d}" for number in range(EVALUATION_CLIPS)]
        for number, name in enumerate(names):
            clip = numbered_clip(SEED + 1, number)
            write_example(name, clip.joints, clip.captions, HUMANML3D, temporary)
        features = (np.load(temporary / "new_joint_vecs" / f"{n}.npy", allow_pickle=False) for n in names)
        save_statistics(temporary, compute_statistics(features, HUMANML3D))
        write_text(temporary / f"{EVALUATION_SPLIT}.txt", "".join(f"{name}\n" for name in names))
    return folder


def _cache() -> Path:
    """The user's cache folder, where the XDG specification puts it."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lamp"
