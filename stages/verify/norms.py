"""What the objects of each class look like in a dataset, so that a mask that lies on none of them is told from one that does.

Nerves in ultrasound are hard to see, nuclei are not, and a lung is a dark place between bright ones: one limit of contrast
for all would either lose the nerves or believe a mask that lies beside its nucleus. From annotated objects of *other*
patients, and from their masks laid elsewhere, scaled, or left where the object was removed (``elsewhere``), two small
classifiers of each class are fitted (kernel ridge regression, Saunders, Gammerman and Vovk, 1998): is this the kind of
place where such an object lies, and is there an object at all? The lesser answer is the visibility.

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
from stages.verify.place import N_GRADIENTS
from stages.verify.visibility import N_MEASURES, Visibility

FOLDS = 8
LEAST_OBJECTS = 8
THERE, ELSEWHERE, REMOVED = "there", "elsewhere", "removed"
# Blocks of traits: measures of object and ring, gradients of the nearer and of the wider surroundings.
_ALL = (slice(0, N_MEASURES), slice(N_MEASURES, N_MEASURES + N_GRADIENTS // 2), slice(N_MEASURES + N_GRADIENTS // 2, None))
_WIDTH, _RIDGE = 0.5, 0.3
# Score to visibility: a logistic curve, a little below one half where both sides are equally likely. What was removed leaves
# less of a trace than a wrong place shows: presence counts a little less. Constants chosen on nine public datasets so that
# ``verify.min_visibility`` 0.15 keeps 98 of 100 annotated objects.
_STEEPNESS, _DOUBT, _DOUBT_PRESENCE = 3.5, 0.06, 0.13


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

    used: np.ndarray
    middle: np.ndarray
    weight: np.ndarray
    rows: np.ndarray
    dual: np.ndarray

    def score(self, traits: np.ndarray) -> np.ndarray:
        """Score of each row of traits (n, d), about -1 to 1."""
        return _kernel((traits[:, self.used] - self.middle) * self.weight, self.rows) @ self.dual


@dataclass(frozen=True)
class Norms:
    """Classifiers of one dataset by (label or kind, fold): (of the place, of the presence); and the fold of each patient."""

    folds: dict[str, int]
    models: dict[tuple[str, int], tuple[Classifier, Classifier]]

    def judged(self, seen: Visibility, label: str, patient_id: str) -> Visibility:
        """The measurement with the score that the norms of its class give it, where the class has norms."""
        fold = self.folds.get(patient_id, 0)
        models = self.models.get((label, fold)) or self.models.get((_kind(label), fold))
        if models is None or seen.traits is None:
            return dataclasses.replace(seen, traits=None)
        score = float(_visible(models, seen.traits[None])[0])
        return dataclasses.replace(seen, score=score, traits=None)

    def of(self, patient_id: str, names: Iterable[str]) -> Norms:
        """The part that judges some labels of one patient, to hand to a worker."""
        fold = self.folds.get(patient_id, 0)
        keys = {(name, fold) if (name, fold) in self.models else (_kind(name), fold) for name in names}
        return Norms({patient_id: fold}, {key: self.models[key] for key in sorted(keys & set(self.models))})


NO_NORMS = Norms({}, {})


def fit_norms(trials: Iterable[Trial], patients: set[str], seed: int) -> Norms:
    """Norms of one dataset from its trials; a class that too few patients of some fold's others show has none."""
    by_label: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_label[trial.label].append(trial)
    folds = deal(patients, seed)
    models = {key: model for label, own in sorted(by_label.items()) for key, model in _by_fold(label, own, folds)}
    rare = {_kind(label) for label in by_label if any((label, fold) not in models for fold in range(FOLDS))}
    for kind in sorted(rare):
        models.update(_by_fold(kind, [trial for label, own in sorted(by_label.items()) if _kind(label) == kind for trial in own], folds))
    return Norms(folds, models)


def _by_fold(name: str, trials: Sequence[Trial], folds: dict[str, int]) -> Iterator[tuple[tuple[str, int], tuple[Classifier, Classifier]]]:
    for fold in range(FOLDS):
        model = _fit([trial for trial in trials if folds[trial.patient_id] != fold])
        if model is not None:
            yield (name, fold), model


def _kind(label: str) -> str:
    """The kind of a label, as a key that is no label."""
    return f"@{labels()[label].kind}"


def deal(patients: set[str], seed: int) -> dict[str, int]:
    """The fold of each patient: dealt out in a seeded order."""
    ordered = sorted(patients, key=lambda patient: seed_for(seed, "verify", "fold", patient))
    return {patient: place % FOLDS for place, patient in enumerate(ordered)}


def _fit(others: Sequence[Trial]) -> tuple[Classifier, Classifier] | None:
    """Classifiers of one class from other patients' trials; None when these are too few."""
    there = [trial for trial in others if trial.kind == THERE]
    absent = [[trial for trial in others if trial.kind == kind] for kind in (ELSEWHERE, REMOVED)]
    if len(there) < LEAST_OBJECTS or min(map(len, absent)) < LEAST_OBJECTS:
        return None
    place, presence = (_classifier(there, against, blocks) for against, blocks in zip(absent, (_ALL, _ALL[:1]), strict=True))
    return place, presence


def _classifier(there: Sequence[Trial], against: Sequence[Trial], blocks: Sequence[slice]) -> Classifier:
    """Fit on some blocks of the traits; the blocks weigh the same, and so do both sides."""
    used = np.concatenate([np.arange(N_MEASURES + N_GRADIENTS)[block] for block in blocks])
    traits = np.stack([trial.traits for trial in [*there, *against]]).astype(np.float64)[:, used]
    truth = np.r_[np.ones(len(there)), -np.ones(len(against))]
    middle = traits.mean(axis=0)
    weight = np.where(used < N_MEASURES, 1 / np.maximum(traits.std(axis=0), 1e-3), 1.0)
    for block in blocks:
        own = np.isin(used, np.arange(N_MEASURES + N_GRADIENTS)[block])
        part = (traits[:, own] - middle[own]) * weight[own]
        weight[own] /= np.sqrt(max(float(np.median(_distances(part, part))), 1e-9) * len(blocks))
    rows = (traits - middle) * weight
    share = np.where(truth > 0, 0.5 / len(there), 0.5 / len(against)) * len(truth)
    dual = np.linalg.solve(_kernel(rows, rows) + _RIDGE * np.diag(1 / share), truth)
    return Classifier(used, middle, weight, rows.astype(np.float32), dual)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m) between rows."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T, 0)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-_WIDTH * _distances(a, b))


def _visible(models: tuple[Classifier, Classifier], traits: np.ndarray) -> np.ndarray:
    """The lesser score of the two as a visibility in (0, 1)."""
    place, presence = (model.score(traits) for model in models)
    return 1 / (1 + np.exp(-_STEEPNESS * (np.minimum(place, presence - _DOUBT_PRESENCE) - _DOUBT)))
