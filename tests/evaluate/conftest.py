"""A tiny corpus with predictions, written through the real tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import settings as hypothesis_settings

from stages.core.records import Example, Prediction
from stages.core.shards import write_table
from tests.evaluate.builders import make_answer, make_example

ROOT = Path(__file__).parents[2]
# Time is no property of a measure: a busy machine makes no test fail.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")


@pytest.fixture
def corpus() -> list[Example]:
    """40 test examples of 10 patients (every fifth multi, every tenth without target) and 8 training examples."""
    examples = []
    for number in range(48):
        box = [10.0 + number % 20, 10.0, 30.0 + number % 20, 40.0]
        boxes = [] if number % 10 == 9 else [box, [60.0, 50.0, 80.0, 70.0]] if number % 5 == 0 else [box]
        examples.append(make_example(number, boxes, split="train" if number >= 40 else "test"))
    return examples


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: list[Example]) -> Path:
    """A folder with params.yaml, corpus and predictions: tuned is perfect, control half right, base unparsable or off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDGROUND_TRACKING", "off")
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    settings = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    settings["evaluate"]["bootstrap_draws"] = 300
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    write_table("data/corpus/examples", Example, corpus)
    test = [example for example in corpus if example.split == "test"]
    answers = {
        "tuned": [make_answer(example, "tuned", example.boxes_xyxy_px) for example in test],
        "control": [make_answer(example, "control", example.boxes_xyxy_px if index % 2 else [[0, 0, 5, 5]]) for index, example in enumerate(test)],
        "base": [make_answer(example, "base", [], "malformed") for example in test],
    }
    for contender, rows in answers.items():
        write_table(f"data/predictions/{contender}", Prediction, rows)
    return tmp_path
