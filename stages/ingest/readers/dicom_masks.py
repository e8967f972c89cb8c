"""Masks of a DICOM case, from whichever format they come in: SEG, RTSTRUCT, or label maps beside the series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.core.volume import PLANE_AXIS, Volume, VolumeError, read_volume, resample_labels, same_geometry, to_lps
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, MaskFile
from stages.ingest.faults import Fault
from stages.ingest.objects import ANY_SOURCE, BACKGROUND, ObjectMask, labels_of, unite_semantic
from stages.ingest.picture_masks import read_label_map, read_mask
from stages.ingest.readers.base import Source
from stages.ingest.readers.dicom_files import open_dataset, parsing
from stages.ingest.readers.dicom_find import PICTURE_ENDINGS, VOLUME_ENDINGS
from stages.ingest.readers.dicom_grid import Grid
from stages.ingest.readers.dicom_identity import identifying_attributes
from stages.ingest.readers.dicom_pixels import PICTURES_PER_VOLUME
from stages.ingest.readers.dicom_regions import Region, source_of
from stages.ingest.readers.dicom_rtstruct import read_structures
from stages.ingest.readers.dicom_seg import read_segments
from stages.ingest.volume_labels import MaskVolumes, count_codes, whole_numbers

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class Target:
    """What masks are laid on: grid (None for a single picture), its volume in LPS, instances in order, (rows, columns)."""

    grid: Grid | None
    volume: Volume | None
    instances: Sequence[str]
    size: tuple[int, int]
    frame_of_reference: str | None


class Marked:
    """What the masks of a case say: objects, labels that they speak of, flags, identifying attributes that were met.

    In a volume the objects are kept in ``volumes``, packed; those of a single picture in ``pictured``.
    """

    def __init__(self, card: Card, volumes: MaskVolumes | None) -> None:
        self.card, self.volumes = card, volumes
        self.pictured: list[ObjectMask] = []
        self.declared: set[str] = set()
        self.flags: list[str] = []
        self.dropped: list[str] = []

    def take(self, name: str, mask: np.ndarray | None, file: str) -> None:
        """A source name of the card with its mask: (z, y, x) in LPS, or (rows, columns); None when it is declared and empty.

        Raises:
            Fault: the card does not know the name.
        """
        labels = labels_of(name, self.card, file)
        self.declared.update(labels)
        if mask is None:
            return
        if self.volumes is not None:
            self.volumes.add(name, mask, file)
        else:
            self.pictured += [ObjectMask(label, name, self.card.labels[label].semantic, mask) for label in labels]

    @property
    def objects(self) -> list[ObjectMask]:
        """Objects of a single picture."""
        return unite_semantic(self.pictured)


def read_masks(case: Case, source: Source, target: Target, plane: str | None) -> Marked:
    """All masks of a case, on its volume that will be cut in ``plane``, or on its single picture (None).

    Raises:
        Fault: a mask that cannot be read, lies elsewhere than the image, or has an unknown label.
    """
    volume = target.volume
    volumes = MaskVolumes(plane, source.card, volume.array.shape[PLANE_AXIS[plane]]) if volume is not None and plane is not None else None
    marked = Marked(source.card, volumes)
    for mask in case.masks:
        path = case.path_of(mask.path).lower()
        if path.endswith(VOLUME_ENDINGS):
            _add_label_volume(case, mask, source, target, marked)
        elif path.endswith(PICTURE_ENDINGS):
            _add_picture(case, mask, source, target, marked)
        else:
            _add_dicom(case, mask, source, target, marked)
    return marked


def _add_dicom(case: Case, mask: MaskFile, source: Source, target: Target, marked: Marked) -> None:
    dataset = open_dataset(source.root / case.path_of(mask.path), mask.path)
    with parsing(mask.path):
        marked.dropped += identifying_attributes(dataset)
        regions, flags = _regions(dataset, mask.path, source, target)
    marked.flags += flags
    while regions:  # one region after the other is laid on the volume and let go
        region = regions.pop(0)
        name = source_of(region, source.card, mask.path, private=bool(case.paths))
        wanted = bool(region.masks) and bool(labels_of(name, source.card, mask.path))
        marked.take(name, _whole(region, target) if wanted else None, mask.path)


def _regions(dataset: Dataset, file: str, source: Source, target: Target) -> tuple[list[Region], list[str]]:
    """What a SEG or an RTSTRUCT marks, and flags."""
    if "SegmentSequence" in dataset:
        most = source.limits.max_pixels * PICTURES_PER_VOLUME
        return read_segments(dataset, target.grid, target.instances, target.size, file, most), []
    if target.grid is None:
        cause = "structures in millimetres need an image with a place in the patient: fetch the series that they were drawn on"
        raise Fault("geometry_mismatch", file, cause)
    return read_structures(dataset, target.grid, target.frame_of_reference, file)


def _whole(region: Region, target: Target) -> np.ndarray:
    """All slices of a region: (z, y, x) in LPS on the image's grid, or (rows, columns) for a single picture."""
    if target.grid is None:
        return region.masks[0]
    stack = np.zeros(target.grid.shape, bool)
    for index, mask in region.masks.items():
        stack[index] = mask
    return to_lps(volume_of(stack, target.grid)).array


