"""DICOM: series of slices in any geometry, and single pictures, with SEG, RTSTRUCT or label maps as masks.

What a file is, its header says, so one pattern may cover a whole tree; series need no ``{case}``:

    reader: dicom_series
    files: {image: ["{patient}/ct/*.dcm"], mask: ["{patient}/rt/*.dcm"], other: []}
    labels:
      liver: {sources: [Liver, "SCT:10200004"], semantic: true}     # name of a segment or structure, or its code
      spleen: {sources: [3], semantic: true}                        # number of a segment, or value of a label map
    intensity: {kind: header}                                       # CT: {kind: window, preset: abdomen}
    deidentified: true                                              # only where the files do not say so themselves

A SEG or RTSTRUCT goes with the series that it names; a label map in another format (``"{case}_seg.nii.gz"``) by the parts of
its path, and lies on the series' grid unless ``resample_masks: true``. ``channel`` picks one of several frames at each place.
Radiographs and other files without a place in the patient may have masks as pictures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.core.volume import to_lps
from stages.ingest.blocks import Intensity
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found
from stages.ingest.faults import Fault
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.dicom_files import open_dataset, parsing
from stages.ingest.readers.dicom_find import find_cases
from stages.ingest.readers.dicom_grid import Grid, Slice, build_grid, slices_of
from stages.ingest.readers.dicom_identity import identifying_attributes
from stages.ingest.readers.dicom_masks import Target, read_masks, volume_of
from stages.ingest.readers.dicom_picture import read_picture
from stages.ingest.readers.dicom_pixels import PICTURES_PER_VOLUME, decoded, header_flags, header_window, in_units, is_inverted
from stages.ingest.readers.volume_cut import cut
from stages.ingest.slices import plane_of

if TYPE_CHECKING:
    from pydicom import Dataset

# Grey range, in percent, of a series whose header asks for no window.
FALLBACK_PERCENTILES = (0.5, 99.5)


class DicomSeries:
    """A tree of DICOM files under any names. Images and masks are told apart by their headers, wherever they match.

    Files with a place in the patient become one volume a series: sorted by position, brought to LPS axes without
    resampling, in the unit of their header (HU for CT). An oblique grid is shown along its own axes, named after the
    nearest patient axes; beyond 30 degrees from the left-right axis no side of the patient is named. A tilted gantry
    shears the grid: it is cut along its own slices only. Files without a place become one picture each.
    """

    def find(self, card: Card, root: Path) -> Found:
        """Cases by the UIDs of their headers."""
        return find_cases(card, root)

    def read(self, case: Case, source: Source) -> Reading:
        """Decode a series or a picture, and lay its masks on it."""
        series = _Series(case, source)
        first = open_dataset(source.root / case.path_of(case.files[0]), case.files[0])
        with parsing(case.files[0]):
            if not _is_placed(first):
                return read_picture(case, source, first)
        for file in case.files:
            dataset = first if file == case.files[0] else open_dataset(source.root / case.path_of(file), file)
            with parsing(file):
                series.add(dataset, file)
        return series.reading()


def _is_placed(dataset: Dataset) -> bool:
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    return bool(dataset.get("ImagePositionPatient")) or bool(frames and "PlanePositionSequence" in frames[0])


class _Series:
    """A series while its files are read one after the other, so that only decoded values stay in memory."""

    def __init__(self, case: Case, source: Source) -> None:
        self.case, self.source = case, source
        self.slices: list[Slice] = []
        self.block: np.ndarray | None = None
        self.order: dict[tuple[str, int], int] = {}
        self.windows: dict[tuple[str, int], tuple[float, float, str] | None] = {}
        self.dropped: Counter[str] = Counter()
        self.flags: set[str] = set()
        self.inverted = False
        self.modality = ""
        self.frame_of_reference: str | None = None
        self.room = source.limits.max_pixels * PICTURES_PER_VOLUME

    def add(self, dataset: Dataset, file: str) -> None:
        """Take up one file."""
        self.dropped.update(identifying_attributes(dataset))
        slices = slices_of(dataset, file)
        self.slices += slices
        stored, meaning = decoded(dataset, file, self.room)
        if stored.ndim != 3:
            raise Fault("unreadable_image", file, f"slices of a volume must be grey, these are {meaning}: take the series out")
        self.room -= stored.size
        for item, values in zip(slices, stored, strict=True):
            key = (file, item.frame)
            self._keep(key, in_units(values, dataset, item.frame, file))
            self.windows[key] = header_window(dataset, item.frame)
        self.flags.update(header_flags(dataset))
        self.modality = str(dataset.get("Modality", ""))
        # HU have a fixed meaning; elsewhere an inverted scale is how the values are meant to be seen.
        self.inverted = is_inverted(dataset, meaning) and self.modality != "CT"
        uid = dataset.get("FrameOfReferenceUID")
        self.frame_of_reference = str(uid) if uid else None

    def reading(self) -> Reading:
        """The volume, its masks, and the slices that show most."""
        card = self.source.card
        grid = build_grid(self.slices, card.channel)
        stack = self._stacked(grid)
        volume = to_lps(volume_of(stack, grid))
        target = Target(grid, volume, [item.sop_uid for item in grid.slices], grid.shape[1:], self.frame_of_reference)
        plane = grid.plane if grid.tilted and card.plane is None else plane_of(card, volume.spacing_mm)
        if grid.tilted and plane != grid.plane:
            cause = f"the slices are tilted against their stack (gantry tilt), so {plane} pictures would be sheared: set `plane: {grid.plane}`"
            raise Fault("sheared_grid", self.case.image, cause)
        marked = read_masks(self.case, self.source, target, plane)
        incomplete = sorted(set(card.annotated_labels) - marked.declared) if self.case.masks else []
        flags = sorted({*grid.flags, *self._take_window(grid), *self.flags, *marked.flags})
        pictures = cut(volume, marked.volumes, self.source, self.case.image, None, incomplete, flags)
        if self.inverted:
            pictures = [replace(one, pixels=255 - one.pixels, transform={**one.transform, "inverted": True}) for one in pictures]
        return Reading(pictures, [], self.dropped + Counter(marked.dropped))

    def _keep(self, key: tuple[str, int], values: np.ndarray) -> None:
        """Put a slice's values into the block, which grows to the width that the widest slice needs."""
        if self.block is None:
            self.block = np.empty((len(self.case.files), *values.shape), values.dtype)
        number = len(self.order)
        if values.shape != self.block.shape[1:]:
            self.order[key] = -1  # a mixture, which ``build_grid`` refuses
            return
        if number == len(self.block):
            self.block = np.concatenate([self.block, np.empty_like(self.block)])
        if np.result_type(values, self.block) != self.block.dtype:
            self.block = self.block.astype(np.result_type(values, self.block))
        self.block[number] = values
        self.order[key] = number

    def _stacked(self, grid: Grid) -> np.ndarray:
        """Values (slices, rows, columns) in the grid's order: a view of the block where the files came in order, or in reverse."""
        assert self.block is not None  # a case has a file
        order = [self.order[item.file, item.frame] for item in grid.slices]
        first, last = order[0], order[-1]
        if order == list(range(first, last + 1)):
            return self.block[first : last + 1]
        if order == list(range(first, last - 1, -1)):
            return self.block[last : first + 1][::-1]
        return self.block[order]

    def _take_window(self, grid: Grid) -> list[str]:
        """Where the card says ``header``, put the window of the middle slice in its place; a flag where there is none."""
        if self.source.card.intensity.kind != "header":
            return []
        middle = grid.slices[len(grid.slices) // 2]
        window = self.windows[middle.file, middle.frame]
        low, high = FALLBACK_PERCENTILES
        rule = Intensity("window", level=window[0], width=window[1]) if window else Intensity("percentiles", low=low, high=high)
        self.source = replace(self.source, card=replace(self.source.card, intensity=rule))
        return [] if window else ["no_window_in_header"]
