"""The documentation of cards says what the code does: its tables are made of the code, its examples load."""

from __future__ import annotations

import dataclasses
import re

import pytest
import yaml

from stages.ingest.__main__ import main
from stages.ingest.card import MODALITIES, Card, load_card
from stages.ingest.readers import READERS
from stages.ingest.schema import reader_manual, readme_tables
from tests.ingest.sources import REPO

CARDS = REPO / "data/cards"
README = (CARDS / "README.md").read_text(encoding="utf-8")
EXAMPLES = {content["name"]: text for text in re.findall(r"```yaml\n(.*?)```", README, re.S) if (content := yaml.safe_load(text))}


def test_the_tables_of_fields_flags_and_faults_are_those_of_the_code() -> None:
    assert README.endswith(readme_tables()), "replace the tables at its end by: python -m stages.ingest --tables"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_of_the_readme_is_a_card_that_loads(name: str, tmp_path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(EXAMPLES[name], encoding="utf-8")
    assert load_card(path).reader in READERS


def test_there_is_an_example_for_volumes_pictures_annotation_files_and_dicom() -> None:
    readers = {yaml.safe_load(text)["reader"] for text in EXAMPLES.values()} | {load_card(CARDS / "example.yaml").reader}
    assert readers >= {"volume_pairs", "picture_mask_files", "coco_json", "dicom_series"}


def test_every_reader_has_a_row_in_the_table_of_layouts() -> None:
    assert set(re.findall(r"\| `([a-z_]+)` \|\n", README)) >= set(READERS)


@pytest.mark.parametrize("reader", sorted(READERS))
def test_every_reader_has_a_manual(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--manual", reader])
    manual = capsys.readouterr().out
    assert manual.startswith(f"{reader}: ") and len(manual) > 200


@pytest.mark.parametrize("reader", ["dicom_series", "picture_mask_crops"])
def test_the_example_of_a_manual_is_yaml_with_fields_of_a_card(reader: str) -> None:
    blocks = re.findall(r"\n\n((?:    .*\n)+)", reader_manual(reader))
    example = yaml.safe_load(blocks[0])
    assert example["reader"] == reader and example.keys() <= {field.name for field in dataclasses.fields(Card)}


def test_an_unknown_reader_has_no_manual_but_names_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="no reader 'nifti'; there are coco_json"):
        main(["--manual", "nifti"])


def test_the_example_comments_every_field_that_it_has() -> None:
    lines = (CARDS / "example.yaml").read_text(encoding="utf-8").splitlines()
    bare = [line for before, line in zip(lines, lines[1:], strict=False) if re.match(r"[a-z_]+:", line) and "#" not in line and not before.strip().startswith("#")]
    # What these say is plain, or stands in the lines below them.
    assert {line.split(":")[0] for line in bare} <= {"title", "url", "licence_limits", "body_part", "files", "labels", "notes"}
    assert all(modality in "\n".join(lines) for modality in MODALITIES)
