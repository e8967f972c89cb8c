"""The import closure of a stage, read from the source, for test_dag and test_imports."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUND_FLOOR = ("core", "knowledge", "vlm")
# Plumbing that cannot change what a stage writes: editing it never reruns a stage. What params.py reads is tracked as params.
EXEMPT = {f"stages/core/{name}.py" for name in ("stage", "tracking", "parallel", "cache", "params", "storage")}


def module_file(module: str) -> Path | None:
    """Source file of a dotted module of this repository, or None."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def imported_modules(path: Path) -> set[str]:
    """Dotted names of the repository's modules that a file imports, lazily or at the top."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "stages" and module_file(name)}


def closure(package: Path) -> set[Path]:
    """Files of a package and all files of the repository that they import, transitively, through non-exempt files."""
    todo, done = set(package.rglob("*.py")), set()
    while todo:
        path = todo.pop()
        done.add(path)
        if path.relative_to(ROOT).as_posix() in EXEMPT:
            continue
        todo |= {module_file(name) for name in imported_modules(path)} - done - {None}
    return done


def expected_code_deps(package: Path) -> set[str]:
    """The code deps that dvc.yaml must list for a stage package: itself and its ground-floor files with their data."""
    files = closure(package)
    owner = ROOT / "stages" / package.relative_to(ROOT / "stages").parts[0]
    # A step inside a stage that uses the stage's own code depends on all of it.
    beside = any(owner in path.parents and package not in path.parents and path.name != "__init__.py" for path in files)
    whole = beside and owner.name not in GROUND_FLOOR
    deps = {(owner if whole else package).relative_to(ROOT).as_posix()}
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        parts = path.relative_to(ROOT).parts
        if package in path.parents or len(parts) < 3 or parts[1] not in GROUND_FLOOR or name in EXEMPT:
            continue
        if path.read_text(encoding="utf-8").count("\n") <= 3 and path.name == "__init__.py":
            continue  # only a docstring
        deps.add(name)
        data = path.with_suffix(".yaml")
        if data.exists():
            deps.add(data.relative_to(ROOT).as_posix())
    return deps
