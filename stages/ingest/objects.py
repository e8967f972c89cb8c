"""Masks as the source gives them -> objects under canonical labels."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stages.core.records import Rle
from stages.ingest.card import Card
from stages.ingest.faults import Fault
from stages.ingest.run_lengths import encode_crop, encode_whole

# Codes that mean "nothing here" unless the card lists them as a label.
BACKGROUND = frozenset({"0", "#000000"})
# Source name that stands for every value that no other entry of the card names.
ANY_SOURCE = "*"
# How many sources of the card a fault names.
_MOST_NAMED = 12


@dataclass(frozen=True)
class ObjectMask:
    """One object, or one semantic region: boolean mask (height, width), or (z, y, x) before slicing.

    ``corner`` is None when ``mask`` covers the whole picture; else ``mask`` is a crop whose first pixel lies at
    (row, column) of the picture, so that hundreds of small objects cost no more than they are large. ``crowd``: the
    source says that the mask stands for several objects that it did not tell apart.
    """

    label: str
    source: str
    semantic: bool
    mask: np.ndarray
    crowd: bool = False
    corner: tuple[int, int] | None = None

    @property
    def area_px(self) -> int:
        """Foreground pixels."""
        return int(np.count_nonzero(self.mask))

    def whole(self, shape: tuple[int, int]) -> np.ndarray:
        """Boolean mask of the picture's ``shape`` (height, width)."""
        if self.corner is None:
            return self.mask
        row, column = self.corner
        canvas = np.zeros(shape, bool)
        canvas[row : row + self.mask.shape[0], column : column + self.mask.shape[1]] = self.mask
        return canvas

    def encoded(self, shape: tuple[int, int]) -> Rle:
        """COCO RLE of the whole mask of ``shape`` (height, width)."""
        return encode_whole(self.mask) if self.corner is None else encode_crop(self.mask, self.corner, shape)

    def resized(self, shape: tuple[int, int], size: tuple[int, int]) -> ObjectMask:
        """Scaled by nearest neighbour from a picture of ``shape`` (height, width) to one of ``size`` (width, height)."""
        top, left = self.corner or (0, 0)
        rows, first_row = _sampled(shape[0], size[1], top, self.mask.shape[0])
        columns, first_column = _sampled(shape[1], size[0], left, self.mask.shape[1])
        corner = None if self.corner is None else (first_row, first_column)
        return replace(self, mask=self.mask[rows][:, columns], corner=corner)


def _sampled(before: int, after: int, start: int, length: int) -> tuple[np.ndarray, int]:
    """Which entries of a crop at ``start`` the pixels of a scaled axis take (the one under their centre), and where they begin."""
    taken = ((np.arange(after) + 0.5) * (before / after)).astype(np.intp)
    first, last = np.searchsorted(taken, [start, start + length])
    return taken[first:last] - start, int(first)


def source_name(source: Any) -> str:
    """A source of a card as text; colours in lower case."""
    text = str(source)
    return text.lower() if text.startswith("#") else text


def is_code(source: str) -> bool:
    """Whether a source is a number, a colour or empty: it says nothing of what it means."""
    return source.startswith("#") or not any(letter.isalpha() for letter in source)


def labels_by_source(card: Card) -> dict[str, list[str]]:
    """Source name -> canonical labels that it belongs to; ignored sources have none."""
    return {source_name(source): labels for source, labels in card.canonical_of().items()}


def labels_of(source: str, card: Card, file: str) -> list[str]:
    """Canonical labels of a source name; none when the card ignores it on purpose. ``"*"`` in the card takes unnamed ones.

    Raises:
        Fault: the card does not know the name; the nearest ones are given.
    """
    table = labels_by_source(card)
    if source in table:
        return table[source]
    if ANY_SOURCE in table:
        return table[ANY_SOURCE]
    known = list(table) if is_code(source) else difflib.get_close_matches(source, list(table), n=3, cutoff=0.0)
    told = f"{', which has' if is_code(source) else '; nearest:'} {', '.join(known[:_MOST_NAMED])}" + (", ..." if len(known) > _MOST_NAMED else "")
    cause = f"label {source!r} is not in the card {card.name}{told}. Add it there under `labels` or `ignored_sources`"
    raise Fault("unknown_label", file, cause)


