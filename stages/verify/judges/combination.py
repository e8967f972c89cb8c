"""Several judges, one outcome: how their verdicts are put together, and how far they agree with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from stages.core.records import Query, Verdict
from stages.verify.agreement import cohen_kappa
from stages.verify.judges import EMBEDDED

CHECK = "judges"


def _all(outcomes: Sequence[bool | None]) -> bool | None:
    """One against is enough to reject; accepted only when every judge accepts."""
    return False if False in outcomes else None if None in outcomes else True


def _majority(outcomes: Sequence[bool | None]) -> bool | None:
    """What more than half of all judges say; a judge without an opinion counts for neither side."""
    return next((side for side in (True, False) if 2 * outcomes.count(side) > len(outcomes)), None)


COMBINE: dict[str, Callable[[Sequence[bool | None]], bool | None]] = {"all": _all, "majority": _majority}


def check_of(judge: str) -> str:
    """Name of a judge's verdicts in the table."""
    return EMBEDDED[judge].check if judge in EMBEDDED else f"judge:{judge}"


def combined(query: Query, verdicts: Sequence[Verdict], judges: Sequence[str], rule: str) -> Verdict | None:
    """The verdict of several judges together; None where there is one judge, or where no judge has seen the query.

    A judge that has not seen it counts as one without an opinion. The margin is the share of the judges that say what comes
    out.
    """
    by_check = {verdict.check: verdict for verdict in verdicts}
    own = [by_check.get(check_of(name)) for name in judges]
    if len(judges) < 2 or not any(own):
        return None
    outcomes = [verdict.passed if verdict else None for verdict in own]
    outcome = COMBINE[rule](outcomes)
    said = ", ".join(f"{name} {_WORDS[passed]}" for name, passed in zip(judges, outcomes, strict=True))
    margin = round(outcomes.count(outcome) / len(judges), 4)
    return Verdict(query.query_id, CHECK, outcome, _reason(outcome, own, outcomes), margin, f"{rule}: {said}")


_WORDS = {True: "accepts", False: "rejects", None: "undecided"}


def _reason(outcome: bool | None, own: Sequence[Verdict | None], outcomes: Sequence[bool | None]) -> str:
    if outcome is True:
        return "ok"
    if outcome is None and True in outcomes and False in outcomes:
        return "judges_disagree"
    return next((verdict.reason for verdict in own if verdict and verdict.passed is outcome), "no_answer")


def counted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that a query's fate hangs on: where judges were put together, that row instead of theirs."""
    if not any(verdict.check == CHECK for verdict in verdicts):
        return list(verdicts)
    return [verdict for verdict in verdicts if not is_judges(verdict)]


def is_judges(verdict: Verdict) -> bool:
    """Whether it is the verdict of one judge."""
    return verdict.check.startswith("judge:") or any(verdict.check == judge.check for judge in EMBEDDED.values())


def agreement(verdicts_by_query: Sequence[Sequence[Verdict]], judges: Sequence[str]) -> dict[str, Any]:
    """``<a>_<b>.{kappa,n}`` for each pair of judges over the queries that both have answered: accepted, rejected or unsure.

    Kappa is ``agreement.cohen_kappa``; a pair for which it is not defined is left out.
    """
    found: dict[str, Any] = {}
    for first, second in combinations(judges, 2):
        pairs = [_answers(verdicts, first, second) for verdicts in verdicts_by_query]
        both = [pair for pair in pairs if pair is not None]
        kappa = cohen_kappa([a for a, _ in both], [b for _, b in both])
        if kappa is not None:
            found[f"{first}_{second}"] = {"kappa": kappa, "n": len(both)}
    return found


def _answers(verdicts: Sequence[Verdict], first: str, second: str) -> tuple[bool | None, bool | None] | None:
    by_check = {verdict.check: verdict for verdict in verdicts if verdict.reason != "no_answer"}
    a, b = by_check.get(check_of(first)), by_check.get(check_of(second))
    return (a.passed, b.passed) if a and b else None
