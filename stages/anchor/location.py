"""Where a centroid lies, and its places among the objects of its label."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.records import Location, Ranks

# Half the width of the middle band, as a share of the image's width.
CENTRAL_HALF_WIDTH = 0.05
_COLUMNS = ("left", "centre", "right")
_ROWS = ("upper", "middle", "lower")
_OPPOSITE = {"left": "right", "right": "left"}


def location_of(
    centroid_xy_px: Sequence[float], box_xyxy_px: Sequence[float], width: int, height: int, image_left_is: str | None
) -> Location:
    """Location of an object in an image of ``width`` x ``height`` pixels.

    Cells are thirds of the image: "upper left", "upper centre", "upper right", "middle left", "centre",
    "middle right", "lower left", "lower centre", "lower right". Sides are the image's (the viewer's);
    ``patient_side`` follows from ``image_left_is`` and is None when that is None.
    """
    x, y = centroid_xy_px[0] / width, centroid_xy_px[1] / height
    vertical = _ROWS[min(2, int(3 * y))]
    # In pixels and about the middle, so that a mirrored object gets the mirrored side to the last bit.
    from_middle_px = centroid_xy_px[0] - width / 2
    image_side = "central" if abs(from_middle_px) <= CENTRAL_HALF_WIDTH * width else "left" if from_middle_px < 0 else "right"
    return Location(
        cell=_cell(vertical, _COLUMNS[min(2, int(3 * x))]),
        vertical=vertical,
        image_side=image_side,
        patient_side=patient_side(image_side, image_left_is),
        touches=_touches(box_xyxy_px, width, height),
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


def _touches(box: Sequence[float], width: int, height: int) -> list[str]:
    contact = {"left": box[0] <= 0, "right": box[2] >= width, "top": box[1] <= 0, "bottom": box[3] >= height}
    return [border for border, touched in contact.items() if touched]


def ranks_of(labels: Sequence[str], areas_px: Sequence[int], centroids_xy_px: Sequence[Sequence[float]]) -> list[Ranks]:
    """Ranks of every object of an image among the objects of its label; equal values share the better place."""
    ranks = []
    for label, area, (x, y) in zip(labels, areas_px, centroids_xy_px, strict=True):
        same = [index for index, other in enumerate(labels) if other == label]
        ranks.append(
            Ranks(
                n_same_label=len(same),
                size=1 + sum(areas_px[index] > area for index in same),
                x=1 + sum(centroids_xy_px[index][0] < x for index in same),
                y=1 + sum(centroids_xy_px[index][1] < y for index in same),
            )
        )
    return ranks
