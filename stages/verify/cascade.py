"""The cascade: every query through the checks until one rejects it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.claims import prepare
from stages.core.params import VerifyParams
from stages.core.records import Anchor, ItemError, Query, Sample, Verdict
from stages.verify.checks import CHECKS
from stages.verify.checks.claims import narrowed
from stages.verify.context import Context
from stages.verify.judges import EMBEDDED
from stages.verify.judges.combination import counted
from stages.verify.judges.judge import Case
from stages.verify.visibility import Visibility

ACCEPTED, REJECTED, UNDECIDED = "accepted", "rejected", "undecided"


@dataclass(frozen=True)
class SampleJob:
    """One image with its anchors, its queries, and what the image judge saw of the anchors (measured where missing)."""

    sample: Sample
    anchors: list[Anchor]
    queries: list[Query]
    visibilities: dict[str, Visibility]


@dataclass(frozen=True)
class Judged:
    """A query, its fate, and the verdicts of the checks that it reached."""

    query: Query
    fate: str
    verdicts: list[Verdict]
    dataset: str
    modality: str

    @property
    def deciding(self) -> Verdict:
        """The verdict that rejected it, else the first that could not decide, else the last."""
        verdicts = counted(self.verdicts)
        open_ones = [verdict for verdict in verdicts if verdict.passed is not True]
        against = [verdict for verdict in open_ones if verdict.passed is False]
        return (against or open_ones or verdicts[-1:])[0]


def judge_sample(job: SampleJob, params: VerifyParams) -> list[Judged | ItemError]:
    """Every query of an image, in the order of their ids; a picture or mask that cannot be read is an error value."""
    context = Context(job.sample, job.anchors, params, visibilities=dict(job.visibilities))
    if context.fault is not None:
        return [_error(query, *context.fault) for query in job.queries]
    said = [[narrowed(claim, context.known_labels) for claim in context.parsed(query).claims] for query in job.queries]
    prepare(said, context.scene, context.thresholds)
    return [judge(query, context) for query in sorted(job.queries, key=lambda query: query.query_id)]


def _error(query: Query, kind: str, cause: str) -> ItemError:
    return ItemError(query.query_id, "verify", kind, "", cause)


def judge(query: Query, context: Context) -> Judged:
    """Run the checks in order, then the embedded judges of ``verify.judges``; the first check that rejects ends the query's path.

    An open verdict does not end it. Judges that ask a model come later, for all images together (``judges.panel``).
    """
    verdicts: list[Verdict] = []
    for check in CHECKS.values():
        verdicts.append(check(query, context))
        if verdicts[-1].passed is False:
            break
    else:
        for name in context.params.judges:
            verdicts += EMBEDDED[name].judge([Case(query, context)]).verdicts if name in EMBEDDED else []
    return Judged(query, fate_of(verdicts), verdicts, context.sample.dataset, context.sample.modality)


def fate_of(verdicts: Sequence[Verdict]) -> str:
    """Rejected if any check rejects, undecided if any cannot decide, else accepted; several judges count as one."""
    outcomes = [verdict.passed for verdict in counted(verdicts)]
    if False in outcomes:
        return REJECTED
    return UNDECIDED if None in outcomes else ACCEPTED
