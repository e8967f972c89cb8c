"""Images with their anchors and queries, dataset by dataset, and what the image judge sees of the targets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.core.params import Params
from stages.core.records import Anchor, Query, Sample
from stages.core.shards import iter_table, read_table
from stages.verify.cascade import SampleJob
from stages.verify.norms import NO_NORMS, Norms
from stages.verify.trials import norms_of, sightings

Pair = tuple[Sample, list[Anchor]]


def pairs_of(dataset: str, wanted: set[str]) -> list[Pair]:
    """The samples of a dataset whose ids are wanted, in the order of their ids, each with its anchors."""
    anchors: dict[str, list[Anchor]] = defaultdict(list)
    for anchor in read_table(Path("data/anchors") / dataset / "anchors", Anchor):
        anchors[anchor.sample_id].append(anchor)
    samples = iter_table(Path("data/samples") / dataset / "samples", Sample)
    return [(sample, anchors[sample.sample_id]) for sample in samples if sample.sample_id in wanted]


def jobs_of(params: Params, queries: dict[str, list[Query]]) -> Iterator[tuple[Norms, list[SampleJob]]]:
    """For each dataset its norms and the images that have queries (by ``sample_id``); what is in no dataset gives no job."""
    for dataset in sorted(params.datasets):
        yield jobs_of_pairs(pairs_of(dataset, set(queries)), queries, params)


def jobs_of_pairs(pairs: Sequence[Pair], queries: dict[str, list[Query]], params: Params) -> tuple[Norms, list[SampleJob]]:
    """Norms of the pairs as one dataset (none where no query has a target), and a job for each of them."""
    targets = {anchor_id for sample, _ in pairs for query in queries[sample.sample_id] for anchor_id in query.anchor_ids}
    norms = norms_of(pairs, params.verify, params.seed, params.engine) if targets else NO_NORMS  # nothing to look at
    seen = sightings(pairs, targets, norms, params.verify, params.engine)
    return norms, [SampleJob(sample, own, queries[sample.sample_id], seen[sample.sample_id]) for sample, own in pairs]
