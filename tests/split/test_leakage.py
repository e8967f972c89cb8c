"""Leakage is counted on the finished split, whoever made it, and a patient in two splits stops the stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.split import __main__ as stage
from tests.split.tables import anchor, params_for, picture, png, query, sample, write_inputs

BOX = [10.0, 10.0, 30.0, 30.0]


def lay(root: Path, pictures: list[bytes]) -> None:
    """A patient for each picture, with a query."""
    samples = [sample("toy", f"p{number:02d}", 0, content) for number, content in enumerate(pictures)]
    queries = [query(row.sample_id, 0, [f"{row.sample_id}#0"], text=f"lesion of {row.sample_id}") for row in samples]
    write_inputs(root, samples, [anchor(row.sample_id, 0, BOX) for row in samples], queries)


def test_a_patient_in_two_splits_stops_the_stage_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [sample("toy", "p", view, png(picture(view))) for view in range(2)]
    queries = [query(row.sample_id, 0, [f"{row.sample_id}#0"], text=f"lesion of {row.sample_id}") for row in rows]
    write_inputs(tmp_path, rows, [anchor(row.sample_id, 0, BOX) for row in rows], queries)
    real, splits = stage.example_of, iter(("train", "test"))
    monkeypatch.setattr(stage, "example_of", lambda asked, pictures, split, unseen: real(asked, pictures, next(splits), unseen))
    with pytest.raises(StageError, match="1 patients stand in two splits, the first is toy/p: nothing was written"):
        stage.split_corpus(params_for("toy"))
    assert not Path("data/corpus").exists()


def test_equal_pictures_that_a_split_has_torn_apart_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage joins such patients; the figure does not take its word for it."""
    monkeypatch.chdir(tmp_path)
    same = png(picture(7))
    lay(tmp_path, [same, same, *[png(picture(100 + number)) for number in range(8)]])
    assert stage.split_corpus(params_for("toy"))["leakage"]["exact"] == 0
    torn = {("toy", f"p{number:02d}"): "test" if number == 1 else "train" for number in range(10)}
    monkeypatch.setattr(stage, "assign", lambda *_: torn)
    leakage = stage.split_corpus(params_for("toy"))["leakage"]
    assert (leakage["exact"], leakage["perceptual"], leakage["patients"]) == (1, 1, 0)