def volume_of(stack: np.ndarray, grid: Grid) -> Volume:
    """An array (slices, rows, columns) on a grid as a volume; its axes are not turned yet."""
    first = grid.slices[0]
    return Volume(stack, list(grid.spacing_mm), [float(value) for value in first.position], grid.direction, "DICOM")


def _add_label_volume(case: Case, mask: MaskFile, source: Source, target: Target, marked: Marked) -> None:
    if target.volume is None:
        cause = "a label volume beside a picture without a place in the patient: give a picture as the mask"
        raise Fault("geometry_mismatch", mask.path, cause)
    try:
        labels = read_volume(source.root / case.path_of(mask.path), source.limits.max_pixels * PICTURES_PER_VOLUME)
    except VolumeError as error:
        raise Fault(error.kind, mask.path, str(error)) from error
    if not same_geometry(labels, target.volume):
        if not source.card.resample_masks:
            cause = f"label volume {labels.array.shape} lies on another grid than the series {target.volume.array.shape} [z, y, x]: "
            raise Fault("geometry_mismatch", mask.path, cause + "export it on the image's grid, or set `resample_masks: true` in the card")
        labels = resample_labels(labels, target.volume)
        marked.flags.append("mask_resampled")
    codes = whole_numbers(labels.array, mask.path)
    values, _ = count_codes(codes, 0)
    _add_codes(codes, {int(code): str(int(code)) for code in values}, mask, marked)


def _add_picture(case: Case, mask: MaskFile, source: Source, target: Target, marked: Marked) -> None:
    card, path = source.card, case.path_of(mask.path)
    try:
        if mask.source == UNNAMED_MASK and UNNAMED_MASK not in card.canonical_of():
            codes, names, flags = read_label_map(source.root, path, card, source.limits.max_pixels)
        else:
            found, flags = read_mask(source.root, path, card, source.limits.max_pixels)
            codes, names = found.astype(np.uint8), {0: "0", 1: mask.source}
    except Fault as fault:  # the picture's own name must not travel
        raise Fault(fault.kind, mask.path, fault.cause) from fault
    marked.flags += flags
    if codes.shape != target.size or len(target.instances) != 1:
        cause = f"mask {codes.shape} against image {target.size} (rows, columns) of {len(target.instances)} slices: export it at the image's size"
        raise Fault("mask_size", mask.path, cause)
    if target.grid is not None:
        codes = to_lps(volume_of(codes[np.newaxis], target.grid)).array
    _add_codes(codes, names, mask, marked)


def _add_codes(codes: np.ndarray, names: dict[int, str], mask: MaskFile, marked: Marked) -> None:
    """Objects of a label map; where its file name says the label, everything but 0 is that label."""
    if mask.source != UNNAMED_MASK:
        marked.take(mask.source, codes != 0, mask.path)
        return
    card = marked.card
    marked.declared.update(label for label, entry in card.labels.items() if any(_is_code(str(text)) for text in entry.sources))
    for code, name in names.items():
        if name in card.canonical_of() or name not in BACKGROUND:
            marked.take(name, codes == code, mask.path)


def _is_code(text: str) -> bool:
    return text.isdigit() or text in (ANY_SOURCE, UNNAMED_MASK) or text.startswith("#")
