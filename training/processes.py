"""Runs a function over many jobs in several processes, or in this one."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_all(function: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> list[Result]:
    """Calls a module-level function for every job.

    Args:
        function: What to call.
        jobs: Its arguments, one each.
        processes: How many processes work; 1 means this one.

    Returns:
        The results in the order of the jobs.
    """
    if processes == 1:
        return [function(job) for job in jobs]
    # Fresh processes: a fork would inherit torch's thread pool in whatever state it is.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as executor:
        return list(executor.map(function, jobs))
