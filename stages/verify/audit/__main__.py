"""Faults planted in accepted queries, to see what the cascade catches: ``python -m stages.verify.audit``."""

from __future__ import annotations

import argparse
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stages.core.parallel import ordered_map, split_errors
from stages.core.params import AuditParams, Params, require
from stages.core.records import ItemError, Query
from stages.core.shards import iter_table, write_table
from stages.core.stage import StageError, check_error_rate, run_stage, write_errors
from stages.verify.audit.figures import faults_without_plants, figures, write_faults
from stages.verify.audit.run import AuditJob, asked, audit_image, chosen_images
from stages.verify.audit.trial import CLEAN, Trial
from stages.verify.jobs import pairs_of
from stages.verify.judges.panel import open_judges
from stages.verify.trials import norms_of

FAULTS = Path("metrics/plots/audit_faults.csv")
FOLDER = Path("data/audit")
log = logging.getLogger("medground")


def main() -> None:
    """Parse the command line and run the stage."""
    argparse.ArgumentParser(prog="python -m stages.verify.audit", description=__doc__).parse_args()
    run_stage("audit", audit)


def audit(params: Params) -> dict[str, Any]:
    """Judge clean and planted queries; write misses, lost clean queries, catches, errors and the plot; return the figures.

    Where ``verify.judges`` names models, they are asked about whatever passes the cheap checks, as in the stage verify: with
    the same questions, store and budget.
    """
    _check(params.audit)
    judges = open_judges(params)
    queries: dict[str, list[Query]] = defaultdict(list)
    for query in iter_table("data/queries/queries", Query):
        queries[query.sample_id].append(query)
    run = partial(audit_image, params=params.verify, queries_planted=params.audit.queries_per_image, seed=params.seed, models=bool(judges))
    jobs = list(_jobs(params, queries))
    attempts, errors = split_errors(ordered_map(run, jobs, params.engine, "audit"))
    if not attempts:
        raise StageError("there is no query to plant a fault in: run the stage generate, and see `datasets` in params.yaml")
    sitting = asked(attempts, judges, params)
    trials = [attempt.trial(judged) for attempt, judged in zip(attempts, sitting.judged, strict=True)]
    _write(trials, [*errors, *sitting.errors])
    check_error_rate("audit", errors, len(jobs), params.audit.max_error_rate)
    for fault in faults_without_plants(trials):
        log.warning("audit: no image allows the fault %r to be planted", fault)
    return figures(trials) | sitting.figures


def _check(params: AuditParams) -> None:
    require(params.images_per_dataset >= 1, "audit.images_per_dataset", "at least 1", params.images_per_dataset)
    require(params.queries_per_image >= 1, "audit.queries_per_image", "at least 1", params.queries_per_image)
    require(0 <= params.max_error_rate <= 1, "audit.max_error_rate", "between 0 and 1", params.max_error_rate)


def _jobs(params: Params, queries: dict[str, list[Query]]) -> Iterator[AuditJob]:
    """A seeded choice of the images that have queries, from every dataset, with norms from all images of it."""
    for dataset in sorted(params.datasets):
        pairs = pairs_of(dataset, set(queries))
        norms = norms_of(pairs, params.verify, params.seed, params.engine)
        chosen = set(chosen_images([sample.sample_id for sample, _ in pairs], params.audit.images_per_dataset, params.seed))
        for sample, anchors in pairs:
            if sample.sample_id in chosen:
                yield AuditJob(sample, anchors, queries[sample.sample_id], norms.of(sample.patient_id, {anchor.label for anchor in anchors}))


def _write(trials: Sequence[Trial], errors: Sequence[ItemError]) -> None:
    """Every miss, every clean query that was lost, every catch: ``python -m stages.verify.audit.sheets`` shows them."""
    write_errors(FOLDER / "errors", errors)
    planted = [trial for trial in trials if trial.fault != CLEAN]
    write_table(FOLDER / "misses", Trial, [trial for trial in planted if trial.accepted])
    write_table(FOLDER / "catches", Trial, [trial for trial in planted if not trial.accepted])
    write_table(FOLDER / "lost", Trial, [trial for trial in trials if trial.fault == CLEAN and not trial.accepted])
    write_faults(FAULTS, trials)


if __name__ == "__main__":
    main()
