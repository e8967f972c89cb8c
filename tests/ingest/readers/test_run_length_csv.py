"""CSV of run lengths: orders, starts, several rows, and rows that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.core.params import ParamError
from tests.ingest.readers.reading import boxes_of, faults_of, masks_of, samples_of
from tests.ingest.sources import block, card_content, grey, save

SPEC = {"table": "train.csv", "image": "ImageId", "runs": "Pixels", "label": None, "order": "columns", "start": 1}


def card(spec: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    files = {"image": ["images/{case}.png"], "mask": [], "other": ["train.csv"]}
    labels = {"cell nucleus": {"sources": ["mask"], "semantic": False}}
    base = {"reader": "run_length_csv", "files": files, "labels": labels, "annotated_labels": ["cell nucleus"]}
    return card_content(**(base | {"run_lengths": SPEC | (spec or {})} | changes))


def runs_of(mask: np.ndarray, order: str = "F", start: int = 1, relative: bool = False) -> str:
    flat = np.concatenate([[0], mask.ravel(order=order).astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(flat) == 1), np.flatnonzero(np.diff(flat) == -1)
    first = starts - np.concatenate([[0], ends[:-1]]) if relative else starts + start
    return " ".join(f"{a} {b}" for a, b in zip(first, ends - starts, strict=True))


def write(root: Path, *cells: str, image: str = "a") -> None:
    save(root / "images/a.png", grey())
    (root / "train.csv").write_text("ImageId,Pixels\n" + "".join(f"{image},{cell}\n" for cell in cells))


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ({}, {}),
        ({"order": "rows", "start": 0}, {"order": "C", "start": 0}),
        ({"positions": "relative", "start": 0}, {"relative": True}),
    ],
)
def test_the_mask_comes_back_in_every_order(tmp_path: Path, spec: dict, options: dict) -> None:
    mask = (block((3, 4, 30, 20)) > 0) & ~(block((10, 8, 15, 12)) > 0)
    write(tmp_path / "root", runs_of(mask, **options))
    (sample,) = samples_of(tmp_path, card(spec))
    assert np.array_equal(masks_of(sample)["cell nucleus", 0], mask)


@pytest.mark.parametrize("image", ["a", "a.png", "images/a.png"])
def test_rows_of_one_image_are_instances_whatever_the_image_is_called(tmp_path: Path, image: str) -> None:
    write(tmp_path / "root", runs_of(block((0, 0, 8, 8)) > 0), runs_of(block((20, 20, 40, 30)) > 0), image=image)
    (sample,) = samples_of(tmp_path, card())
    assert boxes_of(sample) == {("cell nucleus", 0): [0, 0, 8, 8], ("cell nucleus", 1): [20, 20, 40, 30]}


def test_instances_that_overlap_are_flagged(tmp_path: Path) -> None:
    write(tmp_path / "root", runs_of(block((0, 0, 8, 8)) > 0), runs_of(block((7, 7, 20, 20)) > 0))
    (sample,) = samples_of(tmp_path, card())
    assert "overlapping_instances" in sample.flags


@pytest.mark.parametrize("cell", ["", "-1"])
def test_an_empty_cell_says_that_nothing_is_there(tmp_path: Path, cell: str) -> None:
    write(tmp_path / "root", cell)
    (sample,) = samples_of(tmp_path, card({"empty": ["", "-1"]}, empty_images="keep"))
    assert sample.objects == []
    (fault,) = faults_of(tmp_path, card({"empty": ["", "-1"]}))
    assert fault.kind == "no_object"


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("1 2 3", "3 numbers do not pair up"),
        ("one 2", "'one'"),
        ("1 3 2 3", "overlap at pixel 1"),
        ("2399 3", "the image of 60 x 40 has 2400"),
        ("0 3", "covers pixels -1 to 1"),
        ("5 0", "length 0"),
        ("5 -2", "length -2"),
        ("99999999999999999999 3", "line 3"),
    ],
)
def test_a_broken_row_is_a_fault_with_its_line(tmp_path: Path, cell: str, word: str) -> None:
    labels = {"cell nucleus": {"sources": ["n"], "semantic": False}, "nerve": {"sources": ["c"], "semantic": False}}
    save(tmp_path / "root/images/a.png", grey())
    good = runs_of(block((0, 0, 8, 8)) > 0)
    (tmp_path / "root/train.csv").write_text(f"ImageId,Pixels,Class\na,{good},c\na,{cell},n\n")
    (fault,) = faults_of(tmp_path, card({"label": "Class"}, labels=labels))
    assert (fault.kind, fault.file) == ("bad_runs", "train.csv")
    assert word in fault.cause and "line 3" in fault.cause


def test_a_row_of_an_image_that_is_not_there_and_an_image_without_row_are_errors(tmp_path: Path) -> None:
    write(tmp_path / "root", "1 3", "4 5", image="b")
    assert [(fault.kind, fault.file) for fault in faults_of(tmp_path, card())] == [
        ("mask_without_image", "train.csv"),
        ("image_without_mask", "images/a.png"),
    ]


def test_a_row_with_too_many_cells_is_named(tmp_path: Path) -> None:
    write(tmp_path / "root", runs_of(block((0, 0, 8, 8)) > 0), "1,2")
    (fault,) = faults_of(tmp_path, card())
    assert fault.kind == "bad_table_row" and "line 3 has 3 cells" in fault.cause


def test_a_wrong_order_in_the_card_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "root", "1 3")
    with pytest.raises(ParamError, match="order columns or rows"):
        samples_of(tmp_path, card({"order": "F"}))


@pytest.mark.parametrize("cell", ["-1", "", "none"])
@pytest.mark.parametrize("label", [None, "Class"])
def test_a_cell_that_is_no_run_asks_whether_it_says_that_nothing_is_marked(tmp_path: Path, cell: str, label: str | None) -> None:
    save(tmp_path / "root/images/a.png", grey())
    (tmp_path / "root/train.csv").write_text(f"ImageId,Pixels,Class\na,{cell},\n")
    (fault, *_) = faults_of(tmp_path, card({"label": label, "empty": ["nothing"]}))
    assert f"line 2: cell {cell!r} is no run: is it in run_lengths: empty?" in fault.cause
