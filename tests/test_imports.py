"""The import rules of the house, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_closure import GROUND_FLOOR, ROOT, imported_modules

FILES = sorted((ROOT / "stages").rglob("*.py"))
DOORS = {
    "pydicom": ("stages/ingest/readers/dicom",),
    "highdicom": ("stages/ingest/readers/dicom",),
    "SimpleITK": ("stages/core/volume.py",),
    "mlflow": ("stages/core/tracking.py",),
    "torch": ("stages/vlm/", "stages/finetune/", "stages/predict/"),
    "transformers": ("stages/vlm/", "stages/finetune/", "stages/predict/"),
    "peft": ("stages/vlm/", "stages/finetune/", "stages/predict/"),
}
HEAVY = {"SimpleITK", "pydicom", "highdicom", "mlflow", "torch", "transformers", "peft", "spacy", "matplotlib", "dvc"}
# Kernels are nothing without numba and name it at the top; what loads them does so inside a function.
HEAVY_TO_START = HEAVY | {"numba"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _external(path: Path, top_only: bool) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_stages_meet_only_through_files_and_the_ground_floor(path: Path) -> None:
    own = path.relative_to(ROOT / "stages").parts[0]
    allowed = {"core": {"core"}, "knowledge": {"core", "knowledge"}, "vlm": {"core", "vlm"}}.get(own, {*GROUND_FLOOR, own})
    reached = {module.split(".")[1] for module in imported_modules(path) if "." in module}
    assert reached <= allowed


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_heavy_libraries_come_through_their_door(path: Path) -> None:
    for library in _external(path, top_only=False) & set(DOORS):
        assert _name(path).startswith(DOORS[library]), f"{library} is imported in {_name(path)}"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_heavy_libraries_are_imported_inside_functions_outside_model_code(path: Path) -> None:
    if _name(path).startswith(DOORS["torch"]) and path.name != "__main__.py":
        return
    assert _external(path, top_only=True) & HEAVY == set()


@pytest.mark.parametrize("stage", sorted(path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")))
def test_help_of_a_stage_starts_without_heavy_libraries(stage: str) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{stage}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        f"print(sorted({HEAVY_TO_START!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_no_broad_except_stands_in_product_code() -> None:
    broad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})):
                broad.append(f"{_name(path)}:{node.lineno}")
    assert broad == []
