"""What a judge is: it looks at the picture and says whether a query's targets are there and are what the text says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stages.core.records import ItemError, Query, Verdict
from stages.verify.context import Context
from stages.vlm.asking import Usage


@dataclass(frozen=True)
class Case:
    """A query that passed the cheap checks, and its image."""

    query: Query
    context: Context


@dataclass(frozen=True)
class Opinions:
    """One verdict for each case, in order; cases without a usable answer also as errors; what the answers cost."""

    verdicts: list[Verdict]
    errors: list[ItemError] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


class Judge(Protocol):
    """``check`` names its verdicts."""

    check: str

    def judge(self, cases: Sequence[Case]) -> Opinions:
        """A verdict for every case; undecided where it cannot tell or there is no answer.

        Raises:
            StageError: nobody answers, or every answer would fail the same way.
        """
        ...
