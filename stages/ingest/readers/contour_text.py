"""Text files of contour points: one ``x y`` or ``x,y`` a line, one file a structure, over pictures or slices of volumes.

An empty line begins another contour of the same structure; contours inside contours are holes (even-odd rule). Lines that
begin with ``#`` are left out. ``{label}`` in the mask pattern is the source name:

    reader: contour_text
    files: {image: ["{case}/{slice}.png"], mask: ["{case}/{slice}_{label:inner|outer}.txt"], other: []}
    contours: {pixel_centre: 0.0}          # whole numbers are pixel centres (0.0) or pixel edges (0.5)
    labels: {left ventricle: {sources: [inner], semantic: false}}

Over volumes (NIfTI, MetaImage, NRRD) the image pattern has no {slice}, and the digits of the mask's ``{slice}`` say where:

    files: {image: ["{case}.nii.gz"], mask: ["{case}/{slice:[0-9]+}_{label:inner|outer}.txt"], other: []}
    contours: {pixel_centre: 0.0, first_slice: 1}
    plane: axial

Slices are numbered along the axis that they are cut across, from the feet up (axial), from the front back (coronal) or from
the patient's right to the left (sagittal); x and y are column and row of the slice as samples show it (axial and coronal:
patient's right at the left). In a slice that lacks the contour of a label, that label does not count as annotated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from stages.core.volume import PLANE_AXIS, plane_slice, to_lps
from stages.ingest.blocks import ContourText as Contours
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, MaskFile, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.gates import read_content
from stages.ingest.objects import ObjectMask, labels_of, unite_semantic
from stages.ingest.patterns import compile_pattern, match_parts
from stages.ingest.pictures import read_picture
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.pictured import Drawing, Patch, patch_of_rings, read_drawings
from stages.ingest.readers.volume_cut import cut
from stages.ingest.readers.volume_pairs import read_part
from stages.ingest.slices import plane_of

_VOLUMES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
_SEPARATORS = re.compile(r"[\s,;]+")


class ContourText:
    """Contours by ``files.mask``; the module's head shows the card."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths."""
        return tie_by_name(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode the image and fill its contours."""
        if case.image.lower().endswith(_VOLUMES):
            return _read_volume(case, source)
        shown = read_picture(source.root, case.image, source.card, source.limits.max_pixels)
        return read_drawings(case, source, shown, [Drawing(mask.source, mask.path, partial(_draw, mask, source)) for mask in case.masks])


def read_points(root: Path, path: str) -> list[np.ndarray]:
    """Contours of a text file as rings (n, 2) of (x, y).

    Raises:
        Fault: missing, empty, no text, or a line that is not two numbers.
    """
    try:
        lines = read_content(root / path, path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Fault("bad_annotations", path, f"no text file ({error.reason}): fetch it again, or narrow the card's mask pattern") from error
    rings: list[list[list[float]]] = [[]]
    for number, line in enumerate(lines, start=1):
        text = line.strip().strip(",;")
        if not text:
            rings.append([])
        elif not text.startswith("#"):
            rings[-1].append(_point(text, path, number))
    return [np.array(ring) for ring in rings if ring]


def _point(text: str, path: str, number: int) -> list[float]:
    words = _SEPARATORS.split(text)
    try:
        x, y = (float(word) for word in words)
    except ValueError as error:
        raise Fault("bad_annotations", path, f"line {number}: expected two numbers x and y, got {text[:40]!r}; mend the file") from error
    return [x, y]


def _draw(mask: MaskFile, source: Source, shape: tuple[int, int]) -> Patch:
    rings = read_points(source.root, mask.path)
    return patch_of_rings(rings, shape, (source.card.contours or Contours()).pixel_centre, mask.path, "its contour")


class _Slices:
    """Objects of the slices of a volume that have contours (``volume_labels.Annotation``)."""

    def __init__(self, plane: str, n_slices: int) -> None:
        self.plane, self._n_slices = plane, n_slices
        self._objects: dict[int, list[ObjectMask]] = {}

    def add(self, index: int, item: ObjectMask) -> None:
        """Take in an object of one slice."""
        self._objects.setdefault(index, []).append(item)

    def areas(self) -> np.ndarray:
        """Pixels of each label in each slice: (labels, slices)."""
        labels = sorted({item.label for items in self._objects.values() for item in items})
        total = np.zeros((len(labels), self._n_slices), np.int64)
        for index, items in self._objects.items():
            for item in items:
                total[labels.index(item.label), index] += item.area_px
        return total

    def objects(self, index: int) -> list[ObjectMask]:
        """Objects of one slice; structures of one semantic label united."""
        return unite_semantic(self._objects.get(index, []))


def _read_volume(case: Case, source: Source) -> Reading:
    image = to_lps(read_part(case.image, case, source, source.card.channel))
    plane = plane_of(source.card, image.spacing_mm)
    rows, columns = plane_slice(image.array, plane, 0).shape  # type: ignore[arg-type]
    slices = _Slices(plane, image.array.shape[PLANE_AXIS[plane]])
    faults: list[Fault] = []
    for mask in case.masks:
        labels = labels_of(mask.source, source.card, mask.path)
        try:
            index = _slice_index(mask, source.card, image.array.shape[PLANE_AXIS[plane]])
            patch = _draw(mask, source, (rows, columns))
        except Fault as fault:
            faults.append(fault)
            continue
        for label in labels:
            slices.add(index, ObjectMask(label, mask.source, source.card.labels[label].semantic, patch.mask, corner=patch.corner))
    if not slices.areas().size:
        causes = "; ".join(f"{fault.kind}: {fault.file}: {fault.cause}" for fault in faults[:3])
        raise Fault("no_object", case.image, f"no usable contour is left ({causes or 'all its labels are ignored by the card'})")
    view = case.view if case.view != source.card.view else None
    pictures = cut(image, slices, source, case.image, view)
    return Reading([replace(p, incomplete=_without_contour(p.objects, source.card)) for p in pictures], faults)


def _without_contour(objects: Sequence[ObjectMask], card: Card) -> list[str]:
    return sorted(set(card.labels) - {item.label for item in objects})


def _slice_index(mask: MaskFile, card: Card, n_slices: int) -> int:
    """Index from 0 of the slice that a contour's file name states."""
    patterns = [compile_pattern(text, f"{card.name}:files:mask") for text in card.files.mask]
    text = (match_parts(mask.path, patterns) or {}).get("slice", "")
    first = (card.contours or Contours()).first_slice
    if not text.isdecimal():
        raise Fault("bad_annotations", mask.path, "its name states no slice: the card's mask pattern needs {slice:[0-9]+} over volumes")
    if not 0 <= int(text) - first < n_slices:
        cause = f"slice {text} of {n_slices}, counted from {first}: mend contours:first_slice in the card, or the file's name"
        raise Fault("mask_outside", mask.path, cause)
    return int(text) - first
