"""Faults that only the picture shows: mask and box beside the object, too small or large, the object not in the picture.

Nothing else of the sample changes: the attributes and relations stay those of the true object, so that no other check can
tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from stages.core.geometry import encode_mask, iou, tight_box
from stages.verify.audit.plant import Ground, Plant
from stages.verify.elsewhere import anywhere, is_off, resized, shifted, widened
from stages.verify.extent import diameter_px, window
from stages.verify.picture import decoded

_LENGTHS = (0.85, 1.5)
_FACTORS = (0.5, 2.0)
_MOST_IOU = 0.4
# An object that fills half of the picture cannot be filled from what surrounds it.
_MOST_OF_PICTURE = 0.5
# A removed object is looked for in the picture smoothed by this share of its diameter.
_SMOOTHING = 0.06


def _laid(ground: Ground, mask: np.ndarray | None, changed: str) -> Iterator[Plant]:
    if mask is not None:
        target = ground.targets[0]
        yield Plant(ground.query, changed, anchors=(dataclasses.replace(target, mask_rle=encode_mask(mask), box_xyxy_px=tight_box(mask)),))


def mask_shifted(ground: Ground) -> Iterator[Plant]:
    """Mask and box about one box length off the object, on no other object of its kind."""
    if len(ground.targets) == 1:
        mask = ground.context.masks[ground.targets[0].anchor_id]
        yield from _laid(ground, shifted(mask, _LENGTHS, ground.rng, _off(ground)), "mask and box beside the object")


def mask_elsewhere(ground: Ground) -> Iterator[Plant]:
    """Mask and box anywhere else in the picture, on no object of its kind."""
    if len(ground.targets) == 1:
        mask = ground.context.masks[ground.targets[0].anchor_id]
        yield from _laid(ground, anywhere(mask, ground.rng, _off(ground)), "mask and box elsewhere")


def _off(ground: Ground) -> Callable[[np.ndarray], bool]:
    union, boxes = ground.context.kin_of(ground.targets[0])
    return partial(is_off, kin=union, kin_boxes=boxes)


def mask_scaled(ground: Ground) -> Iterator[Plant]:
    """Mask and box half or twice as long as the object."""
    if len(ground.targets) == 1:
        factor = ground.rng.choice(_FACTORS)
        mask = resized(ground.context.masks[ground.targets[0].anchor_id], factor)
        if mask is not None and iou(tight_box(mask), ground.targets[0].box_xyxy_px) <= _MOST_IOU:
            yield from _laid(ground, mask, f"mask and box {factor:g} times as long")


def target_removed(ground: Ground) -> Iterator[Plant]:
    """The object's place filled from its surroundings (Telea, 2004) with their grain; mask and box stay."""
    if len(ground.targets) == 1:
        mask = ground.context.masks[ground.targets[0].anchor_id]
        image = decoded(ground.context.sample.image)
        hole = widened(mask)
        if hole.mean() <= _MOST_OF_PICTURE:
            without = removed(image, hole, diameter_px(mask), np.random.default_rng(ground.rng.getrandbits(32)))
            if not looks_other(image, without, mask):
                return
            png = cv2.imencode(".png", without)[1].tobytes()
            yield Plant(ground.query, "object removed from the picture", sample=dataclasses.replace(ground.context.sample, image=png))


def removed(image: np.ndarray, hole: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """The 8-bit image with a hole (height, width) filled in, by the fill at a scale where it is small plus real grain."""
    rows, columns = window(hole, 12 + int(0.5 * diameter))
    part, there = image[rows, columns], hole[rows, columns]
    scale = min(1.0, 96 / diameter)
    size = (max(4, int(part.shape[1] * scale)), max(4, int(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    small_hole = (cv2.resize(there.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    fill = cv2.resize(cv2.inpaint(small, small_hole, 5, cv2.INPAINT_TELEA), part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    grain = (part.astype(np.float32) - cv2.GaussianBlur(part, (0, 0), 2.0))[~there]
    out = image.copy()
    if len(grain):
        noisy = fill[there].astype(np.float32) + grain[rng.integers(0, len(grain), size=int(there.sum()))]
        out[rows, columns][there] = np.clip(noisy, 0, 255).astype(np.uint8)
    return out


def looks_other(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> bool:
    """Whether two 8-bit pictures differ under the mask by more than the first one's own grain: otherwise nothing went."""
    rows, columns = window(mask, 12)
    old, new = (picture[rows, columns].astype(np.float32) for picture in (before, after))
    sigma = max(1.0, _SMOOTHING * diameter_px(mask))
    change = np.abs(cv2.GaussianBlur(new, (0, 0), sigma) - cv2.GaussianBlur(old, (0, 0), sigma))
    grain = np.abs(old - cv2.GaussianBlur(old, (0, 0), 2.0))
    inside = mask[rows, columns]
    return float(change[inside].mean()) > float(grain[inside].mean())


PLANTERS = {"mask_shifted": mask_shifted, "mask_elsewhere": mask_elsewhere, "mask_scaled": mask_scaled, "target_removed": target_removed}
