"""Microscopy fields with nuclei, one mask per nucleus: stained sections (purple on pink) and fluorescence (bright on dark)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.phantom import fields


@dataclass(frozen=True)
class Field:
    """``image`` (rows, columns, 3) uint8 RGB; ``masks`` one boolean mask per nucleus, not overlapping."""

    image: np.ndarray
    masks: list[np.ndarray]


def build_field(rng: np.random.Generator) -> Field:
    """Draw one field with three to ten nuclei."""
    shape = (int(rng.integers(200, 281)), int(rng.integers(200, 281)))
    masks = _nuclei(rng, shape)
    stained = rng.random() < 0.55
    image = _stained(rng, shape, masks) if stained else _fluorescence(rng, shape, masks)
    noise = rng.standard_normal((*shape, 3)).astype(np.float32) * rng.uniform(2, 6)
    image = np.stack([fields.blur(image[..., band], 0.7) for band in range(3)], axis=2) + noise
    return Field(np.clip(image, 0, 255).astype(np.uint8), masks)


def _nuclei(rng: np.random.Generator, shape: tuple[int, int]) -> list[np.ndarray]:
    side, count = min(shape), int(rng.integers(3, 11))
    radii = []
    for size in fields.spread_sizes(rng, count, 0.042 * side, 0.125 * side):
        stretch = rng.uniform(1.0, 1.25) if rng.random() < 0.55 else rng.uniform(1.5, 2.6)
        radii.append((size * np.sqrt(stretch), size / np.sqrt(stretch)))
    region = np.ones(shape, bool)
    region[:3], region[-3:], region[:, :3], region[:, -3:] = False, False, False, False
    return fields.scattered(rng, region, radii, (0.02, 0.10), 4)


def _stained(rng: np.random.Generator, shape: tuple[int, int], masks: list[np.ndarray]) -> np.ndarray:
    """Haematoxylin and eosin: purple nuclei of varied darkness on pink tissue with pale gaps."""
    pink = np.array([226, 172, 200], np.float32) + rng.normal(0, 8, 3)
    image = pink + 14 * fields.smooth_noise(rng, shape, 18)[..., None] * np.array([0.6, 1.0, 0.7])
    gaps = fields.smooth_noise(rng, shape, 30) > 1.35
    image[gaps] = [241, 234, 240]
    for mask in masks:
        depth = rng.uniform(0.35, 1.0)
        purple = np.array([170, 130, 185]) * (1 - depth) + np.array([72, 44, 110]) * depth
        chromatin = 12 * fields.smooth_noise(rng, shape, 4)[mask][:, None]
        image[mask] = purple + chromatin
    return image


def _fluorescence(rng: np.random.Generator, shape: tuple[int, int], masks: list[np.ndarray]) -> np.ndarray:
    """A nuclear dye: grey or blue-tinted nuclei of varied brightness on a dark field."""
    grey = rng.uniform(10, 26) + 4 * fields.smooth_noise(rng, shape, 40)
    for mask in masks:
        grey[mask] = rng.uniform(70, 225) * (1 + 0.08 * fields.smooth_noise(rng, shape, 6)[mask])
    tint = np.array([1.0, 1.0, 1.0]) if rng.random() < 0.6 else np.array([0.45, 0.6, 1.0])
    return (grey[..., None] * tint).astype(np.float32)
