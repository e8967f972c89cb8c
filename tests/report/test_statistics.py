from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stages.report.statistics import funnel, modality_rows, sources
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
    assert sum(count for _, _, count in claims.reasons) == 60
    assert ("undecided", "inside_margin", 30) in claims.reasons


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
