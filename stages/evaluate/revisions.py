"""Tables of another revision or experiment, read from the DVC cache without touching the workspace."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from stages.core.records import from_row, schema_of
from stages.core.stage import StageError

T = TypeVar("T")
WORKSPACE = "workspace"


class Revision:
    """A git revision, branch, tag or DVC experiment of the repository in this folder; "workspace" is the files as they lie here."""

    def __init__(self, name: str) -> None:
        """Look the revision up.

        Raises:
            StageError: this is no DVC repository, or it has no such revision.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.scm import resolve_rev

        self.name = name
        self.sha = WORKSPACE
        self._files: Any = None
        if name == WORKSPACE:
            return
        try:
            with Repo() as repo:
                self.sha = resolve_rev(repo.scm, name)
        except DvcException as error:
            remedy = "`dvc exp list --all` and `git log --oneline` show what there is; `dvc exp pull` fetches experiments"
            raise StageError(f"{name!r} is no revision or experiment of this repository ({error}): {remedy}") from error
        self._files = _files_of(self.sha)

    def folders(self, folder: str) -> list[str]:
        """Names of the folders in a folder, in order; none when it is not there."""
        if self._files is None:
            return sorted(path.name for path in Path(folder).iterdir() if path.is_dir()) if Path(folder).is_dir() else []
        try:
            return sorted(Path(entry["name"]).name for entry in self._files.ls(folder, detail=True) if entry["type"] == "directory")
        except FileNotFoundError:
            return []

    def table(self, folder: str, record_type: type[T]) -> list[T]:
        """All records of a table. Columns that this revision did not know yet take their record's defaults.

        Raises:
            StageError: the revision has no such table, its files are not in the cache, or a column without a default is missing.
        """
        import pyarrow.parquet as pq

        optional = {
            field.name
            for field in dataclasses.fields(record_type)  # type: ignore[arg-type]
            if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        }
        wanted = schema_of(record_type).names
        records: list[T] = []
        for name, content in self._shards(folder):
            table = pq.read_table(io.BytesIO(content))
            missing = set(wanted) - set(table.column_names) - optional
            if missing:
                raise StageError(f"{self.name}: {name} has no column {', '.join(sorted(missing))}: its tables are of another form")
            present = table.select([column for column in wanted if column in table.column_names])
            records += [from_row(record_type, row) for row in present.to_pylist()]
        if not records:
            raise StageError(f"{self.name} has no rows in {folder}: was `dvc repro` run there, and `dvc pull` since?")
        return records

    def _shards(self, folder: str) -> Iterator[tuple[str, bytes]]:
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexDirError

        if self._files is None:
            for path in sorted(Path(folder).glob("part-*.parquet")):
                yield path.as_posix(), path.read_bytes()
            return
        try:
            names = sorted(name for name in self._files.ls(folder, detail=False) if Path(name).suffix == ".parquet")
            for name in names:
                with self._files.open(name, "rb") as handle:
                    yield name, handle.read()
        except (DvcException, DataIndexDirError, FileNotFoundError) as error:
            remedy = f"`dvc pull` or `dvc fetch --all-commits` brings it, or `dvc exp apply {self.name}` and `dvc repro` make it anew"
            raise StageError(f"{folder} of {self.name} is not in the DVC cache ({error}): {remedy}") from error


def _files_of(sha: str) -> Any:
    """The repository's files at a commit, DVC's and git's, as one file system."""
    from dvc.api import DVCFileSystem

    return DVCFileSystem(rev=sha)
