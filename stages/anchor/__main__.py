"""Anchors of one dataset: ``python -m stages.anchor DATASET``; one sample to look at: ``--show SAMPLE_ID --out FILE.png``."""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stages.core.parallel import ordered_map
from stages.core.params import AnchorParams, ParamError, Params, load_params, require
from stages.core.records import Anchor, AnchorGroup, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError, check_error_rate, count_by, run_stage, write_errors


def main() -> None:
    """Parse the command line and run the stage, or render one sample."""
    parser = argparse.ArgumentParser(prog="python -m stages.anchor", description=__doc__)
    parser.add_argument("dataset", nargs="?", help="name under `datasets` in params.yaml")
    parser.add_argument("--show", metavar="SAMPLE_ID", help="render the anchors of this sample instead")
    parser.add_argument("--out", type=Path, help="PNG file for --show")
    arguments = parser.parse_args()
    if arguments.show:
        if arguments.out is None:
            parser.error("--show needs --out FILE.png")
        _show(arguments.show, arguments.out)
    elif arguments.dataset:
        run_stage(f"anchor/{arguments.dataset}", partial(derive_dataset, dataset=arguments.dataset))
    else:
        parser.error("name a dataset of params.yaml, or give --show SAMPLE_ID --out FILE.png")


def derive_dataset(params: Params, dataset: str) -> dict[str, Any]:
    """Read the dataset's samples, write its anchors, groups and errors tables, return the metrics."""
    from stages.anchor.derive import derive

    require(dataset in params.datasets, "datasets", f"a mapping that holds {dataset!r}", sorted(params.datasets))
    _check(params.anchor)
    samples = read_table(Path("data/samples") / dataset / "samples", Sample)
    results = ordered_map(partial(derive, params=params.anchor), samples, params.engine, f"anchor {dataset}")
    anchors = [anchor for result in results for anchor in result.anchors]
    errors = [error for result in results for error in result.errors]
    groups = [group for result in results for group in result.groups]
    counts: Counter[str] = sum((result.counts for result in results), Counter())
    folder = Path("data/anchors") / dataset
    write_errors(folder / "errors", errors)
    check_error_rate("anchor", errors, len(samples), params.anchor.max_error_rate)
    write_table(folder / "anchors", Anchor, anchors)
    write_table(folder / "groups", AnchorGroup, groups)
    return {
        "images": len(samples),
        "anchors": len(anchors),
        "labels": count_by([anchor.label for anchor in anchors]),
        "groups": len(groups),
        "crowds": counts["crowd"],
        "unsplit_pairs": counts["unsplit_pair"],
        "dropped": _below(counts, "dropped."),
        "merged": _below(counts, "merged."),
        "errors": count_by([error.kind for error in errors]),
    }


def _below(counts: Counter[str], prefix: str) -> dict[str, int]:
    """The counts whose reason begins with the prefix, without it."""
    return {reason.removeprefix(prefix): number for reason, number in sorted(counts.items()) if reason.startswith(prefix)}


def _check(params: AnchorParams) -> None:
    require(0 <= params.max_error_rate <= 1, "anchor.max_error_rate", "between 0 and 1", params.max_error_rate)
    require(params.min_component_px >= 1, "anchor.min_component_px", "at least 1", params.min_component_px)
    fraction = params.min_component_fraction
    require(0 <= fraction < 1, "anchor.min_component_fraction", "at least 0 and below 1", fraction)
    for name in ("min_component_mm2", "merge_gap_px"):
        require(getattr(params, name) >= 0, f"anchor.{name}", "at least 0", getattr(params, name))
    require(params.crowd_area_ratio > 1, "anchor.crowd_area_ratio", "above 1", params.crowd_area_ratio)
    require(0 <= params.crowd_solidity <= 1, "anchor.crowd_solidity", "between 0 and 1", params.crowd_solidity)
    require(0 <= params.crowd_neck < 1, "anchor.crowd_neck", "at least 0 and below 1", params.crowd_neck)
    require(params.ring_px >= 1, "anchor.ring_px", "at least 1", params.ring_px)


def _show(sample_id: str, out: Path) -> None:
    from stages.anchor.overlay import show_sample

    try:
        show_sample(sample_id, load_params().anchor, out)
    except (ParamError, StageError, FileNotFoundError) as error:
        raise SystemExit(f"anchor: {error}") from error


if __name__ == "__main__":
    main()
