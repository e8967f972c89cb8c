"""Every stage is killed with -9, DVC and all, without a network; the next `dvc repro` gives the bytes of an undisturbed run.

Each stage dies while its outs are being written, and some also in the second half of the work before that, at moments from
a seed. All of it happens in a place without a network where the machine permits that, and an audit hook
notes who asks for one: no stage may.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.import_closure import ROOT
from tests.ops.killing import LIMIT_S, Kill, Target, kill_after, kill_while_writing, lock_of, outs_of, without_network
from tests.tiny_clone import copy_of_the_repository, run

SEED = 20261122
# So many stages are killed a second time, earlier.
KILLED_TWICE = 4
# A kill comes at most so late after the first file of the outs, in shares of the time until that.
WRITING = 0.1
# Beside what every run keeps: DVC's lock files, MLflow's, those of compiled kernels.
LOCKS = {"dvc.lock", "mlflow.db.lock", "rwlock.lock", "lock", "compile.lock"}
# Notes every host that a Python process looks up or connects to; loopback and local sockets are no network.
HOOK = """
import os, sys
def note(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        host = str(arguments[0] if event == "socket.getaddrinfo" else arguments[1][0])
        if host not in ("127.0.0.1", "::1", "localhost", "None"):
            with open(os.environ["ASKED_FOR"], "a") as out:
                out.write(f"{' '.join(sys.argv)}: {event} {host}\\n")
sys.addaudithook(note)
"""


@dataclass
class Disturbed:
    """The repository whose stages were killed, and what was seen on the way."""

    folder: Path
    asked_for: Path
    cache: Path
    kills: list[Kill] = field(default_factory=list)
    rerun: dict[str, list[str]] = field(default_factory=dict)


def _stages(folder: Path) -> list[str]:
    """All stages in the order of the DAG that `dvc repro` would run: the frozen ones are not."""
    frozen = {name for name, stage in yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"].items() if stage.get("frozen")}
    listed = run(folder, "dvc", "repro", "--dry", "--force").stdout
    named = [line.split("'")[1] for line in listed.splitlines() if line.startswith("Running stage '")]
    return [name for name in named if name not in frozen]


@pytest.fixture(scope="module")
def disturbed(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    """A fresh repository whose every stage was killed and then repeated by `dvc repro`."""
    place = tmp_path_factory.mktemp("kill")
    folder = copy_of_the_repository(place / "repo")
    (place / "hook").mkdir()
    (place / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    (place / "temporary").mkdir()
    seen = Disturbed(folder, place / "asked_for", place / "repo-cache")
    # Compiled kernels are shared with the undisturbed run: compiling is no work of a stage.
    compiled = reproduced.parent / f"{reproduced.name}-cache" / "numba"
    extra = {
        "PYTHONPATH": str(place / "hook"), "ASKED_FOR": str(seen.asked_for), "TMPDIR": str(place / "temporary"), "NUMBA_CACHE_DIR": str(compiled),
        "MEDGROUND_TRACKING": "off",
    }  # fmt: skip
    words, chance, expected = without_network(), random.Random(SEED), lock_of(reproduced)
    stages = _stages(reproduced)
    twice = set(chance.sample(stages, KILLED_TWICE))
    for stage in stages:
        target = Target(folder, stage, tuple(outs_of(expected[stage])), words, extra)
        seen.kills.append(kill_while_writing(target, WRITING * chance.random()))
        if stage in twice:
            seen.kills.append(kill_after(target, seen.kills[-1].seconds * chance.uniform(0.5, 0.95)))
        said = run(folder, *words, "dvc", "repro", stage, extra=extra, timeout_s=LIMIT_S).stdout
        seen.rerun[stage] = [line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage '")]
    yield seen


def test_every_stage_of_the_dag_was_killed(disturbed: Disturbed) -> None:
    """Also those that somebody adds: the list comes from DVC, and every block of dvc.yaml that is not frozen is in it."""
    blocks = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert {kill.stage.split("@")[0] for kill in disturbed.kills} == {name for name, stage in blocks.items() if not stage.get("frozen")}
    assert sum(kill.had_outs for kill in disturbed.kills) >= len(disturbed.rerun)


def test_the_next_repro_repeats_the_killed_stage_and_no_other(disturbed: Disturbed) -> None:
    # A kill between the run cache and dvc.lock leaves a whole stage, which is then taken from the cache.
    assert all(said in ([stage], []) for stage, said in disturbed.rerun.items()), disturbed.rerun
    assert "Running stage" not in run(disturbed.folder, "dvc", "repro").stdout


def test_a_killed_pipeline_ends_with_the_bytes_of_an_undisturbed_one(disturbed: Disturbed, reproduced: Path) -> None:
    expected, found = lock_of(reproduced), lock_of(disturbed.folder)
    # How long a training took is said in its metrics, and is no result.
    timed = {"metrics/finetune.json"}
    for stage in disturbed.rerun:
        for part in ("deps", "outs", "params"):
            same = [_without(entry[stage].get(part), timed) for entry in (expected, found)]
            assert same[0] == same[1], f"{part} of {stage}"
    left, right = (json.loads((folder / "metrics/finetune.json").read_text(encoding="utf-8")) for folder in (reproduced, disturbed.folder))
    assert {arm: figures["loss"] for arm, figures in left.items()} == {arm: figures["loss"] for arm, figures in right.items()}


def _without(entries: list[dict] | dict | None, paths: set[str]) -> list[dict] | dict | None:
    return [entry for entry in entries if entry["path"] not in paths] if isinstance(entries, list) else entries


def test_nothing_is_left_behind(disturbed: Disturbed) -> None:
    # What git leaves of a killed `git add` is swept by itself (git gc).
    files = [path for path in disturbed.folder.rglob("*") if path.is_file() and ".git/objects" not in path.as_posix()]
    halves = [path for path in files if path.suffix in (".tmp", ".part", ".partial") or path.name.startswith("tmp")]
    locks = [path for path in files if path.suffix == ".lock" and path.name not in LOCKS]
    held = json.loads((disturbed.folder / ".dvc/tmp/rwlock").read_text(encoding="utf-8"))
    checkpoints = [path for path in (disturbed.cache / "finetune").glob("*") if any(path.iterdir())]
    assert (halves, locks, checkpoints) == ([], [], [])
    # DVC sweeps a dead reader's entry only when somebody wants to write there.
    holders = {entry["pid"] for entry in held.get("write", {}).values()} | {entry["pid"] for entries in held.get("read", {}).values() for entry in entries}
    assert [pid for pid in holders if _is_dvc(pid)] == []


def _is_dvc(pid: int) -> bool:
    """Whether a process with that id lives and is DVC's: ids are given out again."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and b"dvc" in command.read_bytes()


def test_no_stage_asks_for_the_network(disturbed: Disturbed) -> None:
    assert not disturbed.asked_for.exists(), disturbed.asked_for.read_text(encoding="utf-8")
