"""Structures that public sets mark every day have labels, and an unknown name is told what is near and what to do."""

from __future__ import annotations

import pytest

from stages.knowledge.labels import UnknownLabelError, canonical, label, members, nearest_labels


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Lung_Nodule", "lung nodule"),
        ("pulmonary nodules", "lung nodule"),
        ("thyroid lobe", "thyroid lobe"),
        ("thyroid_left", "left thyroid lobe"),
        ("breast mass", "breast lesion"),
        ("csPCa", "prostate lesion"),
        ("lymph nodes", "lymph node"),
        ("Brain Metastasis", "brain lesion"),
        ("renal calculi", "kidney stone"),
        ("WMH", "white matter hyperintensity"),
        ("FGT", "fibroglandular tissue"),
        ("teeth", "tooth"),
    ],
)
def test_an_everyday_structure_has_a_label(source: str, name: str) -> None:
    assert canonical(source).name == name


def test_a_lung_nodule_lies_in_a_lung_and_is_called_pulmonary_nodule_first() -> None:
    entry = label("lung nodule")
    assert entry.kind == "lesion" and entry.several
    assert entry.names == ["pulmonary nodule", "lung nodule"]
    assert set(entry.inside or []) == set(members("lung"))


def test_lobes_of_the_thyroid_come_one_or_two_in_a_picture() -> None:
    assert members("thyroid lobe") == ("thyroid lobe", "left thyroid lobe", "right thyroid lobe")
    assert label("thyroid lobe").several and not label("left thyroid lobe").several
    assert label("thyroid lobe").inside == ["thyroid gland"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("lung nodul", "lung nodule"), ("pulmonary granuloma", "lung nodule"), ("hepatic scar", "liver lesion"), ("femur", "left femur"), ("splen", "spleen")],
)
def test_the_nearest_labels_are_those_of_like_spelling_and_of_the_same_organ(name: str, near: str) -> None:
    assert near in nearest_labels(name)


@pytest.mark.parametrize("ask", [label, canonical])
def test_an_unknown_name_says_how_a_label_is_added_and_that_a_wider_one_is_wrong(ask) -> None:
    with pytest.raises(UnknownLabelError, match="add a label to stages/knowledge/labels.yaml .kind, names, sources.*never take a wider one"):
        ask("thyroid isthmus")
