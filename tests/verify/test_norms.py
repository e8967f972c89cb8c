"""Norms of a class come from other patients, and tell objects from places where there is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verify import trials
from stages.verify.norms import ELSEWHERE, FOLDS, N_TRAITS, REMOVED, THERE, Trial, deal, fit_norms
from stages.verify.trials import norms_of, trials_of
from stages.verify.visibility import Visibility
from tests.verify.scenes import PARAMS, anchors, sample

PATIENTS = [f"p{number}" for number in range(16)]
MEANS = {THERE: 0.0, ELSEWHERE: 1.5, REMOVED: -1.5}


def _trials(label: str = "polyp", patients: list[str] = PATIENTS) -> list[Trial]:
    rng = np.random.default_rng(1)
    return [Trial(f"{label} of {patient}", label, patient, kind, rng.normal(mean, 1, N_TRAITS).astype(np.float32)) for patient in patients for kind, mean in MEANS.items()]


def _seen(kind: str, seed: int) -> Visibility:
    traits = np.random.default_rng([5, seed]).normal(MEANS[kind], 1, N_TRAITS).astype(np.float32)
    return Visibility(0.5, 0.0, 0.0, None, traits)


def test_an_object_is_visible_and_its_absence_is_not() -> None:
    norms = fit_norms(_trials(), set(PATIENTS), 7)
    for seed in range(10):
        assert norms.judged(_seen(THERE, seed), "polyp", "p3").score > 0.5
        assert norms.judged(_seen(ELSEWHERE, seed), "polyp", "p3").score < 0.15
        assert norms.judged(_seen(REMOVED, seed), "polyp", "p3").score < 0.15


def test_nobodys_own_objects_are_evidence_for_them() -> None:
    true = _trials()
    forged = [dataclasses.replace(t, traits=t.traits + 9) if t.patient_id == "p3" and t.kind != THERE else t for t in true]
    honest, other = (fit_norms(found, set(PATIENTS), 7) for found in (true, forged))
    assert honest.judged(_seen(THERE, 1), "polyp", "p3").score == other.judged(_seen(THERE, 1), "polyp", "p3").score
    stranger = next(patient for patient in PATIENTS if honest.folds[patient] != honest.folds["p3"])
    assert honest.judged(_seen(THERE, 1), "polyp", stranger).score != other.judged(_seen(THERE, 1), "polyp", stranger).score


def test_what_is_handed_to_a_worker_judges_its_patient_alike() -> None:
    norms = fit_norms(_trials(), set(PATIENTS), 7)
    assert norms.of("p5", ["polyp"]).judged(_seen(THERE, 2), "polyp", "p5").score == norms.judged(_seen(THERE, 2), "polyp", "p5").score
    assert {fold for _, fold in norms.of("p5", ["polyp", "nerve"]).models} == {norms.folds["p5"]}


def test_a_rare_class_is_judged_by_its_kind_and_its_set_and_a_rare_set_by_contrast_alone() -> None:
    tubes = [*_trials("nasogastric tube", PATIENTS[:5]), *_trials("endotracheal tube", PATIENTS[5:])]
    norms = fit_norms(tubes, set(PATIENTS), 7)
    assert norms.judged(_seen(ELSEWHERE, 0), "nasogastric tube", "p1").score < 0.15
    assert norms.judged(_seen(ELSEWHERE, 0), "polyp", "p1").score < 0.15
    few = fit_norms(_trials("polyp", PATIENTS[:5]), set(PATIENTS), 7)
    assert few.models == {}
    assert few.judged(_seen(ELSEWHERE, 0), "polyp", "p1").score == 0.5


def test_an_object_counts_once_however_often_its_contour_is_drawn_anew() -> None:
    again = [trial for trial in _trials("polyp", PATIENTS[:7]) for _ in range(3)]
    assert fit_norms(again, set(PATIENTS[:7]), 7).models == {}


def test_what_all_classes_of_a_set_have_in_common_counts_for_each_of_them() -> None:
    alone = fit_norms(_trials("polyp"), set(PATIENTS), 7)
    exchanged = {THERE: ELSEWHERE, ELSEWHERE: THERE, REMOVED: REMOVED}
    contrary = [dataclasses.replace(trial, kind=exchanged[trial.kind]) for trial in _trials("nerve")]
    beside = fit_norms([*_trials("polyp"), *contrary], set(PATIENTS), 7)
    scores = [norms.judged(_seen(THERE, 3), "polyp", "p3").score for norms in (alone, beside)]
    assert scores[0] > scores[1] > 0.15


@settings(max_examples=30, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=40), st.integers(0, 99))
def test_folds_are_of_even_size_and_do_not_depend_on_the_order(patients: set[str], seed: int) -> None:
    folds = deal(patients, seed)
    sizes = np.bincount(list(folds.values()), minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1
    assert folds == deal(set(sorted(patients, reverse=True)), seed)


def test_a_set_in_which_nobody_can_be_judged_by_others_costs_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "trials_of", None)
    assert norms_of([(sample(), anchors())], PARAMS, 7, 1).models == {}
    other = dataclasses.replace(sample(), sample_id="other", patient_id="r")
    few = norms_of([(sample(), anchors()[:3]), (other, anchors()[:3])], PARAMS, 7, 1)
    assert (few.models, sorted(few.folds.values())) == ({}, [0, 1])


def test_trials_of_an_image_are_the_objects_and_what_they_are_not() -> None:
    ids = [anchor.anchor_id for anchor in anchors()[4:6]]
    found = trials_of((sample(), anchors(), ids), PARAMS, 7)
    assert {trial.label for trial in found} == {"aorta", "liver lesion"}
    kinds = [trial.kind for trial in found]
    assert kinds.count(THERE) == 6
    assert kinds.count(ELSEWHERE) >= 6
    assert kinds.count(REMOVED) >= 4
    assert all(np.isfinite(trial.traits).all() for trial in found)
    assert [t.traits.tobytes() for t in found] == [t.traits.tobytes() for t in trials_of((sample(), anchors(), ids), PARAMS, 7)]
