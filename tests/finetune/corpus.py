"""A tiny corpus of real Parquet tables: two discs a picture, asked for by side."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from stages.core.records import CorpusImage, Example
from stages.core.shards import write_table

SIDE = 48


def write_corpus(folder: Path, n_images: int = 6) -> list[Example]:
    """Write ``examples`` and ``images`` under ``folder``; two thirds of the pictures are for training."""
    examples, images = [], []
    for number in range(n_images):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 40, (SIDE, SIDE)).astype(np.uint8)
        boxes = [[4.0, 10.0 + number, 16.0, 22.0 + number], [28.0, 12.0, 42.0, 26.0]]
        for x0, y0, x1, y1 in boxes:
            pixels[int(y0) : int(y1), int(x0) : int(x1)] = 220
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        sample_id = f"toy/case{number:02d}/0"
        images.append(CorpusImage(sample_id, buffer.getvalue(), SIDE, SIDE))
        split = "train" if number % 3 < 2 else "test"
        asked = {"the lesion on the left": boxes[:1], "the lesion on the right": boxes[1:], "both lesions": boxes, "the cyst": []}
        for place, (text, targets) in enumerate(asked.items()):
            examples.append(example(f"{sample_id}~{place}", sample_id, text, targets, split))
    write_table(folder / "examples", Example, examples)
    write_table(folder / "images", CorpusImage, images)
    return examples


def example(example_id: str, sample_id: str, text: str, boxes: list[list[float]], split: str) -> Example:
    """One example of the toy dataset."""
    kind = {0: "none", 1: "single"}.get(len(boxes), "multi")
    return Example(
        example_id,
        sample_id,
        "toy",
        sample_id.split("/")[1],
        "CT",
        text,
        "lesion",
        boxes,
        SIDE,
        SIDE,
        split,
        kind,
        2,
        "medium",
        ["image_side"],
        "CC0-1.0",
    )
