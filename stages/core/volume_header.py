"""What a volume's header says, and whether it may be believed, before any voxel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.volume_file import VolumeError, Voxels, nifti_is_little_endian

# NIfTI-1 datatype codes of float and double.
_NIFTI_FLOATS = {16: "f4", 64: "f8"}
_DIMENSIONS = 3
# Which dimension of a NIfTI header holds the values of a vector, and the fewest that it then states.
_VECTOR_AXIS = 5
_SPACING_AGREES = 1e-2


@dataclass(frozen=True)
class Header:
    """A header as ITK reads it: ``size`` along x, y, z (and frames), values a voxel, ``spacing`` in mm along x, y, z.

    ``value_bits`` are those of one value once read; ``fields`` the format's own fields as text.
    """

    size: list[int]
    components: int
    spacing: list[float]
    value_bits: int
    fields: dict[str, str]

    @property
    def n_values(self) -> int:
        """Values of all voxels, frames and components."""
        return math.prod(self.size) * self.components

    @property
    def nifti_offset(self) -> int:
        """Bytes before the voxels of a NIfTI file; 0 for other formats."""
        return int(float(self.fields.get("vox_offset", "0")))

    @property
    def promised_bytes(self) -> int:
        """Bytes of all voxels in the file's own type, before any scaling. A colour's values are in NIfTI's ``bitpix``, a vector's are not."""
        if "bitpix" not in self.fields:
            return self.n_values * self.value_bits // 8
        vector = self.components > 1 and int(self.fields["dim[0]"]) >= _VECTOR_AXIS
        length = int(self.fields[f"dim[{_VECTOR_AXIS}]"]) if vector else 1
        return math.prod(self.size) * length * int(self.fields["bitpix"]) // 8

    def float_type(self, path: Path) -> str | None:
        """NumPy type of a NIfTI file's floats, byte order included; None for whole numbers."""
        name = _NIFTI_FLOATS.get(int(self.fields.get("datatype", "0")))
        return None if name is None else ("<" if nifti_is_little_endian(path) else ">") + name


def check_header(header: Header, max_voxels: int, channel: int | None) -> None:
    """Dimensions, channels, size and spacing.

    Raises:
        VolumeError: not one 3-D volume (``channel`` picks a frame or component), too large, or spacing that is not
            positive and finite, or that two fields state differently.
    """
    _check_channel(header, channel)
    if header.n_values > max_voxels:
        raise VolumeError("too_large", f"{header.n_values} voxels, more than the {max_voxels} that ingest.max_pixels allows")
    stated = _stated_spacing(header)
    positive = all(math.isfinite(value) and value > 0 for value in header.spacing)
    if not positive or not all(np.allclose(header.spacing, numbers, rtol=_SPACING_AGREES) for numbers in stated.values()):
        others = ", ".join(f"{field} {numbers}" for field, numbers in stated.items())
        raise VolumeError("bad_spacing", f"spacing {header.spacing} mm ({others}): positive, finite numbers that agree are needed; mend the header")


def _check_channel(header: Header, channel: int | None) -> None:
    channels = math.prod(header.size[_DIMENSIONS:]) * header.components
    shape = " x ".join(map(str, header.size)) + (f" with {header.components} values a voxel" if header.components > 1 else "")
    if channel is None and channels != 1:
        cause = f"it is {shape}, expected one 3-D volume: say in the card which frame or component is meant (channel: 0 to {channels - 1})"
        raise VolumeError("not_3d", cause)
    both = header.components > 1 and len(header.size) > _DIMENSIONS
    if channel is not None and (not 0 <= channel < channels or both):
        raise VolumeError("not_3d", f"it is {shape} and has no channel {channel}: there are {channels}, counted from 0; mend the card")


def _stated_spacing(header: Header) -> dict[str, list[float]]:
    """Spacing by each field of a NIfTI header that states it; ITK takes pixdim, and 1 mm where that is 0 or NaN."""
    fields, axes = {}, len(header.spacing)
    if "pixdim[1]" in header.fields:
        fields["pixdim"] = [float(header.fields[f"pixdim[{axis}]"]) for axis in range(1, axes + 1)]
    if int(header.fields.get("sform_code", "0")) > 0:
        rows = [[float(value) for value in header.fields[f"srow_{axis}"].split()[:axes]] for axis in "xyz"]
        fields["sform"] = [float(value) for value in np.linalg.norm(np.array(rows), axis=0)]
    return fields


def states_orientation(header: Header, voxels: Voxels) -> bool:
    """Whether the header says where the patient's sides are; ITK assumes a default where it does not."""
    codes = [header.fields[key] for key in ("qform_code", "sform_code") if key in header.fields]
    if codes:
        return any(int(code) > 0 for code in codes)
    return any(key in voxels.stated for key in ("space", "transformmatrix", "orientation", "rotation"))
