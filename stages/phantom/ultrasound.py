"""B-mode ultrasound pictures of nerves and vessels with a palette label map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.phantom import fields

VALUES = {"nerve": 1, "vessel": 2}


@dataclass(frozen=True)
class Scan:
    """``image`` (rows, columns) uint8 and ``labels`` uint8 with the values of ``VALUES``."""

    image: np.ndarray
    labels: np.ndarray


def build_scan(rng: np.random.Generator) -> Scan:
    """Draw one scan with one to three nerves and one to four vessels, none touching another."""
    shape = (int(rng.integers(200, 260)), int(rng.integers(220, 290)))
    field = _field_of_view(rng, shape)
    n_nerves, n_vessels = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    masks = _structures(rng, fields.shrunk(field, 4), n_nerves, n_vessels)
    echo = _tissue(rng, shape)
    labels = np.zeros(shape, np.uint8)
    for kind, mask in masks:
        labels[mask] = VALUES[kind]
        echo = _nerve(rng, echo, mask) if kind == "nerve" else _vessel(rng, echo, mask)
    speckle = np.hypot(*(fields.blur(rng.standard_normal(shape).astype(np.float32), rng.uniform(0.7, 1.2)) for _ in range(2)))
    speckle = speckle / speckle.mean()
    depth = np.linspace(1, rng.uniform(0.6, 0.85), shape[0], dtype=np.float32)[:, None]
    image = echo * depth * (0.55 + 0.45 * speckle)
    return Scan(np.where(field, np.clip(fields.blur(image.astype(np.float32), 0.5), 0, 255), 0).astype(np.uint8), labels)


def _field_of_view(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A linear probe's rectangle or a curved probe's sector."""
    height, width = shape
    if rng.random() < 0.6:
        return np.ones(shape, bool)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = np.arctan2(columns - width / 2, rows + 0.75 * height)
    radius = np.hypot(columns - width / 2, rows + 0.75 * height)
    return (np.abs(angle) < np.deg2rad(34)) & (radius < 1.73 * height) & (radius > 0.76 * height)


def _structures(rng: np.random.Generator, region: np.ndarray, n_nerves: int, n_vessels: int) -> list[tuple[str, np.ndarray]]:
    """Masks with their kind, of set-apart size within each kind."""
    side = min(region.shape)
    wanted = []
    for kind, count in (("nerve", n_nerves), ("vessel", n_vessels)):
        for size in fields.spread_sizes(rng, count, 0.045 * side, 0.115 * side):
            stretch = rng.uniform(1.0, 1.35) if rng.random() < 0.6 else rng.uniform(1.6, 2.4)
            wanted.append((kind, (size * np.sqrt(stretch), size / np.sqrt(stretch))))
    wanted.sort(key=lambda entry: -entry[1][0] * entry[1][1])
    free, placed = region.copy(), []
    for kind, radii in wanted:
        for mask in fields.scattered(rng, free, [radii], (0.02, 0.10), 5):
            placed.append((kind, mask))
            free &= ~fields.grown(mask, 5)
    return placed


def _tissue(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Muscle layers divided by bright fascia."""
    height, _ = shape
    echo = rng.uniform(62, 88) + 11 * fields.smooth_noise(rng, shape, 22)
    rows = np.arange(height, dtype=np.float32)[:, None]
    sway = 0.03 * height * fields.smooth_noise(rng, (1, shape[1]), shape[1] / 3)
    for place in rng.uniform(0.06, 0.95, int(rng.integers(3, 6))):
        echo = echo + rng.uniform(35, 70) * np.exp(-(((rows - place * height - sway * rng.uniform(0.5, 1.5)) / 1.7) ** 2))
    fibres = fields.smooth_noise(rng, (height, 8), 4)[:, :1]
    return (echo + 6 * fibres).astype(np.float32)


def _nerve(rng: np.random.Generator, echo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Bright honeycomb: dark fascicles in echogenic tissue, with a bright rim."""
    fascicles = fields.smooth_noise(rng, mask.shape, 4)
    inside = rng.uniform(150, 185) - 38 * (fascicles > 0.5)
    soft = fields.blur(mask.astype(np.float32), 0.9)
    return echo * (1 - soft) + inside * soft


def _vessel(rng: np.random.Generator, echo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Dark lumen, brighter wall, enhancement below."""
    wall = fields.blur((fields.grown(mask, 2) & ~mask).astype(np.float32), 0.8)
    behind = np.zeros_like(echo)
    behind[1:] = np.clip(np.cumsum(mask, axis=0)[:-1], 0, 14) * 0.9 * ~mask[1:]
    soft = fields.blur(mask.astype(np.float32), 0.8)
    return (echo + fields.blur(behind, 2)) * (1 - soft) + rng.uniform(8, 26) * soft + wall * rng.uniform(25, 55)
