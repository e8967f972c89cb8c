"""What the tests of the remote share: machines of a tiny repository, and the checks that nothing is damaged."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from tests.ops.s3_server import S3Server
from tests.tiny_clone import run

PREFIX = "medground"
CACHED = re.compile(rf"{PREFIX}/files/md5/(?P<head>[0-9a-f]{{2}})/(?P<tail>[0-9a-f]{{30}})(\.dir)?")
RAN = re.compile(r"Running stage '([^']+)'")


class Machine:
    """A clone with a cache of its own, that reaches `bucket` of `server` with the server's keys."""

    def __init__(self, folder: Path, server: S3Server, bucket: str) -> None:
        self.folder, self.server = folder, server
        run(folder, "dvc", "remote", "modify", "--local", "s3", "url", f"s3://{bucket}/{PREFIX}")

    @classmethod
    def cloned(cls, repository: Path, folder: Path, server: S3Server, bucket: str) -> Machine:
        """`git clone` and the address of the bucket: no data, no cache."""
        run(repository, "git", "clone", "--quiet", str(repository), str(folder))
        return cls(folder, server, bucket)

    @classmethod
    def copied(cls, repository: Path, folder: Path, server: S3Server, bucket: str) -> Machine:
        """With data and cache, as where it was reproduced."""
        return cls(Path(shutil.copytree(repository, folder, symlinks=True)), server, bucket)

    def environment(self, **change: str | None) -> dict[str, str]:
        """Keys and endpoint (`key`, `secret`, `endpoint` change them), and an index of remotes that no other machine shares."""
        return {**self.server.environment(**change), "DVC_SITE_CACHE_DIR": str(self.folder.parent / f"{self.folder.name}-site")}

    def dvc(self, *arguments: str, check: bool = True, **change: str | None) -> subprocess.CompletedProcess[str]:
        """`dvc ARGUMENTS` there; a command that hangs for ten minutes fails the test."""
        return run(self.folder, "dvc", *arguments, check=check, extra=self.environment(**change), timeout_s=600)

    def ran(self, *arguments: str) -> list[str]:
        """The stages that a `dvc repro` really ran, in order."""
        return RAN.findall(self.dvc("repro", *arguments).stdout)


def without_data(folder: Path, outs: tuple[str, ...]) -> None:
    """Empty the cache and remove the outs that it holds."""
    shutil.rmtree(folder / ".dvc/cache")
    for out in outs:
        shutil.rmtree(folder / out, ignore_errors=True)


def damaged(server: S3Server, bucket: str) -> list[str]:
    """Keys of the bucket whose bytes are not those that their name, an MD5, promises."""
    wrong = []
    for key in server.objects(bucket):
        if (match := CACHED.fullmatch(key)) and hashlib.md5(server.content(bucket, key)).hexdigest() != match["head"] + match["tail"]:
            wrong.append(key)
    return wrong


def is_readable(done: subprocess.CompletedProcess[str], *words: str) -> bool:
    """Whether a failed command says why: an exit code, one of `words`, and no traceback."""
    said = done.stdout + done.stderr
    return done.returncode != 0 and "Traceback" not in said and any(word in said for word in words)
