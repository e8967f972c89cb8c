"""From a folder to cases: which image goes with which masks, by the patterns of a card."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.core.params import ParamError
from stages.core.records import ItemError
from stages.ingest.card import UNNAMED_MASK, Card
from stages.ingest.faults import Fault
from stages.ingest.patterns import compile_pattern, leaves_root, list_files, match_parts
from stages.ingest.tables import Table, read_image_table, row_of

# What a sample's licence says when neither card nor table knows it.
UNKNOWN_LICENCE = "unknown"


@dataclass(frozen=True)
class Place:
    """Where a cropped mask sits: pixels of the whole image, which is ``image_width`` x ``image_height``."""

    top: int
    left: int
    width: int
    height: int
    image_width: int
    image_height: int


@dataclass(frozen=True)
class MaskFile:
    """One mask file of a case.

    ``source`` is the structure that its name or table row states. ``place`` says where a cropped mask sits in the
    image, None for a mask of the image's own size. ``fault`` is a fault known before reading.
    """

    path: str
    source: str
    place: Place | None = None
    fault: Fault | None = None


@dataclass(frozen=True)
class Case:
    """One image and its masks, as paths relative to the root, in sorted order.

    ``files`` are all files of an image that has several (a DICOM series; ``image`` is the first). ``paths`` says where a
    file lies whose own name must not travel on: the name it has here -> its path.
    """

    case_id: str
    patient: str
    view: str
    licence: str
    image: str
    masks: list[MaskFile]
    files: list[str] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    # [row, column] pixel size in mm that card or image table state, None where neither does.
    spacing_mm: list[float] | None = None
    # The source's own split, by the card's ``official_split``.
    split: str | None = None

    def path_of(self, name: str) -> str:
        """Path below the root of one of the case's files."""
        return self.paths.get(name, name)


@dataclass(frozen=True)
class Found:
    """What the patterns made of a folder: cases, faults of whole items, files that no pattern names, how many masks."""

    cases: list[Case]
    errors: list[ItemError]
    unmatched: list[str]
    n_masks: int


def refuse_outside(found: Found, card: Card, root: Path) -> Found:
    """The cases whose files all lie below the root; each of the others becomes an error."""
    cases, errors = [], list(found.errors)
    for case in found.cases:
        names = {case.image, *case.files, *(mask.path for mask in case.masks)}
        outside = sorted(name for name in names if leaves_root(root, case.path_of(name)))
        if outside:
            cause = "it is a link to a file outside the dataset's root and is refused: put the file itself there"
            errors.append(Fault("unsafe_path", outside[0], cause).as_error(f"{card.name}/{case.case_id}"))
        else:
            cases.append(case)
    return Found(cases, errors, found.unmatched, found.n_masks)


@dataclass(frozen=True)
class Sorted:
    """Files by the card's patterns: path -> named parts; ``unmatched`` are those that no pattern names."""

    images: dict[str, dict[str, str]]
    masks: dict[str, dict[str, str]]
    unmatched: list[str]


def sort_files(card: Card, root: Path) -> Sorted:
    """All files below the root; a file belongs to the first group of patterns that fits (image, mask, other).

    Raises:
        ParamError: a pattern is not valid, or an image pattern has no ``{case}``.
    """
    groups = {kind: [compile_pattern(p, f"{card.name}:files:{kind}") for p in getattr(card.files, kind)] for kind in ("image", "mask", "other")}
    require_case(card, groups["image"])
    images: dict[str, dict[str, str]] = {}
    masks: dict[str, dict[str, str]] = {}
    unmatched = []
    for path in list_files(root):
        if (parts := match_parts(path, groups["image"])) is not None:
            images[path] = parts
        elif (parts := match_parts(path, groups["mask"])) is not None:
            masks[path] = parts
        elif match_parts(path, groups["other"]) is None:
            unmatched.append(path)
    return Sorted(images, masks, unmatched)


def tie_by_name(card: Card, root: Path) -> Found:
    """Cases of a folder whose masks are tied to images by the parts of their paths.

    Raises:
        ParamError: a pattern is not valid, or the image pattern has no ``{case}``.
    """
    files = sort_files(card, root)
    return _tie(card, root, files.images, files.masks, files.unmatched)


def require_case(card: Card, patterns: list[re.Pattern[str]]) -> None:
    """Every image pattern must name its case."""
    for pattern, text in zip(patterns, card.files.image, strict=True):
        if "case" not in pattern.groupindex:
            raise ParamError(f"{card.name}:files:image: the pattern {text!r} has no {{case}}")


