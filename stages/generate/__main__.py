"""Queries of all datasets: ``python -m stages.generate``."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from stages.core.params import GenerateParams, Params, require
from stages.core.records import Query
from stages.core.shards import write_table
from stages.core.stage import check_error_rate, run_stage, write_errors
from stages.generate.figures import SAMPLES, figures, write_samples
from stages.generate.realise import STYLES
from stages.generate.scenes import read_scenes
from stages.generate.writers import WRITERS
from stages.vlm.asking import Usage
from stages.vlm.marking import MARKS


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.generate", description=__doc__).parse_args()
    run_stage("generate", generate, artifacts=(SAMPLES,))


def generate(params: Params) -> dict[str, Any]:
    """Read samples and anchors of every dataset, write the queries and errors tables and a sample of the texts, return the metrics."""
    _check(params.generate)
    writer = WRITERS[params.generate.writer]
    writer.check(params)
    scenes = {dataset: read_scenes(dataset) for dataset in sorted(params.datasets)}
    drafts = writer.write([scene for dataset in scenes for scene in scenes[dataset]], params)
    errors = [error for draft in drafts for error in draft.errors]
    write_errors("data/queries/errors", errors)
    check_error_rate("generate", errors, sum(draft.n_targets for draft in drafts), params.generate.max_error_rate)
    queries = [query for draft in drafts for query in draft.queries]
    write_table("data/queries/queries", Query, queries)
    modality = {scene.sample_id: scene.modality for group in scenes.values() for scene in group}
    write_samples(queries, modality, params.seed)
    counts = dict.fromkeys(scenes, 0) | Counter(query.sample_id.split("/")[0] for query in queries)
    skipped: Counter[str] = sum((draft.skipped for draft in drafts), Counter())
    usage = sum((draft.usage for draft in drafts), Usage())
    return figures(queries, counts, modality, skipped, errors, usage)


def _check(params: GenerateParams) -> None:
    require(params.writer in WRITERS, "generate.writer", f"one of {', '.join(WRITERS)}", params.writer)
    require(params.mark in MARKS, "generate.mark", f"one of {', '.join(MARKS)}", params.mark)
    for name in ("queries_per_image", "max_claims", "texts_per_target"):
        require(getattr(params, name) >= 1, f"generate.{name}", "at least 1", getattr(params, name))
    require(params.texts_per_target <= 8, "generate.texts_per_target", "at most 8", params.texts_per_target)
    require(params.picture_px >= 64, "generate.picture_px", "at least 64", params.picture_px)
    require(params.repairs >= 0, "generate.repairs", "0 or more", params.repairs)
    require(set(params.styles) == set(STYLES), "generate.styles", f"a weight for each of {', '.join(STYLES)}", params.styles)
    weights = [weight for style, weight in params.styles.items() if style != "report"]
    require(min(params.styles.values()) >= 0 and sum(weights) > 0, "generate.styles", "weights of 0 or more, not all of them 0", params.styles)
    for name in ("share_multi", "share_none", "share_name", "max_error_rate"):
        require(0 <= getattr(params, name) <= 1, f"generate.{name}", "between 0 and 1", getattr(params, name))
    total = params.share_multi + params.share_none + params.share_name
    require(total <= 1, "generate.share_multi + share_none + share_name", "at most 1 in sum", total)


if __name__ == "__main__":
    main()
