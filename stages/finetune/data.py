"""Packed training rows: an image with several of its examples, drawn and augmented from the row's number alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from stages.core.params import FinetuneParams
from stages.core.records import CorpusImage, Example
from stages.core.stage import StageError
from stages.finetune.augment import STAY, Placement, draw_placement, move, recolour
from stages.finetune.dense import dense_targets, known_objects
from stages.vlm.families import PromptTokens
from stages.vlm.packing import Segment, pack_rows

_DRAWS_OF_A_PLACE = 4


def load_pixels(images: Iterable[CorpusImage], wanted: set[str], processor: Any) -> dict[str, np.ndarray]:
    """Pictures as the processor gives them, float32 (3, side, side) by sample id, only the wanted ones.

    Raises:
        StageError: a picture is missing or cannot be decoded; the message names the sample.
    """
    from PIL import Image, UnidentifiedImageError

    pixels = {}
    for row in images:
        if row.sample_id not in wanted:
            continue
        try:
            with Image.open(io.BytesIO(row.image)) as picture:
                encoded = processor.image_processor(picture.convert("RGB"), return_tensors="np")
        except (UnidentifiedImageError, OSError) as error:
            raise StageError(
                f"data/corpus/images: {row.sample_id}: the picture cannot be decoded ({error}); run `dvc repro ingest`"
            ) from error
        pixels[row.sample_id] = encoded["pixel_values"][0, 0].astype(np.float32)
    missing = sorted(wanted - set(pixels))
    if missing:
        raise StageError(f"data/corpus/images lacks {', '.join(missing[:5])}: the tables are of different runs, run `dvc repro split`")
    return pixels


class PackedRows:
    """Row ``i`` of the run: which image, which examples and which augmentation follow from ``seed`` and ``i`` alone."""

    def __init__(
        self,
        rows: Sequence[Sequence[Example]],
        pixels: dict[str, np.ndarray],
        tokens: PromptTokens,
        params: FinetuneParams,
        seed: int,
        patch_grid: int,
    ):
        self._rows, self._pixels, self._tokens, self._params, self._seed = rows, pixels, tokens, params, seed
        self._grid = patch_grid
        self.labels = sorted({example.label for row in rows for example in row})
        self._objects = [known_objects(row, self.labels) for row in rows]

    def __len__(self) -> int:
        return self._params.max_steps * self._params.images_per_step

    def __getitem__(self, index: int) -> dict[str, Any]:
        epoch, place = divmod(index, len(self._rows))
        chosen = int(np.random.default_rng((self._seed, epoch)).permutation(len(self._rows))[place])
        row = self._rows[chosen]
        rng = np.random.default_rng((self._seed, epoch, place))
        order = rng.permutation(len(row))[: self._params.questions_per_image]
        examples = [row[int(i)] for i in order]
        placement = self._placement(examples, rng)
        segments = [self._segment(example, placement) for example in examples]
        pixels = recolour(move(self._pixels[row[0].sample_id], placement), self._params.augment, rng)
        named, boxes = dense_targets(self._objects[chosen], placement, row[0].width, row[0].height, self._grid)
        return {"segments": segments, "pixel_values": pixels, "patch_labels": named, "patch_boxes": boxes}

    def _placement(self, examples: Sequence[Example], rng: np.random.Generator) -> Placement:
        """A drawn placement that cuts no target, or none."""
        for _ in range(_DRAWS_OF_A_PLACE):
            placement = draw_placement(self._params.augment, rng)
            if all(placement.box(box, e.width, e.height) is not None for e in examples for box in e.boxes_xyxy_px):
                return placement
        return STAY

    def _segment(self, example: Example, placement: Placement) -> Segment:
        boxes = [placement.box(box, example.width, example.height) for box in example.boxes_xyxy_px]
        kept = [box for box in boxes if box is not None]
        return self._tokens.segment(placement.text(example.text), kept, example.width, example.height)


def collate(tokens: PromptTokens, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tensors of a batch of ``PackedRows`` items (see ``vlm.packing``)."""
    import torch

    packed = pack_rows(tokens.prefix_ids, [row["segments"] for row in rows], tokens.pad_id)
    batch = {key: torch.from_numpy(value) for key, value in packed.items()}
    for key in ("patch_labels", "patch_boxes"):
        batch[key] = torch.from_numpy(np.stack([row[key] for row in rows]))
    batch["pixel_values"] = torch.from_numpy(np.stack([row["pixel_values"] for row in rows]))[:, None]
    return batch
