"""What the audit reads: the verified queries with their fates, verdicts, pictures and boxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from stages.core.params import Params
from stages.core.records import Anchor, Query, Sample, Verdict
from stages.core.shards import iter_table, read_table
from stages.verify.cascade import ACCEPTED, REJECTED, UNDECIDED
from stages.verify.review.sampling import Judged

VERIFIED = Path("data/verified")


def read_judged(params: Params) -> list[Judged]:
    """All queries of the last verification, in the order of their ids.

    Raises:
        FileNotFoundError: nothing has been verified yet.
    """
    modality = {
        row["sample_id"]: row["modality"]
        for dataset in sorted(params.datasets)
        for row in iter_table(Path("data/samples") / dataset / "samples", Sample, ["sample_id", "modality"])
    }
    found = [Judged(query, fate, modality.get(query.sample_id, "unknown")) for fate in (ACCEPTED, REJECTED, UNDECIDED) for query in read_table(VERIFIED / fate, Query)]
    return sorted(found, key=lambda item: item.query.query_id)


def read_verdicts(query_ids: Collection[str]) -> dict[str, list[Verdict]]:
    """Verdicts of the queries, in the order of the table."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in iter_table(VERIFIED / "verdicts", Verdict):
        if verdict.query_id in query_ids:
            found[verdict.query_id].append(verdict)
    return found


def read_samples(params: Params, sample_ids: Collection[str]) -> dict[str, Sample]:
    """The samples of those ids, with pictures."""
    datasets = sorted({sample_id.split("/")[0] for sample_id in sample_ids} & set(params.datasets))
    rows: Iterable[Sample] = (row for dataset in datasets for row in iter_table(Path("data/samples") / dataset / "samples", Sample))
    return {row.sample_id: row for row in rows if row.sample_id in sample_ids}


def read_boxes(params: Params, anchor_ids: Collection[str]) -> dict[str, list[float]]:
    """``box_xyxy_px`` of the anchors of those ids."""
    datasets = sorted({anchor_id.split("/")[0] for anchor_id in anchor_ids} & set(params.datasets))
    rows = (row for dataset in datasets for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, ["anchor_id", "box_xyxy_px"]))
    return {row["anchor_id"]: row["box_xyxy_px"] for row in rows if row["anchor_id"] in anchor_ids}
