"""Box codecs: the only place where a ``box_xyxy_px`` becomes a model family's text and comes back.

Every codec states its space, its order and what it does with text that is not an answer. A box is never guessed
from malformed text: ``Decoded.outcome`` says what happened, and the evaluator counts it against the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Outcome = Literal["ok", "repaired", "malformed", "out_of_range", "none"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
BINS = 1000
NOTHING = "none"
BOX_MARK = "<box>"
LOCATION_TOKENS: tuple[str, ...] = tuple(f"<loc_{index}>" for index in range(BINS))


@dataclass(frozen=True)
class Decoded:
    """Boxes in original image pixels (pixel-edge, half-open) and how the text was read.

    ok: exactly the syntax. repaired: the boxes are certain, what surrounds them is not the syntax (a stray word,
    a code fence, an answer cut off after its last whole box). malformed: no certain box. out_of_range: a box
    reversed, empty or outside the vocabulary; then no box is given. none: the model says that there is no target.
    """

    boxes_xyxy_px: list[list[float]]
    outcome: Outcome


class BoxCodec(Protocol):
    """Boxes to a family's text and back. ``quantum`` is the widest error of one coordinate, as a share of its side."""

    name: str
    quantum: float

    def encode(self, boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> str:
        """Text of boxes given in pixels of an image of ``width`` x ``height``."""
        ...

    def decode(self, text: str, width: int, height: int) -> Decoded:
        """Boxes of a text, clipped to nothing: they lie inside the image by construction."""
        ...


def reading_order(boxes_xyxy_px: Sequence[Sequence[float]]) -> list[list[float]]:
    """Boxes from left to right, then from top to bottom: the one order that answers are written in."""
    return sorted(([float(value) for value in box] for box in boxes_xyxy_px), key=lambda box: (box[0], box[1], box[2], box[3]))


def check_boxes(boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> None:
    """Refuse what no codec can write.

    Raises:
        ValueError: the image has no area, or a box is reversed, empty or outside it.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"an image of {width} x {height} px has no area")
    for box in boxes_xyxy_px:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise ValueError(f"box {list(box)} is reversed, empty or outside the image of {width} x {height} px")


@dataclass(frozen=True)
class Loc1000:
    """Florence-2's location tokens: ``<loc_x0><loc_y0><loc_x1><loc_y1>``, 1000 bins of the original image, xyxy.

    Coordinates are floored into their bin and come back as the bin's centre (the floor alone loses half a bin on
    average). Boxes follow one another in reading order; no box is the word "none". Each box is announced by
    ``<box>``, as Florence-2 announces it by a label: whether there is a box is then one token's decision. Left to
    the first location token, "none" wins every greedy choice, because a place's chance is shared by many bins.
    """

    name: str = "loc1000"
    quantum: float = 1 / BINS

    def encode(self, boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> str:
        """See BoxCodec.encode."""
        check_boxes(boxes_xyxy_px, width, height)
        if not boxes_xyxy_px:
            return NOTHING
        bins = [loc_bins(box, width, height) for box in reading_order(boxes_xyxy_px)]
        return "".join(BOX_MARK + "".join(f"<loc_{index}>" for index in box) for box in bins)

    def decode(self, text: str, width: int, height: int) -> Decoded:
        """See BoxCodec.decode."""
        stripped = text.strip()
        if stripped == NOTHING:
            return Decoded([], "none")
        numbers = [int(digits) for digits in re.findall(r"<loc_(\d+)>", stripped)]
        if len(numbers) < 4:
            return Decoded([], "malformed")
        if max(numbers) >= BINS:
            return Decoded([], "out_of_range")
        whole = [numbers[start : start + 4] for start in range(0, len(numbers) - len(numbers) % 4, 4)]
        if any(x0 >= x1 or y0 >= y1 for x0, y0, x1, y1 in whole):
            return Decoded([], "out_of_range")
        exact = re.fullmatch(r"((<box>)?\s*(<loc_\d+>\s*){4})+", stripped) is not None
        scale = (width / BINS, height / BINS, width / BINS, height / BINS)
        boxes = [[(index + 0.5) * step for index, step in zip(box, scale, strict=True)] for box in whole]
        return Decoded(boxes, "ok" if exact else "repaired")


def loc_bins(box: Sequence[float], width: int, height: int) -> list[int]:
    """The four bins of a box: floor(v / side * 1000), the far edge of the image in the last bin.

    A box thinner than a bin is widened to two neighbouring bins, so that it does not come back empty.
    """
    sides = (width, height, width, height)
    bins = [min(int(value / side * BINS), BINS - 1) for value, side in zip(box, sides, strict=True)]
    for low, high in ((0, 2), (1, 3)):
        if bins[low] >= bins[high]:
            bins[high] = min(bins[low] + 1, BINS - 1)
            bins[low] = bins[high] - 1
    return bins


@dataclass(frozen=True)
class Json1000:
    """Qwen3-VL's form: a JSON list of ``{"bbox_2d": [x0, y0, x1, y1], "label": ".."}``, 0-1000 of the original image.

    Coordinates are rounded to whole thousandths. An empty list means no target.
    """

    name: str = "json1000"
    quantum: float = 0.5 / 1000
    label: str = "target"

    def encode(self, boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> str:
        """See BoxCodec.encode."""
        check_boxes(boxes_xyxy_px, width, height)
        answer = [{"bbox_2d": self._thousandths(box, width, height), "label": self.label} for box in reading_order(boxes_xyxy_px)]
        return json.dumps(answer)

    @staticmethod
    def _thousandths(box: Sequence[float], width: int, height: int) -> list[int]:
        sides = (width, height, width, height)
        values = [round(value / side * 1000) for value, side in zip(box, sides, strict=True)]
        for low, high in ((0, 2), (1, 3)):
            if values[low] >= values[high]:
                values[high] = min(values[low] + 1, 1000)
                values[low] = values[high] - 1
        return values

    def decode(self, text: str, width: int, height: int) -> Decoded:
        """See BoxCodec.decode."""
        fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, flags=re.DOTALL)
        try:
            answer = json.loads(fenced.group(1) if fenced else text)
        except (json.JSONDecodeError, RecursionError):
            return Decoded([], "malformed")
        if answer == []:
            return Decoded([], "none")
        boxes = self._boxes(answer)
        if boxes is None:
            return Decoded([], "malformed")
        if any(not (0 <= x0 < x1 <= 1000 and 0 <= y0 < y1 <= 1000) for x0, y0, x1, y1 in boxes):
            return Decoded([], "out_of_range")
        scale = (width / 1000, height / 1000, width / 1000, height / 1000)
        pixels = [[value * step for value, step in zip(box, scale, strict=True)] for box in boxes]
        return Decoded(pixels, "repaired" if fenced else "ok")

    @staticmethod
    def _boxes(answer: object) -> list[list[float]] | None:
        """The boxes of a parsed answer, or None when it has another structure."""
        if not isinstance(answer, list):
            return None
        boxes = [entry.get("bbox_2d") if isinstance(entry, dict) else None for entry in answer]
        for box in boxes:
            numbers = isinstance(box, list) and len(box) == 4
            if not numbers or any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in box):
                return None
        return boxes


CODECS: dict[str, BoxCodec] = {"loc1000": Loc1000(), "json1000": Json1000()}
