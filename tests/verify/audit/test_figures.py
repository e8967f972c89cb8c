"""Shares of the audit: intervals, groups, the table of faults."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from stages.verify.audit.figures import faults_without_plants, figures, share, write_faults
from stages.verify.audit.run import PLANTERS
from stages.verify.audit.trial import HELDOUT, TUNING, Trial


def trial(number: int, fault: str, fate: str, check: str = "claims", dataset: str = "set", half: str = TUNING, answered: bool = True) -> Trial:
    """A trial of a fault with its fate."""
    return Trial(
        trial_id=f"q~{number}/{fault}", fault=fault, group=PLANTERS[fault][0] if fault in PLANTERS else "", dataset=dataset, modality="CT",
        sample_id="s", half=half, query_id=f"q~{number}", text="text", target_ids=[], before=[], changed="", laid=[], patch=None, fate=fate,
        check=check, reason="reason", margin=None, evidence="", answered=answered,
    )  # fmt: skip


TRIALS = [
    trial(0, "clean", "accepted"), trial(1, "clean", "accepted"), trial(2, "clean", "rejected", "evidence"),
    trial(0, "count", "rejected"), trial(1, "count", "undecided"), trial(2, "count", "accepted"),
    trial(0, "empty", "rejected", "format", "other"),
]  # fmt: skip


# Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(("hits", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_intervals_are_wilsons(hits: int, n: int, low: float, high: float) -> None:
    found = share(hits, n)
    assert (found["n"], found["rate"]) == (n, hits / n)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=5e-5)


def test_what_was_not_accepted_was_caught_and_what_was_accepted_was_kept() -> None:
    found = figures(TRIALS)
    assert found["kept"]["rate"] == pytest.approx(2 / 3)
    assert (found["catch"]["count"]["n"], found["catch"]["count"]["rate"]) == (3, pytest.approx(2 / 3))
    assert found["group"]["format"]["rate"] == 1
    assert found["group"]["evidence"] == {"n": 0, "rate": 0.0, "low": 0.0, "high": 1.0}
    assert found["dataset"]["other"]["format"]["n"] == 1


def test_either_half_of_the_patients_has_its_own_shares() -> None:
    found = figures([trial(0, "count", "rejected"), trial(1, "count", "accepted", half=HELDOUT), trial(2, "clean", "accepted", half=HELDOUT)])["half"]
    assert (found[TUNING]["geometry"]["rate"], found[HELDOUT]["geometry"]["rate"]) == (1, 0)
    assert (found[TUNING]["kept"]["n"], found[HELDOUT]["kept"]["n"]) == (0, 1)


def test_what_no_model_answered_stands_in_no_share() -> None:
    found = figures([*TRIALS, trial(7, "count", "undecided", "judge:endpoint", answered=False), trial(8, "clean", "undecided", answered=False)])
    assert found.pop("unanswered") == 2
    assert found == {name: value for name, value in figures(TRIALS).items() if name != "unanswered"}


def test_the_table_counts_every_trial_once(tmp_path: Path) -> None:
    write_faults(tmp_path / "plots" / "faults.csv", TRIALS)
    with (tmp_path / "plots" / "faults.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert sum(int(row["n"]) for row in rows) == len(TRIALS)
    assert {(row["fault"], row["check"]) for row in rows} == {
        ("clean", "kept"), ("clean", "evidence"), ("count", "claims"), ("count", "missed"), ("empty", "format"),
    }  # fmt: skip
    assert all(float(row["low"]) <= float(row["rate"]) <= float(row["high"]) for row in rows)


def test_faults_that_found_no_place_are_named() -> None:
    assert set(faults_without_plants(TRIALS)) == set(PLANTERS) - {"count", "empty"}
