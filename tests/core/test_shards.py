"""Shards: same records, same bytes; nothing half-written, nothing left over."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.records import ItemError, Query, Verdict
from stages.core.shards import iter_table, read_frame, read_table, shard_paths, write_table
from tests.split.tables import query


def _digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _queries(n: int) -> list[Query]:
    return [query(f"d/{k:04d}/0", 0, [], text=f"text {k}") for k in range(n)]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_change_the_bytes(tmp_path_factory, random) -> None:
    folder, rows = tmp_path_factory.mktemp("t"), _queries(7)
    write_table(folder / "a", Query, rows, rows_per_shard=3)
    random.shuffle(rows)
    write_table(folder / "b", Query, rows, rows_per_shard=3)
    assert _digest(folder / "a") == _digest(folder / "b")
    assert len(_digest(folder / "a")) == 3


def test_records_come_back_in_id_order(tmp_path: Path) -> None:
    assert write_table(tmp_path / "t", Query, reversed(_queries(10)), rows_per_shard=4) == 10
    assert read_table(tmp_path / "t", Query) == _queries(10)


def test_a_smaller_table_leaves_no_shard_of_the_larger_one(tmp_path: Path) -> None:
    write_table(tmp_path / "t", Query, _queries(10), rows_per_shard=2)
    write_table(tmp_path / "t", Query, _queries(1), rows_per_shard=2)
    assert [path.name for path in shard_paths(tmp_path / "t")] == ["part-00000.parquet"]
    assert len(read_table(tmp_path / "t", Query)) == 1


def test_an_empty_table_has_a_shard_with_the_schema(tmp_path: Path) -> None:
    assert write_table(tmp_path / "t", Query, []) == 0
    assert read_table(tmp_path / "t", Query) == []
    assert "claims" in pq.read_schema(tmp_path / "t" / "part-00000.parquet").names


def test_two_rows_of_one_id_are_refused_and_the_old_table_stays(tmp_path: Path) -> None:
    write_table(tmp_path / "t", Query, _queries(2))
    with pytest.raises(ValueError, match="two Query rows have the key 'd/0000/0~0'"):
        write_table(tmp_path / "t", Query, [*_queries(1), *_queries(1)])
    assert read_table(tmp_path / "t", Query) == _queries(2)


def test_a_missing_value_where_one_is_needed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid, match="text"):
        write_table(tmp_path / "t", Query, [dataclasses.replace(_queries(1)[0], text=None)])


def test_verdicts_are_keyed_by_query_and_check(tmp_path: Path) -> None:
    rows = [Verdict("q", check, True, "", None, "") for check in ("priors", "format")]
    write_table(tmp_path / "t", Verdict, rows)
    assert [row.check for row in read_table(tmp_path / "t", Verdict)] == ["format", "priors"]
    with pytest.raises(ValueError, match="two Verdict rows"):
        write_table(tmp_path / "t", Verdict, [*rows, rows[0]])


def test_one_item_may_have_several_errors(tmp_path: Path) -> None:
    rows = [ItemError("s", "anchor", "empty_mask", "", cause) for cause in ("second", "first")]
    write_table(tmp_path / "t", ItemError, rows)
    assert [row.cause for row in read_table(tmp_path / "t", ItemError)] == ["first", "second"]


def test_chosen_columns_come_as_plain_rows(tmp_path: Path) -> None:
    write_table(tmp_path / "t", Query, _queries(3))
    assert list(iter_table(tmp_path / "t", Query, columns=["query_id", "text"]))[1] == {"query_id": "d/0001/0~0", "text": "text 1"}


def test_a_frame_has_all_rows_and_the_chosen_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "t", Query, _queries(5), rows_per_shard=2)
    frame = read_frame(tmp_path / "t", columns=["query_id"])
    assert list(frame.columns) == ["query_id"] and len(frame) == 5


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_or_empty_folder_is_an_error_with_a_remedy(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "t").mkdir()
    with pytest.raises(FileNotFoundError, match="no Parquet shards in .*dvc repro"):
        read_table(tmp_path / "t", Query)


def test_a_table_that_another_version_wrote_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Older:
        item_id: str

    write_table(tmp_path / "errors", Older, [Older("a")])
    with pytest.raises(FileNotFoundError, match=r"no column cause, file, kind, stage: another version wrote it, run `dvc repro`"):
        read_table(tmp_path / "errors", ItemError)
