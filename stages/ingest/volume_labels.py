"""Annotations of a volume, asked slice by slice, so that no label costs a volume of memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stages.core.volume import PLANE_AXIS, plane_slice
from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.objects import ObjectMask, from_codes, labels_of, unite_semantic

# Label values up to this are counted in a table; others are numbered first.
_MOST_CODES = 1 << 12
Crop = tuple[slice, slice, slice]


class Annotation(Protocol):
    """What is marked in a volume that is cut in one ``plane``."""

    plane: str

    def areas(self) -> np.ndarray:
        """Pixels of each label in each slice: (labels, slices)."""
        ...

    def objects(self, index: int) -> list[ObjectMask]:
        """Objects of one slice as it is displayed (``core.volume.plane_slice``), without empty ones."""
        ...


class CodeVolume:
    """A label volume: one value a voxel, [z, y, x] in LPS."""

    def __init__(self, codes: np.ndarray, plane: str, card: Card, path: str) -> None:
        """Count the values of every slice.

        Raises:
            Fault: fractions, a value that the card does not know, or nothing but background.
        """
        self.plane, self._card, self._path = plane, card, path
        self._codes = whole_numbers(codes, path)
        self._values, self._counts = count_codes(self._codes, PLANE_AXIS[plane])
        self._names = {code: str(code) for code in self._values.tolist()}
        # The rules of the card, tried on the values alone: which label takes which of them.
        self._taken = from_codes(self._values, self._names, card, path)

    def areas(self) -> np.ndarray:
        """Pixels of each label in each slice: (labels, slices)."""
        labels = list(dict.fromkeys(item.label for item in self._taken))
        total = np.zeros((len(labels), self._counts.shape[1]), np.int64)
        for item in self._taken:
            total[labels.index(item.label)] += self._counts[item.mask].sum(axis=0)
        return total

    def objects(self, index: int) -> list[ObjectMask]:
        """Objects of one slice, without empty ones."""
        here = self._counts[:, index] > 0
        wanted = np.zeros(len(here), bool)
        for item in self._taken:
            if (item.mask & here).any():
                wanted |= item.mask
        if not wanted.any():
            return []
        names = {code: self._names[code] for code in self._values[wanted].tolist()}
        picture = np.ascontiguousarray(plane_slice(self._codes, self.plane, index))  # type: ignore[arg-type]
        return [item for item in from_codes(picture, names, self._card, self._path) if item.area_px]


class MaskVolumes:
    """Several binary volumes, one a structure; they may overlap. Each is kept as the packed bits of its bounding box."""

    def __init__(self, plane: str, card: Card, n_slices: int) -> None:
        self.plane, self._card, self._n_slices = plane, card, n_slices
        self._parts: list[tuple[str, str, np.ndarray, tuple[int, ...], tuple[int, int, int]]] = []
        self._areas: dict[str, np.ndarray] = {}

    def add(self, source: str, values: np.ndarray, path: str, above: float = 0) -> None:
        """Take in a mask [z, y, x] in LPS, marked by values greater than ``above``; an empty one says that the structure is not there.

        Raises:
            Fault: the card does not know the source.
        """
        labels = labels_of(source, self._card, path)
        box = bounding_box(values, above)
        if box is None or not labels:
            return
        axis = PLANE_AXIS[self.plane]
        crop = np.moveaxis(values[box] > above, axis, 0)
        first, rows, columns = np.array([[part.start, part.stop] for part in box])[_front(axis)]
        if self.plane != "axial":  # displayed with the head at the top
            height = values.shape[0]
            crop, rows = crop[:, ::-1], np.array([height - rows[1], height - rows[0]])
        areas = np.zeros(self._n_slices, np.int64)
        areas[first[0] : first[1]] = crop.reshape(len(crop), -1).sum(axis=1)
        for label in labels:
            self._parts.append((label, source, np.packbits(crop, axis=-1), crop.shape, (int(first[0]), int(rows[0]), int(columns[0]))))
            self._areas[label] = self._areas.get(label, 0) + areas

    def withdraw(self, labels: set[str]) -> None:
        """Forget all structures of some labels."""
        self._parts = [part for part in self._parts if part[0] not in labels]
        self._areas = {label: areas for label, areas in self._areas.items() if label not in labels}

    def areas(self) -> np.ndarray:
        """Pixels of each label in each slice: (labels, slices); where its structures overlap they count twice."""
        return np.stack(list(self._areas.values())) if self._areas else np.zeros((0, self._n_slices), np.int64)

    def objects(self, index: int) -> list[ObjectMask]:
        """Objects of one slice, without empty ones; structures of one semantic label united."""
        found = []
        for label, source, packed, shape, (first, row, column) in self._parts:
            if first <= index < first + shape[0]:
                mask = np.unpackbits(packed[index - first], axis=-1, count=shape[2]).astype(bool)
                found.append(ObjectMask(label, source, self._card.labels[label].semantic, mask, corner=(row, column)))
        return unite_semantic([item for item in found if item.area_px])


def _front(axis: int) -> list[int]:
    """The axes [z, y, x] with ``axis`` first and the others in order."""
    return [axis, *(other for other in range(3) if other != axis)]


def whole_numbers(array: np.ndarray, path: str) -> np.ndarray:
    """Label values as integers.

    Raises:
        Fault: the volume holds fractions (it was interpolated).
    """
    if array.dtype.kind in "iu":
        return array
    codes = array.astype(np.int32)
    if not np.array_equal(codes, array):
        raise Fault("bad_mask_values", path, "the label volume holds fractions: it was interpolated; resample labels by nearest neighbour")
    return codes


def bounding_box(values: np.ndarray, above: float = 0) -> Crop | None:
    """Slices of the smallest box around the values greater than ``above``; None when there is none.

    The axis that lies slowest in memory is cut first; the greatest value of a slab is found faster than any that passes.
    """
    box = [slice(None)] * 3
    for axis in np.argsort([-abs(step) for step in values.strides]).tolist():
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(values[tuple(box)].max(axis=others) > above)
        if not found.size:
            return None
        box[axis] = slice(int(found[0]), int(found[-1]) + 1)
    return box[0], box[1], box[2]


def count_codes(codes: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The values of a label volume in ascending order, and how often each occurs in each slice across ``axis``: (values, slices).

    Only the box around what is not 0 is counted.
    """
    n_slices = codes.shape[axis]
    box = bounding_box(codes if codes.dtype.kind == "u" or codes.min() >= 0 else codes != 0)
    if box is None:
        return np.zeros(1, np.int64), np.full((1, n_slices), codes.size // n_slices, np.int64)
    crop = np.moveaxis(codes[box], axis, 0)
    values = None
    if crop.min() < 0 or crop.max() >= _MOST_CODES:
        values, numbers = np.unique(crop, return_inverse=True)
        crop = numbers.reshape(crop.shape)
    most = int(crop.max()) + 1
    counts = np.zeros((most, n_slices), np.int64)
    for number, slab in enumerate(crop, start=box[axis].start):
        counts[:, number] = np.bincount(slab.reshape(-1), minlength=most)
    kept = np.flatnonzero(counts.any(axis=1))
    found = kept if values is None else values[kept].astype(np.int64)
    counts = counts[kept]
    outside = codes.size // n_slices - counts.sum(axis=0)
    if 0 in found:
        counts[int(np.searchsorted(found, 0))] += outside
        return found, counts
    if not outside.any():
        return found, counts
    place = int(np.searchsorted(found, 0))
    return np.insert(found, place, 0), np.insert(counts, place, outside, axis=0)
