"""Fault codes: a closed list, each raised by some reader and seen by some test; and folders that cannot be read."""

from __future__ import annotations

import ast
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from stages.core.stage import StageError
from stages.core.volume import write_volume
from stages.ingest.faults import KINDS, Fault
from stages.ingest.patterns import list_files
from stages.ingest.quality import FLAGS, LOW_COVERAGE
from tests.ingest.readers.dicom_sources import SPACING, ct_values, dicom_card, write_series
from tests.ingest.sources import REPO, block, card_content, ingest_folder, label_map_card, save, write_case

SOURCES = sorted((REPO / "stages/ingest").rglob("*.py")) + [REPO / "stages/core/volume.py"]
TESTS = sorted((REPO / "tests").rglob("test_*.py"))


def words_in(paths: list[Path]) -> set[str]:
    """All string literals of some files, docstrings and comments apart, f-strings in their fixed pieces."""
    return {node.value for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def fault_codes(paths: list[Path]) -> set[str]:
    """First arguments of ``Fault(...)`` and of ``VolumeError(...)`` that are literals."""
    return {
        node.args[0].value
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Fault", "VolumeError"}
        and node.args and isinstance(node.args[0], ast.Constant)
    }  # fmt: skip


def test_codes_that_are_raised_are_in_the_list() -> None:
    assert fault_codes(SOURCES) <= set(KINDS)


def test_every_code_of_the_list_is_raised_somewhere() -> None:
    raised = words_in([path for path in SOURCES if path.name != "faults.py"])
    assert sorted(set(KINDS) - raised) == []


def test_every_code_is_seen_by_a_test() -> None:
    written = " ".join(words_in(TESTS))
    assert [kind for kind in KINDS if kind not in written] == []


def test_every_flag_that_is_explained_is_raised_somewhere() -> None:
    assert sorted(set(FLAGS) - words_in([path for path in SOURCES if path.name != "quality.py"]) - own_flags()) == []


def own_flags() -> set[str]:
    """Flags that quality.py names by constants."""
    import stages.ingest.quality as quality

    return {value for name, value in vars(quality).items() if name.isupper() and isinstance(value, str)}


def test_flags_of_readers_are_explained() -> None:
    """Literals that readers put into lists called flags."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            target = getattr(node, "targets", [None])[0] if isinstance(node, ast.Assign) else None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                owner, values = node.func.value, node.args
            elif isinstance(target, ast.Name):
                owner, values = target, [item for child in ast.walk(node.value) if isinstance(child, ast.List) for item in child.elts]
            else:
                continue
            if "flags" in ast.unparse(owner):
                found |= {value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    assert sorted(flag for flag in found if flag not in FLAGS and not flag.startswith(LOW_COVERAGE)) == []


def test_an_unknown_code_is_a_defect() -> None:
    with pytest.raises(ValueError, match="'oops' is not in KINDS"):
        Fault("oops", "a.png", "cause")


def test_a_fault_passes_between_processes_whole() -> None:
    fault = pickle.loads(pickle.dumps(Fault("empty_mask", "a.png", "nothing there")))
    assert (fault.kind, fault.file, fault.cause) == ("empty_mask", "a.png", "nothing there")


def test_a_folder_that_may_not_be_entered_stops_with_its_name_instead_of_losing_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_case(tmp_path / "root")
    scandir = os.scandir

    def closed(path: str | os.PathLike[str]):
        if os.fspath(path).endswith("masks"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(StageError, match="masks cannot be read .Permission denied.: mend its permissions"):
        list_files(tmp_path / "root")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the administrator")
def test_a_file_that_may_not_be_read_is_a_fault_that_names_it(tmp_path: Path) -> None:
    write_case(tmp_path / "root")
    (tmp_path / "root/images/a.png").chmod(0)
    _, (result,) = ingest_folder(tmp_path, card_content())
    assert [(error.kind, error.file) for error in result.lost] == [("unreadable_image", "images/a.png")]


def test_an_empty_folder_has_no_cases_and_no_faults(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    found, results = ingest_folder(tmp_path, card_content())
    assert (found.cases, found.errors, results) == ([], [], [])


def test_two_label_maps_for_one_picture_are_a_fault(tmp_path: Path) -> None:
    for name in ("images/a", "masks/a_1", "masks/a_2"):
        save(tmp_path / f"root/{name}.png", block((5, 5, 20, 20), value=1))
    files = {"image": ["images/{case}.png"], "mask": ["masks/{case}_{reader:[0-9]}.png"], "other": []}
    _, (result,) = ingest_folder(tmp_path, label_map_card(files=files))
    assert [error.kind for error in result.lost] == ["several_masks"]


def test_a_label_volume_that_fits_two_series_is_a_fault_of_its_own(tmp_path: Path) -> None:
    for series in ("one", "two"):
        write_series(tmp_path / f"root/{series}", ct_values(), origin=(0.0, 0.0, 0.0), series=series)
    write_volume(tmp_path / "root/labels.nrrd", np.ones((5, 24, 32), np.uint8), (2.5, *SPACING), "LPS")
    labels = {"liver": {"sources": [1], "semantic": True}}
    found, _ = ingest_folder(tmp_path, dicom_card(labels=labels, annotated_labels=["liver"]))
    assert "several_images" in {error.kind for error in found.errors}
