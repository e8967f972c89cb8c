"""The vocabulary: complete for the claim language, free of leaks, and each modality keeps to its own words."""

from __future__ import annotations

import re

import pytest

from stages.core.claims import DIRECTIONS, KINDS, OPPOSITE
from stages.knowledge import labels, priors, words
from stages.knowledge.words import UnknownModalityError

WORDINGS = [(kind, value, text) for kind, table in words.phrases().items() for value, texts in table.items() for text in texts]
FRAMES = [frame for frames in words.frames().values() for frame in frames]


@pytest.mark.parametrize(("kind", "value", "text"), WORDINGS, ids=[f"{k}-{v}-{t}" for k, v, t in WORDINGS])
def test_a_wording_has_one_place_for_the_noun_and_balanced_brackets(kind, value, text):
    assert text.count("~") == 1
    assert re.fullmatch(r"[^\[\]]*(?:\[[^\[\]]+\][^\[\]]*)?", text)
    assert ("{other}" in text) == (kind == "relation") and ("{number}" in text) == (kind == "size_mm")


def test_no_two_claims_share_a_wording():
    texts = [text for kind, _, text in WORDINGS if kind != "rank_of_two"]
    assert len(set(texts)) == len(texts)


def test_every_claim_kind_has_its_words():
    elsewhere = {"label", "shape", "appearance"}
    assert set(words.phrases()) == set(KINDS) - elsewhere | {"quadrant", "rank_of_two"}
    assert set(words.phrases()["relation"]) == {*DIRECTIONS, "inside", "touching", "nearest"}
    assert set(words.shapes()) == {"round", "elongated", "irregular"}


@pytest.mark.parametrize("kind", ["image_side", "patient_side", "vertical", "border", "relation"])
def test_values_come_with_their_opposites(kind):
    values = set(words.phrases()[kind])
    assert all(OPPOSITE[value] in values for value in values if value in OPPOSITE)


@pytest.mark.parametrize("side", ["left", "right"])
def test_sides_of_the_patient_say_patient_and_sides_of_the_image_say_image(side):
    assert all("patient" in text and "image" not in text for text in words.phrases()["patient_side"][side])
    assert all("image" in text and "patient" not in text for text in words.phrases()["image_side"][side])
    assert all(OPPOSITE[side] not in text for kind in ("image_side", "patient_side") for text in words.phrases()[kind][side])


def test_no_wording_or_frame_speaks_of_the_annotation_or_states_a_diagnosis():
    forbidden = re.compile(r"\b(?:" + "|".join(map(re.escape, [*priors.leak_words(), *priors.unsupported_words()])) + r")\b")
    for text in [*(text for *_, text in WORDINGS), *FRAMES]:
        assert not forbidden.search(text), text


def test_there_are_thirty_frames_and_all_have_one_place_for_the_expression():
    assert len(set(FRAMES)) == len(FRAMES) >= 30
    assert all(sum(frame.count(slot) for slot in ("{the}", "{a}", "{bare}")) == 1 for frame in FRAMES)


@pytest.mark.parametrize("name", sorted(words.modalities()))
def test_every_modality_has_words_that_may_be_written(name):
    entry = words.modality(name)
    for table in (entry.bright, entry.dark, entry.brightest, entry.darkest):
        assert set(table) - words.read_only(name)


def test_words_of_two_modalities_do_not_clash():
    own = [(word, name) for name, entry in words.modalities().items() for word in entry.own]
    for word, name in own:
        for other, entry in words.modalities().items():
            if other != name:
                written = {*entry.bright, *entry.dark, *entry.brightest, *entry.darkest} - words.read_only(other)
                assert word not in written or word in entry.own, (word, name, other)


def test_every_shape_keeps_its_plain_word():
    assert all(texts[0] not in words.read_only("CT") for texts in words.shapes().values())


def test_an_unknown_modality_is_refused_with_the_known_ones():
    with pytest.raises(UnknownModalityError, match="unknown modality 'PET'; known: CT, MR"):
        words.modality("PET")


def test_labels_of_which_several_may_occur_have_a_plural():
    missing = [name for name, entry in labels.labels().items() if entry.several and entry.plural is None]
    assert set(missing) <= {"endotracheal tube", "nasogastric tube"}


def test_pairs_have_a_left_a_right_and_one_plural():
    halves = [entry for entry in labels.labels().values() if entry.pair]
    for entry in halves:
        others = [other for other in halves if other.pair == entry.pair]
        assert {other.side for other in others} == {"left", "right"} and len({other.pair_plural for other in others}) == 1


def test_between_an_even_and_an_uneven_texture_lies_a_zone_without_a_word():
    table = words.textures().modalities
    assert set(table) <= set(words.modalities())
    for name, entry in table.items():
        assert entry.homogeneous or entry.heterogeneous, name
        if entry.homogeneous and entry.heterogeneous:
            assert entry.homogeneous.spread * 1.5 < entry.heterogeneous.spread
            assert entry.homogeneous.texture < entry.heterogeneous.texture
