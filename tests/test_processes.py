"""Processes that share the processors: results in order, and one thread of linear algebra each."""

from __future__ import annotations

import os

import numpy as np
from threadpoolctl import threadpool_info

from lamp_cli.processes import in_parallel


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


def test_one_worker_is_this_process() -> None:
    found = list(in_parallel(_threads_of_a_product, range(3), workers=1, jobs_at_once=2))
    assert {process for _, process, _ in found} == {os.getpid()}
