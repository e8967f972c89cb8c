"""What the objects of each class look like in a dataset, so that a mask that lies on none of them is told from one that does.

Nerves in ultrasound are hard to see, nuclei are not, and a lung is a dark place between bright ones: one limit of contrast
for all would either lose the nerves or believe a mask that lies beside its nucleus. From annotated objects of *other*
patients, and from their masks laid elsewhere, scaled, or left where the object was removed (``elsewhere``), two small
classifiers of each class are fitted (kernel ridge regression, Saunders, Gammerman and Vovk, 1998): is this the kind of
place where such an object lies, and is there an object at all? The same two are fitted on all classes of the set together,
and half of each answer is theirs: a class of few objects leans on what objects of this kind of picture have in common. The
lesser answer is the visibility.

Patients are dealt to folds, and a patient is judged by what the other folds show: nobody's own mask is evidence for it.
A class that too few other patients show is judged by the norms of its kind (devices, findings), and where there are none
either by ``visibility`` alone.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.stage import seed_for
from stages.knowledge.labels import labels
from stages.verify.contours import N_SCALES
from stages.verify.place import N_GRADIENTS
from stages.verify.visibility import N_BANDS, N_MEASURES, Visibility

FOLDS = 8
LEAST_OBJECTS = 8
THERE, ELSEWHERE, REMOVED = "there", "elsewhere", "removed"
# Sizes of the blocks of traits: measures of object and ring, the contour at other scales, bands from the middle outward,
# gradients of the nearer and of the wider surroundings.
_SIZES = (N_MEASURES, N_SCALES, N_BANDS, N_GRADIENTS // 2, N_GRADIENTS // 2)
N_TRAITS = sum(_SIZES)
_BLOCKS = tuple(slice(sum(_SIZES[:number]), sum(_SIZES[: number + 1])) for number in range(len(_SIZES)))
_MEASURED = sum(_SIZES[:3])
# Widths of the kernels of a class and of all classes of the set (which has more to learn from), and the ridge.
_WIDTH, _WIDTH_OF_SET, _RIDGE = 0.5, 1.0, 0.3
# All classes of a set, as a key that is no label; the trials of it that are learned from, with and without an object.
_SET, _MOST_THERE, _MOST_ABSENT = "@set", 500, 600
# Score to visibility: a logistic curve, a little below one half where both sides are equally likely. What was removed leaves
# less of a trace than a wrong place shows: presence counts a little less. Constants chosen on nine public datasets so that
# ``verify.min_visibility`` 0.15 keeps 98 of 100 annotated objects.
_STEEPNESS, _DOUBT, _DOUBT_PRESENCE = 3.5, 0.06, 0.2


@dataclass(frozen=True)
class Trial:
    """One mask with what was measured under it; ``kind`` says whether its object is there, elsewhere or removed."""

    object_id: str
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
    width: float

    def score(self, traits: np.ndarray) -> np.ndarray:
        """Score of each row of traits (n, d), about -1 to 1."""
        return _kernel((traits - self.middle) * self.weight, self.rows, self.width) @ self.dual


@dataclass(frozen=True)
class Norms:
    """Classifiers of one dataset by (label, kind or all, fold): (of the place, of the presence); and the fold of each patient."""

    folds: dict[str, int]
    models: dict[tuple[str, int], tuple[Classifier, Classifier]]

    def judged(self, seen: Visibility, label: str, patient_id: str) -> Visibility:
        """The measurement with the score that the norms of its class give it, where the class has norms."""
        fold = self.folds.get(patient_id, 0)
        own = self.models.get((label, fold)) or self.models.get((_kind(label), fold))
        models = [pair for pair in (own, self.models.get((_SET, fold))) if pair is not None]
        if not models or seen.traits is None:
            return dataclasses.replace(seen, traits=None)
        return dataclasses.replace(seen, score=_visible(models, seen.traits[None]), traits=None)

    def of(self, patient_id: str, names: Iterable[str]) -> Norms:
        """The part that judges some labels of one patient, to hand to a worker."""
        fold = self.folds.get(patient_id, 0)
        keys = {(name, fold) if (name, fold) in self.models else (_kind(name), fold) for name in names}
        keys.add((_SET, fold))
        return Norms({patient_id: fold}, {key: self.models[key] for key in sorted(keys & set(self.models))})


NO_NORMS = Norms({}, {})


def fit_norms(trials: Iterable[Trial], patients: set[str], seed: int) -> Norms:
    """Norms of one dataset from its trials; a class that too few patients of some fold's others show has none."""
    by_label: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_label[trial.label].append(trial)
    folds = deal(patients, seed)
    models = {key: model for label, own in sorted(by_label.items()) for key, model in _by_fold(label, own, folds, _WIDTH)}
    rare = {_kind(label) for label in by_label if any((label, fold) not in models for fold in range(FOLDS))}
    for kind in sorted(rare):
        alike = [trial for label, own in sorted(by_label.items()) if _kind(label) == kind for trial in own]
        models.update(_by_fold(kind, alike, folds, _WIDTH))
    models.update(_by_fold(_SET, _some([trial for _, own in sorted(by_label.items()) for trial in own], seed), folds, _WIDTH_OF_SET))
    return Norms(folds, models)


