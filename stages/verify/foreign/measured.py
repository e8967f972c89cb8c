"""Anchors of masks that were not ingested: the anchors' own stage measures them, in a folder of its own.

Stages meet through files alone, so the samples are written where that stage reads them and its table is read back.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import yaml

from stages.core.params import DatasetParams, Params
from stages.core.records import Anchor, Sample
from stages.core.shards import read_table, write_table
from stages.core.stage import StageError

DATASET = "elsewhere"
_ROOT = Path(__file__).parents[3]


def measured(samples: Sequence[Sample], params: Params) -> dict[str, list[Anchor]]:
    """Anchors by sample id.

    Raises:
        StageError: the stage refuses a mask; its own message is handed on.
    """
    with tempfile.TemporaryDirectory(prefix="medground-") as name:
        folder = Path(name)
        write_table(folder / "data/samples" / DATASET / "samples", Sample, sorted(samples, key=lambda sample: sample.sample_id))
        own = dataclasses.replace(params, datasets={DATASET: DatasetParams("", "")})
        (folder / "params.yaml").write_text(yaml.safe_dump(dataclasses.asdict(own)), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "MEDGROUND_TRACKING": "off"}
        command = [sys.executable, "-m", "stages.anchor", DATASET]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StageError(f"the masks cannot be measured: {done.stderr.strip()[-2000:]}")
        anchors: dict[str, list[Anchor]] = defaultdict(list)
        for anchor in read_table(folder / "data/anchors" / DATASET / "anchors", Anchor):
            anchors[anchor.sample_id].append(anchor)
    return anchors
