"""A full disk, folders that cannot be written, two runs at once: what is said, and that a second try ends with the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ops.killing import lock_of, outs_of
from tests.tiny_clone import digests, environment_of, run

# A stage on a disk of its own, of which 16 KB are left when it starts, and all that it needs when it is started again.
FULL_DISK = """
set -eu
mount -t tmpfs -o size=192m tmpfs "$DISK"
cp -a "$PLAN/." "$DISK/"
cd "$DISK"
dd if=/dev/zero of=filler bs=64k 2>/dev/null || true
truncate -s -16K filler
python -m $COMMAND >"$TOLD/full" 2>&1 && echo 0 >"$TOLD/full_status" || echo $? >"$TOLD/full_status"
rm filler
python -m $COMMAND >"$TOLD/again" 2>&1 && echo 0 >"$TOLD/again_status" || echo $? >"$TOLD/again_status"
mkdir "$TOLD/outs"
cp -a --parents $OUTS "$TOLD/outs/"
"""
SHUT_FOLDER = 'set -eu; mount -t tmpfs -o ro tmpfs "$SHUT"; exec python -m $COMMAND'
# An empty cache that takes nothing; DVC's own stays below it.
FULL_CACHE = "set -eu; mount -t tmpfs -o size=4k tmpfs .dvc/cache; exec dvc repro --single-item --force $STAGE"
SHUT_CACHE = "set -eu; mount -t tmpfs -o ro tmpfs .dvc/cache; exec dvc repro --single-item --force $STAGE"
LIMIT_S = 1800


def _own_mounts(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script that mounts what it likes: nobody else sees it, and it is gone when the script ends."""
    environment = environment_of(folder, {"MEDGROUND_TRACKING": "off", **variables})
    command = ["unshare", "--map-root-user", "--mount", "bash", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


mounts = pytest.mark.skipif(not _may_mount(), reason="no mounts of one's own here (unshare --map-root-user --mount)")


@dataclass(frozen=True)
class Told:
    """How the two runs on the disk ended, what they printed, and where the outs of the second lie."""

    full: str
    full_status: int
    again: str
    again_status: int
    outs: Path


def _lay_out(source: Path, target: Path, outs: set[Path], below: Path = Path()) -> None:
    """Links to what the stage reads; what it writes, and the folders on the way there, are the target's own."""
    target.mkdir()
    for child in source.iterdir():
        name = below / child.name
        if name in outs or (below == Path() and child.name not in ("data", "metrics", "models", "params.yaml", "stages")):
            continue
        if any(name in out.parents for out in outs):
            _lay_out(child, target / child.name, outs, name)
        else:
            (target / child.name).symlink_to(child)


def _on_a_full_disk(reproduced: Path, place: Path, stage: str, command: str) -> Told:
    outs = outs_of(lock_of(reproduced)[stage])
    for name in ("told", "disk"):
        (place / name).mkdir()
    _lay_out(reproduced, place / "plan", {Path(out) for out in outs})
    variables = {name.upper(): str(place / name) for name in ("plan", "told", "disk")}
    variables |= {"COMMAND": command, "OUTS": " ".join(outs), "MEDGROUND_CACHE": str(place / "disk/cache"), **_compiled(reproduced)}
    done = _own_mounts(FULL_DISK, reproduced, **variables)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{[path.read_text()[-1500:] for path in (place / 'told').glob('*') if path.is_file()]}"
    read = {name: (place / "told" / name).read_text(encoding="utf-8", errors="replace") for name in ("full", "full_status", "again", "again_status")}
    return Told(read["full"], int(read["full_status"]), read["again"], int(read["again_status"]), place / "told/outs")


def _compiled(reproduced: Path) -> dict[str, str]:
    return {"NUMBA_CACHE_DIR": str(reproduced.parent / f"{reproduced.name}-cache" / "numba")}


@mounts
@pytest.mark.parametrize(
    ("stage", "command"),
    [
        ("phantom@ct_phantom", "stages.phantom ct_phantom"),  # volumes, from worker processes
        ("ingest@us_phantom", "stages.ingest us_phantom"),  # Parquet
        ("finetune", "stages.finetune"),  # weights and checkpoints
        ("report", "stages.report"),  # a large text
    ],
)
def test_a_full_disk_is_named_with_its_place_and_a_second_try_gives_the_same_bytes(reproduced: Path, tmp_path: Path, stage: str, command: str) -> None:
    told = _on_a_full_disk(reproduced, tmp_path, stage, command)
    assert told.full_status == 1, told.full[-3000:]
    assert "no space left" in told.full and str(tmp_path / "disk") in told.full and "Make room" in told.full, told.full[-3000:]
    assert "Traceback" not in told.full
    assert told.again_status == 0, told.again[-3000:]
    outs = tuple(out for out in outs_of(lock_of(reproduced)[stage]) if not out.startswith("metrics/finetune"))
    found = digests(told.outs, outs)
    assert found and found == digests(reproduced, outs)


@mounts
@pytest.mark.parametrize(("script", "said"), [(FULL_CACHE, "No space left on device"), (SHUT_CACHE, "Read-only file system")])
def test_what_dvcs_cache_does_not_take_is_named_and_is_whole_once_it_does(copy: Path, script: str, said: str) -> None:
    """DVC names the files and goes on, with status 0 where it is a file that does not fit: `dvc commit` puts them in later."""
    outs = digests(copy, ("data/corpus",))
    shutil.rmtree(copy / ".dvc/cache/files")
    done = _own_mounts(script, copy, STAGE="split")
    assert said in done.stdout + done.stderr, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    run(copy, "dvc", "commit", "--force", "split")
    assert digests(copy, ("data/corpus",)) == outs
    shutil.rmtree(copy / "data/corpus")
    run(copy, "dvc", "checkout", "split")
    assert digests(copy, ("data/corpus",)) == outs


@mounts
@pytest.mark.parametrize(("command", "folder"), [("stages.anchor us_phantom", "numba"), ("stages.finetune", "locks")])
def test_a_cache_that_cannot_be_written_is_named_with_the_variable_that_moves_it(copy: Path, tmp_path: Path, command: str, folder: str) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    done = _own_mounts(SHUT_FOLDER, copy, SHUT=str(shut), MEDGROUND_CACHE=str(shut), COMMAND=command)
    assert done.returncode == 1, done.stderr[-3000:]
    assert f"{shut / folder} cannot be written (the file system is read-only)" in done.stderr
    assert "set MEDGROUND_CACHE to a folder that is" in done.stderr
    assert "Traceback" not in done.stderr


def test_of_two_repros_at_once_one_is_told_who_is_at_work_and_the_other_completes(copy: Path) -> None:
    command = ["dvc", "repro", "--single-item", "--force", "generate"]
    environment = environment_of(copy, {"PYTHONUNBUFFERED": "1", **_compiled(copy)})
    before = lock_of(copy)["generate"]["outs"]
    first = subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert first.stdout is not None
    next(line for line in first.stdout if line.startswith("> "))
    began = time.monotonic()
    second = run(copy, *command, check=False, timeout_s=LIMIT_S)
    alive = first.poll() is None
    rest = first.communicate(timeout=LIMIT_S)[0]
    assert alive and second.returncode != 0, f"{time.monotonic() - began:.1f} s\n{second.stdout[-2000:]}\n{second.stderr[-2000:]}"
    assert "is busy, it is being blocked by" in second.stderr and str(first.pid) in second.stderr, second.stderr[-2000:]
    assert "Traceback" not in second.stderr
    assert first.returncode == 0, rest[-2000:]
    assert lock_of(copy)["generate"]["outs"] == before
