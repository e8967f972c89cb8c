"""Whose answers are scored: the contenders that params.yaml declares, and those that somebody has brought on purpose.

Folders are never globbed for what the pipeline makes: after an arm is dropped, ``dvc repro`` leaves its old folder in place
and ``dvc exp run`` removes it, so the same parameters would give other figures.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.stage import StageError

log = logging.getLogger("medground")
PREDICTIONS = Path("data/predictions")
BASE = "base"
# Names that tables and folders of this stage use for something else.
BASELINES = ("centre", "random", "mean_box")
RESERVED = (*BASELINES, "errors")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What about.json says of answers that a person brought: read from a file, asked of a server, asked of an adapter named by hand.
BROUGHT = ("imported", "model", "adapter")


def contender_names(arms: Sequence[str], folder: Path = PREDICTIONS) -> list[str]:
    """The base, the arms in their order, then what was brought, by name; only those that have a folder of predictions.

    A folder that is neither is one that an earlier list of arms has left: it is named in a warning and not scored.

    Raises:
        StageError: there is none, or one has a name that is taken or not plain.
    """
    declared = [BASE, *arms]
    there = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    brought = sorted(name for name in there - set(declared) if not set(BROUGHT).isdisjoint(about(name, folder)))
    names = [*(name for name in declared if name in there), *brought]
    for name in sorted(there - set(names)):
        log.warning("evaluate: %s is not scored: no arm of finetune.arms, and not brought by `python -m stages.predict --import`", folder / name)
    for name in declared:
        if name not in there:
            log.warning("evaluate: %s has no predictions and is not scored: `dvc repro predict%s`", name, "_base" if name == BASE else f"@{name}")
    if not names:
        raise StageError(f"{folder} holds no folder of predictions: `dvc repro predict`, or `python -m stages.predict --import FILE --name NAME`")
    for name in names:
        if name in RESERVED or not NAME.fullmatch(name):
            raise StageError(f"{folder / name}: a contender needs a name of letters, digits, '.', '_', '-' that is none of {', '.join(RESERVED)}")
    return names


def import_faults(name: str, folder: Path = PREDICTIONS) -> dict[str, int]:
    """What an import found wrong with the lines that it read, by kind; empty for the pipeline's own tables.

    Raises:
        StageError: about.json is no JSON.
    """
    faults = about(name, folder).get("faults", {})
    return {kind: count for kind, count in sorted(faults.items()) if count}


def about(name: str, folder: Path = PREDICTIONS) -> dict[str, Any]:
    """What about.json says of how the answers came about; empty without one.

    Raises:
        StageError: it is no JSON object.
    """
    path = folder / name / "about.json"
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StageError(f"{path} is no JSON: {error}. Import the answers again") from error
    if not isinstance(told, dict):
        raise StageError(f"{path} holds {type(told).__name__}, expected an object. Import the answers again")
    return told
