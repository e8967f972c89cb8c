"""Image volume + labels on its grid -> informative slices. NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd + raw), NRRD (.nrrd, .nhdr).

Layouts, by the patterns of the card:
- label map beside the image: ``image: ["{case}/ct.nii.gz"]``, ``mask: ["{case}/seg.nii.gz"]``; or in folders of their own, or
  with a suffix (``"{case:[a-z0-9]+}.nii.gz"`` and ``"{case}_seg.nii.gz"``: give {case} a regex that the suffix does not fit).
- BIDS: ``image: ["sub-{case}/anat/sub-{case}_T1w.nii.gz"]``, ``mask: ["derivatives/*/sub-{case}/anat/sub-{case}_label-lesion_mask.nii.gz"]``.
- one file a structure, overlaps allowed: ``mask: ["{case}/segmentations/{label}.nii.gz"]``; sources are then file names
  (``sources: [liver]``), foreground is above ``mask_threshold`` (0), and an empty file says that the structure is not there.
- several sequences: ``image: ["{case}/{case}_{view:flair|t1|t1ce|t2}.nii.gz"]``, ``mask: ["{case}/{case}_seg.nii.gz"]``; every
  view is cut at the same slices, and its name goes into the sample's id.

Sources of a label map are its values (``sources: [1, 2]``). ``sources: ["*"]`` with ``semantic: false``: every value that no
other entry names is one instance. ``channel`` picks a frame (or component) of an image with four dimensions. Labels on
another grid than their image are a fault, unless ``resample_masks: true``. Data files of .mhd and .nhdr headers must lie
beside them and need no pattern. A file of one slice (or of two dimensions) becomes a plain picture with its
spacing when the card's ``plane`` is null: ``image_left_is`` then comes from the card, ``view`` names it.

Planes: ``plane: axial | coronal | sagittal``; null cuts across the axis whose spacing is at least 1.5 times that of the
others, else axial. Sides come from the header, for volumes turned by at most 30 degrees against the patient's left-right
axis; from 5 degrees on a volume is flagged ``oblique``. ``header_sides: false`` where the header's axes are the probe's: the
sides are then the card's. ``header_unit: m`` where the header's numbers are metres and it does not say so.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from stages.core.volume import PLANE_AXIS, Volume, VolumeError, read_stored, resample_labels, same_geometry, to_lps
from stages.core.volume_file import data_file
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, Found, MaskFile, tie_by_name
from stages.ingest.faults import Fault
from stages.ingest.intensity import grey_rule
from stages.ingest.objects import labels_of
from stages.ingest.readers.base import Picture, Reading, Source
from stages.ingest.readers.volume_cut import cut
from stages.ingest.slices import plane_of
from stages.ingest.volume_labels import Annotation, CodeVolume, MaskVolumes, whole_numbers

# A volume may hold as many voxels as so many pictures of the largest allowed size hold pixels.
PICTURES_PER_VOLUME = 10
RESAMPLED = "mask_resampled"
MM_PER_M = 1000.0
# Voxels of this many mm are no patient's: the header was in mm, or stated its unit, which the reader of NIfTI heeds by itself.
_TOO_COARSE_MM = 100.0


class VolumePairs:
    """Volumes whose labels are found by the card's patterns; the module's head shows the layouts."""

    def find(self, card: Card, root: Path) -> Found:
        """Pairs by the parts of their paths; the data files of their headers belong to them."""
        found = tie_by_name(card, root)
        cases = [replace(case, files=_data_files(case, root)) for case in found.cases]
        known = {path for case in cases for path in case.files}
        return replace(found, cases=cases, unmatched=[path for path in found.unmatched if path not in known])

    def read(self, case: Case, source: Source) -> Reading:
        """Both volumes in LPS, intensities by the card's rule, the slices that show most."""
        image = read_part(case.image, case, source, source.card.channel)
        return slices_of(image, case, source)


def _data_files(case: Case, root: Path) -> list[str]:
    """Files that the headers of a case name; a header that cannot be used becomes a fault when the case is read."""
    found = []
    for name in (case.image, *(mask.path for mask in case.masks)):
        with contextlib.suppress(VolumeError):
            if (path := data_file(root / name)) is not None:
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


def read_part(name: str, case: Case, source: Source, channel: int | None = None) -> Volume:
    """A file of the case with its axes as stored, lengths in mm by the card's ``header_unit``.

    Raises:
        Fault: it cannot be used, or its lengths are no metres although the card says so.
    """
    try:
        stored = read_stored(source.root / case.path_of(name), source.limits.max_pixels * PICTURES_PER_VOLUME, channel)
    except VolumeError as error:
        raise Fault(error.kind, name, str(error)) from error
    return stored if source.card.header_unit in (None, "mm") else _from_metres(stored, name)


def _from_metres(stored: Volume, name: str) -> Volume:
    spacing = [value * MM_PER_M for value in stored.spacing_mm]
    if max(spacing) >= _TOO_COARSE_MM:
        cause = f"its spacing {stored.spacing_mm} [z, y, x] would be voxels of {max(spacing):g} mm if it were metres: take `header_unit` out of the card"
        raise Fault("bad_spacing", name, cause)
    return replace(stored, spacing_mm=spacing, origin_mm=[value * MM_PER_M for value in stored.origin_mm])


