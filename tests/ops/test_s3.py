"""The S3 remote against a real server: what goes up comes down, and what goes wrong says so and damages nothing."""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.import_closure import ROOT
from tests.ops.cutting_proxy import CuttingProxy
from tests.ops.remotes import PREFIX, Machine, damaged, is_readable, without_data
from tests.ops.s3_server import S3Server
from tests.tiny_clone import commit, digests, run, write_params

# The outs that the DVC cache holds; models/nano and the metrics come with git.
CACHED_OUTS = ("data/raw", "data/samples", "data/anchors", "data/queries", "data/verified", "data/audit", "data/corpus", "data/predictions",
               "data/scores", "models/adapter", "metrics/report")  # fmt: skip
BIG_BYTES = 120_000_000  # the client sends an object in parts of 50 MiB when it is larger than two of them


def _with_a_big_file(folder: Path, server: S3Server, bucket: str) -> Machine:
    """A small repository with this project's remote and one file of BIG_BYTES random bytes."""
    folder.mkdir()
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    (folder / "big.bin").write_bytes(random.Random(5).randbytes(BIG_BYTES))
    run(folder, "dvc", "add", "-q", "big.bin")
    commit(folder, "big")
    return Machine(folder, server, bucket)


def test_what_was_pushed_comes_back_with_the_same_bytes_into_an_empty_cache(copy: Path, s3: S3Server, bucket: str) -> None:
    machine = Machine(copy, s3, bucket)
    before = digests(copy, CACHED_OUTS)
    machine.dvc("push")
    assert damaged(s3, bucket) == []
    without_data(copy, CACHED_OUTS)
    assert digests(copy, CACHED_OUTS) == {}
    machine.dvc("pull")
    assert digests(copy, CACHED_OUTS) == before
    assert len(before) > 20
    assert machine.ran() == []


def test_repro_that_pulls_and_allows_missing_data_runs_no_stage(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "clone", s3, pushed)
    assert machine.ran("--pull", "--allow-missing") == []
    assert run(machine.folder, "git", "status", "--porcelain").stdout == ""


def test_what_one_clone_ran_another_takes_from_the_run_cache(reproduced: Path, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    """Of a stage with all its outs in the cache: what stands in git (metrics) DVC does not push, so a stage that writes such runs again."""
    first = Machine.copied(reproduced, tmp_path / "first", s3, bucket)
    second = Machine.cloned(reproduced, tmp_path / "second", s3, bucket)
    for machine in (first, second):
        write_params(machine.folder, {"report": {"samples_per_gallery": 3}})
    assert first.ran() == ["report"]
    first.dvc("push", "--run-cache")
    second.dvc("pull", "--allow-missing")  # `--pull` knows no dep that is the parent of several outs, such as data/samples
    done = second.dvc("repro", "--pull")
    assert "Running stage" not in done.stdout
    assert "Stage 'report' is cached" in done.stdout
    assert digests(second.folder, ("metrics/report",)) == digests(first.folder, ("metrics/report",)) != {}
    assert (second.folder / "dvc.lock").read_bytes() == (first.folder / "dvc.lock").read_bytes()


def test_a_parameter_that_goes_back_runs_nothing_again(copy: Path, s3: S3Server) -> None:
    machine = Machine(copy, s3, "never-asked")
    ran, tables = [], []
    for distance in (3, 2, 3):
        write_params(copy, {"split": {"perceptual_distance": distance}})
        ran.append(machine.ran("--single-item", "split"))
        tables.append((copy / "metrics/split.json").read_bytes())
    assert ran == [["split"], ["split"], []]
    assert tables[0] == tables[2]


def test_two_pushes_at_once_both_arrive(reproduced: Path, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    machines = [Machine.copied(reproduced, tmp_path / name, s3, bucket) for name in ("left", "right")]
    for seed, machine in enumerate(machines):
        (machine.folder / "own.bin").write_bytes(random.Random(seed).randbytes(3_000_000))
        machine.dvc("add", "-q", "own.bin")
        commit(machine.folder, "own")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda machine: machine.dvc("push", check=False), machines))
    assert [each.returncode for each in done] == [0, 0], [each.stderr[-500:] for each in done]
    assert damaged(s3, bucket) == []
    for machine in machines:
        fresh = Machine.cloned(machine.folder, tmp_path / f"fresh-{machine.folder.name}", s3, bucket)
        fresh.dvc("pull")
        assert digests(fresh.folder, CACHED_OUTS) == digests(machine.folder, CACHED_OUTS)
        assert filecmp.cmp(fresh.folder / "own.bin", machine.folder / "own.bin", shallow=False)


def test_a_wrong_key_is_said_and_changes_nothing(copy: Path, s3: S3Server, bucket: str, tmp_path: Path) -> None:
    machine = Machine(copy, s3, bucket)
    assert is_readable(machine.dvc("push", secret="wrong", check=False), "Forbidden", "403")
    assert is_readable(machine.dvc("push", key="nobody", check=False), "Forbidden", "403")
    assert s3.objects(bucket) == {}
    machine.dvc("push")
    fresh = Machine.cloned(copy, tmp_path / "fresh", s3, bucket)
    refused = fresh.dvc("pull", secret="wrong", check=False)
    assert is_readable(refused, "Forbidden", "403"), refused.stderr
    fresh.dvc("pull")
    assert digests(fresh.folder, CACHED_OUTS) == digests(copy, CACHED_OUTS)


