"""The overlay picture of ``--check``: a few samples with outlined masks, their labels and the patient's sides."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import Sample, SampleObject

COLOURS = (
    "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe",
    "#008080", "#9a6324", "#aaffc3", "#808000", "#e6beff", "#ffd8b1", "#ffe119",
)  # fmt: skip
PICTURES, COLUMNS, TILE_PX = 6, 3, 420
# Longest side of a small picture in its tile, beside the title.
_SHOWN_PX = TILE_PX - 24
# With more objects than this, names would hide the picture: only outlines are drawn.
_MOST_NAMED = 40
_SIDES = {"patient_right": ("R", "L"), "patient_left": ("L", "R"), None: ("?", "?")}


def choose_samples(samples: Sequence[Sample], count: int = PICTURES) -> list[Sample]:
    """A few samples that show every label, the rarest first, of different cases and then of distant slices.

    Where some picture shows no object one of them is among them, since "nothing is there" is to be looked at too.
    """
    marked, empty = ([sample for sample in samples if bool(sample.objects) is wanted] for wanted in (True, False))
    chosen: list[Sample] = []
    seen: Counter[str] = Counter()
    frequency = Counter(label for sample in marked for label in {item.label for item in sample.objects})
    rest = list(marked)
    while rest and len(chosen) < count - bool(empty):
        cases = Counter(sample.case_id for sample in chosen)

        def worth(sample: Sample, cases: Counter[str] = cases) -> tuple[float, int, int]:
            rarity = sum(0.5 ** seen[label] / frequency[label] for label in {item.label for item in sample.objects})
            return rarity * 0.5 ** cases[sample.case_id], _away(sample, chosen), len(sample.objects)

        best = max(rest, key=worth)
        rest.remove(best)
        chosen.append(best)
        seen.update({item.label for item in best.objects})
    cases = Counter(sample.case_id for sample in chosen)
    return [*chosen, *sorted(empty, key=lambda sample: cases[sample.case_id])[: max(1, count - len(chosen))]]


def _away(sample: Sample, chosen: Sequence[Sample]) -> int:
    """Distance in slices to the nearest chosen one, of any case; 0 where there is none or slices have no number."""
    index = sample.slice_index
    numbers = [other.slice_index for other in chosen if other.slice_index is not None]
    return min((abs(index - other) for other in numbers), default=0) if index is not None else 0


def draw_sheet(chosen: Sequence[Sample]) -> Image.Image:
    """Samples as tiles of one picture, with a legend of the labels below."""
    labels = sorted({item.label for sample in chosen for item in sample.objects})
    colours = {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    legend_rows = -(-len(labels) // (2 * columns))
    sheet = Image.new("RGB", (columns * TILE_PX, rows * TILE_PX + 18 * legend_rows + 6), "black")
    for number, sample in enumerate(chosen):
        tile = draw_sample(sample, colours)
        tile.thumbnail((TILE_PX - 6, _SHOWN_PX))
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
    """The stored picture, small ones enlarged, with outlines of the masks, their labels, and R and L at its edges."""
    scale = max(1.0, _SHOWN_PX / max(sample.width, sample.height))
    picture = Image.open(io.BytesIO(sample.image)).convert("RGB")
    picture = picture.resize((round(sample.width * scale), round(sample.height * scale)), Image.Resampling.NEAREST)
    rows, columns = ((np.arange(side) / scale).astype(np.intp) for side in (picture.height, picture.width))
    width = max(2, round(max(picture.size) / TILE_PX * 1.5))
    size = max(10, 10 * width // 2)
    pixels = np.array(picture)
    corners: list[tuple[float, float, SampleObject]] = []
    for item in sample.objects:
        mask = decode_mask(item.mask_rle)[rows][:, columns] if scale > 1 else decode_mask(item.mask_rle)
        x0, y0, x1, y1 = (int(value) for value in tight_box(mask))
        pixels[y0:y1, x0:x1][_outline(mask[y0:y1, x0:x1], width)] = ImageColor.getrgb(colours[item.label])
        # Above the outline, so that nothing of it is hidden; below where the picture ends.
        corners.append((x0, y0 - size - 4 if y0 > size + 4 else y1 + 2, item))
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for x, y, item in corners if len(corners) <= _MOST_NAMED else []:
        _write(draw, (x, y), f"{item.label} {item.instance}", size, "white")
    size = max(12, max(picture.size) // 22)
    for text, x in zip(_SIDES[sample.image_left_is], (4, picture.width - size), strict=True):
        _write(draw, (x, picture.height / 2 - size / 2), text, size, "yellow")
    return picture


def _outline(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask, boolean (height, width), that lie less than ``width`` from what is not mask; its border counts as such."""
    from scipy.ndimage import minimum_filter

    return mask & ~minimum_filter(mask, size=2 * width - 1, mode="constant", cval=False)


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: float, colour: str) -> None:
    draw.text(place, text, fill=colour, font_size=size, stroke_width=1, stroke_fill="black")
