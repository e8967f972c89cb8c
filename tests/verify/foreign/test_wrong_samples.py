"""A radiograph drawn by hand, samples of it with one thing wrong each, and the reason that each must be rejected for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from stages.core.params import Params
from tests.verify.expressions import ROOT
from tests.verify.foreign.asking import asked

DATA = ROOT / "tests/data"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (DATA / "wrong_samples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_there_are_ten_kinds_of_wrong_samples_and_clean_ones_beside_them() -> None:
    assert len({row["what"] for row in ROWS if row["verdict"] == "rejected"}) >= 10
    assert sum(row["verdict"] == "accepted" for row in ROWS) >= 5


def test_every_wrong_sample_is_rejected_for_its_reason_and_every_clean_one_accepted(params: Params, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in {row["line"]["image"] for row in ROWS}:
        shutil.copy(DATA / "wrong_samples.png", pictures / name)
    answers = asked(params, *(row["line"] for row in ROWS), images=pictures)
    found = {(row["what"], row["line"]["text"]): (answer.verdict, answer.reason) for row, answer in zip(ROWS, answers, strict=True)}
    assert found == {(row["what"], row["line"]["text"]): (row["verdict"], row["reason"]) for row in ROWS}
