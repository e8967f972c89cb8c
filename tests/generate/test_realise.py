"""Wordings: agreement, articles, order, and the image named once."""

from __future__ import annotations

from random import Random

import pytest

from stages.core.claims import Claim
from stages.generate.realise import Phrase, article, fill, noun_phrase, realise
from tests.generate.scenes import STYLE_SHARES

LESION = Claim("label", "liver lesion")


def _texts(claims: list[Claim], modality: str = "CT", n_targets: int = 1, of_two: bool = False) -> set[str]:
    return {realise(claims, modality, n_targets, of_two, STYLE_SHARES, Random(seed))[0] for seed in range(300)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("hypodense focus", "a"), ("elongated nerve", "an"), ("8 mm polyp", "an"), ("11 mm polyp", "an"), ("18 mm polyp", "an"),
     ("80 mm mass", "an"), ("12 mm polyp", "a"), ("110 mm mass", "a"), ("uniform area", "a"), ("echogenic nerve", "an")],
)  # fmt: skip
def test_the_article_follows_the_sound(text, expected):
    assert article(text) == expected


def test_verbs_agree_with_several_objects():
    several = Phrase("nuclei", True, False, "all ~")
    assert fill("Where {is} {the}?", several, "microscopy field", "question") == "Where are all nuclei?"
    assert fill("Where {does} {the} lie?", Phrase("nucleus", False, False), "x", "question") == "Where does the nucleus lie?"


def test_adjectives_stand_before_the_noun_and_places_behind_it():
    claims = [LESION, Claim("rank", "size:1"), Claim("shape", "round"), Claim("appearance", "dark"), Claim("patient_side", "right")]
    texts = {noun_phrase(claims, "CT", False, False, Random(seed)).text for seed in range(200)}
    assert "largest round hypodense liver lesion on the patient's right" in texts


def test_a_rank_or_an_organ_takes_the_definite_article_only():
    for claims in ([LESION, Claim("rank", "size:1")], [Claim("label", "spleen"), Claim("vertical", "upper")]):
        assert not any(text.lower().startswith(("a ", "there is a")) for text in _texts(claims))
    assert "There is a liver lesion in the upper half of the image." in _texts([LESION, Claim("vertical", "upper")])


def test_half_and_side_of_the_image_become_a_quadrant():
    texts = _texts([LESION, Claim("image_side", "left"), Claim("vertical", "upper")])
    assert all("quadrant of the image" in text for text in texts) and "the liver lesion in the upper left quadrant of the image" in texts


def test_of_two_one_is_the_larger():
    claims = [LESION, Claim("rank", "size:1")]
    assert any("larger" in text for text in _texts(claims, of_two=True)) and not any("larger" in text for text in _texts(claims))


def test_left_in_ct_always_says_of_what_and_in_endoscopy_may_not():
    claims = [LESION, Claim("rank", "x:1")]
    assert all("image" in text for text in _texts(claims))
    assert {True, False} == {"image" in text for text in _texts([Claim("label", "polyp"), Claim("rank", "x:1")], "endoscopy")}


def test_several_objects_take_their_number_and_no_bare_or_indefinite_form():
    texts = _texts([Claim("label", "cell nucleus"), Claim("vertical", "upper"), Claim("count", "3", None, 3.0)], "microscopy", 3)
    assert all("three nuclei in the" in text for text in texts)
    pair = [Claim("label", "left kidney|right kidney"), Claim("count", "2", None, 2.0)]
    assert all("kidneys" in text for text in _texts(pair, n_targets=2))


def test_what_is_not_there_is_never_reported_as_seen():
    styles = {realise([LESION, Claim("vertical", "upper")], "CT", 0, False, STYLE_SHARES, Random(seed))[1] for seed in range(100)}
    assert styles == {"phrase", "question", "instruction"}


def test_an_adjective_does_not_repeat_a_word_of_the_noun():
    texts = _texts([Claim("label", "skin lesion"), Claim("appearance", "dark")], "dermoscopy")
    assert any("pigmented" in text for text in texts) and not any("pigmented pigmented" in text for text in texts)


def test_the_plain_wording_is_the_commonest():
    texts = [noun_phrase([LESION, Claim("patient_side", "left")], "CT", False, False, Random(seed)).text for seed in range(400)]
    plain = sum(text.endswith("on the patient's left") for text in texts)
    assert 0.45 < plain / len(texts) < 0.7
