"""NPZ files: image and mask as named arrays, in one file or in two.

The mask is a label map of whole numbers (sources are its values; ``"*"`` for maps of instances) on the pixels of its image:

    reader: npz_arrays
    files: {image: ["{case}.npz"], mask: [], other: []}        # mask patterns only where masks lie in files of their own
    arrays: {image: img, mask: gt, axes: zyx, spacing: spacing}
    labels: {liver: {sources: [1], semantic: true}}

``axes``: yx (grey), yxc (colours last) or zyx (a volume: z from the feet up, y to the back, x to the patient's left; other
orders are to be brought there first). The file states no orientation, so a volume's sides are what the card's
``image_left_is`` says. ``spacing`` is an array of millimetres in the order of the axes (without c). Arrays of Python objects
are refused: reading them runs code that the file brings along.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.core.params import ParamError
from stages.core.records import ItemError
from stages.core.volume import Volume
from stages.ingest.blocks import Arrays, PictureFiles
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, Found, MaskFile, item_id, make_case, sort_files, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content
from stages.ingest.objects import from_codes
from stages.ingest.picture_masks import distinct
from stages.ingest.pictures import shown_values
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import one_mask, pictured
from stages.ingest.readers.volume_cut import cut
from stages.ingest.slices import plane_of
from stages.ingest.tables import read_image_table
from stages.ingest.volume_labels import CodeVolume, whole_numbers

AXES = ("yx", "yxc", "zyx")
# A volume may hold as many voxels as so many pictures of the largest allowed size hold pixels.
_PICTURES_PER_VOLUME = 10
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpzArrays:
    """Arrays by the names in ``arrays``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Files that hold both, or pairs by the parts of their paths."""
        _spec(card)
        if card.files.mask:
            return tie_by_name(card, root)
        files = sort_files(card, root)
        table = read_image_table(card.image_table, root) if card.image_table else {}
        cases, errors = [], list[ItemError]()
        for path, parts in files.images.items():
            try:
                cases.append(make_case(card, path, parts, [MaskFile(path, UNNAMED_MASK)], table))
            except Fault as fault:
                errors.append(fault.as_error(item_id(card, parts)))
        return Found(cases, errors, files.unmatched, len(cases))

    def read(self, case: Case, source: Source) -> Reading:
        """The arrays as a picture, or as slices of a volume."""
        spec, mask_path = _spec(source.card), one_mask(case).path
        most = source.limits.max_pixels * (_PICTURES_PER_VOLUME if spec.axes == "zyx" else 1)
        image = load_array(source.root, case.image, spec.image, most)
        codes = load_array(source.root, mask_path, spec.mask, most)
        image, codes = _image_of(image, spec.axes, case.image), _codes_of(codes, mask_path)
        size = image.shape[: len(spec.axes.rstrip("c"))]
        if codes.shape != size:
            raise Fault("mask_size", mask_path, f"array {spec.mask} has shape {codes.shape} against {size} of the image ({spec.axes}): mend the file")
        spacing = _spacing(spec, case, source, len(size))
        content = _Content(image, codes, mask_path, spacing)
        return _volume(content, case, source) if spec.axes == "zyx" else _picture(content, case, source)


@dataclass(frozen=True)
class _Content:
    image: np.ndarray
    codes: np.ndarray
    mask_path: str
    spacing_mm: list[float] | None


def _spec(card: Card) -> Arrays:
    if card.arrays is None:
        raise ParamError(f"card {card.name}: the reader npz_arrays needs `arrays`")
    if card.arrays.axes not in AXES:
        raise ParamError(f"card {card.name}: arrays:axes: expected one of {', '.join(AXES)}, got {card.arrays.axes!r}")
    return card.arrays


def load_array(root: Path, path: str, name: str, max_values: int) -> np.ndarray:
    """One array of an NPZ file; type and size are read from its header before its values.

    Raises:
        Fault: missing, damaged, no such array, Python objects, or more than ``max_values`` values.
    """
    read_content(root / path, path)
    try:
        with zipfile.ZipFile(root / path) as archive:
            names = [entry.removesuffix(".npy") for entry in archive.namelist()]
            if name not in names:
                raise Fault("bad_annotations", path, f"no array {name!r} in it; there are {', '.join(names)}: mend `arrays` in the card")
            with archive.open(f"{name}.npy") as member:
                _check_header(member, path, name, max_values)
            with archive.open(f"{name}.npy") as member:
                return np.lib.format.read_array(member, allow_pickle=False)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, KeyError, struct.error, NotImplementedError) as error:
        raise Fault("unreadable_image", path, f"no NPZ file, or a damaged one ({error}): fetch it again") from error


def _check_header(member: object, path: str, name: str, max_values: int) -> None:
    version = np.lib.format.read_magic(member)
    if version not in _HEADERS:
        raise Fault("unreadable_image", path, f"array {name!r} has the header version {version}: save it as plain numbers")
    shape, _, dtype = _HEADERS[version](member)
    if dtype.hasobject:
        cause = f"array {name!r} holds Python objects: reading them runs code from the file, so it is refused; save it as numbers"
        raise Fault("unsafe_content", path, cause)
    if math.prod(shape) > max_values:
        raise Fault("too_large", path, f"array {name!r} has shape {shape}, more than the {max_values} values that ingest.max_pixels allows")
    if dtype.kind not in "buif":
        raise Fault("unreadable_image", path, f"array {name!r} holds {dtype}, numbers are needed: save it as numbers")


def _image_of(image: np.ndarray, axes: str, path: str) -> np.ndarray:
    channels = image.shape[2] if axes == "yxc" and image.ndim == 3 else 0
    if image.ndim != len(axes) or (axes == "yxc" and channels not in (1, 3, 4)) or 0 in image.shape:
        raise Fault("unreadable_image", path, f"its image has shape {image.shape}, the card's axes are {axes}: mend `arrays` in the card")
    image = image.astype(np.uint8) * 255 if image.dtype == bool else image
    if channels:
        return image[..., 0] if channels == 1 else image[..., :3]
    return image


def _codes_of(codes: np.ndarray, path: str) -> np.ndarray:
    if codes.dtype.kind == "f" and not np.isfinite(codes).all():
        raise Fault("bad_mask_values", path, "the mask holds NaN or infinite values: save it as whole numbers")
    return whole_numbers(codes.astype(np.uint8) if codes.dtype == bool else codes, path)


def _spacing(spec: Arrays, case: Case, source: Source, n_axes: int) -> list[float] | None:
    if spec.spacing is None:
        return case.spacing_mm
    values = load_array(source.root, case.image, spec.spacing, n_axes).astype(float).ravel().tolist()
    if len(values) != n_axes or not all(math.isfinite(value) and value > 0 for value in values):
        cause = f"array {spec.spacing!r} says {values}: one positive number of millimetres for each of {n_axes} axes is needed"
        raise Fault("bad_spacing", case.image, f"{cause}; mend it, or take `spacing` out of the card")
    return values


def _picture(content: _Content, case: Case, source: Source) -> Reading:
    card = source.card
    shown = shown_values(content.image, card, case.image, (card.pictures or PictureFiles()).inverted)
    try:
        objects = from_codes(content.codes, {code: str(code) for code in distinct(content.codes)}, card, content.mask_path)
    except Fault as fault:
        if fault.kind != "empty_mask" or card.empty_images == "fault":
            raise
        objects = []
    return Reading([pictured(replace(case, spacing_mm=content.spacing_mm), card, shown, objects, [])], [])


def _volume(content: _Content, case: Case, source: Source) -> Reading:
    if content.image.dtype.kind == "f" and not np.isfinite(content.image).all():
        raise Fault("not_finite", case.image, "the volume holds NaN or infinite values: export it again, or fill them at the source")
    # Without spacing the grid is taken as even; the pictures then carry none.
    volume = Volume(content.image, content.spacing_mm or [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], np.eye(3).ravel().tolist(), None)
    annotation = CodeVolume(content.codes, plane_of(source.card, volume.spacing_mm), source.card, content.mask_path)
    stated = source.card.image_left_is
    pictures = [
        replace(
            picture,
            spacing_mm=picture.spacing_mm if content.spacing_mm else None,
            image_left_is=stated,
            flags=[flag for flag in picture.flags if stated is None or flag != "orientation_unknown"],
        )
        for picture in cut(volume, annotation, source, case.image, None)
    ]
    return Reading(pictures, [])
