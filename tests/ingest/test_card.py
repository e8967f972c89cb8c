"""Cards: every mistake is an error that names its place and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.core.params import ParamError
from stages.ingest.card import load_card
from stages.ingest.readers import READERS
from stages.knowledge.labels import labels
from tests.ingest.sources import REPO, card_content, make_card, write_card

CARDS = sorted((REPO / "data/cards").glob("*.yaml"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_card_of_the_repository_loads_and_is_named_like_its_file(path: Path) -> None:
    card = load_card(path)
    assert card.name == path.stem
    assert card.reader in READERS
    assert set(card.labels) <= set(labels())


def test_an_unknown_key_names_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="unknown key 'license'; did you mean 'licence'"):
        make_card(tmp_path, card_content(license="CC0-1.0"))


def test_an_unknown_label_names_the_nearest_ones(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="unknown label 'hart'; nearest: heart"):
        make_card(tmp_path, card_content(labels={"hart": {"sources": [1], "semantic": False}}))


def test_annotated_labels_must_be_labels_of_the_card(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="annotated_labels.*spleen"):
        make_card(tmp_path, card_content(annotated_labels=["spleen"]))


@pytest.mark.parametrize(("key", "value"), [("modality", "PET"), ("image_left_is", "left"), ("plane", "oblique")])
def test_a_value_outside_its_closed_list_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ParamError, match=f"{key}: expected one of"):
        make_card(tmp_path, card_content(**{key: value}))


def test_a_window_needs_its_level_and_width(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="intensity:width"):
        make_card(tmp_path, card_content(intensity={"kind": "window", "level": 40}))


def test_a_missing_card_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="gone.yaml not found"):
        load_card(tmp_path / "gone.yaml")


def refused(tmp_path: Path, match: str, **changes: Any) -> None:
    with pytest.raises(ParamError, match=match):
        make_card(tmp_path, card_content(**changes))


@pytest.mark.parametrize("name", ["../tiny", "My Set", "", "a/b"])
def test_a_name_that_cannot_be_a_folder_and_an_id_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, "name: expected lower-case letters", name=name)


@pytest.mark.parametrize("licence", ["CC BY 4.0", "see website", ""])
def test_a_licence_that_is_no_spdx_id_is_refused_with_what_to_write(tmp_path: Path, licence: str) -> None:
    refused(tmp_path, "licence: expected an SPDX id such as CC-BY-4.0, LicenseRef-NAME", licence=licence)


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "LicenseRef-KiTS", "MIT OR Apache-2.0", "GPL-2.0+"])
def test_spdx_ids_expressions_and_own_references_are_licences(tmp_path: Path, licence: str) -> None:
    assert make_card(tmp_path, card_content(licence=licence)).licence == licence


def test_what_is_null_is_explained(tmp_path: Path) -> None:
    refused(tmp_path, "version: expected a value, or a sentence in `notes`", version=None, verified_on="real")
    refused(tmp_path, "citation: expected a value, or a sentence in `notes`", citation=None)
    refused(tmp_path, "licence_limits: expected a word why the licence is null", licence=None, licence_limits="")
    card = make_card(tmp_path, card_content(version=None, citation=None, verified_on="real", notes="No version or citation is stated."))
    assert card.version is None and card.citation is None


def test_a_block_that_the_reader_does_not_look_at_is_an_error(tmp_path: Path) -> None:
    names = ("table", "image", "mask", "label", "top", "left", "width", "height", "resolution")
    crops = {name: name for name in names}
    refused(tmp_path, "crops: expected nothing: the reader picture_mask_files does not look at it, only picture_mask_crops", crops=crops)


def test_a_block_that_the_reader_needs_is_named(tmp_path: Path) -> None:
    refused(tmp_path, "crops: expected this block, since the reader picture_mask_crops needs it", reader="picture_mask_crops")


@pytest.mark.parametrize(
    ("intensity", "message"),
    [
        ({"kind": "percentiles", "low": 99, "high": 1}, "low < high"),
        ({"kind": "window", "level": 40, "width": 0}, "width above 0"),
        ({"kind": "stored", "level": 40}, "level: expected nothing: kind stored does not use it"),
        ({"kind": "automatic"}, "kind: expected one of"),
        ({"kind": "window", "preset": "no such window"}, "preset"),
    ],
)
def test_an_intensity_rule_that_makes_no_sense_is_refused(tmp_path: Path, intensity: dict[str, Any], message: str) -> None:
    refused(tmp_path, message, intensity=intensity)


def test_an_official_split_needs_a_place_where_it_is_stated_and_known_names(tmp_path: Path) -> None:
    refused(tmp_path, "official_split: expected a {split} part", official_split={"train": ["tr"]})
    files = dict(card_content()["files"], image=["{split}/{case}.png"])
    refused(tmp_path, "official_split: expected the values of {split} under train, val or test", files=files)
    refused(tmp_path, "official_split: expected keys among train, val, test", official_split={"testing": ["te"]}, files=files)
    refused(tmp_path, "each value under one split", official_split={"train": ["a"], "test": ["a"]}, files=files)
    assert make_card(tmp_path, card_content(official_split={"train": ["tr"]}, files=files)).official_split == {"train": ["tr"]}


def test_a_source_is_a_label_or_ignored_and_every_label_has_one(tmp_path: Path) -> None:
    refused(tmp_path, "ignored_sources: expected sources that no label uses; heart does", ignored_sources=["heart"])
    refused(tmp_path, "heart:sources: expected at least one source", labels={"heart": {"sources": [], "semantic": False}}, annotated_labels=[])


@pytest.mark.parametrize("change", [{"pixel_mm": [0.5]}, {"pixel_mm": [0.5, -1.0]}, {"mask_threshold": -1}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    refused(tmp_path, f"{next(iter(change))}: expected", **change)


def test_empty_pictures_are_kept_only_where_the_source_marks_completely(tmp_path: Path) -> None:
    refused(tmp_path, "annotated_labels: expected a label", empty_images="keep", annotated_labels=[])


def test_a_key_that_stands_twice_in_a_card_is_an_error(tmp_path: Path) -> None:
    path = write_card(tmp_path, card_content())
    path.write_text(path.read_text() + "notes: one\nnotes: two\n")
    with pytest.raises(ParamError, match=r"card\.yaml is not valid YAML: the key 'notes' stands twice"):
        load_card(path)


def test_a_card_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("- a\n- b\n")
    with pytest.raises(ParamError, match=r"card\.yaml: expected a mapping"):
        load_card(tmp_path / "card.yaml")
