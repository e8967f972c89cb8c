"""The table of a sweep: what DVC shows of its experiments, kept in a tracked file and printed from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.stage import StageError, rounded
from stages.sweep.grid import Experiment
from stages.sweep.shown import Shown

TABLE = Path("metrics/sweep.json")
MISSING = "-"


@dataclass(frozen=True)
class Column:
    """One column: its title and the metric; with an interval where ``<metric>.low`` and ``.high`` stand beside ``.diff``."""

    title: str
    metric: str
    is_difference: bool = False


def columns_of(contender: str, reference: str) -> list[Column]:
    """What is compared: the contender's figures, and its paired difference from the reference with the interval."""
    gain = f"evaluate.gain.{contender}_minus_{reference}"
    return [
        Column("mean IoU", f"evaluate.{contender}.miou"),
        Column("Acc@0.5", f"evaluate.{contender}.acc_at_50"),
        Column("Acc@0.5, several of the class", f"evaluate.{contender}.multi_object_acc_at_50"),
        Column(f"{contender} - {reference}: Acc@0.5", f"{gain}.acc_at_50", is_difference=True),
        Column(f"{contender} - {reference}: several of the class", f"{gain}.multi_object_acc_at_50", is_difference=True),
    ]


def write_sweep(experiments: Sequence[Experiment], found: dict[str, Shown], columns: Sequence[Column], path: Path = TABLE) -> None:
    """Write what DVC shows of the sweep's experiments: parameters, metrics and the columns that the table prints.

    Raises:
        StageError: DVC shows none of them.
    """
    done = [experiment for experiment in experiments if experiment.name in found and found[experiment.name].metrics]
    if not done:
        raise StageError("`dvc exp show` has none of the sweep's experiments: there is no table to write")
    content = {
        "fixed": done[0].fixed,
        "columns": [{"title": column.title, "metric": column.metric, "is_difference": column.is_difference} for column in columns],
        "experiments": [{"name": experiment.name, "swept": experiment.swept, "metrics": _kept(found[experiment.name].metrics, columns)} for experiment in done],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(content), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def printed_sweep(markdown: bool, path: Path = TABLE) -> str:
    """One line an experiment, from the tracked file.

    Raises:
        StageError: the file is missing.
    """
    if not path.exists():
        raise StageError(f"{path} not found: `make sweep` writes it")
    content = json.loads(path.read_text(encoding="utf-8"))
    columns = [Column(**column) for column in content["columns"]]
    rows = content["experiments"]
    swept = list(dict.fromkeys(key for row in rows for key in row["swept"]))
    head = [*[key.rsplit(".", 1)[-1].replace("_", " ") for key in swept], *[column.title for column in columns]]
    body = [[*[row["swept"].get(key, MISSING) for key in swept], *[_cell(row["metrics"], column) for column in columns]] for row in rows]
    if markdown:
        return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *body])
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *body]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _kept(metrics: dict[str, float], columns: Sequence[Column]) -> dict[str, float]:
    wanted = tuple(column.metric for column in columns)
    return {key: value for key, value in metrics.items() if key in wanted or key.rsplit(".", 1)[0] in wanted}


def _cell(metrics: dict[str, Any], column: Column) -> str:
    if not column.is_difference:
        return f"{metrics[column.metric]:.3f}" if column.metric in metrics else MISSING
    values = [metrics.get(f"{column.metric}.{part}") for part in ("diff", "low", "high")]
    return MISSING if None in values else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*values)
