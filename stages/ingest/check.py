"""``--check``: what a card makes of a folder, in words and one picture, before the pipeline sees it."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.core.geometry import decode_mask, tight_box
from stages.core.params import ParamError, load_params
from stages.core.records import Sample
from stages.core.stage import StageError
from stages.ingest.card import load_card
from stages.ingest.files import Found
from stages.ingest.run import check_limits, open_source, read_source
from stages.ingest.samples import CaseResult

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe", "#008080")
FIRST_FAULTS = 10
_TINT = 0.25


def main(card_path: str, root: str, overlay: str) -> None:
    """Print the findings and draw the overlay; a wrong card ends with one readable message and status 1."""
    try:
        limits = load_params().ingest
        check_limits(limits)
        source = open_source(load_card(card_path), Path(root), limits, "--root")
        found, results = read_source(source, workers=1)
    except (ParamError, StageError) as error:
        print(f"\ningest --check: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    print("\n".join(describe(found, results)))
    samples = [sample for result in results for sample in result.samples]
    if samples:
        draw_overlay(max(samples, key=lambda sample: len(sample.objects))).save(overlay)
        print(f"overlay of the picture with most objects: {overlay}")


def describe(found: Found, results: list[CaseResult]) -> list[str]:
    """Lines of plain words: what was found, labels, sizes, sides, flags, first faults."""
    samples = [sample for result in results for sample in result.samples]
    errors = found.errors + [error for result in results for error in (*result.lost, *result.partial)]
    flags = sum((result.flags for result in results), Counter())
    patients = len({sample.patient_id for sample in samples})
    sizes = sorted((sample.width, sample.height) for sample in samples)
    lines = [
        f"{len(found.cases)} cases with {found.n_masks} masks -> {len(samples)} pictures of {patients} patients",
        f"files that no pattern explains: {len(found.unmatched)}" + _first(found.unmatched),
        f"picture sizes (stored): {sizes[0]} to {sizes[-1]}" if sizes else "no picture could be read",
        f"spacing in mm [row, column]: {_distinct(sample.spacing_mm for sample in samples)}",
        f"picture's left side is: {_distinct(sample.image_left_is for sample in samples)}",
        f"licences: {_distinct(sample.licence for sample in samples)}",
        "labels (objects, pictures):",
    ]
    objects = Counter(item.label for sample in samples for item in sample.objects)
    pictures = Counter(label for sample in samples for label in {item.label for item in sample.objects})
    lines += [f"  {label}: {count}, {pictures[label]}" for label, count in sorted(objects.items())]
    lines += [f"flag {name}: {count}" for name, count in sorted(flags.items())]
    lines.append(f"faults: {len(errors)}")
    return lines + [f"  {error.kind}: {error.file}: {error.cause}" for error in errors[:FIRST_FAULTS]]


def _first(names: list[str]) -> str:
    return f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""


def _distinct(values: object) -> str:
    counts = Counter(map(str, values))  # type: ignore[call-overload]
    return ", ".join(f"{value} x {count}" for value, count in counts.most_common(5)) + (", ..." if len(counts) > 5 else "")


def draw_overlay(sample: Sample) -> Image.Image:
    """The stored picture with tinted masks, tight boxes, labels, and the patient's sides at its edges."""
    pixels = np.asarray(Image.open(io.BytesIO(sample.image)).convert("RGB")).astype(float)
    labels = sorted({item.label for item in sample.objects})
    boxes = []
    for item in sample.objects:
        mask, colour = decode_mask(item.mask_rle), COLOURS[labels.index(item.label) % len(COLOURS)]
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        pixels[mask] = (1 - _TINT) * pixels[mask] + _TINT * rgb
        boxes.append((tight_box(mask), f"{item.label} {item.instance}", colour))
    factor = max(1, round(512 / max(sample.width, sample.height)))
    picture = Image.fromarray(pixels.astype(np.uint8)).resize((sample.width * factor, sample.height * factor), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    for box, text, colour in boxes:
        x0, y0, x1, y1 = (value * factor for value in box)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=colour, width=2)
        draw.text((x0 + 3, y0 + 2), text, fill="white", stroke_width=1, stroke_fill="black")
    draw.text((3, picture.height - 14), sample.image_left_is or "side unknown", fill="yellow", stroke_width=1, stroke_fill="black")
    return picture
