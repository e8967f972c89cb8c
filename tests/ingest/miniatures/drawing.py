"""What miniature pictures are made of: noise, blobs, and files in the formats of the sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64


def colour_noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 RGB picture (height, width, 3)."""
    return np.random.default_rng(seed).integers(40, 200, (height, width, 3)).astype(np.uint8)


def grey_noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 grey picture (height, width)."""
    return np.random.default_rng(seed).integers(40, 200, (height, width)).astype(np.uint8)


def ellipse(centre_xy: tuple[float, float], radii_xy: tuple[float, float], value: int = 255, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 mask (height, width) of a filled ellipse, in pixels."""
    y, x = np.mgrid[:height, :width]
    inside = ((x - centre_xy[0]) / radii_xy[0]) ** 2 + ((y - centre_xy[1]) / radii_xy[1]) ** 2 <= 1
    return np.where(inside, value, 0).astype(np.uint8)


def empty(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 mask (height, width) without foreground."""
    return np.zeros((height, width), np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    """A picture file in the format of its ending; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(path, **options)


def save_one_bit(path: Path, mask: np.ndarray) -> None:
    """A mask as a picture of one bit per pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).convert("1").save(path)


def save_palette(path: Path, codes: np.ndarray, colours: list[tuple[int, int, int]]) -> None:
    """Codes (height, width) as a palette picture; ``colours`` are RGB, one for each code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(codes, "P")
    picture.putpalette([value for colour in colours for value in colour])
    picture.save(path)


def write_text(path: Path, text: str) -> None:
    """A text file; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
