"""The README's numbers are those of the tracked files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.evaluate.table import printed_table
from stages.sweep.table import printed_sweep
from stages.verify.audit.table import printed_table as printed_audit
from stages.vlm.codecs.ceiling import printed_table as printed_ceiling
from tests.benchmarks.stages import printed_table as printed_cost
from tests.import_closure import ROOT


def as_committed(folder: Path, *names: str) -> None:
    """Lay the committed files into ``folder``: a run of one's own changes the working tree, not what the README claims."""
    for name in names:
        shown = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=ROOT, capture_output=True, text=True, check=False)
        if shown.returncode != 0:
            pytest.skip(f"{name} is not committed here: {shown.stderr.strip()}")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(shown.stdout, encoding="utf-8")


@pytest.mark.parametrize(("block", "metrics"), [("results", "metrics"), ("real", "metrics/real"), ("seen", "metrics/real/seen")])
def test_a_results_table_is_the_one_that_the_command_prints(tmp_path: Path, block: str, metrics: str) -> None:
    as_committed(tmp_path, f"{metrics}/evaluate.json", f"{metrics}/plots/evaluate_table.csv", "README.md")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    head, table = readme.split(f"<!-- {block}: ")[1].split(f"<!-- /{block} -->")[0].split("\n", 1)
    assert head == f"python -m stages.evaluate --table --markdown{'' if metrics == 'metrics' else f' --metrics {metrics}'} -->"
    assert table.strip() == printed_table(True, tmp_path / metrics).strip()


def test_the_audit_table_is_the_one_that_the_command_prints(tmp_path: Path) -> None:
    files = {"synthetic studies": "metrics/audit.json", "nine real sets": "metrics/real/audit.json"}
    as_committed(tmp_path, *files.values(), "README.md")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- audit -->\n")[1].split("<!-- /audit -->")[0]
    assert table.strip() == printed_audit({name: tmp_path / path for name, path in files.items()}).strip()


def test_the_table_of_box_formats_is_the_one_that_the_command_prints(tmp_path: Path) -> None:
    page = "stages/vlm/README.md"
    as_committed(tmp_path, "metrics/codecs.json", page)
    readme = (tmp_path / page).read_text(encoding="utf-8")
    table = readme.split("<!-- codecs -->\n")[1].split("<!-- /codecs -->")[0]
    assert table.strip() == printed_ceiling(tmp_path / "metrics/codecs.json").strip()


def test_the_table_of_the_sweep_is_the_one_that_the_command_prints(tmp_path: Path) -> None:
    as_committed(tmp_path, "metrics/sweep.json", "README.md")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- sweep: python -m stages.sweep --table --markdown -->\n")[1].split("<!-- /sweep -->")[0]
    assert table.strip() == printed_sweep(markdown=True, path=tmp_path / "metrics/sweep.json").strip()


def test_the_table_of_costs_is_the_one_that_the_command_prints(tmp_path: Path) -> None:
    as_committed(tmp_path, "metrics/bench/stages.json", "README.md")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- cost: python -m tests.benchmarks.stages --table -->\n")[1].split("<!-- /cost -->")[0]
    assert table.strip() == printed_cost(tmp_path / "metrics/bench/stages.json").strip()
