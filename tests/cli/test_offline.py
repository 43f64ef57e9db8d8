"""Without a network every command does its work: nothing is asked for unless a name of the hub is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from examples.bench.offline.sitecustomize import NETWORK
from lamp_cli.motion.skeleton import HUMANML3D
from tests.bundle.released_files import write_released_files
from tests.conftest import wandering
from tests.small_size import SMALL

ROOT = Path(__file__).parent.parent.parent
CALLS = (
    "prepare --synthetic 8 --output data",
    f"pretrain --data data --output trained --config {SMALL} --text-encoder none --stage tokenizer "
    "--steps tokenizer=1 --batch-size tokenizer=2",
    "generate jump --seconds 2 --candidates 1 --format npy --output out",
    "edit clips/a.npy jump --after 0.5 --candidates 1 --format npy --output out",
    "retrieve jump --library clips",
    "caption clips/a.npy",
    "render clips/a.npy --format png --output out",
    "convert clips/a.npy out/a.bvh",
    "import --tokenizer released/vq.tar --mean released/mean.npy --std released/std.npy --output imported",
    "info lamp-mini",
    "check walk clips/a.npy",
    "score --physics clips/a.npy",
    "score --bertscore --pairs pairs.jsonl",
    "generate jump --model somebody/their-model",
)
CODE = """
import sys
from lamp_cli.cli.app import COMMANDS, main
called = [line.split() for line in sys.argv[1:]]
assert {words[0] for words in called} == {*COMMANDS} - {"serve"}
for words in called:
    print(words, file=sys.stderr)
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
"""


def test_only_a_name_of_the_hub_asks_for_the_network(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    np.save(tmp_path / "clips/a.npy", wandering(HUMANML3D, 40))
    (tmp_path / "released").mkdir()
    write_released_files(tmp_path / "released")
    (tmp_path / "pairs.jsonl").write_text('{"text": "a person walks", "motion": "clips/a.npy"}\n' * 4)
    path = os.pathsep.join([str(ROOT / "examples/bench/offline"), str(ROOT)])
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    env |= {"PYTHONPATH": path, "HF_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", CODE, *CALLS]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    *_, last = done.stderr.splitlines()
    assert done.returncode == NETWORK and last.startswith("asks for the network: "), done.stderr[-3000:]
    # Each of the others has written its results.
    assert [*json.loads(done.stdout.splitlines()[-1])][:1] == ["metric"]
