"""The one door to SimpleITK: volumes in one orientation, with the faults that ITK passes over made visible.

Space: arrays are indexed [z, y, x] in LPS, that is x grows to the patient's left, y to the back (posterior), z to
the head (superior). ``spacing_mm`` has the same order as the array's axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stages.core.storage import naming_a_full_disk
from stages.core.volume_file import VolumeError, check_content, check_room, file_format, locate_voxels, refuse_not_finite
from stages.core.volume_header import Header, check_header, states_orientation

if TYPE_CHECKING:
    import SimpleITK as sitk

Plane = Literal["axial", "coronal", "sagittal"]
PLANE_AXIS: dict[str, int] = {"axial": 0, "coronal": 1, "sagittal": 2}
# Header and voxel grid of two volumes of one patient agree when they differ by less than this, in mm.
GEOMETRY_TOLERANCE_MM = 1e-2
_DIMENSIONS = 3
# LPS axis (x, y, z) and sign of each letter of an orientation such as "RAS".
_LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}


@dataclass(frozen=True)
class Volume:
    """A volume on its grid.

    ``array`` is [z, y, x] in the file's own type, ``spacing_mm`` [z, y, x]; ``origin_mm`` is the LPS position of
    voxel (0, 0, 0) and ``direction`` the 3 x 3 matrix, row by row, whose columns are the directions of x, y and z.
    ``source_axes`` is the file's own orientation ("RAS"), None when its header states none.
    """

    array: np.ndarray
    spacing_mm: list[float]
    origin_mm: list[float]
    direction: list[float]
    source_axes: str | None

    @property
    def oblique_deg(self) -> float:
        """Largest angle between an axis of the grid and the patient's axis that stands for it."""
        return max(self._tilt_deg(axis) for axis in range(3))

    @property
    def side_tilt_deg(self) -> float:
        """Angle between the x axis of an LPS grid and the direction to the patient's left."""
        return self._tilt_deg(0)

    def _tilt_deg(self, axis: int) -> float:
        return math.degrees(math.acos(min(1.0, abs(self.direction[4 * axis]))))


class _Pixels:
    """The buffer of an ITK image, lent to NumPy; the image lives as long as an array on it."""

    def __init__(self, image: sitk.Image) -> None:
        import SimpleITK as sitk

        self.image = image
        self.__array_interface__: dict[str, Any] = sitk.GetArrayViewFromImage(image).__array_interface__


def read_volume(path: Path | str, max_voxels: int, channel: int | None = None) -> Volume:
    """Read a 3-D volume and bring it to LPS (axes permuted and flipped, never resampled).

    ``channel`` picks a frame of a 4-D volume, or a component of one with several values a voxel.

    Raises:
        VolumeError: see ``read_stored``; also when the file holds a plane picture.
    """
    stored, dimension = _read(Path(path), max_voxels, channel)
    if dimension < _DIMENSIONS:
        raise VolumeError("not_3d", f"it is a picture of {dimension} dimensions, expected a volume")
    return to_lps(stored)


def read_stored(path: Path | str, max_voxels: int, channel: int | None = None) -> Volume:
    """Read a volume with its axes as the file has them; a 2-D file comes as one slice without orientation.

    Raises:
        VolumeError: missing, empty, truncated or damaged file, content of another kind than the name says, a header
            that names a data file elsewhere, more than three dimensions or several values a voxel without ``channel``,
            more than ``max_voxels`` values in all (before any memory is taken), spacing that is not positive and
            finite, NaN or infinite voxels.
    """
    return _read(Path(path), max_voxels, channel)[0]


