"""Building blocks of synthetic anatomy: smooth random fields, wobbling blobs, placement without overlap.

Planes are arrays (row, column). Positions and radii are in pixels of the plane unless said otherwise.
"""

from __future__ import annotations

import cv2
import numpy as np

Mask = np.ndarray


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> np.ndarray:
    """Gaussian noise blurred to features of about ``scale_px``, zero mean, unit spread; shape (rows, columns), float32."""
    small = (max(2, int(shape[0] / scale_px) + 2), max(2, int(shape[1] / scale_px) + 2))
    coarse = rng.standard_normal(small).astype(np.float32)
    field = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / max(float(field.std()), 1e-6)


def smooth_volume(rng: np.random.Generator, shape: tuple[int, int, int], scale_px: float, scale_slices: float) -> np.ndarray:
    """Like ``smooth_noise`` in three dimensions (slice, row, column): features of about ``scale_px`` and ``scale_slices``."""
    layers = max(2, int(shape[0] / scale_slices) + 2)
    coarse = np.stack([smooth_noise(rng, shape[1:], scale_px) for _ in range(layers)])
    place = np.linspace(0, layers - 1, shape[0], dtype=np.float32)
    lower = np.minimum(place.astype(int), layers - 2)
    part = (place - lower)[:, None, None]
    field = coarse[lower] * (1 - part) + coarse[lower + 1] * part
    return field / max(float(field.std()), 1e-6)


def blob(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre_xy: tuple[float, float],
    radii: tuple[float, float],
    angle_deg: float,
    wobble: float,
) -> Mask:
    """A wobbling ellipse as a boolean mask: its radius varies by about ``wobble`` (a share) around it."""  # fmt: skip
    theta = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radius = np.ones_like(theta)
    for harmonic in (2, 3, 4, 5):
        radius += wobble / harmonic * rng.normal() * np.cos(harmonic * theta + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.5, 1.5)
    turn = np.deg2rad(angle_deg)
    along, across = radii[0] * radius * np.cos(theta), radii[1] * radius * np.sin(theta)
    x = centre_xy[0] + along * np.cos(turn) - across * np.sin(turn)
    y = centre_xy[1] + along * np.sin(turn) + across * np.cos(turn)
    return polygon(shape, np.stack([x, y], axis=1))


def polygon(shape: tuple[int, int], corners_xy: np.ndarray) -> Mask:
    """The inside of a closed polygon; ``corners_xy`` (n, 2) in pixel-edge coordinates, cut at the picture's border."""
    canvas = np.zeros(shape, np.uint8)
    # OpenCV counts from pixel centres, in sixteenths of a pixel here.
    cv2.fillPoly(canvas, [np.round((corners_xy - 0.5) * 16).astype(np.int32)], 1, shift=4)
    return canvas.astype(bool)


def grown(mask: Mask, pixels: int) -> Mask:
    """The mask and everything within ``pixels`` of it."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def shrunk(mask: Mask, pixels: float) -> Mask:
    """The part of the mask that lies at least ``pixels`` from its edge."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return (cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]) > pixels


def blur(image: np.ndarray, sigma_px: float | tuple[float, float]) -> np.ndarray:
    """Gaussian blur; a pair of sigmas is (along columns, along rows), the smear in x and in y."""
    sigma_x, sigma_y = sigma_px if isinstance(sigma_px, tuple) else (sigma_px, sigma_px)
    return cv2.GaussianBlur(image, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)


def spread_sizes(rng: np.random.Generator, count: int, least: float, most: float) -> list[float]:
    """Sizes between two bounds, set well apart from each other (ratio of neighbours about even), in random order."""
    steps = np.geomspace(least, most, count) if count > 1 else np.array([np.sqrt(least * most)])
    sizes = steps * rng.uniform(0.93, 1.07, count)
    return [float(size) for size in rng.permutation(sizes)]


def one_piece(mask: Mask) -> bool:
    """Whether the mask is a single 8-connected region."""
    return bool(mask.any()) and cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2


def scattered(
    rng: np.random.Generator,
    region: Mask,
    radii: list[tuple[float, float]],
    wobble: tuple[float, float],
    gap_px: int,
) -> list[Mask]:
    """Blobs of the given radii at random places of a region, kept inside it, ``gap_px`` apart from each other.

    The largest are placed first; one that finds no room in 60 tries is left out. Returned in placing order.
    """  # fmt: skip
    free, placed = region.copy(), []
    for radius in sorted(radii, key=lambda pair: -pair[0] * pair[1]):
        room = np.flatnonzero(shrunk(free, min(radius) * 0.8))
        for _ in range(60 if room.size else 0):
            row, column = divmod(int(rng.choice(room)), region.shape[1])
            centre = (column + 0.5, row + 0.5)
            mask = blob(rng, region.shape, centre, radius, rng.uniform(0, 180), rng.uniform(*wobble))
            if not (mask & ~free).any() and one_piece(mask):
                placed.append(mask)
                free &= ~grown(mask, gap_px)
                break
    return placed
