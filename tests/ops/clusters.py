"""Clusters on this machine for the tests: a Dask scheduler with two workers, and Ray; started as a user would, in a folder of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import EngineParams


@dataclass
class DaskCluster:
    """A running scheduler with its workers; ``engine`` is what params.yaml would say."""

    folder: Path
    engine: EngineParams
    processes: list[subprocess.Popen[bytes]]

    def add_worker(self, *options: str, python_path: str | None = None) -> subprocess.Popen[bytes]:
        """One more worker, with one thread; ``python_path`` becomes its PYTHONPATH (by default it has none)."""
        command = ["distributed.cli.dask_worker", str(self.engine.address), "--no-nanny", "--no-dashboard", "--host", "127.0.0.1",
                   "--local-directory", str(self.folder / "space"), "--nthreads", "1", *options]  # fmt: skip
        self.processes.append(_start(command, self.folder, python_path))
        return self.processes[-1]


@contextlib.contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    """A Dask cluster that knows nothing of this repository: its processes run elsewhere, without a PYTHONPATH."""
    where = folder / "scheduler.json"
    cluster = DaskCluster(folder, EngineParams(1, "dask", None), [])
    try:
        cluster.processes.append(_start(["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(where)], folder))
        _wait(where.exists, "the Dask scheduler")
        cluster.engine = EngineParams(1, "dask", json.loads(where.read_text(encoding="utf-8"))["address"])
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        for process in cluster.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _start(command: list[str], folder: Path, python_path: str | None = None) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    if python_path is not None:
        environment["PYTHONPATH"] = python_path
    log = (folder / "cluster.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=log)


def _wait(ready: object, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not start within {seconds} s")
        time.sleep(0.05)


@contextlib.contextmanager
def ray_cluster(folder: Path) -> Iterator[EngineParams]:
    """A Ray head with two cores on a free port; its workers run elsewhere and know nothing of this repository."""
    ray = [str(Path(sys.executable).parent / "ray")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats",
             f"--temp-dir={folder}", f"--object-store-memory={100 * 2**20}"]  # fmt: skip
    with (folder / "head.log").open("wb") as log:
        head = subprocess.Popen(ray + start, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(lambda: "Ray runtime started" in (folder / "head.log").read_text(encoding="utf-8"), "Ray")
        yield EngineParams(1, "ray", f"127.0.0.1:{port}")
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait()
