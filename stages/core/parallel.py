"""Ordered map over worker processes; failures come back as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from stages.core.records import ItemError

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    description: str,
) -> list[R]:
    """``[function(item) for item in items]`` over ``workers`` processes, in the order of the items, with a progress bar.

    ``function`` must be picklable and deterministic in its item, so that the result does not depend on the
    number of workers. It reports a bad item by returning an ItemError; an exception is a defect and stops the stage.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    work = list(items)
    if workers <= 1 or len(work) < 2:
        return [function(item) for item in tqdm(work, desc=description, unit="item")]
    pool = Parallel(n_jobs=workers, return_as="generator", batch_size="auto", inner_max_num_threads=1, backend="loky")
    return list(tqdm(pool(delayed(function)(item) for item in work), total=len(work), desc=description, unit="item"))


def split_errors(results: Iterable[Any]) -> tuple[list[Any], list[ItemError]]:
    """Results apart from error values, each in order. A result may be a list that holds both."""
    values: list[Any] = []
    errors: list[ItemError] = []
    for result in results:
        for entry in result if isinstance(result, list) else [result]:
            (errors if isinstance(entry, ItemError) else values).append(entry)
    return values, errors
