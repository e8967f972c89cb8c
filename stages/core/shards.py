"""Deterministic Parquet shards: the same records give the same bytes, whatever order they were made in.

A table is a folder of ``part-00000.parquet`` files. Rows are sorted by the record's first field (its id).
Row groups are small, so that one image can be fetched without reading a shard.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.records import from_row, schema_of, to_row

T = TypeVar("T")
ROWS_PER_SHARD = 512
ROWS_PER_GROUP = 64


def write_table(folder: Path | str, record_type: type[T], records: Iterable[T], rows_per_shard: int = ROWS_PER_SHARD) -> int:
    """Write records, sorted by (id, rest of the key), as Parquet shards into an emptied ``folder``; returns the row count.

    An empty table still writes one shard, so that a reader sees its schema and DVC sees an out.

    Raises:
        ValueError: two rows have the same key (first field; for verdicts with the check, for predictions with the probe).
    """
    folder = Path(folder)
    key_names = _key_names(record_type)
    ordered = sorted(records, key=lambda record: tuple(getattr(record, name) for name in key_names))
    for earlier, later in zip(ordered, ordered[1:], strict=False):
        if all(getattr(earlier, name) == getattr(later, name) for name in key_names):
            raise ValueError(f"{folder}: two {record_type.__name__} rows have the key {getattr(later, key_names[0])!r}")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    schema = schema_of(record_type)
    for number, start in enumerate(range(0, max(len(ordered), 1), rows_per_shard)):
        rows = [to_row(record) for record in ordered[start : start + rows_per_shard]]
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, folder / f"part-{number:05d}.parquet", row_group_size=ROWS_PER_GROUP, compression="zstd")
    return len(ordered)


def _key_names(record_type: type) -> list[str]:
    names = [field.name for field in dataclasses.fields(record_type)]
    if "check" in names:
        return names[:2]
    if "probe" in names:
        return [names[0], "probe"]
    if record_type.__name__ == "ItemError":
        return names
    return names[:1]


@overload
def iter_table(folder: Path | str, record_type: type[T], columns: None = None) -> Iterator[T]: ...
@overload
def iter_table(folder: Path | str, record_type: type[Any], columns: Sequence[str]) -> Iterator[dict[str, Any]]: ...


def iter_table(folder: Path | str, record_type: type[Any], columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Records of a table in id order, a shard at a time. With ``columns``, plain dict rows hold only those.

    Raises:
        FileNotFoundError: the folder or its shards are missing; the message says which stage writes it.
    """
    wanted = list(columns) if columns is not None else schema_of(record_type).names
    for part in shard_paths(folder):
        missing = set(wanted) - set(pq.read_schema(part).names)
        if missing:
            raise FileNotFoundError(f"{part} has no column {', '.join(sorted(missing))}: another version wrote it, run `dvc repro`")
        for row in pq.read_table(part, columns=columns).to_pylist():
            yield from_row(record_type, row) if columns is None else row


def read_table(folder: Path | str, record_type: type[T]) -> list[T]:
    """All records of a table, in id order."""
    return list(iter_table(folder, record_type))


def shard_paths(folder: Path | str) -> list[Path]:
    """The shards of a table in order; an error that names the folder when there is none."""
    paths = sorted(Path(folder).glob("part-*.parquet"))
    if not paths:
        raise FileNotFoundError(f"no Parquet shards in {folder}: run the stage that writes it (`dvc repro`), or `dvc pull`")
    return paths


def read_frame(folder: Path | str, columns: Sequence[str] | None = None) -> Any:
    """A table as a pandas DataFrame (for statistics and reports)."""
    return pa.concat_tables([pq.read_table(part, columns=columns) for part in shard_paths(folder)]).to_pandas()
