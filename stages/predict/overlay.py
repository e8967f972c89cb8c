"""A picture with its predicted boxes and the expression under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# Told apart by brightness as well as by hue; after the last the first comes again.
BOX_COLOURS = ((255, 196, 0), (86, 200, 255), (255, 120, 190), (150, 230, 90))
LEAST_SIDE_PX, LEAST_LETTER_PX = 384, 14


def draw_boxes(picture: Image, boxes_xyxy_px: Sequence[Sequence[float]], caption: str) -> Image:
    """An RGB copy, small pictures enlarged by whole factors, with the caption below in as many lines as it takes.

    Boxes are given in the pixels of ``picture``; where there are several they have their numbers.
    """
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    factor = max(1, -(-LEAST_SIDE_PX // min(picture.size)))
    large = picture.convert("RGB").resize((picture.width * factor, picture.height * factor), Pictures.Resampling.NEAREST)
    letter = max(LEAST_LETTER_PX, large.width // 45)
    font, margin = ImageFont.load_default(letter), letter // 3
    lines = _lines(caption, large.width - 2 * margin, font)
    page = Pictures.new("RGB", (large.width, large.height + 2 * margin + len(lines) * (letter + margin)), (0, 0, 0))
    page.paste(large, (0, 0))
    pen = ImageDraw.Draw(page)
    for number, box in enumerate(boxes_xyxy_px, start=1):
        colour = BOX_COLOURS[(number - 1) % len(BOX_COLOURS)]
        pen.rectangle([value * factor for value in box], outline=colour, width=max(2, min(large.size) // 250))
        if len(boxes_xyxy_px) > 1:
            corner = (box[0] * factor + margin, box[1] * factor + margin)
            pen.text(corner, str(number), fill=colour, font=font, stroke_width=1, stroke_fill=(0, 0, 0))
    for row, line in enumerate(lines):
        pen.text((margin, large.height + margin + row * (letter + margin)), line, fill=(255, 255, 255), font=font)
    return page


def _lines(caption: str, width_px: int, font: Any) -> list[str]:
    """The caption broken between words where a line would be wider than the picture."""
    lines: list[str] = []
    for word in caption.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
