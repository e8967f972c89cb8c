"""The resize of the Qwen-VL processors, on which absolute-pixel answers rest."""

from __future__ import annotations

import math


def smart_resize(width: int, height: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) after the resize: multiples of ``factor``, area within min_pixels..max_pixels, ratio nearly kept.

    The rule of transformers' Qwen2-VL image processor (``smart_resize`` there), which cannot be imported without torch;
    a test compares the two.

    Raises:
        ValueError: a side is more than 200 times the other, which the processor refuses.
    """
    if max(width, height) > 200 * min(width, height):
        raise ValueError(f"an image of {width} x {height} px is too long: Qwen-VL processors refuse an aspect ratio above 200")
    wide, high = round(width / factor) * factor, round(height / factor) * factor
    if wide * high > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        return max(factor, math.floor(width / shrink / factor) * factor), max(factor, math.floor(height / shrink / factor) * factor)
    if wide * high < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        return math.ceil(width * grow / factor) * factor, math.ceil(height * grow / factor) * factor
    return wide, high
