"""A tiny corpus of real Parquet tables: two discs a picture, asked for by side; and parameters that train on it in seconds."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from stages.core.params import AugmentParams, FinetuneParams, LoraParams, ValidationParams
from stages.core.records import CorpusImage, Example
from stages.core.shards import write_table

SIDE = 48
LORA = LoraParams(2, 4, 0.0, True, False, ["vision", "connector", "text"], ["embed_tokens"])
PARAMS = FinetuneParams(
    arms=["tuned"], mix_name_share=0.5, parallel_arms=1, launcher="python", max_steps=4, images_per_step=2, accumulation=1,
    questions_per_image=3, learning_rate=0.01, schedule="cosine", warmup_share=0.1, weight_decay=0.01, max_grad_norm=1.0,
    precision="bf16", attention="auto", gradient_checkpointing=False, loader_workers=0, location_loss=True, sigma_bins=4.0,
    l1_weight=2.0, dense_weight=0.5, checkpoint_steps=2, validation=ValidationParams(0, 4, 0, "last"), lora=LORA,
    augment=AugmentParams(0.1, 0.1, 0.05, 0.2, 0.03, 0.03, 0.5),
)  # fmt: skip


def write_corpus(folder: Path, n_images: int = 6) -> list[Example]:
    """Write ``examples`` and ``images`` under ``folder``; of six pictures four are for training, one each for val and test."""
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
        split = "train" if number % 3 < 2 else ("test", "val")[number // 3 % 2]
        modality = "CT" if number < n_images / 2 else "X-ray"
        asked = {"the lesion on the left": boxes[:1], "the lesion on the right": boxes[1:], "both lesions": boxes, "the cyst": []}
        for place, (text, targets) in enumerate(asked.items()):
            examples.append(example(f"{sample_id}~{place}", sample_id, text, targets, split, modality))
    write_table(folder / "examples", Example, examples)
    write_table(folder / "images", CorpusImage, images)
    return examples


def example(example_id: str, sample_id: str, text: str, boxes: list[list[float]], split: str, modality: str) -> Example:
    """One example of the toy dataset."""
    kind = {0: "none", 1: "single"}.get(len(boxes), "multi")
    return Example(
        example_id,
        sample_id,
        "toy",
        sample_id.split("/")[1],
        modality,
        text,
        # As the corpus writes the labels of a question about several classes.
        "cyst|lesion" if len(boxes) > 1 else "lesion",
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
