"""Connections to clusters that exist already, Dask and Ray. A cluster of another kind is one function and one line here."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from stages.core.params import EngineParams, ParamError
from stages.core.stage import StageError

ADDRESS_VARIABLE = "MEDGROUND_ENGINE_ADDRESS"
WAIT_S = 30

Task = Callable[..., bytes | str]


class Cluster(Protocol):
    """A connection that runs one function on many arguments."""

    def workers(self) -> int:
        """Tasks that run at once, now: a cluster may grow and shrink.

        Raises:
            StageError: the workers are not of the kind that this module's tasks need.
        """
        ...

    def submit(self, *arguments: Any) -> Any:
        """Start a task; the answer stands for its result."""
        ...

    def result(self, handle: Any) -> bytes | str:
        """Wait for a task.

        Raises:
            StageError: the cluster lost the task for good. What the task itself raises comes through.
        """
        ...


def address_of(engine: EngineParams) -> str:
    """Where the cluster is: ``engine.address``, else the environment.

    Raises:
        ParamError: neither says.
    """
    address = engine.address or os.environ.get(ADDRESS_VARIABLE, "")
    if not address:
        example = {"dask": "tcp://HOST:8786", "ray": "HOST:6379"}[engine.kind]
        raise ParamError(f"params.yaml:engine.kind is {engine.kind}, so engine.address (or the environment's {ADDRESS_VARIABLE}) must name a cluster, e.g. {example}")
    return address


class _Dask:
    def __init__(self, client: Any, address: str, task: Task) -> None:
        self.client, self.address, self.task = client, address, task

    def workers(self) -> int:
        threads = self.client.nthreads()
        if max(threads.values(), default=1) > 1:
            raise StageError(f"workers of the Dask cluster at {self.address} run several tasks in one process: start them with --nthreads 1 (and --nworkers N for N cores)")
        return max(1, len(threads))

    def submit(self, *arguments: Any) -> Any:
        return self.client.submit(self.task, *arguments, pure=False)

    def result(self, handle: Any) -> bytes | str:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        error = self._error(handle)
        if isinstance(error, KilledWorker):
            raise StageError(f"workers died at one and the same task ({error}): look into their logs; mostly their memory does not suffice") from error
        if isinstance(error, CancelledError):
            raise StageError(f"the Dask scheduler at {self.address} was lost in the middle of the map: start the cluster again, then the stage") from error
        answer: bytes | str = handle.result()
        return answer

    def _error(self, handle: Any) -> BaseException | None:
        """What a finished task raised; waits for it as long as the cluster has workers."""
        while True:
            try:
                found: BaseException | None = handle.exception(timeout=WAIT_S)
                return found
            except TimeoutError:
                if not self.client.nthreads():
                    raise StageError(f"the Dask cluster at {self.address} has lost all of its workers: start some, then the stage again") from None


@contextmanager
def dask_cluster(address: str, task: Task) -> Iterator[Cluster]:
    """The Dask cluster whose scheduler listens at ``address`` (``tcp://``, or ``tls://`` with Dask's own settings)."""
    try:
        from distributed import Client
    except ImportError as error:
        raise _not_installed("dask", error) from error
    try:
        client = Client(address, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError as error:
            raise StageError(f"the Dask cluster at {address} has no worker after {WAIT_S} s: start some (dask worker {address} --nthreads 1)") from error
        yield _Dask(client, address, task)


class _Ray:
    def __init__(self, address: str, task: Task) -> None:
        import ray

        self.address, self.remote = address, ray.remote(num_cpus=1, max_retries=3)(task)

    def workers(self) -> int:
        import ray

        cores = int(ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise StageError(f"the Ray cluster at {self.address} has no CPU: start a node with `ray start --address {self.address}`")
        return cores

    def submit(self, *arguments: Any) -> Any:
        return self.remote.remote(*arguments)

    def result(self, handle: Any) -> bytes | str:
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            answer: bytes | str = ray.get(handle)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            raise StageError(f"the Ray cluster lost a task for good: {error}. Look into its logs; mostly the memory of its workers does not suffice") from error
        return answer


@contextmanager
def ray_cluster(address: str, task: Task) -> Iterator[Cluster]:
    """The Ray cluster whose head listens at ``address`` (``HOST:6379``, or ``auto`` on one of its machines)."""
    try:
        import ray
    except ImportError as error:
        raise _not_installed("ray", error) from error
    _knock(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _unreachable(address, error) from error
    try:
        yield _Ray(address, task)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Whether anybody listens, before Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=WAIT_S).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _not_installed(kind: str, error: ImportError) -> ParamError:
    return ParamError(f"params.yaml:engine.kind is {kind}, which is not installed ({error}): pip install -r requirements-cluster.txt")


def _unreachable(address: str, error: Exception) -> ParamError:
    cause = f"{type(error).__name__}: {error}"
    return ParamError(
        f"no cluster answers at {address} ({cause}): mend params.yaml:engine.address (or {ADDRESS_VARIABLE}), start the cluster, or set engine.kind to processes"
    )


CLUSTERS: dict[str, Callable[[str, Task], AbstractContextManager[Cluster]]] = {"dask": dask_cluster, "ray": ray_cluster}
