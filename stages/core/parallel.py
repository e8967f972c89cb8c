"""Ordered map over processes of this machine or the workers of a cluster; failures come back as values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from stages.core.clusters import CLUSTERS
from stages.core.engines import map_on_cluster
from stages.core.params import EngineParams, require
from stages.core.records import ItemError
from stages.core.stage import StageError

PROCESSES = "processes"
T = TypeVar("T")
R = TypeVar("R")

# Where a map runs: so many processes of this machine, or what `engine` in params.yaml says.
Workers = int | EngineParams


def ordered_map(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: Workers,
    description: str,
) -> list[R]:
    """``[function(item) for item in items]`` on the engine, in the order of the items, with a progress bar.

    ``function`` must be picklable and deterministic in its item, so that the result depends neither on the engine nor on
    the number of workers. It reports a bad item by returning an ItemError; an exception is a defect and stops the stage.

    Raises:
        ParamError: the ``engine`` block cannot be used as it stands.
        StageError: a worker process died, or the cluster cannot be used or lost the work.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool
    from tqdm import tqdm

    work, count = list(items), worker_count(workers)
    if isinstance(workers, EngineParams) and workers.kind in CLUSTERS and len(work) > 1:
        return map_on_cluster(function, work, workers, description)
    if count <= 1 or len(work) < 2:
        return [function(item) for item in tqdm(work, desc=description, unit="item")]
    pool = Parallel(n_jobs=count, return_as="generator", batch_size="auto", inner_max_num_threads=1, backend="loky")
    try:
        return list(tqdm(pool(delayed(_in_folder)(os.getcwd(), function, item) for item in work), total=len(work), desc=description, unit="item"))
    except BrokenProcessPool as error:
        raise StageError(f"{description}: a worker process was killed, mostly for want of memory: lower engine.workers ({count}) in params.yaml") from error


def _in_folder(folder: str, function: Callable[[T], R], item: T) -> R:
    """A pool is used again by the next map, and its processes stay where they were started: go where the caller is now."""
    os.chdir(folder)
    return function(item)


def worker_count(workers: Workers) -> int:
    """Number of worker processes on this machine: as given, or ``engine.workers``, or the cores that this process may use.

    Raises:
        ParamError: ``engine.kind`` is unknown or ``engine.workers`` is negative.
    """
    if isinstance(workers, int):
        return workers
    known = (PROCESSES, *CLUSTERS)
    require(workers.kind in known, "engine.kind", f"one of {', '.join(known)}", workers.kind)
    require(workers.workers >= 0, "engine.workers", "at least 0", workers.workers)
    if workers.workers > 0:
        return workers.workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_errors(results: Iterable[Any]) -> tuple[list[Any], list[ItemError]]:
    """Results apart from error values, each in order. A result may be a list that holds both."""
    values: list[Any] = []
    errors: list[ItemError] = []
    for result in results:
        for entry in result if isinstance(result, list) else [result]:
            (errors if isinstance(entry, ItemError) else values).append(entry)
    return values, errors
