"""What the readers of pictures share: from decoded pixels and objects to a ``Picture``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from stages.ingest.card import Card
from stages.ingest.cases import Case, MaskFile
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask, labels_of, overlap_flags, unite_semantic
from stages.ingest.pictures import Shown
from stages.ingest.polygons import PolygonError, fill_rings
from stages.ingest.readers.base import Picture, Reading, Source

# Faults after which the other masks of the label still stand, since no pixel of it is lost.
_NOTHING_LOST = frozenset({"empty_mask", "mask_not_given"})


def pictured(case: Case, card: Card, shown: Shown, objects: list[ObjectMask], flags: list[str], incomplete: list[str] | None = None) -> Picture:
    """The one picture of a case; orientation, plane and pixel size as card and tables state them."""
    own = [*shown.flags, *flags, *overlap_flags(objects, shown.pixels.shape[:2])]  # type: ignore[arg-type]
    return Picture(
        view=case.view,
        pixels=shown.pixels,
        spacing_mm=case.spacing_mm,
        image_left_is=card.image_left_is,
        plane=card.plane,
        slice_index=None,
        transform=shown.transform,
        objects=objects,
        incomplete=incomplete or [],
        flags=own,
        png=shown.png,
    )


def one_mask(case: Case) -> MaskFile:
    """The one label map of a case.

    Raises:
        Fault: there are several.
    """
    if len(case.masks) != 1:
        cause = f"{len(case.masks)} label maps fit this image, expected one: narrow the card's mask pattern"
        raise Fault("several_masks", case.image, cause)
    return case.masks[0]


def on_image(mask: np.ndarray, shape: tuple[int, ...], card: Card, path: str) -> tuple[np.ndarray, list[str]]:
    """A mask or label map at its image's ``shape`` (height, width), and flags.

    Another size is a fault; with ``resample_masks`` in the card it is scaled (nearest neighbour), if the sides have one ratio.

    Raises:
        Fault: the sizes differ and may not, or the ratios of the sides differ by more than a pixel.
    """
    if mask.shape == shape:
        return mask, []
    sizes = f"mask {mask.shape[::-1]} against image {shape[::-1]} (width, height)"
    if not card.resample_masks:
        raise Fault("mask_size", path, f"{sizes}: export it at the image's size, or set resample_masks in the card")
    if abs(mask.shape[0] * shape[1] - mask.shape[1] * shape[0]) > max(*mask.shape, *shape):
        raise Fault("mask_size", path, f"{sizes}: the sides have another ratio, so that it is no scaled copy; export it at the image's size")
    rows, columns = (((np.arange(after) + 0.5) * (before / after)).astype(np.intp) for before, after in zip(mask.shape, shape, strict=True))
    return mask[rows][:, columns], ["mask_resampled"]


@dataclass(frozen=True)
class Drawing:
    """One object as the source draws it: ``draw`` gives its pixels for an image of (height, width)."""

    source: str
    file: str
    draw: Callable[[tuple[int, int]], Patch]
    crowd: bool = False


@dataclass(frozen=True)
class Patch:
    """Pixels of an object: a whole mask (``corner`` None) or a crop at (row, column); and flags."""

    mask: np.ndarray
    corner: tuple[int, int] | None = None
    flags: list[str] = field(default_factory=list)


def read_drawings(case: Case, source: Source, shown: Shown, drawings: Iterable[Drawing]) -> Reading:
    """A picture with its objects, in the order given.

    A drawing that is faulty withdraws its label from the picture, since neither its presence nor its absence can be
    claimed any more; after an empty or missing one the label's other objects stay, but it no longer counts as
    completely annotated (unless the card says that empty masks mean absence). A picture with nothing drawn has no
    objects: the card's ``empty_images`` says what becomes of it.

    Raises:
        Fault: a label is unknown, or something was drawn and nothing of it is left.
    """
    card, shape = source.card, (shown.pixels.shape[0], shown.pixels.shape[1])
    objects: list[ObjectMask] = []
    faults: list[Fault] = []
    flags: list[str] = []
    incomplete: set[str] = set()
    withdrawn: set[str] = set()
    drawn = False
    for drawing in drawings:
        labels = labels_of(drawing.source, card, drawing.file)
        if not labels:
            drawn = True
            continue
        try:
            patch = drawing.draw(shape)
        except Fault as fault:
            if fault.kind == "empty_mask" and card.empty_images != "fault":
                continue
            drawn = True
            faults.append(fault)
            incomplete.update(labels)
            withdrawn.update(labels if fault.kind not in _NOTHING_LOST else ())
            continue
        drawn = True
        flags += patch.flags
        objects += [ObjectMask(label, drawing.source, card.labels[label].semantic, patch.mask, drawing.crowd, patch.corner) for label in labels]
    kept = unite_semantic([item for item in objects if item.label not in withdrawn])
    if drawn and not kept:
        raise no_object(case, faults)
    return Reading([pictured(case, card, shown, kept, flags, sorted(incomplete))], faults)


def patch_of_rings(rings: list[np.ndarray], shape: tuple[int, int], pixel_centre: float, file: str, name: str) -> Patch:
    """Rings of points (x, y) as pixels; ``name`` is what a fault calls them.

    Raises:
        Fault: ``empty_mask`` where they enclose no pixel, ``bad_polygon`` where they cannot be meant.
    """
    try:
        filled = fill_rings(rings, shape, pixel_centre)
    except PolygonError as error:
        kind = "empty_mask" if error.empty else "bad_polygon"
        raise Fault(kind, file, f"{name}: {error}; mend it, or take it out") from error
    return Patch(filled.mask, filled.corner, ["polygon_clipped"] if filled.clipped else [])


def no_object(case: Case, faults: list[Fault]) -> Fault:
    """The fault of a picture all of whose masks were faulty or ignored."""
    causes = "; ".join(f"{fault.kind}: {fault.file}: {fault.cause}" for fault in faults[:3])
    return Fault("no_object", case.image, f"no usable mask is left ({causes or 'all its labels are ignored by the card'})")
