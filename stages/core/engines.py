"""Maps on a cluster that exists already, Dask or Ray: what is shipped, what is checked first, what a lost worker means.

A task is a chunk of the items. It travels as bytes with a small function that needs nothing of this repository to arrive;
on the worker that function imports ``stages`` from the checkout that the run was started in (a path that all machines
share), compares code and package versions with the run's, and works in the run's folder. So a cluster may stay up while
the code changes, and serves experiments of several checkouts. A chunk whose worker dies is done again on another.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stages.core.clusters import CLUSTERS, Cluster, Task, address_of
from stages.core.params import EngineParams
from stages.core.stage import StageError

# A task is at most so many items and, pickled, so many bytes.
ITEMS_PER_TASK = 100
BYTES_PER_TASK = 8_000_000
# Tasks under way or waiting, for each worker: enough to keep it busy, few enough to hold in memory.
TASKS_PER_WORKER = 4
# Packages whose version can change what a map returns, or how it is shipped.
PACKAGES = ("cloudpickle", "ImageHash", "numba", "numpy", "opencv-python-headless", "pillow", "pyarrow", "pycocotools",
            "pydicom", "scikit-image", "scipy", "SimpleITK", "spacy")  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]

# On a worker: the checkout and the surroundings that its `stages` was compared with.
_compared: tuple[str, dict[str, str]] | None = None


def map_on_cluster(function: Callable[[Any], Any], items: Sequence[Any], engine: EngineParams, description: str) -> list[Any]:
    """``[function(item) for item in items]`` on the cluster of ``engine``, in order, with a progress bar.

    Raises:
        ParamError: no address, a package is missing, or nothing answers at the address.
        StageError: the workers cannot do this run's work, or the cluster lost it.
    """
    from tqdm import tqdm

    results: list[Any] = []
    address = address_of(engine)
    with CLUSTERS[engine.kind](address, portable_task()) as cluster, tqdm(total=len(items), desc=description, unit="item") as bar:
        import cloudpickle

        size = task_size(len(items), cluster.workers())
        fixed = (str(Path.cwd()), str(ROOT), surroundings(), cloudpickle.dumps(function))
        waiting: deque[Any] = deque()
        for task in _tasks(items, size):
            waiting.append(cluster.submit(*fixed, task))
            if len(waiting) >= TASKS_PER_WORKER * cluster.workers():
                results += _collect(cluster, waiting.popleft(), engine.kind, address)
                bar.update(len(results) - bar.n)
        while waiting:
            results += _collect(cluster, waiting.popleft(), engine.kind, address)
            bar.update(len(results) - bar.n)
    return results


def _tasks(items: Sequence[Any], size: int) -> Iterator[list[bytes]]:
    """Pickled items, ``size`` a task or fewer where they are large."""
    import cloudpickle

    task: list[bytes] = []
    for item in items:
        shipped = cloudpickle.dumps(item)
        if task and (len(task) == size or sum(map(len, task)) + len(shipped) > BYTES_PER_TASK):
            yield task
            task = []
        task.append(shipped)
    if task:
        yield task


def _collect(cluster: Cluster, handle: Any, kind: str, address: str) -> list[Any]:
    import cloudpickle

    answer = cluster.result(handle)
    if isinstance(answer, str):
        raise StageError(f"the {kind} cluster at {address} cannot do this run's work: {answer}")
    return list(cloudpickle.loads(answer))


def task_size(items: int, workers: int) -> int:
    """Items a task: at most ``ITEMS_PER_TASK``, since a task costs up to a tenth of a millisecond beside the work, and so
    few that every worker gets some of them."""
    return max(1, min(ITEMS_PER_TASK, items // (TASKS_PER_WORKER * workers)))


@cache
def surroundings() -> dict[str, str]:
    """What two machines must have in common to give the same bytes: Python, packages, and this repository's code."""
    digest = hashlib.sha256()
    files = (path for path in (ROOT / "stages").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted(files, key=lambda path: path.as_posix()):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "code of stages": digest.hexdigest()[:12], **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def portable_task() -> Task:
    """The function that goes to the workers: nested, so that it is shipped by value and arrives where ``stages`` does not.

    It returns pickled results, or in words why this worker cannot do the work.
    """

    def run(folder: str, root: str, expected: dict[str, str], function: bytes, items: list[bytes]) -> bytes | str:
        import importlib
        import sys

        engines = sys.modules.get("stages.core.engines")
        if engines is None or engines._compared != (root, expected):
            # Another checkout, or the same one with other code: modules that were imported from it would answer for this one.
            for name in [name for name in sys.modules if name == "stages" or name.startswith("stages.")]:
                del sys.modules[name]
            former = engines._compared[0] if engines and engines._compared else root
            sys.path[:] = [root, *(entry for entry in sys.path if entry not in (root, former))]
            importlib.invalidate_caches()
            try:
                engines = importlib.import_module("stages.core.engines")
            except ImportError as error:
                return f"a worker on {platform.node()} cannot import this repository ({error}): run from a path that all machines share ({root} is not there), or start the workers with PYTHONPATH set to the same checkout, and install requirements.txt and requirements-cluster.txt there"  # noqa: E501
        return engines.run_chunk(folder, root, expected, function, items)

    return run


def run_chunk(folder: str, root: str, expected: dict[str, str], function: bytes, items: list[bytes]) -> bytes | str:
    """On a worker: pickled results of the pickled items, or why this worker cannot do them."""
    global _compared
    import cloudpickle

    if _compared != (root, expected):
        found = surroundings()
        other = [f"{name} {found.get(name)} instead of {value}" for name, value in expected.items() if found.get(name) != value]
        if other:
            return f"a worker on {socket.gethostname()} has {', '.join(other)}: give it the same checkout and `pip install -r requirements.txt -r requirements-cluster.txt`"
        _compared = (root, expected)
    if not Path(folder).is_dir():
        return f"a worker on {socket.gethostname()} does not see the folder {folder}: run from a path that all machines share"
    with chdir(folder):
        work = cloudpickle.loads(function)
        return bytes(cloudpickle.dumps([work(cloudpickle.loads(item)) for item in items]))
