"""Totals over all datasets, and the pictures that two of them share."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.params import DatasetParams, Params
from stages.core.records import to_row
from stages.ingest.__main__ import main as ingest_main
from stages.ingest.across.__main__ import across
from stages.ingest.across.__main__ import main as across_main
from tests.ingest.sources import block, card_content, grey, save, stage_params, write_card

SIDE = 96


def scene(seed: int) -> np.ndarray:
    """A smooth picture, unlike those of other seeds."""
    from PIL import Image

    coarse = Image.fromarray(grey(6, 6, seed))
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def write_set(folder: Path, name: str, pictures: dict[str, np.ndarray]) -> DatasetParams:
    """A set of radiographs with a heart in each, and its card."""
    for case, pixels in pictures.items():
        save(folder / name / f"images/{case}.png", pixels)
        save(folder / name / f"masks/{case}_heart.png", block((10, 10, 40, 40), SIDE, SIDE))
    card = write_card(folder / name, card_content(name=name, files=dict(card_content()["files"], other=["*.yaml"])))
    return DatasetParams(card=str(card), root=str(folder / name))


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Two ingested sets: b holds one picture of a, and another one with its grey levels changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    darker = (255 * (scene(2) / 255.0) ** 1.2).astype(np.uint8)
    sets = {
        "a": write_set(tmp_path, "a", {"x": scene(1), "y": scene(2), "z": scene(3)}),
        "b": write_set(tmp_path, "b", {"p": scene(1), "q": darker, "r": scene(4)}),
    }
    (tmp_path / "base").mkdir()
    base = stage_params(tmp_path / "base", card_content(), near_duplicate_bits=8)
    params = dataclasses.replace(base, datasets=sets)
    Path("params.yaml").write_text(yaml.safe_dump(to_row(params)), encoding="utf-8")
    for name in sets:
        ingest_main([name])
    return params


def test_a_picture_of_two_sets_is_listed_with_both_ids(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["across"])
    across_main()
    figures = json.loads(Path("metrics/ingest/across.json").read_text(encoding="utf-8"))
    assert (figures["datasets"], figures["images"], figures["objects"], figures["patients"]) == (2, 6, 6, 6)
    assert figures["modality"] == {"X-ray": {"datasets": 2, "images": 6, "objects": 6}}
    assert (figures["duplicates"]["exact"], figures["duplicates"]["near"]) == (1, 1)
    with Path("metrics/plots/ingest_duplicates.csv").open(encoding="utf-8") as handle:
        rows = [(row["kind"], row["sample_a"], row["sample_b"]) for row in csv.DictReader(handle)]
    assert rows == [("exact", "a/x/frontal", "b/p/frontal"), ("near", "a/y/frontal", "b/q/frontal")]


def test_one_worker_and_two_list_the_same_pairs(params: Params) -> None:
    figures, listed = across(params), Path("metrics/plots/ingest_duplicates.csv").read_bytes()
    assert across(dataclasses.replace(params, engine=dataclasses.replace(params.engine, workers=2))) == figures
    assert Path("metrics/plots/ingest_duplicates.csv").read_bytes() == listed


def test_a_set_that_is_no_longer_declared_is_left_out_although_its_folder_is_there(params: Params) -> None:
    figures = across(dataclasses.replace(params, datasets={"a": params.datasets["a"]}))
    assert (figures["datasets"], figures["images"], figures["duplicates"]["exact"]) == (1, 3, 0)
