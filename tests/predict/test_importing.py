"""Answers made elsewhere: every line ends in a row or a count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stages.core.records import Prediction
from stages.core.shards import read_table
from stages.core.stage import StageError
from stages.predict.importing import KINDS, Form, import_answers
from tests.predict.corpus import EXAMPLES

IDS = [example.example_id for example in EXAMPLES]


def bring_in(folder: Path, lines: list[Any], form: Form = Form()) -> tuple[dict[str, Prediction], dict[str, int]]:  # noqa: B008
    file = folder / "answers.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    counts = import_answers(file, "theirs", EXAMPLES, form, folder / "out")
    return {row.example_id: row for row in read_table(folder / "out", Prediction)}, counts


@pytest.mark.parametrize(
    ("space", "order", "box"),
    [
        ("px", "xyxy", [4, 6, 20, 24]),
        ("px", "xywh", [4, 6, 16, 18]),
        ("norm1", "xyxy", [0.1, 0.2, 0.5, 0.8]),
        ("norm1000", "yxyx", [200, 100, 800, 500]),
    ],
)
def test_spaces_and_orders_come_to_the_same_pixels(tmp_path: Path, space: str, order: str, box: list[float]) -> None:
    rows, _ = bring_in(tmp_path, [{"example_id": IDS[0], "boxes": [box]}], Form(space, order))
    said, _ = bring_in(tmp_path, [{"example_id": IDS[0], "boxes": [box], "space": space, "order": order, "scores": [0.25]}])
    assert rows[IDS[0]].boxes_xyxy_px == said[IDS[0]].boxes_xyxy_px == [pytest.approx([4, 6, 20, 24])]
    assert (rows[IDS[0]].outcome, rows[IDS[0]].scores, said[IDS[0]].scores) == ("ok", [1.0], [0.25])


def test_pixels_of_a_resized_picture_are_scaled_back(tmp_path: Path) -> None:
    rows, _ = bring_in(tmp_path, [{"example_id": IDS[0], "boxes": [[8, 12, 40, 48]], "size": [80, 60]}])
    assert rows[IDS[0]].boxes_xyxy_px == [[4, 6, 20, 24]]


def test_an_example_is_found_by_image_and_words(tmp_path: Path) -> None:
    rows, counts = bring_in(tmp_path, [{"image": "d/p1/0", "text": "the liver", "boxes": []}])
    assert rows["d/p1/0~2"].outcome == "none"
    assert counts["missing"] == len(IDS) - 1


def test_raw_answers_are_read_by_a_codec(tmp_path: Path) -> None:
    lines = [
        {"example_id": IDS[0], "answer": '[{"bbox_2d": [100, 200, 500, 800], "label": "x"}]', "codec": "qwen3"},
        {"example_id": IDS[1], "answer": "I am sorry, I cannot help with that."},
        {"example_id": IDS[2], "answer": '[{"bbox_2d": [8, 12, 40, 48], "label": "x"}]', "codec": "qwen2_5", "seen": [80, 60]},
    ]
    rows, counts = bring_in(tmp_path, lines, Form(codec="json1000"))
    assert rows[IDS[0]].boxes_xyxy_px == [pytest.approx([4, 6, 20, 24])]
    assert rows[IDS[1]].outcome == "refusal"
    assert rows[IDS[2]].boxes_xyxy_px == [pytest.approx([4, 6, 20, 24])]
    assert counts["bad_answer"] == 1


def test_every_fault_is_counted_and_every_example_has_a_row(tmp_path: Path) -> None:
    lines = [
        "{not json",
        "[1]",
        {"example_id": IDS[0], "boxes": [[1, 1, 5]]},
        {"example_id": "nobody", "boxes": []},
        {"example_id": IDS[1], "boxes": [[1, 1, 5, 5]]},
        {"example_id": IDS[1], "boxes": []},
        f'{{"example_id": "{IDS[2]}", "boxes": [[NaN, 1, 5, 5]]}}',
        {"example_id": IDS[3], "boxes": [[9, 1, 5, 5]]},
        {"example_id": IDS[4], "boxes": [[1, 1, 50, 5]]},
        {"example_id": IDS[5], "boxes": [[1, 1, 40.2, 5]]},
        {"example_id": IDS[6], "boxes": [[1, 1, 5, 5]], "scores": [2]},
    ]
    rows, counts = bring_in(tmp_path, lines)
    assert counts == {
        "not_json": 1, "bad_line": 3, "unknown_id": 1, "duplicate": 1, "missing": 4, "bad_answer": 0, "not_finite": 1, "reversed": 1,
        "outside_image": 1, "clipped": 1,
    }  # fmt: skip
    assert sorted(rows) == sorted(IDS)
    assert rows[IDS[1]].boxes_xyxy_px == [[1, 1, 5, 5]]
    assert [rows[IDS[n]].outcome for n in (2, 3, 4)] == ["out_of_range"] * 3
    assert (rows[IDS[5]].outcome, rows[IDS[5]].boxes_xyxy_px) == ("repaired", [[1, 1, 40, 5]])
    assert rows[IDS[0]].outcome == "malformed"
    about = json.loads((tmp_path / "out/about.json").read_text())
    assert about["faults"] == counts and set(counts) == set(KINDS)
    assert about["first_faults"][0].startswith("line 1: not_json")


def test_a_file_that_answers_nothing_and_an_unknown_codec_are_errors(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no line answers an example"):
        bring_in(tmp_path, [{"example_id": "nobody", "boxes": []}])
    with pytest.raises(StageError, match="needs a codec that is known, got 'qwen9'.*json1000"):
        bring_in(tmp_path, [{"example_id": IDS[0], "answer": "none", "codec": "qwen9"}])
    with pytest.raises(StageError, match="cannot be read"):
        import_answers(tmp_path / "missing.jsonl", "theirs", EXAMPLES, Form(), tmp_path / "out")
