"""One trial of the audit as a picture: what is annotated in green, what was planted in red, text and verdict below."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import Anchor, Rle, Sample
from stages.verify.audit.trial import Trial, patched
from stages.verify.picture import decoded

GREEN, RED = (0, 210, 0), (255, 40, 40)
_VIEW_PX, _LINE_PX, _LINES, _COLUMNS, _GAP_PX = 320, 15, 8, 2, 10
_LETTERS = 2 * _VIEW_PX // 7
# How far the part about the target reaches beyond it, in lengths of its box.
_AROUND = 0.8


def sheet_of(cells: Sequence[tuple[Trial, Sample, list[Anchor]]]) -> bytes:
    """PNG bytes of the cells, two beside each other."""
    pictures = [cell(*each) for each in cells]
    high, wide = pictures[0].shape[:2]
    rows = -(-len(pictures) // _COLUMNS)
    sheet = np.full((rows * (high + _GAP_PX), _COLUMNS * (wide + _GAP_PX), 3), 90, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // _COLUMNS * (high + _GAP_PX), number % _COLUMNS * (wide + _GAP_PX)
        sheet[y : y + high, x : x + wide] = picture
    return _png(sheet)


def cell(trial: Trial, sample: Sample, anchors: Sequence[Anchor]) -> np.ndarray:
    """The trial as an RGB array: the whole picture, its part about the target, lines of text."""
    shown = patched(sample, trial.patch) if trial.patch else sample
    stored = decoded(shown.image)
    pixels = cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB if stored.ndim == 2 else cv2.COLOR_BGR2RGB)
    by_id, laid = {anchor.anchor_id: anchor for anchor in anchors}, {each.anchor_id: each for each in trial.laid}
    true = [by_id[name].mask_rle for name in trial.target_ids if name in by_id]
    planted = [each.mask_rle for name, each in laid.items() if name not in by_id or each.mask_rle != by_id[name].mask_rle]
    boxes = [each.box_xyxy_px for each in laid.values()] or [by_id[name].box_xyxy_px for name in trial.target_ids if name in by_id]
    part = _part([*(tight_box(decode_mask(rle)) for rle in (*true, *planted)), *boxes], sample)
    views = [_view(pixels, area, true, planted, boxes) for area in ([0, 0, sample.width, sample.height], part)]
    return np.concatenate([np.concatenate(views, axis=1), _told(trial)], axis=0)


def _part(boxes: Sequence[Sequence[float]], sample: Sample) -> list[int]:
    """A square around the boxes, cut off at the picture's edges; the whole picture where there are none."""
    if not boxes:
        return [0, 0, sample.width, sample.height]
    x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
    x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
    half = max(16.0, (0.5 + _AROUND) * max(x1 - x0, y1 - y0))
    x, y = np.clip((x0 + x1) / 2, 0, sample.width), np.clip((y0 + y1) / 2, 0, sample.height)
    return [int(max(0, x - half)), int(max(0, y - half)), int(min(sample.width, x + half)), int(min(sample.height, y + half))]


def _view(pixels: np.ndarray, area: Sequence[int], true: Sequence[Rle], planted: Sequence[Rle], boxes: Sequence[Sequence[float]]) -> np.ndarray:
    """An area of the picture in a square of ``_VIEW_PX``, with outlines of masks and boxes."""
    x0, y0, x1, y1 = area
    scale = _VIEW_PX / max(x1 - x0, y1 - y0)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    view = cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for masks, colour in ((true, GREEN), (planted, RED)):
        for rle in masks:
            contours, _ = cv2.findContours(decode_mask(rle).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            lines = [((contour.reshape(-1, 2) + 0.5 - (x0, y0)) * scale).round().astype(np.int32).reshape(-1, 1, 2) for contour in contours]
            cv2.drawContours(view, lines, -1, colour, 1, cv2.LINE_AA)
    for box in boxes:
        corners = ((np.array(box).reshape(2, 2) - (x0, y0)) * scale).round().astype(int).tolist()
        cv2.rectangle(view, corners[0], corners[1], RED, 1)
    square = np.zeros((_VIEW_PX, _VIEW_PX, 3), np.uint8)
    square[: view.shape[0], : view.shape[1]] = view
    return square


def _told(trial: Trial) -> np.ndarray:
    """Lines about the trial, white on black; what does not print is shown as an escape."""
    from PIL import Image, ImageDraw, ImageFont

    said = [f"{trial.fault} ({trial.half}): {trial.changed}", f"text: {trial.text!r}", *(f"before: {text!r}" for text in trial.before)]
    margin = "" if trial.margin is None else f", margin {trial.margin:g}"
    said.append(f"{trial.fate.upper()} by {trial.check}: {trial.reason}{margin}; {trial.evidence}")
    lines = [line for text in [trial.sample_id, *said] for line in textwrap.wrap(text, _LETTERS) or [""]]
    canvas = Image.new("RGB", (2 * _VIEW_PX, _LINES * _LINE_PX), "black")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for number, line in enumerate(lines[:_LINES]):
        draw.text((3, number * _LINE_PX), line, fill="white", font=font)
    return np.asarray(canvas)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
