"""The hand-written expressions of the tests."""

from __future__ import annotations

from pathlib import Path

from stages.verify.parser_quality import DEFAULT, Expression
from stages.verify.parser_quality import expressions as expressions_of

ROOT = Path(__file__).parents[2]


def expressions() -> list[Expression]:
    """The expressions of tests/data/expressions.jsonl."""
    return expressions_of(ROOT / DEFAULT)
