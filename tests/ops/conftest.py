"""One tiny run of the whole DAG for all operational tests; each test works in a clone of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tiny_clone import commit, copy_of_the_repository, run


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
