from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stages.core.records import ItemError
from stages.report.statistics import ErrorRow, ReasonRow, error_rows, funnel, modality_rows, reason_rows, sources
from stages.report.tables import World, load_world
from tests.report.fabricate import CASES, DATASETS


@pytest.fixture
def world(run_copy: Path) -> World:
    return load_world(list(DATASETS))


def test_the_funnel_counts_every_verdict_once(world: World) -> None:
    rows = funnel(world.verdicts)
    assert [row.check for row in rows] == ["format", "claims", "evidence"]
    claims = rows[1]
    assert (claims.reached, claims.passed, claims.rejected, claims.undecided) == (180, 120, 30, 30)


def test_one_reason_decides_each_query_that_was_not_accepted(world: World) -> None:
    rows = reason_rows(world.verdicts)
    assert sum(row.queries for row in rows) == 60
    assert rows[0] == ReasonRow("inside_margin", "claims", "undecided", 30)


def test_a_rejection_decides_before_an_open_verdict() -> None:
    verdicts = pd.DataFrame(
        [("q", "claims", None, "too_close"), ("q", "evidence", False, "not_visible"), ("q", "format", True, "ok")],
        columns=["query_id", "check", "passed", "reason"],
    )
    assert reason_rows(verdicts) == [ReasonRow("not_visible", "evidence", "rejected", 1)]


def test_errors_are_grouped_by_stage_and_cause() -> None:
    errors = [ItemError(f"d/{number}", "ingest", "truncated", f"{number}.png", "ends early") for number in range(3)]
    assert error_rows(errors) == [ErrorRow("ingest", "truncated", 3, "0.png: ends early")]


def test_a_funnel_without_verdicts_is_empty() -> None:
    assert funnel(pd.DataFrame({"query_id": [], "check": [], "passed": [], "reason": []})) == []


def test_modalities_add_up_to_the_tables(world: World) -> None:
    rows = modality_rows(world)
    assert sum(row.images for row in rows) == len(DATASETS) * CASES
    assert sum(row.train + row.val + row.test for row in rows) == len(world.examples)
    assert sum(row.queries for row in rows) == world.n_queries


def test_sources_say_whether_sides_are_known(world: World) -> None:
    assert {row.name: row.sides for row in sources(world, list(DATASETS))} == {
        "ct_tiny": "known", "film_tiny": "known", "slide_tiny": "unknown",
    }  # fmt: skip


def test_a_judge_who_was_outvoted_is_no_reason() -> None:
    rows = [
        {"query_id": "a", "check": "evidence", "passed": False, "reason": "not_visible", "margin": 0.0, "evidence": ""},
        {"query_id": "a", "check": "judge:endpoint", "passed": True, "reason": "ok", "margin": 1.0, "evidence": ""},
        {"query_id": "a", "check": "judges", "passed": True, "reason": "ok", "margin": 0.7, "evidence": ""},
        {"query_id": "b", "check": "evidence", "passed": False, "reason": "not_visible", "margin": 0.0, "evidence": ""},
    ]
    assert [(row.reason, row.queries) for row in reason_rows(pd.DataFrame(rows))] == [("not_visible", 1)]
