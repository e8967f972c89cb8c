"""Whose answers are scored: declared contenders and brought ones, never what an earlier list of arms left."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.evaluate.folders import contender_names, import_faults


def lay(folder: Path, **contenders: dict[str, object] | None) -> Path:
    """A folder of predictions; a contender with a dict has it as its about.json."""
    for name, told in contenders.items():
        (folder / name).mkdir()
        if told is not None:
            (folder / name / "about.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def test_the_base_stands_first_then_the_arms_in_their_order_then_what_was_brought(tmp_path: Path) -> None:
    lay(tmp_path, zeta={"imported": "a.jsonl"}, tuned={"base": "nano"}, server={"model": "m"}, base={"base": "nano"}, mix=None, by_hand={"base": "nano", "adapter": "x"})
    assert contender_names(["tuned", "mix"], tmp_path) == ["base", "tuned", "mix", "by_hand", "server", "zeta"]


@pytest.mark.parametrize("told", [None, {}, {"contender": "mix", "base": "nano", "base_hash": "0", "split": "test"}])
def test_the_folder_of_a_dropped_arm_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture, told: dict | None) -> None:
    lay(tmp_path, base=None, tuned=None, mix=told)
    with caplog.at_level(logging.WARNING):
        assert contender_names(["tuned"], tmp_path) == ["base", "tuned"]
    assert "mix is not scored: no arm of finetune.arms" in caplog.text


def test_a_declared_contender_without_predictions_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lay(tmp_path, theirs={"imported": "a.jsonl"})
    with caplog.at_level(logging.WARNING):
        assert contender_names(["tuned"], tmp_path) == ["theirs"]
    assert "`dvc repro predict_base`" in caplog.text and "`dvc repro predict@tuned`" in caplog.text


def test_only_left_overs_are_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="holds no folder of predictions"):
        contender_names(["tuned"], lay(tmp_path, old=None))


def test_faults_of_an_import_are_those_that_occurred(tmp_path: Path) -> None:
    lay(tmp_path, theirs={"imported": "a.jsonl", "faults": {"not_json": 2, "missing": 0}}, tuned=None)
    assert import_faults("theirs", tmp_path) == {"not_json": 2}
    assert import_faults("tuned", tmp_path) == {}


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_about_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    lay(tmp_path, theirs=None)
    (tmp_path / "theirs/about.json").write_text(text, encoding="utf-8")
    with pytest.raises(StageError, match=r"theirs/about\.json"):
        contender_names([], tmp_path)
