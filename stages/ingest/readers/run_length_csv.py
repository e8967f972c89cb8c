"""CSV of run lengths (as Kaggle publishes masks): one object a row, ``start length start length ...``.

The image column ties rows to pictures: a path, a file name, or one without its ending. Several rows of one image are
several objects (one region where the label is ``semantic: true``). An empty cell says that nothing is there:

    reader: run_length_csv
    files: {image: ["train/{case}.png"], mask: [], other: ["train.csv"]}
    run_lengths:
      table: train.csv
      image: ImageId
      runs: EncodedPixels
      label: null            # or the column with the source name; without one the source is `mask`
      order: columns         # pixels are counted down each column (Kaggle), or along rows
      start: 1               # number of the first pixel
      positions: absolute    # relative: each start counts from the end of the run before (SIIM-ACR)
      empty: ["", "-1"]      # what the cell says where nothing is marked; [""] when left out
    labels: {pneumothorax: {sources: [mask], semantic: true}}
    empty_images: keep

The image's size is that of the picture. A row with an odd count, words, runs that overlap or leave the image is a fault
with its line number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stages.core.params import ParamError
from stages.ingest.blocks import RunLengths
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, Found, sort_files, table_errors
from stages.ingest.faults import Fault
from stages.ingest.objects import labels_by_source
from stages.ingest.pictures import read_picture
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import Drawing, Patch, read_drawings
from stages.ingest.readers.shared_annotations import ImageNames, MarkedCase, Marks, cases_with, file_error
from stages.ingest.run_lengths import RunLengthError, crop_of_runs
from stages.ingest.tables import read_rows

ORDERS = ("columns", "rows")
POSITIONS = ("absolute", "relative")


@dataclass(frozen=True)
class Row:
    """Runs of one object as the table's text, with its line."""

    source: str
    runs: str
    line: int


class RunLengthCsv:
    """Rows of ``run_lengths: table``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Images by the table's image column."""
        spec = _spec(card)
        files = sort_files(card, root)
        table = read_rows(root, spec.table, [name for name in (spec.image, spec.runs, spec.label) if name])
        names, marks, errors = ImageNames(files), {}, table_errors(card, table)
        nothing = {text.strip() for text in (spec.empty if spec.empty is not None else [""])}
        missing: dict[str, int] = {}
        for line, row in table.rows:
            try:
                mine = marks.setdefault(names.find(row[spec.image], {}, spec.table), Marks())
            except Fault as fault:
                if missing.setdefault(row[spec.image], line) == line:
                    errors.append(file_error(card, Fault(fault.kind, fault.file, f"line {line}: {fault.cause}"), row[spec.image]))
                continue
            mine.files.add(spec.table)
            if (runs := row[spec.runs].strip()) not in nothing:
                mine.records.append(Row(row[spec.label].strip() if spec.label else UNNAMED_MASK, runs, line))
        return cases_with(card, root, files, marks, errors)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and fill its runs."""
        assert isinstance(case, MarkedCase)
        spec = _spec(source.card)
        known = labels_by_source(source.card)
        for row in case.records:
            # An unknown class would be the first fault, although the cell is to say that nothing is marked.
            if row.source not in known and len(row.runs.split()) < 2:
                raise _no_run(row, spec)
        shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
        return read_drawings(case, source, shown, [Drawing(row.source, spec.table, partial(_draw, row, spec)) for row in case.records])


def _spec(card: Card) -> RunLengths:
    spec = card.run_lengths
    if spec is None:
        raise ParamError(f"card {card.name}: the reader run_length_csv needs `run_lengths`")
    if spec.order not in ORDERS or spec.positions not in POSITIONS or spec.start not in (0, 1):
        raise ParamError(
            f"card {card.name}: run_lengths: expected order {' or '.join(ORDERS)}, positions {' or '.join(POSITIONS)}, start 0 or 1, "
            f"got {spec.order!r}, {spec.positions!r}, {spec.start!r}"
        )
    return spec


def _no_run(row: Row, spec: RunLengths) -> Fault:
    cause = f"line {row.line}: cell {row.runs!r} is no run: is it in run_lengths: empty? Put it there where it says that nothing is marked"
    return Fault("bad_runs", spec.table, cause)


def _draw(row: Row, spec: RunLengths, shape: tuple[int, int]) -> Patch:
    """Pixels of a row's runs for an image of ``shape`` (height, width)."""
    words = row.runs.split()
    if len(words) < 2:
        raise _no_run(row, spec)
    try:
        numbers = np.array([int(word) for word in words], np.int64)
        if numbers.size % 2:
            raise RunLengthError(f"{numbers.size} numbers do not pair up into starts and lengths")
        starts, lengths = numbers[::2], numbers[1::2]
        if spec.positions == "relative":
            starts = np.cumsum(starts) + np.cumsum(lengths) - lengths
        return Patch(*crop_of_runs(starts - spec.start, lengths, shape, spec.order == "columns"))
    except (RunLengthError, ValueError, OverflowError) as error:
        raise Fault("bad_runs", spec.table, f"line {row.line}: {error}; mend the row, or order and start in the card") from error
