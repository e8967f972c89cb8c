"""Grey levels of every object and of the ring around it as a record: what ``measure`` found, None where there is nothing."""

from __future__ import annotations

import cv2
import numpy as np

from stages.anchor.shape import rounded
from stages.core.records import Appearance

_FIELDS = tuple(Appearance.__dataclass_fields__)


def grey_image(image_png: bytes) -> np.ndarray | None:
    """The stored picture as grey levels (height, width) uint8, colour by ITU-R BT.601 luma; None when unreadable."""
    return cv2.imdecode(np.frombuffer(image_png, np.uint8), cv2.IMREAD_GRAYSCALE) if image_png else None


def appearances_of(measures: np.ndarray) -> list[Appearance]:
    """Appearances of the objects of ``measures`` (n,) of ``measure.FIELDS``, in their order.

    What compares with the ring is None where the ring is empty; contrasts to noise also where the ring has no spread.
    """
    return [Appearance(*map(rounded, values)) for values in zip(*(measures[name].tolist() for name in _FIELDS), strict=True)]
