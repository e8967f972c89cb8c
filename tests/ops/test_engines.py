"""Maps on clusters: the same results as on processes, a worker that dies, and what cannot work said in words."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import yaml

from stages.core import clusters, engines
from stages.core.parallel import ordered_map, split_errors
from stages.core.params import EngineParams, ParamError
from stages.core.records import ItemError
from stages.core.stage import StageError
from tests.import_closure import ROOT
from tests.ops.clusters import DaskCluster, dask_cluster, ray_cluster
from tests.tiny_clone import run, write_params


def halve(number: int) -> int | ItemError:
    """Half of an even number; an odd one is a failed item, a negative one a defect."""
    if number < 0:
        raise ArithmeticError(f"{number} is negative")
    return number // 2 if number % 2 == 0 else ItemError(str(number), "toy", "odd", "", "cannot be halved")


def halve_slowly(number: int, folder: Path) -> int | ItemError:
    """As ``halve``, and every process that does it leaves its number in the folder."""
    (folder / str(os.getpid())).touch()
    time.sleep(0.05)
    return halve(number)


def kill_first_to_work(folder: Path, killed: list[int]) -> None:
    """SIGKILL to the first process that does an item."""
    while not (names := [path.name for path in folder.iterdir()]):
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(int(names[0]), signal.SIGKILL)
    killed.append(int(names[0]))


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory):
    with ray_cluster(tmp_path_factory.mktemp("ray")) as engine:
        yield engine


def _map_with_a_killed_worker(engine: EngineParams, folder: Path) -> tuple[list, list[int]]:
    folder.mkdir()
    killed: list[int] = []
    killer = threading.Thread(target=kill_first_to_work, args=(folder, killed))
    killer.start()
    found = ordered_map(partial(halve_slowly, folder=folder), range(60), engine, "halve")
    killer.join()
    assert len(list(folder.iterdir())) >= 2
    return found, killed


def test_dask_gives_what_processes_give(dask: DaskCluster) -> None:
    found = ordered_map(halve, range(250), dask.engine, "halve")
    assert found == ordered_map(halve, range(250), 2, "halve")
    assert len(split_errors(found)[1]) == 125


def test_a_defect_on_a_worker_stops_the_map_as_itself(dask: DaskCluster) -> None:
    with pytest.raises(ArithmeticError, match="-4 is negative"):
        ordered_map(halve, [2, -4, 6], dask.engine, "halve")


def test_a_worker_killed_in_the_middle_changes_nothing(dask: DaskCluster, tmp_path: Path) -> None:
    dask.add_worker()
    found, (killed,) = _map_with_a_killed_worker(dask.engine, tmp_path / "seen")
    (died,) = [process for process in dask.processes if process.pid == killed]
    assert died.wait() == -signal.SIGKILL
    assert found == [halve(number) for number in range(60)]


def test_workers_work_in_the_folder_of_the_run(dask: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name, encoding="utf-8")
        monkeypatch.chdir(tmp_path / name)
        assert ordered_map(Path.read_text, [Path("file")] * 4, dask.engine, "read") == [name] * 4


def _stage_outputs(folder: Path, engine: EngineParams) -> dict[str, str]:
    """Digests of what ``phantom``, ``ingest`` and ``anchor`` write in a folder with a tiny set, run as DVC runs them."""
    shutil.copytree(ROOT / "data/cards", folder / "data/cards")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"engine": dataclasses.asdict(engine), "datasets": {"us_phantom": params["datasets"]["us_phantom"]}}
    params["phantom"]["cases"] = {"us_phantom": 12}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MEDGROUND_TRACKING": "off"}
    for stage in ("phantom", "ingest", "anchor"):
        done = subprocess.run([sys.executable, "-m", f"stages.{stage}", "us_phantom"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".parquet", ".json", ".png")
    }


@pytest.fixture(scope="module")
def written_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the stages write on processes of this machine."""
    written = _stage_outputs(tmp_path_factory.mktemp("here"), EngineParams(2, "processes", None))
    assert {"metrics/ingest/us_phantom.json", "metrics/anchor/us_phantom.json"} <= written.keys()
    return written


