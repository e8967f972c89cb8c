"""What the readers of pictures share: from decoded pixels and objects to a ``Picture``."""

from __future__ import annotations

import numpy as np

from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.files import Case, MaskFile
from stages.ingest.objects import ObjectMask, overlap_flags
from stages.ingest.pictures import Shown
from stages.ingest.readers.base import Picture


def pictured(
    case: Case, card: Card, shown: Shown, objects: list[ObjectMask], flags: list[str], incomplete: list[str] | None = None
) -> Picture:
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


def no_object(case: Case, faults: list[Fault]) -> Fault:
    """The fault of a picture all of whose masks were faulty or ignored."""
    causes = "; ".join(f"{fault.kind}: {fault.file}: {fault.cause}" for fault in faults[:3])
    return Fault("no_object", case.image, f"no usable mask is left ({causes or 'all its labels are ignored by the card'})")
