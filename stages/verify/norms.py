"""How visible the objects of each class usually are in a dataset, so that a faint place is told from a faint class.

Nerves in ultrasound are hard to see, nuclei are not: one limit for both would either lose the nerves or believe a mask
that lies beside its nucleus. The limit of a class is its median visibility less a robust spread of it (in log odds).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np

from stages.core.parallel import ordered_map
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Sample
from stages.core.stage import seed_for
from stages.verify.checks.evidence import judged
from stages.verify.context import Context

SAMPLES_PER_DATASET = 60
OBJECTS_PER_SAMPLE = 12
LEAST_OBJECTS = 8
SPREADS_BELOW = 2.5
HIGHEST_LIMIT = 0.8


def class_limits(pairs: Sequence[tuple[Sample, list[Anchor]]], params: VerifyParams, seed: int, workers: int) -> dict[str, float]:
    """Least visibility by label, from a seeded choice of one dataset's images; a rare label has none of its own."""
    chosen = sorted(pairs, key=lambda pair: seed_for(seed, "verify", pair[0].sample_id))[:SAMPLES_PER_DATASET]
    found: dict[str, list[float]] = defaultdict(list)
    for scores in ordered_map(partial(_scores, params=params), chosen, workers, "visibility of classes"):
        for label, score in scores:
            found[label].append(score)
    return {label: limit_of(scores) for label, scores in sorted(found.items()) if len(scores) >= LEAST_OBJECTS}


def _scores(pair: tuple[Sample, list[Anchor]], params: VerifyParams) -> list[tuple[str, float]]:
    """(label, visibility) of some objects of an image; none for a picture that cannot be read (an error of its queries)."""
    context = Context(*pair, params)
    if context.fault is not None:
        return []
    return [(anchor.label, judged(anchor, context).score) for anchor in context.anchors[:OBJECTS_PER_SAMPLE]]


def limit_of(scores: Sequence[float]) -> float:
    """Median less ``SPREADS_BELOW`` times the normal-consistent median absolute deviation, in log odds; at most ``HIGHEST_LIMIT``."""
    odds = np.array([math.log(score / (1 - score)) for score in np.clip(scores, 1e-9, 1 - 1e-9)])
    middle = float(np.median(odds))
    spread = 1.4826 * float(np.median(np.abs(odds - middle)))
    limit = 1 / (1 + math.exp(-(middle - SPREADS_BELOW * spread)))
    return round(min(limit, HIGHEST_LIMIT), 4)
