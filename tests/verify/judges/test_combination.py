"""What several judges say together, and how far they agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Verdict
from stages.verify.cascade import ACCEPTED, REJECTED, UNDECIDED, fate_of
from stages.verify.judges.combination import COMBINE, agreement, combined, counted
from tests.verify.scenes import query

OUTCOMES = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6)
THREE = ["evidence", "endpoint", "local"]
CHECKS = {"evidence": "evidence", "endpoint": "judge:endpoint", "local": "judge:local"}
REASONS = {True: "ok", False: "not_visible", None: "judge_unsure"}


def _verdicts(*outcomes: bool | None) -> list[Verdict]:
    named = zip(THREE, outcomes, strict=False)
    return [Verdict("q~0", "claims", True, "ok", 1.0, "")] + [Verdict("q~0", CHECKS[name], out, REASONS[out], 1.0, "") for name, out in named]


@given(OUTCOMES)
def test_all_and_majority_follow_their_definitions(outcomes: list[bool | None]) -> None:
    n = len(outcomes)
    assert COMBINE["all"](outcomes) is (False if any(o is False for o in outcomes) else True if all(outcomes) else None)
    majority = COMBINE["majority"](outcomes)
    assert (majority is True) == (outcomes.count(True) > n / 2) and (majority is False) == (outcomes.count(False) > n / 2)


@given(OUTCOMES, st.randoms())
def test_the_order_of_the_judges_does_not_matter_and_one_judge_speaks_for_itself(outcomes: list[bool | None], random) -> None:
    shuffled = random.sample(outcomes, len(outcomes))
    for rule in COMBINE.values():
        assert rule(outcomes) is rule(shuffled)
        assert rule(outcomes[:1]) is outcomes[0]


@pytest.mark.parametrize(
    ("rule", "outcomes", "fate", "reason"),
    [
        ("all", (True, True, True), ACCEPTED, "ok"), ("all", (True, False, True), REJECTED, "not_visible"),
        ("all", (True, None, True), UNDECIDED, "judge_unsure"), ("all", (None, False, True), REJECTED, "not_visible"),
        ("majority", (True, False, True), ACCEPTED, "ok"), ("majority", (False, False, True), REJECTED, "not_visible"),
        ("majority", (False, None, True), UNDECIDED, "judges_disagree"), ("majority", (None, None, True), UNDECIDED, "judge_unsure"),
        ("majority", (True, True), UNDECIDED, "no_answer"),
    ],
)  # fmt: skip
def test_fate_and_reason_follow_the_rule(rule: str, outcomes: tuple[bool | None, ...], fate: str, reason: str) -> None:
    judges = [*THREE, "another"] if len(outcomes) == 2 else THREE
    verdicts = _verdicts(*outcomes)
    row = combined(query("the aorta", 4), verdicts, judges, rule)
    assert row is not None and row.reason == reason and row.check == "judges"
    assert fate_of([*verdicts, row]) == fate


def test_one_judge_needs_no_combination_and_its_verdict_counts() -> None:
    verdicts = _verdicts(False)
    assert combined(query("the aorta", 4), verdicts, ["evidence"], "all") is None
    assert counted(verdicts) == verdicts and fate_of(verdicts) == REJECTED


def test_a_query_that_no_judge_has_seen_has_no_row_of_theirs() -> None:
    assert combined(query("the aorta", 4), _verdicts()[:1], THREE, "all") is None


def test_agreement_is_over_the_queries_that_both_have_answered() -> None:
    rows = [_verdicts(True, True), _verdicts(False, False), _verdicts(True, True), _verdicts(False, True), _verdicts(True)]
    rows.append([*_verdicts(True), Verdict("q~0", "judge:endpoint", None, "no_answer", None, "")])
    assert agreement(rows, ["evidence", "endpoint"]) == {"evidence_endpoint": {"kappa": pytest.approx(0.5), "n": 4}}


def test_agreement_with_a_judge_that_never_varies_is_left_out() -> None:
    rows = [_verdicts(True, True, False), _verdicts(False, True, True)]
    assert set(agreement(rows, THREE)) == {"evidence_local"}
