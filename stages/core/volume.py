"""The one door to SimpleITK: volumes in one orientation, with the faults that ITK passes over made visible.

Space: arrays are indexed [z, y, x] in LPS, that is x grows to the patient's left, y to the back (posterior), z to
the head (superior). ``spacing_mm`` has the same order as the array's axes.
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import SimpleITK as sitk

Plane = Literal["axial", "coronal", "sagittal"]
PLANE_AXIS: dict[str, int] = {"axial": 0, "coronal": 1, "sagittal": 2}
# Header and voxel grid of two volumes of one patient agree when they differ by less than this, in mm.
GEOMETRY_TOLERANCE_MM = 1e-2
# NIfTI-1 datatype codes of float and double, and the size that the first field of its header states.
_FLOAT_CODES = (16, 64)
_HEADER_SIZE = 348


class VolumeError(ValueError):
    """A volume that must not be used. ``kind`` is a short code, the message says the cause and the remedy."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Volume:
    """A volume brought to LPS.

    ``array`` is [z, y, x] in the file's own type, ``spacing_mm`` [z, y, x]; ``origin_mm`` is the LPS position of
    voxel (0, 0, 0) and ``direction`` the 3 x 3 matrix whose columns are the directions of x, y and z. ``source_axes``
    is the file's own orientation ("RAS"), None when its header states none.
    """

    array: np.ndarray
    spacing_mm: list[float]
    origin_mm: list[float]
    direction: list[float]
    source_axes: str | None


