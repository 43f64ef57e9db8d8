"""Processes and threads that share a machine's processors. Knows nothing of what they do."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TypeVar

# OpenBLAS takes a buffer of 32 MiB a thread when it is first called.
BYTES_OF_LINEAR_ALGEBRA = 64 << 20
Job = TypeVar("Job")
Result = TypeVar("Result")


def in_parallel(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, jobs_at_once: int = 1
) -> Iterator[Result]:
    """``work`` of every job, in order, by as many processes as ``workers``; by this one for 1.

    ``jobs_at_once`` are sent together, for jobs that are short.
    """
    if workers <= 1 or len(jobs) <= 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, initializer=begin_worker) as pool:
        yield from pool.map(work, jobs, chunksize=jobs_at_once)


def in_threads(work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    """``work`` of every job, in order, by as many threads as NumPy's linear algebra may use.

    For work on large arrays: products of matrices use every thread by themselves, all else of NumPy one.
    """
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info, threadpool_limits

    # OMP_NUM_THREADS and the like are kept to in this way.
    allowed = max(
        (each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"), default=1
    )
    if allowed <= 1 or len(jobs) <= 1:
        return list(map(work, jobs))
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(allowed) as pool:
        return list(pool.map(work, jobs))


def begin_worker() -> None:
    """Let this process work for the one that started it, which alone answers Ctrl-C and ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    compute_in_one_thread()


def compute_in_one_thread() -> None:
    """Let this process's linear algebra use one thread from here on.

    Each of N processes would start N threads of its own otherwise, and they wait for each other: on 16
    processors that is slower than one process.
    """
    # The limit holds for libraries that are loaded: a process that was not forked has none yet.
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def reserve_for_linear_algebra() -> None:
    """Take the memory of NumPy's linear algebra while there is some, where this process may take little.

    Without any, OpenBLAS would wait for its buffer forever, which no signal ends. Raises ``MemoryError``
    where there is too little from the beginning.
    """
    if not memory_is_limited():
        return
    import numpy

    bytearray(BYTES_OF_LINEAR_ALGEBRA)
    numpy.linalg.inv(numpy.eye(2))


def compute_without_onednn() -> None:
    """Let torch compute without oneDNN, where this process may take little memory.

    Without any, oneDNN's kernels end the process by a segmentation fault; torch's own need less, too.
    """
    if not memory_is_limited():
        return
    import torch

    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]


def memory_is_limited() -> bool:
    """Whether there is a limit of this process's memory, as ``ulimit -v`` sets one."""
    try:
        import resource
    except ModuleNotFoundError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
