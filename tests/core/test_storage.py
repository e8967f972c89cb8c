"""A full or shut disk is told apart from other errors of the system, with its place and what helps."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from stages.core.stage import run_stage
from stages.core.storage import naming_a_full_disk, shut_folder, storage_fault
from tests.tiny_clone import ROOT


def test_a_full_disk_is_told_with_the_room_of_every_place(tmp_path: Path) -> None:
    fault = storage_fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), [tmp_path / "not made yet"])
    assert fault is not None
    assert fault.startswith("no space left (") and f"{tmp_path / 'not made yet'}: " in fault and "MB free" in fault and "Make room" in fault
    named = storage_fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/samples/part-0.parquet"))
    assert named is not None and named.startswith("no space left at data/samples/part-0.parquet (")


def test_a_read_only_disk_is_named_and_any_other_error_is_none_of_storages() -> None:
    assert "the file system is read-only: data/x" in str(storage_fault(OSError(errno.EROFS, "x", "data/x")))
    assert storage_fault(OSError(errno.EIO, "x")) is None


def test_a_folder_that_a_variable_chooses_is_named_with_it(tmp_path: Path) -> None:
    said = shut_folder(tmp_path, OSError(errno.EACCES, "x"), "SOME_FOLDER")
    assert said == f"{tmp_path} cannot be written (permission denied): make it writable, or set SOME_FOLDER to a folder that is"


def test_a_stage_ends_with_one_message_where_the_disk_is_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)

    def body(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SystemExit) as stop:
        run_stage("anchor", body)
    assert stop.value.code == 1 and "anchor: no space left (" in capsys.readouterr().err


def test_any_other_error_of_the_system_is_a_defect_and_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    def body(_: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output error"):
        run_stage("anchor", body)


def test_what_a_library_says_of_a_full_disk_becomes_the_systems_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="unexpected pos"), naming_a_full_disk([tmp_path], RuntimeError):
        raise RuntimeError("unexpected pos 576 vs 534")
    monkeypatch.setattr("stages.core.storage._FULL_BELOW_BYTES", 1 << 60)
    with pytest.raises(OSError, match="No space left") as told, naming_a_full_disk([tmp_path / "out"], RuntimeError):
        raise RuntimeError("unexpected pos 576 vs 534")
    assert told.value.errno == errno.ENOSPC and told.value.filename == str(tmp_path / "out")
