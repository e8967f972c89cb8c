"""The numbers that describe a set of queries, and a few of the texts to read."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from stages.core.claims import KINDS
from stages.core.records import ItemError, Query
from stages.core.stage import count_by, seed_for
from stages.generate.grammar import normalised
from stages.vlm.asking import Usage, spending

QUERY_KINDS = ("single", "multi", "none", "name")
DIFFICULTIES = (0, 1, 2, 3)
SAMPLES = Path("metrics/plots/generate_samples.csv")
_SAMPLES_PER_MODALITY = 24


def figures(
    queries: Sequence[Query],
    datasets: Mapping[str, int],
    modality: Mapping[str, str],
    skipped: Counter[str],
    errors: Sequence[ItemError],
    usage: Usage,
) -> dict[str, Any]:
    """Metrics of the stage.

    ``claims.<kind>`` is the share of queries that make such a claim, ``difficulty.<n>`` the share whose target needs n
    claims; ``datasets`` counts queries. ``modality`` maps samples to theirs. ``cost`` and waiting are those of the
    answers that were used, also where the store of answers had them.
    """
    kinds = Counter(query.kind for query in queries)
    claims = Counter(kind for query in queries for kind in {json.loads(text)["kind"] for text in query.claims or []})
    needed = Counter(query.difficulty for query in queries)
    by_modality: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        by_modality[modality[query.sample_id]].append(query)
    n = max(len(queries), 1)
    return {
        "queries": len(queries),
        "kinds": {kind: kinds[kind] for kind in QUERY_KINDS},
        "datasets": dict(sorted(datasets.items())),
        **language(queries),
        "modalities": {name: language(group) for name, group in sorted(by_modality.items())},
        "claims": {kind: claims[kind] / n for kind in KINDS},
        "difficulty": {str(count): needed[count] / n for count in DIFFICULTIES},
        "styles": {style: count / n for style, count in count_by([query.style for query in queries]).items()},
        "skipped": dict(sorted(skipped.items())),
        "failures": len(errors),
        "failed": count_by([error.kind for error in errors]),
        **spending(usage),
    }


def language(queries: Sequence[Query]) -> dict[str, Any]:
    """Diversity of the texts. ``indistinct`` is the share of texts that, letters and digits alone, occur more than once."""
    tokens = [normalised(query.text).split() for query in queries]
    said = Counter(" ".join(text) for text in tokens)
    n = max(len(queries), 1)
    return {
        **{f"distinct_{order}": distinct(tokens, order) for order in (1, 2, 3)},
        "vocabulary": len({token for text in tokens for token in text}),
        "mean_words": sum(map(len, tokens)) / n,
        "indistinct": sum(count for count in said.values() if count > 1) / n,
    }


def distinct(tokens: Sequence[Sequence[str]], order: int) -> float:
    """Distinct n-grams over all n-grams of the texts (Li et al. 2016, arXiv 1510.03055); 0 where there is none."""
    grams = [tuple(text[start : start + order]) for text in tokens for start in range(len(text) - order + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def write_samples(queries: Sequence[Query], modality: Mapping[str, str], seed: int) -> None:
    """A table of texts to read: up to 24 a modality, drawn by the seed, in the order of their ids."""
    groups: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        groups[modality[query.sample_id]].append(query)
    SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    with SAMPLES.open("w", encoding="utf-8", newline="") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(["modality", "kind", "style", "difficulty", "text", "query_id"])
        for name, group in sorted(groups.items()):
            drawn = Random(seed_for(seed, "samples", name)).sample(range(len(group)), min(_SAMPLES_PER_MODALITY, len(group)))
            for query in (group[place] for place in sorted(drawn)):
                rows.writerow([name, query.kind, query.style, query.difficulty, query.text, query.query_id])
