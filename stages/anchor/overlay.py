"""A picture of one sample with its anchors: outlines, boxes, numbers, patient sides, and a table of attributes under it."""

from __future__ import annotations

import difflib
from pathlib import Path

import cv2
import numpy as np

from stages.anchor.derive import Derived, derive
from stages.core.geometry import decode_mask
from stages.core.params import AnchorParams
from stages.core.records import Anchor, Location, Ranks, Relation, Sample
from stages.core.shards import iter_table
from stages.core.stage import StageError

_COLOURS = [(80, 200, 255), (80, 255, 120), (255, 160, 80), (230, 120, 255), (255, 255, 90), (120, 140, 255)]  # BGR
_WHITE, _GREY, _BLACK = (255, 255, 255), (170, 170, 170), (0, 0, 0)
_LEAST_SIDE_PX, _LEAST_SIDE_OF_MANY_PX = 512, 1000
_ROW_PX, _MOST_ROWS, _MOST_NAMED, _MANY = 18, 40, 12, 40
# Heading and width in pixels of each column of the table.
_COLUMNS = [
    ("#", 34), ("label", 150), ("area px", 60), ("mm2", 60), ("mm", 50), ("cell", 95), ("image", 60), ("patient", 110),
    ("zone in", 205), ("size/x/y of n", 120), ("elong", 48), ("angle", 48), ("solid", 46), ("circ", 46), ("hollow", 52),
    ("contrast", 66), ("texture", 62), ("relations", 320),
]  # fmt: skip
_TABLE_WIDTH_PX = sum(width for _, width in _COLUMNS) + 8


def show_sample(sample_id: str, params: AnchorParams, out: Path) -> None:
    """Write the overlay of one ingested sample as PNG.

    Raises:
        StageError: the samples table of its dataset holds no such sample; the nearest ids are named.
    """
    folder = Path("data/samples") / sample_id.split("/")[0] / "samples"
    sample, ids = None, []
    for row in iter_table(folder, Sample):
        ids.append(row.sample_id)
        sample = row if row.sample_id == sample_id else sample
    if sample is None:
        near = difflib.get_close_matches(sample_id, ids, n=3, cutoff=0.0)
        raise StageError(f"{folder} holds no sample {sample_id!r}; nearest: {', '.join(near) or 'none, the table is empty'}. Ids read dataset/case/view")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(out), overlay(sample, derive(sample, params))):
        raise StageError(f"{out} could not be written: give a file name that ends in .png")


def overlay(sample: Sample, derived: Derived) -> np.ndarray:
    """BGR picture (height, width, 3) of the sample with its anchors drawn in, over a table; what went wrong stands below."""
    image = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        image = np.zeros((sample.height, sample.width, 3), np.uint8)
    canvas = drawn(image, sample, derived.anchors)
    table = _table(sample, derived)
    width = max(canvas.shape[1], table.shape[1])
    return np.vstack([_widened(canvas, width), _widened(table, width)])


def drawn(image: np.ndarray, sample: Sample, anchors: list[Anchor]) -> np.ndarray:
    """The picture (BGR), enlarged by a whole number where it is small, with outlines, boxes, numbers and sides."""
    wanted = _LEAST_SIDE_OF_MANY_PX if len(anchors) > _MANY else _LEAST_SIDE_PX
    scale = max(1, -(-wanted // max(image.shape[:2])))
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    for number, anchor in enumerate(anchors):
        _draw_outline(canvas, anchor, _COLOURS[number % len(_COLOURS)], scale)
    taken: set[tuple[int, int]] = set()
    for number, anchor in enumerate(anchors):  # over all outlines
        text = f"{number} {anchor.label}" if len(anchors) <= _MOST_NAMED else str(number)
        _draw_box(canvas, anchor, text, _COLOURS[number % len(_COLOURS)], scale, 0.45 if len(anchors) <= _MANY else 0.33, taken)
    _draw_sides(canvas, sample)
    return canvas


def _draw_outline(canvas: np.ndarray, anchor: Anchor, colour: tuple[int, int, int], scale: int) -> None:
    x0, y0, x1, y1 = (int(value) for value in anchor.box_xyxy_px)
    crop = decode_mask(anchor.mask_rle)[y0:y1, x0:x1].astype(np.uint8)
    crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x0 * scale, y0 * scale))
    cv2.drawContours(canvas, contours, -1, colour, _line_px(canvas))


