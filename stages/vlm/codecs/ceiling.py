"""The ceiling table: mean IoU of a perfect answer by codec, box size and image size, and of the usual mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from stages.vlm.codecs import CODECS, Codec
from stages.vlm.codecs.perfect import MISTAKES, Boxes, Picture, mean_iou, there_and_back
from stages.vlm.codecs.resize import smart_resize

METRICS = Path("metrics/codecs.json")
SHARES = {"1pct": 0.01, "3pct": 0.03, "10pct": 0.1, "30pct": 0.3}
IMAGES_PX = ((512, 512), (1024, 1024), (2500, 3056), (224, 224))
BOXES = 20_000
SEED = 0
# Qwen2.5-VL's usual settings: 4 to 1280 image tokens of 28 x 28 pixels.
FACTOR, MIN_PIXELS, MAX_PIXELS = 28, 4 * 28 * 28, 1280 * 28 * 28

Figures = dict[str, dict[str, float]]


def random_boxes(share: float, width: int, height: int, count: int, seed: int) -> Boxes:
    """Tight boxes (count, 4) of objects of ``share`` of the image's sides, anywhere in it, in shares of its sides.

    They lie on whole pixels, as the tight box of a mask does: an object may touch one pixel more than its size.
    """
    size = np.array([width, height])
    near = np.random.default_rng([seed, round(share * 1000), width, height]).random((count, 2)) * (1 - share) * size
    corners: Boxes = np.concatenate([np.floor(near), np.minimum(np.ceil(near + share * size), size)], axis=1)
    sides: Boxes = np.tile(size, 2).astype(np.float64)
    return corners / sides


def picture_of(width: int, height: int) -> Picture:
    """An image and its size after Qwen2.5-VL's resize."""
    return Picture((width, height), smart_resize(width, height, FACTOR, MIN_PIXELS, MAX_PIXELS))


def measured(width: int, height: int, count: int = BOXES, seed: int = SEED) -> dict[str, Figures]:
    """``ceiling`` by codec and ``mistake`` by name: mean IoU by box size, rounded to four digits."""
    picture = picture_of(width, height)
    found: dict[str, Figures] = {"ceiling": {}, "mistake": {}}
    for size, share in SHARES.items():
        boxes = random_boxes(share, width, height, count, seed)
        for name, codec in CODECS.items():
            if isinstance(codec, Codec):
                back = there_and_back(codec.space, boxes, picture)
                found["ceiling"].setdefault(name, {})[size] = round(mean_iou(boxes, back), 4)
        for name, mistake in MISTAKES.items():
            found["mistake"].setdefault(name, {})[size] = round(mean_iou(boxes, mistake(boxes, picture)), 4)
    return found


def write_metrics(path: Path = METRICS) -> None:
    """Measure and write the metrics file: 512 x 512 on top, the other image sizes under ``image``."""
    first, *others = IMAGES_PX
    content: dict[str, Any] = {**measured(*first), "image": {f"{width}x{height}": measured(width, height) for width, height in others}}
    content |= {"boxes": BOXES, "seed": SEED}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def printed_table(path: Path = METRICS) -> str:
    """The metrics file as a Markdown table; codecs of the same figures share a row.

    Raises:
        FileNotFoundError: the file is missing; the message says how to make it.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: run `python -m stages.vlm.codecs` first, or check the tracked file out")
    content = json.loads(path.read_text(encoding="utf-8"))
    large = content["image"]["2500x3056"]
    rows = [["", *(f"{size[:-3]} %" for size in SHARES), *(f"{size[:-3]} %, 2500 x 3056" for size in list(SHARES)[:2])]]
    rows.append(["---"] * len(rows[0]))
    for kind, prefix in (("ceiling", ""), ("mistake", "mistake: ")):
        grouped: dict[tuple[float, ...], list[str]] = {}
        for name in sorted(content[kind]):
            figures = (*(content[kind][name][size] for size in SHARES), *(large[kind][name][size] for size in list(SHARES)[:2]))
            grouped.setdefault(figures, []).append(name)
        rows += [[prefix + ", ".join(names), *(f"{figure:.3f}" for figure in figures)] for figures, names in grouped.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
