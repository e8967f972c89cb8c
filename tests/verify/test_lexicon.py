"""Nouns of the lexicon: groups, kinds, spellings, and names that hold words of other classes."""

from __future__ import annotations

import pytest

from stages.core.claims import Claim
from stages.knowledge.labels import labels, members
from stages.verify.checks.claims import narrowed
from stages.verify.parser import parse
from tests.verify.scenes import context, outcome


def _label_of(text: str) -> set[str]:
    (claim,) = (claim for claim in parse(text).claims if claim.kind == "label")
    return set(claim.value.split("|"))


@pytest.mark.parametrize("group", ["vertebra", "rib", "kidney", "lung"])
def test_a_general_name_stands_for_every_label_of_its_group(group):
    assert set(members(group)) <= _label_of(f"the {group}")


def test_a_general_name_is_narrowed_to_what_the_image_can_have():
    (claim,) = parse("the largest kidney").claims[:1]
    assert narrowed(claim, frozenset({"left kidney", "right kidney", "liver"})) == Claim("label", "left kidney|right kidney")
    assert narrowed(claim, frozenset({"kidney", "kidney tumour"})) == Claim("label", "kidney")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the kidney tumor", "kidney tumour"),
        ("the esophagus", "oesophagus"),
        ("peritumoral edema", "peritumoural oedema"),
        ("L3 vertebra", "third lumbar vertebra"),
        ("the third lumbar vertebra", "third lumbar vertebra"),
        ("left upper lobe", "left upper lobe"),
        ("the left ventricle", "left ventricle"),
        ("optic nerve on the left side of the image", None),
    ],
)
def test_spellings_levels_and_sides_in_names_are_part_of_the_name(text, name):
    assert _label_of(text) == ({name} if name else {"left optic nerve", "right optic nerve"})
    assert parse(text).unread == ()


def test_lesion_means_any_label_of_the_kind():
    assert _label_of("the largest lesion") == {entry.name for entry in labels().values() if entry.kind == "lesion"}


def test_an_ordinal_before_a_group_counts_and_does_not_name():
    claims = set(parse("the third vertebra from the top of the image").claims)
    assert Claim("rank", "y:3") in claims
    assert not any(claim.kind == "label" and claim.value == "third lumbar vertebra" for claim in claims)


def test_a_source_that_marks_kidneys_and_an_image_with_a_left_one_agree():
    marked = context(annotated_labels=["kidney", "liver"])
    assert {"left kidney", "right kidney"} <= marked.known_labels and "kidney" not in marked.known_labels
    assert outcome("both kidneys", 2, 3, in_context=marked).fate == "accepted"
    assert outcome("the kidney", kind="none", in_context=marked).fate != "accepted"


@pytest.mark.parametrize("word", ["nodule", "mass", "lesion"])
def test_a_generic_word_means_the_nodules_and_lesions_of_every_organ(word):
    assert {"thyroid nodule", "breast lesion", "lung nodule", "prostate lesion", "liver lesion"} <= _label_of(f"the {word}")


def test_a_lung_nodule_may_be_called_so_by_the_sets_that_know_only_wider_labels():
    for text in ("the lung nodule", "the pulmonary nodule"):
        (claim,) = parse(text).claims
        assert narrowed(claim, frozenset({"lung nodule", "left lung"})) == Claim("label", "lung nodule")
        assert narrowed(claim, frozenset({"lung opacity", "left lung"})) == Claim("label", "lung opacity")


def test_lobes_and_stones_have_their_plurals():
    assert _label_of("the thyroid lobes") == {"thyroid lobe", "left thyroid lobe", "right thyroid lobe"}
    assert _label_of("two renal calculi") == {"kidney stone"}


def test_both_ends_of_between_keep_their_names_when_narrowed() -> None:
    claim = Claim("relation", "between", "hard exudate|soft exudate&intervertebral disc|optic disc")
    assert narrowed(claim, frozenset({"hard exudate", "optic disc", "soft exudate"})).other == "hard exudate|soft exudate&optic disc"


def test_a_word_of_several_organs_is_narrowed_to_the_pictures_own() -> None:
    (claim,) = parse("haemorrhage", "CT").claims
    assert narrowed(claim, frozenset({"brain", "intracranial haemorrhage"})).value == "intracranial haemorrhage"
    assert narrowed(claim, frozenset({"optic disc", "retinal haemorrhage"})).value == "retinal haemorrhage"
