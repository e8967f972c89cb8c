"""The ordered map: same results on one worker and on many, failures as values, defects as exceptions."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stages.core.clusters import ADDRESS_VARIABLE, address_of
from stages.core.engines import task_size
from stages.core.parallel import ordered_map, split_errors, worker_count
from stages.core.params import EngineParams, ParamError
from stages.core.records import ItemError
from stages.core.stage import StageError
from tests.import_closure import ROOT


def halve(number: int) -> int | ItemError:
    """Half of an even number; an odd one is a failed item, a negative one a defect."""
    if number < 0:
        raise ArithmeticError(f"{number} is negative")
    return number // 2 if number % 2 == 0 else ItemError(str(number), "toy", "odd", "", "cannot be halved")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_stand_in_the_order_of_the_items(workers: int) -> None:
    assert ordered_map(halve, range(0, 80, 2), workers, "halve") == list(range(40))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_item_is_a_value_in_its_place(workers: int) -> None:
    results = ordered_map(halve, [2, 3, 4], workers, "halve")
    values, errors = split_errors(results)
    assert values == [1, 2]
    assert [error.item_id for error in errors] == ["3"] and results[1] is errors[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_defect_stops_the_map(workers: int) -> None:
    with pytest.raises(ArithmeticError, match="-4 is negative"):
        ordered_map(halve, [2, -4, 6], workers, "halve")


def folder_of(_: int) -> str:
    """Where a worker works."""
    return os.getcwd()


def test_workers_are_in_the_folder_of_the_caller_though_their_pool_was_started_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert set(ordered_map(folder_of, range(4), 2, "folders")) == {str(tmp_path / name)}


def die(number: int) -> int:
    """What the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_worker_process_says_what_to_lower() -> None:
    with pytest.raises(StageError, match="halve: a worker process was killed.*lower engine.workers"):
        ordered_map(die, [2, 4], 2, "halve")


def test_nothing_maps_to_nothing() -> None:
    assert ordered_map(halve, [], 4, "halve") == []


def test_an_iterator_is_taken_once() -> None:
    assert ordered_map(halve, iter([2, 4]), 1, "halve") == [1, 2]


def test_progress_goes_to_the_error_stream_with_its_name(capsys: pytest.CaptureFixture) -> None:
    ordered_map(halve, [2, 4], 1, "halving")
    captured = capsys.readouterr()
    assert "halving" in captured.err and captured.out == ""


def test_lists_of_results_and_errors_are_taken_apart_in_order() -> None:
    error = ItemError("x", "toy", "odd", "", "")
    assert split_errors([[1, error, 2], 3, error]) == ([1, 2, 3], [error, error])


ENGINE = EngineParams(3, "processes", None)


def test_workers_are_the_parameter_or_the_cores() -> None:
    assert worker_count(2) == 2
    assert worker_count(ENGINE) == 3
    assert worker_count(dataclasses.replace(ENGINE, workers=0)) >= 1


def test_the_engine_of_the_parameters_runs_the_map() -> None:
    assert ordered_map(halve, range(0, 80, 2), ENGINE, "halve") == list(range(40))


@pytest.mark.parametrize(
    ("change", "message"), [({"kind": "spark"}, "engine.kind must be one of processes, dask, ray, got 'spark'"), ({"workers": -1}, "engine.workers must be at least 0")]
)
def test_an_unknown_engine_is_named(change: dict, message: str) -> None:
    with pytest.raises(ParamError, match=message):
        ordered_map(halve, [2, 4], dataclasses.replace(ENGINE, **change), "halve")


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_cluster_without_an_address_is_asked_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    with pytest.raises(ParamError, match=rf"engine\.kind is {kind}, so engine\.address \(or the environment's MEDGROUND_ENGINE_ADDRESS\)"):
        ordered_map(halve, [2, 4], EngineParams(1, kind, None), "halve")


def test_the_address_comes_from_the_parameters_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "tcp://there:1")
    assert address_of(EngineParams(1, "dask", None)) == "tcp://there:1"
    assert address_of(EngineParams(1, "dask", "tcp://here:2")) == "tcp://here:2"


@pytest.mark.parametrize(("kind", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_an_engine_that_is_not_installed_says_what_to_install(kind: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ParamError, match=f"engine.kind is {kind}, which is not installed .*pip install -r requirements-cluster.txt"):
        ordered_map(halve, [2, 4], EngineParams(1, kind, "127.0.0.1:9"), "halve")


@given(items=st.integers(1, 10**7), workers=st.integers(1, 5000))
def test_tasks_are_no_larger_than_a_hundred_items_and_leave_some_for_every_worker(items: int, workers: int) -> None:
    size = task_size(items, workers)
    assert 1 <= size <= 100
    assert size == 1 or items // size >= workers


def test_no_stage_depends_on_the_engine() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = [name for stage in stages.values() for name in stage.get("do", stage).get("params", [])]
    assert named
    assert [name for name in named if str(name).startswith("engine")] == []
