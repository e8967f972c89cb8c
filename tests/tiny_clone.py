"""Copies of this repository with a tiny configuration, in which the real DAG runs within a minute or two."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.import_closure import ROOT

OUTS = ("data/samples", "data/anchors", "data/queries", "data/verified", "data/corpus", "data/predictions", "data/scores",
        "models/adapter", "metrics/report")  # fmt: skip
TINY = {
    "phantom": {"cases": {"ct_phantom": 10, "us_phantom": 16}},
    "generate": {"queries_per_image": 4},
    "finetune": {"max_steps": 3, "images_per_step": 2},
    "evaluate": {"bootstrap_draws": 200},
    "report": {"samples_per_gallery": 4},
}
DATASETS = ("ct_phantom", "us_phantom")
# What a run of one's own may have set, and would send a copy's run elsewhere.
FOREIGN = ("DVC_ROOT", "DVC_STAGE", "MLFLOW_TRACKING_URI", "MEDGROUND_TRACKING")


def _merge(base: dict, change: dict) -> dict:
    for key, value in change.items():
        base[key] = _merge(base[key], value) if isinstance(value, dict) and key not in ("cases",) else value
    return base


def write_params(folder: Path, change: dict) -> None:
    """Merge `change` into the copy's params.yaml (nested blocks are merged, `cases` is replaced)."""
    path = folder / "params.yaml"
    params = _merge(yaml.safe_load(path.read_text(encoding="utf-8")), change)
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def copy_of_the_repository(folder: Path) -> Path:
    """The files that git does not ignore, as they stand in the working tree, with tiny parameters, as the first commit of a new git repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    params["datasets"] = {name: params["datasets"][name] for name in DATASETS}
    (folder / "params.yaml").write_text(yaml.safe_dump(_merge(params, TINY), sort_keys=False), encoding="utf-8")
    run(folder, "git", "init", "-q", "-b", "main")
    commit(folder, "tiny")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", message)


def environment_of(folder: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a command in a copy: this Python first in PATH, a model cache of its own, no keys but those in `extra`."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("AWS_")}
    return {
        **environment,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MEDGROUND_CACHE": str(folder.parent / f"{folder.name}-cache"),
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
        **(extra or {}),
    }  # fmt: skip


def run(folder: Path, *arguments: str, check: bool = True, extra: dict[str, str] | None = None,
        timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a command in the copy; with `check` a failure stops the test and shows the end of what was printed."""
    done = subprocess.run(arguments, cwd=folder, env=environment_of(folder, extra), capture_output=True, text=True, check=False, timeout=timeout_s)
    assert not check or done.returncode == 0, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def digests(folder: Path, outs: tuple[str, ...] = OUTS) -> dict[str, str]:
    """Path in the copy -> SHA-256, of every file below `outs`."""
    files = sorted(path for out in outs for path in (folder / out).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
