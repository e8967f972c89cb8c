"""What a training step is made of: packed rows for the nano base, question after question for every other family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.core.params import FinetuneParams
from stages.finetune.arms import Row
from stages.finetune.augment import move, recolour
from stages.finetune.dense import dense_targets, known_objects
from stages.finetune.drawing import Drawing, LikeSized
from stages.finetune.pictures import PixelTable, open_picture
from stages.vlm.families import Family, Item, PromptTokens, training_batch
from stages.vlm.packing import pack_rows

# Families whose ``pixel_values`` are the pictures, or their patches, one after another, and whose model gives what it saw
# of them as ``get_image_features(..).pooler_output``, one entry a picture (see ``steps.due_logits``).
ONE_AFTER_ANOTHER = ("qwen2_vl", "qwen2_5_vl", "paligemma")


class PackedRows:
    """Place ``i`` of the run: an image with several of its examples in one sequence (see ``vlm.packing``)."""

    def __init__(self, rows: Sequence[Row], pixels: PixelTable, tokens: PromptTokens, params: FinetuneParams, seed: int, length: int, patch_grid: int):
        self._rows, self._pixels, self._tokens, self._params = rows, pixels, tokens, params
        self._drawing, self._length, self._grid = Drawing(rows, params, seed), length, patch_grid
        self.labels = sorted({example.label for row in rows for example in row.examples})
        self._objects = [known_objects(row.examples, self.labels) for row in rows]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        draw = self._drawing[index]
        first = self._rows[draw.row].examples[0]
        segments = [self._tokens.segment(draw.text(e), draw.boxes(e), e.width, e.height) for e in draw.examples]
        pixels = recolour(move(self._pixels[first.sample_id], draw.placement), self._params.augment, draw.rng)
        named, boxes = dense_targets(self._objects[draw.row], draw.placement, first.width, first.height, self._grid)
        return {"segments": segments, "pixel_values": pixels, "patch_labels": named, "patch_boxes": boxes}


def collate_packed(tokens: PromptTokens, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tensors of a batch of ``PackedRows`` items (see ``vlm.packing``)."""
    import torch

    packed = pack_rows(tokens.prefix_ids, [row["segments"] for row in rows], tokens.pad_id)
    batch = {key: torch.from_numpy(value) for key, value in packed.items()}
    for key in ("patch_labels", "patch_boxes"):
        batch[key] = torch.from_numpy(np.stack([row[key] for row in rows]))
    batch["pixel_values"] = torch.from_numpy(np.stack([row["pixel_values"] for row in rows]))[:, None]
    return batch


class Questions:
    """Place ``i`` of the run: an image with several of its examples, each a question of its own; see ``LikeSized`` for the order."""

    def __init__(self, rows: Sequence[Row], pictures: dict[str, bytes], params: FinetuneParams, seed: int, length: int):
        self._rows, self._pictures, self._params, self._length = rows, pictures, params, length
        self._drawing = LikeSized(Drawing(rows, params, seed), rows, params.images_per_step, length, seed)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> list[Item]:
        draw = self._drawing[index]
        sample_id = self._rows[draw.row].examples[0].sample_id
        picture = open_picture(sample_id, self._pictures[sample_id])
        values = np.asarray(picture, np.float32).transpose(2, 0, 1) / 127.5 - 1
        values = recolour(move(values, draw.placement), self._params.augment, draw.rng)
        augmented = _as_picture(values)
        return [Item(draw.text(e), augmented, draw.boxes(e), e.label) for e in draw.examples]


def _as_picture(values: np.ndarray) -> Any:
    """RGB picture of values (3, height, width) in [-1, 1]."""
    from PIL import Image

    return Image.fromarray(np.rint((values.transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8))


def collate_questions(family: Family, processor: Any, rows: Sequence[Sequence[Item]]) -> dict[str, Any]:
    """Tensors of a batch of ``Questions`` items, in the family's own form; a picture that several ask about is there once."""
    items = [item for row in rows for item in row]
    return seen_once(family, training_batch(family, processor, items), items)


def seen_once(family: Family, batch: dict[str, Any], items: Sequence[Item]) -> dict[str, Any]:
    """The batch with the pixels of each different picture once, and with ``picture_of`` (rows,): which of them a row asks about.

    As it is where every row has a picture of its own, or where the family's pixels do not lie picture after picture.
    """
    import torch

    numbers: dict[int, int] = {}
    picture_of = [numbers.setdefault(id(item.picture), len(numbers)) for item in items]
    if family.name not in ONE_AFTER_ANOTHER or len(numbers) == len(items):
        return batch
    firsts = [picture_of.index(number) for number in range(len(numbers))]
    pixels, grid = batch["pixel_values"], batch.get("image_grid_thw")
    parts = pixels.split(1 if grid is None else grid.prod(dim=1).tolist())
    return {**batch, "pixel_values": torch.cat([parts[row] for row in firsts]), "picture_of": torch.tensor(picture_of)}
