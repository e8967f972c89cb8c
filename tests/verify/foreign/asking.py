"""Lines of queries written elsewhere, asked through a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stages.core.params import Params
from stages.verify.foreign.answers import Answer
from stages.verify.foreign.audit import audit
from stages.verify.foreign.lines import read_lines

SAMPLE = "set/case/axial-1"


def asked(params: Params, *rows: dict[str, Any], images: Path | None = None) -> list[Answer]:
    """Answers to rows, through a file."""
    path = Path("queries.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return audit(read_lines(path), images, params)


def about(text: str, **more: Any) -> dict[str, Any]:
    """A line about the ingested sample."""
    return {"text": text, "sample_id": SAMPLE, **more}


def boxed(text: str, *boxes: list[float], label: str = "polyp", **more: Any) -> dict[str, Any]:
    """A line about a picture of 200 x 100 pixels with boxes alone."""
    return {"text": text, "image": "a.png", "modality": "endoscopy", "width": 200, "height": 100, "label": label, "boxes": list(boxes), **more}


SMALL, LARGE, MIDDLE = [10.0, 10.0, 30.0, 30.0], [100.0, 20.0, 190.0, 95.0], [12.0, 60.0, 34.0, 80.0]
