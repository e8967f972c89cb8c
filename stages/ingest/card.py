"""Cards: what a source dataset is, in which files, under which licence, and what its labels are called here.

A card holds no path of this machine: the folder comes from ``datasets.<name>.root`` of params.yaml, so that one
card serves every copy of the data. ``data/cards/README.md`` leads through writing one; ``data/cards/schema.json`` is
made of the annotations below (text: what the field means; tuple: the values that it may have).
"""

from __future__ import annotations

import dataclasses
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from stages.core.params import ParamError, build, read_yaml
from stages.ingest.blocks import (
    Arrays,
    ContourText,
    CropTable,
    FilePatterns,
    ImageTable,
    Intensity,
    LabelMe,
    LabelSource,
    PictureFiles,
    Polygons,
    RunLengths,
    SlicePolicy,
)
from stages.knowledge.labels import UnknownLabelError, label
from stages.knowledge.windows import UnknownWindowError, window

MODALITIES = ("CT", "MR", "X-ray", "ultrasound", "microscopy", "endoscopy", "dermoscopy", "fundus")
IMAGE_LEFT = ("patient_right", "patient_left", None)
PLANES = ("axial", "coronal", "sagittal", None)
VERIFIED_ON = ("real", "miniature", "phantom")
# Units of length in the headers of volumes; null stands for mm.
HEADER_UNITS = ("m", "mm", None)
INTENSITIES = ("stored", "window", "percentiles", "header")
# What becomes of a picture in which nothing is marked: an error, left out with a count, or kept as an example of absence.
EMPTY = ("fault", "drop", "keep")
SPLITS = ("train", "val", "test")
# Source name of the masks of a set whose file names carry no {label}.
UNNAMED_MASK = "mask"
# Readers of volumes, and readers that open picture files.
_VOLUMES = ("volume_pairs", "nnunet", "dicom_series", "contour_text", "npz_arrays")
_PICTURES = (
    *("picture_label_map", "picture_mask_files", "picture_mask_crops", "coco_json", "labelme_json"),
    *("picture_xml", "contour_text", "run_length_csv", "npz_arrays"),
)
# Fields that only some readers look at; for any other reader they are an error, since they would do nothing.
FIELD_READERS: dict[str, tuple[str, ...]] = {
    "slices": _VOLUMES,
    "channel": ("volume_pairs", "nnunet", "dicom_series", "contour_text"),
    "header_unit": ("volume_pairs", "nnunet", "contour_text"),
    "header_sides": ("volume_pairs", "nnunet", "dicom_series", "contour_text"),
    "resample_masks": ("volume_pairs", "nnunet", "dicom_series", "picture_label_map", "picture_mask_files", "picture_mask_crops"),
    "mask_threshold": ("volume_pairs", "dicom_series", "picture_mask_files", "picture_mask_crops"),
    "fill_outlines": ("dicom_series", "picture_label_map", "picture_mask_files", "picture_mask_crops"),
    "deidentified": ("dicom_series",),
    "crops": ("picture_mask_crops",),
    "pictures": _PICTURES,
    "polygons": ("coco_json", "labelme_json", "picture_xml"),
    "labelme": ("labelme_json",),
    "contours": ("contour_text",),
    "run_lengths": ("run_length_csv",),
    "arrays": ("npz_arrays",),
}
# Fields that a reader cannot do without.
NEEDED_FIELDS: dict[str, tuple[str, ...]] = {
    "picture_mask_crops": ("crops",),
    "run_length_csv": ("run_lengths",),
    "npz_arrays": ("arrays",),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
# An SPDX id, an expression of such ids, or a LicenseRef- for terms that have none.
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*")


@dataclass(frozen=True)
class Card:
    """One source dataset. A fact about the source that is not known is null, with a word about it in ``notes``."""

    name: Annotated[str, "Key under `datasets` in params.yaml, and name of the card's file; lower-case letters, digits, underscores."]
    title: Annotated[str, "What the set is, in a line."]
    url: Annotated[str, "Where the data comes from."]
    version: Annotated[str | None, "Release, commit or date of the files; null needs a sentence in `notes` with the word 'version', unless the card was tried on a miniature."]
    licence: Annotated[str | None, "SPDX id (CC-BY-4.0), or LicenseRef-NAME for terms that have none, null when unknown; goes with every sample."]
    licence_limits: Annotated[str, "The limits of the licence in words, or why it is not known."]
    citation: Annotated[str | None, "What to cite; null needs a sentence in `notes` with the word 'citation'."]
    verified_on: Annotated[str, "What the card was tried on: files of the set, a tiny tree in its layout, or a phantom.", VERIFIED_ON]
    modality: Annotated[str, "How the pictures were taken.", MODALITIES]
    body_part: Annotated[str, "What they show, in a word: abdomen, chest, skin."]
    reader: Annotated[str, "Which reader of stages/ingest/readers understands the files."]
    files: FilePatterns
    labels: Annotated[dict[str, LabelSource], "Canonical label (stages/knowledge/labels.yaml) -> how the source marks it."]
    ignored_sources: Annotated[list[Any], "Sources that are known and left out on purpose; any other unknown source is an error."]
    annotated_labels: Annotated[list[str], "Labels that the source marks wherever they are: only for these does absence mean absence."]
    view: Annotated[str, "Last part of a picture's id, where the path has no {view}; volumes use plane and slice number."]
    image_left_is: Annotated[str | None, "Plain pictures: the side of the patient at the picture's left; null when unknown. Volumes take it from the header.", IMAGE_LEFT]
    intensity: Intensity
    hash_patients: Annotated[bool, "Whether patient ids become keyed hashes: true for real patients."]
    plane: Annotated[str | None, "Plane of the pictures, or the one that volumes are cut in (null: by the spacing).", PLANES] = None
    slices: SlicePolicy | None = None
    channel: Annotated[int | None, "Frame or component of a volume with four dimensions, from 0; without it such a volume is a fault."] = None
    header_unit: Annotated[str | None, "Unit of length in the headers of volumes that state another than they are in: m, or null for mm.", HEADER_UNITS] = None
    header_sides: Annotated[
        bool,
        "False for volumes whose header's axes are the probe's, not the patient's: `image_left_is` is then the card's, and the slices have no plane of the body.",
    ] = True
    resample_masks: Annotated[bool, "Labels on another grid than the image are resampled to it (nearest neighbour); otherwise they are a fault."] = False
    mask_threshold: Annotated[int | None, "Mask files: foreground is brighter than this; 127 for JPEG masks, 0 when left out."] = None
    fill_outlines: Annotated[bool, "The masks are drawn outlines: they are filled."] = False
    empty_images: Annotated[
        str,
        "A picture whose masks are there and empty: fault (an error), drop (left out, counted), keep (it shows that nothing is there).",
        EMPTY,
    ] = "fault"
    unmasked_images: Annotated[str, "The same for a picture that no mask file goes with.", EMPTY] = "fault"
    pixel_mm: Annotated[list[float] | None, "[row, column] pixel size of pictures in mm, where the source states one for the whole set."] = None
    official_split: Annotated[
        dict[str, list[str]] | None,
        "The source's own split: train, val, test -> values of the {split} part of the image's path, or of the image table's column.",
    ] = None
    deidentified: Annotated[bool, "The source was published without identifying fields, although its files do not say so."] = False
    crops: CropTable | None = None
    image_table: ImageTable | None = None
    pictures: PictureFiles | None = None
    polygons: Polygons | None = None
    labelme: LabelMe | None = None
    contours: ContourText | None = None
    run_lengths: RunLengths | None = None
    arrays: Arrays | None = None
    midline_in_view: Annotated[bool, "False for a crop beside the patient's middle, so that its halves are not the patient's sides."] = True
    notes: Annotated[str, "What a user should know; also why version or citation is null."] = ""

    def canonical_of(self) -> dict[str, list[str]]:
        """Source name (as text) -> the canonical labels that it belongs to; ignored sources have none."""
        table: dict[str, list[str]] = {str(source): [] for source in self.ignored_sources}
        for name, entry in self.labels.items():
            for source in entry.sources:
                table.setdefault(str(source), []).append(name)
        return table


def load_card(path: Path | str) -> Card:
    """Read and check a card.

    Raises:
        ParamError: the file is missing or no YAML, a key is unknown, missing, twice there or of the wrong type, a value
            is not one of those allowed, fields contradict each other, or a label is not canonical (the nearest names
            are given).
    """
    path = Path(path)
    card = build(Card, read_yaml(path, "check `card` of the dataset in params.yaml"), path.name)
    _check_choices(card, path.name)
    _check_facts(card, path.name)
    _check_labels(card, path.name)
    _check_intensity(card.intensity, f"{path.name}:intensity")
    _check_numbers(card, path.name)
    _check_split(card, path.name)
    _check_reader(card, path.name)
    return card


def _check_choices(card: Card, where: str) -> None:
    for key, hint in typing.get_type_hints(Card, include_extras=True).items():
        for allowed in (extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, tuple)):
            _expect(getattr(card, key) in allowed, f"{where}:{key}", f"one of {', '.join(map(str, allowed))}", getattr(card, key))


