"""Tables that are broken, and links that leave the dataset's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.ingest.patterns import leaves_root
from stages.ingest.tables import read_rows
from tests.ingest.sources import card_content, ingest_folder, write_case


def table(folder: Path, content: bytes) -> Path:
    (folder / "t.csv").write_bytes(content)
    return folder


def test_a_row_with_too_many_cells_is_a_fault_with_its_line_and_the_others_stay(tmp_path: Path) -> None:
    read = read_rows(table(tmp_path, b'a,b\n1,"two\nlines"\n1,2,3\n4\n\n5,6\n'), "t.csv", ["a"])
    assert read.rows == [(3, {"a": "1", "b": "two\nlines"}), (7, {"a": "5", "b": "6"})]
    assert [(fault.kind, fault.cause.split(":")[0]) for fault in read.faults] == [
        ("bad_table_row", "line 4 has 3 cells where the header has 2"),
        ("bad_table_row", "line 5 has 1 cells where the header has 2"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read_rows(table(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n"), "t.csv", ["a"]).rows == [(2, {"a": "1", "b": "2"})]


def test_a_table_in_latin_1_says_how_to_save_it(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="t.csv is not UTF-8 text.*save it as UTF-8"):
        read_rows(table(tmp_path, "a,b\nü,2\n".encode("latin-1")), "t.csv", ["a"])


def test_broken_quotes_are_an_error_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match=r"t.csv, line 2, is not valid CSV"):
        read_rows(table(tmp_path, b'a,b\n"1"x,2\n'), "t.csv", ["a"])


def test_a_column_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="column a twice"):
        read_rows(table(tmp_path, b"a,a\n1,2\n"), "t.csv", ["a"])


def test_a_cell_longer_than_the_usual_limit_is_read(tmp_path: Path) -> None:
    ((_, row),) = read_rows(table(tmp_path, b"a\n" + b"1 " * 100_000 + b"\n"), "t.csv", ["a"]).rows
    assert len(row["a"]) == 200_000


def test_a_link_to_a_file_outside_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for case in "ab":
        write_case(root, case)
    secret = (root / "images/b.png").rename(tmp_path / "secret.png")
    (root / "images/b.png").symlink_to(secret)
    (root / "images/a.png").rename(root / "elsewhere.png")
    (root / "images/a.png").symlink_to("../elsewhere.png")
    found, results = ingest_folder(tmp_path, card_content())
    assert [(error.kind, error.file) for error in found.errors] == [("unsafe_path", "images/b.png")]
    assert [sample.case_id for result in results for sample in result.samples] == ["a"]


def test_a_linked_mask_and_a_path_through_a_linked_folder_are_refused_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_case(root)
    outside = (root / "masks/a_heart.png").rename(tmp_path / "a_heart.png")
    (root / "masks/a_heart.png").symlink_to(outside)
    found, _ = ingest_folder(tmp_path, card_content())
    assert [(error.kind, error.file) for error in found.errors] == [("unsafe_path", "masks/a_heart.png")]
    (root / "door").symlink_to(tmp_path)
    assert leaves_root(root, "door/a_heart.png")


def test_links_into_the_cache_of_dvc_are_followed(tmp_path: Path) -> None:
    stored = tmp_path / "cache/files/md5/ab" / ("c" * 30)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"x")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.png").symlink_to(stored)
    assert not leaves_root(tmp_path / "root", "a.png")


@pytest.mark.parametrize(("cell", "spacing"), [("0.5", [0.5, 0.5]), ("", [0.2, 0.3])])
def test_the_tables_pixel_size_goes_before_the_cards(tmp_path: Path, cell: str, spacing: list[float]) -> None:
    write_case(tmp_path / "root")
    (tmp_path / "root/t.csv").write_text(f"file,mm\na,{cell}\n")
    spec = {"table": "t.csv", "image": "file", "patient": None, "licence": None, "pixel_mm": "mm"}
    content = card_content(image_table=spec, pixel_mm=[0.2, 0.3])
    _, (result,) = ingest_folder(tmp_path, content)
    assert result.samples[0].spacing_mm == spacing
    _, (scaled,) = ingest_folder(tmp_path, content, max_side_px=30)
    assert scaled.samples[0].spacing_mm == [2 * side for side in spacing]


@pytest.mark.parametrize("cell", ["0", "-1", "nan", "1 mm"])
def test_a_pixel_size_that_is_no_positive_number_is_a_fault(tmp_path: Path, cell: str) -> None:
    write_case(tmp_path / "root")
    (tmp_path / "root/t.csv").write_text(f"file,mm\na.png,{cell}\n")
    spec = {"table": "t.csv", "image": "file", "patient": None, "licence": None, "pixel_mm": "mm"}
    found, _ = ingest_folder(tmp_path, card_content(image_table=spec))
    assert [error.kind for error in found.errors] == ["bad_spacing"]
