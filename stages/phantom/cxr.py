"""Frontal chest radiographs as they hang: the patient's left is on the picture's right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.phantom import fields


@dataclass(frozen=True)
class Radiograph:
    """``image`` (rows, columns) uint8; ``masks`` by structure, boolean."""

    image: np.ndarray
    masks: dict[str, np.ndarray]


def build_radiograph(rng: np.random.Generator) -> Radiograph:
    """Draw one radiograph with both lungs, the heart and two to five opacities."""
    shape = (int(rng.integers(224, 289)), int(rng.integers(224, 289)))
    lungs = {"right_lung": _lung(rng, shape, at_right_of_picture=False), "left_lung": _lung(rng, shape, at_right_of_picture=True)}
    heart = _heart(rng, shape)
    lungs = {name: mask & ~heart for name, mask in lungs.items()}
    image = _chest(rng, shape, lungs, heart)
    opacities = _opacities(rng, lungs, image)
    masks = {**lungs, "heart": heart, **{f"opacity_{number}": mask for number, mask in enumerate(opacities, 1)}}
    noise = fields.blur(rng.standard_normal(shape).astype(np.float32), 0.5)
    image = fields.blur(image, rng.uniform(0.4, 0.8)) + rng.uniform(2, 6) * noise
    return Radiograph(np.clip(image, 0, 255).astype(np.uint8), masks)


def _lung(rng: np.random.Generator, shape: tuple[int, int], at_right_of_picture: bool) -> np.ndarray:
    """A lung field: narrow apex, broad base cut by the diaphragm's dome (higher on the patient's right)."""
    height, width = shape
    middle = width * (0.735 if at_right_of_picture else 0.265) + rng.uniform(-0.015, 0.015) * width
    top, base = height * rng.uniform(0.09, 0.15), height * (rng.uniform(0.80, 0.86) if at_right_of_picture else rng.uniform(0.75, 0.81))
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    along = np.clip((rows - top) / (base - top), 0, 1)
    half = width * (0.165 + 0.02 * rng.normal() * 0.5) * np.sqrt(np.clip(1 - (1 - along * 0.92) ** 2.6, 0, 1))
    half *= 1 + 0.05 * fields.smooth_noise(rng, (height, 1), height / 5)
    lean = (-0.05 if at_right_of_picture else 0.05) * width * (1 - along)
    dome = base + 0.30 * height * ((columns - middle) / width) ** 2 * 4
    inside = (np.abs(columns - middle - lean) <= half) & (rows >= top) & (rows <= dome - 0.06 * height)
    return fields.shrunk(inside, 0)


def _heart(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """The cardiac silhouette: two thirds of it left of the patient's midline, so right of the middle of the picture."""
    height, width = shape
    centre = (width * rng.uniform(0.545, 0.575), height * rng.uniform(0.62, 0.66))
    radii = (width * rng.uniform(0.15, 0.20), height * rng.uniform(0.12, 0.155))
    return fields.blob(rng, shape, centre, radii, rng.uniform(20, 40), 0.05)


def _chest(rng: np.random.Generator, shape: tuple[int, int], lungs: dict[str, np.ndarray], heart: np.ndarray) -> np.ndarray:
    """Grey values: soft tissue, dark lungs with vessels, bright mediastinum and heart, ribs, clavicles, abdomen."""
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    image = rng.uniform(120, 145) - 40 * np.clip(np.abs(columns / width - 0.5) * 2 - 0.75, 0, 1) * 4
    image = image + 10 * fields.smooth_noise(rng, shape, height / 4)
    image = np.where(np.abs(columns / width - 0.5) < 0.085, rng.uniform(165, 185), image)
    image = np.where(rows > 0.84 * height, rng.uniform(160, 180), image)
    lung = np.logical_or(*lungs.values())
    image[lung] = rng.uniform(48, 78) + 6 * fields.smooth_noise(rng, shape, 9)[lung]
    image[heart] = rng.uniform(170, 190)
    image = fields.blur(image.astype(np.float32), 2.0)
    return image + _bones(rng, shape)


def _bones(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Ribs as pairs of sloping arcs, clavicles, and the spine's shadow, as grey to add."""
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    away = np.abs(columns / width - 0.5)
    bones = np.zeros(shape, np.float32)
    step, strength = height * rng.uniform(0.075, 0.09), rng.uniform(7, 14)
    for number in range(9):
        line = height * 0.10 + number * step + 0.55 * height * (away - 0.12) ** 2 * 2.2
        bones += strength * np.exp(-(((rows - line) / (0.011 * height)) ** 2)) * (away > 0.08) * (away < 0.44)
    clavicle = height * 0.13 - 0.12 * height * (away - 0.1)
    bones += 1.5 * strength * np.exp(-(((rows - clavicle) / (0.012 * height)) ** 2)) * (away > 0.05) * (away < 0.36)
    return bones + 6 * (away < 0.035)


def _opacities(rng: np.random.Generator, lungs: dict[str, np.ndarray], image: np.ndarray) -> list[np.ndarray]:
    """Two to five opacities of set-apart size and density inside the lungs; brightens the image where they lie."""
    count = int(rng.integers(2, 6))
    extent = np.sqrt(sum(mask.sum() for mask in lungs.values()))
    region = np.logical_or(*[fields.shrunk(mask, 2) for mask in lungs.values()])
    radii = [(size * rng.uniform(1.0, 1.3), size / rng.uniform(1.0, 1.7))
             for size in fields.spread_sizes(rng, count, 0.055 * extent, 0.14 * extent)]  # fmt: skip
    masks = fields.scattered(rng, region, radii, (0.04, 0.18), 4)
    for mask in masks:
        soft = fields.blur(mask.astype(np.float32), rng.uniform(0.8, 1.8))
        image += soft * rng.uniform(38, 105) * (1 + 0.12 * fields.smooth_noise(rng, mask.shape, 6))
    return masks
