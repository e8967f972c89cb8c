"""Where the slices of a DICOM series lie: from the headers of its frames to one regular grid, or a fault that says why not.

Space: DICOM's patient system is LPS in millimetres (PS3.3 C.7.6.2.1.1). ``ImagePositionPatient`` is the centre of the
first pixel; the first three numbers of ``ImageOrientationPatient`` are the direction in which the column index grows,
the last three that of the row index. Slices are ordered by where they lie on the normal, never by their numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stages.ingest.faults import Fault
from stages.ingest.readers.dicom_files import functional_group, needed

if TYPE_CHECKING:
    from pydicom import Dataset

# Slices whose distances differ by more than this share of the usual one are no regular grid; below the lower one nobody sees it.
MOST_UNEVEN, EVEN = 0.1, 0.01
# Positions closer than this, in mm, are one position.
SAME_PLACE_MM = 1e-3
# Direction cosines of one series differ by rounding only.
SAME_DIRECTION = 1e-3
# Sideways drift of the slices over the whole stack, in pixels, from which on the grid is sheared (a tilted gantry).
MOST_DRIFT_PX = 0.5


@dataclass(frozen=True)
class Slice:
    """One frame: its file's name, its number in the file (from 0), where it lies and what it is called.

    ``spacing_mm`` is [row, column]; ``thickness_mm`` None where the header states none.
    """

    file: str
    frame: int
    sop_uid: str
    number: int
    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    thickness_mm: float | None
    size: tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """A regular grid of slices, in the order of the normal.

    ``right`` and ``down`` are unit vectors along growing column and row index, ``normal`` their cross product;
    ``spacing_mm`` is [slice, row, column]. ``tilted``: the slices drift sideways, so only their own plane is undistorted.
    """

    slices: list[Slice]
    right: np.ndarray
    down: np.ndarray
    normal: np.ndarray
    spacing_mm: list[float]
    tilted: bool
    flags: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return (len(self.slices), *self.slices[0].size)

    @property
    def direction(self) -> list[float]:
        """3 x 3 matrix, row by row, whose columns are the directions of x (columns), y (rows) and z (slices)."""
        return [float(value) for value in np.stack([self.right, self.down, self.normal], axis=1).ravel()]

    @property
    def plane(self) -> str:
        """The plane that the slices lie in, by the axis nearest to their normal."""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(self.normal)))]

    @property
    def heights_mm(self) -> np.ndarray:
        """Place of every slice on the normal."""
        return np.array([item.position for item in self.slices]) @ self.normal


def slices_of(dataset: Dataset, file: str) -> list[Slice]:
    """The frames of an image with a place in the patient, single or multi-frame.

    Raises:
        Fault: a position, orientation or spacing is missing, or is no positive finite number.
    """
    count = int(dataset.get("NumberOfFrames") or 1)
    size = (int(needed(dataset, "Rows", file)), int(needed(dataset, "Columns", file)))
    return [_slice(dataset, frame, file, size) for frame in range(count)]


def _slice(dataset: Dataset, frame: int, file: str, size: tuple[int, int]) -> Slice:
    place = functional_group(dataset, frame, "PlanePositionSequence") or dataset
    turn = functional_group(dataset, frame, "PlaneOrientationSequence") or dataset
    measures = functional_group(dataset, frame, "PixelMeasuresSequence") or dataset
    position = _numbers(needed(place, "ImagePositionPatient", file), 3, "ImagePositionPatient", file)
    orientation = _numbers(needed(turn, "ImageOrientationPatient", file), 6, "ImageOrientationPatient", file)
    spacing = _numbers(needed(measures, "PixelSpacing", file), 2, "PixelSpacing", file)
    if min(spacing) <= 0:
        raise Fault("bad_spacing", file, f"PixelSpacing {list(spacing)} is not positive: mend the header")
    right, down = np.array(orientation[:3]), np.array(orientation[3:])
    if not np.allclose([right @ right, down @ down, right @ down], [1, 1, 0], atol=1e-2):
        raise Fault("geometry_mismatch", file, "the directions of ImageOrientationPatient are not unit vectors at a right angle: mend the header")
    thickness = measures.get("SliceThickness")
    return Slice(
        file=file,
        frame=frame,
        sop_uid=str(dataset.get("SOPInstanceUID", "")),
        number=int(dataset.get("InstanceNumber") or 0),
        position=position,  # type: ignore[arg-type]
        orientation=orientation,
        spacing_mm=(spacing[0], spacing[1]),
        thickness_mm=float(thickness) if thickness else None,
        size=size,
    )


def _numbers(value: Sequence[float], count: int, name: str, file: str) -> tuple[float, ...]:
    numbers = tuple(float(item) for item in value)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise Fault("geometry_mismatch", file, f"{name} needs {count} finite numbers: mend the header")
    return numbers


def build_grid(slices: list[Slice], channel: int | None) -> Grid:
    """One regular grid of the frames of a series; ``channel`` picks one of several frames at each place (from 0).

    Raises:
        Fault: frames of several sizes, spacings or directions; several frames at one place; slices that are missing or
            unevenly spaced.
    """
    _refuse_mixture(slices)
    first = slices[0]
    right, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.cross(right, down)
    kept = _one_per_place(slices, normal, channel)
    step, flags = _step(kept, normal)
    positions = np.array([item.position for item in kept])
    sideways = positions - positions[0] - np.outer((positions - positions[0]) @ normal, normal)
    drift_px = np.abs(sideways @ np.stack([right / first.spacing_mm[1], down / first.spacing_mm[0]], axis=1)).max()
    tilted = bool(drift_px > MOST_DRIFT_PX)
    flags += ["gantry_tilt"] if tilted else []
    return Grid(kept, right, down, normal, [step, *first.spacing_mm], tilted, flags)


def _refuse_mixture(slices: list[Slice]) -> None:
    first = slices[0]
    for item in slices:
        same = item.size == first.size and np.allclose(item.spacing_mm, first.spacing_mm, rtol=1e-3)
        if not same or not np.allclose(item.orientation, first.orientation, atol=SAME_DIRECTION):
            cause = f"its size, spacing or direction differs from that of {first.file} in the same series (a localiser?): take one of them out"
            raise Fault("mixed_series", item.file, cause)


def _one_per_place(slices: list[Slice], normal: np.ndarray, channel: int | None) -> list[Slice]:
    """Slices in the order of the normal, one at each place."""
    places: list[list[Slice]] = []
    before = -np.inf
    for item in sorted(slices, key=lambda item: (float(np.array(item.position) @ normal), item.number, item.frame, item.file)):
        height = float(np.array(item.position) @ normal)
        if height - before > SAME_PLACE_MM:
            places.append([])
            before = height
        places[-1].append(item)
    counts = Counter(len(place) for place in places)
    if set(counts) == {1}:
        return [place[0] for place in places]
    shown = ", ".join(f"{number} frames at {places_there} places" for number, places_there in sorted(counts.items()))
    if channel is None or len(counts) > 1 or channel >= len(places[0]):
        cause = f"{shown}, expected one at each: several phases or echoes, or copies; split the series, or choose one by the card's `channel`"
        raise Fault("not_3d", slices[0].file, cause)
    return [sorted(place, key=lambda item: (item.number, item.frame, item.file))[channel] for place in places]


def _step(slices: list[Slice], normal: np.ndarray) -> tuple[float, list[str]]:
    """Distance of neighbouring slices in mm, and a flag where it varies a little."""
    if len(slices) == 1:
        # A single slice has no neighbour; its thickness stands in, and 1 mm where that is missing too: no picture is cut across it.
        return slices[0].thickness_mm or 1.0, []
    gaps = np.diff(np.array([item.position for item in slices]) @ normal)
    usual = float(np.median(gaps))
    uneven = float(np.abs(gaps - usual).max()) / usual
    if uneven > MOST_UNEVEN:
        worst = int(np.argmax(np.abs(gaps - usual)))
        ratio = gaps[worst] / usual
        whole = ratio > 1.5 and abs(ratio - round(ratio)) < MOST_UNEVEN
        kind = "missing_slices" if whole else "uneven_slices"
        what = f"{round(ratio) - 1} slices are missing" if whole else "the slices are not evenly spaced"
        cause = f"{what}: {gaps[worst]:.3f} mm between neighbours here, {usual:.3f} mm elsewhere; fetch the series again, or take it out"
        raise Fault(kind, slices[worst + 1].file, cause)
    return usual, ["uneven_spacing"] if uneven > EVEN else []
