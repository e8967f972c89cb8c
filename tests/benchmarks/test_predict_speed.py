"""Batches pay, and the grammar costs little; run with ``make bench``."""

from __future__ import annotations

import pytest

from stages.core.params import load_params
from tests.benchmarks.predict import measure

pytestmark = pytest.mark.benchmark


def test_batches_are_faster_than_one_by_one_and_the_grammar_costs_little() -> None:
    figures = measure(load_params().predict, "models/nano")
    assert figures["times_faster_than_one_by_one"] >= (8 if figures["device"] == "cuda" else 2)
    assert figures["time_of_constrained_over_raw"] < 1.3
