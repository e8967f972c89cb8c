"""DICOM Segmentation objects (PS3.3 C.8.20) -> regions on the slices of the image series.

Frames may be sparse, in any order, and overlap: each one is taken to its slice by its own position, or by the image
instance that it names where it has no position. A frame must lie on the image's pixel grid; nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stages.ingest.faults import Fault
from stages.ingest.readers.dicom_files import functional_group, needed
from stages.ingest.readers.dicom_grid import SAME_DIRECTION, Grid
from stages.ingest.readers.dicom_pixels import decoded
from stages.ingest.readers.dicom_regions import Region, code_names

if TYPE_CHECKING:
    from pydicom import Dataset

# A frame lies on a slice when it is nearer than this share of the slice distance, and on its pixels within this share of one.
ON_SLICE = ON_PIXEL = 0.1
# Fractional segmentations: a pixel belongs to the segment from one half on.
HALF = 0.5


def read_segments(dataset: Dataset, grid: Grid | None, instances: Sequence[str], size: tuple[int, int], file: str, max_values: int) -> list[Region]:
    """Segments of a SEG, each with its masks by slice.

    Args:
        grid: the image's grid; None for a single picture without a place in the patient.
        instances: SOPInstanceUID of every slice, in the grid's order.
        size: (rows, columns) of the image.

    Raises:
        Fault: another size or grid than the image, a frame without slice, or pixels that cannot be decoded.
    """
    regions = {region.number: region for region in _declared(dataset, file)}
    frames, _ = decoded(dataset, file, max_values)
    if frames.shape[1:3] != size:
        cause = f"its frames are {frames.shape[1:3]} against the image's {size} (rows, columns): export it on the image's grid"
        raise Fault("mask_size", file, cause)
    kind = str(needed(dataset, "SegmentationType", file))
    threshold = HALF * float(needed(dataset, "MaximumFractionalValue", file)) if kind == "FRACTIONAL" else None
    for frame, values in enumerate(frames):
        if not values.any():
            continue
        index = _slice_of(dataset, frame, grid, instances, file)
        if kind == "LABELMAP":
            for number in np.unique(values[values > 0]):
                _region(regions, int(number), file).add(index, values == number)
        else:
            number = _segment_number(dataset, frame, file)
            _region(regions, number, file).add(index, values > 0 if threshold is None else values >= threshold)
    return list(regions.values())


def _declared(dataset: Dataset, file: str) -> list[Region]:
    """The segments that the header describes; number 0 is the background of label maps."""
    regions = []
    for segment in needed(dataset, "SegmentSequence", file):
        number = int(needed(segment, "SegmentNumber", file))
        if number == 0:
            continue
        names = [str(segment.get("SegmentLabel", "")).strip()]
        for code in segment.get("SegmentedPropertyTypeCodeSequence") or []:
            value = code.get("CodeValue") or code.get("LongCodeValue")
            names += code_names(str(code.get("CodingSchemeDesignator", "")), str(value)) if value else []
        regions.append(Region([name for name in [*names, str(number)] if name], number))
    return regions


def _region(regions: dict[int, Region], number: int, file: str) -> Region:
    if number not in regions:
        raise Fault("bad_mask_values", file, f"a frame belongs to segment {number}, which the header does not describe: export it again")
    return regions[number]


def _segment_number(dataset: Dataset, frame: int, file: str) -> int:
    group = functional_group(dataset, frame, "SegmentIdentificationSequence")
    if group is None:
        raise Fault("bad_mask_values", file, f"frame {frame + 1} does not say which segment it shows: export it again")
    return int(needed(group, "ReferencedSegmentNumber", file))


def _slice_of(dataset: Dataset, frame: int, grid: Grid | None, instances: Sequence[str], file: str) -> int:
    """Number of the slice that a frame belongs to."""
    place = functional_group(dataset, frame, "PlanePositionSequence")
    if place is not None and grid is not None:
        return _by_position(dataset, frame, np.array(place.ImagePositionPatient, float), grid, file)
    named = _source_instance(dataset, frame)
    if named in instances:
        return list(instances).index(named)
    if len(instances) == 1 and named is None:
        return 0
    cause = f"frame {frame + 1} has neither a position on the image's grid nor the UID of one of its instances: fetch the series that it was drawn on"
    raise Fault("geometry_mismatch", file, cause)


def _source_instance(dataset: Dataset, frame: int) -> str | None:
    derivation = functional_group(dataset, frame, "DerivationImageSequence")
    sources = derivation.get("SourceImageSequence") if derivation is not None else None
    if not sources or len({str(item.get("ReferencedSOPInstanceUID")) for item in sources}) != 1:
        return None
    return str(sources[0].ReferencedSOPInstanceUID)


def _by_position(dataset: Dataset, frame: int, position: np.ndarray, grid: Grid, file: str) -> int:
    turn = functional_group(dataset, frame, "PlaneOrientationSequence")
    orientation = np.concatenate([grid.right, grid.down])
    if turn is not None and not np.allclose(np.array(turn.ImageOrientationPatient, float), orientation, atol=SAME_DIRECTION):
        raise Fault("geometry_mismatch", file, f"frame {frame + 1} lies in another direction than the image: export it on the image's grid")
    away = np.abs(grid.heights_mm - position @ grid.normal)
    index = int(np.argmin(away))
    shift = position - np.array(grid.slices[index].position)
    aside = [abs(float(shift @ axis)) / step for axis, step in ((grid.down, grid.spacing_mm[1]), (grid.right, grid.spacing_mm[2]))]
    if away[index] > ON_SLICE * grid.spacing_mm[0] or max(aside) > ON_PIXEL:
        cause = (
            f"frame {frame + 1} lies {away[index]:.2f} mm from the nearest slice and {max(aside):.2f} pixels beside its grid: "
            "export it on the image's grid, or fetch the whole series"
        )
        raise Fault("geometry_mismatch", file, cause)
    return index
