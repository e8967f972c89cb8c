"""Hounsfield units of synthetic abdominal CT: tissues, enhancement, gas, texture, partial volume and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stages.phantom import fields

if TYPE_CHECKING:
    from stages.phantom.ct import Body

AIR, GAS, FAT, MUSCLE = -1000.0, -900.0, -100.0, 55.0
# Portal venous enhancement, as ranges of means over studies.
ENHANCED = {
    "liver": (92, 118), "spleen": (102, 130), "stomach": (12, 38), "left_kidney": (155, 198), "right_kidney": (155, 198),
    "vertebra": (260, 460), "aorta": (165, 215),
}  # fmt: skip
LESION_DARK, LESION_BRIGHT = (20, 58), (162, 192)


def hounsfield(rng: np.random.Generator, labels: np.ndarray, values: dict[str, int], lesions: list[np.ndarray], body: Body) -> np.ndarray:
    """Int16 Hounsfield units of a labelled body, same shape as ``labels``."""
    image = _surroundings(rng, body, labels.shape)
    means = {name: rng.uniform(*span) for name, span in ENHANCED.items()}
    means["right_kidney"] = means["left_kidney"] + rng.uniform(-8, 8)
    for name, mean in means.items():
        image[labels == values[name]] = mean
    image[labels == values["lesion"]] = means["liver"]
    for lesion in lesions:
        span = LESION_DARK if rng.random() < 0.62 else LESION_BRIGHT
        image[lesion & (labels == values["lesion"])] = rng.uniform(*span)
    _kidney_sinus(image, labels, [values["left_kidney"], values["right_kidney"]])
    _stomach_gas(rng, image, labels == values["stomach"])
    return _acquire(rng, image)


def _surroundings(rng: np.random.Generator, body: Body, shape: tuple[int, int, int]) -> np.ndarray:
    """Air, subcutaneous fat, muscle wall with ribs, muscles of the back, and a fatty cavity with loops of bowel."""
    image = np.full(shape, AIR, np.float32)
    image[body.depth_mm > 0] = FAT
    image[body.depth_mm > body.fat_mm] = MUSCLE
    angle = np.arctan2(body.y, body.x)
    ribs = (np.cos(9 * angle + 2.2 * body.z) > 0.72) & (np.abs(body.depth_mm - body.fat_mm - 0.55 * body.muscle_mm) < 3.0)
    image[ribs & (body.y < 0.9)] = rng.uniform(280, 420)
    cavity = body.cavity
    image[cavity] = FAT + 8
    back = np.hypot((np.abs(body.x) - 0.34) / 0.26, (body.y - 0.96) / 0.26) < 1
    spine = np.hypot(body.x / 0.22, (body.y - 1.0) / 0.26) < 1  # the canal and its surroundings; the vertebra goes on top
    image[(back | spine) & (body.depth_mm > body.fat_mm)] = MUSCLE + 4
    loops = fields.smooth_volume(rng, shape, 11, 4)
    bowel = cavity & ~back & (body.y < 0.45) & (loops > 0.7)
    image[bowel] = rng.uniform(10, 50)
    image[bowel & (loops > 1.9)] = GAS
    return image


def _kidney_sinus(image: np.ndarray, labels: np.ndarray, kidneys: list[int]) -> None:
    """Darker medulla and a fatty sinus in the middle of each kidney."""
    for value in kidneys:
        for index, plane in enumerate(labels):
            mask = plane == value
            if mask.any():
                cortex = image[index][mask].mean()
                image[index][fields.shrunk(mask, 4.5)] = cortex - 45
                image[index][fields.shrunk(mask, 8.5)] = -20


def _stomach_gas(rng: np.random.Generator, image: np.ndarray, stomach: np.ndarray) -> None:
    """Gas with a level at the front of the stomach (the patient lies on the back) behind a brighter wall."""
    rows = np.flatnonzero(stomach.any(axis=(0, 2)))
    if rows.size == 0:
        return
    level = rows[0] + rows.size * rng.uniform(0.12, 0.42)
    front = np.arange(image.shape[1])[:, None] < level
    for plane, mask in zip(image, stomach, strict=True):
        lumen = fields.shrunk(mask, 2)
        plane[mask & ~lumen] = 70
        plane[lumen & front] = GAS


def _acquire(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Tissue texture, partial volume and quantum noise of varied strength; clipped to the range of CT."""
    sigma, noise = rng.uniform(0.5, 1.0), rng.uniform(8, 22)
    texture = 4 * fields.smooth_volume(rng, image.shape, 5, 2) * (image > FAT - 50)
    grain = np.stack([fields.blur(plane, 0.6) for plane in rng.standard_normal(image.shape, dtype=np.float32)])
    blurred = np.stack([fields.blur(plane, sigma) for plane in image])
    return np.clip(np.round(blurred + texture + noise * grain / grain.std()), -1024, 3071).astype(np.int16)
