"""Picture + one or more binary mask files: one a structure, one an instance, or one pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.files import Case, Found, MaskFile, Place, empty_policy, tie_by_name
from stages.ingest.objects import ObjectMask, labels_of, unite_semantic
from stages.ingest.pictures import open_picture, read_mask, to_8bit
from stages.ingest.readers.base import Picture, Reading, Source

# Faults after which the other masks of the label still stand, since no pixel of it is lost.
_NOTHING_LOST = frozenset({"empty_mask", "mask_not_given"})


class PictureMaskFiles:
    """``{label}`` in the mask pattern names the structure; without it every mask has the source name "mask"."""

    def find(self, card: Card, root: Path) -> Found:
        """Masks by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the picture and its masks."""
        return read_with_masks(case, source)


def read_with_masks(case: Case, source: Source) -> Reading:
    """A picture and its binary masks, in file order.

    A mask that is faulty withdraws its label from the picture, since neither its presence nor its absence can be
    claimed any more; after an empty or missing mask the label's other objects stay, but it no longer counts as
    completely annotated (unless the card's ``empty_images`` says that it means: nothing there).

    Raises:
        Fault: the picture is unusable, a label is unknown, or no mask is left.
    """
    card = source.card
    pixels, transform, flags = to_8bit(open_picture(source.root, case.image, source.limits.max_pixels), case.image)
    objects: list[ObjectMask] = []
    faults: list[Fault] = []
    incomplete: set[str] = set()
    withdrawn: set[str] = set()
    for mask_file in case.masks:
        labels = labels_of(mask_file.source, card, mask_file.path)
        if not labels:
            continue
        try:
            mask, mask_flags = _read_placed(mask_file, source, pixels.shape[:2])
        except Fault as fault:
            if fault.kind == "empty_mask" and card.empty_images != "fault":
                continue  # the card says that an empty mask means: nothing there
            faults.append(fault)
            incomplete.update(labels)
            withdrawn.update(labels if fault.kind not in _NOTHING_LOST else ())
            continue
        flags += mask_flags
        objects += [ObjectMask(label, mask_file.source, card.labels[label].semantic, mask) for label in labels]
    kept = unite_semantic([item for item in objects if item.label not in withdrawn])
    if not kept and (faults or empty_policy(case, card) == "fault"):
        causes = "; ".join(f"{fault.kind}: {fault.file}: {fault.cause}" for fault in faults[:3])
        raise Fault("no_object", case.image, f"no usable mask is left ({causes or 'all its labels are ignored by the card'})")
    picture = Picture(case.view, pixels, case.spacing_mm, card.image_left_is, card.plane, None, transform, kept, sorted(incomplete), flags)
    return Reading([picture], faults)


def _read_placed(mask_file: MaskFile, source: Source, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Boolean mask of the picture's ``shape`` (height, width); a cropped one is set at its place."""
    if mask_file.fault is not None:
        raise mask_file.fault
    mask, flags = read_mask(source.root, mask_file.path, source.card.mask_threshold or 0, source.limits.max_pixels)
    if mask_file.place is None:
        if mask.shape != shape:
            cause = f"mask {mask.shape[::-1]} against image {shape[::-1]} (width, height): export it at the image's size"
            raise Fault("mask_size", mask_file.path, cause)
        return mask, flags
    return _place(mask, mask_file.place, shape, mask_file.path), flags


def _place(mask: np.ndarray, place: Place, shape: tuple[int, ...], path: str) -> np.ndarray:
    """A cropped mask set into an empty one of ``shape`` (height, width); nothing is scaled to fit."""
    height, width = shape
    if (place.image_width, place.image_height) != (width, height) or mask.shape != (place.height, place.width):
        stated = f"{(place.width, place.height)} in an image of {(place.image_width, place.image_height)}"
        cause = f"mask {mask.shape[::-1]} and image {(width, height)}, but the table says {stated} (width, height): mend table or files"
        raise Fault("mask_size", path, cause)
    if min(place.top, place.left) < 0 or place.top + place.height > height or place.left + place.width > width:
        cause = f"placed at row {place.top}, column {place.left} it leaves the image of {width} x {height}: mend the table"
        raise Fault("mask_outside", path, cause)
    whole = np.zeros(shape, bool)
    whole[place.top : place.top + place.height, place.left : place.left + place.width] = mask
    return whole
