"""``python -m stages.finetune``: corpus -> models/adapter/<arm>, all arms with equal images, boxes and steps."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from typing import Any

from stages.core.parallel import ordered_map
from stages.core.params import Params
from stages.core.stage import run_stage


def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m stages.finetune", description=__doc__).parse_args()
    run_stage("finetune", finetune)


def finetune(params: Params) -> dict[str, Any]:
    """Train every arm; returns steps, minutes, loss, examples a second and the last look at validation, per arm.

    Raises:
        ParamError, StageError, FileNotFoundError: see ``jobs.plan_jobs`` and ``training.train``.
    """
    from stages.finetune.jobs import ADAPTERS, PLOTS, plan_jobs
    from stages.finetune.launch import IN_PROCESS, launched
    from stages.finetune.training import alone, shared_pixels, train_alone

    jobs = plan_jobs(params)
    # Of an arm that is no longer asked for nothing may stay.
    for folder in (ADAPTERS, PLOTS):
        shutil.rmtree(folder, ignore_errors=True)
    if params.finetune.launcher.strip() == IN_PROCESS:
        pixels = shared_pixels(jobs[0].base, [job.lesson for job in jobs], jobs[0].images)
        shared = [dataclasses.replace(job, pixels=pixels) for job in jobs]
        outcomes = ordered_map(train_alone, shared, min(params.finetune.parallel_arms, len(jobs)), "arms")
    else:
        outcomes = []
        for job in jobs:
            with alone(job):
                outcomes.append(launched(params.finetune.launcher, job.lesson.name))
    figures: dict[str, Any] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        place = figures
        for part in job.lesson.name.split("/"):
            place = place.setdefault(part, {})
        place |= {key: value for key, value in dataclasses.asdict(outcome).items()}
    return figures


if __name__ == "__main__":
    main()
