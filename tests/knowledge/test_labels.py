"""The canonical labels hold together."""

from __future__ import annotations

import pytest

from stages.knowledge.labels import UnknownLabelError, canonical, label, labels

KINDS = {"organ", "part", "lesion", "finding", "vessel", "nerve", "bone", "airway", "device", "cell", "cell_part", "space"}


@pytest.mark.parametrize("name", sorted(labels()))
def test_a_label_has_a_known_kind_names_and_places(name: str) -> None:
    entry = labels()[name]
    assert entry.kind in KINDS
    assert entry.names and all(entry.names)
    assert entry.side in (None, "left", "right")
    assert entry.expect in (None, "left", "right", "midline")
    assert set(entry.inside or []) <= set(labels())
    assert entry.length_mm is None or 0 < entry.length_mm[0] < entry.length_mm[1]


@pytest.mark.parametrize("name", sorted(name for name, entry in labels().items() if entry.pair))
def test_the_halves_of_a_pair_lie_on_both_sides_and_share_their_plural(name: str) -> None:
    halves = [entry for entry in labels().values() if entry.pair == labels()[name].pair]
    assert sorted(entry.side or "" for entry in halves) == ["left", "right"]
    assert len({entry.pair_plural for entry in halves}) == 1


def test_a_source_name_is_compared_without_case_punctuation_and_underscores() -> None:
    assert canonical("Kidney_LEFT").name == "left kidney"
    assert canonical("ground-glass  opacities").name == "ground-glass opacity"


def test_an_unknown_name_names_its_neighbours() -> None:
    with pytest.raises(UnknownLabelError, match="spleen"):
        label("splen")
    with pytest.raises(UnknownLabelError, match="labels.yaml"):
        canonical("splen")


def test_one_organ_is_one_object_and_a_class_of_lesions_several() -> None:
    assert not label("liver").several
    assert not label("aorta").several
    assert label("liver lesion").several
    assert label("cell nucleus").several