def _read(path: Path, max_voxels: int, channel: int | None) -> tuple[Volume, int]:
    import SimpleITK as sitk

    io = file_format(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(path))
    try:
        if io != "NiftiImageIO":
            locate_voxels(path, io, 0)
        reader.ReadImageInformation()
        header = _header(reader)
        check_header(header, max_voxels, channel)
        voxels = locate_voxels(path, io, header.nifti_offset)
        check_room(voxels, header.promised_bytes)
        image = reader.Execute()
    except RuntimeError as error:
        kind = "bad_spacing" if "spacing" in str(error).lower() else "unreadable_image"
        raise VolumeError(kind, f"ITK cannot read it ({_last_line(error)}): fetch the file again or mend its header") from error
    array = np.asarray(_Pixels(image))
    check_content(voxels, array, header.promised_bytes, header.float_type(path) if io == "NiftiImageIO" else None)
    if array.dtype.kind == "f":
        refuse_not_finite(array)
    known = states_orientation(header, voxels)
    return _on_grid(image, _one_channel(array, image.GetDimension(), channel), known), image.GetDimension()


def to_lps(volume: Volume) -> Volume:
    """The same voxels with axes permuted and flipped to the nearest patient axes: a view, nothing is copied or resampled."""
    import SimpleITK as sitk

    letters = sitk.DICOMOrientImageFilter().GetOrientationFromDirectionCosines(volume.direction)
    axes = [_LETTERS[letter] for letter in letters]
    order = [next(i for i, (target, _) in enumerate(axes) if target == wanted) for wanted in range(3)]  # file axis of x, y, z
    signs = [axes[i][1] for i in order]
    flips = tuple(slice(None, None, sign) for sign in reversed(signs))
    array = volume.array.transpose([2 - i for i in reversed(order)])[flips]
    direction = np.array(volume.direction).reshape(3, 3)
    steps = direction * np.array(volume.spacing_mm[::-1])
    origin = np.array(volume.origin_mm)
    for i, sign in zip(order, signs, strict=True):
        if sign < 0:
            origin = origin + steps[:, i] * (volume.array.shape[2 - i] - 1)
    return replace(
        volume,
        array=array,
        spacing_mm=[volume.spacing_mm[2 - i] for i in reversed(order)],
        origin_mm=[float(value) for value in origin],
        direction=[float(value) for value in (direction[:, order] * signs).ravel()],
    )


