"""The schema of cards is current, is a schema, and says of the repository's cards what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stages.ingest.__main__ import main
from stages.ingest.card import FIELD_READERS, NEEDED_FIELDS, Card
from stages.ingest.readers import READERS
from stages.ingest.schema import card_schema, described_fields, schema_text
from tests.ingest.sources import REPO, card_content

CARDS = sorted((REPO / "data/cards").glob("*.yaml"))


def faults(content: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(card_schema()).iter_errors(content)]


def test_the_committed_schema_is_the_one_that_the_code_makes() -> None:
    committed = (REPO / "data/cards/schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: python -m stages.ingest --schema > data/cards/schema.json"
    jsonschema.Draft202012Validator.check_schema(json.loads(committed))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_card_of_the_repository_fits_the_schema(path: Path) -> None:
    assert faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"license": "CC0-1.0"}, "'license' was unexpected"),
        ({"reader": "nifti"}, "'nifti' is not one of"),
        ({"modality": "PET"}, "'PET' is not one of"),
        ({"image_left_is": "left"}, "'left' is not one of"),
        ({"empty_images": "ignore"}, "'ignore' is not one of"),
        ({"intensity": {"kind": "auto"}}, "'auto' is not one of"),
        ({"labels": {"heart": {"sources": "heart", "semantic": False}}}, "'heart' is not of type 'array'"),
        ({"reader": "picture_mask_crops"}, "'crops' is a required property"),
        ({"title": None}, "None is not of type 'string'"),
    ],
)
def test_a_wrong_card_does_not_fit_the_schema(change: dict[str, Any], message: str) -> None:
    assert faults(card_content()) == []
    assert any(message in fault for fault in faults(card_content(**change)))


def test_a_missing_field_does_not_fit_the_schema() -> None:
    content = card_content()
    del content["citation"]
    assert faults(content) == ["'citation' is a required property"]


def test_every_field_and_block_says_what_it_means() -> None:
    body = card_schema()["properties"]
    assert set(body) == set(described_fields(Card))
    assert [name for name, entry in body.items() if len(entry.get("description", "")) < 10] == []


def test_readers_that_fields_name_exist() -> None:
    named = {reader for readers in FIELD_READERS.values() for reader in readers} | set(NEEDED_FIELDS)
    assert named <= set(READERS)
    fields = set(FIELD_READERS) | {field for needed in NEEDED_FIELDS.values() for field in needed}
    assert fields <= set(described_fields(Card))


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--schema"])
    assert capsys.readouterr().out == schema_text()
