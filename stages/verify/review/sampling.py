"""Which queries a person is asked about: stratified, seeded, accepted ones mixed with others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stages.core.records import Query
from stages.core.stage import seed_for

K = TypeVar("K")


@dataclass(frozen=True)
class Judged:
    """A query with what the cascade made of it. ``fate`` is accepted, rejected or undecided."""

    query: Query
    fate: str
    modality: str

    @property
    def stratum(self) -> tuple[str, str, str]:
        """Queries of one stratum are drawn at one rate."""
        return self.fate, self.modality, self.query.kind


def allocate(sizes: Mapping[K, int], n: int) -> dict[K, int]:
    """How many of ``n`` each stratum gives: one each while there are enough, the larger first; the rest in proportion to their size.

    Proportions by largest remainder; no stratum gives more than it has, so that the sum is n or all there is.
    """
    order = sorted((key for key in sizes if sizes[key]), key=lambda key: (-sizes[key], str(key)))
    given = {key: int(place < n) for place, key in enumerate(order)}
    left = min(n, sum(sizes.values())) - sum(given.values())
    while left > 0:
        room = {key: sizes[key] - given[key] for key in order if sizes[key] > given[key]}
        shares = {key: left * room[key] / sum(room.values()) for key in room}
        whole = {key: min(room[key], math.floor(share)) for key, share in shares.items()}
        rest = left - sum(whole.values())
        by_remainder = sorted(shares, key=lambda key: (-(shares[key] - whole[key]), order.index(key)))
        for key in by_remainder:
            more = 1 if rest > 0 and whole[key] < room[key] else 0
            given[key] += whole[key] + more
            rest -= more
        left = min(n, sum(sizes.values())) - sum(given.values())
    return given


def draw(queries: Sequence[Judged], n: int, share_against: float, seed: int) -> list[Judged]:
    """``n`` queries, ``share_against`` of them not accepted, spread over the strata; in an order that tells nothing.

    Where one side has too few, the other gives more.
    """
    accepted = [item for item in queries if item.fate == "accepted"]
    against = [item for item in queries if item.fate != "accepted"]
    n_against = min(len(against), round(n * share_against))
    n_accepted = min(len(accepted), n - n_against)
    n_against = min(len(against), n - n_accepted)
    drawn = _spread(accepted, n_accepted, seed) + _spread(against, n_against, seed)
    return sorted(drawn, key=lambda item: seed_for(seed, "review order", item.query.query_id))


def _spread(queries: Sequence[Judged], n: int, seed: int) -> list[Judged]:
    strata: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for item in sorted(queries, key=lambda item: seed_for(seed, "review", item.query.query_id)):
        strata[item.stratum].append(item)
    shares = allocate({key: len(group) for key, group in strata.items()}, n)
    return [item for key, group in strata.items() for item in group[: shares[key]]]
