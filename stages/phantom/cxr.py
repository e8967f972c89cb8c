"""Frontal chest radiographs as they hang: the patient's left is on the picture's right.

Contours are drawn in chest units: x from the midline outwards in half-widths of the picture, y down in its heights.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.phantom import fields

# Lung outlines as control points, from the apex down the outer wall, along the diaphragm's dome, up the mediastinum.
# The left lung's medial border gives way to the heart; its dome stands lower than the right one's.
LUNGS = {
    "right_lung": [(0.30, 0.10), (0.48, 0.15), (0.63, 0.30), (0.72, 0.48), (0.77, 0.66), (0.79, 0.83), (0.62, 0.755), (0.40, 0.72),
                   (0.20, 0.75), (0.15, 0.60), (0.13, 0.44), (0.14, 0.28), (0.19, 0.15)],
    "left_lung": [(0.30, 0.10), (0.48, 0.15), (0.63, 0.30), (0.72, 0.48), (0.77, 0.67), (0.79, 0.87), (0.64, 0.81), (0.44, 0.78),
                  (0.26, 0.81), (0.20, 0.62), (0.15, 0.46), (0.15, 0.28), (0.19, 0.15)],
}  # fmt: skip
# Halves that reach beyond the midline and the picture, so that they meet their mirror images without a notch.
BODY = [(-0.3, -0.3), (0.26, -0.3), (0.28, 0.0), (0.46, 0.06), (0.84, 0.09), (1.04, 0.20), (0.94, 0.42), (0.92, 0.70), (0.96, 1.3),
        (-0.3, 1.3)]  # fmt: skip
MEDIASTINUM = [(-0.1, -0.3), (0.10, -0.3), (0.10, 0.16), (0.17, 0.30), (0.15, 0.45), (0.18, 0.75), (0.15, 0.95), (-0.1, 0.95)]


@dataclass(frozen=True)
class Radiograph:
    """``image`` (rows, columns) uint8; ``masks`` by structure, boolean."""

    image: np.ndarray
    masks: dict[str, np.ndarray]


@dataclass(frozen=True)
class Chest:
    """What belongs to the patient: picture size, frame (midline as a share of the width, stretch of x and y) and structures."""

    shape: tuple[int, int]
    midline: float
    stretch: tuple[float, float]
    lungs: dict[str, np.ndarray]
    heart: np.ndarray


def build_radiograph(patient_rng: np.random.Generator, study_rng: np.random.Generator) -> Radiograph:
    """Draw one radiograph with both lungs, the heart and two to five opacities; the chest belongs to the patient."""
    chest = _chest(patient_rng)
    image = _soft_tissue(patient_rng, chest)
    opacities = _opacities(study_rng, chest, image)
    image += _bones(patient_rng, chest)
    noise = fields.blur(study_rng.standard_normal(chest.shape).astype(np.float32), 0.5)
    image = fields.blur(image, study_rng.uniform(0.4, 0.9)) + study_rng.uniform(2, 7) * noise
    grey = 255 * (np.clip(image, 0, 255) / 255) ** study_rng.uniform(0.85, 1.15)
    masks = {**chest.lungs, "heart": chest.heart, **{f"opacity_{number}": mask for number, mask in enumerate(opacities, 1)}}
    return Radiograph(np.clip(grey, 0, 255).astype(np.uint8), masks)


def _chest(rng: np.random.Generator) -> Chest:
    """Picture size, frame, heart and lungs of one patient. The lungs leave out the heart, as annotators do."""
    width = int(rng.integers(224, 289))
    height = int(np.clip(width * rng.uniform(0.85, 1.15), 224, 288))
    shape, midline = (height, width), rng.uniform(0.48, 0.52)
    stretch = (rng.uniform(0.93, 1.04), rng.uniform(0.94, 1.04))
    heart = _heart(rng, shape, midline)
    lungs = {}
    for name, points in LUNGS.items():
        side = 1 if name == "left_lung" else -1
        wobbled = np.array(points) + rng.uniform(-0.014, 0.014, (len(points), 2))
        lungs[name] = _largest(contour_mask(shape, midline, stretch, side, wobbled) & ~heart)
    return Chest(shape, midline, stretch, lungs, heart)


def contour_mask(shape: tuple[int, int], midline: float, stretch: tuple[float, float], side: int, points: np.ndarray | list) -> np.ndarray:
    """The inside of a smooth closed curve through control points in chest units; ``side`` is 1 for the picture's right."""
    height, width = shape
    corners = np.array(points, dtype=np.float64)
    for _ in range(3):  # Chaikin's corner cutting: three rounds give a smooth curve
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1).reshape(-1, 2)
    x = width * (midline + side * 0.5 * stretch[0] * corners[:, 0])
    y = height * stretch[1] * corners[:, 1]
    return fields.polygon(shape, np.stack([x, y], axis=1))


