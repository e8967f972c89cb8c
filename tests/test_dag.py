"""dvc.yaml tells the truth: the code deps of every stage are its import closure, and the conventions hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from tests.import_closure import ROOT, expected_code_deps

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def _definition(name: str) -> dict:
    entry = STAGES[name]
    return entry.get("do", entry)


def _package(name: str):
    module = _definition(name)["cmd"].split()[2]
    return ROOT.joinpath(*module.split("."))


@pytest.mark.parametrize("name", sorted(STAGES))
def test_code_deps_are_exactly_the_import_closure(name: str) -> None:
    listed = {dep for dep in _definition(name)["deps"] if dep.startswith("stages/")}
    assert listed == expected_code_deps(_package(name))


@pytest.mark.parametrize("name", sorted(STAGES))
def test_every_stage_has_a_description_and_a_one_line_module_command(name: str) -> None:
    definition = _definition(name)
    assert definition["desc"]
    assert definition["cmd"].startswith("python -m stages.") and "\n" not in definition["cmd"]


@pytest.mark.parametrize("name", sorted(STAGES))
def test_metrics_are_tracked_by_git(name: str) -> None:
    for entry in _definition(name).get("metrics", []) + _definition(name).get("plots", []):
        ((_, options),) = entry.items()
        assert options["cache"] is False


# `evaluate` writes nine tables that are no plots; pretrain is frozen, its weights are shipped in git.
WITHOUT_RUN_CACHE = {"evaluate", "pretrain"}


@pytest.mark.parametrize("name", sorted(set(STAGES) - WITHOUT_RUN_CACHE))
def test_the_run_cache_can_keep_the_stage(name: str) -> None:
    """DVC keeps no run of a stage that has an out outside the cache which is neither metric nor plot."""
    assert [entry for entry in _definition(name).get("outs", []) if not isinstance(entry, str)] == []


def test_every_stage_package_has_a_stage_and_a_folder_of_tests() -> None:
    packages = {path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")}
    # Exports and sweeps are asked for by hand: no stage depends on them.
    assert packages - {"export", "sweep"} == set(STAGES) - {"pretrain", "ingest_across", "audit", "predict_base"}
    assert {name for name in packages if not list((ROOT / "tests" / name).glob("test_*.py"))} == set()


def test_dvc_reads_the_pipeline_and_the_parameters() -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "stage", "list", "--name-only"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    datasets = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["datasets"]
    assert {f"ingest@{name}" for name in datasets} <= set(done.stdout.split())
