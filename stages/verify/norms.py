"""What the objects of each class look like in a dataset, so that a mask that lies on none of them is told from one that does.

Nerves in ultrasound are hard to see, nuclei are not, and a lung is a dark place between bright ones: one limit of contrast
for all would either lose the nerves or believe a mask that lies beside its nucleus. From annotated objects of *other*
patients, and from their masks laid elsewhere, scaled, or left where the object was removed (``elsewhere``), two small
classifiers of each class are fitted (kernel ridge regression, Saunders, Gammerman and Vovk, 1998): is this the kind of
place where such an object lies, and is there an object at all? The lesser answer is the visibility.

Patients are dealt to folds, and a patient is judged by what the other folds show: nobody's own mask is evidence for it.
A class that too few other patients show is judged by ``visibility`` alone.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from stages.core.parallel import ordered_map
from stages.core.params import VerifyParams
from stages.core.records import Anchor, Sample
from stages.core.stage import seed_for
from stages.verify import elsewhere
from stages.verify.context import Context
from stages.verify.picture import Picture
from stages.verify.visibility import N_MEASURES, Visibility, diameter_px, scaled, visibility

FOLDS = 8
OBJECTS_PER_LABEL = 72
OBJECTS_PER_IMAGE = 4
LEAST_OBJECTS = 8
THERE, ELSEWHERE, REMOVED = "there", "elsewhere", "removed"
_NEAR, _FAR, _BESIDE = (0.6, 2.5), (0.85, 1.6), (0.4, 1.2)
_FACTORS = ((0.4, 0.6), (1.6, 2.2))
_RIDGE = 0.3
_STEEPNESS = 3.5
_DIAMETER_PX = 80.0


@dataclass(frozen=True)
class Trial:
    """One mask with what was measured under it; ``kind`` says whether its object is there, elsewhere or removed."""

    label: str
    patient_id: str
    kind: str
    traits: np.ndarray


@dataclass(frozen=True)
class Classifier:
    """Kernel ridge regression of +1 (there) and -1 with a Gaussian kernel over standardised, equally weighted blocks."""

    middle: np.ndarray
    weight: np.ndarray
    rows: np.ndarray
    dual: np.ndarray

    def score(self, traits: np.ndarray) -> np.ndarray:
        """Score of each row of traits (n, d), about -1 to 1."""
        return _kernel(_scaled(traits, self.middle, self.weight), self.rows) @ self.dual


@dataclass(frozen=True)
class Norms:
    """Classifiers of one dataset by (label, fold): (of the place, of the presence); and the fold of each patient."""

    folds: dict[str, int]
    models: dict[tuple[str, int], tuple[Classifier, Classifier]]
    limits: dict[str, float]

    def judged(self, seen: Visibility, label: str, patient_id: str) -> Visibility:
        """The measurement with the score and the limit of its class, where the class has norms."""
        models = self.models.get((label, self.folds.get(patient_id, 0)))
        if models is None or seen.traits is None:
            return dataclasses.replace(seen, traits=None)
        score = float(_visible(models, seen.traits[None])[0])
        return dataclasses.replace(seen, score=score, limit=self.limits[label], traits=None)


NO_NORMS = Norms({}, {}, {})


def norms_of(pairs: Sequence[tuple[Sample, list[Anchor]]], params: VerifyParams, seed: int, workers: int) -> Norms:
    """Norms of one dataset from a seeded choice of its objects."""
    jobs = _jobs(pairs, seed)
    found = ordered_map(partial(trials_of, params=params, seed=seed), jobs, workers, "what classes look like")
    by_label: dict[str, list[Trial]] = defaultdict(list)
    for trials in found:
        for trial in trials:
            by_label[trial.label].append(trial)
    folds = _folds({sample.patient_id for sample, _ in pairs}, seed)
    models: dict[tuple[str, int], tuple[Classifier, Classifier]] = {}
    limits: dict[str, float] = {}
    for label, trials in sorted(by_label.items()):
        fitted = {fold: model for fold in range(FOLDS) if (model := _fit(trials, fold, folds)) is not None}
        if len(fitted) == FOLDS:
            models.update({(label, fold): model for fold, model in fitted.items()})
            limits[label] = _limit(trials, fitted, folds)
    return Norms(folds, models, limits)


def sightings(
    pairs: Sequence[tuple[Sample, list[Anchor]]], targets: set[str], norms: Norms, params: VerifyParams, workers: int
) -> dict[str, dict[str, Visibility]]:
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
    return {
        anchor.anchor_id: visibility(context.picture, masks[anchor.anchor_id], context.siblings(anchor) | masks[anchor.anchor_id], True)
        for anchor in chosen
    }


def _folds(patients: set[str], seed: int) -> dict[str, int]:
    ordered = sorted(patients, key=lambda patient: seed_for(seed, "verify", "fold", patient))
    return {patient: place % FOLDS for place, patient in enumerate(ordered)}


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
                found.append(Trial(anchor.label, sample.patient_id, kind, seen.traits))
    return found


@dataclass(frozen=True)
class Spot:
    """One object with its picture at a scale at which it is no larger than ``_DIAMETER_PX``, so that trials cost little.

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
    picture, scale = context.picture, min(1.0, _DIAMETER_PX / diameter_px(mask))
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
    off = partial(elsewhere.is_off, kin=spot.kin, kin_boxes=spot.kin_boxes)
    masks = [elsewhere.shifted(mask, lengths, rng, off) for lengths in (_NEAR, _FAR, _BESIDE)]
    masks.append(elsewhere.anywhere(mask, rng, off))
    masks += [elsewhere.resized(mask, rng.uniform(*factors)) for factors in _FACTORS]
    yield from ((ELSEWHERE, picture, other) for other in masks if other is not None)
    source = elsewhere.shifted(mask, _BESIDE, rng, lambda found: not (found & spot.kin).any())
    yield REMOVED, elsewhere.smoothed_over(picture, mask, rng), mask
    if source is not None:
        yield REMOVED, elsewhere.covered_by_neighbourhood(picture, mask, source), mask


