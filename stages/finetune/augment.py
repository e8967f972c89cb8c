"""Seeded augmentation of a training image in the processor's value range, and of boxes and words where it moves things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.mirror import mirrored_text
from stages.core.params import AugmentParams


@dataclass(frozen=True)
class Placement:
    """Where the picture went: ``x' = scale * x + shift`` in shares of the side, mirrored before when ``mirrored``."""

    scale: float
    shift_x: float
    shift_y: float
    mirrored: bool

    def box(self, box: list[float], width: int, height: int) -> list[float] | None:
        """The box in the moved picture, clipped to it; None when less than nine tenths of it are left."""
        x0, y0, x1, y1 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        if self.mirrored:
            x0, x1 = 1 - x1, 1 - x0
        moved = [
            self.scale * x0 + self.shift_x,
            self.scale * y0 + self.shift_y,
            self.scale * x1 + self.shift_x,
            self.scale * y1 + self.shift_y,
        ]
        kept = np.clip(moved, 0, 1)
        area = (moved[2] - moved[0]) * (moved[3] - moved[1])
        if (kept[2] - kept[0]) * (kept[3] - kept[1]) < 0.9 * area:
            return None
        return [float(kept[0] * width), float(kept[1] * height), float(kept[2] * width), float(kept[3] * height)]

    def text(self, text: str) -> str:
        """The words for the moved picture: a mirrored one has its sides exchanged, those of the patient too.

        Raises:
            ValueError: the text has no sure mirror image, so its picture must not be mirrored.
        """
        if not self.mirrored:
            return text
        other = mirrored_text(text)
        if other is None:
            raise ValueError(f"{text!r} has no sure mirror image: its picture must not be mirrored")
        return other


STAY = Placement(1.0, 0.0, 0.0, False)


def draw_placement(params: AugmentParams, rng: np.random.Generator, mirrorable: bool = True) -> Placement:
    """A small shift and zoom about the centre, and a mirror image in ``mirror_share`` of the draws if it may have one.

    Orders, ranks and relations survive shift and zoom; places ("upper half") do by the margins they were verified with.
    """
    scale = 1 + params.zoom * float(rng.uniform(-1, 1))
    shift_x, shift_y = (params.shift * float(rng.uniform(-1, 1)) + (1 - scale) / 2 for _ in range(2))
    # Drawn in any case, so that the other draws do not depend on it.
    drawn = bool(rng.random() < params.mirror_share)
    return Placement(scale, shift_x, shift_y, drawn and mirrorable)


def move(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    """The picture (channels, height, width), moved; bilinear, what comes in from outside repeats the border."""
    if placement.mirrored:
        pixels = pixels[:, :, ::-1]
    if (placement.scale, placement.shift_x, placement.shift_y) != (1.0, 0.0, 0.0):
        pixels = _resampled(pixels, placement.scale, placement.shift_y, 1)
        pixels = _resampled(pixels, placement.scale, placement.shift_x, 2)
    return np.ascontiguousarray(pixels)


def _resampled(pixels: np.ndarray, scale: float, shift: float, axis: int) -> np.ndarray:
    """One axis of the picture at ``(x - shift) / scale``, linear between pixel centres."""
    length = pixels.shape[axis]
    source = ((np.arange(length) + 0.5) / length - shift) / scale * length - 0.5
    source = np.clip(source, 0, length - 1)
    low = np.minimum(np.floor(source).astype(int), length - 2)
    share = (source - low).astype(np.float32)
    share = share[None, :, None] if axis == 1 else share[None, None, :]
    return pixels.take(low, axis) * (1 - share) + pixels.take(low + 1, axis) * share


def recolour(pixels: np.ndarray, params: AugmentParams, rng: np.random.Generator) -> np.ndarray:
    """Contrast, brightness, noise and a light blur on a picture of values in [-1, 1]; the result stays in that range."""
    gain, offset = 1 + params.contrast * rng.uniform(-1, 1), params.brightness * rng.uniform(-1, 1)
    moved = pixels * np.float32(gain) + np.float32(offset)
    if rng.random() < params.blur_share:
        padded = np.pad(moved, ((0, 0), (1, 1), (1, 1)), mode="edge")
        moved = (padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] + 2 * moved) / 6
    noise = rng.standard_normal((1, *pixels.shape[1:])).astype(np.float32)
    return np.clip(moved + np.float32(params.noise * rng.random()) * noise, -1, 1)
