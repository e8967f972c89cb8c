"""The pipeline as a drawing: who reads what whom has written.

DVC allows no stage to depend on dvc.yaml, so that what is drawn stands in pipeline.yaml beside this file, made from dvc.yaml by
``python -m stages.report.dag``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

DRAWN = Path(__file__).with_name("pipeline.yaml")
COLUMN_PX, ROW_PX, BOX_WIDTH_PX, BOX_HEIGHT_PX = 118, 58, 102, 42


@dataclass(frozen=True)
class Node:
    """A stage: what it is for, and its box's upper left corner in pixels of the drawing."""

    name: str
    about: str
    x: int
    y: int


@dataclass(frozen=True)
class Drawing:
    """Boxes and the SVG paths of the arrows between them; ``edges`` are the same arrows by name."""

    nodes: list[Node]
    edges: list[tuple[str, str]]
    paths: list[str]
    width: int
    height: int
    box_width: int = BOX_WIDTH_PX
    box_height: int = BOX_HEIGHT_PX


def draw(pipeline: Mapping[str, Mapping[str, Any]]) -> Drawing:
    """Lay out stages (name -> ``about`` and ``after``) in columns, each to the right of all that it reads from."""
    edges = [(source, name) for name, entry in pipeline.items() for source in entry["after"]]
    columns = _columns(list(pipeline), edges)
    rows = _rows(list(pipeline), columns, edges)
    place = {name: Node(name, entry["about"], columns[name] * COLUMN_PX + 1, rows[name] * ROW_PX + 1) for name, entry in pipeline.items()}
    paths = [_arrow(place[source], place[target]) for source, target in edges]
    width, height = max(columns.values()) * COLUMN_PX + BOX_WIDTH_PX + 2, max(rows.values()) * ROW_PX + BOX_HEIGHT_PX + 2
    return Drawing(list(place.values()), edges, paths, width, height)


def drawn_pipeline() -> dict[str, dict[str, Any]]:
    """The content of pipeline.yaml."""
    return yaml.safe_load(DRAWN.read_text(encoding="utf-8"))


def pipeline_of(stages: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What of the stages of a dvc.yaml, with its params.yaml, is drawn."""
    edges = reduced(dependencies(stages, settings))
    return {name: {"about": entry.get("do", entry).get("desc", ""), "after": [source for source, target in edges if target == name]} for name, entry in stages.items()}


def dependencies(stages: Mapping[str, Any], settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(source, target) of every stage that reads a path which another writes, in the order of the file."""
    written = {name: _paths(entry, ("outs", "metrics", "plots"), settings) for name, entry in stages.items()}
    found = []
    for target, entry in stages.items():
        wanted = _paths(entry, ("deps",), settings)
        for source, made in written.items():
            if source != target and any(_one_in_other(out, dep) for out in made for dep in wanted):
                found.append((source, target))
    return found


def _paths(entry: Mapping[str, Any], keys: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Paths of a stage: parameters put in, and what differs by item cut off. Code is no matter of the drawing."""
    listed = [next(iter(item)) if isinstance(item, dict) else item for key in keys for item in entry.get("do", entry).get(key, [])]
    each = _items(entry, settings)
    for item in each.values() if isinstance(each, dict) else ():
        listed += [str(_setting(path[7:-1], item)) for path in listed if path.startswith("${item.")]
    paths = [_plain(path, settings) for path in listed]
    return [path for path in paths if path and not path.startswith("stages/")]


def _plain(path: str, settings: Mapping[str, Any]) -> str:
    if path.startswith("${") and path.endswith("}") and "." in path and not path.startswith("${item."):
        try:
            return str(_setting(path[2:-1], settings))
        except (KeyError, TypeError):
            return ""
    return path.split("${")[0].rstrip("/")


def _setting(dotted: str, settings: Mapping[str, Any]) -> Any:
    return reduce(lambda found, key: found[key], dotted.split("."), settings)


def _one_in_other(first: str, second: str) -> bool:
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")


def _items(entry: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """What a stage runs over: a mapping, a list, or None."""
    each = entry.get("foreach")
    return _setting(each.strip("${}"), settings) if isinstance(each, str) else each


def reduced(edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges without those that a longer way says as well (the graph has no cycle)."""
    after: dict[str, set[str]] = {}
    for source, target in edges:
        after.setdefault(source, set()).add(target)

    def reach(name: str) -> set[str]:
        return {further for following in after.get(name, ()) for further in {following, *reach(following)}}

    return [(a, b) for a, b in edges if not any(b in reach(middle) for middle in after[a] - {b})]


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Length of the longest way to each stage."""
    column = dict.fromkeys(names, 0)
    for _ in names:
        for source, target in edges:
            column[target] = max(column[target], column[source] + 1)
    return column


def _rows(names: Sequence[str], columns: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A row for each stage in which its box and its outgoing arrow meet no other box; long arrows go below."""
    last = max(columns.values())
    until = {name: min((columns[target] for source, target in edges if source == name), default=columns[name] + 1) for name in names}
    order = sorted(names, key=lambda name: (until[name] - columns[name], -sum(source == name for source, _ in edges), names.index(name)))
    taken: set[tuple[int, int]] = set()
    rows = {}
    for name in order:
        span = range(columns[name], min(until[name], last + 1))
        row = next(row for row in range(len(names) + 1) if not any((row, at) in taken for at in span))
        rows[name] = row
        taken |= {(row, at) for at in span}
    return rows


def _arrow(source: Node, target: Node) -> str:
    """Straight along the source's row, then up or down in the gap before the target."""
    x0, y0 = source.x + BOX_WIDTH_PX, source.y + BOX_HEIGHT_PX // 2
    x1, y1 = target.x, target.y + BOX_HEIGHT_PX // 2
    bend = x1 - (COLUMN_PX - BOX_WIDTH_PX)
    curve = f"H{bend}C{bend + 12} {y0} {x1 - 12} {y1} {x1} {y1}" if y0 != y1 else f"H{x1}"
    return f"M{x0} {y0}{curve}m-4 -3.5l4 3.5l-4 3.5"


def main() -> None:
    stages, settings = (yaml.safe_load(Path(name).read_text(encoding="utf-8")) for name in ("dvc.yaml", "params.yaml"))
    text = yaml.safe_dump(pipeline_of(stages["stages"], settings), sort_keys=False, width=140, allow_unicode=True)
    DRAWN.write_text(f"# What the report draws, from dvc.yaml: python -m stages.report.dag\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