def _draw_box(canvas: np.ndarray, anchor: Anchor, text: str, colour: tuple[int, int, int], scale: int, size: float, taken: set[tuple[int, int]]) -> None:
    """Box and text of one anchor; ``taken`` holds the places of texts so far: of two at one place the later goes below."""
    x0, y0, x1, y1 = (round(value * scale) for value in anchor.box_xyxy_px)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, _line_px(canvas) + anchor.crowd)
    y = max(12, y0 - 3)
    while (x0 // 30, y // 12) in taken or (x0 // 30, (y - 6) // 12) in taken:
        y += 12
    taken.add((x0 // 30, y // 12))
    _write(canvas, f"{text} (crowd)" if anchor.crowd else text, (x0 + 2, y), colour, size)


def _line_px(canvas: np.ndarray) -> int:
    """Lines that are still seen when a large picture is shown small."""
    return max(1, max(canvas.shape[:2]) // 700)


def _draw_sides(canvas: np.ndarray, sample: Sample) -> None:
    """R and L of the patient at the picture's borders, or a word that they are unknown; a note where the middle is no midline."""
    middle = canvas.shape[0] // 2
    if sample.image_left_is is None:
        _write(canvas, "sides unknown", (4, canvas.shape[0] - 6), _WHITE)
        return
    at_left = "R" if sample.image_left_is == "patient_right" else "L"
    _write(canvas, at_left, (4, middle), _WHITE, 0.9)
    _write(canvas, "L" if at_left == "R" else "R", (canvas.shape[1] - 24, middle), _WHITE, 0.9)
    if not sample.midline_in_view:
        _write(canvas, "midline not in view", (4, canvas.shape[0] - 6), _WHITE)


def _table(sample: Sample, derived: Derived) -> np.ndarray:
    anchors = derived.anchors
    notes = [f"{len(anchors) - _MOST_ROWS} more anchors are in data/anchors/{sample.dataset}/anchors"] if len(anchors) > _MOST_ROWS else []
    notes += [f"group {group.label}: n {group.n}, complete {'yes' if group.complete else 'no'}, area {group.area_px} px" for group in derived.groups]
    notes += [f"{reason}: {number}" for reason, number in sorted(derived.counts.items())]
    notes += [f"error {error.kind}: {error.cause}" for error in derived.errors]
    rows = list(enumerate(anchors))[:_MOST_ROWS]
    table = np.full((_ROW_PX * (len(rows) + len(notes) + 2) + 8, _TABLE_WIDTH_PX, 3), 32, np.uint8)
    _write(table, _title(sample, len(anchors)), (4, 14), _WHITE, 0.4)
    _write_row(table, 1, [heading for heading, _ in _COLUMNS], _GREY)
    for number, anchor in rows:
        _write_row(table, number + 2, _cells(number, anchor), _COLOURS[number % len(_COLOURS)])
    for line, note in enumerate(notes, start=len(rows) + 2):
        _write(table, note, (4, 14 + _ROW_PX * line), _GREY, 0.38)
    return table


def _title(sample: Sample, n: int) -> str:
    spacing = "unknown" if sample.spacing_mm is None else " x ".join(f"{value:.3g}" for value in sample.spacing_mm) + " mm"
    return f"{sample.sample_id}   {sample.modality} {sample.plane or ''}   {sample.width} x {sample.height} px   spacing (row x column) {spacing}   {n} anchors"


def _write_row(table: np.ndarray, line: int, texts: list[str], colour: tuple[int, int, int]) -> None:
    x = 4
    for text, (_, width) in zip(texts, _COLUMNS, strict=True):
        _write(table, _fitted(text, width - 6), (x, 14 + _ROW_PX * line), colour, 0.36)
        x += width


def _fitted(text: str, width_px: int) -> str:
    """The text, cut with two dots where it is wider than its column."""
    while text and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.36, 1)[0][0] > width_px:
        text = f"{text.removesuffix('..')[:-1]}.."
    return text


def _cells(number: int, anchor: Anchor) -> list[str]:
    shape, place = anchor.shape, anchor.location
    crossing = {True: " crossing", False: "", None: ""}[place.crosses_midline]
    return [
        str(number), f"{anchor.label}{' (crowd)' if anchor.crowd else ''}", str(anchor.area_px), _number(anchor.area_mm2, 0),
        _number(anchor.length_mm, 1), place.cell, place.image_side, f"{place.patient_side or '-'}{crossing}", _zone(place),
        _ranks(anchor.ranks), _number(shape.elongation, 2), _number(shape.orientation_deg, 0), _number(shape.solidity, 2),
        _number(shape.circularity, 2), {True: "yes", False: "no", None: "-"}[shape.hollow], _number(anchor.appearance.contrast, 1),
        _texture(anchor),
        ", ".join(_relation(relation) for relation in anchor.relations),
    ]  # fmt: skip


def _texture(anchor: Anchor) -> str:
    """The measure, and after it the word's beginning: homo or hetero."""
    word = anchor.appearance.texture_word
    return _number(anchor.appearance.texture, 1) + (f" {word.removesuffix('geneous')}" if word else "")


def _zone(place: Location) -> str:
    if place.zone is None:
        return "-"
    words = [word for word in (place.zone.vertical, place.zone.horizontal, place.zone.depth) if word is not None]
    return f"#{place.zone.organ.rsplit('#', 1)[1]}: {', '.join(words) or 'in doubt'}"


def _ranks(ranks: Ranks) -> str:
    """Places by size, x and y; "=" marks a tie."""
    places = [(ranks.size, ranks.size_tied), (ranks.x, ranks.x_tied), (ranks.y, ranks.y_tied)]
    return "/".join(f"{place}{'=' if tied else ''}" for place, tied in places) + f" of {ranks.n_same_label}"


def _relation(relation: Relation) -> str:
    other = relation.other.rsplit("#", 1)[1]
    if relation.second is not None:
        return f"between #{other} and #{relation.second.rsplit('#', 1)[1]}"
    return f"{relation.kind}{' =' if relation.tied else ''} #{other}" + (f" ({relation.gap_px:.0f} px)" if relation.kind in ("nearest", "touching") else "")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float = 0.45) -> None:
    shadow = (at[0] + 1, at[1] + 1)
    cv2.putText(canvas, text, shadow, cv2.FONT_HERSHEY_SIMPLEX, size, _BLACK, 1, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _widened(picture: np.ndarray, width: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, 0, 0, 0, width - picture.shape[1], cv2.BORDER_CONSTANT, value=(32, 32, 32))
