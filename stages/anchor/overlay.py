"""A picture of one sample with its anchors: boxes, outlines, patient sides, and a table of attributes under it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stages.anchor.derive import derive
from stages.core.geometry import decode_mask
from stages.core.params import AnchorParams
from stages.core.records import Anchor, Sample
from stages.core.shards import iter_table
from stages.core.stage import StageError

_COLOURS = [(80, 200, 255), (80, 255, 120), (255, 160, 80), (230, 120, 255), (255, 255, 90), (120, 140, 255)]  # BGR
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LEAST_SIDE_PX, _ROW_PX, _TABLE_WIDTH_PX, _MOST_ROWS = 512, 18, 1240, 40
_HEADINGS = [
    "#",
    "label",
    "area px",
    "mm2",
    "mm",
    "cell",
    "image",
    "patient",
    "size/x/y of n",
    "elong",
    "angle",
    "solid",
    "circ",
    "contrast",
    "relations",
]
_COLUMNS_PX = [4, 34, 180, 240, 300, 350, 450, 510, 580, 690, 740, 795, 850, 900, 980]


def show_sample(sample_id: str, params: AnchorParams, out: Path) -> None:
    """Write the overlay of one ingested sample as PNG.

    Raises:
        StageError: the samples table of its dataset holds no such sample.
    """
    folder = Path("data/samples") / sample_id.split("/")[0] / "samples"
    sample = next((row for row in iter_table(folder, Sample) if row.sample_id == sample_id), None)
    if sample is None:
        raise StageError(f"{folder} holds no sample {sample_id!r}: ids read dataset/case/view")
    derived = derive(sample, params)
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), overlay(sample, derived.anchors))


def overlay(sample: Sample, anchors: list[Anchor]) -> np.ndarray:
    """BGR picture (height, width, 3) of the sample with boxes, numbers, outlines and side marks, over a table."""
    image = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR)
    scale = max(1, -(-_LEAST_SIDE_PX // max(sample.height, sample.width)))
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    for number, anchor in enumerate(anchors):
        _draw_anchor(canvas, anchor, number, scale)
    _draw_sides(canvas, sample.image_left_is)
    table = _table(sample, anchors)
    width = max(canvas.shape[1], table.shape[1])
    return np.vstack([_widened(canvas, width), _widened(table, width)])


def _draw_anchor(canvas: np.ndarray, anchor: Anchor, number: int, scale: int) -> None:
    colour = _COLOURS[number % len(_COLOURS)]
    mask = cv2.resize(decode_mask(anchor.mask_rle).astype(np.uint8), canvas.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, colour, 1)
    x0, y0, x1, y1 = (round(value * scale) for value in anchor.box_xyxy_px)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    _write(canvas, str(number), (x0 + 2, max(12, y0 - 3)), colour)


def _draw_sides(canvas: np.ndarray, image_left_is: str | None) -> None:
    """R and L of the patient at the picture's borders, or a word that they are unknown."""
    middle = canvas.shape[0] // 2
    if image_left_is is None:
        _write(canvas, "sides unknown", (4, middle), _WHITE)
        return
    at_left = "R" if image_left_is == "patient_right" else "L"
    _write(canvas, at_left, (4, middle), _WHITE, 0.9)
    _write(canvas, "L" if at_left == "R" else "R", (canvas.shape[1] - 24, middle), _WHITE, 0.9)


def _table(sample: Sample, anchors: list[Anchor]) -> np.ndarray:
    shown = anchors[:_MOST_ROWS]
    table = np.full((_ROW_PX * (len(shown) + 2) + 8, _TABLE_WIDTH_PX, 3), 32, np.uint8)
    spacing = "unknown" if sample.spacing_mm is None else " x ".join(f"{value:.3g}" for value in sample.spacing_mm)
    title = f"{sample.sample_id}   {sample.modality} {sample.plane or ''}   {sample.width} x {sample.height} px   spacing {spacing} mm"
    title += f"   {len(shown)} of {len(anchors)} anchors listed"
    _write(table, title, (4, 14), _WHITE, 0.4)
    for column, text in zip(_COLUMNS_PX, _HEADINGS, strict=True):
        _write(table, text, (column, 14 + _ROW_PX), (170, 170, 170), 0.36)
    for number, anchor in enumerate(shown):
        for column, text in zip(_COLUMNS_PX, _cells(number, anchor), strict=True):
            _write(table, text, (column, 14 + _ROW_PX * (number + 2)), _COLOURS[number % len(_COLOURS)], 0.36)
    return table


def _cells(number: int, anchor: Anchor) -> list[str]:
    ranks, shape, place = anchor.ranks, anchor.shape, anchor.location
    relations = [f"{r.kind} #{r.other.rsplit('#', 1)[1]} ({r.gap_px:.0f} px)" for r in anchor.relations]
    return [
        str(number), anchor.label[:22], str(anchor.area_px), _number(anchor.area_mm2, 0), _number(anchor.length_mm, 1),
        place.cell, place.image_side, place.patient_side or "-", f"{ranks.size}/{ranks.x}/{ranks.y} of {ranks.n_same_label}",
        _number(shape.elongation, 2), _number(shape.orientation_deg, 0), _number(shape.solidity, 2),
        _number(shape.circularity, 2), _number(anchor.appearance.contrast, 1), ", ".join(relations)[:44],
    ]  # fmt: skip


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float = 0.45) -> None:
    shadow = (at[0] + 1, at[1] + 1)
    cv2.putText(canvas, text, shadow, cv2.FONT_HERSHEY_SIMPLEX, size, _BLACK, 1, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _widened(picture: np.ndarray, width: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, 0, 0, 0, width - picture.shape[1], cv2.BORDER_CONSTANT, value=(32, 32, 32))
