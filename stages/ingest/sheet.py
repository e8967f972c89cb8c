"""The overlay picture of ``--check``: a few samples with tinted masks, boxes, labels and the patient's sides."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import Sample, SampleObject

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe", "#008080")
PICTURES, COLUMNS, TILE_PX = 6, 3, 420
_TINT = 0.3
# With more objects than this, boxes and names would hide the picture: only the masks are tinted.
_MOST_NAMED = 40
_SIDES = {"patient_right": ("R", "L"), "patient_left": ("L", "R"), None: ("?", "?")}


def choose_samples(samples: Sequence[Sample], count: int = PICTURES) -> list[Sample]:
    """A few samples of different cases that show every label, the rarest first; then those with most objects."""
    chosen: list[Sample] = []
    shown: Counter[str] = Counter()
    frequency = Counter(label for sample in samples for label in {item.label for item in sample.objects})
    rest = list(samples)
    while rest and len(chosen) < count:
        cases = {sample.case_id for sample in chosen}

        def worth(sample: Sample, cases: set[str] = cases) -> tuple[float, bool, int]:
            found = {item.label for item in sample.objects}
            return sum(0.5 ** shown[label] / frequency[label] for label in found), sample.case_id not in cases, len(sample.objects)

        best = max(rest, key=worth)
        rest.remove(best)
        chosen.append(best)
        shown.update({item.label for item in best.objects})
    return chosen


def draw_sheet(samples: Sequence[Sample]) -> Image.Image:
    """Chosen samples as tiles of one picture, with a legend of the labels below."""
    chosen = choose_samples(samples)
    labels = sorted({item.label for sample in chosen for item in sample.objects})
    colours = {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    legend_rows = -(-len(labels) // (2 * columns))
    sheet = Image.new("RGB", (columns * TILE_PX, rows * TILE_PX + 18 * legend_rows + 6), "black")
    for number, sample in enumerate(chosen):
        tile = draw_sample(sample, colours)
        tile.thumbnail((TILE_PX - 6, TILE_PX - 24))
        place = (number % columns * TILE_PX + 3, number // columns * TILE_PX + 18)
        sheet.paste(tile, place)
        ImageDraw.Draw(sheet).text((place[0], place[1] - 15), sample.sample_id[-62:], fill="white")
    _draw_legend(sheet, colours, rows * TILE_PX + 3)
    return sheet


def _draw_legend(sheet: Image.Image, colours: dict[str, str], top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    per_row = 2 * (sheet.width // TILE_PX)
    for number, (label, colour) in enumerate(colours.items()):
        x, y = number % per_row * TILE_PX // 2 + 4, top + 18 * (number // per_row)
        draw.rectangle((x, y + 2, x + 10, y + 12), fill=colour)
        draw.text((x + 15, y), label, fill="white")


def draw_sample(sample: Sample, colours: dict[str, str]) -> Image.Image:
    """The stored picture, small ones enlarged, with tinted masks, tight boxes, labels, and R and L at its edges."""
    pixels = np.asarray(Image.open(io.BytesIO(sample.image)).convert("RGB")).astype(np.float32)
    boxes: list[tuple[list[float], SampleObject]] = []
    for item in sample.objects:
        mask, colour = decode_mask(item.mask_rle), colours[item.label]
        rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
        pixels[mask] = (1 - _TINT) * pixels[mask] + _TINT * rgb
        boxes.append((tight_box(mask), item))
    factor = max(1, TILE_PX // max(sample.width, sample.height))
    picture = Image.fromarray(pixels.astype(np.uint8)).resize((sample.width * factor, sample.height * factor), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / TILE_PX * 1.5))
    for box, item in boxes if len(boxes) <= _MOST_NAMED else []:
        x0, y0, x1, y1 = (value * factor for value in box)
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colours[item.label], width=width)
        _write(draw, (x0 + 3, y0 + 2), f"{item.label} {item.instance}", 10 * width // 2, "white")
    size = max(12, max(picture.size) // 22)
    for text, x in zip(_SIDES[sample.image_left_is], (4, picture.width - size), strict=True):
        _write(draw, (x, picture.height / 2 - size / 2), text, size, "yellow")
    return picture


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: float, colour: str) -> None:
    draw.text(place, text, fill=colour, font_size=max(10, size), stroke_width=1, stroke_fill="black")