def _some(trials: Sequence[Trial], seed: int) -> list[Trial]:
    """A seeded choice of at most ``_MOST_THERE`` trials of objects and ``_MOST_ABSENT`` of either kind without one."""
    left = {THERE: _MOST_THERE, ELSEWHERE: _MOST_ABSENT, REMOVED: _MOST_ABSENT}
    chosen = []
    for number in np.random.default_rng(seed_for(seed, "verify", "norms")).permutation(len(trials)):
        left[trials[number].kind] -= 1
        if left[trials[number].kind] >= 0:
            chosen.append(trials[number])
    return chosen


def _by_fold(name: str, trials: Sequence[Trial], folds: dict[str, int], width: float) -> Iterator[tuple[tuple[str, int], tuple[Classifier, Classifier]]]:
    for fold in range(FOLDS):
        model = _fit([trial for trial in trials if folds[trial.patient_id] != fold], width)
        if model is not None:
            yield (name, fold), model


def _kind(label: str) -> str:
    """The kind of a label, as a key that is no label."""
    return f"@{labels()[label].kind}"


def deal(patients: set[str], seed: int) -> dict[str, int]:
    """The fold of each patient: dealt out in a seeded order."""
    ordered = sorted(patients, key=lambda patient: seed_for(seed, "verify", "fold", patient))
    return {patient: place % FOLDS for place, patient in enumerate(ordered)}


def _fit(others: Sequence[Trial], width: float) -> tuple[Classifier, Classifier] | None:
    """Classifiers from other patients' trials: of the place, of the presence; None when these are too few."""
    there = [trial for trial in others if trial.kind == THERE]
    elsewhere, removed = ([trial for trial in others if trial.kind == kind] for kind in (ELSEWHERE, REMOVED))
    if len({trial.object_id for trial in there}) < LEAST_OBJECTS or min(len(elsewhere), len(removed)) < LEAST_OBJECTS:
        return None
    return _classifier(there, elsewhere, width), _classifier(there, removed, width)


def _classifier(there: Sequence[Trial], against: Sequence[Trial], width: float) -> Classifier:
    """Fit on all traits; the blocks weigh the same, and so do both sides."""
    traits = np.stack([trial.traits for trial in [*there, *against]]).astype(np.float64)
    truth = np.r_[np.ones(len(there)), -np.ones(len(against))]
    middle = traits.mean(axis=0)
    weight = np.ones(N_TRAITS)
    weight[:_MEASURED] = 1 / np.maximum(traits[:, :_MEASURED].std(axis=0), 1e-3)
    for block in _BLOCKS:
        part = (traits[:, block] - middle[block]) * weight[block]
        weight[block] /= np.sqrt(max(float(np.median(_distances(part, part))), 1e-9) * len(_BLOCKS))
    rows = (traits - middle) * weight
    share = np.where(truth > 0, 0.5 / len(there), 0.5 / len(against)) * len(truth)
    dual = np.linalg.solve(_kernel(rows, rows, width) + _RIDGE * np.diag(1 / share), truth)
    return Classifier(middle, weight, rows.astype(np.float32), dual, width)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m) between rows."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T, 0)


def _kernel(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-width * _distances(a, b))


def _visible(models: Sequence[tuple[Classifier, Classifier]], traits: np.ndarray) -> float:
    """The lesser of the two questions' mean scores as a visibility in (0, 1), for one row of traits (1, n)."""
    place, presence = (float(np.mean([pair[question].score(traits)[0] for pair in models])) for question in (0, 1))
    return float(1 / (1 + np.exp(-_STEEPNESS * (min(place, presence - _DOUBT_PRESENCE) - _DOUBT))))
