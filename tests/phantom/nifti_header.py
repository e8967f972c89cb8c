"""NIfTI-1 read from its bytes, so that orientation is checked against the format and not against the library that wrote it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def read_ijk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(array indexed [i, j, k], 4 x 4 affine from voxels to millimetres right, front, up) of a .nii.gz file."""
    content = gzip.decompress(path.read_bytes())
    shape = struct.unpack_from("<8h", content, 40)[1:4]
    dtype = {2: np.uint8, 4: np.int16}[struct.unpack_from("<h", content, 70)[0]]
    assert struct.unpack_from("<h", content, 254)[0] > 0, "no sform"
    affine = np.vstack([np.array(struct.unpack_from("<12f", content, 280)).reshape(3, 4), [0, 0, 0, 1]])
    start = int(struct.unpack_from("<f", content, 108)[0])
    return np.frombuffer(content, dtype, int(np.prod(shape)), start).reshape(shape, order="F"), affine


def to_ras(array_ijk: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The array with axes growing to the patient's right, front and head, for an affine that permutes or flips axes."""
    axes = [int(np.abs(affine[world, :3]).argmax()) for world in range(3)]
    turned = array_ijk.transpose(axes)
    flips = tuple(world for world in range(3) if affine[world, axes[world]] < 0)
    return np.flip(turned, flips)
