"""Folders with a ``dataset.json``: Medical Segmentation Decathlon, nnU-Net version 1 and 2.

The JSON file (at the root, or in the one folder below it) says which images and labels belong together, so the card needs
no mask pattern: ``files: {image: [], mask: [], other: ["imagesTs/*"]}``. An image pattern is used where it is given, to
take ``{case}`` and ``{patient}`` from the images' paths ("imagesTr/prostate_{case}.nii.gz"); without it the label file's
name is case and patient.

- Version 1: ``training`` lists {image, label}; ``labels`` are {"1": "liver"}. Images with several channels are 4-D files
  (``channel`` in the card picks one) or, as nnU-Net keeps them, files that end in _0000, _0001, ...
- Version 2: ``file_ending``, ``channel_names``, ``numTraining``; ``labels`` are {"liver": 1}, or lists of values for regions
  ({"whole tumor": [1, 2, 3]}); images are imagesTr/CASE_0000, labels labelsTr/CASE.

Files of several channels are several views of one case, named as the JSON names them; ``channel`` in the card picks one.
``sources`` of the card are values (1) or names as the JSON has them ("liver"); every name of the JSON except the background
must stand in the card, under ``labels`` or ``ignored_sources``, and every name of the card in the JSON.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from stages.core.params import ParamError
from stages.ingest.blocks import LabelSource
from stages.ingest.card import Card
from stages.ingest.cases import Case, Found, MaskFile, item_id, make_case, safe_id
from stages.ingest.faults import Fault
from stages.ingest.patterns import compile_pattern, inside_root, list_files, match_parts
from stages.ingest.readers.base import Reading, Source
from stages.ingest.readers.volume_pairs import read_part, slices_of
from stages.ingest.tables import read_image_table

NAME = "dataset.json"
_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True)
class Listing:
    """What a dataset.json says: pairs of (image files, one a channel; label file), names of channels, names of label values."""

    path: str
    pairs: list[tuple[list[str], str]]
    channels: list[str]
    values: dict[str, list[int]]
    test: set[str]


class NnUnet:
    """Pairs from ``dataset.json``; then as ``volume_pairs``."""

    def find(self, card: Card, root: Path) -> Found:
        """Cases that the JSON file lists.

        Raises:
            ParamError: the JSON file is missing, cannot be read or lacks a key, or its labels and the card's differ.
        """
        files = list_files(root)
        listing = read_listing(root, files)
        with_values(card, listing)
        patterns = [compile_pattern(text, f"{card.name}:files:image") for text in card.files.image]
        table = read_image_table(card.image_table, root) if card.image_table else {}
        cases, errors, known = [], [], {listing.path, *listing.test}
        for images, label in listing.pairs:
            known.update((*images, label))
            for case in _views(card, listing, images, label):
                image = case[0]
                parts = _parts(card, image, label, patterns) | case[1]
                try:
                    _require_files(listing, image, label, set(files))
                    cases.append(make_case(card, image, parts, [MaskFile(label, "mask")], table))
                except Fault as fault:
                    errors.append(fault.as_error(item_id(card, parts)))
        others = [compile_pattern(text, f"{card.name}:files:other") for text in card.files.other]
        unmatched = [path for path in files if path not in known and match_parts(path, others) is None]
        return Found(cases, errors, unmatched, len(listing.pairs))

    def read(self, case: Case, source: Source) -> Reading:
        """The pair in LPS, the slices that show most."""
        card = with_values(source.card, read_listing(source.root, None))
        a_channel = _is_channel(case.image, case.masks[0].path)
        image = read_part(case.image, case, source, None if a_channel else card.channel)
        return slices_of(image, case, replace(source, card=card))


def read_listing(root: Path, files: list[str] | None) -> Listing:
    """The folder's dataset.json; ``files`` are all its files, None where the pairs are not needed.

    Raises:
        ParamError: see ``NnUnet.find``.
    """
    places = [path for path in (root / NAME, *sorted(root.glob(f"*/{NAME}"))) if path.is_file()]
    if not places or len(places) > 1 and places[0].parent != root:
        there = f"{len(places)} folders hold one" if places else "none is there"
        raise ParamError(f"the reader nnunet needs one {NAME} at the dataset's root or in one folder below it, and {there}: mend the dataset's root")
    path = places[0].relative_to(root).as_posix()
    try:
        content = json.loads(places[0].read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ParamError(f"{path} is no valid JSON ({error}): fetch it again") from error
    values = _values(content, path)
    channels = _require(content, path, ("channel_names", "modality"), dict, '{"0": "CT"}')
    names = [str(channels[key]) for key in sorted(channels, key=_number)]
    folder = PurePosixPath(path).parent
    if files is None:
        return Listing(path, [], names, values, set())
    pairs = _listed(content, path, folder, set(files)) if "training" in content else _by_folder(content, path, folder, files)
    test = content.get("test") or []
    return Listing(path, pairs, names, values, {str(folder / entry) for entry in test if isinstance(entry, str)})


def _number(key: Any) -> int:
    return int(key) if str(key).isdigit() else 0


def _require(content: Any, path: str, keys: tuple[str, ...], kind: type, example: str) -> Any:
    """The first of some keys that the JSON has, of the right type."""
    for key in keys:
        if isinstance(content, dict) and key in content:
            if isinstance(content[key], kind) and content[key]:
                return content[key]
            raise ParamError(f"{path}: `{key}` must look like {example}, it is {str(content[key])[:60]}: mend the file")
    raise ParamError(f"{path} has no `{keys[0]}` (such as {example}): it is no dataset.json of nnU-Net or the Decathlon; mend it")


def _values(content: Any, path: str) -> dict[str, list[int]]:
    """Label name -> its values; either way round, and with regions of several values."""
    labels = _require(content, path, ("labels",), dict, '{"background": 0, "liver": 1} or {"1": "liver"}')
    found = {}
    for key, value in labels.items():
        name, numbers = (str(value), [key]) if str(key).isdigit() else (str(key), value if isinstance(value, list) else [value])
        if not all(str(number).isdigit() for number in numbers):
            raise ParamError(f"{path}: the label {name!r} has the value {value!r}: whole numbers are needed; mend the file")
        found[name] = [int(number) for number in numbers]
    return found


def _listed(content: dict[str, Any], path: str, folder: PurePosixPath, files: set[str]) -> list[tuple[list[str], str]]:
    """Version 1: pairs as listed; where the image is not there, its files _0000, _0001, ... are taken."""
    pairs = []
    for entry in _require(content, path, ("training",), list, '[{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}]'):
        if not isinstance(entry, dict) or not {"image", "label"} <= entry.keys():
            raise ParamError(f"{path}: an entry of `training` has no `image` and `label`: {str(entry)[:80]}; mend the file")
        image, label = (str(folder / str(entry[key])) for key in ("image", "label"))
        pairs.append(([image] if image in files else _channels_of(image, files) or [image], label))
    return pairs


def _channels_of(image: str, files: set[str]) -> list[str]:
    stem, ending = _split_ending(image)
    found = []
    while (path := f"{stem}_{len(found):04d}{ending}") in files:
        found.append(path)
    return found


def _split_ending(path: str) -> tuple[str, str]:
    ending = next((ending for ending in _ENDINGS if path.endswith(ending)), PurePosixPath(path).suffix)
    return path.removesuffix(ending), ending


def _by_folder(content: dict[str, Any], path: str, folder: PurePosixPath, files: list[str]) -> list[tuple[list[str], str]]:
    """Version 2: every label file with the images of its name; a count that differs from ``numTraining`` is an error."""
    ending = _require(content, path, ("file_ending",), str, '".nii.gz"')
    number = _require(content, path, ("numTraining",), int, "131")
    there = set(files)
    labels = [name for name in files if PurePosixPath(name).parent == folder / "labelsTr" and name.endswith(ending)]
    if len(labels) != number:
        raise ParamError(f"{path}: `numTraining` is {number}, but labelsTr holds {len(labels)} files *{ending}: fetch the rest, or mend the number")
    pairs = []
    for label in labels:
        image = str(folder / "imagesTr" / PurePosixPath(label).name)
        pairs.append((_channels_of(image, there) or [f"{_split_ending(image)[0]}_0000{ending}"], label))
    return pairs


def _is_channel(image: str, label: str) -> bool:
    """Whether an image file is one channel of its case: CASE_0000 where the label is CASE."""
    tail = _split_ending(PurePosixPath(image).name)[0].removeprefix(_split_ending(PurePosixPath(label).name)[0])
    return tail.startswith("_") and len(tail) == len("_0000") and tail[1:].isdigit()


def _views(card: Card, listing: Listing, images: list[str], label: str) -> list[tuple[str, dict[str, str]]]:
    """The image files of a pair that become cases, with the ``view`` that each is."""
    if len(images) == 1:
        return [(images[0], {})]
    if len(images) > len(listing.channels):
        raise ParamError(f"{listing.path} names {len(listing.channels)} channels, but {label} has {len(images)} images: mend `channel_names`")
    if card.channel is not None:
        if card.channel >= len(images):
            raise ParamError(f"card {card.name}: channel {card.channel} is asked for, but {label} has {len(images)} images, counted from 0")
        return [(images[card.channel], {})]
    return [(image, {"view": safe_id(name.lower())}) for image, name in zip(images, listing.channels, strict=False)]


def _parts(card: Card, image: str, label: str, patterns: list[Any]) -> dict[str, str]:
    """Named parts of an image's path by the card's pattern, or the label file's name as case."""
    if not patterns:
        return {"case": _split_ending(PurePosixPath(label).name)[0]}
    parts = match_parts(image, patterns)
    if parts is None or "case" not in parts:
        expected = "a pattern with {case} that fits the images that dataset.json lists, or none"
        raise ParamError(f"{card.name}:files:image: expected {expected}; {image!r} does not fit {card.files.image}")
    return parts


