"""The judge that needs no model: the image evidence, measured where the image is at hand."""

from __future__ import annotations

from collections.abc import Sequence

from stages.verify.checks.evidence import CHECK, check_evidence
from stages.verify.judges.judge import Case, Opinions


class EvidenceJudge:
    """Contrast, edge and appearance by ``checks.evidence``."""

    check = CHECK

    def judge(self, cases: Sequence[Case]) -> Opinions:
        """See ``judge.Judge``; the context's measurements are shared by the queries of an image."""
        return Opinions([check_evidence(case.query, case.context) for case in cases])
