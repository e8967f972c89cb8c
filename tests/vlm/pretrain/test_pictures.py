"""The pictures' own folder: the run's parameters, another seed, cards seen from there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stages.core.params import ParamError, load_params, read_yaml
from stages.core.stage import seed_for
from stages.vlm.pretrain.pictures import settings_of

ROOT = Path(__file__).parents[3]
PARAMS = load_params(ROOT / "params.yaml")
CONTENT = read_yaml(ROOT / "params.yaml", "")


def test_a_patient_of_the_pictures_is_no_patient_of_the_run_whatever_its_seed() -> None:
    for seed in (0, 7, 99):
        other = settings_of(dataclasses.replace(PARAMS, seed=seed), CONTENT, Path("data/pretrain"))["seed"]
        assert other != seed
        assert seed_for(other, "us_phantom", "p0001") != seed_for(seed, "us_phantom", "p0001")


def test_only_the_cases_of_the_pretraining_are_written_and_their_cards_are_found_from_there() -> None:
    content = settings_of(PARAMS, CONTENT, Path("data/pretrain"))
    assert content["phantom"]["cases"] == PARAMS.pretrain.cases
    assert set(content["datasets"]) == set(PARAMS.pretrain.cases)
    assert all((ROOT / "data/pretrain" / entry["card"]).resolve() == ROOT / PARAMS.datasets[name].card for name, entry in content["datasets"].items())
    assert content["ingest"] == CONTENT["ingest"]


def test_a_case_count_of_an_unknown_dataset_is_refused() -> None:
    wrong = dataclasses.replace(PARAMS, pretrain=dataclasses.replace(PARAMS.pretrain, cases={"mr_phantom": 3}))
    with pytest.raises(ParamError, match="mr_phantom is no key of datasets"):
        settings_of(wrong, CONTENT, Path("data/pretrain"))
