"""Priors: the lists are clean, disjoint from what labels are called, and the margins are shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.params import ParamError, read_yaml
from stages.knowledge import priors
from stages.knowledge.labels import labels
from stages.knowledge.priors import leak_words, midline_margin, side_margin, unsupported_words

KNOWLEDGE = Path(priors.__file__).parent


@pytest.mark.parametrize("listed", [leak_words, unsupported_words])
def test_a_list_holds_lower_case_words_once(listed) -> None:
    assert listed()
    assert all(word == word.lower().strip() for word in listed())
    assert len(set(listed())) == len(listed())


def test_no_name_of_a_label_is_a_leak_or_an_unsupported_finding() -> None:
    banned = {*leak_words(), *unsupported_words()}
    for entry in labels().values():
        for name in [*entry.names, *([entry.plural] if entry.plural else [])]:
            assert not banned & {name, *name.split()}, name


def test_margins_are_shares_of_the_width() -> None:
    assert 0 < side_margin() < 0.5
    assert 0 < midline_margin() < 0.5


@pytest.mark.parametrize("path", sorted(KNOWLEDGE.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_file_of_knowledge_says_a_thing_twice(path: Path) -> None:
    assert read_yaml(path, "restore it")


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(ParamError, match="words.yaml is not valid YAML"):
        read_yaml(tmp_path / "words.yaml", "restore it")
