"""The judges that ask a model, after the cheap checks of all images: who is asked about what, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stages.core.params import Params, require
from stages.core.records import ItemError, Verdict
from stages.verify.cascade import Judged, SampleJob, fate_of
from stages.verify.context import Context
from stages.verify.judges import EMBEDDED, MODELS
from stages.verify.judges.combination import COMBINE, agreement, combined, is_judges
from stages.verify.judges.judge import Case, Judge, Opinions
from stages.vlm.asking import spending


@dataclass(frozen=True)
class Sitting:
    """Queries with all their judges' verdicts, queries without a usable answer, and metrics (none for the embedded judge alone)."""

    judged: list[Judged]
    errors: list[ItemError] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def open_judges(params: Params) -> dict[str, Judge]:
    """The judges of ``verify.judges`` that ask a model, by name, before anything is read.

    Raises:
        ParamError: an unknown judge or rule, a parameter out of range, no model, no key.
    """
    p, known = params.verify, [*EMBEDDED, *MODELS]
    named = bool(p.judges) and set(p.judges) <= set(known) and len(set(p.judges)) == len(p.judges)
    require(named, "verify.judges", f"one or several of {', '.join(known)}", p.judges)
    require(p.combine in COMBINE, "verify.combine", f"one of {', '.join(COMBINE)}", p.combine)
    require(p.votes >= 1, "verify.votes", "at least 1", p.votes)
    require(p.picture_px >= 64, "verify.picture_px", "at least 64", p.picture_px)
    return {name: MODELS[name](params) for name in p.judges if name in MODELS}


def sit(judged: Sequence[Judged], jobs: Iterable[SampleJob], judges: dict[str, Judge], params: Params) -> Sitting:
    """Ask every judge that is a model about the queries that passed all cheap checks, and put the verdicts together.

    A query that another judge rejects is asked about all the same: otherwise nothing could be said about agreement.
    """
    if not judges:
        return Sitting(list(judged))
    contexts = {job.sample.sample_id: Context(job.sample, job.anchors, params.verify) for job in jobs}
    cases = [Case(item.query, contexts[item.query.sample_id]) if passed_cheap_checks(item) else None for item in judged]
    return sit_over(judged, cases, judges, params)


def sit_over(judged: Sequence[Judged], cases: Sequence[Case | None], judges: dict[str, Judge], params: Params) -> Sitting:
    """The same for ``cases``, one for each judged query: what the models are shown of it, None where they are not asked."""
    asked = [place for place, case in enumerate(cases) if case is not None]
    shown = [case for case in cases if case is not None]
    opinions = {name: judge.judge(shown) for name, judge in judges.items()}
    added: dict[int, list[Verdict]] = {place: [] for place in asked}
    for found in opinions.values():
        for place, verdict in zip(asked, found.verdicts, strict=True):
            added[place].append(verdict)
    done = [_finished(item, added.get(place, []), params) for place, item in enumerate(judged)]
    errors = [error for found in opinions.values() for error in found.errors]
    return Sitting(done, errors, _figures(done, opinions, params))


def passed_cheap_checks(item: Judged) -> bool:
    """Whether every check that is no judge holds for it."""
    return all(verdict.passed is True for verdict in item.verdicts if not is_judges(verdict))


def _finished(item: Judged, added: Sequence[Verdict], params: Params) -> Judged:
    verdicts = [*item.verdicts, *added]
    together = combined(item.query, verdicts, params.verify.judges, params.verify.combine)
    verdicts += [together] if together else []
    return replace(item, fate=fate_of(verdicts), verdicts=verdicts)


def _figures(judged: Sequence[Judged], opinions: dict[str, Opinions], params: Params) -> dict[str, Any]:
    figures: dict[str, Any] = {"judges": {name: _one(found) for name, found in opinions.items()}}
    pairs = agreement([item.verdicts for item in judged], params.verify.judges)
    return figures | ({"agreement": pairs} if pairs else {})


def _one(found: Opinions) -> dict[str, Any]:
    """Counts of one judge's verdicts; ``agreement`` is the mean share of the votes that say the most frequent word."""
    shares = [verdict.margin for verdict in found.verdicts if verdict.margin is not None]
    outcomes = [verdict.passed for verdict in found.verdicts]
    return {
        "asked": len(outcomes),
        "passed": outcomes.count(True),
        "rejected": outcomes.count(False),
        "undecided": outcomes.count(None),
        "no_answer": sum(verdict.reason == "no_answer" for verdict in found.verdicts),
        "agreement": sum(shares) / len(shares) if shares else 0.0,
        **spending(found.usage),
    }
