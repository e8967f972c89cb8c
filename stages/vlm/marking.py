"""The pictures that a model which writes or judges is shown: plain, and with the target marked."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import Rle

MARKS = ("contour", "box")
YELLOW = (255, 221, 0)


def plain_and_marked(image_png: bytes, masks: Sequence[Rle], mark: str, longest_px: int) -> tuple[bytes, bytes | None]:
    """PNG bytes of the picture and of the picture with every mask outlined, longer side at most ``longest_px``.

    ``mark`` is contour or box. Without masks there is no second picture.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image_png)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    plain = np.asarray(picture)
    if not masks:
        return _png(plain), None
    marked = np.ascontiguousarray(plain.copy())
    for rle in masks:
        _draw(marked, decode_mask(rle), mark)
    return _png(plain), _png(marked)


def _draw(canvas: np.ndarray, mask: np.ndarray, mark: str) -> None:
    """Outline a mask of the whole picture on a canvas (height, width, 3) of another size, in place."""
    import cv2

    scale = np.array([canvas.shape[1] / mask.shape[1], canvas.shape[0] / mask.shape[0]])
    width = max(1, round(max(canvas.shape) / 256))
    if mark == "box":
        x0, y0, x1, y1 = (np.array(tight_box(mask)).reshape(2, 2) * scale).round().astype(int).ravel().tolist()
        cv2.rectangle(canvas, (x0 - width, y0 - width), (x1 - 1 + width, y1 - 1 + width), YELLOW, width)
        return
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = [((contour.reshape(-1, 2) + 0.5) * scale).astype(np.int32).reshape(-1, 1, 2) for contour in contours]
    cv2.drawContours(canvas, outlines, -1, YELLOW, width)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
