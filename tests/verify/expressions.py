"""The hand-written expressions and how the parser's reading of them is scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stages.core.claims import Claim
from stages.verify.checks.claims import narrowed
from stages.verify.parser import Parsed, parse

ROOT = Path(__file__).parents[2]
PATH = ROOT / "tests" / "data" / "expressions.jsonl"
KNOWN = {
    "CT": "liver|liver lesion|spleen|stomach|left kidney|right kidney|aorta|vertebra",
    "X-ray": "left lung|right lung|heart|lung opacity|airways",
    "MR": "anterior hippocampus|posterior hippocampus",
    "ultrasound": "nerve|vessel",
    "microscopy": "cell nucleus",
    "endoscopy": "polyp",
    "dermoscopy": "skin lesion",
}


def expressions() -> list[dict[str, Any]]:
    """Rows of expressions.jsonl: text, modality, image_left_is, claims, complete (nothing is said beside the claims)."""
    return [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]


def read(row: dict[str, Any]) -> tuple[set[Claim], set[Claim], Parsed]:
    """(true claims, claims read, the whole reading) of one row."""
    parsed = parse(row["text"], row["modality"], row["image_left_is"])
    known = frozenset(KNOWN[row["modality"]].split("|"))
    return {Claim(**claim) for claim in row["claims"]}, {narrowed(claim, known) for claim in parsed.claims}, parsed
