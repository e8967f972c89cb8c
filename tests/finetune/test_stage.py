"""The stage as a whole: every arm gets its adapter, its curve and its figures, and dropped arms leave nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from stages.core.params import load_params
from stages.finetune.__main__ import finetune
from tests.finetune.corpus import PARAMS, write_corpus
from tests.import_closure import ROOT
from tests.vlm.tiny import save_tiny_base


def test_all_arms_and_experts_are_trained_and_a_dropped_arm_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))
    write_corpus(tmp_path / "data" / "corpus", 12)
    settings = dataclasses.replace(PARAMS, arms=["tuned", "mix", "experts"], max_steps=4, parallel_arms=2)
    params = dataclasses.replace(shipped, vlm=dataclasses.replace(shipped.vlm, base=str(save_tiny_base(tmp_path / "base"))), finetune=settings)
    figures = finetune(params)
    assert set(figures) == {"tuned", "mix", "experts"} and set(figures["experts"]) == {"CT", "X-ray"}
    assert sum(figures["experts"][modality]["steps"] for modality in ("CT", "X-ray")) == figures["tuned"]["steps"] == 4
    assert figures["tuned"]["loss"] != figures["mix"]["loss"]
    for name in ("tuned", "mix", "experts/CT", "experts/X-ray"):
        assert json.loads((Path("models/adapter") / name / "adapter_card.json").read_text())["arm"] == name
    assert sorted(path.stem for path in Path("metrics/plots/finetune").iterdir()) == ["experts_CT", "experts_X-ray", "mix", "tuned"]
    finetune(dataclasses.replace(params, finetune=dataclasses.replace(settings, arms=["tuned"])))
    assert [path.name for path in Path("models/adapter").iterdir()] == ["tuned"]
    assert [path.stem for path in Path("metrics/plots/finetune").iterdir()] == ["tuned"]
