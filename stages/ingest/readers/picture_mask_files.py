"""Picture + binary mask files: one a structure, one an instance, or one pair.

``{label}`` in the mask pattern is the source name of the structure; without it every mask has the source name ``mask``.
Every file is one object where the label is ``semantic: false``, and one region with its siblings where it is true:

    reader: picture_mask_files
    files:
      image: ["{label_of_case:benign|malignant}/{case}.png"]      # parts that image and mask share tie them
      mask: ["{label_of_case:benign|malignant}/{case}_mask{instance:(_[0-9]+)?}.png"]   # any name but {label} just varies
      other: []
    labels: {breast lesion: {sources: [mask], semantic: false}}
    mask_threshold: 127        # foreground is brighter; 127 for JPEG masks, 0 when left out
    fill_outlines: true        # the masks are drawn outlines, to be filled
    empty_images: keep         # what becomes of a picture whose masks are all black; any value but fault also says that a
                               # black mask means "not there"

Where patterns fit both kinds (``a.png`` and ``a_mask.png``), image patterns go first: give {case} a regex that the suffix does
not fit (``{case:[^_]+}``).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, MaskFile, Place, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.picture_masks import read_mask
from stages.ingest.pictures import read_picture
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import Drawing, Patch, on_image, read_drawings


class PictureMaskFiles:
    """Masks are tied to pictures by the parts of their paths."""

    def find(self, card: Card, root: Path) -> Found:
        """Masks by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and its masks."""
        return read_with_masks(case, source)


def read_with_masks(case: Case, source: Source) -> Reading:
    """A picture and its binary masks, in file order (``readers.pictured`` says what a faulty one costs).

    Raises:
        Fault: the picture is unusable, a label is unknown, or no mask is left.
    """
    shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
    drawings = [Drawing(mask.source, mask.path, partial(_read_placed, mask, source)) for mask in case.masks]
    return read_drawings(case, source, shown, drawings)


def _read_placed(mask_file: MaskFile, source: Source, shape: tuple[int, int]) -> Patch:
    """Mask of a picture of ``shape`` (height, width); a cropped one at its place."""
    if mask_file.fault is not None:
        raise mask_file.fault
    mask, flags = read_mask(source.root, mask_file.path, source.card, source.limits.max_pixels)
    if mask_file.place is None:
        mask, more = on_image(mask, shape, source.card, mask_file.path)
        return Patch(mask, None, flags + more)
    corner = _corner(mask, mask_file.place, shape, mask_file.path)
    return Patch(mask, corner, flags)


def _corner(mask: np.ndarray, place: Place, shape: tuple[int, int], path: str) -> tuple[int, int]:
    """Where a cropped mask begins, after a look at all numbers; nothing is scaled to fit."""
    height, width = shape
    if (place.image_width, place.image_height) != (width, height) or mask.shape != (place.height, place.width):
        stated = f"{(place.width, place.height)} in an image of {(place.image_width, place.image_height)}"
        cause = f"mask {mask.shape[::-1]} and image {(width, height)}, but the table says {stated} (width, height): mend table or files"
        raise Fault("mask_size", path, cause)
    if min(place.top, place.left) < 0 or place.top + place.height > height or place.left + place.width > width:
        cause = f"placed at row {place.top}, column {place.left} it leaves the image of {width} x {height}: mend the table"
        raise Fault("mask_outside", path, cause)
    return place.top, place.left
