"""Abdominal CT volumes in Hounsfield units with a multi-label map.

Arrays are (slice, row, column) in LPS: columns run to the patient's left, rows to the back, slices to the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.phantom import fields

# Values of the label map; the card of ct_phantom names them. A lesion takes its pixels from the liver.
VALUES = {"liver": 1, "spleen": 2, "stomach": 3, "left_kidney": 4, "right_kidney": 5, "vertebra": 6, "aorta": 7, "lesion": 8}
# Centre and radii in body units (-1..1 from the patient's right to left, front to back), extent along the volume (0..1),
# and the Hounsfield units of enhanced tissue.
ORGANS = {
    "liver": ((-0.40, -0.12), (0.50, 0.60), (0.10, 1.10), (92, 118)),
    "spleen": ((0.66, 0.24), (0.17, 0.36), (0.25, 1.10), (104, 132)),
    "stomach": ((0.33, -0.36), (0.29, 0.26), (0.15, 1.05), (20, 48)),
    "left_kidney": ((0.44, 0.52), (0.17, 0.19), (-0.10, 0.80), (150, 205)),
    "right_kidney": ((-0.42, 0.55), (0.17, 0.19), (-0.15, 0.72), (150, 205)),
    "vertebra": ((0.0, 0.58), (0.17, 0.17), (-1.0, 2.0), (260, 480)),
    "aorta": ((0.07, 0.27), (0.075, 0.085), (-1.0, 2.0), (165, 225)),
}
AIR, FAT, MUSCLE, BOWEL = -1000.0, -95.0, 55.0, (5.0, 45.0)


@dataclass(frozen=True)
class Study:
    """One volume: ``hounsfield`` and ``labels`` (slice, row, column) in LPS, ``spacing_mm`` [slice, row, column]."""

    hounsfield: np.ndarray
    labels: np.ndarray
    spacing_mm: tuple[float, float, float]


def build_study(rng: np.random.Generator) -> Study:
    """Draw one study."""
    shape = (int(rng.integers(14, 21)), int(rng.integers(140, 176)), int(rng.integers(164, 204)))
    spacing = (float(rng.choice([4.0, 5.0, 6.0])), *[float(np.round(rng.uniform(1.6, 2.3), 2))] * 2)
    body_u, body_v, body = _body(rng, shape)
    image = _background(rng, shape, body_u, body_v)
    labels = np.zeros(shape, np.uint8)
    for name, (centre, radii, extent, hounsfield) in ORGANS.items():
        organ = _organ(rng, body_u, body_v, centre, radii, extent) & (labels == 0) & body
        labels[organ] = VALUES[name]
        image[organ] = rng.uniform(*hounsfield)
        if name == "stomach":
            _gas(rng, image, organ)
    _lesions(rng, image, labels)
    _keep_one_piece(labels, image)
    return Study(_acquire(rng, image), labels, spacing)


def _body(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Body coordinates (u to the patient's left, v to the back, both -1..1 at the skin), gently deformed, and the body's mask."""
    slices, rows, columns = shape
    row, column = np.mgrid[0:rows, 0:columns].astype(np.float32)
    half_u, half_v = columns * rng.uniform(0.44, 0.48), rows * rng.uniform(0.44, 0.48)
    centre_u, centre_v = columns / 2 + rng.uniform(-3, 3), rows / 2 + rng.uniform(-3, 3)
    warp_u = 0.045 * fields.smooth_noise(rng, (rows, columns), rows / 4)
    warp_v = 0.045 * fields.smooth_noise(rng, (rows, columns), rows / 4)
    u = np.repeat(((column - centre_u) / half_u + warp_u)[None], slices, axis=0)
    v = np.repeat(((row - centre_v) / half_v + warp_v)[None], slices, axis=0)
    drift = np.linspace(-1, 1, slices, dtype=np.float32)[:, None, None]
    u, v = u + 0.03 * rng.normal() * drift, v + 0.03 * rng.normal() * drift
    body = np.abs(u) ** 2.4 + np.abs(v) ** 2.4 <= 1
    return u, v, body


