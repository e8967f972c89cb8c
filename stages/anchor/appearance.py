"""Grey levels of every object and of the ring around it as a record: what ``measure`` found, None where there is nothing."""

from __future__ import annotations

import cv2
import numpy as np

from stages.anchor.shape import rounded
from stages.core.records import Appearance
from stages.knowledge.words import ModalityTextures, Textures

_MEASURED = tuple(name for name in Appearance.__dataclass_fields__ if name != "texture_word")
# The median absolute deviation times this estimates the deviation of a normal distribution (Rousseeuw & Croux 1993).
_NORMAL = 1.4826


def grey_image(image_png: bytes) -> np.ndarray | None:
    """The stored picture as grey levels (height, width) uint8, colour by ITU-R BT.601 luma; None when unreadable."""
    return cv2.imdecode(np.frombuffer(image_png, np.uint8), cv2.IMREAD_GRAYSCALE) if image_png else None


def appearances_of(measures: np.ndarray, modality: str, textures: Textures) -> list[Appearance]:
    """Appearances of the objects of ``measures`` (n,) of ``measure.FIELDS`` in a picture of the modality, in their order.

    What compares with the ring is None where the ring is empty; contrasts to noise also where the ring has no spread.
    """
    rows = zip(*(measures[name].tolist() for name in _MEASURED), strict=True)
    found = [dict(zip(_MEASURED, map(rounded, row), strict=True)) for row in rows]
    limits = textures.modalities.get(modality)
    return [
        Appearance(**values, texture_word=None if limits is None or area_px < textures.least_px else _word(values, limits, textures.most_grain))
        for values, area_px in zip(found, measures["area_px"].tolist(), strict=True)
    ]


def _word(values: dict[str, float | None], limits: ModalityTextures, most_grain: float) -> str | None:
    """Homogeneous, heterogeneous, or None between the limits (``knowledge/words.yaml``)."""
    texture, mad = values["texture"], values["mad"]
    if texture is None or mad is None:
        return None
    spread, even, uneven = _NORMAL * mad, limits.homogeneous, limits.heterogeneous
    if even is not None and texture <= even.texture and spread <= even.spread:
        return "homogeneous"
    if uneven is not None and texture >= uneven.texture and spread >= uneven.spread and texture <= most_grain * spread:
        return "heterogeneous"
    return None
