"""``python -m tests.lock``: does dvc.lock describe this tree? Without data and without network; names each stage that is not as recorded.

What is compared, for every stage that is not frozen: its command, its parameters, the hashes of its code and of its outs
that git keeps, and, between stages, that what one read is what the other wrote.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tests.import_closure import ROOT


def stale(root: Path) -> list[str]:
    """One line for each difference between the repository in ``root`` and its dvc.lock; empty where there is none."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        stages = sorted((stage for stage in repo.index.stages if hasattr(stage, "name") and not stage.frozen), key=lambda stage: stage.name)
        written = {str(out): (stage.name, out.hash_info) for stage in repo.index.stages for out in stage.outs}
        return [f"{stage.name}: {what}" for stage in stages for what in _differences(stage, written)]


def _differences(stage: Any, written: dict[str, tuple[str, Any]]) -> list[str]:
    if not any(dep.hash_info for dep in stage.deps):
        return ["is not in dvc.lock"]
    found = ["its command has changed"] if stage.changed_stage() else []
    for dep in stage.deps:
        if str(dep) in written:
            writer, hash_info = written[str(dep)]
            found += [f"read another {dep} than {writer} wrote"] if dep.hash_info != hash_info else []
        elif not any(_nested(str(dep), out) for out in written):  # part or parent of an out: its files alone could tell
            found += [f"{path} is {change}" for path, change in _flat(dep.status())]
    kept_by_git = [out for out in stage.outs if not out.use_cache]
    return found + [f"{path} is {change}" for out in kept_by_git for path, change in _flat(out.status())]


def _nested(one: str, other: str) -> bool:
    return Path(one) in Path(other).parents or Path(other) in Path(one).parents


def _flat(status: dict[str, Any]) -> list[tuple[str, str]]:
    """(path or parameter, what happened) of DVC's nested status."""
    rows = []
    for name, change in status.items():
        rows += [(f"{name}:{key}", kind) for key, kind in change.items()] if isinstance(change, dict) else [(name, change)]
    return rows


def main() -> None:
    """Say what is not as recorded, and fail then."""
    argparse.ArgumentParser(prog="python -m tests.lock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if lines := stale(ROOT):
        sys.exit("\n".join([*lines, "dvc.lock is not of this tree: run `dvc repro` and commit dvc.lock with the metrics that it changes"]))
    print("dvc.lock is of this tree")


if __name__ == "__main__":
    main()
