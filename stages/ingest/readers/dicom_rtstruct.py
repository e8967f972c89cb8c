"""DICOM RT Structure Sets (PS3.3 C.8.8.6): closed planar contours -> regions on the slices of the image series.

Pixel centres have whole-number indices; contours are filled by the even-odd rule of ``polygons``: one inside another is a
hole, and a keyhole contour works by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stages.ingest.faults import Fault
from stages.ingest.polygons import PolygonError, fill_rings
from stages.ingest.readers.dicom_files import needed
from stages.ingest.readers.dicom_grid import Grid
from stages.ingest.readers.dicom_regions import Region, code_names

if TYPE_CHECKING:
    from pydicom import Dataset

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
# A contour belongs to the nearest slice, if that is nearer than half the slice distance (and some rounding).
_NEAR = 0.5 + 1e-3
# The points of one contour lie in one slice within this share of the slice distance.
_FLAT = 0.1


def fill_contours(contours: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Boolean mask (rows, columns) of the pixels whose centres lie inside an odd number of closed contours.

    ``contours`` are arrays (points, 2) of (row, column) in index units: (0, 0) is the centre of the first pixel. Contours
    that hold no pixel centre, or lie beside the image, leave the mask empty: another slice may hold the structure. Number
    and finiteness of the points are checked where they are read.
    """
    mask = np.zeros(size, bool)
    with contextlib.suppress(PolygonError):
        filled = fill_rings([contour[:, ::-1] for contour in contours], size, pixel_centre=0.0)
        (top, left), (height, width) = filled.corner, filled.mask.shape
        mask[top : top + height, left : left + width] = filled.mask
    return mask


def read_structures(dataset: Dataset, grid: Grid, frame_of_reference: str | None, file: str) -> tuple[list[Region], list[str]]:
    """Structures of an RTSTRUCT with their masks by slice, and flags for contours that are no areas.

    Raises:
        Fault: another frame of reference than the image, a contour that lies on no slice or across slices, or damage.
    """
    regions = _declared(dataset, frame_of_reference, file)
    flags: set[str] = set()
    for item in dataset.get("ROIContourSequence") or []:
        number = int(needed(item, "ReferencedROINumber", file))
        if number not in regions:
            raise Fault("bad_mask_values", file, f"contours belong to structure {number}, which the header does not describe: export it again")
        by_slice: dict[int, list[np.ndarray]] = {}
        for contour in item.get("ContourSequence") or []:
            if str(contour.get("ContourGeometricType", "")) not in _CLOSED:
                flags.add("open_contours_left_out")
                continue
            index, points = _on_slice(contour, grid, number, file)
            by_slice.setdefault(index, []).append(points)
        for index, contours in by_slice.items():
            regions[number].add(index, fill_contours(contours, grid.shape[1:]))
    return list(regions.values()), sorted(flags)


def _declared(dataset: Dataset, frame_of_reference: str | None, file: str) -> dict[int, Region]:
    regions = {}
    for item in needed(dataset, "StructureSetROISequence", file):
        number = int(needed(item, "ROINumber", file))
        drawn_in = str(item.get("ReferencedFrameOfReferenceUID") or "")
        if frame_of_reference and drawn_in and drawn_in != frame_of_reference:
            cause = f"structure {number} was drawn in another frame of reference than the image's: fetch the series that it was drawn on"
            raise Fault("geometry_mismatch", file, cause)
        regions[number] = Region([name for name in (str(item.get("ROIName", "")).strip(), str(number)) if name], number)
    for observation in dataset.get("RTROIObservationsSequence") or []:
        region = regions.get(int(observation.get("ReferencedROINumber") or -1))
        for code in observation.get("RTROIIdentificationCodeSequence") or []:
            if region is not None and code.get("CodeValue"):
                region.names[-1:-1] = code_names(str(code.get("CodingSchemeDesignator", "")), str(code.CodeValue))
    return regions


def _on_slice(contour: Dataset, grid: Grid, number: int, file: str) -> tuple[int, np.ndarray]:
    """Slice of a contour, and its points as (row, column) in index units."""
    values = np.array(needed(contour, "ContourData", file), float)
    if values.size % 3 or values.size < 9 or not np.isfinite(values).all():
        raise Fault("bad_mask_values", file, f"a contour of structure {number} has {values.size} numbers, expected three or more points of three: mend it")
    points = values.reshape(-1, 3)
    heights = points @ grid.normal
    middle, step = float(np.median(heights)), grid.spacing_mm[0]
    index = int(np.argmin(np.abs(grid.heights_mm - middle)))
    away = abs(float(grid.heights_mm[index]) - middle)
    if np.ptp(heights) > _FLAT * step or away > _NEAR * step:
        cause = f"a contour of structure {number} lies {away:.2f} mm from the nearest slice, or across slices: fetch the series that it was drawn on"
        raise Fault("geometry_mismatch", file, cause)
    shifted = points - np.array(grid.slices[index].position)
    return index, np.stack([shifted @ grid.down / grid.spacing_mm[1], shifted @ grid.right / grid.spacing_mm[2]], axis=1)