def _heart(rng: np.random.Generator, shape: tuple[int, int], midline: float) -> np.ndarray:
    """The cardiac silhouette: two thirds of it left of the patient's midline, its apex down and to the picture's right."""
    height, width = shape
    centre = (width * (midline + rng.uniform(0.05, 0.08)), height * rng.uniform(0.625, 0.66))
    radii = (width * rng.uniform(0.155, 0.20), height * rng.uniform(0.115, 0.145))
    return fields.blob(rng, shape, centre, radii, rng.uniform(22, 38), 0.05)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected region of a mask."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return regions == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def _both_sides(chest: Chest, points: list[tuple[float, float]]) -> np.ndarray:
    """A contour and its mirror image, united."""
    return np.logical_or(*[contour_mask(chest.shape, chest.midline, chest.stretch, side, points) for side in (-1, 1)])


def _soft_tissue(rng: np.random.Generator, chest: Chest) -> np.ndarray:
    """Grey values: air outside, the body, dark lungs with vessels, bright mediastinum, heart and abdomen."""
    height, width = chest.shape
    body = _both_sides(chest, BODY).astype(np.float32)
    image = 10 + fields.blur(body, 2) * (rng.uniform(112, 138) + 9 * fields.smooth_noise(rng, chest.shape, height / 4))
    fade = fields.blur(_both_sides(chest, MEDIASTINUM).astype(np.float32), 0.02 * width)
    image = image * (1 - fade) + rng.uniform(165, 185) * fade
    lung = np.logical_or(*chest.lungs.values())
    below = np.cumsum(lung, axis=0) > 0.25 * height
    below |= np.arange(height)[:, None] > 0.93 * height * chest.stretch[1]
    abdomen = fields.blur((below & ~lung).astype(np.float32), 2.5) * body
    image = image * (1 - abdomen) + rng.uniform(158, 178) * abdomen
    inside = fields.blur(lung.astype(np.float32), 1.5)
    air = rng.uniform(44, 74) + 7 * fields.smooth_noise(rng, chest.shape, 9) + _vessels(rng, chest)
    image = image * (1 - inside) + air * inside
    heart = fields.blur(chest.heart.astype(np.float32), 1.5)
    return (image * (1 - heart) + rng.uniform(170, 190) * heart).astype(np.float32)


def _vessels(rng: np.random.Generator, chest: Chest) -> np.ndarray:
    """Lung markings: fine branches, denser and brighter towards the hila, as grey to add."""
    height, width = chest.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    away = np.abs(columns / width - chest.midline)
    hilum = np.exp(-(((away - 0.10) / 0.10) ** 2) - ((rows / height - 0.45) / 0.17) ** 2)
    branches = np.exp(-((fields.smooth_noise(rng, chest.shape, 8) / 0.22) ** 2))
    return 24 * hilum + 12 * branches * (0.35 + hilum)


def _bones(rng: np.random.Generator, chest: Chest) -> np.ndarray:
    """Ribs (front and back arcs), clavicles and the spine's shadow, as grey to add."""
    height, width = chest.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    away = np.abs(columns / width - chest.midline)
    cage = (away > 0.07) & (away < 0.42)
    bones = np.zeros(chest.shape, np.float32)
    step, strength = height * rng.uniform(0.08, 0.095), rng.uniform(8, 15)
    for number in range(9):
        back = height * 0.08 + number * step + height * 0.9 * (away - 0.10) ** 2
        front = height * 0.26 + number * step - height * 0.55 * (away - 0.10)
        bones += strength * np.exp(-(((rows - back) / (0.013 * height)) ** 4)) * cage
        bones += 0.5 * strength * np.exp(-(((rows - front) / (0.014 * height)) ** 4)) * cage * (away > 0.16)
    clavicle = height * 0.155 - height * 0.22 * away
    bones += 1.7 * strength * np.exp(-(((rows - clavicle) / (0.015 * height)) ** 4)) * (away > 0.03) * (away < 0.36)
    notches = 0.6 + 0.4 * np.cos(rows * 2 * np.pi / (0.055 * height))
    return fields.blur(bones, 1.0) + 8 * notches * np.exp(-((away / 0.03) ** 4))


def _opacities(rng: np.random.Generator, chest: Chest, image: np.ndarray) -> list[np.ndarray]:
    """Two to five opacities of set-apart size and density, in both lungs; brightens the image where they lie."""
    regions = {name: fields.shrunk(mask, 2) for name, mask in chest.lungs.items()}
    count = int(rng.integers(2, 6))
    side = min(chest.shape)
    sizes = sorted(fields.spread_sizes(rng, count, 0.036 * side, 0.095 * side), reverse=True)
    names = list(regions)
    first = int(rng.integers(2))
    masks: list[np.ndarray] = []
    for number, size in enumerate(sizes):
        stretch = rng.uniform(1.0, 1.12) if rng.random() < 0.5 else rng.uniform(1.2, 1.45)
        # The two largest take different lungs; the rest fall where they fall.
        name = names[(first + number) % 2] if number < 2 else names[int(rng.integers(2))]
        for mask in fields.scattered(rng, regions[name], [(size * stretch, size / stretch)], (0.05, 0.22), 4):
            regions[name] &= ~fields.grown(mask, 4)
            masks.append(mask)
    for mask in masks:
        soft = fields.blur(mask.astype(np.float32), rng.uniform(0.8, 2.0))
        image += soft * rng.uniform(42, 110) * (1 + 0.12 * fields.smooth_noise(rng, mask.shape, 6))
    return [masks[index] for index in rng.permutation(len(masks))]