def from_codes(codes: np.ndarray, names: dict[int, str], card: Card, file: str) -> list[ObjectMask]:
    """Objects of a label map (or label volume); ``names`` gives the source name of each code that occurs.

    One object per label of the card that occurs; under the source ``"*"`` with ``semantic: false`` one per value.

    Raises:
        Fault: a code that the card does not know, or nothing but background (unless the card's ``empty_images`` allows it).
    """
    table = labels_by_source(card)
    present = {code: name for code, name in names.items() if name in table or name not in BACKGROUND}
    for name in present.values():
        labels_of(name, card, file)
    objects = []
    for label, entry in card.labels.items():
        wanted = {source_name(source) for source in entry.sources}
        unnamed = ANY_SOURCE in wanted
        chosen = {code: name for code, name in present.items() if name in wanted or (unnamed and name not in table)}
        if unnamed and not entry.semantic:
            objects += [ObjectMask(label, name, False, mask, corner=corner) for name, mask, corner in _instances(codes, chosen)]
        elif chosen:
            objects.append(ObjectMask(label, "+".join(chosen.values()), entry.semantic, _where(codes, list(chosen))))
    if not objects and card.empty_images == "fault":
        cause = "the label map holds nothing but background: add the annotation, take the pair out, or set `empty_images` in the card"
        raise Fault("empty_mask", file, cause)
    return objects


def _where(codes: np.ndarray, chosen: list[int]) -> np.ndarray:
    """Where ``codes`` is one of a few values; comparing beats a search for so few."""
    mask = codes == chosen[0]
    for code in chosen[1:]:
        mask |= codes == code
    return mask


def _instances(codes: np.ndarray, chosen: dict[int, str]) -> list[tuple[str, np.ndarray, tuple[int, int] | None]]:
    """Name, mask and corner of every value: crops of a label map (in volumes, whole masks)."""
    if codes.ndim != 2:
        return [(name, codes == code, None) for code, name in chosen.items()]
    from scipy.ndimage import find_objects

    # Values may be colours up to 2^24: numbered from 1 they make a short list of boxes.
    values = np.array(sorted(chosen), np.int64)
    place = np.minimum(np.searchsorted(values, codes), len(values) - 1)
    numbers = np.where(values[place] == codes, place + 1, 0)
    found = []
    for number, (code, box) in enumerate(zip(values.tolist(), find_objects(numbers, len(values)), strict=True), start=1):
        found.append((chosen[code], numbers[box] == number, (box[0].start, box[1].start)))
    return found


def unite_semantic(objects: list[ObjectMask]) -> list[ObjectMask]:
    """Masks of one semantic label united into one region; instances and crowds stay apart. Order of first appearance."""
    groups: dict[tuple[str, bool, int], list[ObjectMask]] = {}
    for number, item in enumerate(objects):
        groups.setdefault((item.label, item.crowd, -1 if item.semantic else number), []).append(item)
    return [unite(group) for group in groups.values()]


def unite(group: list[ObjectMask]) -> ObjectMask:
    """One object with the foreground of all; the label, kind and crowd flag of the first."""
    if len(group) == 1:
        return group[0]
    source = "+".join(sorted({item.source for item in group}))
    if any(item.corner is None for item in group):
        shape = next(item.mask.shape for item in group if item.corner is None)
        return replace(group[0], source=source, mask=np.logical_or.reduce([item.whole(shape) for item in group]), corner=None)
    boxes = [(*item.corner, item.corner[0] + item.mask.shape[0], item.corner[1] + item.mask.shape[1]) for item in group if item.corner]
    top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
    mask = np.zeros((max(box[2] for box in boxes) - top, max(box[3] for box in boxes) - left), bool)
    for item, box in zip(group, boxes, strict=True):
        mask[box[0] - top : box[2] - top, box[1] - left : box[3] - left] |= item.mask
    return replace(group[0], source=source, mask=mask, corner=(top, left))


def overlap_flags(objects: list[ObjectMask], shape: tuple[int, int]) -> list[str]:
    """``overlapping_instances`` when two instances of one label share a pixel."""
    for label in {item.label for item in objects if not item.semantic}:
        mine = [item for item in objects if item.label == label and not item.semantic]
        if len(mine) < 2:
            continue
        taken = np.zeros(shape, bool)
        for item in mine:
            top, left = item.corner or (0, 0)
            view = taken[top : top + item.mask.shape[0], left : left + item.mask.shape[1]]
            if np.logical_and(view, item.mask).any():
                return ["overlapping_instances"]
            view |= item.mask
    return []