def read_volume(path: Path | str, max_voxels: int) -> Volume:
    """Read a 3-D volume and bring it to LPS (axes permuted and flipped, never resampled).

    Raises:
        VolumeError: unreadable or truncated file (ITK fills a truncated one with zeros and says nothing), not 3-D,
            more than ``max_voxels`` voxels, spacing that is not positive and finite, NaN or infinite voxels.
    """
    import SimpleITK as sitk

    path = Path(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_header(reader, max_voxels)
        _check_bytes(path, reader)
        image = reader.Execute()
    except RuntimeError as error:
        raise VolumeError(
            "unreadable_image", f"ITK cannot read it ({_last_line(error)}): fetch the file again or mend its header"
        ) from error
    axes = sitk.DICOMOrientImageFilter().GetOrientationFromDirectionCosines(image.GetDirection())
    oriented = sitk.DICOMOrient(image, "LPS")
    array = sitk.GetArrayFromImage(oriented)
    if array.dtype.kind == "f":
        _refuse_not_finite(array)
    return Volume(
        array=array,
        spacing_mm=[float(value) for value in reversed(oriented.GetSpacing())],
        origin_mm=[float(value) for value in oriented.GetOrigin()],
        direction=[float(value) for value in oriented.GetDirection()],
        source_axes=axes if _states_orientation(reader) else None,
    )


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
    picture = np.take(array, index, axis=PLANE_AXIS[plane])
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


def _check_header(reader: sitk.ImageFileReader, max_voxels: int) -> None:
    """Dimensions, size and spacing, before any voxel is read."""
    size, spacing = reader.GetSize(), reader.GetSpacing()
    if len(size) != 3 or reader.GetNumberOfComponents() != 1:
        shape = " x ".join(map(str, size))
        raise VolumeError(
            "not_3d", f"it is {shape} with {reader.GetNumberOfComponents()} values a voxel, expected one 3-D volume: choose one frame first"
        )
    if math.prod(size) > max_voxels:
        raise VolumeError("too_large", f"{math.prod(size)} voxels, more than the {max_voxels} that ingest.max_pixels allows")
    stated = _stated_spacing(reader)
    positive = all(math.isfinite(value) and value > 0 for value in spacing)
    if not positive or not all(np.allclose(spacing, numbers, rtol=1e-2) for numbers in stated.values()):
        others = ", ".join(f"{field} {numbers}" for field, numbers in stated.items())
        raise VolumeError(
            "bad_spacing", f"spacing {list(spacing)} mm ({others}): positive, finite numbers that agree are needed; mend the header"
        )


def _stated_spacing(reader: sitk.ImageFileReader) -> dict[str, list[float]]:
    """Spacing by each field of a NIfTI header that states it; ITK takes pixdim, and 1 mm where that is 0 or NaN."""
    fields = {}
    if all(reader.HasMetaDataKey(f"pixdim[{axis}]") for axis in (1, 2, 3)):
        fields["pixdim"] = [float(reader.GetMetaData(f"pixdim[{axis}]")) for axis in (1, 2, 3)]
    if reader.HasMetaDataKey("sform_code") and int(reader.GetMetaData("sform_code")) > 0:
        rows = [[float(value) for value in reader.GetMetaData(f"srow_{axis}").split()[:3]] for axis in "xyz"]
        fields["sform"] = [float(value) for value in np.linalg.norm(np.array(rows), axis=0)]
    return fields


def _check_bytes(path: Path, reader: sitk.ImageFileReader) -> None:
    """What ITK hides of a NIfTI file: missing bytes, which it fills with zeros, and NaN or infinity, which it makes zero."""
    if not (reader.HasMetaDataKey("vox_offset") and path.name.endswith((".nii", ".nii.gz"))):
        return
    offset, bits, count = int(float(reader.GetMetaData("vox_offset"))), int(reader.GetMetaData("bitpix")), math.prod(reader.GetSize())
    promised = offset + count * bits // 8
    try:
        content = _plain_bytes(path, promised)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError("unreadable_image", f"the compressed file is truncated or damaged ({error}): fetch it again") from error
    if len(content) < promised:
        raise VolumeError("unreadable_image", f"truncated: {len(content)} bytes where the header promises {promised}; fetch it again")
    if int(reader.GetMetaData("datatype")) in _FLOAT_CODES:
        order = "<" if content[:4] == _HEADER_SIZE.to_bytes(4, "little") else ">"
        values = np.frombuffer(content, f"{order}f{bits // 8}", count, offset)
        _refuse_not_finite(values)


def _plain_bytes(path: Path, most: int) -> bytes:
    """The first ``most`` bytes after decompression; the rest is read too, so that gzip checks its sum, and dropped."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
        content = handle.read(most)
        while handle.read(1 << 20):
            pass
    return content


def _refuse_not_finite(values: np.ndarray) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise VolumeError("not_finite", f"{bad} voxels are NaN or infinite: export the volume again, or fill them at the source")


def _states_orientation(reader: sitk.ImageFileReader) -> bool:
    """A NIfTI file with both transform codes 0 says nothing about the patient's sides; ITK then assumes a default."""
    codes = [reader.GetMetaData(key) for key in ("qform_code", "sform_code") if reader.HasMetaDataKey(key)]
    return not codes or any(int(code) > 0 for code in codes)


def _corners(volume: Volume) -> np.ndarray:
    """LPS positions in mm of the first voxel and of the last one along each axis; shape (4, 3)."""
    origin = np.array(volume.origin_mm)
    steps = np.array(volume.direction).reshape(3, 3) * np.array(volume.spacing_mm[::-1])
    ends = (np.array(volume.array.shape[::-1]) - 1) * steps
    return np.vstack([origin, *(origin + ends[:, axis] for axis in range(3))])


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1].rpartition("ERROR: ")[2].split(": ")[-1][:200]


def write_volume(path: Path | str, array: np.ndarray, spacing_mm: tuple[float, float, float], orientation: str) -> None:
    """Write an LPS array [z, y, x] as a compressed volume whose axes are stored in ``orientation`` (for example "RAS").

    ``spacing_mm`` is [z, y, x]. The position of every voxel stays; only the order in the file changes. The same
    array gives the same bytes (NIfTI's compressed stream is written without a time).
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(value) for value in reversed(spacing_mm)])
    stored = sitk.DICOMOrient(image, orientation)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(stored, str(path), useCompression=True)
