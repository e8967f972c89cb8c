"""Patterns, and which image goes with which masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import ParamError
from stages.ingest.files import compile_pattern, inside_root, match_parts, safe_id, tie_by_name
from tests.ingest.sources import card_content, grey, make_card, save, write_case

names = st.text("abcXYZ019-_", min_size=1, max_size=8)


def parts(pattern: str, path: str) -> dict[str, str] | None:
    return match_parts(path, [compile_pattern(pattern, "test")])


@given(names, names)
def test_a_pattern_gives_back_the_parts_that_made_the_path(case: str, patient: str) -> None:
    assert parts("{patient}/images/{case}.png", f"{patient}/images/{case}.png") == {"patient": patient, "case": case}


def test_a_repeated_part_must_repeat_its_text() -> None:
    assert parts("{case}/images/{case}.png", "a/images/a.png") == {"case": "a"}
    assert parts("{case}/images/{case}.png", "a/images/b.png") is None


def test_a_part_stays_within_its_folder_and_a_dot_is_a_dot() -> None:
    assert parts("images/{case}.png", "images/sub/a.png") is None
    assert parts("images/{case}.png", "images/axpng") is None


def test_a_part_may_carry_a_regex_and_a_star_matches_anything() -> None:
    assert parts("{case}_{label:[a-z]+}{number:[0-9]{2}}_*.png", "p1_heart07_x.png") == {"case": "p1", "label": "heart", "number": "07"}


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "x/../../a.png", "C:/a.png", "..\\a.png", ""])
def test_paths_that_leave_the_root_are_refused(path: str) -> None:
    assert not inside_root(path)


def test_a_pattern_that_leaves_the_root_is_an_error() -> None:
    with pytest.raises(ParamError, match="leaves the dataset's root"):
        compile_pattern("../{case}.png", "card:files:image")


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


def test_a_table_without_a_column_of_the_card_names_those_that_it_has(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_case(root)
    (root / "subjects.csv").write_text("file,person\n")
    table = {"table": "subjects.csv", "image": "image", "patient": None, "licence": None}
    with pytest.raises(ParamError, match="no column image; it has file, person"):
        tie_by_name(make_card(tmp_path, card_content(image_table=table)), root)
