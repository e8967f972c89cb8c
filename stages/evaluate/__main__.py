"""Score the predictions on the test split: ``python -m stages.evaluate``; ``--table [--markdown]`` prints the result."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from stages.core import tracking
from stages.core.params import ParamError, Params, load_params, require
from stages.core.records import Example, ItemError, Prediction, Score
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, run_stage, seed_for
from stages.evaluate import files
from stages.evaluate.answers import Contender, examples_of_test_split, join
from stages.evaluate.baselines import baseline_predictions
from stages.evaluate.bootstrap import Bootstrap, Patients
from stages.evaluate.folders import BASELINES, PREDICTIONS, contender_names, import_faults
from stages.evaluate.measures import contender_table, paired
from stages.evaluate.precision import precision_rows
from stages.evaluate.slices import slice_table
from stages.evaluate.suites import suite_rows, suites_of
from stages.evaluate.table import printed_suites, printed_table

log = logging.getLogger("medground")
SCORES = Path("data/scores")
# Metrics folders with one file per dataset: files of datasets that params.yaml has dropped may lie there still.
PER_DATASET = ("ingest", "anchor")
# Figures of runs on other data, kept to be shown.
OTHER_RUNS = "real"


def evaluate(params: Params) -> dict[str, Any]:
    """Score the declared contenders, those brought on purpose and the baselines, write scores and plots, return the metrics."""
    bootstrap = bootstrap_of(params)
    corpus = read_table("data/corpus/examples", Example)
    examples = examples_of_test_split(corpus)
    contenders = [
        *[_contender(name, examples, read_table(PREDICTIONS / name, Prediction)) for name in contender_names(params.finetune.arms)],
        *_baselines(examples, [example for example in corpus if example.split == "train"], params.seed),
    ]
    _write_scores(contenders)
    patients = Patients([f"{example.dataset}/{example.patient_id}" for example in examples])
    domain = np.array([not example.unseen for example in examples])
    scores = {contender.name: contender.scores for contender in contenders}
    models = {contender.name: contender.scores for contender in contenders if not contender.is_baseline}
    table = contender_table(scores, domain, patients, bootstrap)
    pairs = paired(models, domain, patients, bootstrap)
    suites = suite_rows(examples, contenders, patients, bootstrap)
    files.write_table(table)
    files.write_pairs(pairs, bootstrap.confidence)
    files.write_suites(suites)
    files.write_slices(slice_table(examples, scores, patients, bootstrap))
    files.write_curve(_in_domain(scores))
    files.write_calibration(_in_domain(models), bootstrap)
    files.write_precision(precision_rows(examples, contenders, patients, bootstrap))
    files.write_outcomes(contenders, {name: import_faults(name) for name in models})
    figures = files.metrics_of(table, pairs, suites, BASELINES, bootstrap.confidence)
    for suite, note in sorted({(row.suite, row.note) for row in suites if row.note}):
        log.warning("evaluate: suite %s is empty: %s", suite, note)
    if "resolvable_acc_at_50" in figures:
        log.info("evaluate: the smallest difference of Acc@0.5 that this test set resolves: %.3f", figures["resolvable_acc_at_50"])
    return figures


def bootstrap_of(params: Params) -> Bootstrap:
    """How intervals are made, by the parameters.

    Raises:
        ParamError: too few draws, or no such coverage.
    """
    settings = params.evaluate
    require(settings.bootstrap_draws >= 100, "evaluate.bootstrap_draws", "at least 100", settings.bootstrap_draws)
    require(0 < settings.confidence < 1, "evaluate.confidence", "between 0 and 1", settings.confidence)
    return Bootstrap(settings.bootstrap_draws, settings.confidence, seed_for(params.seed, "bootstrap"))


def _contender(name: str, examples: list[Example], rows: list[Prediction]) -> Contender:
    return join(name, examples, rows, [suites_of(example) for example in examples])


def _baselines(examples: list[Example], train: list[Example], seed: int) -> list[Contender]:
    return [_contender(name, examples, rows) for name, rows in baseline_predictions(examples, train, seed).items()]


def _in_domain(scores: dict[str, list[Score]]) -> dict[str, list[Score]]:
    return {name: [score for score in listed if "in_domain" in score.suites] for name, listed in scores.items()}


def _write_scores(contenders: list[Contender]) -> None:
    """One table per contender under data/scores, and the rows that do not fit under data/scores/errors."""
    if SCORES.exists():
        shutil.rmtree(SCORES)
    for contender in contenders:
        write_table(SCORES / contender.name, Score, contender.scores)
    errors = {error for contender in contenders for error in contender.errors}
    write_table(SCORES / "errors", ItemError, sorted(errors, key=repr))


def metric_files(datasets: list[str], root: Path = Path("metrics")) -> dict[str, dict[str, Any]]:
    """All metrics files of this run, keyed by their path under ``metrics`` without suffix; per-dataset files of ``datasets`` only."""
    found = {}
    for path in sorted(root.rglob("*.json")):
        if path.relative_to(root).parts[0] == OTHER_RUNS or path.parent.name in PER_DATASET and path.stem not in datasets:
            continue
        found[path.relative_to(root).with_suffix("").as_posix()] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the contenders' table from the tracked metrics and stop")
    parser.add_argument("--markdown", action="store_true", help="with --table: as Markdown")
    parser.add_argument("--metrics", type=Path, metavar="FOLDER", help="with --table: of the run whose figures were kept here, such as metrics/real (default: metrics)")
    arguments = parser.parse_args()
    if (arguments.markdown or arguments.metrics) and not arguments.table:
        parser.error("--markdown and --metrics go with --table")
    if arguments.table:
        try:
            metrics = arguments.metrics or files.FOLDER
            print(printed_table(arguments.markdown, metrics), printed_suites(arguments.markdown, metrics), sep="\n\n")
        except (StageError, ParamError) as error:
            print(f"evaluate: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        return
    run_stage("evaluate", evaluate)
    params = load_params()
    tracking.mirror(metric_files(sorted(params.datasets)), params)


if __name__ == "__main__":
    main()