def _require_files(listing: Listing, image: str, label: str, files: set[str]) -> None:
    for path in (image, label):
        if not inside_root(path):
            raise Fault("unsafe_path", listing.path, f"it names {path!r}, which leaves the dataset's root, and is refused")
        if path not in files:
            raise Fault("missing_file", path, f"{listing.path} lists it, but it is not there: fetch it, or take it off the list")


def with_values(card: Card, listing: Listing) -> Card:
    """The card with the names of the JSON's labels replaced by their values.

    Raises:
        ParamError: a name of the card is not in the JSON file, or a label of the JSON file is not in the card.
    """
    background = {name for name, values in listing.values.items() if values == [0]}
    used: set[str] = set()

    def resolve(sources: list[Any]) -> list[Any]:
        found: list[Any] = []
        for source in sources:
            name = str(source)
            if name in listing.values:
                used.add(name)
                found += listing.values[name]
            elif name == "*" or name.isdigit():
                used.update(listing.values if name == "*" else [label for label, values in listing.values.items() if values == [int(name)]])
                found.append(int(name) if name.isdigit() else name)
            else:
                near = ", ".join(difflib.get_close_matches(name, list(listing.values), n=3, cutoff=0.0))
                raise ParamError(f"card {card.name}: source {name!r} is no label of {listing.path}; nearest: {near}")
        return list(dict.fromkeys(found))

    labels = {name: LabelSource(resolve(entry.sources), entry.semantic) for name, entry in card.labels.items()}
    ignored = resolve(card.ignored_sources)
    covered = {value for entry in labels.values() for value in entry.sources} | set(ignored)
    missing = [name for name, values in listing.values.items() if name not in used | background and not set(values) <= covered]
    if missing:
        raise ParamError(f"card {card.name}: {listing.path} has the labels {', '.join(missing)}, which the card does not name: add them under `labels` or `ignored_sources`")
    return replace(card, labels=labels, ignored_sources=[value for value in ignored if not any(value in entry.sources for entry in labels.values())])
