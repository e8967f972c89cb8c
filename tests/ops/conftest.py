"""One tiny run of the whole DAG for all operational tests; each test works in a clone of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.remotes import Machine
from tests.ops.s3_server import S3Server, start
from tests.tiny_clone import commit, copy_of_the_repository, run

SERVER = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.ops)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with tiny parameters, reproduced and committed. For reading and copying only: `copy` is for changing."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("ops") / "repo")
    run(folder, "dvc", "repro")
    commit(folder, "reproduced")
    return folder


@pytest.fixture
def copy(reproduced: Path, tmp_path: Path) -> Path:
    """The reproduced repository with its outs and cache, in a folder of the test's own."""
    return Path(shutil.copytree(reproduced, tmp_path / "repo", symlinks=True))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[S3Server]:
    """An S3 server for all tests; the summary says which one it was."""
    server = start(tmp_path_factory.mktemp("s3"))
    request.config.stash[SERVER] = server.kind
    yield server
    server.stop()


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """An empty bucket of the test's own."""
    name = f"ops-{uuid.uuid4().hex[:12]}"
    s3.make_bucket(name)
    return name


@pytest.fixture(scope="session")
def pushed(s3: S3Server, reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bucket that holds what the reproduced repository made, its run cache too. For pulling only."""
    s3.make_bucket("ops-pushed")
    Machine.copied(reproduced, tmp_path_factory.mktemp("pusher") / "repo", s3, "ops-pushed").dvc("push", "--run-cache")
    return "ops-pushed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if SERVER in config.stash:
        terminalreporter.write_line(f"S3 server of these tests: {config.stash[SERVER]}")
