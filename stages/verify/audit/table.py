"""The audit's figures as a Markdown table, from the tracked files: ``python -m stages.verify.audit.table [FILE ...]``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stages.core.stage import StageError

METRICS = Path("metrics/audit.json")
# Least shares that are hoped for.
GOALS = {"kept": 0.98, "format": 0.99, "geometry": 0.99, "priors": 0.95, "evidence": 0.90}


def printed_table(files: dict[str, Path]) -> str:
    """One column for each named metrics file; shares with their Wilson intervals and counts.

    Raises:
        StageError: a file is missing.
    """
    figures = {name: _read(path) for name, path in files.items()}
    rows = [["", *figures, "goal"], ["---"] * (len(figures) + 2)]
    rows.append(["untouched queries kept", *[_cell(found["kept"]) for found in figures.values()], f"{GOALS['kept']:.2f}"])
    for group in list(GOALS)[1:]:
        rows.append([f"{group} faults caught", *[_cell(found["group"][group]) for found in figures.values()], f"{GOALS[group]:.2f}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise StageError(f"{path} not found: run `dvc repro audit` first, or check the tracked file out")
    return json.loads(path.read_text(encoding="utf-8"))


def _cell(found: dict[str, float]) -> str:
    return f"{found['rate']:.3f} [{found['low']:.3f}, {found['high']:.3f}] (n={found['n']})"


def main() -> None:
    """Print the table of metrics/audit.json, or of NAME=FILE pairs side by side."""
    parser = argparse.ArgumentParser(prog="python -m stages.verify.audit.table", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="NAME=FILE", help="metrics files to set side by side")
    given = parser.parse_args().files
    pairs = dict(item.split("=", 1) for item in given) if all("=" in item for item in given) else parser.error("expected NAME=FILE")
    try:
        print(printed_table({name: Path(path) for name, path in pairs.items()} or {"this run": METRICS}))
    except StageError as error:
        raise SystemExit(f"audit: {error}") from error


if __name__ == "__main__":
    main()
