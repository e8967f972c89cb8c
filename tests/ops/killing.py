"""Start a stage through DVC, watch its outs, and kill it with SIGKILL, its workers and DVC itself included."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.tiny_clone import environment_of

LIMIT_S = 1800.0
_POLL_S = 0.002
_ATTEMPTS = 4


@dataclass(frozen=True)
class Kill:
    """A kill that landed: seconds after the stage's command had started, and whether a file of its outs was there."""

    stage: str
    seconds: float
    had_outs: bool


def without_network() -> list[str]:
    """Words before a command that leave it no network at all; none where this machine does not permit that."""
    words = ["unshare", "--map-root-user", "--net"]
    if shutil.which(words[0]) is None:
        return []
    return words if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0 else []


def lock_of(folder: Path) -> dict[str, dict]:
    """Stages of dvc.lock by name."""
    return yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]


def outs_of(stage: dict) -> list[str]:
    """Paths of the outs of an entry of dvc.lock."""
    return [out["path"] for out in stage["outs"]]


@dataclass(frozen=True)
class Target:
    """A stage to kill: its outs, the words before `dvc` and the environment that it runs with."""

    folder: Path
    stage: str
    outs: tuple[str, ...]
    words: Sequence[str]
    extra: dict[str, str]


def kill_while_writing(target: Target, share: float) -> Kill:
    """Kill when the first file of the outs is there, or after so long as ``share`` of the time until then."""
    return _struck(target, share, lambda share, started, first: first is not None and time.monotonic() >= first + share * (first - started))


def kill_after(target: Target, seconds: float) -> Kill:
    """Kill so many seconds after the stage's command has started."""
    return _struck(target, seconds, lambda seconds, started, _: time.monotonic() >= started + seconds)


def _struck(target: Target, moment: float, due: Callable[[float, float, float | None], bool]) -> Kill:
    """A kill that lands; where the stage was faster, it is forgotten and killed earlier."""
    lock = (target.folder / "dvc.lock").read_bytes()
    for _ in range(_ATTEMPTS):
        kill = _killed(target, functools.partial(due, moment))
        # DVC writes its lock a moment before it ends: a kill between the two comes too late as well.
        if kill is not None and (target.folder / "dvc.lock").read_bytes() == lock:
            return kill
        (target.folder / "dvc.lock").write_bytes(lock)
        shutil.rmtree(target.folder / ".dvc/cache/runs", ignore_errors=True)
        moment /= 2
    raise AssertionError(f"{target.stage} ended before each of {_ATTEMPTS} kills")


def _killed(target: Target, due: Callable[[float, float | None], bool]) -> Kill | None:
    """None where the stage had ended before."""
    command = [*target.words, "dvc", "repro", "--single-item", target.stage]
    environment = environment_of(target.folder, {"PYTHONUNBUFFERED": "1", **target.extra})
    process = subprocess.Popen(command, cwd=target.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)  # fmt: skip
    said, began = list[str](), threading.Event()
    reader = threading.Thread(target=_listen, args=(process, said, began), daemon=True)
    reader.start()
    assert began.wait(LIMIT_S), f"{target.stage} was not started:\n{''.join(said)[-3000:]}"
    started, first = time.monotonic(), None
    while process.poll() is None and time.monotonic() < started + LIMIT_S:
        if first is None and any(_has_file(target.folder / out) for out in target.outs):
            first = time.monotonic()
        if due(started, first):
            break
        time.sleep(_POLL_S)
    seconds, ended = time.monotonic() - started, process.poll()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reader.join(LIMIT_S)
    assert ended in (None, 0), f"{target.stage} failed by itself:\n{''.join(said)[-3000:]}"
    return Kill(target.stage, seconds, first is not None) if ended is None else None


def _listen(process: subprocess.Popen[str], said: list[str], began: threading.Event) -> None:
    """Keep what is printed; DVC prints a stage's command as it starts it."""
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if line.startswith("> "):
            began.set()
    began.set()


def _has_file(path: Path) -> bool:
    if path.is_dir():
        return any(names for _, _, names in os.walk(path))
    return path.exists()
