"""What a writer gives back for one scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stages.core.records import Query


@dataclass(frozen=True)
class Usage:
    """What the texts cost: tokens read and written, money in the currency of the endpoint, repeated requests."""

    tokens: int = 0
    cost: float = 0.0
    retries: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.tokens + other.tokens, self.cost + other.cost, self.retries + other.retries)


@dataclass(frozen=True)
class Draft:
    """Queries of one scene, how many planned ones were given up and why, and what they cost."""

    queries: list[Query]
    skipped: Counter[str]
    usage: Usage = field(default_factory=Usage)
