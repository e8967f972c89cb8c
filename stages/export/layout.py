"""What an exporter hands back about the files that it wrote, and the writing of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Column:
    """One field of an exported record: its Croissant data type, and where it stands (a column, or a JSON path)."""

    name: str
    data_type: str
    where: str
    meaning: str
    repeated: bool = False


@dataclass(frozen=True)
class Layout:
    """Where the records of an export are: ``includes`` is a glob below its folder, ``encoding`` a MIME type.

    ``extract`` says what ``Column.where`` is: column | jsonPath. ``usage`` are lines of Python that load the export.
    ``settings`` is what a reader has to know beside the files (family, processor, ...).
    """

    includes: str
    encoding: str
    extract: str
    columns: tuple[Column, ...]
    usage: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


def write_json(path: Path, content: Any) -> None:
    """Compact JSON with sorted keys, in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """JSON lines: one object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


def xywh(box_xyxy_px: list[float]) -> list[float]:
    """COCO's [x, y, width, height] of a box, in the same pixels."""
    x0, y0, x1, y1 = box_xyxy_px
    return [x0, y0, x1 - x0, y1 - y0]
