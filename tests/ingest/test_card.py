"""Cards: every mistake is an error that names its place and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.params import ParamError
from stages.ingest.card import load_card
from stages.ingest.readers import READERS
from stages.knowledge.labels import labels
from tests.ingest.sources import REPO, card_content, make_card

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
