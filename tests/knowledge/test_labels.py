"""The canonical labels hold together."""

from __future__ import annotations

import re

import pytest

from stages.knowledge.labels import KINDS, UnknownLabelError, canonical, label, labels, members
from tests.knowledge import public_sets


@pytest.mark.parametrize("name", sorted(labels()))
def test_a_label_has_a_known_kind_names_and_places(name: str) -> None:
    entry = labels()[name]
    assert entry.kind in KINDS
    assert entry.names and all(entry.names)
    assert entry.side in (None, "left", "right")
    assert entry.expect in (None, "left", "right", "midline")
    assert set(entry.inside or []) <= set(labels())
    assert entry.group is None or (entry.group in labels() and labels()[entry.group].group is None)
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


def test_what_a_name_singles_out_is_one_object_and_a_general_name_may_be_several():
    assert not any(label(name).several for name in ("left femur", "third lumbar vertebra", "left fifth rib", "portal and splenic veins"))
    assert all(label(name).several for name in ("rib", "kidney", "intervertebral disc", "left kidney cyst"))


@pytest.mark.parametrize("name", ["lung opacity", "ground-glass opacity", "consolidation"])
def test_an_opacity_lies_in_a_lung_whatever_the_source_calls_the_lungs(name: str) -> None:
    assert set(label(name).inside or []) == set(members("lung"))


def test_what_lies_beside_the_lung_has_no_lung_around_it() -> None:
    assert label("pleural effusion").inside is None and label("pneumothorax").inside is None


def test_a_general_label_knows_its_members():
    assert members("kidney") == ("kidney", "left kidney", "right kidney")
    assert len(members("rib")) == 1 + 24 and len(members("vertebra")) == 1 + 7 + 13 + 6 + 1
    assert members("liver") == ("liver",)


def test_no_two_labels_are_called_the_same():
    names = [name for entry in labels().values() for name in entry.names]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("L kidney", "left kidney"),
        ("kidney_left", "left kidney"),
        ("Left Kidney", "left kidney"),
        ("adrenal_gland_right", "right adrenal gland"),
        ("postcava", "inferior vena cava"),
        ("gall bladder", "gallbladder"),
        ("vertebrae_L3", "third lumbar vertebra"),
        ("rib_left_5", "left fifth rib"),
        ("heart_ventricle_left", "left ventricle"),
        ("Parotid_L", "left parotid gland"),
        ("prostate/uterus", "prostate or uterus"),
        ("esophagus", "oesophagus"),
        ("GTVp", "nasopharyngeal tumour"),
    ],
)
def test_sources_unite_under_one_label(name, expected):
    assert canonical(name).name == expected


@pytest.mark.parametrize(
    "names",
    [
        public_sets.TOTALSEGMENTATOR,
        public_sets.AMOS22,
        public_sets.BTCV,
        public_sets.FLARE22,
        public_sets.WORD,
        public_sets.SEGRAP2023,
        public_sets.MMWHS,
        public_sets.VERSE,
        public_sets.SPIDER,
    ],
)
def test_every_structure_of_a_public_set_has_a_label_of_its_own_on_its_side(names):
    found = {name: canonical(name) for name in names.values()}
    assert len({entry.name for entry in found.values()}) == len(names)
    for name, entry in found.items():
        words = set(re.findall(r"[a-z0-9]+", name.lower()))
        for side, said in (("left", {"left", "l"}), ("right", {"right", "r"})):
            in_the_heart = entry.kind in ("part", "vessel") and entry.side is None
            assert in_the_heart or (entry.side == side) == bool(words & said), name


def test_totalsegmentator_is_covered_whole():
    assert len(public_sets.TOTALSEGMENTATOR) == 117
