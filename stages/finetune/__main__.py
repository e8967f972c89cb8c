"""``python -m stages.finetune``: corpus -> models/adapter/<arm>, all arms with equal images, boxes and steps."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from stages.core.parallel import ordered_map
from stages.core.params import FinetuneParams, Params, require
from stages.core.records import Example
from stages.core.shards import read_table
from stages.core.stage import run_stage, seed_for

CORPUS = Path("data/corpus")
ADAPTERS = Path("models/adapter")
PLOTS = Path("metrics/plots/finetune")


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.finetune", description=__doc__).parse_args()
    run_stage("finetune", finetune)


def finetune(params: Params) -> dict[str, Any]:
    """Train every arm; returns steps, minutes, loss and examples a second per arm."""
    from stages.finetune.arms import training_rows
    from stages.finetune.training import ArmJob, train_arm
    from stages.vlm.card import load_base

    _check(params.finetune)
    base = load_base(params.vlm.base)
    examples = read_table(CORPUS / "examples", Example)
    # One seed for all arms: they draw the same images, examples and augmentations in the same order.
    seed = seed_for(params.seed, "finetune")
    jobs = [
        ArmJob(
            arm, base, training_rows(examples, arm), CORPUS / "images", ADAPTERS / arm, PLOTS / f"{arm}.csv", params.finetune, seed
        )
        for arm in params.finetune.arms
    ]
    outcomes = ordered_map(train_arm, jobs, min(params.finetune.parallel_arms, len(jobs)), "arms")
    return {job.arm: dataclasses.asdict(outcome) for job, outcome in zip(jobs, outcomes, strict=True)}


def _check(params: FinetuneParams) -> None:
    require(params.max_steps > 0, "finetune:max_steps", "at least 1", params.max_steps)
    require(params.images_per_step > 0, "finetune:images_per_step", "at least 1", params.images_per_step)
    require(params.questions_per_image > 0, "finetune:questions_per_image", "at least 1", params.questions_per_image)
    require(params.lora.rank > 0, "finetune:lora:rank", "at least 1", params.lora.rank)
    require(params.learning_rate > 0, "finetune:learning_rate", "above 0", params.learning_rate)
    require(params.precision in ("bf16", "fp32"), "finetune:precision", "bf16 or fp32", params.precision)
    require(params.parallel_arms > 0, "finetune:parallel_arms", "at least 1", params.parallel_arms)
    require(len(set(params.arms)) == len(params.arms) > 0, "finetune:arms", "a list of different arms", params.arms)


if __name__ == "__main__":
    main()
