"""The store of paid-for answers: by content, atomic, outside the tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.cache import CacheError, cache_dir, load_answer, request_key, store_answer

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))


def test_the_folder_is_made_where_the_variable_says(tmp_path: Path) -> None:
    assert cache_dir("answers") == tmp_path / "cache" / "answers"
    assert (tmp_path / "cache" / "answers").is_dir()


def test_without_the_variable_it_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDGROUND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_dir("answers") == tmp_path / "user" / "medground" / "answers"


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_the_key_does_not_depend_on_the_order_of_the_request(request: dict) -> None:
    assert request_key(dict(reversed(list(request.items())))) == request_key(request)


def test_other_requests_have_other_keys() -> None:
    requests = [{"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, [1], [[1]], "a", None, {"a": None}]
    assert len({request_key(request) for request in requests}) == len(requests)


@pytest.mark.parametrize("answer", [{"text": "größte Läsion", "boxes": [[1.5, 2]]}, [], "x", 0, False])
def test_an_answer_comes_back_as_it_was(answer) -> None:
    key = request_key({"prompt": "p"})
    store_answer("answers", key, answer)
    assert load_answer("answers", key) == answer


def test_an_unknown_request_has_no_answer() -> None:
    assert load_answer("answers", request_key("never asked")) is None


def test_stores_of_different_names_do_not_meet() -> None:
    store_answer("one", request_key(1), "yes")
    assert load_answer("two", request_key(1)) is None


def test_a_second_answer_replaces_the_first_and_leaves_no_other_file(tmp_path: Path) -> None:
    key = request_key(1)
    store_answer("answers", key, "old")
    store_answer("answers", key, "new")
    assert load_answer("answers", key) == "new"
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [f"{key}.json"]


def test_an_answer_that_is_no_json_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    key = request_key("odd")
    with pytest.raises(TypeError):
        store_answer("answers", key, {"x": object()})
    assert load_answer("answers", key) is None
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_cache_that_cannot_be_made_is_named_with_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"file/numba cannot be written .*set MEDGROUND_CACHE to a folder that is"):
        cache_dir("numba")
