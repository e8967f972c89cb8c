"""A picture with its predicted boxes and the expression under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

BOX_COLOUR, STRIP_PX, LEAST_SIDE_PX = (255, 196, 0), 18, 384


def draw_boxes(picture: Image, boxes_xyxy_px: Sequence[Sequence[float]], caption: str) -> Image:
    """An RGB copy, small pictures enlarged by whole factors; boxes are given in the pixels of ``picture``."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    factor = max(1, -(-LEAST_SIDE_PX // min(picture.size)))
    large = picture.convert("RGB").resize((picture.width * factor, picture.height * factor), Pictures.Resampling.NEAREST)
    page = Pictures.new("RGB", (large.width, large.height + STRIP_PX), (0, 0, 0))
    page.paste(large, (0, 0))
    pen = ImageDraw.Draw(page)
    for box in boxes_xyxy_px:
        pen.rectangle([value * factor for value in box], outline=BOX_COLOUR, width=2)
    pen.text((4, large.height + 3), caption, fill=(255, 255, 255))
    return page
