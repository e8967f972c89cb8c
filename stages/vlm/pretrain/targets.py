"""Dense auxiliary targets: what every patch of the image shows, where its thing ends, and how it ranks among its like.

Four numbers an image are too thin a signal to learn to see from; the scene knows the rest for free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stages.vlm.pretrain.scenes import COLOURS, SHAPES, Scene, Thing

KIND_NAMES = ("",) + SHAPES
LOOK_NAMES = ("", "bright", "dark", *COLOURS)
RANK_LEVELS = 4
RANK_KEYS: tuple[Callable[[Thing], float], ...] = (
    lambda thing: thing.centre_xy_px[0],
    lambda thing: thing.centre_xy_px[1],
    lambda thing: float(thing.area_px),
)
RANKS = len(RANK_KEYS) * 4
HEAD_SIZES = {"kind": len(KIND_NAMES), "look": len(LOOK_NAMES), "box": 4, "rank": RANKS * RANK_LEVELS}


def dense_targets(scene: Scene, patch_px: int) -> dict[str, np.ndarray]:
    """Per patch, row by row: ``kind`` and ``look`` (n,), ``box`` (n, 4) as shares of the side, ``rank`` (n, RANKS).

    A patch belongs to the innermost thing that covers a tenth of it. ``kind`` 0 is the ground, where box and rank
    mean nothing.
    """
    side = scene.image.shape[0]
    grid = side // patch_px
    patches = scene.owner.reshape(grid, patch_px, grid, patch_px).transpose(0, 2, 1, 3).reshape(grid * grid, -1)
    owner = np.full(grid * grid, -1)
    for index in range(len(scene.things)):
        owner[(patches == index).sum(axis=1) * 10 >= patch_px * patch_px] = index
    kinds = np.array([KIND_NAMES.index(thing.kind) for thing in scene.things] + [0])
    looks = np.array([LOOK_NAMES.index(thing.colour or thing.shade) for thing in scene.things] + [0])
    boxes = np.array([thing.box_xyxy_px for thing in scene.things] + [(0.0, 0.0, 0.0, 0.0)], np.float32) / side
    ranks = np.concatenate([rank_table(scene.things), np.zeros((1, RANKS), np.int64)])
    return {"kind": kinds[owner], "look": looks[owner], "box": boxes[owner], "rank": ranks[owner]}


def rank_table(things: list[Thing]) -> np.ndarray:
    """Rank of each thing by x, y and area, from either end, among its kind and among all: (things, RANKS), capped."""
    table = np.zeros((len(things), RANKS), np.int64)
    kinds = np.array([thing.kind for thing in things])
    same = kinds[:, None] == kinds[None, :]
    for column, key in enumerate(RANK_KEYS):
        values = np.array([key(thing) for thing in things])
        less, more = values[None, :] < values[:, None], values[None, :] > values[:, None]
        for offset, matrix in enumerate((less & same, more & same, less, more)):
            table[:, column * 4 + offset] = np.minimum(matrix.sum(axis=1), RANK_LEVELS - 1)
    return table


def dense_loss(outputs: Any, targets: dict[str, Any]) -> Any:
    """Loss of a linear head's ``outputs`` (images, patches, sum of HEAD_SIZES) against stacked ``dense_targets``."""
    import torch
    from torch.nn import functional

    parts = dict(zip(HEAD_SIZES, outputs.float().split(list(HEAD_SIZES.values()), dim=-1), strict=True))
    covered = targets["kind"] > 0
    # Most patches show the ground: a plain mean would be content with never seeing anything else.
    share = covered.float().mean()
    weight = torch.where(covered, 0.5 / share, 0.5 / (1 - share))
    kind = (functional.cross_entropy(parts["kind"].flatten(0, 1), targets["kind"].flatten(), reduction="none") * weight.flatten()).mean()
    look = (functional.cross_entropy(parts["look"].flatten(0, 1), targets["look"].flatten(), reduction="none") * weight.flatten()).mean()
    box = (parts["box"][covered] - targets["box"][covered]).abs().mean()
    rank = functional.cross_entropy(parts["rank"][covered].reshape(-1, RANK_LEVELS), targets["rank"][covered].reshape(-1))
    return kind + 0.5 * look + 8.0 * box + 0.5 * rank
