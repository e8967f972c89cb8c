"""What a writer gives back for one scene."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stages.core.records import ItemError, Query
from stages.vlm.asking import Usage


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
