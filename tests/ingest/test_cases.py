"""Which image goes with which masks, and with which row of a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.ingest.cases import safe_id, tie_by_name
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


def test_an_image_that_its_table_does_not_know_is_an_error_because_its_patient_is_unknown(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for case in "abc":
        write_case(root, case)
    (root / "subjects.csv").write_text("image,patient\nimages/a.png,p7\nb.png,p7\n")
    table = {"table": "subjects.csv", "image": "image", "patient": "patient", "licence": None}
    found = tie_by_name(make_card(tmp_path, card_content(image_table=table)), root)
    assert [(case.case_id, case.patient) for case in found.cases] == [("a", "p7"), ("b", "p7")]
    assert [(error.kind, error.file) for error in found.errors] == [("not_in_table", "images/c.png")]


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
