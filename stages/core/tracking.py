"""The one door to MLflow. DVC's files are the truth and MLflow the mirror: a failing MLflow warns and never fails a stage.

A parent run is one DVC experiment (found or created by tag), a child run one stage. The store is
``MLFLOW_TRACKING_URI``, else sqlite at the *main* repository's root, also from an experiment's temporary folder.
``MEDGROUND_TRACKING=off`` turns it off.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.params import Params
from stages.core.records import to_row

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("medground")
EXPERIMENT = "medground"
_TEMPORARY = f"{os.sep}.dvc{os.sep}tmp{os.sep}exps{os.sep}"


def main_root() -> Path:
    """Root of the main repository: ``DVC_ROOT`` cut before DVC's temporary experiment folders."""
    root = os.environ.get("DVC_ROOT", os.getcwd())
    return Path(root.split(_TEMPORARY)[0]).resolve()


def tracking_uri() -> str:
    """Where runs are recorded, as an absolute URI."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{main_root() / 'mlflow.db'}"


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def log_stage(stage: str, figures: dict[str, Any], params: Params, artifacts: Sequence[Path] = ()) -> None:
    """Record a finished stage as a child run of its experiment's parent run."""
    _guarded(lambda client, experiment: _log_child(client, experiment, stage, figures, params, artifacts))


def mirror(figures_by_file: dict[str, dict[str, Any]], params: Params, artifact: Path | None = None) -> None:
    """Copy all metrics files and parameters to the parent run and close it (cached stages log nothing themselves)."""
    _guarded(lambda client, experiment: _mirror(client, experiment, figures_by_file, params, artifact))


def run_ids(params: Params) -> dict[str, str]:
    """Ids of the present run: git's and DVC's, and MLflow's parent run where tracking is on and works."""
    ids = _tags()

    def find(client: MlflowClient, experiment: str) -> None:
        ids["mlflow.run_id"] = _parent(client, experiment, params)
        ids["mlflow.experiment_id"] = experiment

    _guarded(find)
    return ids


def _guarded(action: Any) -> None:
    """Run a tracking action; whatever MLflow raises becomes a warning."""
    if os.environ.get("MEDGROUND_TRACKING") == "off":
        return
    try:
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        logging.getLogger("alembic").setLevel(logging.ERROR)
        from alembic.util.exc import CommandError
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        log.info("mlflow is not installed: this run is not tracked")
        return
    try:
        action(*_open())
    except (MlflowException, SQLAlchemyError, CommandError, OSError, ValueError) as error:
        log.warning("tracking skipped (%s): %s", type(error).__name__, error)


def _open() -> tuple[MlflowClient, str]:
    """A client and the experiment's id.

    Both under a file lock: the client's constructor already writes the tables of a fresh sqlite store, and a store
    that several processes open first at once is unusable.
    """
    import mlflow
    from filelock import FileLock

    with FileLock(str(main_root() / "mlflow.db.lock"), timeout=120):
        client = mlflow.MlflowClient(tracking_uri=tracking_uri())
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return client, found.experiment_id
        return client, client.create_experiment(EXPERIMENT, artifact_location=(main_root() / "mlartifacts").as_uri())


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _tags() -> dict[str, str]:
    sha = _git("rev-parse", "HEAD")
    return {
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME") or f"workspace-{sha[:7] or 'no-git'}",
        "dvc.baseline_rev": os.environ.get("DVC_EXP_BASELINE_REV", sha),
        "git.sha": sha,
        "git.dirty": str(bool(_git("status", "--porcelain", "--untracked-files=no"))).lower(),
    }


def _parent(client: MlflowClient, experiment: str, params: Params) -> str:
    """The parent run, found or created. Other parameters under the same name are another run: MLflow's parameters never change."""
    from filelock import FileLock

    settings = hashlib.sha256(json.dumps(to_row(params), sort_keys=True).encode()).hexdigest()[:12]
    tags = {**_tags(), "medground.params": settings}
    name = tags["dvc.exp_name"]
    with FileLock(str(main_root() / "mlflow.db.lock"), timeout=120):
        query = f"tags.`dvc.exp_name` = '{name}' and tags.`medground.role` = 'experiment' and tags.`medground.params` = '{settings}'"
        found = client.search_runs([experiment], filter_string=query, max_results=1)
        if found:
            return found[0].info.run_id
        return client.create_run(experiment, tags={**tags, "medground.role": "experiment"}, run_name=name).info.run_id


def _log_child(client: MlflowClient, experiment: str, stage: str, figures: dict[str, Any], params: Params, artifacts: Sequence[Path]) -> None:
    parent = _parent(client, experiment, params)
    tags = {**_tags(), "mlflow.parentRunId": parent, "dvc.stage": os.environ.get("DVC_STAGE", stage), "medground.role": "stage"}
    run = client.create_run(experiment, tags=tags, run_name=tags["dvc.stage"]).info.run_id
    block = to_row(params).get(stage.split("/")[0].split("@")[0], {})
    _log_batch(client, run, flatten(figures), {"seed": params.seed, **flatten(block, stage.split("/")[0])})
    for artifact in artifacts:
        client.log_artifact(run, str(artifact))
    client.set_terminated(run)


def _mirror(client: MlflowClient, experiment: str, files: dict[str, dict[str, Any]], params: Params, artifact: Path | None) -> None:
    parent = _parent(client, experiment, params)
    recorded = client.get_run(parent).data.params
    named = {f"params.{key}": value for key, value in flatten(to_row(params)).items()}
    _log_batch(client, parent, flatten(files), {key: value for key, value in named.items() if _name(key) not in recorded})
    if artifact is not None and artifact.exists():
        client.log_artifact(parent, str(artifact))
    client.set_terminated(parent)


def _log_batch(client: MlflowClient, run: str, figures: dict[str, Any], params: dict[str, Any]) -> None:
    import time

    from mlflow.entities import Metric, Param

    stamp = int(time.time() * 1000)
    # Benchmarks also hold words (machine, versions): they stay in their file.
    metrics = [Metric(_name(key), float(value), stamp, 0) for key, value in figures.items() if isinstance(value, (int, float))]
    pairs = [Param(_name(key), str(value)[:500]) for key, value in params.items()]
    for start in range(0, max(len(metrics), 1), 900):
        client.log_batch(run, metrics=metrics[start : start + 900])
    for start in range(0, len(pairs), 90):
        client.log_batch(run, params=pairs[start : start + 90])


def _name(key: str) -> str:
    """MLflow allows letters, digits, underscore, dash, dot, space and slash in names."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in key)[:250]
