"""Experiments side by side, each a ``dvc exp run --temp`` in a folder of its own, with a log of its own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.core.stage import StageError
from stages.sweep.grid import Experiment
from stages.sweep.shown import Shown
from stages.sweep.table import TABLE

log = logging.getLogger("medground")
LOGS = Path("logs/sweep")
# Where DVC lays the folders of experiments that run by `--temp`.
_FOLDERS = Path(".dvc/tmp/exps/standalone")
# DVC sets an experiment up in the workspace (a second or two); two at once get into each other's way, and one that is
# interrupted then can leave half a .git/index behind (dulwich renames what it has written over the old one).
_SET_UP_S, _SET_UP_STOPPING_S = 600.0, 120.0
_LOCKED = "Unable to acquire lock", "is busy, it is being blocked by"
_ATTEMPTS = 3
_POLL_S = 0.2
# An interrupted DVC puts its things in order; after so long it is killed.
_PATIENCE_S = 30.0


@dataclass
class _Run:
    experiment: Experiment
    process: subprocess.Popen[bytes]
    attempt: int


@dataclass
class _Stop:
    """Whether the sweep was asked to stop."""

    asked: bool = False


def missing(wanted: Sequence[Experiment], found: dict[str, Shown]) -> list[Experiment]:
    """The experiments that are neither there nor under way.

    Raises:
        StageError: one of that name is there with other parameters.
    """
    left = []
    for experiment in wanted:
        there = found.get(experiment.name)
        if there is None:
            left.append(experiment)
            continue
        other = {key: there.params.get(key) for key, value in experiment.values.items() if there.params.get(key) != value}
        if other and there.params:
            raise StageError(
                f"experiment {experiment.name} is there already, with {other} in place of "
                f"{ {key: experiment.values[key] for key in other} }: choose another --name, or `dvc exp remove {experiment.name}`"
            )
        log.info("%s is %s", experiment.name, "under way elsewhere" if there.running else "there already")
    return left


def check_workspace() -> None:
    """Every experiment starts from the same commit, and DVC touches params.yaml while it sets one up.

    The sweep's own table may differ: that of a stopped sweep does, and is written again.

    Raises:
        StageError: tracked files are changed, or this is no repository.
    """
    done = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude){TABLE.as_posix()}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StageError(f"a sweep needs a git repository with a commit: {done.stderr.strip()}")
    if done.stdout.strip():
        raise StageError(
            f"tracked files are changed:\n{done.stdout.rstrip()}\nCommit them first (git commit -am 'my run'), so that every experiment starts from the same commit"
        )


def run_all(experiments: Sequence[Experiment], jobs: int, targets: Sequence[str]) -> dict[str, int]:
    """Run the experiments, at most ``jobs`` at once; exit status by name. A failing one stops no other.

    Interrupted (Ctrl-C, SIGTERM, SIGHUP), it starts no more, lets one that is being set up get to the end of that,
    interrupts those under way and raises KeyboardInterrupt.
    """
    from tqdm import tqdm

    waiting, running, ended = [(experiment, 1) for experiment in experiments], list[_Run](), dict[str, int]()
    LOGS.mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(waiting), desc="sweep", unit="experiment") as bar, _stopping(running) as stop:
        while waiting or running:
            if stop.asked:
                raise KeyboardInterrupt
            if waiting and len(running) < jobs:
                experiment, attempt = waiting.pop(0)
                log.info("%s: started, log in %s", experiment.name, log_of(experiment.name))
                before = _folders()
                running.append(_start(experiment, attempt, targets))
                _wait_until_set_up(running[-1].process, before, stop)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                if run.process.returncode != 0 and run.attempt < _ATTEMPTS and _was_locked(run.experiment.name):
                    waiting.append((run.experiment, run.attempt + 1))
                    continue
                ended[run.experiment.name] = run.process.returncode
                bar.update()
            time.sleep(_POLL_S)
    return ended


def log_of(name: str) -> Path:
    """Everything that an experiment has printed."""
    return LOGS / f"{name}.log"


def last_words(name: str, lines: int = 4) -> str:
    """The end of an experiment's log, as it says itself what went wrong."""
    if not log_of(name).exists():
        return "no log"
    text = log_of(name).read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def _start(experiment: Experiment, attempt: int, targets: Sequence[str]) -> _Run:
    command = ["dvc", "exp", "run", "--temp", "--name", experiment.name]
    command += [word for setting in experiment.settings for word in ("-S", setting)]
    with log_of(experiment.name).open("wb") as out:
        # A session of its own, so that it is interrupted once, by us, and not by the terminal as well.
        process = subprocess.Popen([*command, *targets], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    return _Run(experiment, process, attempt)


def _wait_until_set_up(process: subprocess.Popen[bytes], before: set[Path], stop: _Stop) -> None:
    """Until a folder is there that was not before, or the process has ended; not for long where the sweep is to stop."""
    waited_s = 0.0
    while process.poll() is None and not _folders() - before and waited_s < (_SET_UP_STOPPING_S if stop.asked else _SET_UP_S):
        time.sleep(_POLL_S)
        waited_s += _POLL_S


def _folders() -> set[Path]:
    """Folders of experiments that are set up: the last that DVC writes is where the cache is, and from then on it removes them itself."""
    return {path.parent.parent for path in _FOLDERS.glob("*/.dvc/config.local")}


def _was_locked(name: str) -> bool:
    words = last_words(name, lines=12)
    return any(word in words for word in _LOCKED)


@contextmanager
def _stopping(running: list[_Run]) -> Iterator[_Stop]:
    """Whatever ends the sweep ends the experiments that it started; DVC removes their folders when it is interrupted.

    A signal only asks: raised where it comes, it would end a set-up in the middle, or lose a process just started.
    """
    stop = _Stop()

    def ask(number: int, frame: object) -> None:
        stop.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for run in running:
            _send(run, signal.SIGINT)
        for run in running:
            try:
                run.process.wait(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                _send(run, signal.SIGKILL)
                run.process.wait()


def _send(run: _Run, number: signal.Signals) -> None:
    """To DVC and to the stage that it runs, unless they have ended."""
    if run.process.poll() is None:
        os.killpg(run.process.pid, number)