def test_stages_write_the_same_bytes_on_processes_and_on_dask(dask: DaskCluster, written_here: dict[str, str], tmp_path: Path) -> None:
    assert _stage_outputs(tmp_path, dask.engine) == written_here


def test_another_engine_reruns_nothing(copy: Path) -> None:
    write_params(copy, {"engine": {"kind": "dask", "workers": 3, "address": "tcp://nowhere:1"}})
    assert "Running stage" not in run(copy, "dvc", "repro", "--dry").stdout


def test_workers_of_another_version_are_named(dask: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "surroundings", lambda: {"numpy": "1.0", "code of stages": "0123"})
    with pytest.raises(StageError, match=r"numpy \S+ instead of 1\.0, code of stages \w+ instead of 0123.*requirements-cluster"):
        ordered_map(halve, range(4), dask.engine, "halve")


def test_workers_that_do_not_see_the_checkout_are_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ROOT", Path("/no/such/checkout"))
    with dask_cluster(tmp_path, workers=1) as cluster, pytest.raises(StageError, match="cannot import this repository.*PYTHONPATH"):
        ordered_map(abs, range(4), cluster.engine, "absolute")


def test_a_checkout_elsewhere_serves_by_python_path_when_its_code_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "copy/stages", ignore=shutil.ignore_patterns("__pycache__"))
    engines.surroundings()
    monkeypatch.setattr(engines, "ROOT", Path("/no/such/checkout"))
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.add_worker(python_path=str(tmp_path / "copy"))
        assert ordered_map(abs, [-1, 2, -3], cluster.engine, "absolute") == [1, 2, 3]
        (tmp_path / "copy/stages/core/splits.py").write_text("# other code", encoding="utf-8")
        cluster.processes[-1].kill()
        cluster.processes[-1].wait()
        cluster.add_worker(python_path=str(tmp_path / "copy"))
        with pytest.raises(StageError, match="has code of stages"):
            ordered_map(abs, [-1, 2, -3], cluster.engine, "absolute")


def test_workers_that_do_several_things_at_once_are_refused(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, workers=0) as cluster:
        cluster.add_worker("--nthreads", "2")
        with pytest.raises(StageError, match="--nthreads 1"):
            ordered_map(halve, range(4), cluster.engine, "halve")


def test_a_cluster_without_workers_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "WAIT_S", 1)
    with dask_cluster(tmp_path, workers=0) as cluster, pytest.raises(StageError, match="no worker after 1 s"):
        ordered_map(halve, range(4), cluster.engine, "halve")


def test_a_cluster_that_loses_all_workers_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "WAIT_S", 5)
    with dask_cluster(tmp_path, workers=1) as cluster, pytest.raises(StageError, match="lost all of its workers"):
        _map_with_a_killed_worker(cluster.engine, tmp_path / "seen")


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_an_address_where_nobody_listens_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "WAIT_S", 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ParamError, match=f"no cluster answers at {address}.*engine.address"):
        ordered_map(halve, range(4), EngineParams(1, kind, address), "halve")


def test_ray_gives_what_processes_give_and_a_killed_worker_changes_nothing(ray: EngineParams, tmp_path: Path) -> None:
    assert ordered_map(halve, range(250), ray, "halve") == ordered_map(halve, range(250), 2, "halve")
    with pytest.raises(ArithmeticError, match="-4 is negative"):
        ordered_map(halve, [2, -4, 6], ray, "halve")
    found, (killed,) = _map_with_a_killed_worker(ray, tmp_path / "seen")
    assert not Path(f"/proc/{killed}").exists()
    assert found == [halve(number) for number in range(60)]


def test_stages_write_the_same_bytes_on_processes_and_on_ray(ray: EngineParams, written_here: dict[str, str], tmp_path: Path) -> None:
    assert _stage_outputs(tmp_path, ray) == written_here
