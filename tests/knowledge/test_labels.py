"""The canonical labels hold together."""

from __future__ import annotations

import pytest

from stages.knowledge.labels import KINDS, UnknownLabelError, canonical, label, labels, members

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


TOTALSEGMENTATOR = """
spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right adrenal_gland_left lung_upper_lobe_left
lung_lower_lobe_left lung_upper_lobe_right lung_middle_lobe_right lung_lower_lobe_right esophagus trachea thyroid_gland small_bowel
duodenum colon urinary_bladder prostate kidney_cyst_left kidney_cyst_right sacrum vertebrae_S1 heart aorta pulmonary_vein
brachiocephalic_trunk subclavian_artery_right subclavian_artery_left common_carotid_artery_right common_carotid_artery_left
brachiocephalic_vein_left brachiocephalic_vein_right atrial_appendage_left superior_vena_cava inferior_vena_cava
portal_vein_and_splenic_vein iliac_artery_left iliac_artery_right iliac_vena_left iliac_vena_right humerus_left humerus_right
scapula_left scapula_right clavicula_left clavicula_right femur_left femur_right hip_left hip_right spinal_cord gluteus_maximus_left
gluteus_maximus_right gluteus_medius_left gluteus_medius_right gluteus_minimus_left gluteus_minimus_right autochthon_left
autochthon_right iliopsoas_left iliopsoas_right brain skull sternum costal_cartilages
""".split() + [
    *(f"vertebrae_{letter}{number}" for letter, last in (("C", 7), ("T", 12), ("L", 5)) for number in range(1, last + 1)),
    *(f"rib_{side}_{number}" for side in ("left", "right") for number in range(1, 13)),
]


def test_every_structure_of_totalsegmentator_has_a_label_of_its_own():
    assert len(TOTALSEGMENTATOR) == 117
    found = [canonical(name) for name in TOTALSEGMENTATOR]
    assert len({entry.name for entry in found}) == 117
    assert all(entry.side == side for name, entry in zip(TOTALSEGMENTATOR, found, strict=True) for side in ("left", "right") if f"_{side}" in name and "atrial" not in name)
