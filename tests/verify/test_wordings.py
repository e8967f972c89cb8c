"""Every wording of words.yaml, in every frame, is read as the claim that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from stages.core.claims import Claim
from stages.knowledge import words
from stages.knowledge.labels import labels
from stages.verify.parser import parse
from tests.verify.expressions import ROOT

CONTENT = yaml.safe_load((ROOT / "stages" / "knowledge" / "words.yaml").read_text(encoding="utf-8"))
QUADRANT = "quadrant"


def _said(kind: str, value: str) -> set[Claim]:
    if kind == QUADRANT:
        row, column = value.split()
        return {Claim("vertical", row), Claim("image_side", column)}
    if kind == "relation":
        return {Claim(kind, value, "left kidney")}
    if kind == "size_mm":
        return {Claim(kind, value, None, 23.0)}
    if kind == "count":
        return set() if value == "all" else {Claim(kind, value, None, float(value))}
    found = {Claim(kind.removesuffix("_of_two"), value)}
    span = re.search(r"-?1-(\d)$", value) if kind == "rank" else None
    return found | ({Claim("count", span.group(1), None, float(span.group(1)))} if span else set())


def _wordings() -> Iterator[tuple[str, str, str]]:
    for kind, values in CONTENT["phrases"].items():
        for value, phrases in values.items():
            for phrase in phrases:
                yield from {(kind, value, re.sub(r"\[([^\]]*)\]", keep, phrase)) for keep in (r"\1", "")}


@pytest.mark.parametrize(("kind", "value", "wording"), sorted(set(_wordings())))
def test_a_wording_is_read_as_its_claim(kind: str, value: str, wording: str) -> None:
    plural = kind == "count" or "1-" in value
    noun = "lung opacities" if plural else "lung opacity"
    text = wording.replace("~", noun).replace("{other}", "left kidney").replace("{number}", "23")
    parsed = parse(text, "CT", "patient_right")
    assert set(parsed.claims) == {Claim("label", "lung opacity"), *_said(kind, value)}, text
    assert (parsed.unread, parsed.ambiguous) == ((), ()), text
    assert parsed.plural == plural


FRAMES = sorted(frame for frames in CONTENT["frames"].values() for frame in frames)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("modality", sorted(words.modalities()))
def test_a_frame_adds_nothing_to_what_an_expression_says(frame: str, modality: str) -> None:
    text = frame.format(
        the="the largest nerve on the left side of the image", a="a nerve in the left half of the image",
        bare="largest nerve on the left of the image", image=words.modality(modality).image,
        **{"is": "is", "does": "does"},
    )  # fmt: skip
    parsed = parse(text, modality, "patient_right")
    assert {Claim("label", "nerve"), Claim("image_side", "left")} <= set(parsed.claims)
    assert len(parsed.claims) <= 3
    assert (parsed.unread, parsed.ambiguous) == ((), ()), text


@pytest.mark.parametrize("name", sorted(labels()))
def test_every_name_of_a_label_is_read_as_that_label(name: str) -> None:
    entry = labels()[name]
    for noun in [*entry.names, *([entry.plural] if entry.plural else [])]:
        (claim,) = parse(f"the {noun}").claims
        assert claim.kind == "label"
        assert name in claim.value.split("|")


@pytest.mark.parametrize("modality", sorted(words.modalities()))
def test_the_adjectives_of_a_modality_are_read(modality: str) -> None:
    entry = words.modality(modality)
    for adjectives, claim in (
        (entry.bright, Claim("appearance", "bright")),
        (entry.dark, Claim("appearance", "dark")),
        (entry.brightest, Claim("rank", "brightness:1")),
        (entry.darkest, Claim("rank", "brightness:-1")),
    ):
        for adjective in adjectives:
            parsed = parse(f"the {adjective} polyp", modality)
            assert set(parsed.claims) == {Claim("label", "polyp"), claim}, adjective
            assert parsed.unread == ()
