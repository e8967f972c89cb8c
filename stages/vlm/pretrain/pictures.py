"""``python -m stages.vlm.pretrain.pictures``: medical pictures that the base may see, of patients that no corpus has.

The ordinary stages write them (phantom, ingest, anchor), in a folder of their own and with a seed of their own that is
derived from the run's: a patient of theirs can be no patient of the pipeline's data. Stages meet through files, so
they are started as programs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from stages.core.params import ParamError, Params, read_yaml
from stages.core.stage import StageError, run_stage, seed_for

STAGES = ("phantom", "ingest", "anchor")
DONE = "complete.yaml"


def make_pictures(params: Params) -> None:
    """Write samples and anchors below ``pretrain.pictures``, unless equal ones stand there already.

    Raises:
        StageError: one of the stages failed; its own message stands above.
    """
    folder = Path(params.pretrain.pictures)
    content = settings_of(params, read_yaml("params.yaml", "run from the repository's root"), folder)
    # What the pictures depend on; other parameters may change without making them again.
    text = yaml.safe_dump({key: content[key] for key in ("seed", "datasets", *STAGES)}, sort_keys=True)
    if (folder / DONE).exists() and (folder / DONE).read_text(encoding="utf-8") == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
    root = str(Path.cwd())
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "MEDGROUND_TRACKING": "off"}
    for name in sorted(params.pretrain.cases):
        for stage in STAGES:
            done = subprocess.run([sys.executable, "-m", f"stages.{stage}", name], cwd=folder, env=environment, check=False)
            if done.returncode != 0:
                raise StageError(f"pretrain.pictures: `python -m stages.{stage} {name}` in {folder} ended with status {done.returncode}")
    (folder / DONE).write_text(text, encoding="utf-8")


def settings_of(params: Params, content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """params.yaml of the pictures' folder: the run's own, with another seed, only ``pretrain.cases``, paths seen from there.

    Raises:
        ParamError: a dataset of ``pretrain.cases`` is not one of ``datasets``.
    """
    unknown = sorted(set(params.pretrain.cases) - set(params.datasets))
    if unknown:
        raise ParamError(f"params.yaml:pretrain:cases: {', '.join(unknown)} is no key of datasets: {', '.join(sorted(params.datasets))}")
    cards = {name: os.path.relpath(params.datasets[name].card, folder) for name in params.pretrain.cases}
    datasets = {name: {"card": card, "root": f"data/raw/{name}"} for name, card in cards.items()}
    seed = seed_for(params.seed, "pretrain", "pictures")
    return {**content, "seed": seed, "datasets": datasets, "phantom": {**content["phantom"], "cases": dict(params.pretrain.cases)}}


if __name__ == "__main__":
    run_stage("pretrain_pictures", make_pictures)
