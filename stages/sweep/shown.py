"""What DVC says about the experiments of the present commit: ``dvc exp show --json``."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from stages.core.stage import StageError


@dataclass(frozen=True)
class Shown:
    """An experiment as DVC shows it: parameters and metrics under their dotted names."""

    params: dict[str, Any]
    metrics: dict[str, float]
    running: bool


def shown_experiments() -> dict[str, Shown]:
    """The experiments of the present commit by name, those under way among them.

    Raises:
        StageError: DVC cannot tell.
    """
    done = subprocess.run(["dvc", "exp", "show", "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StageError(f"`dvc exp show --json` failed: {done.stderr.strip()[-500:]}")
    found: dict[str, Shown] = {}
    for commit in json.loads(done.stdout):
        for entry in commit.get("experiments") or []:
            state = (entry.get("executor") or {}).get("state")
            for revision in entry.get("revs") or []:
                name = revision.get("name") or entry.get("name")
                if name:
                    found[name] = _shown(revision.get("data") or {}, running=state in ("running", "queued"))
    return found


def _shown(data: dict[str, Any], running: bool) -> Shown:
    params = {key: value for file in (data.get("params") or {}).values() for key, value in flat(file.get("data") or {}).items()}
    metrics = {key: value for name, file in (data.get("metrics") or {}).items() for key, value in flat(file.get("data") or {}, _stem(name)).items()}
    return Shown(params, metrics, running)


def _stem(path: str) -> str:
    """``evaluate`` for metrics/evaluate.json."""
    return path.removeprefix("metrics/").removesuffix(".json")


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {name: item for key, nested in value.items() for name, item in flat(nested, f"{prefix}.{key}" if prefix else str(key)).items()}
