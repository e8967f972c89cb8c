"""Dense auxiliary targets: what every patch of the image shows, where its thing ends, how it measures and ranks among its like.

Four numbers an image are too thin a signal to learn to see from; the scene knows the rest for free. The same for
generic scenes and medical pictures: ranks need no language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stages.core.params import SecondRoundParams
from stages.vlm.pretrain.scenes import COLOURS, SHAPES, Scene, Thing

LOOK_NAMES = ("", "bright", "dark", *COLOURS)
RANK_LEVELS = 4
RANK_KEYS: tuple[Callable[[Thing], float], ...] = (
    lambda thing: thing.centre_xy_px[0],
    lambda thing: thing.centre_xy_px[1],
    lambda thing: float(thing.area_px),
    lambda thing: thing.level,
)
# Thresholds between the levels of form: major over minor axis, and area over that of the convex hull.
ELONGATION_STEPS, SOLIDITY_STEPS = (1.2, 1.4, 1.85), (0.75, 0.82, 0.9)
RANKS = len(RANK_KEYS) * 4 + 2
# What a comparison in words compares, so that it stands in a patch's features as one direction each: natural logarithms of
# area, width and height as shares of the picture's, grey level as it is seen (of 64), logarithm of the elongation, solidity.
MEASURES = 6
_GREY_UNIT, _SOLIDITY_UNIT = 64.0, 0.125


def kind_names(labels: Sequence[str]) -> tuple[str, ...]:
    """What a patch may show, nothing first: generic shapes and the classes of the medical pictures."""
    return ("", *SHAPES, *labels)


def head_sizes(labels: Sequence[str]) -> dict[str, int]:
    """Widths of the head's parts."""
    return {"kind": len(kind_names(labels)), "look": len(LOOK_NAMES), "box": 4, "rank": RANKS * RANK_LEVELS, "measure": MEASURES}


def dense_targets(scene: Scene, patch_px: int, kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """Per patch, row by row: ``kind`` and ``look`` (n,), ``box`` (n, 4) as shares of the side, ``rank`` (n, RANKS), ``measure``
    (n, MEASURES) and ``part`` (n,), one over the number of patches of the thing.

    A patch belongs to the innermost thing that covers a tenth of it. ``kind`` 0 is the ground, where box, rank and measure
    mean nothing; ``kinds`` are the names that it counts in (see ``kind_names``).
    """
    side = scene.image.shape[0]
    grid = side // patch_px
    patches = scene.owner.reshape(grid, patch_px, grid, patch_px).transpose(0, 2, 1, 3).reshape(grid * grid, -1)
    owner = np.full(grid * grid, -1)
    for index in range(len(scene.things)):
        owner[(patches == index).sum(axis=1) * 10 >= patch_px * patch_px] = index
    kind = np.array([kinds.index(thing.kind) for thing in scene.things] + [0])
    looks = np.array([LOOK_NAMES.index(thing.colour or thing.shade) for thing in scene.things] + [0])
    boxes = np.array([thing.box_xyxy_px for thing in scene.things] + [(0.0, 0.0, 0.0, 0.0)], np.float32) / side
    ranks = np.concatenate([rank_table(scene.things), np.zeros((1, RANKS), np.int64)])
    measures = np.concatenate([measure_table(scene), np.zeros((1, MEASURES), np.float32)])
    counts = np.bincount(owner + 1, minlength=len(scene.things) + 1)
    parts = (1 / np.maximum(counts, 1)).astype(np.float32)
    return {"kind": kind[owner], "look": looks[owner], "box": boxes[owner], "rank": ranks[owner], "measure": measures[owner], "part": parts[owner + 1]}


def measure_table(scene: Scene) -> np.ndarray:
    """What is compared of each thing, in units in which a clear difference is about one: float32 (things, MEASURES), see there.

    The grey level is that of the picture as it is seen: gain and noise come after a thing was painted.
    """
    side, owner = scene.image.shape[0], scene.owner.ravel() + 1
    counts = np.bincount(owner, minlength=len(scene.things) + 1)[1:]
    sums = np.bincount(owner, weights=scene.image.mean(axis=2).ravel(), minlength=len(scene.things) + 1)[1:]
    rows = []
    for thing, count, total in zip(scene.things, counts, sums, strict=True):
        x0, y0, x1, y1 = thing.box_xyxy_px
        grey = total / count if count else thing.level
        sizes = np.log([thing.area_px / side**2, (x1 - x0) / side, (y1 - y0) / side])
        rows.append([*sizes, (grey - 127.5) / _GREY_UNIT, np.log(thing.elongation), (thing.solidity - 1) / _SOLIDITY_UNIT])
    return np.array(rows, np.float32).reshape(-1, MEASURES)


def rank_table(things: list[Thing]) -> np.ndarray:
    """Rank of each thing by x, y, area and grey level, from either end, among its kind and among all, and its form.

    (things, RANKS), every entry below RANK_LEVELS.
    """
    table = np.zeros((len(things), RANKS), np.int64)
    kinds = np.array([thing.kind for thing in things])
    same = kinds[:, None] == kinds[None, :]
    for column, key in enumerate(RANK_KEYS):
        values = np.array([key(thing) for thing in things])
        less, more = values[None, :] < values[:, None], values[None, :] > values[:, None]
        for offset, matrix in enumerate((less & same, more & same, less, more)):
            table[:, column * 4 + offset] = np.minimum(matrix.sum(axis=1), RANK_LEVELS - 1)
    table[:, -2] = np.searchsorted(ELONGATION_STEPS, [thing.elongation for thing in things])
    table[:, -1] = np.searchsorted(SOLIDITY_STEPS, [thing.solidity for thing in things])
    return table


def dense_loss(outputs: Any, targets: dict[str, Any], sizes: dict[str, int], second: SecondRoundParams | None) -> Any:
    """Loss of a linear head's ``outputs`` (images, patches, sum of ``sizes``) against stacked ``dense_targets``.

    In the ``second`` round (else None) ranks and measures count with its weights, every thing the same however many patches
    it covers: the small ones are those that are compared. Measures by absolute error.
    """
    import torch
    from torch.nn import functional

    parts = dict(zip(sizes, outputs.float().split(list(sizes.values()), dim=-1), strict=True))
    covered = targets["kind"] > 0
    # Most patches show the ground: a plain mean would be content with never seeing anything else.
    share = covered.float().mean()
    weight = torch.where(covered, 0.5 / share, 0.5 / (1 - share))
    kind = (functional.cross_entropy(parts["kind"].flatten(0, 1), targets["kind"].flatten(), reduction="none") * weight.flatten()).mean()
    look = (functional.cross_entropy(parts["look"].flatten(0, 1), targets["look"].flatten(), reduction="none") * weight.flatten()).mean()
    box = (parts["box"][covered] - targets["box"][covered]).abs().mean()
    rank = functional.cross_entropy(parts["rank"][covered].reshape(-1, RANK_LEVELS), targets["rank"][covered].reshape(-1), reduction="none")
    if second is None:
        return kind + 0.5 * look + 8.0 * box + 0.7 * rank.mean()
    part = targets["part"][covered] / targets["part"][covered].sum()
    measure = (parts["measure"][covered] - targets["measure"][covered]).abs().mean(dim=-1)
    ranks = rank.reshape(-1, RANKS).mean(dim=-1)
    return kind + 0.5 * look + 8.0 * box + second.rank_weight * (ranks * part).sum() + second.measure_weight * (measure * part).sum()
