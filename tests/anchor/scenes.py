"""Small pictures with known objects."""

from __future__ import annotations

import cv2
import numpy as np

from stages.core.geometry import encode_mask
from stages.core.params import AnchorParams
from stages.core.records import Sample, SampleObject

PARAMS = AnchorParams(
    max_error_rate=0.1, min_component_px=12, min_component_mm2=0.0, min_component_fraction=0.02, merge_gap_px=2.0,
    split_organs=False, crowd_area_ratio=4.0, crowd_solidity=0.85, crowd_neck=0.68, ring_px=6,
)  # fmt: skip


def disc(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    """Pixels whose centre lies within ``radius`` of (x, y) in pixel-edge space."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def ellipse(height: int, width: int, x: float, y: float, major: float, minor: float, angle_deg: float) -> np.ndarray:
    """Filled ellipse with semi-axes ``major`` and ``minor``; the angle is counter-clockwise as seen on the screen."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    dx, dy, turn = columns - x, -(rows - y), np.deg2rad(angle_deg)
    along, across = dx * np.cos(turn) + dy * np.sin(turn), -dx * np.sin(turn) + dy * np.cos(turn)
    return (along / major) ** 2 + (across / minor) ** 2 <= 1


def rectangle(height: int, width: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The half-open box as a mask."""
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def png(pixels: np.ndarray) -> bytes:
    """PNG bytes of a grey (h, w) or RGB (h, w, 3) picture."""
    return cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()


def sample_of(
    masks: list[tuple[str, np.ndarray]],
    image: np.ndarray | None = None,
    spacing_mm: list[float] | None = None,
    image_left_is: str | None = None,
    semantic: bool = False,
) -> Sample:
    """A sample whose objects are the given (label, mask) pairs, numbered within their label."""
    height, width = masks[0][1].shape
    counts: dict[str, int] = {}
    objects = []
    for label, mask in masks:
        counts[label] = counts.get(label, -1) + 1
        objects.append(SampleObject(label, label, counts[label], semantic, encode_mask(mask)))
    picture = np.full((height, width), 90, np.uint8) if image is None else image
    return Sample(
        "toy/case/0", "toy", "case", "patient", "ct", "abdomen", "axial", 0, png(picture), width, height, spacing_mm,
        image_left_is, "{}", objects, sorted(counts), [], "CC0", [],
    )  # fmt: skip
