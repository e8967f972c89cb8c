"""The pixel limits of the Qwen-VL processors: what a card may set, and the size of the picture that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stages.vlm.codecs.resize import smart_resize


def pixel_limits(processor: Any) -> tuple[int, int]:
    """(min_pixels, max_pixels) that the processor resizes by."""
    size = processor.image_processor.size
    return int(size["shortest_edge"]), int(size["longest_edge"])


def qwen_seen(processor: Any, width: int, height: int) -> tuple[int, int]:
    """Size that a Qwen-VL processor makes of a picture of ``width`` x ``height`` pixels.

    Raises:
        ValueError: see ``smart_resize``.
    """
    images = processor.image_processor
    return smart_resize(width, height, images.patch_size * images.merge_size, *pixel_limits(processor))


PIXEL_SETTINGS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "min_pixels": lambda value: {"min_pixels": value},
    "max_pixels": lambda value: {"max_pixels": value},
}
