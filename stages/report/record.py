"""Which run made the page: ids of git, DVC and MLflow, beside the page and outside of what DVC tracks.

The page is the same for every run with the same data and parameters; the ids are not. The page shows them on demand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from stages.core import tracking
from stages.core.params import Params

RECORD = Path("metrics/report_run.js")
LOCK = Path("dvc.lock")


def write_record(page: Path, params: Params) -> None:
    """Write ``metrics/report_run.js``, one assignment that the page reads."""
    digest = re.search(r'data-digest="(\w*)"', page.read_text(encoding="utf-8")[:200])
    ids = {"page": digest.group(1) if digest else "", **{key: value for key, value in tracking.run_ids(params).items() if value}, **_locked()}
    text = json.dumps(ids, indent=1, sort_keys=True).replace("<", "\\u003c")
    RECORD.write_text(f"window.medgroundRun = {text};\n", encoding="utf-8")


def _locked() -> dict[str, str]:
    """DVC's hashes of the outs that figures and page are made from, as dvc.lock has them."""
    if not LOCK.exists():
        return {}
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8")).get("stages", {})
    outs = {out["path"]: out.get("md5", "") for stage in stages.values() for out in stage.get("outs", [])}
    return {f"dvc {path}": outs[path] for path in ("data/verified", "data/corpus", "models/adapter", "data/scores") if path in outs}
