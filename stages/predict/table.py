"""The table of a contender's answers, and beside it a file that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.records import Prediction
from stages.core.shards import write_table
from stages.core.stage import count_by, rounded

ABOUT = "about.json"


def write_predictions(folder: Path, rows: Sequence[Prediction], about: dict[str, Any]) -> None:
    """Write the rows, sorted by id and probe, and ``about.json`` with ``about`` and the counts of the outcomes."""
    write_table(folder, Prediction, rows)
    probes = sorted({row.probe for row in rows})
    outcomes = {probe or "plain": count_by([row.outcome for row in rows if row.probe == probe]) for probe in probes}
    steered = sum(row.n_steered > 0 for row in rows)
    content = rounded({**about, "n": sum(not row.probe for row in rows), "outcomes": outcomes, "answers_steered": steered})
    (folder / ABOUT).write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
