"""Patterns: which parts of a path they name, and that none leaves the root."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.params import ParamError
from stages.ingest.patterns import compile_pattern, inside_root, match_parts

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
