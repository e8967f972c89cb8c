"""What a writer gives back for one scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stages.core.records import ItemError, Query


@dataclass(frozen=True)
class Usage:
    """What the texts cost: requests and tokens, money in the currency of the prices, repeated requests, waiting in seconds."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    retries: int = 0
    latencies_s: tuple[float, ...] = ()

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.retries + other.retries,
            self.latencies_s + other.latencies_s,
        )


@dataclass(frozen=True)
class Draft:
    """Queries of one scene, how many planned ones were given up and why, targets that failed, and what it all cost.

    ``n_targets`` is the number of targets that a text was asked for; 1 at least, so that a scene counts as an item.
    """

    queries: list[Query]
    skipped: Counter[str]
    errors: list[ItemError] = field(default_factory=list)
    n_targets: int = 1
    usage: Usage = field(default_factory=Usage)
