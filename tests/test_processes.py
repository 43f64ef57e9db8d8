"""Processes that share the processors: results in order, and one thread of linear algebra each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.processes import in_parallel
from tests.conftest import wandering


def _threads_of_a_product(number: int) -> tuple[int, int, int]:
    np.ones((8, 8)) @ np.ones((8, 8))
    return number, os.getpid(), max(each["num_threads"] for each in threadpool_info())


def test_workers_compute_in_one_thread_each_and_answer_in_order() -> None:
    before = threadpool_info()
    found = list(in_parallel(_threads_of_a_product, range(6), workers=2))
    assert [number for number, _, _ in found] == list(range(6))
    assert os.getpid() not in {process for _, process, _ in found}
    assert {threads for _, _, threads in found} == {1}
    assert threadpool_info() == before


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory that is kept to")
def test_a_picture_is_drawn_or_refused_in_little_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", wandering(HUMANML3D, 20).astype(np.float32))
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (200_000 << 10,) * 2)"
    code += "; from lamp_cli.cli.app import main; main(sys.argv[1:])"
    words = ["render", "a.npy", "--format", "png"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr


def test_one_worker_is_this_process() -> None:
    found = list(in_parallel(_threads_of_a_product, range(3), workers=1, jobs_at_once=2))
    assert {process for _, process, _ in found} == {os.getpid()}


def test_a_process_with_little_memory_fails_in_a_way_that_can_be_said() -> None:
    code = """
import resource
from lamp_cli.processes import compute_without_onednn, reserve_for_linear_algebra
import torch
compute_without_onednn()
print(torch.backends.mkldnn.enabled)
resource.setrlimit(resource.RLIMIT_AS, (1 << 44, resource.RLIM_INFINITY))
compute_without_onednn()
print(torch.backends.mkldnn.enabled)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (20 << 20), resource.RLIM_INFINITY))
try:
    reserve_for_linear_algebra()
except MemoryError:
    print("no memory")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n") == ["True", "False", "no memory", ""], done.stderr
