"""The lines of a file of queries: read, renamed, checked one by one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.stage import StageError
from stages.knowledge.words import modalities
from stages.verify.foreign.formats import BOX_FORMATS

FIELDS: dict[str, type | tuple[type, ...]] = {
    "text": str, "id": (str, int), "sample_id": str, "image": str, "boxes": list, "box_format": str, "masks": list, "anchor_ids": list,
    "label": (str, list), "modality": str, "image_left_is": str, "plane": str, "spacing_mm": list, "annotated_labels": list,
    "width": int, "height": int,
}  # fmt: skip
TARGETS = ("boxes", "masks", "anchor_ids")
PLANES = ("axial", "coronal", "sagittal")
MOST_FAULTS_SHOWN = 20


@dataclass(frozen=True)
class Line:
    """One query of a file, with the number of its line."""

    number: int
    fields: dict[str, Any]

    @property
    def picture(self) -> str:
        """What its boxes belong to: the sample's id or the picture's name."""
        return str(self.fields.get("sample_id") or self.fields["image"])

    @property
    def query_id(self) -> str:
        """Id of the line as a query; in the order of the lines."""
        return f"line {self.number:09d}"

    @property
    def asks(self) -> bool:
        """Whether it names no target, so that its text is to find one."""
        return not any(name in self.fields for name in TARGETS)

    def labels(self, count: int) -> list[str]:
        """The label of each of its ``count`` boxes or masks; empty where the line gives none."""
        given = self.fields.get("label")
        return [] if given is None else [given] * count if isinstance(given, str) else list(given)


def read_lines(path: Path, called: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None) -> list[Line]:
    """The queries of a file, every line checked.

    Args:
        called: what the file calls a field, by the field's name; its other fields are then left aside.
        given: fields that every line has which does not say them itself.

    Raises:
        StageError: names each bad line with its number, the field, and what is expected.
    """
    lines, faults = [], []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except ValueError as error:
            faults.append(f"line {number}: no JSON ({error})")
            continue
        fields = _named(fields, called or {}, given or {})
        fault = line_fault(fields)
        if fault:
            faults.append(f"line {number}: {fault}")
        lines.append(Line(number, fields))
    if faults:
        more = f"\n... and {len(faults) - MOST_FAULTS_SHOWN} more" if len(faults) > MOST_FAULTS_SHOWN else ""
        raise StageError(f"{path}:\n" + "\n".join(faults[:MOST_FAULTS_SHOWN]) + more)
    return lines


def _named(fields: Any, called: Mapping[str, str], given: Mapping[str, Any]) -> Any:
    if not isinstance(fields, dict):
        return fields
    if called:
        ours = {theirs: name for name, theirs in called.items()}
        fields = {ours.get(name, name): value for name, value in fields.items() if name in ours or (name in FIELDS and name not in called)}
    fields = {**given, **fields}
    boxes = fields.get("boxes")
    if isinstance(boxes, list) and len(boxes) == 4 and all(_is_number(value) for value in boxes):
        fields["boxes"] = [boxes]
    return fields


def line_fault(fields: Any) -> str:
    """What is wrong with a line's object; empty when nothing is."""
    if not isinstance(fields, dict):
        return f"expected an object with the fields {', '.join(FIELDS)}, got {type(fields).__name__}"
    for name, value in fields.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.0)
            return f"unknown field {name!r}; nearest: {near[0]!r}. --field NAME={name} says what it is"
        wanted = FIELDS[name]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"field {name!r}: expected {' or '.join(kind.__name__ for kind in kinds)}, got {json.dumps(value)[:60]}"
    if "text" not in fields:
        return "field 'text' is missing"
    if ("sample_id" in fields) == ("image" in fields):
        return "expected either field 'sample_id' or field 'image'"
    return _targets_fault(fields) or ("" if "sample_id" in fields else _picture_fault(fields))


def _targets_fault(fields: dict[str, Any]) -> str:
    for box in fields.get("boxes", []):
        if not (isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box)):
            return f"field 'boxes': expected lists of four numbers [x0, y0, x1, y1], got {json.dumps(box)[:60]}"
    if fields.get("box_format", "xyxy_px") not in BOX_FORMATS:
        return f"field 'box_format': expected one of {', '.join(BOX_FORMATS)}, got {fields['box_format']!r}"
    for mask in fields.get("masks", []):
        if not (isinstance(mask, str) or _is_rle(mask)):
            return f"field 'masks': expected the name of a PNG file, or size [height, width] and counts of an RLE, got {json.dumps(mask)[:60]}"
    for name in ("anchor_ids", "annotated_labels"):
        if not all(isinstance(entry, str) for entry in fields.get(name, [])):
            return f"field {name!r}: expected a list of strings"
    named = [name for name in TARGETS if name in fields]
    return f"expected either field {named[0]!r} or field {named[1]!r}" if len(named) > 1 else ""


def _picture_fault(fields: dict[str, Any]) -> str:
    if fields.get("modality") not in modalities():
        return f"field 'modality': expected one of {', '.join(modalities())}, got {fields.get('modality')!r}"
    if fields.get("image_left_is", "patient_left") not in ("patient_left", "patient_right"):
        return f"field 'image_left_is': expected 'patient_left' or 'patient_right', got {fields['image_left_is']!r}"
    if fields.get("plane", "axial") not in PLANES:
        return f"field 'plane': expected one of {', '.join(PLANES)}, got {fields['plane']!r}"
    spacing = fields.get("spacing_mm", [1, 1])
    if len(spacing) != 2 or not all(_is_number(value) and value > 0 for value in spacing):
        return f"field 'spacing_mm': expected two numbers above 0, [row, column], got {json.dumps(spacing)[:60]}"
    for name in ("width", "height"):
        if fields.get(name, 1) < 1:
            return f"field {name!r}: expected a number of pixels, got {fields[name]}"
    if "anchor_ids" in fields:
        return "field 'anchor_ids' belongs to a 'sample_id'; a picture has 'boxes' or 'masks'"
    return _label_fault(fields)


def _label_fault(fields: dict[str, Any]) -> str:
    label, count = fields.get("label"), len(fields.get("boxes", fields.get("masks", [])))
    if isinstance(label, list) and (len(label) != count or not all(isinstance(name, str) for name in label)):
        return f"field 'label': expected one name, or a list of {count}, one for each box or mask"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_rle(mask: Any) -> bool:
    if not isinstance(mask, dict) or set(mask) != {"size", "counts"} or not isinstance(mask["counts"], str):
        return False
    size = mask["size"]
    return isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in size)
