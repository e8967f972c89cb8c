"""Training processes by a launcher: ``torchrun``, ``accelerate launch`` or any other that takes ``-m module`` after its options."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stages.core.stage import StageError
from stages.finetune.training import Outcome

IN_PROCESS = "python"
WORKER = "stages.finetune.worker"
_PROCESSES = re.compile(r"--(?:nproc[_-]per[_-]node|num_processes)[= ](\d+)")


def launched(launcher: str, lesson: str) -> Outcome:
    """Train a lesson in processes of their own and read what the first of them reports.

    Raises:
        StageError: the launcher is not installed, a process failed, or another number of them trained than it says.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "outcome.json"
        command = [*_program(launcher), "-m", WORKER, "--lesson", lesson, "--report", str(report)]
        status = subprocess.run(command, check=False).returncode
        if status != 0 or not report.exists():
            raise StageError(f"finetune, arm {lesson!r}: `{launcher}` ended with status {status}; what stopped it stands above")
        outcome = Outcome(**json.loads(report.read_text(encoding="utf-8")))
    wanted = _PROCESSES.search(launcher)
    if wanted and "--nnodes" not in launcher and "--num_machines" not in launcher and outcome.processes != int(wanted.group(1)):
        raise StageError(
            f"finetune, arm {lesson!r}: `{launcher}` started {outcome.processes} training process(es), not {wanted.group(1)}: "
            "its configuration overrides the number (on CPUs use torchrun)"
        )
    return outcome


def _program(launcher: str) -> list[str]:
    """The launcher's words, its program looked for beside this interpreter first.

    Raises:
        StageError: there is no such program.
    """
    program, *options = shlex.split(launcher)
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        raise StageError(f"params.yaml:finetune:launcher: no program {program!r} here; python trains in this process, others must be installed")
    return [found, *options]
