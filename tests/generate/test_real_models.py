"""The stage end to end with a real small model: in this process, and behind ``transformers serve``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.core.claims import Claim, select
from stages.core.records import ItemError, Query
from stages.core.shards import read_table
from stages.generate.__main__ import generate
from stages.generate.scenes import read_scenes
from stages.knowledge import words
from tests.generate.tables import query_bytes, write_params, write_tables
from tests.generate.taught import lessons, teach

LENGTH = {"max_tokens": 220}
# Share of the taught queries that hold: about three quarters, a few more or less with a machine's rounding; nearly none by luck.
MOST = 0.5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    before = Path.cwd()
    write_tables(folder)
    params = write_params(folder)
    os.chdir(folder)
    try:
        teach(folder / "model", lessons(params.generate, params.seed))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("MEDGROUND_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def served(home: Path, tmp_path: Path) -> Iterator[str]:
    """Base address of ``transformers serve`` with the taught model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(home / "model"), "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, stdout=log, stderr=log, cwd=tmp_path)
    try:
        _await(f"http://127.0.0.1:{port}/health", process, tmp_path / "serve.log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(address, timeout=2)
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))


def _right(queries: list[Query]) -> float:
    """Share of the queries whose own claims select exactly their targets."""
    scenes = {scene.sample_id: scene for scene in read_scenes("one")}
    exact = [select([Claim.from_json(c) for c in q.claims or []], scenes[q.sample_id], words.thresholds()).is_exactly(q.anchor_ids) for q in queries]
    return sum(exact) / len(exact)


def test_a_local_model_writes_queries_whose_claims_hold(home: Path) -> None:
    figures = generate(write_params(home, {"writer": "local", "max_error_rate": 0.5}, local={"model": str(home / "model"), **LENGTH}))
    queries = read_table("data/queries/queries", Query)
    assert len(queries) > 10 and figures["requests"] >= 14 and _right(queries) > MOST
    (writer,) = {query.writer for query in queries}
    assert (writer.backend, writer.model) == ("local", "model") and len(writer.revision) == 16
    before = query_bytes(home)
    generate(write_params(home, {"writer": "local", "max_error_rate": 0.5}, local={"model": str(home / "model"), **LENGTH}))
    assert query_bytes(home) == before


def test_the_same_model_behind_transformers_serve_writes_through_the_protocol(home: Path, served: str) -> None:
    server = {"base_url": served, "model": str(home / "model"), "temperature": 0.0, "system_turn": False, "structured": "none", "probe": False}
    figures = generate(write_params(home, {"writer": "endpoint", "max_error_rate": 0.5}, {**server, "concurrency": 2, "timeout_s": 120, **LENGTH}))
    queries = read_table("data/queries/queries", Query)
    errors = read_table("data/queries/errors", ItemError)
    assert len(queries) > 10 and _right(queries) > MOST and len(errors) == figures["failures"]
    assert figures["tokens"] > 1000 and figures["latency_s"]["median"] > 0
    assert {query.writer.backend for query in queries} == {"endpoint"}
