"""What the readers share whose annotation files speak of many images: which record goes with which image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stages.core.records import ItemError
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, MaskFile, Sorted, item_id, make_case, safe_id, shared_names
from stages.ingest.faults import Fault
from stages.ingest.tables import read_image_table


@dataclass(frozen=True)
class MarkedCase(Case):
    """A case whose objects stand in files that many cases share: ``records`` are its own ones."""

    records: tuple[Any, ...] = ()


@dataclass
class Marks:
    """What annotation files say of one image: the files, and one record an object (a Fault where it is broken)."""

    files: set[str] = field(default_factory=set)
    records: list[Any] = field(default_factory=list)


class ImageNames:
    """Images by the names that annotation files call them."""

    def __init__(self, files: Sorted) -> None:
        self._parts, self._shared = files.images, shared_names(files.images, files.masks)
        self._by_name: dict[str, list[str]] = {}
        for path in files.images:
            pure = PurePosixPath(path)
            for name in {path, pure.name, pure.stem}:
                self._by_name.setdefault(name, []).append(path)

    def find(self, name: str, parts: dict[str, str], file: str) -> str:
        """The one image that is meant by a path (its end is enough), a file name, or one without its ending.

        ``parts`` are those of the annotation file's path: images that carry the same parts must agree on them.

        Raises:
            Fault: none fits, or several.
        """
        text = name.strip().replace("\\", "/").removeprefix("./")
        pure = PurePosixPath(text)
        fits = self._by_name.get(text) or self._by_name.get(pure.name) or self._by_name.get(pure.stem) or []
        fits = [path for path in fits if self._agrees(path, parts)]
        ends = [path for path in fits if path == text or path.endswith(f"/{text}")]
        fits = ends or fits
        if len(fits) == 1:
            return fits[0]
        if fits:
            cause = f"it speaks of {name!r}, which {len(fits)} images are called ({', '.join(fits[:3])}): give their patterns a part that tells which"
        else:
            cause = f"it speaks of the image {name!r}, which is not there: fetch it, or drop the record"
        raise Fault("mask_without_image", file, cause)

    def _agrees(self, path: str, parts: dict[str, str]) -> bool:
        own = self._parts[path]
        return all(own.get(name, parts.get(name, "")) == parts.get(name, own.get(name, "")) for name in self._shared)


def cases_with(card: Card, root: Path, files: Sorted, marks: dict[str, Marks], errors: Iterable[ItemError]) -> Found:
    """Cases of the images with the marks by path; images without any are faults or kept, as ``unmasked_images`` says."""
    table = read_image_table(card.image_table, root) if card.image_table else {}
    cases: list[Case] = []
    found = list(errors)
    for path, parts in files.images.items():
        mine = marks.get(path)
        try:
            if mine is None and card.unmasked_images == "fault":
                cause = "no annotation file speaks of this image: annotate it, take it out, or set `unmasked_images` in the card"
                raise Fault("image_without_mask", path, cause)
            masks = [MaskFile(name, "") for name in sorted(mine.files)] if mine else []
            case = make_case(card, path, parts, masks, table)
            cases.append(MarkedCase(**vars(case), records=tuple(mine.records) if mine else ()))
        except Fault as fault:
            found.append(fault.as_error(item_id(card, parts)))
    return Found(cases, found, files.unmatched, sum(len(mine.records) for mine in marks.values()))


def file_error(card: Card, fault: Fault, name: str = "") -> ItemError:
    """A fault of an annotation file, or of what it says of an image that is not there, as an error."""
    return fault.as_error(f"{card.name}/{safe_id(PurePosixPath(name or fault.file).stem) or 'unknown'}")
