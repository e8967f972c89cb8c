"""Trials for the norms: annotated objects of a dataset as they are, their masks elsewhere, and the picture without them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from stages.core.parallel import Workers, ordered_map
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Sample
from stages.core.stage import seed_for
from stages.verify import elsewhere
from stages.verify.context import Context
from stages.verify.extent import diameter_px, scaled
from stages.verify.norms import ELSEWHERE, LEAST_OBJECTS, REMOVED, THERE, Norms, Trial, deal, fit_norms
from stages.verify.picture import Picture
from stages.verify.visibility import DIAMETER_PX, Visibility, visibility

OBJECTS_PER_LABEL = 72
OBJECTS_PER_IMAGE = 4
_NEAR, _FAR, _BESIDE = (0.6, 2.5), (0.85, 1.6), (0.4, 1.2)
_FACTORS = ((0.4, 0.6), (1.6, 2.2))
# How often an object is measured under a contour as another annotator may have drawn it.
_ANNOTATORS = 2


def norms_of(pairs: Sequence[tuple[Sample, list[Anchor]]], params: VerifyParams, seed: int, workers: Workers) -> Norms:
    """Norms of one dataset from a seeded choice of its objects; none, and no work, where nobody could be judged by others."""
    jobs = _jobs(pairs, seed)
    if len({sample.patient_id for sample, _, _ in jobs}) < 2 or sum(len(chosen) for _, _, chosen in jobs) < LEAST_OBJECTS:
        return Norms(deal({sample.patient_id for sample, _ in pairs}, seed), {})
    found = ordered_map(partial(trials_of, params=params, seed=seed), jobs, workers, "what classes look like")
    return fit_norms((trial for trials in found for trial in trials), {sample.patient_id for sample, _ in pairs}, seed)


def sightings(pairs: Sequence[tuple[Sample, list[Anchor]]], targets: set[str], norms: Norms, params: VerifyParams, workers: Workers) -> dict[str, dict[str, Visibility]]:
    """What is seen of the target anchors, by sample id and anchor id; nothing for a picture that cannot be read."""
    look = partial(_look, targets=targets, params=params)
    seen: dict[str, dict[str, Visibility]] = {}
    for (sample, anchors), found in zip(pairs, ordered_map(look, pairs, workers, "looking at the targets"), strict=True):
        labels = {anchor.anchor_id: anchor.label for anchor in anchors}
        seen[sample.sample_id] = {each: norms.judged(sight, labels[each], sample.patient_id) for each, sight in found.items()}
    return seen


def _look(pair: tuple[Sample, list[Anchor]], targets: set[str], params: VerifyParams) -> dict[str, Visibility]:
    context = Context(*pair, params)
    chosen = [anchor for anchor in context.anchors if anchor.anchor_id in targets]
    if not chosen or context.fault is not None:
        return {}
    masks = {anchor.anchor_id: context.masks[anchor.anchor_id] for anchor in chosen}
    return {anchor.anchor_id: visibility(context.picture, masks[anchor.anchor_id], context.siblings(anchor) | masks[anchor.anchor_id], True) for anchor in chosen}


def _jobs(pairs: Sequence[tuple[Sample, list[Anchor]]], seed: int) -> list[tuple[Sample, list[Anchor], list[str]]]:
    """Images with the anchors to look at: at most ``OBJECTS_PER_IMAGE`` and ``OBJECTS_PER_LABEL`` of a label."""
    left: dict[str, int] = defaultdict(lambda: OBJECTS_PER_LABEL)
    jobs = []
    for sample, anchors in sorted(pairs, key=lambda pair: seed_for(seed, "verify", pair[0].sample_id)):
        here: dict[str, list[str]] = defaultdict(list)
        for anchor in sorted(anchors, key=lambda anchor: seed_for(seed, "verify", anchor.anchor_id)):
            if not anchor.crowd and left[anchor.label] > 0 and len(here[anchor.label]) < OBJECTS_PER_IMAGE:
                left[anchor.label] -= 1
                here[anchor.label].append(anchor.anchor_id)
        if here:
            jobs.append((sample, anchors, [anchor_id for ids in here.values() for anchor_id in ids]))
    return jobs


def trials_of(job: tuple[Sample, list[Anchor], list[str]], params: VerifyParams, seed: int) -> list[Trial]:
    """Trials of some anchors of an image; none for a picture that cannot be read (an error of its queries)."""
    sample, anchors, chosen = job
    context = Context(sample, anchors, params)
    if context.fault is not None:
        return []
    found = []
    for anchor_id in chosen:
        anchor = context.by_id[anchor_id]
        spot = _spot(anchor, context)
        for kind, picture, mask in _placements(spot, Random(seed_for(seed, "verify", "trial", anchor_id))):
            seen = visibility(picture, mask, spot.siblings | mask, with_traits=True)
            if seen.traits is not None:
                found.append(Trial(anchor_id, anchor.label, sample.patient_id, kind, seen.traits))
    return found


@dataclass(frozen=True)
class Spot:
    """One object with its picture at a scale at which it is no larger than ``DIAMETER_PX``, so that trials cost little.

    ``siblings``: union of the masks of the other objects of the label; ``kin``: of all that look alike, with their boxes.
    """

    picture: Picture
    mask: np.ndarray
    siblings: np.ndarray
    kin: np.ndarray
    kin_boxes: list[list[float]]


def _spot(anchor: Anchor, context: Context) -> Spot:
    mask, siblings = context.masks[anchor.anchor_id], context.siblings(anchor)
    kin, boxes = context.kin_of(anchor)
    picture, scale = context.picture, min(1.0, DIAMETER_PX / diameter_px(mask))
    small = scaled(mask, scale)
    if scale == 1 or not small.any():
        return Spot(picture, mask, siblings, kin, boxes)
    x, y = small.shape[1] / mask.shape[1], small.shape[0] / mask.shape[0]
    boxes = [[box[0] * x, box[1] * y, box[2] * x, box[3] * y] for box in boxes]
    return Spot(picture.scaled(scale), small, scaled(siblings, scale), scaled(kin, scale), boxes)


def _placements(spot: Spot, rng: Random) -> Iterator[tuple[str, Picture, np.ndarray]]:
    """(kind, picture, mask): the object as it is, its mask elsewhere and at another size, the picture without it."""
    picture, mask = spot.picture, spot.mask
    yield THERE, picture, mask
    yield from ((THERE, picture, other) for other in elsewhere.redrawn(mask, rng, _ANNOTATORS) if other is not None)
    off = partial(elsewhere.is_off, kin=spot.kin, kin_boxes=spot.kin_boxes)
    masks = [elsewhere.shifted(mask, lengths, rng, off) for lengths in (_NEAR, _FAR, _BESIDE)]
    masks.append(elsewhere.anywhere(mask, rng, off))
    masks += [elsewhere.resized(mask, rng.uniform(*factors)) for factors in _FACTORS]
    yield from ((ELSEWHERE, picture, other) for other in masks if other is not None)
    source = elsewhere.shifted(mask, _BESIDE, rng, lambda found: not (found & spot.kin).any())
    yield REMOVED, elsewhere.smoothed_over(picture, mask, rng), mask
    yield REMOVED, elsewhere.scrambled(picture, mask, rng), mask
    if source is not None:
        yield REMOVED, elsewhere.covered_by_neighbourhood(picture, mask, source), mask
