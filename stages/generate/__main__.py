"""Queries of all datasets: ``python -m stages.generate``."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

from stages.core.claims import Scene, scene_of
from stages.core.parallel import ordered_map
from stages.core.params import GenerateParams, Params, require
from stages.core.records import Anchor, ItemError, Query, Sample, from_row
from stages.core.shards import iter_table, write_table
from stages.core.stage import check_error_rate, run_stage, worker_count, write_errors
from stages.generate.draft import Draft, Usage
from stages.generate.figures import figures
from stages.generate.writers import WRITERS
from stages.knowledge.labels import UnknownLabelError
from stages.knowledge.words import UnknownModalityError

_SAMPLE_COLUMNS = [name for name in Sample.__dataclass_fields__ if name not in ("image", "objects")]
_ANCHOR_COLUMNS = [name for name in Anchor.__dataclass_fields__ if name != "mask_rle"]


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.generate", description=__doc__).parse_args()
    run_stage("generate", generate)


def generate(params: Params) -> dict[str, Any]:
    """Read samples and anchors of every dataset, write the queries and errors tables, return the metrics."""
    _check(params.generate)
    scenes = [(dataset, scene) for dataset in sorted(params.datasets) for scene in read_scenes(dataset)]
    work = partial(write_or_error, params=params.generate, seed=params.seed)
    results = ordered_map(work, [scene for _, scene in scenes], worker_count(params), "generate")
    errors = [result for result in results if isinstance(result, ItemError)]
    drafts = [(dataset, result) for (dataset, _), result in zip(scenes, results, strict=True) if isinstance(result, Draft)]
    write_errors("data/queries/errors", errors)
    check_error_rate("generate", errors, len(scenes), params.generate.max_error_rate)
    queries = [query for _, draft in drafts for query in draft.queries]
    write_table("data/queries/queries", Query, queries)
    counts = dict.fromkeys(sorted(params.datasets), 0)
    for dataset, draft in drafts:
        counts[dataset] += len(draft.queries)
    skipped: Counter[str] = sum((draft.skipped for _, draft in drafts), Counter())
    return figures(queries, counts, skipped, errors, sum((draft.usage for _, draft in drafts), Usage()))


def read_scenes(dataset: str) -> list[Scene]:
    """Scenes of a dataset in the order of their ids. Pictures and masks are not read: no writer of texts looks at them.

    Raises:
        FileNotFoundError: the dataset's samples or anchors have not been made.
    """
    anchors: dict[str, list[Anchor]] = defaultdict(list)
    for row in iter_table(Path("data/anchors") / dataset / "anchors", Anchor, _ANCHOR_COLUMNS):
        anchors[row["sample_id"]].append(from_row(Anchor, {**row, "mask_rle": {"size": [0, 0], "counts": ""}}))
    samples = iter_table(Path("data/samples") / dataset / "samples", Sample, _SAMPLE_COLUMNS)
    return [scene_of(from_row(Sample, {**row, "image": b"", "objects": []}), anchors[row["sample_id"]]) for row in samples]


def write_or_error(scene: Scene, params: GenerateParams, seed: int) -> Draft | ItemError:
    """The draft of a scene; words that the knowledge lacks are an error value."""
    try:
        return WRITERS[params.writer](scene, params, seed)
    except UnknownLabelError as error:
        return ItemError(scene.sample_id, "generate", "unknown_label", "", str(error))
    except UnknownModalityError as error:
        return ItemError(scene.sample_id, "generate", "unknown_modality", "", str(error))


def _check(params: GenerateParams) -> None:
    require(params.writer in WRITERS, "generate.writer", f"one of {', '.join(WRITERS)}", params.writer)
    require(params.queries_per_image >= 1, "generate.queries_per_image", "at least 1", params.queries_per_image)
    require(params.max_claims >= 1, "generate.max_claims", "at least 1", params.max_claims)
    for name in ("share_multi", "share_none", "share_name", "max_error_rate"):
        require(0 <= getattr(params, name) <= 1, f"generate.{name}", "between 0 and 1", getattr(params, name))
    total = params.share_multi + params.share_none + params.share_name
    require(total <= 1, "generate.share_multi + share_none + share_name", "at most 1 in sum", total)


if __name__ == "__main__":
    main()
