"""The resize of the Qwen-VL processors, and the settings that govern it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any


def smart_resize(width: int, height: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) after the resize: multiples of ``factor``, area within min_pixels..max_pixels, ratio nearly kept.

    The rule of ``smart_resize`` in transformers' Qwen2-VL image processor; a test compares it with what that makes.
    """
    new_width, new_height = round(width / factor) * factor, round(height / factor) * factor
    if new_width * new_height > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        return tuple(max(factor, math.floor(side / shrink / factor) * factor) for side in (width, height))  # type: ignore[return-value]
    if new_width * new_height < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        return tuple(math.ceil(side * grow / factor) * factor for side in (width, height))  # type: ignore[return-value]
    return new_width, new_height


def pixel_limits(processor: Any) -> tuple[int, int]:
    """(min_pixels, max_pixels) that the processor resizes by."""
    size = processor.image_processor.size
    return int(size["shortest_edge"]), int(size["longest_edge"])


def qwen_seen(processor: Any, width: int, height: int) -> tuple[int, int]:
    """Size that a Qwen-VL processor makes of a picture of ``width`` x ``height`` pixels."""
    images = processor.image_processor
    return smart_resize(width, height, images.patch_size * images.merge_size, *pixel_limits(processor))


PIXEL_SETTINGS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "min_pixels": lambda value: {"min_pixels": value},
    "max_pixels": lambda value: {"max_pixels": value},
}
