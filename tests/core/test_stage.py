"""What every entry shares: seeds, error bounds, metrics files, readable ends."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import ParamError, load_params
from stages.core.records import ItemError
from stages.core.shards import read_table
from stages.core.stage import (
    StageError,
    Table,
    check_error_rate,
    count_by,
    run_stage,
    seed_for,
    write_errors,
    write_metrics,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]


def _error(item: str, file: str = "", cause: str = "broken") -> ItemError:
    return ItemError(item, "ingest", "unreadable", file, cause)


@pytest.fixture
def in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    return tmp_path


def test_a_stage_writes_its_metrics_sorted_and_rounded(in_a_repository: Path) -> None:
    run_stage("toy/one", lambda params: {"b": 1 / 3, "a": {"y": 2, "x": params.seed}})
    text = (in_a_repository / "metrics/toy/one.json").read_text()
    assert json.loads(text) == {"a": {"x": load_params().seed, "y": 2}, "b": 0.333333}
    assert text.index('"a"') < text.index('"b"') and text.endswith("}\n")


def test_a_stage_without_metrics_writes_none(in_a_repository: Path) -> None:
    run_stage("toy", lambda params: None)
    assert not (in_a_repository / "metrics").exists()


@pytest.mark.parametrize("error", [ParamError, StageError, FileNotFoundError, NotADirectoryError, PermissionError])
def test_a_known_error_ends_with_its_message_and_status_one(in_a_repository: Path, capsys: pytest.CaptureFixture, error: type) -> None:
    def body(params):
        raise error("the folder is missing")

    with pytest.raises(SystemExit) as ended:
        run_stage("toy", body)
    assert ended.value.code == 1
    assert "toy: the folder is missing" in capsys.readouterr().err
    assert not (in_a_repository / "metrics").exists()


def test_a_defect_is_not_hidden(in_a_repository: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_stage("toy", lambda params: {"a": 1 // 0})


@pytest.mark.parametrize("leaf", [None, float("nan"), float("inf"), "text", [1, 2], True])
def test_a_metric_that_dvc_would_lose_is_refused_by_its_name(tmp_path: Path, leaf) -> None:
    with pytest.raises(ValueError, match=r"m.json:outer:inner: a metric must be a finite number"):
        write_metrics(tmp_path / "m.json", {"outer": {"inner": leaf}})
    assert not (tmp_path / "m.json").exists()


@given(st.integers(0, 2**40), st.lists(st.text(max_size=5), max_size=4))
def test_a_seed_fits_63_bits_and_is_the_same_each_time(seed: int, ids: list[str]) -> None:
    assert 0 <= seed_for(seed, *ids) < 2**63
    assert seed_for(seed, *ids) == seed_for(seed, *ids)


def test_a_seed_depends_on_every_part_and_on_their_borders() -> None:
    seeds = {
        seed_for(7),
        seed_for(8),
        seed_for(7, "a"),
        seed_for(7, "a", "b"),
        seed_for(7, "b", "a"),
        seed_for(7, "ab"),
        seed_for(7, "a", ""),
    }
    assert len(seeds) == 7


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert seed_for(7, "toy/case/0", 1) == 9115674472717447353


def test_errors_within_the_bound_go_on_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "medground"):
        check_error_rate("ingest", [_error("a", "a.png")], 10, 0.1)
    assert "ingest: unreadable: a.png: broken" in caplog.text


def test_errors_beyond_the_bound_stop_with_the_list_and_a_remedy() -> None:
    with pytest.raises(StageError, match=r"2 of 10 items failed.*ingest.max_error_rate = 0.1(.|\n)*unreadable: a.png: broken(.|\n)*or raise"):
        check_error_rate("ingest", [_error("a", "a.png"), _error("b")], 10, 0.1)


def test_several_errors_of_one_item_count_once() -> None:
    check_error_rate("ingest", [_error("a", cause=str(k)) for k in range(5)], 10, 0.1)


def test_nothing_to_do_is_an_error() -> None:
    with pytest.raises(StageError, match="there is nothing to do"):
        check_error_rate("ingest", [], 0, 1.0)


def test_only_errors_and_no_item_is_beyond_any_bound_below_one() -> None:
    with pytest.raises(StageError, match="3 of 3 items failed"):
        check_error_rate("ingest", [_error(str(k)) for k in range(3)], 0, 0.99)


def test_equal_errors_are_written_once_and_in_order(tmp_path: Path) -> None:
    write_errors(tmp_path / "errors", [_error("b"), _error("a"), _error("b")])
    assert [error.item_id for error in read_table(tmp_path / "errors", ItemError)] == ["a", "b"]


def test_counts_stand_in_the_order_of_names() -> None:
    assert list(count_by(["b", "a", "b"]).items()) == [("a", 1), ("b", 2)]


def test_a_table_stands_beside_the_metrics_and_holds_names_and_finite_numbers(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_metrics(path, {"n": 2, "by": Table([{"name": "a", "n": 2}])})
    assert json.loads(path.read_text(encoding="utf-8")) == {"n": 2, "by": [{"name": "a", "n": 2}]}
    with pytest.raises(ValueError, match="m.json:by:0:n"):
        write_metrics(path, {"by": Table([{"name": "a", "n": float("nan")}])})
