"""Which identifying attributes a DICOM dataset states, and, for the owner of the data only, what an alias stands for.

    python -m stages.ingest.readers.dicom_identity ROOT NAME

prints the file that ingest calls NAME (``file-...``) and the names of its segments or structures, with the same key.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.params import read_yaml
from stages.ingest.patterns import list_files
from stages.ingest.privacy import alias_of

if TYPE_CHECKING:
    from pydicom import Dataset

PRIVATE = "PrivateAttributes"
_LIST = Path(__file__).parents[1] / "privacy.yaml"


@functools.cache
def _content() -> dict[str, Any]:
    return read_yaml(_LIST, "restore it from the repository: without it nothing tells which attributes identify a patient")


@functools.cache
def identifying_tags() -> dict[int, str]:
    """Tag -> keyword of every identifying attribute of ``privacy.yaml`` with a tag of its own."""
    from pydicom.datadict import tag_for_keyword

    content = _content()
    tags = {int(text, 16): f"Tag{text}" for text in content["tags"]}
    for keyword in content["attributes"]:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{_LIST.name}: {keyword!r} is no keyword of DICOM PS3.6 that pydicom knows")
        tags[tag] = keyword
    return tags


@functools.cache
def _patterns() -> dict[str, str]:
    return _content()["patterns"]


def identifying_attributes(dataset: Dataset) -> set[str]:
    """Keywords of the identifying attributes that hold a value, nested ones included; private ones count as one."""
    found: set[str] = set()
    todo: list[Dataset] = [dataset, *([dataset.file_meta] if getattr(dataset, "file_meta", None) else [])]
    while todo:
        items = todo.pop()
        for tag in items.keys():  # noqa: SIM118 (a dataset iterates over parsed elements, its keys over tags)
            keyword, nested = _meaning(int(tag))
            if (keyword is None or keyword in found) and not nested:
                continue
            element = items.get_item(tag)
            if keyword and getattr(element, "value", None) not in (None, b"", ""):
                found.add(keyword)
            if nested:
                todo += list(items[tag].value or [])
    return found


@functools.cache
def _meaning(tag: int) -> tuple[str | None, bool]:
    """Keyword of an identifying attribute (None for others), and whether it is a public sequence."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    if (tag >> 16) % 2:
        return PRIVATE, False
    return _keyword(tag), dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _keyword(tag: int) -> str | None:
    if tag in identifying_tags():
        return identifying_tags()[tag]
    if tag >> 24 in (0x50, 0x60):
        text = f"{tag:08X}"
        for pattern, keyword in _patterns().items():
            if all(wanted in ("x", digit) for wanted, digit in zip(pattern, text, strict=True)):
                return keyword
    return None


def describe_alias(root: Path, name: str) -> list[str]:
    """Lines for the terminal of whoever owns the data: the file, and what its masks are called."""
    from stages.ingest.readers.dicom_files import open_dataset

    for path in list_files(root):
        if alias_of(path) == name:
            dataset = open_dataset(root / path, path, header_only=False)
            segments = [f"segment {item.get('SegmentNumber')}: {item.get('SegmentLabel')}" for item in dataset.get("SegmentSequence") or []]
            rois = [f"structure {item.get('ROINumber')}: {item.get('ROIName')}" for item in dataset.get("StructureSetROISequence") or []]
            return [path, *segments, *rois]
    return [f"no file below {root} has the name {name} under this key"]


def main(arguments: Iterable[str]) -> None:
    """Entry: root and name."""
    given = list(arguments)
    if len(given) != 2:
        raise SystemExit("usage: python -m stages.ingest.readers.dicom_identity ROOT NAME")
    print("\n".join(describe_alias(Path(given[0]), given[1])))


if __name__ == "__main__":
    main(sys.argv[1:])
