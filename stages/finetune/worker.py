"""``<launcher> -m stages.finetune.worker``: one of the processes that train a lesson together (see ``finetune.launcher``)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

from stages.core.params import ParamError, load_params
from stages.core.stage import StageError


def main() -> None:
    """Train the named lesson; the first process writes adapter, curve and report."""
    parser = argparse.ArgumentParser(prog="python -m stages.finetune.worker", description=__doc__)
    parser.add_argument("--lesson", required=True, help="its name: an arm, or experts/<modality>")
    parser.add_argument("--report", required=True, type=Path, help="file for what the lesson reports")
    arguments = parser.parse_args()
    from stages.finetune.jobs import plan_jobs
    from stages.finetune.training import train

    try:
        (job,) = [job for job in plan_jobs(load_params()) if job.lesson.name == arguments.lesson]
        outcome = train(job)
    except (ParamError, StageError, FileNotFoundError) as error:
        print(f"\nfinetune: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    if os.environ.get("RANK", "0") == "0":
        arguments.report.write_text(json.dumps(dataclasses.asdict(outcome), sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    main()
