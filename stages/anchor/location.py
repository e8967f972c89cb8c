"""Where an object lies: cell, sides of image and patient, the patient's midline."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.claims import Thresholds
from stages.core.records import Location, Zone

_COLUMNS = ("left", "centre", "right")
_ROWS = ("upper", "middle", "lower")
_OPPOSITE = {"left": "right", "right": "left"}


def location_of(
    centroid_xy_px: Sequence[float],
    box_xyxy_px: Sequence[float],
    width: int,
    height: int,
    image_left_is: str | None,
    t: Thresholds,
    zone: Zone | None = None,
) -> Location:
    """Location of an object in an image of ``width`` x ``height`` pixels.

    Cells are thirds of the image: "upper left", "upper centre", "upper right", "middle left", "centre",
    "middle right", "lower left", "lower centre", "lower right". Sides are the image's (the viewer's), with a middle band
    of ``side_margin`` to either side; ``patient_side`` follows from ``image_left_is`` and is None when that is None.
    """
    x, y = centroid_xy_px[0] / width, centroid_xy_px[1] / height
    vertical = _ROWS[min(2, int(3 * y))]
    # In pixels and about the middle, so that a mirrored object gets the mirrored side to the last bit.
    from_middle_px = centroid_xy_px[0] - width / 2
    image_side = "central" if abs(from_middle_px) <= t.side_margin * width else "left" if from_middle_px < 0 else "right"
    return Location(
        cell=_cell(vertical, _COLUMNS[min(2, int(3 * x))]),
        vertical=vertical,
        image_side=image_side,
        patient_side=patient_side(image_side, image_left_is),
        touches=_touches(box_xyxy_px, width, height),
        crosses_midline=crosses_midline(box_xyxy_px, width, t) if image_left_is is not None else None,
        zone=zone,
    )


def _cell(vertical: str, column: str) -> str:
    return "centre" if (vertical, column) == ("middle", "centre") else f"{vertical} {column}"


def patient_side(image_side: str, image_left_is: str | None) -> str | None:
    """Side of the patient (left | right | midline) that a side of the image shows; None when it is unknown.

    Raises:
        ValueError: ``image_left_is`` is none of patient_right, patient_left and None.
    """
    if image_left_is not in ("patient_right", "patient_left", None):
        raise ValueError(f"image_left_is must be patient_right, patient_left or null, got {image_left_is!r}")
    if image_left_is is None:
        return None
    if image_side == "central":
        return "midline"
    return image_side if image_left_is == "patient_left" else _OPPOSITE[image_side]


def crosses_midline(box_xyxy_px: Sequence[float], width: int, t: Thresholds) -> bool | None:
    """Whether a box reaches beyond the image's middle line to both sides; None when that is too close to call.

    For images whose halves are the patient's sides: their middle line is the patient's midline.
    """
    reach = min(width / 2 - box_xyxy_px[0], box_xyxy_px[2] - width / 2) / width
    if abs(reach - t.midline) < t.midline_margin:
        return None
    return reach > t.midline


def _touches(box: Sequence[float], width: int, height: int) -> list[str]:
    contact = {"left": box[0] <= 0, "right": box[2] >= width, "top": box[1] <= 0, "bottom": box[3] >= height}
    return [border for border, touched in contact.items() if touched]
