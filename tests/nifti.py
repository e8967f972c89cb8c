"""NIfTI-1 files written byte by byte, so that orientation is tested against the format and not against ITK."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

_CODES = {np.dtype(np.uint8): 2, np.dtype(np.int16): 4, np.dtype(np.float32): 16}


def nifti_bytes(array_ijk: np.ndarray, affine: np.ndarray, form_code: int = 1, pixdim: tuple[float, ...] | None = None) -> bytes:
    """A single-file NIfTI-1 of an array indexed [i, j, k(, t)] with a 4 x 4 voxel-to-RAS+ affine in mm (as sform)."""
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    shape = list(array_ijk.shape) + [1] * (7 - array_ijk.ndim)
    struct.pack_into("<8h", header, 40, array_ijk.ndim, *shape)
    struct.pack_into("<2h", header, 70, _CODES[array_ijk.dtype], array_ijk.dtype.itemsize * 8)
    sizes = pixdim or tuple(np.linalg.norm(affine[:3, :3], axis=0))
    struct.pack_into("<8f", header, 76, 1.0, *sizes, 1.0, 0.0, 0.0, 0.0)
    struct.pack_into("<f", header, 108, 352.0)
    struct.pack_into("<2f", header, 112, 1.0, 0.0)
    struct.pack_into("<B", header, 123, 2)
    struct.pack_into("<2h", header, 252, 0, form_code)
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *affine[row])
    header[344:348] = b"n+1\0"
    return bytes(header) + b"\0" * 4 + array_ijk.tobytes(order="F")


def write_nifti(path: Path, array_ijk: np.ndarray, affine: np.ndarray, **more: object) -> Path:
    """Write a .nii or .nii.gz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = nifti_bytes(array_ijk, affine, **more)  # type: ignore[arg-type]
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)
    return path


def reoriented(array_ijk: np.ndarray, affine: np.ndarray, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> tuple[np.ndarray, np.ndarray]:
    """The same patient stored with other axes: array axes permuted by ``order``, then flipped, the affine with them."""
    moved = np.transpose(array_ijk, order)
    changed = affine.copy()
    changed[:3, :3] = affine[:3, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            moved = np.flip(moved, axis)
            changed[:3, 3] += changed[:3, axis] * (moved.shape[axis] - 1)
            changed[:3, axis] *= -1
    return np.ascontiguousarray(moved), changed
