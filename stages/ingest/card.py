"""Cards: what a source dataset is, in which files, under which licence, and what its labels are called here.

A card holds no path of this machine: the folder comes from ``datasets.<name>.root`` of params.yaml, so that one
card serves every copy of the data. ``data/cards/README.md`` explains every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.core.params import ParamError, build
from stages.ingest.blocks import CropTable, FilePatterns, ImageTable, Intensity, LabelSource, SlicePolicy
from stages.knowledge.labels import UnknownLabelError, label

MODALITIES = ("CT", "MR", "X-ray", "ultrasound", "microscopy", "endoscopy", "dermoscopy", "fundus")
IMAGE_LEFT = ("patient_right", "patient_left", None)
PLANES = ("axial", "coronal", "sagittal", None)
VERIFIED_ON = ("real", "miniature", "phantom")
INTENSITIES = ("stored", "window", "percentiles")
# Source name of the masks of a set whose file names carry no {label}.
UNNAMED_MASK = "mask"


@dataclass(frozen=True)
class Card:
    """One source dataset. The commented example says what each field means to its reader.

    A fact about the source that is not known is null, with a word about it in ``notes``. ``verified_on`` says what the
    card was tried on: ``real`` files of the set, a ``miniature`` tree in its documented layout, or a ``phantom``.
    """

    name: str
    title: str
    url: str
    version: str | None
    licence: str | None
    licence_limits: str
    citation: str | None
    verified_on: str
    modality: str
    body_part: str
    reader: str
    files: FilePatterns
    labels: dict[str, LabelSource]
    ignored_sources: list[Any]
    annotated_labels: list[str]
    view: str
    image_left_is: str | None
    intensity: Intensity
    hash_patients: bool
    plane: str | None = None
    slices: SlicePolicy | None = None
    # Frame or component of a volume with four dimensions, from 0; None: such a volume is a fault.
    channel: int | None = None
    # Labels on another grid than the image are resampled to it (nearest neighbour); False: they are a fault.
    resample_masks: bool = False
    mask_threshold: int | None = None
    # The masks are drawn outlines: they are filled.
    fill_outlines: bool = False
    # [row, column] pixel size of pictures in mm, where the source states one for the whole set.
    pixel_mm: list[float] | None = None
    # Official split: train, val, test -> values of the ``{split}`` part of the image's path, or of the table's column.
    official_split: dict[str, list[str]] | None = None
    # The source was published without identifying fields, although its files do not say so.
    deidentified: bool = False
    crops: CropTable | None = None
    image_table: ImageTable | None = None
    midline_in_view: bool = True
    notes: str = ""

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
        ParamError: the file is missing or no YAML, a key is unknown, missing or of the wrong type, a value is not
            one of those allowed, or a label is not canonical (the nearest names are given).
    """
    path = Path(path)
    if not path.exists():
        raise ParamError(f"card {path} not found: check `card` of the dataset in params.yaml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParamError(f"{path} is not valid YAML: {error}") from error
    card = build(Card, content, path.name)
    _check(card, path.name)
    return card


def _check(card: Card, where: str) -> None:
    for key, allowed in (("modality", MODALITIES), ("image_left_is", IMAGE_LEFT), ("plane", PLANES), ("verified_on", VERIFIED_ON)):
        _expect(getattr(card, key) in allowed, f"{where}:{key}", f"one of {', '.join(map(str, allowed))}", getattr(card, key))
    _expect(card.intensity.kind in INTENSITIES, f"{where}:intensity:kind", f"one of {', '.join(INTENSITIES)}", card.intensity.kind)
    needed = {"window": ("level", "width"), "percentiles": ("low", "high"), "stored": ()}[card.intensity.kind]
    for key in needed:
        _expect(getattr(card.intensity, key) is not None, f"{where}:intensity:{key}", "a number", None)
    _expect(bool(card.labels), f"{where}:labels", "at least one label", card.labels)
    for name in [*card.labels, *card.annotated_labels]:
        try:
            label(name)
        except UnknownLabelError as error:
            raise ParamError(f"{where}:labels: {error}") from error
    extra = sorted(set(card.annotated_labels) - set(card.labels))
    _expect(not extra, f"{where}:annotated_labels", "labels that stand under `labels` too", extra)


def _expect(condition: bool, where: str, expected: str, value: Any) -> None:
    if not condition:
        raise ParamError(f"{where}: expected {expected}, got {value!r}")