def test_a_bucket_that_is_missing_or_not_named_yet_is_said(copy: Path, s3: S3Server) -> None:
    before = digests(copy, CACHED_OUTS)
    missing = Machine(copy, s3, "no-such-bucket")
    assert is_readable(missing.dvc("push", check=False), "bucket does not exist")
    (copy / ".dvc/config.local").unlink()  # the address as the repository ships it: a name that no bucket can have
    assert is_readable(missing.dvc("push", check=False), "bucket", "Bucket")
    assert digests(copy, CACHED_OUTS) == before


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_push_that_is_cut_is_said_and_the_second_one_completes(copy: Path, s3: S3Server, bucket: str, tmp_path: Path, share: float) -> None:
    machine = Machine(copy, s3, bucket)
    cached_bytes = sum(path.stat().st_size for path in (copy / ".dvc/cache/files").rglob("*") if path.is_file())
    with CuttingProxy(s3.endpoint, int(share * cached_bytes)) as proxy:
        cut = machine.dvc("push", endpoint=proxy.endpoint, check=False)
    assert proxy.is_cut_by_itself
    assert is_readable(cut, "failed to push", "Could not connect", "Connection"), cut.stdout + cut.stderr
    assert damaged(s3, bucket) == []
    machine.dvc("push")
    fresh = Machine.cloned(copy, tmp_path / "fresh", s3, bucket)
    fresh.dvc("pull")
    assert digests(fresh.folder, CACHED_OUTS) == digests(copy, CACHED_OUTS)


def test_a_pull_that_is_cut_is_said_and_the_second_one_completes(reproduced: Path, s3: S3Server, pushed: str, tmp_path: Path) -> None:
    machine = Machine.cloned(reproduced, tmp_path / "clone", s3, pushed)
    with CuttingProxy(s3.endpoint, 6_000_000, down=True) as proxy:
        cut = machine.dvc("pull", endpoint=proxy.endpoint, check=False)
    assert proxy.is_cut_by_itself
    assert is_readable(cut, "failed to pull", "failed to download", "Could not connect", "Connection"), cut.stdout + cut.stderr
    machine.dvc("pull")
    assert digests(machine.folder, CACHED_OUTS) == digests(reproduced, CACHED_OUTS)


def test_a_file_that_goes_in_parts_arrives_whole_also_after_a_cut_between_them(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    machine = _with_a_big_file(tmp_path / "repo", s3, bucket)
    with CuttingProxy(s3.endpoint, BIG_BYTES * 9 // 10) as proxy:
        cut = machine.dvc("push", endpoint=proxy.endpoint, check=False)
    assert proxy.is_cut_by_itself and cut.returncode != 0
    assert s3.objects(bucket) == {}
    with CuttingProxy(s3.endpoint, None) as counting:
        machine.dvc("push", endpoint=counting.endpoint)
    assert counting.parts >= 2
    assert list(s3.objects(bucket).values()) == [BIG_BYTES]
    assert damaged(s3, bucket) == []
    fresh = Machine.cloned(machine.folder, tmp_path / "fresh", s3, bucket)
    fresh.dvc("pull")
    assert filecmp.cmp(fresh.folder / "big.bin", machine.folder / "big.bin", shallow=False)


def test_a_push_killed_in_the_middle_leaves_nothing_half_and_the_second_one_completes(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    machine = _with_a_big_file(tmp_path / "repo", s3, bucket)
    with CuttingProxy(s3.endpoint, None) as proxy:
        environment = {**os.environ, **machine.environment(endpoint=proxy.endpoint)}
        pushing = subprocess.Popen([Path(sys.executable).parent / "dvc", "push", "-q"], cwd=machine.folder, env=environment)
        proxy.wait_for_bytes(BIG_BYTES // 3)
        pushing.kill()
        pushing.wait()
    assert [key for key in s3.objects(bucket) if key.startswith(PREFIX)] == []
    machine.dvc("push")
    assert damaged(s3, bucket) == []
    assert list(s3.objects(bucket).values()) == [BIG_BYTES]


def test_nothing_but_push_and_pull_asks_the_remote(copy: Path, s3: S3Server, bucket: str) -> None:
    machine = Machine(copy, s3, bucket)
    with CuttingProxy(s3.endpoint, None) as proxy:
        for command in (("repro",), ("status",), ("metrics", "diff"), ("params", "diff"), ("exp", "show"), ("repro", "--dry"), ("checkout",)):
            machine.dvc(*command, endpoint=proxy.endpoint)
        assert proxy.connections == 0
        machine.dvc("push", endpoint=proxy.endpoint)
        assert proxy.connections > 0
