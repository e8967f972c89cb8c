"""CSV tables that a dataset brings along, and the rows that go with its images."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import ParamError
from stages.ingest.blocks import ImageTable
from stages.ingest.faults import Fault
from stages.ingest.patterns import leaves_root

# The longest cell of a table, in characters; run lengths of one large mask pass the csv module's own 131,072.
_MAX_CELL = 1 << 26
# The ending of a file name; ".nii.gz" is one.
_ENDING = re.compile(r"(\.nii)?\.[^./]+$")


@dataclass(frozen=True)
class Table:
    """Rows of a CSV table with their line numbers, and faults of the rows that cannot be used."""

    rows: list[tuple[int, dict[str, str]]]
    faults: list[Fault]


class ImageRows(dict[str, dict[str, str]]):
    """Rows of an image table by what its image column says; ``taken`` remembers the image that each was found for."""

    def __init__(self, rows: dict[str, dict[str, str]]) -> None:
        super().__init__(rows)
        self.taken: dict[str, str] = {}


def read_image_table(spec: ImageTable, root: Path) -> ImageRows:
    """Rows of the card's image table by what its image column says, which ``row_of`` looks up.

    A row that is broken is left out, so that its image becomes an error that says so.
    """
    columns = [column for column in (spec.image, spec.patient, spec.licence, spec.split, spec.pixel_mm) if column]
    return ImageRows({row[spec.image].strip(): row for _, row in read_rows(root, spec.table, columns, spec.delimiter).rows})


def row_of(spec: ImageTable, rows: dict[str, dict[str, str]], path: str, case: str) -> dict[str, str]:
    """The row of an image.

    Matched by the path below the root, then by ever shorter ends of it, then by the same without the ending; with
    ``by: case`` by the ``{case}``. An end of a path stands for one image only.

    Raises:
        Fault: there is no such row, or it fits another image too.
    """
    wanted = [case] if spec.by == "case" else [*_ends(path), *_ends(_ENDING.sub("", path))]
    key = next((name for name in wanted if rows.get(name)), None)
    if key is None:
        example = f"it holds such as {next(iter(rows))!r}" if rows else "it holds no whole row"
        looked = f"looked for {' or '.join(map(repr, wanted))} in its column {spec.image!r}; {example}"
        raise Fault("not_in_table", path, f"{spec.table} has no row for this image: {looked}. Add the row, name another column, or take the image out")
    if spec.by == "file" and isinstance(rows, ImageRows) and (other := rows.taken.setdefault(key, path)) != path:
        raise Fault("not_in_table", path, f"the row {key!r} of {spec.table} fits {other} too: the table needs more of the path to tell them apart")
    return rows[key]


def _ends(path: str) -> list[str]:
    """The path and its ends, the longest first: a/b/c, b/c, c."""
    pieces = path.split("/")
    return ["/".join(pieces[start:]) for start in range(len(pieces))]


def read_rows(root: Path, table: str, columns: Iterable[str], delimiter: str = ",") -> Table:
    """Rows of a CSV table below the root; a row with more or fewer cells than the header is a fault, since its cells may have moved.

    Raises:
        ParamError: the path leaves the root, the file is missing, is no UTF-8 text or no CSV, or a column that the card
            names is not in it.
    """
    if leaves_root(root, table) or not (root / table).is_file():
        raise ParamError(f"the card's table {table!r} is not a file below the dataset's root: mend the card or fetch the table")
    csv.field_size_limit(_MAX_CELL)
    rows, faults = [], []
    with (root / table).open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            _require_columns(table, header, columns)
            for cells in reader:
                if len(cells) == len(header):
                    rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
                elif cells:
                    cause = f"line {reader.line_num} has {len(cells)} cells where the header has {len(header)}: quote cells that hold {delimiter!r}"
                    faults.append(Fault("bad_table_row", table, cause))
        except UnicodeDecodeError as error:
            raise ParamError(f"{table} is not UTF-8 text ({error.reason} after line {reader.line_num}): save it as UTF-8") from error
        except csv.Error as error:
            raise ParamError(f"{table}, line {reader.line_num}, is not valid CSV ({error}): mend its quotes") from error
    return Table(rows, faults)


def _require_columns(table: str, header: list[str], columns: Iterable[str]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise ParamError(f"{table} has no column {', '.join(missing)}; it has {', '.join(header)}")
    twice = sorted({column for column in columns if header.count(column) > 1})
    if twice:
        raise ParamError(f"{table} has the column {', '.join(twice)} twice: rename one")