def _fit(trials: Sequence[Trial], fold: int, folds: dict[str, int]) -> tuple[Classifier, Classifier] | None:
    """Classifiers of one class without the patients of a fold; None when too few objects are left."""
    others = [trial for trial in trials if folds[trial.patient_id] != fold]
    there = [trial for trial in others if trial.kind == THERE]
    absent = [[trial for trial in others if trial.kind == kind] for kind in (ELSEWHERE, REMOVED)]
    if len(there) < LEAST_OBJECTS or min(map(len, absent)) < LEAST_OBJECTS:
        return None
    place, presence = (_classifier(there, against, whole) for against, whole in zip(absent, (True, False), strict=True))
    return place, presence


def _classifier(there: Sequence[Trial], against: Sequence[Trial], whole: bool) -> Classifier:
    """Fit on the measures and, with ``whole``, on the gradients of the place too; both sides weigh the same."""
    traits = np.stack([trial.traits for trial in [*there, *against]]).astype(np.float64)
    truth = np.r_[np.ones(len(there)), -np.ones(len(against))]
    spread = np.maximum(traits.std(axis=0), 1e-3)
    middle, weight = traits.mean(axis=0), 1 / spread
    weight[N_MEASURES:] = 1.0 if whole else 0.0
    for block in (slice(0, N_MEASURES), slice(N_MEASURES, None)):
        typical = np.median(_distances(*[_scaled(traits, middle, weight)[:, block]] * 2))
        weight[block] /= np.sqrt(max(typical, 1e-9) * (2 if whole else 1))
    rows = _scaled(traits, middle, weight)
    share = np.where(truth > 0, 0.5 / len(there), 0.5 / len(against)) * len(truth)
    dual = np.linalg.solve(_kernel(rows, rows) + _RIDGE * np.diag(1 / share), truth)
    return Classifier(middle, weight, rows.astype(np.float32), dual.astype(np.float32))


def _scaled(traits: np.ndarray, middle: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return (traits - middle) * weight


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m) between rows."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T, 0)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-_distances(a, b))


def _visible(models: tuple[Classifier, Classifier], traits: np.ndarray) -> np.ndarray:
    """The lesser score of the two as a visibility in (0, 1)."""
    least = np.minimum(*(model.score(traits) for model in models))
    return 1 / (1 + np.exp(-_STEEPNESS * least))


def _limit(trials: Sequence[Trial], fitted: dict[int, tuple[Classifier, Classifier]], folds: dict[str, int]) -> float:
    return 0.15
