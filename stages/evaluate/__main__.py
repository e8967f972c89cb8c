"""Score the predictions on the test split: ``python -m stages.evaluate``; ``--table [--markdown]`` prints the result."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from stages.core import tracking
from stages.core.params import ParamError, Params, load_params, require
from stages.core.records import Example, Prediction, Score
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, run_stage
from stages.evaluate import files, measures
from stages.evaluate.baselines import BASELINES, baseline_predictions
from stages.evaluate.scoring import examples_of_test_split, score_contender

log = logging.getLogger("medground")
CONTENDERS = ("base", "tuned", "control")
SCORES = Path("data/scores")
# Metrics folders with one file per dataset: files of datasets that params.yaml has dropped may lie there still.
PER_DATASET = ("ingest", "anchor")


def evaluate(params: Params) -> dict[str, Any]:
    """Score all contenders and both baselines, write scores and plots, return the metrics."""
    settings = params.evaluate
    require(settings.bootstrap_draws >= 100, "evaluate.bootstrap_draws", "at least 100", settings.bootstrap_draws)
    require(0 < settings.confidence < 1, "evaluate.confidence", "between 0 and 1", settings.confidence)
    corpus = read_table("data/corpus/examples", Example)
    examples = examples_of_test_split(corpus)
    scores = {name: score_contender(name, examples, read_table(f"data/predictions/{name}", Prediction)) for name in CONTENDERS}
    train = [example for example in corpus if example.split == "train"]
    for name, answers in baseline_predictions(examples, train, params.seed).items():
        scores[name] = score_contender(name, examples, answers)
    _write_scores(scores)
    bootstrap = measures.Bootstrap(settings.bootstrap_draws, settings.confidence, params.seed)
    table = measures.contender_table(scores, bootstrap)
    files.write_table_csv(table)
    files.write_slices_csv(measures.slice_table(examples, scores, bootstrap))
    files.write_curve_csv(scores)
    figures = measures.metrics_of(table, measures.paired_gains(scores, bootstrap), BASELINES)
    if figures["n_multi"] == 0:
        log.warning("evaluate: no test example has two objects of its class: the multi_object figures are 0 over 0 examples")
    return figures


def _write_scores(scores: dict[str, list[Score]]) -> None:
    """One table per contender under data/scores."""
    if SCORES.exists():
        shutil.rmtree(SCORES)
    for name, listed in scores.items():
        write_table(SCORES / name, Score, listed)


def metric_files(datasets: list[str], root: Path = Path("metrics")) -> dict[str, dict[str, Any]]:
    """All metrics files, keyed by their path under ``metrics`` without suffix; per-dataset files of ``datasets`` only."""
    found = {}
    for path in sorted(root.rglob("*.json")):
        if path.parent.name in PER_DATASET and path.stem not in datasets:
            continue
        found[path.relative_to(root).with_suffix("").as_posix()] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the contenders' table from the tracked metrics and stop")
    parser.add_argument("--markdown", action="store_true", help="with --table: as Markdown")
    arguments = parser.parse_args()
    if arguments.markdown and not arguments.table:
        parser.error("--markdown goes with --table")
    if arguments.table:
        try:
            print(files.printed_table(arguments.markdown))
        except (StageError, ParamError) as error:
            print(f"evaluate: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        return
    run_stage("evaluate", evaluate)
    params = load_params()
    tracking.mirror(metric_files(sorted(params.datasets)), params)


if __name__ == "__main__":
    main()
