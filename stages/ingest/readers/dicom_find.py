"""From a folder tree of DICOM files to cases: series and single pictures, and the masks that were drawn on them.

Names of files, patients and studies do not leave: a case is called by a keyed hash of its series (of its instance for
single pictures) unless the card's pattern has a ``{case}``, and a file by a hash of its path unless the card says that
the set is ``deidentified``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from stages.core.params import ParamError
from stages.core.records import ItemError
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.cases import Case, Found, MaskFile, make_case, safe_id
from stages.ingest.faults import Fault
from stages.ingest.patterns import compile_pattern, list_files, match_parts
from stages.ingest.privacy import alias_of, keyed_hash, require_private_key
from stages.ingest.readers.dicom_files import Header, read_header
from stages.ingest.tables import read_image_table

# Masks that are no DICOM: volumes that ITK reads, and pictures.
VOLUME_ENDINGS = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
PICTURE_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".gif")
_DIRECTORY_NAME = "DICOMDIR"
_SHORT = 8
_COMMON_PARTS = ("case", "patient", "view", "split")


@dataclass(frozen=True)
class _File:
    path: str
    parts: dict[str, str]
    header: Header | None


@dataclass(frozen=True)
class _Unit:
    """What becomes one case: the files of a series with a place in the patient, or one picture."""

    files: list[_File]

    @property
    def first(self) -> _File:
        return self.files[0]

    @property
    def header(self) -> Header:
        assert self.first.header is not None  # units are made of images with headers
        return self.first.header

    @property
    def uid(self) -> str:
        return self.header.series_uid if self.header.placed else self.header.sop_uid

    @property
    def uids(self) -> set[str]:
        """UIDs by which a mask may name this unit."""
        own = {file.header.sop_uid for file in self.files if file.header}
        return own | ({self.header.series_uid} if self.header.placed else set())


@dataclass(frozen=True)
class _Names:
    """What files are called in everything that leaves."""

    private: bool

    def of(self, path: str) -> str:
        return alias_of(path) if self.private else path


def find_cases(card: Card, root: Path) -> Found:
    """Cases of a folder tree, with the masks tied by the UIDs that they name, by frame of reference, or by their paths.

    Raises:
        ParamError: a pattern is not valid, patients are not to be hashed, or identities may be there and no private key is set.
    """
    if not card.hash_patients:
        raise ParamError(f"card {card.name}: hash_patients must be true for DICOM, whose patient numbers must not leave")
    names = _Names(private=not card.deidentified)
    images, masks, unmatched, errors = _sort_files(card, root, names)
    headers = [file.header for file in [*images, *masks] if file.header]
    if not card.deidentified and not all(header.identity_removed for header in headers):
        require_private_key(card.name, "or say `deidentified: true` in the card if the set was published without identities")
    units = _units(images)
    tied, orphans = _tie(units, masks, names)
    errors += [_error(card, names, fault, file) for fault, file in orphans]
    table = read_image_table(card.image_table, root) if card.image_table else {}
    titles = _titles(units, card)
    cases = []
    for number, unit in enumerate(units):
        if not tied[number] and card.unmasked_images == "fault":
            cause = "no segmentation names this series, and no label map fits it: add it, take the series out, or set `unmasked_images` in the card"
            errors.append(_error(card, names, Fault("image_without_mask", names.of(unit.first.path), cause), unit.first))
            continue
        try:
            cases.append(_case(card, unit, titles[number], tied[number], table, names))
        except Fault as fault:
            shown = Fault(fault.kind, names.of(unit.first.path), fault.cause)
            errors.append(_error(card, names, shown, unit.first))
    return Found(cases, errors, [names.of(path) for path in unmatched], len(masks))


def _sort_files(card: Card, root: Path, names: _Names) -> tuple[list[_File], list[_File], list[str], list[ItemError]]:
    """Images, masks, files that nothing explains, and faults; what a DICOM file is, its header says, wherever it lies."""
    from tqdm import tqdm

    groups = {kind: [compile_pattern(p, f"{card.name}:files:{kind}") for p in getattr(card.files, kind)] for kind in ("image", "mask", "other")}
    images: list[_File] = []
    masks: list[_File] = []
    unmatched: list[str] = []
    errors: list[ItemError] = []
    for path in tqdm(list_files(root), desc=f"headers {card.name}", unit="file"):
        parts = match_parts(path, groups["image"])
        parts = match_parts(path, groups["mask"]) if parts is None else parts
        if parts is None or PurePosixPath(path).name.upper() == _DIRECTORY_NAME:
            known = parts is not None or match_parts(path, groups["other"]) is not None
            unmatched += [] if known else [path]
            continue
        if path.lower().endswith((*VOLUME_ENDINGS, *PICTURE_ENDINGS)):
            named = match_parts(path, groups["mask"])
            # Under the pattern of the images only those parts tie that mean the same everywhere.
            masks.append(_File(path, named or {name: text for name, text in parts.items() if name in _COMMON_PARTS}, None))
            continue
        try:
            header = read_header(root / path, names.of(path))
        except Fault as fault:
            errors.append(_error(card, names, fault, _File(path, parts, None)))
            continue
        target = {"image": images, "seg": masks, "rtstruct": masks}.get(header.kind)
        if target is not None:
            target.append(_File(path, parts, header))
        elif header.kind == "other":
            unmatched.append(path)
    return images, masks, unmatched, errors


def _units(images: list[_File]) -> list[_Unit]:
    groups: dict[tuple[str, ...], list[_File]] = {}
    for file in images:
        assert file.header is not None
        key = (file.header.series_uid, "") if file.header.placed else (file.header.series_uid, file.path)
        groups.setdefault(key, []).append(file)
    return [_Unit(files) for files in groups.values()]


def _tie(units: list[_Unit], masks: list[_File], names: _Names) -> tuple[list[list[_File]], list[tuple[Fault, _File]]]:
    """Masks of every unit, and the masks that fit none or several."""
    tied: list[list[_File]] = [[] for _ in units]
    orphans = []
    for mask in masks:
        fitting = _fitting(units, mask)
        if len(fitting) == 1:
            tied[fitting[0]].append(mask)
        elif not fitting:
            cause = "the series that it was drawn on is not in the folder: add it, or take the mask out"
            orphans.append((Fault("mask_without_image", names.of(mask.path), cause), mask))
        else:
            cause = f"{len(fitting)} series fit it, expected one: give masks and series a common part in the card's patterns"
            orphans.append((Fault("several_images", names.of(mask.path), cause), mask))
    return tied, orphans


def _fitting(units: list[_Unit], mask: _File) -> list[int]:
    """Units that a mask may belong to: those that it names, else those in its frame of reference, else those that its path fits."""
    if mask.header is not None:
        named = [number for number, unit in enumerate(units) if unit.uids & mask.header.references]
        if named:
            return named
        frame = mask.header.frame_of_reference
        return [number for number, unit in enumerate(units) if frame and unit.header.frame_of_reference == frame]
    shared = {name for unit in units for name in unit.first.parts if name in mask.parts and name != "label"}
    return [number for number, unit in enumerate(units) if all(unit.first.parts.get(name) == mask.parts.get(name) for name in shared)]


def _titles(units: list[_Unit], card: Card) -> list[str]:
    """A case id for every unit, the same in every run under one key."""
    hashes = [keyed_hash("case", card.name, unit.uid) for unit in units]
    given = [(unit.first.parts.get("case"), unit.first.parts.get("view")) for unit in units]
    counts = Counter(given)
    titles = []
    for short, (case, view) in zip(hashes, given, strict=True):
        alone = counts[case, view] == 1
        titles.append(short if case is None else safe_id(case) if alone else f"{safe_id(case)}-{short[:_SHORT]}")
    return titles


def _case(card: Card, unit: _Unit, title: str, masks: Iterable[_File], table: dict[str, dict[str, str]], names: _Names) -> Case:
    """The case, with every file under the name that may leave."""
    files = sorted(file.path for file in unit.files)
    parts = {"patient": unit.header.patient, **unit.first.parts, "case": title}
    mask_files = [MaskFile(names.of(mask.path), mask.parts.get("label", UNNAMED_MASK)) for mask in masks]
    case = make_case(card, unit.first.path, parts, mask_files, table)
    real = [*files, *(mask.path for mask in masks)]
    paths = {names.of(path): path for path in real} if names.private else {}
    return replace(case, image=names.of(files[0]), files=[names.of(path) for path in files], paths=paths)


def _error(card: Card, names: _Names, fault: Fault, file: _File) -> ItemError:
    case = file.parts.get("case")
    return fault.as_error(f"{card.name}/{safe_id(case) if case else keyed_hash('path', file.path)}")
