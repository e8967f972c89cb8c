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
    shape = (int(rng.integers(208, 264)), int(rng.integers(224, 289)))
    field = _field_of_view(rng, shape)
    structures = _structures(rng, fields.shrunk(field, 5), int(rng.integers(1, 4)), int(rng.integers(1, 5)))
    echo = _tissue(rng, shape)
    labels = np.zeros(shape, np.uint8)
    for kind, mask in structures:
        labels[mask] = VALUES[kind]
        echo = _nerve(rng, echo, mask) if kind == "nerve" else _vessel(rng, echo, mask)
    image = echo * _gain(rng, shape) * (0.5 + 0.5 * _speckle(rng, shape)) + rng.uniform(1, 4) * _speckle(rng, shape)
    grey = np.clip(fields.blur(image.astype(np.float32), 0.5), 0, 255)
    return Scan(np.where(field, grey, 0).astype(np.uint8), labels)


def _field_of_view(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A linear probe's rectangle (sometimes narrower than the picture) or a curved probe's sector."""
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.6:
        border = width * (rng.uniform(0.04, 0.10) if rng.random() < 0.4 else 0.0)
        return np.abs(columns + 0.5 - width / 2) <= width / 2 - border
    angle = np.arctan2(columns - width / 2, rows + 0.75 * height)
    radius = np.hypot(columns - width / 2, rows + 0.75 * height)
    return (np.abs(angle) < np.deg2rad(34)) & (radius < 1.73 * height) & (radius > 0.76 * height)


def _structures(rng: np.random.Generator, region: np.ndarray, n_nerves: int, n_vessels: int) -> list[tuple[str, np.ndarray]]:
    """Masks with their kind, of set-apart size within each kind."""
    side = min(region.shape)
    wanted = []
    for kind, count in (("nerve", n_nerves), ("vessel", n_vessels)):
        for size in fields.spread_sizes(rng, count, 0.048 * side, 0.115 * side):
            stretch = rng.uniform(1.0, 1.3) if rng.random() < 0.6 else rng.uniform(1.5, 2.1)
            wanted.append((kind, (size * np.sqrt(stretch), size / np.sqrt(stretch))))
    wanted.sort(key=lambda entry: -entry[1][0] * entry[1][1])
    free, placed = region.copy(), []
    for kind, radii in wanted:
        for mask in fields.scattered(rng, free, [radii], (0.02, 0.10), 6):
            placed.append((kind, mask))
            free &= ~fields.grown(mask, 6)
    return placed


def _speckle(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Rayleigh speckle of mean 1, wider along the probe than in depth (Wagner et al., 1983)."""
    parts = [fields.blur(rng.standard_normal(shape).astype(np.float32), (1.2, 0.7)) for _ in range(2)]
    speckle = np.hypot(*parts)
    return speckle / speckle.mean()


def _gain(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Attenuation with depth, partly made up for by the depth gain, with a band of stronger echoes at the focus."""
    depth = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    focus = 0.18 * np.exp(-(((depth - rng.uniform(0.3, 0.6)) / 0.2) ** 2))
    return np.exp(-rng.uniform(0.2, 0.75) * depth) + focus


def _tissue(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Bright skin, fat with septa, then muscle layers with fibres, divided by bright wavy fascia."""
    height, width = shape
    rows = np.arange(height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    sway = 0.035 * height * fields.smooth_noise(rng, (2, width), width / 3)[:1]
    level = (rows + sway * (0.3 + rows / height)) / height
    echo = np.zeros(shape, np.float32)
    places = np.sort(rng.uniform(0.12, 0.92, int(rng.integers(3, 6))))
    for upper, lower in zip([-1.0, *places], [*places, 2.0], strict=True):
        fibres = fields.smooth_noise(rng, shape, rng.uniform(3, 7))
        fibres = fields.blur(fibres.astype(np.float32), (6.0, 0.6))
        layer = rng.uniform(46, 84) + rng.uniform(8, 20) * fibres / fibres.std()
        echo = np.where((level >= upper) & (level < lower), layer, echo)
    for place in places:
        along = 0.75 + 0.25 * fields.smooth_noise(rng, (2, width), width / 6)[:1]
        echo = echo + along * rng.uniform(55, 110) * np.exp(-(((level - place) * height / rng.uniform(1.2, 2.4)) ** 2))
    skin = rng.uniform(60, 110) * np.exp(-((level * height / 5) ** 2))
    return np.clip(echo + skin, 8, 255).astype(np.float32)


def _nerve(rng: np.random.Generator, echo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Honeycomb: dark fascicles in echogenic tissue, with a bright rim."""
    bright = rng.uniform(165, 225)
    spacing = rng.uniform(5.0, 7.5)
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]].astype(np.float32)
    shift = [1.6 * fields.smooth_noise(rng, mask.shape, 12) for _ in range(2)]
    # Three plane waves at 120 degrees make a hexagonal lattice.
    waves = sum(np.cos(2 * np.pi / spacing * ((columns + shift[0]) * np.cos(angle) + (rows + shift[1]) * np.sin(angle))) for angle in np.deg2rad([0.0, 120.0, 240.0]))
    inside = bright - rng.uniform(70, 115) * np.clip((waves + 0.6) / 2.4, 0, 1) * fields.shrunk(mask, 1.5)
    soft = fields.blur(mask.astype(np.float32), 0.9)
    return echo * (1 - soft) + inside * soft


def _vessel(rng: np.random.Generator, echo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Dark lumen in a brighter wall, both in the mask, and enhancement below."""
    lumen = fields.blur(fields.shrunk(mask, rng.uniform(1.2, 2.2)).astype(np.float32), 0.7)
    soft = fields.blur(mask.astype(np.float32), 0.8)
    behind = np.zeros_like(echo)
    behind[1:] = np.clip(np.cumsum(mask, axis=0)[:-1], 0, 14) * 1.1 * ~mask[1:]
    fading = np.exp(-np.maximum.accumulate(np.cumsum(behind > 0, axis=0), axis=0) / 60)
    inside = rng.uniform(105, 165) * (1 - lumen) + rng.uniform(8, 24) * lumen
    return (echo + fields.blur(behind * fading, 2.0)) * (1 - soft) + inside * soft