def slices_of(stored: Volume, case: Case, source: Source) -> Reading:
    """Pictures of an image that has been read, with the labels of its case.

    Raises:
        Fault: the labels cannot be used.
    """
    if stored.array.shape[0] == 1 and source.card.plane is None:
        return _plain_picture(stored, case, source)
    image = to_lps(stored)
    annotation, faults, flags = _annotation(image, plane_of(source.card, image.spacing_mm), case, source)
    view = case.view if case.view != source.card.view else None
    incomplete = sorted({label for fault in faults for label in _labels_at(fault, case, source.card)})
    return Reading(cut(image, annotation, source, case.image, view, incomplete, flags), faults)


def _annotation(image: Volume, plane: str, case: Case, source: Source) -> tuple[Annotation, list[Fault], list[str]]:
    """What the mask files mark, faults of single structures, and flags of the pictures."""
    named = any(mask.source != UNNAMED_MASK for mask in case.masks)
    if not named and len(case.masks) > 1:
        cause = f"{len(case.masks)} label volumes fit this image, expected one: narrow the card's mask pattern, or name the structure in it ({{label}})"
        raise Fault("several_masks", case.image, cause)
    if not named and case.masks:
        labels, resampled = _labels_on(image, case.masks[0], case, source)
        return CodeVolume(labels.array, plane, source.card, case.masks[0].path), [], resampled
    return _structures(image, plane, case, source)


def _structures(image: Volume, plane: str, case: Case, source: Source) -> tuple[Annotation, list[Fault], list[str]]:
    """One binary file a structure. A faulty file withdraws its labels, whose other structures cannot be told from theirs any more."""
    for mask in case.masks:
        labels_of(mask.source, source.card, mask.path)
    found = MaskVolumes(plane, source.card, image.array.shape[PLANE_AXIS[plane]])
    faults: list[Fault] = []
    flags: set[str] = set()
    lost: set[str] = set()
    for mask in case.masks:
        if not labels_of(mask.source, source.card, mask.path):
            continue
        try:
            labels, resampled = _labels_on(image, mask, case, source)
            foreground = whole_numbers(labels.array, mask.path) if source.card.mask_threshold is None else labels.array
        except Fault as fault:
            faults.append(fault)
            lost.update(_labels_at(fault, case, source.card))
            continue
        flags.update(resampled)
        found.add(mask.source, foreground, mask.path, source.card.mask_threshold or 0)
    found.withdraw(lost)
    if case.masks and not found.areas().any() and (faults or source.card.empty_images == "fault"):
        causes = "; ".join(f"{fault.kind}: {fault.file}: {fault.cause}" for fault in faults[:3])
        kind = "no_object" if faults else "empty_mask"
        raise Fault(kind, case.image, f"none of its {len(case.masks)} structures can be used ({causes or 'all are empty or ignored'})")
    return found, faults, sorted(flags)


def _labels_at(fault: Fault, case: Case, card: Card) -> list[str]:
    """The labels that a faulty mask file stands for."""
    return [label for mask in case.masks if mask.path == fault.file for label in labels_of(mask.source, card, mask.path)]


def _labels_on(image: Volume, mask: MaskFile, case: Case, source: Source) -> tuple[Volume, list[str]]:
    """Labels on the grid of an LPS image, resampled where the card allows it, and the flag that says so.

    Raises:
        Fault: unreadable, or another grid.
    """
    labels = to_lps(read_part(mask.path, case, source))
    if same_geometry(image, labels):
        return labels, []
    if source.card.resample_masks:
        return resample_labels(labels, image), [RESAMPLED]
    remedy = "export it on the image's grid, or say `resample_masks: true` in the card"
    if image.array.shape != labels.array.shape:
        raise Fault("mask_size", mask.path, f"label volume {labels.array.shape} against image {image.array.shape} [z, y, x]: {remedy}")
    cause = "label and image volumes lie at different places (origin, spacing or direction): mend the headers, "
    raise Fault("geometry_mismatch", mask.path, cause + remedy)


def _plain_picture(stored: Volume, case: Case, source: Source) -> Reading:
    """A file of one slice: a picture as it is stored, with its spacing; sides and plane as the card says."""
    card = source.card
    if len(case.masks) > 1:
        raise Fault("several_masks", case.image, f"{len(case.masks)} label files fit this image of one slice, expected one: narrow the mask pattern")
    objects = []
    if case.masks:
        path = case.masks[0].path
        labels = read_part(path, case, source)
        if labels.array.shape != stored.array.shape:
            cause = f"label map {labels.array.shape[:0:-1]} against image {stored.array.shape[:0:-1]} (width, height): export it at the image's size"
            raise Fault("mask_size", path, cause)
        objects = CodeVolume(labels.array, "axial", card, path).objects(0)
    grey = grey_rule(stored.array, card, case.image)
    picture = Picture(case.view, grey.of(stored.array[0]), stored.spacing_mm[1:], card.image_left_is, card.plane, None, grey.transform, objects)
    return Reading([picture], [])
