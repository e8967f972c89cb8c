"""How sets that were published elsewhere write a box, and what that is as [x0, y0, x1, y1] in pixels of the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Corners = Callable[[Sequence[float]], list[float]]


def _corners(box: Sequence[float]) -> list[float]:
    return list(box)


def _size(box: Sequence[float]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _middle(box: Sequence[float]) -> list[float]:
    x, y, width, height = box
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


# Name: (what the four numbers are, what the whole side of the picture counts; None for pixels).
BOX_FORMATS: dict[str, tuple[Corners, float | None]] = {
    "xyxy_px": (_corners, None),
    "xywh_px": (_size, None),
    "cxcywh_px": (_middle, None),
    "xyxy_norm": (_corners, 1.0),
    "xywh_norm": (_size, 1.0),
    "cxcywh_norm": (_middle, 1.0),
    "xyxy_1000": (_corners, 1000.0),
}


def to_px(box: Sequence[float], name: str, width: int, height: int) -> list[float]:
    """A box of the named format as [x0, y0, x1, y1] in pixels of a picture of ``width`` x ``height``."""
    corners, whole = BOX_FORMATS[name]
    sides = (1.0, 1.0) if whole is None else (width / whole, height / whole)
    return [value * sides[number % 2] for number, value in enumerate(corners([float(value) for value in box]))]
