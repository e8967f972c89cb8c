"""All arms see the same pictures and boxes, and only the words differ; experts share out the steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Example
from stages.core.stage import StageError
from stages.finetune.arms import Row, plan_lessons, shared_out, training_rows
from tests.finetune.corpus import PARAMS, example, write_corpus


def rows_of(examples: list[Example], arm: str, share: float = 0.5) -> list[Row]:
    return training_rows(examples, arm, share, 7)


def seen(rows: list[Row]) -> list[list[tuple[str, list[list[float]]]]]:
    return [[(e.example_id, e.boxes_xyxy_px) for e in row.examples] for row in rows]


def test_all_arms_see_the_same_pictures_and_boxes(tmp_path: Path) -> None:
    examples = write_corpus(tmp_path)
    tuned, control, mix = (rows_of(examples, arm) for arm in ("tuned", "control", "mix"))
    assert seen(tuned) == seen(control) == seen(mix)
    assert {e.text for row in control for e in row.examples} == {"the lesion", "the cyst and lesion"}
    assert all(e.split == "train" for row in tuned for e in row.examples)


def test_the_mix_has_class_names_in_its_share_of_the_examples(tmp_path: Path) -> None:
    examples = write_corpus(tmp_path, 120)
    names_only = ("the lesion", "the cyst and lesion")
    names = [e.text in names_only for row in rows_of(examples, "mix", 0.3) for e in row.examples]
    assert 0.2 < sum(names) / len(names) < 0.4
    assert not any(e.text in names_only for row in rows_of(examples, "mix", 0.0) for e in row.examples)


def test_an_image_is_mirrored_only_when_every_text_and_label_of_it_can_be() -> None:
    left = example("toy/a/0~0", "toy/a/0", "the lesion on the left", [[1, 1, 5, 5]], "train", "CT")
    liver = dataclasses.replace(left, example_id="toy/a/0~1", text="the largest one", label="liver lesion")
    assert rows_of([left], "tuned")[0].mirrorable
    for arm in ("tuned", "control"):
        assert not rows_of([left, liver], arm)[0].mirrorable


def test_an_unknown_arm_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="control, experts, mix, tuned"):
        plan_lessons(write_corpus(tmp_path), dataclasses.replace(PARAMS, arms=["tunde"]), 7)


def test_a_corpus_without_training_examples_is_an_error(tmp_path: Path) -> None:
    examples = [e for e in write_corpus(tmp_path) if e.split == "test"]
    with pytest.raises(StageError, match="split 'train'"):
        rows_of(examples, "tuned")


def test_a_corpus_without_validation_examples_says_what_to_change(tmp_path: Path) -> None:
    examples = [e for e in write_corpus(tmp_path) if e.split != "val"]
    params = dataclasses.replace(PARAMS, validation=dataclasses.replace(PARAMS.validation, every_steps=2))
    with pytest.raises(StageError, match="finetune.validation.every_steps to 0"):
        plan_lessons(examples, params, 7)


def test_experts_are_one_lesson_a_modality_with_the_steps_of_one_arm(tmp_path: Path) -> None:
    examples = write_corpus(tmp_path, 12)
    params = dataclasses.replace(PARAMS, arms=["experts"], max_steps=20, validation=dataclasses.replace(PARAMS.validation, every_steps=5, examples=100))
    lessons = plan_lessons(examples, params, 7)
    assert [lesson.name for lesson in lessons] == ["experts/CT", "experts/X-ray"]
    assert sum(lesson.steps for lesson in lessons) == 20
    for lesson in lessons:
        modality = lesson.name.removeprefix("experts/")
        assert {e.modality for row in lesson.rows for e in row.examples} == {modality} == {e.modality for e in lesson.validation}


@given(st.integers(1, 500), st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1))
def test_steps_are_shared_out_to_the_last_one(total: int, weights: dict[str, int]) -> None:
    shares = shared_out(total, weights)
    assert all(share >= 1 for share in shares.values())
    if all(total * weight >= sum(weights.values()) for weight in weights.values()):
        assert sum(shares.values()) == total
