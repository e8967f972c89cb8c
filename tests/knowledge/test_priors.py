"""Priors: the lists are clean, disjoint from what labels are called, and the margins are shares."""

from __future__ import annotations

import pytest

from stages.knowledge.labels import labels
from stages.knowledge.priors import leak_words, midline_margin, side_margin, unsupported_words


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