def _check_facts(card: Card, where: str) -> None:
    """Name, licence, and that what is not known is explained."""
    _expect(bool(_NAME.fullmatch(card.name)), f"{where}:name", "lower-case letters, digits and underscores", card.name)
    if card.licence is not None:
        expected = "an SPDX id such as CC-BY-4.0, LicenseRef-NAME for other terms, or null with a word in licence_limits"
        _expect(bool(_SPDX.fullmatch(card.licence)), f"{where}:licence", expected, card.licence)
    _expect(card.licence is not None or bool(card.licence_limits), f"{where}:licence_limits", "a word why the licence is null", "")
    # Where no file was seen there is no version to state.
    told = card.version is not None or card.verified_on == "miniature" or "version" in card.notes.lower()
    _expect(told, f"{where}:version", "a value, or a sentence in `notes` with the word 'version' that says why there is none", None)
    told = card.citation is not None or "citation" in card.notes.lower()
    _expect(told, f"{where}:citation", "a value, or a sentence in `notes` with the word 'citation' that says why there is none", None)


def _check_labels(card: Card, where: str) -> None:
    _expect(bool(card.labels), f"{where}:labels", "at least one label", card.labels)
    for name in [*card.labels, *card.annotated_labels]:
        try:
            label(name)
        except UnknownLabelError as error:
            raise ParamError(f"{where}:labels: {error}") from error
    extra = sorted(set(card.annotated_labels) - set(card.labels))
    _expect(not extra, f"{where}:annotated_labels", "labels that stand under `labels` too", extra)
    ignored = {str(source) for source in card.ignored_sources}
    for name, entry in card.labels.items():
        _expect(bool(entry.sources), f"{where}:labels:{name}:sources", "at least one source", entry.sources)
        both = sorted(ignored & {str(source) for source in entry.sources})
        _expect(not both, f"{where}:ignored_sources", f"sources that no label uses; {name} does", both)