def _background(rng: np.random.Generator, shape: tuple[int, int, int], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Air, skin fat, muscle wall, and a cavity of fat with loops of bowel."""
    depth = np.abs(u) ** 2.4 + np.abs(v) ** 2.4
    image = np.full(shape, AIR, np.float32)
    image[depth <= 1] = FAT
    fat = rng.uniform(0.78, 0.9)
    image[depth <= fat] = MUSCLE
    cavity = depth <= fat - 0.14
    image[cavity] = FAT + 15
    loops = np.stack([fields.smooth_noise(rng, shape[1:], 13)] * shape[0])
    image[cavity & (loops > 0.75) & (v > -0.75)] = rng.uniform(*BOWEL)
    return image


def _organ(rng, u, v, centre, radii, extent) -> np.ndarray:  # noqa: ANN001
    """An ellipsoid in body coordinates with jittered place, size and turn."""
    slices = u.shape[0]
    w = np.linspace(0, 1, slices, dtype=np.float32)[:, None, None]
    middle, half = (extent[0] + extent[1]) / 2 + rng.uniform(-0.06, 0.06), (extent[1] - extent[0]) / 2
    scale = rng.uniform(0.86, 1.12)
    turn = np.deg2rad(rng.uniform(-14, 14))
    du, dv = u - centre[0] - rng.uniform(-0.03, 0.03), v - centre[1] - rng.uniform(-0.03, 0.03)
    along = (du * np.cos(turn) + dv * np.sin(turn)) / (radii[0] * scale)
    across = (-du * np.sin(turn) + dv * np.cos(turn)) / (radii[1] * scale)
    return along**2 + across**2 + ((w - middle) / half) ** 2 <= 1


def _gas(rng: np.random.Generator, image: np.ndarray, stomach: np.ndarray) -> None:
    """A gas bubble at the front of the stomach (a patient on the back)."""
    rows = np.flatnonzero(stomach.any(axis=(0, 2)))
    if rows.size:
        level = rows[0] + int(rows.size * rng.uniform(0.0, 0.35))
        front = np.arange(image.shape[1])[None, :, None] < level
        image[stomach & front] = -850


def _lesions(rng: np.random.Generator, image: np.ndarray, labels: np.ndarray) -> None:
    """Two to five focal lesions of set-apart size in the liver, darker or brighter than it, spanning several slices."""
    liver = labels == VALUES["liver"]
    largest = int(np.argmax(liver.sum(axis=(1, 2))))
    common = liver[max(0, largest - 1) : largest + 2].all(axis=0)
    count = int(rng.integers(2, 6))
    extent = np.sqrt(common.sum())
    radii = [(size * rng.uniform(1.0, 1.3), size / rng.uniform(1.0, 1.6))
             for size in fields.spread_sizes(rng, count, 0.065 * extent, 0.17 * extent)]  # fmt: skip
    for mask in fields.scattered(rng, fields.shrunk(common, 2), radii, (0.03, 0.14), 3):
        hounsfield = rng.uniform(8, 52) if rng.random() < 0.6 else rng.uniform(165, 205)
        reach = int(rng.integers(2, 5))
        for index in range(max(0, largest - reach), min(labels.shape[0], largest + reach + 1)):
            inset = abs(index - largest) * 0.35
            part = (fields.shrunk(mask, inset) if inset else mask) & liver[index]
            labels[index][part] = VALUES["lesion"]
            image[index][part] = hounsfield


def _keep_one_piece(labels: np.ndarray, image: np.ndarray) -> None:
    """Drop crumbs: in each slice an organ keeps its largest region, a lesion those of 12 pixels or more."""
    for index in range(labels.shape[0]):
        for value in VALUES.values():
            mask = labels[index] == value
            n, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
            if n <= 2 and (n < 2 or stats[1, cv2.CC_STAT_AREA] >= 12):
                continue
            areas = stats[1:, cv2.CC_STAT_AREA]
            keep = 1 + np.flatnonzero(areas >= 12) if value == VALUES["lesion"] else [1 + int(areas.argmax())]
            crumbs = mask & ~np.isin(regions, keep)
            labels[index][crumbs] = VALUES["liver"] if value == VALUES["lesion"] else 0
            image[index][crumbs] = 100 if value == VALUES["lesion"] else FAT


def _acquire(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Partial volume, tissue texture and quantum noise; int16 Hounsfield units."""
    sigma, noise = rng.uniform(0.5, 0.9), rng.uniform(6, 18)
    slices = []
    for plane in image:
        texture = 4 * fields.smooth_noise(rng, plane.shape, 5) * (plane > AIR + 100)
        grain = fields.blur(rng.standard_normal(plane.shape).astype(np.float32), 0.6)
        slices.append(fields.blur(plane, sigma) + texture + noise * grain / grain.std())
    return np.clip(np.round(np.stack(slices)), -1024, 3071).astype(np.int16)
