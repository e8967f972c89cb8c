"""Miniature volumes: one block per structure, in a plane where every slice shows all of them, each on its side of the patient.

What is planted is told by the documentation of the set (value or file -> its own name of the structure), not by the card,
so that a card that swaps two values or two sides fails its test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.knowledge.labels import Label, canonical
from tests.nifti import reoriented, write_nifti

# Voxel size along the patient's left-right, front-back and foot-head axis, all different; in mm.
SPACING_XYZ_MM = (1.25, 1.5, 3.0)
_BLOCK, _STEP, _DEPTH = 5, 6, 7
# Axes of the files as they are stored: order of the LPS axes x, y, z, and which are flipped.
Axes = tuple[tuple[int, int, int], tuple[bool, bool, bool]]
LPS: Axes = ((0, 1, 2), (False, False, False))
RAS: Axes = ((0, 1, 2), (True, True, False))
LAS: Axes = ((0, 1, 2), (False, True, False))
SLICES_FIRST: Axes = ((2, 1, 0), (True, False, False))
PIR: Axes = ((1, 2, 0), (False, True, True))


@dataclass(frozen=True)
class Planted:
    """A label volume [z, y, x] in LPS, and where each structure's centre lies in the displayed slices: (x, y) as shares of the picture."""

    codes: np.ndarray
    centre: dict[str, tuple[float, float]]
    spacing_mm: tuple[float, float]


def plant(names: dict[int, str], plane: str = "axial") -> Planted:
    """Blocks of all structures, ``names`` being value -> the source's own name. Left ones lie on the patient's left."""
    halves: dict[str, list[int]] = {"right": [], "left": []}
    entries = {code: canonical(name) for code, name in names.items()}
    for code, entry in entries.items():
        halves[_side(entry) or min(halves, key=lambda side: len(halves[side]))].append(code)
    rows = max(2, math.ceil(math.sqrt(max(map(len, halves.values())))))
    columns = max(2, math.ceil(max(map(len, halves.values())) / rows))
    picture = np.zeros((rows * _STEP + 2, 2 * columns * _STEP + 2), np.uint16)
    for number, side in enumerate(halves):
        for place, code in enumerate(halves[side]):
            row, column = 1 + _STEP * (place // columns), 1 + _STEP * (place % columns + number * columns)
            picture[row : row + _BLOCK, column : column + _BLOCK] = code
    centre = {entry.name: _centre(picture == code) for code, entry in entries.items()}
    dx, dy, dz = SPACING_XYZ_MM
    if plane == "axial":  # the patient's right is at the picture's left
        return Planted(np.repeat(picture[None], _DEPTH, axis=0), centre, (dy, dx))
    # sagittal: the head is at the top, the front at the left
    return Planted(np.repeat(picture[::-1, :, None], _DEPTH, axis=2), centre, (dz, dy))


def _side(entry: Label) -> str | None:
    stated = entry.side or entry.expect
    return stated if stated in ("left", "right") else None


def _centre(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float((columns.mean() + 0.5) / mask.shape[1]), float((rows.mean() + 0.5) / mask.shape[0])


def grey_values(codes: np.ndarray, low: int, high: int, seed: int = 0) -> np.ndarray:
    """int16 image of a label volume: a ramp over the picture and a grey level for each structure, between ``low`` and ``high``."""
    rank = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
    ramp = np.arange(codes.shape[2]) / codes.shape[2] + np.arange(codes.shape[1])[:, None] / codes.shape[1]
    share = 0.2 * ramp[None] + 0.5 * rank / max(1, rank.max()) + 0.02 * seed
    return (low + (high - low) * np.clip(share, 0, 1)).astype(np.int16)


def affine_of(spacing_xyz_mm: tuple[float, float, float] = SPACING_XYZ_MM) -> np.ndarray:
    """Voxel-to-RAS+ affine of an array indexed [x, y, z] in LPS."""
    return np.diag([-spacing_xyz_mm[0], -spacing_xyz_mm[1], spacing_xyz_mm[2], 1.0])


def save_volume(path: Path, zyx: np.ndarray, axes: Axes = RAS) -> None:
    """An LPS volume [z, y, x] (or several of them, [t, z, y, x]) as NIfTI or MetaImage, by the path's ending; NIfTI with the given axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".mha", ".mhd"):
        _save_meta_image(path, zyx)
        return
    frames = [reoriented(frame.transpose(2, 1, 0), affine_of(), *axes) for frame in (zyx if zyx.ndim == 4 else zyx[None])]
    array = np.stack([frame for frame, _ in frames], axis=3) if zyx.ndim == 4 else frames[0][0]
    write_nifti(path, array, frames[0][1])


def _save_meta_image(path: Path, zyx: np.ndarray) -> None:
    local = path.suffix == ".mha"
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": " ".join(map(str, SPACING_XYZ_MM)),
        "DimSize": " ".join(map(str, zyx.shape[::-1])),
        "ElementType": {"int16": "MET_SHORT", "uint8": "MET_UCHAR"}[str(zyx.dtype)],
        "ElementDataFile": "LOCAL" if local else path.with_suffix(".raw").name,
    }
    text = "".join(f"{key} = {value}\n" for key, value in header.items()).encode()
    data = np.ascontiguousarray(zyx).tobytes()
    path.write_bytes(text + data if local else text)
    if not local:
        path.with_suffix(".raw").write_bytes(data)
