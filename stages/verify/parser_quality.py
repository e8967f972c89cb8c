"""How well the parser reads text that no grammar wrote: ``python -m stages.verify.parser_quality [FILE]``.

FILE (by default the hand-written expressions of the tests) holds one JSON object a line: ``text``, ``modality``,
``image_left_is``, ``labels`` (those that the image can have), ``claims`` (the true ones), ``complete`` (whether the text
says nothing beside them) and ``held_out`` (written and never looked at while the parser was made). Writes metrics/parser.json.

Precision is the share of the claims read that are true, recall the share of the true claims that are read. A reading is
``trusted`` when the parser reports nothing as unread or ambiguous: only those can be accepted by the cascade, and
``trusted_right`` is the share of them that are exactly the true claims.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.claims import Claim
from stages.core.params import ParamError
from stages.core.stage import StageError, write_metrics
from stages.verify.checks.claims import narrowed
from stages.verify.parser import Parsed, parse

DEFAULT = Path("tests/data/expressions.jsonl")
METRICS = Path("metrics/parser.json")
FIELDS = frozenset({"text", "modality", "image_left_is", "labels", "claims", "complete", "held_out"})


@dataclass(frozen=True)
class Expression:
    """One hand-written expression with its true claims; see the module's head."""

    text: str
    modality: str
    image_left_is: str | None
    labels: frozenset[str]
    claims: frozenset[Claim]
    complete: bool
    held_out: bool

    def read(self) -> tuple[frozenset[Claim], Parsed]:
        """The claims that the parser reads, general names narrowed to the image's labels, and its whole reading."""
        parsed = parse(self.text, self.modality, self.image_left_is)
        return frozenset(narrowed(claim, self.labels) for claim in parsed.claims), parsed


def expressions(path: Path) -> list[Expression]:
    """The expressions of a file.

    Raises:
        StageError: a line is no JSON object with exactly the fields of the module's head.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            if set(row) != FIELDS:
                raise ValueError(f"fields {sorted(row)}, expected {sorted(FIELDS)}")
            claims = frozenset(Claim.from_json(json.dumps(claim)) for claim in row.pop("claims"))
        except (ValueError, TypeError, AttributeError) as error:
            raise StageError(f"{path}, line {number}: {error}") from error
        found.append(Expression(**{**row, "labels": frozenset(row["labels"])}, claims=claims))
    return found


def figures(rows: Sequence[Expression]) -> dict[str, Any]:
    """Metrics over all expressions, over those held out, and by modality."""
    by_modality = defaultdict(list)
    for row in rows:
        by_modality[row.modality].append(row)
    return {
        **scored(rows),
        "held_out": scored([row for row in rows if row.held_out]),
        "modalities": {name: scored(group) for name, group in sorted(by_modality.items())},
    }


def scored(rows: Sequence[Expression]) -> dict[str, float]:
    """n, precision, recall, and of the readings without rest: how many, and the share that are exactly right."""
    right = wrong = missed = trusted = trusted_right = 0
    for row in rows:
        claims, parsed = row.read()
        right, wrong, missed = right + len(row.claims & claims), wrong + len(claims - row.claims), missed + len(row.claims - claims)
        if not (parsed.unread or parsed.ambiguous):
            trusted += 1
            trusted_right += claims == row.claims and row.complete
    return {
        "n": len(rows),
        "precision": round(right / max(1, right + wrong), 4),
        "recall": round(right / max(1, right + missed), 4),
        "trusted": trusted,
        "trusted_right": round(trusted_right / max(1, trusted), 4),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the parser and write metrics/parser.json."""
    reader = argparse.ArgumentParser(prog="python -m stages.verify.parser_quality", description=__doc__.split("\n")[0])
    reader.add_argument("file", nargs="?", type=Path, default=DEFAULT, help=f"expressions, one JSON object a line (default {DEFAULT})")
    path = reader.parse_args(arguments).file
    try:
        found = figures(expressions(path))
    except (StageError, ParamError, FileNotFoundError) as error:
        raise SystemExit(f"parser_quality: {error}") from error
    write_metrics(METRICS, found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