def resample_labels(labels: Volume, grid: Volume) -> Volume:
    """Labels on another volume's grid by nearest neighbour in physical space; 0 where they do not reach."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.array))
    _place(image, labels)
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkNearestNeighbor)
    resample.SetSize([int(side) for side in reversed(grid.array.shape)])
    resample.SetOutputSpacing(grid.spacing_mm[::-1])
    resample.SetOutputOrigin(grid.origin_mm)
    resample.SetOutputDirection(grid.direction)
    return replace(grid, array=sitk.GetArrayFromImage(resample.Execute(image)), source_axes=labels.source_axes)


def same_geometry(a: Volume, b: Volume) -> bool:
    """Whether two volumes have one voxel grid: same shape, and corners at the same places in millimetres."""
    if a.array.shape != b.array.shape:
        return False
    return bool(np.abs(_corners(a) - _corners(b)).max() <= GEOMETRY_TOLERANCE_MM + 1e-3 * min(a.spacing_mm))


def plane_slice(array: np.ndarray, plane: Plane, index: int) -> np.ndarray:
    """Slice of an LPS array [z, y, x] as it is displayed: a 2-D array [row, column].

    Axial: patient's right at the picture's left, front at the top (radiological convention; LPS needs no flip).
    Coronal: patient's right at the left, head at the top. Sagittal: front at the left, head at the top.
    """
    picture = array[(slice(None),) * PLANE_AXIS[plane] + (index,)]  # a view: `take` would copy a flipped volume whole
    return picture if plane == "axial" else picture[::-1]


def plane_spacing(spacing_mm: list[float], plane: Plane) -> list[float]:
    """[row, column] spacing of a slice, from the [z, y, x] spacing of its volume."""
    return [value for axis, value in enumerate(spacing_mm) if axis != PLANE_AXIS[plane]]


def window_to_8bit(array: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map [low, high] linearly to 0..255, clipped and rounded to nearest; uint8 of the same shape.

    Raises:
        ValueError: the window is empty.
    """
    if not high > low:
        raise ValueError(f"an intensity window needs low < high, got [{low}, {high}]")
    scaled = (array.astype(np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _header(reader: sitk.ImageFileReader) -> Header:
    import SimpleITK as sitk

    kind = sitk.GetPixelIDValueAsString(reader.GetPixelIDValue()).replace("-", " ").split()
    return Header(
        size=list(reader.GetSize()),
        components=reader.GetNumberOfComponents(),
        spacing=list(reader.GetSpacing())[:_DIMENSIONS],
        value_bits=next(int(word) for word in kind if word.isdigit()),
        fields={key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()},
    )


def _one_channel(array: np.ndarray, dimension: int, channel: int | None) -> np.ndarray:
    """The [z, y, x] array of one channel: frames stand in front of z, components behind x."""
    if dimension < _DIMENSIONS:
        array = array[None]
        dimension = _DIMENSIONS
    if array.ndim == dimension + 1:
        return array[..., channel or 0]
    return array.reshape(-1, *array.shape[-_DIMENSIONS:])[channel or 0]


def _on_grid(image: sitk.Image, array: np.ndarray, orientation_known: bool) -> Volume:
    import SimpleITK as sitk

    dimension = image.GetDimension()
    known = min(dimension, _DIMENSIONS)
    direction = np.eye(_DIMENSIONS)
    direction[:known, :known] = np.array(image.GetDirection()).reshape(dimension, dimension)[:known, :known]
    cosines = [float(value) for value in direction.ravel()]
    letters = sitk.DICOMOrientImageFilter().GetOrientationFromDirectionCosines(cosines)
    return Volume(
        array=array,
        spacing_mm=[float(value) for value in reversed([*image.GetSpacing(), 1.0][:_DIMENSIONS])],
        origin_mm=[float(value) for value in [*image.GetOrigin(), 0.0][:_DIMENSIONS]],
        direction=cosines,
        source_axes=letters if dimension >= _DIMENSIONS and orientation_known else None,
    )


def _corners(volume: Volume) -> np.ndarray:
    """LPS positions in mm of the first voxel and of the last one along each axis; shape (4, 3)."""
    origin = np.array(volume.origin_mm)
    steps = np.array(volume.direction).reshape(3, 3) * np.array(volume.spacing_mm[::-1])
    ends = (np.array(volume.array.shape[::-1]) - 1) * steps
    return np.vstack([origin, *(origin + ends[:, axis] for axis in range(3))])


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1].rpartition("ERROR: ")[2].split(": ")[-1][:200]


def _place(image: sitk.Image, volume: Volume) -> None:
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction)


def write_volume(path: Path | str, array: np.ndarray, spacing_mm: tuple[float, float, float], orientation: str) -> None:
    """Write an LPS array [z, y, x] as a compressed volume whose axes are stored in ``orientation`` (for example "RAS").

    ``spacing_mm`` is [z, y, x]. The position of every voxel stays; only the order in the file changes. The same
    array gives the same bytes (NIfTI's compressed stream is written without a time).

    Raises:
        OSError: the disk is full. ITK's NIfTI writer then ends a file early without a word, so the file is read back.
        RuntimeError: the file reads back different all the same.
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(value) for value in reversed(spacing_mm)])
    stored = sitk.DICOMOrient(image, orientation)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_a_full_disk([path], RuntimeError):
        sitk.WriteImage(stored, str(path), useCompression=True)
        # An image has to outlive the views of its voxels.
        written = sitk.ReadImage(str(path))
        if not np.array_equal(sitk.GetArrayViewFromImage(written), sitk.GetArrayViewFromImage(stored), equal_nan=True):
            path.unlink()
            raise RuntimeError(f"{path}: what was written reads back different")
