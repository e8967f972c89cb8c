"""The control sees the same pictures and boxes as the tuned arm, and only the words differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.stage import StageError
from stages.finetune.arms import training_rows
from tests.finetune.corpus import write_corpus


def test_both_arms_see_the_same_pictures_and_boxes(tmp_path: Path) -> None:
    examples = write_corpus(tmp_path)
    tuned, control = (training_rows(examples, arm) for arm in ("tuned", "control"))
    assert [[(e.example_id, e.boxes_xyxy_px) for e in row] for row in tuned] == [
        [(e.example_id, e.boxes_xyxy_px) for e in row] for row in control
    ]
    assert {e.text for row in control for e in row} == {"the lesion"}
    assert all(e.split == "train" for row in tuned for e in row)


def test_an_unknown_arm_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="control, tuned"):
        training_rows(write_corpus(tmp_path), "tunde")


def test_a_corpus_without_training_examples_is_an_error(tmp_path: Path) -> None:
    examples = [e for e in write_corpus(tmp_path) if e.split == "test"]
    with pytest.raises(StageError, match="split 'train'"):
        training_rows(examples, "tuned")
