"""Which image goes with which masks, and with which row of a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.ingest.blocks import ImageTable
from stages.ingest.cases import safe_id, tie_by_name
from stages.ingest.tables import read_image_table, row_of
from tests.ingest.sources import card_content, grey, make_card, save, write_case


def test_an_image_pattern_without_case_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    files = {"image": ["images/*.png"], "mask": [], "other": []}
    with pytest.raises(ParamError, match="has no {case}"):
        tie_by_name(make_card(tmp_path, card_content(files=files)), tmp_path / "root")


def test_images_and_masks_are_tied_and_what_is_left_over_is_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_case(root, "a")
    save(root / "images/lonely.png", grey())
    save(root / "masks/ghost_heart.png", grey())
    (root / "README.md").write_text("known")
    (root / "notes.txt").write_text("unknown")
    found = tie_by_name(make_card(tmp_path, card_content()), root)
    assert [case.case_id for case in found.cases] == ["a"]
    assert [mask.source for mask in found.cases[0].masks] == ["heart", "opacity", "opacity"]
    assert {(error.kind, error.file) for error in found.errors} == {
        ("image_without_mask", "images/lonely.png"),
        ("mask_without_image", "masks/ghost_heart.png"),
    }
    assert found.unmatched == ["notes.txt"]
    assert found.n_masks == 4


def test_ids_keep_no_character_that_separates_ids() -> None:
    assert safe_id("a b/c#d~e") == "a-b-c-d-e"


def test_an_image_that_its_table_does_not_know_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for case in "abc":
        write_case(root, case)
    (root / "subjects.csv").write_text("image,patient\nimages/a.png,p7\nb.png,p7\n")
    table = {"table": "subjects.csv", "image": "image", "patient": "patient", "licence": None}
    found = tie_by_name(make_card(tmp_path, card_content(image_table=table)), root)
    assert [(case.case_id, case.patient) for case in found.cases] == [("a", "p7"), ("b", "p7")]
    assert [(error.kind, error.file) for error in found.errors] == [("not_in_table", "images/c.png")]
    assert found.errors[0].cause == (
        "subjects.csv has no row for this image: looked for 'images/c.png' or 'c.png' or 'images/c' or 'c' in its column 'image'; "
        "it holds such as 'images/a.png'. Add the row, name another column, or take the image out"
    )


@pytest.mark.parametrize("ending", [".png", ""])
def test_the_end_of_a_path_is_enough_in_a_table(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "root"
    for patient in ("p1", "p2"):
        save(root / f"scans/{patient}/f.png", grey())
        save(root / f"labels/{patient}/f.png", grey())
    (root / "t.csv").write_text(f"file,mm\np1/f{ending},0.5\np2/f{ending},0.7\n")
    files = {"image": ["scans/{case}/{view}.png"], "mask": ["labels/{case}/{view}.png"], "other": ["t.csv"]}
    table = {"table": "t.csv", "image": "file", "pixel_mm": "mm"}
    found = tie_by_name(make_card(tmp_path, card_content(files=files, image_table=table)), root)
    assert [(case.case_id, case.patient, case.spacing_mm) for case in found.cases] == [("p1", "p1", [0.5, 0.5]), ("p2", "p2", [0.7, 0.7])]
    assert found.errors == []


def test_a_row_that_fits_two_images_is_an_error_for_the_second(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for patient in ("p1", "p2"):
        save(root / f"scans/{patient}/f.png", grey())
        save(root / f"labels/{patient}/f.png", grey())
    (root / "t.csv").write_text("file,mm\nf.png,0.5\n")
    files = {"image": ["scans/{case}/{view}.png"], "mask": ["labels/{case}/{view}.png"], "other": ["t.csv"]}
    found = tie_by_name(make_card(tmp_path, card_content(files=files, image_table={"table": "t.csv", "image": "file"})), root)
    assert [(error.kind, error.file) for error in found.errors] == [("not_in_table", "scans/p2/f.png")]
    assert "the row 'f.png' of t.csv fits scans/p1/f.png too" in found.errors[0].cause


def test_a_volume_may_stand_in_a_table_without_its_double_ending(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,who\nct/a,p\n")
    spec = ImageTable("t.csv", "id", "who")
    assert row_of(spec, read_image_table(spec, tmp_path), "x/ct/a.nii.gz", "a")["who"] == "p"


def test_a_table_may_name_cases_and_separate_its_columns_by_another_sign(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for case in "ab":
        write_case(root, case)
    (root / "meta.csv").write_text("id;who;split\na;p7, the first;x\nb;p8;y\n")
    table = {"table": "meta.csv", "image": "id", "patient": "who", "licence": None, "split": "split", "by": "case", "delimiter": ";"}
    files = {"image": ["images/{case:.}.png"], "mask": ["masks/{case}_{label:[a-z]+}{number:[0-9]*}.png"], "other": ["meta.csv"]}
    found = tie_by_name(make_card(tmp_path, card_content(image_table=table, files=files, official_split={"train": ["x"], "test": ["y"]})), root)
    assert [(case.case_id, case.patient, case.split) for case in found.cases] == [("a", "p7, the first", "train"), ("b", "p8", "test")]


@pytest.mark.parametrize(("change", "message"), [({"by": "name"}, "image_table:by: expected file or case"), ({"delimiter": "; "}, "image_table:delimiter")])
def test_a_table_is_matched_by_file_or_case_and_has_one_sign_between_columns(tmp_path: Path, change: dict[str, str], message: str) -> None:
    table = {"table": "meta.csv", "image": "id", "patient": None, "licence": None}
    with pytest.raises(ParamError, match=message):
        make_card(tmp_path, card_content(image_table=table | change))


def test_a_table_without_a_column_of_the_card_names_those_that_it_has(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_case(root)
    (root / "subjects.csv").write_text("file,person\n")
    table = {"table": "subjects.csv", "image": "image", "patient": None, "licence": None}
    with pytest.raises(ParamError, match="no column image; it has file, person"):
        tie_by_name(make_card(tmp_path, card_content(image_table=table)), root)