def _tie(card: Card, root: Path, images: dict[str, dict[str, str]], masks: dict[str, dict[str, str]], unmatched: list[str]) -> Found:
    shared = shared_names(images, masks)
    by_key: dict[tuple[str, ...], list[MaskFile]] = {}
    for path, parts in masks.items():
        by_key.setdefault(key_of(parts, shared), []).append(MaskFile(path, parts.get("label", UNNAMED_MASK)))
    table = read_image_table(card.image_table, root) if card.image_table else {}
    cases, errors, used = [], [], set()
    for path, parts in images.items():
        key = key_of(parts, shared)
        used.add(key)
        if key not in by_key and card.unmasked_images == "fault":
            cause = "no mask file fits this image: add the mask, take the image out of the folder, or set `unmasked_images` in the card"
            errors.append(Fault("image_without_mask", path, cause).as_error(item_id(card, parts)))
            continue
        try:
            cases.append(make_case(card, path, parts, by_key.get(key, []), table))
        except Fault as fault:
            errors.append(fault.as_error(item_id(card, parts)))
    for key in sorted(set(by_key) - used):
        for mask in by_key[key]:
            cause = "no image fits this mask: add the image, or take the mask out of the folder"
            errors.append(Fault("mask_without_image", mask.path, cause).as_error(item_id(card, masks[mask.path])))
    return Found(cases, errors, unmatched, len(masks))


def shared_names(images: dict[str, dict[str, str]], masks: dict[str, dict[str, str]]) -> list[str]:
    """Names of parts that tie images to masks: those that some image and some mask path both carry."""
    in_images = set().union(*images.values()) if images else set()
    in_masks = set().union(*masks.values()) if masks else set()
    return sorted(in_images & in_masks - {"label"})


def key_of(parts: dict[str, str], names: list[str]) -> tuple[str, ...]:
    """Values of some parts, in the order of their names; empty where a path does not carry one."""
    return tuple(parts.get(name, "") for name in names)


def empty_policy(case: Case, card: Card) -> str:
    """What becomes of a picture of this case in which nothing is marked: fault, drop or keep."""
    return card.empty_images if case.masks else card.unmasked_images


def item_id(card: Card, parts: dict[str, str]) -> str:
    """dataset/case of some path parts."""
    return f"{card.name}/{safe_id(parts.get('case', 'unknown'))}"


def safe_id(text: str) -> str:
    """Text as part of an id: letters, digits, dot, dash and underscore stay, anything else becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def make_case(card: Card, path: str, parts: dict[str, str], masks: list[MaskFile], table: dict[str, dict[str, str]]) -> Case:
    """A case from the parts of its image's path; patient, licence and pixel size from the card's image table where it has one.

    Raises:
        Fault: the image table has no row for this image, or states a pixel size that is no number.
    """
    row = row_of(card.image_table, table, path, parts["case"]) if card.image_table else {}
    patient = (row.get(card.image_table.patient or "") if card.image_table else None) or parts.get("patient") or parts["case"]
    licence = (row.get(card.image_table.licence or "") if card.image_table else None) or card.licence or UNKNOWN_LICENCE
    view = safe_id(parts.get("view") or parts.get("slice") or card.view)
    masks = sorted(masks, key=lambda mask: mask.path)
    case = Case(safe_id(parts["case"]), patient.strip(), view, licence.strip(), path, masks, spacing_mm=_pixel_size(card, row, path))
    return replace(case, split=_split_of(card, row, parts, path))


def _split_of(card: Card, row: dict[str, str], parts: dict[str, str], path: str) -> str | None:
    """The source's split of an image: the column of its table where the card names one, else the ``{split}`` of its path."""
    if card.official_split is None:
        return None
    column = card.image_table.split if card.image_table else None
    text = row.get(column, "").strip() if column else parts.get("split", "")
    for split, values in card.official_split.items():
        if text in values:
            return split
    cause = f"its split {text!r} is not under official_split of the card: add it there"
    raise Fault("unknown_split", path, cause)


def _pixel_size(card: Card, row: dict[str, str], path: str) -> list[float] | None:
    """[row, column] in mm: the image's own of the table, else the one that the card states for the whole set."""
    text = row.get(card.image_table.pixel_mm or "", "").strip() if card.image_table else ""
    if not text:
        return card.pixel_mm
    try:
        side = float(text)
    except ValueError:
        side = math.nan
    if not (math.isfinite(side) and side > 0):
        where = f"column {card.image_table.pixel_mm} of {card.image_table.table}" if card.image_table else ""
        raise Fault("bad_spacing", path, f"{where} says {text!r}: a positive number of millimetres is needed; mend the table or leave it empty")
    return [side, side]


def table_errors(card: Card, table: Table) -> list[ItemError]:
    """Faults of a table's rows as errors; which image a broken row means cannot be said."""
    return [fault.as_error(item_id(card, {})) for fault in table.faults]