def _check_intensity(rule: Intensity, where: str) -> None:
    _expect(rule.kind in INTENSITIES, f"{where}:kind", f"one of {', '.join(INTENSITIES)}", rule.kind)
    by_preset = rule.kind == "window" and rule.preset is not None
    needed = () if by_preset else {"window": ("level", "width"), "percentiles": ("low", "high"), "stored": (), "header": ()}[rule.kind]
    allowed = {*needed, "preset"} if rule.kind == "window" else set(needed)
    for key in needed:
        _expect(getattr(rule, key) is not None, f"{where}:{key}", "a number", None)
    if rule.preset is not None:
        try:
            window(rule.preset)
        except UnknownWindowError as error:
            raise ParamError(f"{where}:preset: {error}") from error
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        _expect(field.name in {"kind", *allowed} or value is None, f"{where}:{field.name}", f"nothing: kind {rule.kind} does not use it", value)
    _expect(rule.width is None or rule.width > 0, f"{where}:width", "a width above 0", rule.width)
    if rule.low is not None and rule.high is not None:
        _expect(0 <= rule.low < rule.high <= 100, f"{where}:low, high", "percentages with 0 <= low < high <= 100", [rule.low, rule.high])


def _check_numbers(card: Card, where: str) -> None:
    pixel = card.pixel_mm
    _expect(pixel is None or (len(pixel) == 2 and min(pixel) > 0), f"{where}:pixel_mm", "[row, column] in mm, both above 0", pixel)
    _expect(card.channel is None or card.channel >= 0, f"{where}:channel", "a number from 0", card.channel)
    threshold = card.mask_threshold
    _expect(threshold is None or threshold >= 0, f"{where}:mask_threshold", "a grey value from 0", threshold)
    marked = card.annotated_labels or "keep" not in (card.empty_images, card.unmasked_images)
    table = card.image_table
    _expect(table is None or table.by in ("file", "case"), f"{where}:image_table:by", "file or case", table and table.by)
    _expect(table is None or len(table.delimiter) == 1, f"{where}:image_table:delimiter", "one character", table and table.delimiter)
    expected = "a label, since a picture is kept as empty: without one its emptiness says nothing"
    _expect(bool(marked), f"{where}:annotated_labels", expected, card.annotated_labels)


def _check_split(card: Card, where: str) -> None:
    in_paths = any("{split" in pattern or "(?P<split>" in pattern for pattern in card.files.image)
    if card.official_split is None:
        expected = "the values of {split} under train, val or test, since files:image has that part (call it otherwise where it is no split)"
        _expect(not in_paths, f"{where}:official_split", expected, None)
        return
    unknown = sorted(set(card.official_split) - set(SPLITS))
    _expect(not unknown, f"{where}:official_split", f"keys among {', '.join(SPLITS)}", unknown)
    values = [value for group in card.official_split.values() for value in group]
    twice = sorted({value for value in values if values.count(value) > 1})
    _expect(not twice, f"{where}:official_split", "each value under one split", twice)
    stated = in_paths or (card.image_table is not None and card.image_table.split)
    _expect(bool(stated), f"{where}:official_split", "a {split} part in a pattern of files:image, or the column image_table:split", None)


def _check_reader(card: Card, where: str) -> None:
    """The fields that a reader needs are there, and none that it does not look at."""
    for name in NEEDED_FIELDS.get(card.reader, ()):
        _expect(getattr(card, name) is not None, f"{where}:{name}", f"this block, since the reader {card.reader} needs it", None)
    for field in dataclasses.fields(card):
        readers = FIELD_READERS.get(field.name, (card.reader,))
        value = getattr(card, field.name)
        expected = f"nothing: the reader {card.reader} does not look at it, only {', '.join(readers)} do"
        _expect(card.reader in readers or value == field.default, f"{where}:{field.name}", expected, value)


def _expect(condition: bool, where: str, expected: str, value: Any) -> None:
    if not condition:
        raise ParamError(f"{where}: expected {expected}, got {value!r}")
