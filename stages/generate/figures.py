"""The numbers that describe a set of queries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.core.claims import KINDS
from stages.core.records import ItemError, Query
from stages.core.stage import count_by
from stages.generate.draft import Usage

QUERY_KINDS = ("single", "multi", "none", "name")


def figures(
    queries: Sequence[Query], datasets: dict[str, int], skipped: Counter[str], errors: Sequence[ItemError], usage: Usage
) -> dict[str, Any]:
    """Metrics of the stage. ``claims.<kind>`` is the share of queries that make such a claim; ``datasets`` counts queries."""
    tokens = [query.text.lower().rstrip(".?").replace(",", "").split() for query in queries]
    kinds = Counter(query.kind for query in queries)
    claims = Counter(kind for query in queries for kind in {json.loads(text)["kind"] for text in query.claims or []})
    n = max(len(queries), 1)
    return {
        "queries": len(queries),
        "kinds": {kind: kinds[kind] for kind in QUERY_KINDS},
        "datasets": datasets,
        **{f"distinct_{order}": distinct(tokens, order) for order in (1, 2, 3)},
        "vocabulary": len({token for text in tokens for token in text}),
        "mean_words": sum(map(len, tokens)) / n,
        "claims": {kind: claims[kind] / n for kind in KINDS},
        "styles": {style: count / n for style, count in count_by([query.style for query in queries]).items()},
        "skipped": dict(sorted(skipped.items())),
        "failures": len(errors),
        "tokens": usage.tokens,
        "cost": usage.cost,
        "retries": usage.retries,
    }


def distinct(tokens: Sequence[Sequence[str]], order: int) -> float:
    """Distinct n-grams over all n-grams of the texts (Li et al. 2016, arXiv 1510.03055); 0 where there is none."""
    grams = [tuple(text[start : start + order]) for text in tokens for start in range(len(text) - order + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
