"""Queries of all datasets to verdicts: ``python -m stages.verify``."""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stages.core.parallel import ordered_map, split_errors
from stages.core.params import Params, VerifyParams, require
from stages.core.records import ItemError, Query, Verdict
from stages.core.shards import iter_table, write_table
from stages.core.stage import Table, check_error_rate, count_by, run_stage, write_errors
from stages.verify.cascade import ACCEPTED, REJECTED, UNDECIDED, Judged, judge_sample
from stages.verify.foreign.command import add_arguments, run
from stages.verify.jobs import jobs_of
from stages.verify.judges.panel import open_judges, sit

FATES = (ACCEPTED, REJECTED, UNDECIDED)
FUNNEL = Path("metrics/plots/verify_funnel.csv")
FUNNEL_COLUMNS = ("dataset", "modality", "check", "reason", "n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stage, or judge queries that were written elsewhere (``foreign``)."""
    reader = argparse.ArgumentParser(prog="python -m stages.verify", description=__doc__)
    add_arguments(reader)
    if not run(reader.parse_args(arguments), reader):
        run_stage("verify", verify)


def verify(params: Params) -> dict[str, Any]:
    """Judge every query, write accepted, rejected, undecided, verdicts and errors, return the metrics."""
    _check(params.verify)
    judges = open_judges(params)
    queries: dict[str, list[Query]] = defaultdict(list)
    for query in iter_table("data/queries/queries", Query):
        queries[query.sample_id].append(query)
    n_queries = sum(map(len, queries.values()))
    judge = partial(judge_sample, params=params.verify)
    jobs = [job for _, of_dataset in jobs_of(params, queries) for job in of_dataset]
    known = {job.sample.sample_id for job in jobs}
    judged, errors = split_errors(ordered_map(judge, jobs, params.engine, "verify"))
    errors += [
        ItemError(query.query_id, "verify", "no_sample", "", f"sample {query.sample_id!r} is in no dataset of params.yaml")
        for sample_id, orphans in queries.items()
        if sample_id not in known
        for query in orphans
    ]
    sitting = sit(judged, jobs, judges, params)
    judged, errors = sitting.judged, errors + sitting.errors
    folder = Path("data/verified")
    write_errors(folder / "errors", errors)
    check_error_rate("verify", errors, n_queries, params.verify.max_error_rate)
    for fate in FATES:
        write_table(folder / fate, Query, [item.query for item in judged if item.fate == fate])
    write_table(folder / "verdicts", Verdict, [verdict for item in judged for verdict in item.verdicts])
    rows = funnel(judged)
    write_funnel(FUNNEL, rows)
    return figures(judged, n_queries, errors) | sitting.figures | {"funnel": rows}


def _check(params: VerifyParams) -> None:
    require(0 <= params.max_error_rate <= 1, "verify.max_error_rate", "between 0 and 1", params.max_error_rate)
    require(params.min_words >= 1, "verify.min_words", "at least 1", params.min_words)
    require(params.max_words >= params.min_words, "verify.max_words", "at least verify.min_words", params.max_words)
    require(0 <= params.min_visibility <= 1, "verify.min_visibility", "between 0 and 1", params.min_visibility)
    require(0 < params.near_duplicate <= 1, "verify.near_duplicate", "above 0 and at most 1", params.near_duplicate)


def funnel(judged: Sequence[Judged]) -> Table:
    """How many queries each check passed, left open or rejected: dataset, modality, check, reason, n."""
    counts = Counter((item.dataset, item.modality, verdict.check, verdict.reason) for item in judged for verdict in item.verdicts)
    return Table(dict(zip(FUNNEL_COLUMNS, [*key, n], strict=True)) for key, n in sorted(counts.items()))


def write_funnel(path: Path, rows: Table) -> None:
    """The funnel as CSV, which DVC plots."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(FUNNEL_COLUMNS)
        writer.writerows(row.values() for row in rows)


def figures(judged: Sequence[Judged], n_queries: int, errors: Sequence[ItemError]) -> dict[str, Any]:
    """The stage's metrics: fates, and the reason that decided each query that was not accepted."""
    fates = Counter(item.fate for item in judged)
    return {
        "queries": n_queries,
        **{fate: fates[fate] for fate in FATES},
        "accepted_rate": fates[ACCEPTED] / max(1, n_queries),
        "reasons": count_by([item.deciding.reason for item in judged if item.fate != ACCEPTED]),
        "errors": count_by([error.kind for error in errors]),
    }


if __name__ == "__main__":
    main()
