"""The command line of queries written elsewhere: a file of them, or one sentence about a sample or a picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stages.core.params import ParamError, load_params
from stages.core.stage import StageError
from stages.verify.foreign.lines import FIELDS, line_fault


def add_arguments(reader: argparse.ArgumentParser) -> None:
    """Options of ``--queries`` and of ``--text``."""
    file = reader.add_argument_group("queries of a file")
    file.add_argument("--queries", type=Path, metavar="FILE", help="judge the queries of a JSONL file instead (stages/verify/foreign says of what form)")
    file.add_argument("--images", type=Path, metavar="FOLDER", help="where their pictures and masks are")
    file.add_argument("--out", type=Path, metavar="FILE", help="where the answers go (JSONL); else to standard output")
    file.add_argument("--field", action="append", default=[], metavar="NAME=THEIRS", help="what the file calls a field: --field text=caption --field boxes=bbox")
    file.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of lines that do not give it: --set modality=X-ray --set box_format=xywh_px")
    one = reader.add_argument_group("one sentence")
    one.add_argument("--text", help="judge one sentence instead")
    one.add_argument("--sample", metavar="SAMPLE_ID", help="the ingested sample that it is about")
    one.add_argument("--image", type=Path, metavar="PATH", help="or a picture, with --modality")
    one.add_argument("--modality", help="of --image: CT, MR, X-ray, ...")
    one.add_argument("--image-left-is", metavar="SIDE", help="of --image: patient_left or patient_right, where the picture shows sides of a patient")
    one.add_argument("--box", action="append", metavar="x0,y0,x1,y1", help="a target in pixels; may be repeated")
    one.add_argument("--mask", action="append", metavar="PATH", help="a target as a PNG file of --image's size; may be repeated")
    one.add_argument("--label", action="append", metavar="LABEL", help="what the boxes or masks show: one for all, or one for each")
    one.add_argument("--absent", action="store_true", help="the sentence is about something that is not in the picture")


def run(chosen: argparse.Namespace, reader: argparse.ArgumentParser) -> bool:
    """Do what the options ask; False where they ask for nothing of this kind."""
    if chosen.text is None and chosen.queries is None:
        if any(getattr(chosen, name) for name in ("sample", "image", "images", "out", "box", "mask", "label", "modality", "absent", "field", "set")):
            reader.error("expected --queries FILE, or --text with --sample or --image, or none of them")
        return False
    if chosen.text is not None and (chosen.queries is not None or (chosen.sample is None) == (chosen.image is None)):
        reader.error("expected --text with either --sample or --image, and without --queries")
    from stages.verify.foreign.audit import answer_file, answer_text

    try:
        if chosen.queries is not None:
            called = {name: str(theirs) for name, theirs in _pairs(chosen.field, "--field", reader).items()}
            answer_file(chosen.queries, chosen.images, chosen.out, load_params(), called, _values(chosen, reader))
        else:
            fields, images = _sentence(chosen, reader)
            answer_text(fields, images, load_params())
    except (StageError, ParamError, FileNotFoundError, NotADirectoryError) as error:
        raise SystemExit(f"verify: {error}") from error
    return True


def _pairs(options: list[str], option: str, reader: argparse.ArgumentParser) -> dict[str, str]:
    found = {}
    for given in options:
        name, sign, value = given.partition("=")
        if not sign or name not in FIELDS:
            reader.error(f"{option} {given!r}: expected NAME=..., NAME one of {', '.join(FIELDS)}")
        found[name] = value
    return found


def _values(chosen: argparse.Namespace, reader: argparse.ArgumentParser) -> dict[str, Any]:
    """The values of ``--set``; lists and numbers as JSON."""
    given = _pairs(chosen.set, "--set", reader)
    try:
        return {name: value if FIELDS[name] is str or name in ("label", "id") else json.loads(value) for name, value in given.items()}
    except ValueError as error:
        reader.error(f"--set: a list or a number is written as JSON ({error})")


def _sentence(chosen: argparse.Namespace, reader: argparse.ArgumentParser) -> tuple[dict[str, Any], Path | None]:
    """The line that the options of ``--text`` say, and the folder of its pictures."""
    fields: dict[str, Any] = {"text": chosen.text}
    if chosen.sample is not None:
        fields["sample_id"] = chosen.sample
    else:
        fields |= {"image": chosen.image.name, "modality": chosen.modality, "image_left_is": chosen.image_left_is}
    images = chosen.image.parent if chosen.image is not None else None
    if chosen.box:
        fields["boxes"] = [_box(text, reader) for text in chosen.box]
    if chosen.mask:
        fields["masks"] = [_beside(Path(path), images, reader) for path in chosen.mask]
    if chosen.absent:
        fields["anchor_ids" if chosen.sample is not None else "boxes"] = []
    if chosen.label:
        fields["label"] = chosen.label[0] if len(chosen.label) == 1 else chosen.label
    fields = {name: value for name, value in fields.items() if value is not None}
    fault = line_fault(fields)
    if fault:
        reader.error(f"{fault} (options of --text)")
    return fields, images


def _box(text: str, reader: argparse.ArgumentParser) -> list[float]:
    try:
        box = [float(part) for part in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        reader.error(f"--box {text!r}: expected four numbers x0,y0,x1,y1 in pixels")
    return box


def _beside(path: Path, images: Path | None, reader: argparse.ArgumentParser) -> str:
    """A mask's path as seen from the picture's folder, which it must lie in."""
    if images is None:
        reader.error("--mask belongs to --image; an ingested sample has masks")
    if not path.resolve().is_relative_to(images.resolve()):
        reader.error(f"--mask {path}: expected a file in or below the picture's folder {images}")
    return str(path.resolve().relative_to(images.resolve()))
