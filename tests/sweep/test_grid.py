"""A grid becomes experiments with names that git takes and settings that DVC takes."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.stage import StageError
from stages.sweep.grid import experiments_of


def test_every_combination_is_an_experiment_that_says_its_values() -> None:
    made = experiments_of("s", ["finetune.lora.rank=4,8", "finetune.learning_rate=0.002,0.004"], ["finetune.max_steps=100"])
    assert [experiment.name for experiment in made] == [
        "s-rank-4-learning_rate-0.002", "s-rank-4-learning_rate-0.004", "s-rank-8-learning_rate-0.002", "s-rank-8-learning_rate-0.004",
    ]  # fmt: skip
    assert made[1].settings == ["finetune.max_steps=100", "finetune.lora.rank=4", "finetune.learning_rate=0.004"]
    assert experiments_of("s", ["x=1e-3"], [])[0].values == {"x": 0.001}
    assert made[1].values == {"finetune.max_steps": 100, "finetune.lora.rank": 4, "finetune.learning_rate": 0.004}


def test_a_comma_within_brackets_belongs_to_its_value() -> None:
    made = experiments_of("arms", ["finetune.arms=[tuned,control,mix],[tuned,experts]"], [])
    assert [experiment.values["finetune.arms"] for experiment in made] == [["tuned", "control", "mix"], ["tuned", "experts"]]
    assert [experiment.name for experiment in made] == ["arms-arms-tuned_control_mix", "arms-arms-tuned_experts"]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=",[]{}()'\"&*!%@`#|>:?"), min_size=1))
def test_names_are_names_that_git_takes(value: str) -> None:
    if not value.strip():
        return
    (made,) = experiments_of("s", [f"a.b={value}"], [])
    assert subprocess.run(["git", "check-ref-format", f"refs/exps/{made.name}"], check=False).returncode == 0, made.name
    assert made.settings == [f"a.b={value.strip()}"]


@pytest.mark.parametrize(
    ("name", "over", "fixed", "said"),
    [
        ("a b", ["x=1"], [], "--name 'a b'"),
        ("s", [], [], "at least one parameter"),
        ("s", ["x"], [], "finetune.lora.rank=4,8"),
        ("s", ["x=1,,2"], [], "an empty value"),
        ("s", ["x=1,1"], [], "the same one twice"),
        ("s", ["x=1,2", "x=3"], [], "no parameter twice"),
        ("s", ["x=1,2"], ["x=3"], "no parameter twice"),
    ],
)
def test_what_cannot_be_a_grid_is_refused_with_what_was_expected(name: str, over: list[str], fixed: list[str], said: str) -> None:
    with pytest.raises(StageError, match=said.replace("[", r"\[")):
        experiments_of(name, over, fixed)


def test_two_values_that_give_one_name_are_refused() -> None:
    with pytest.raises(StageError, match="same name"):
        experiments_of("s", ["x=a+b,a/b"], [])
