"""The cost of stages: exponents are those of the data that they were made of, and no stage is left out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.stages import CASES, STAGES, marginal, measured, slope
from tests.import_closure import ROOT


@given(start=st.floats(0, 10), each=st.floats(0.01, 10), power=st.floats(0.3, 2.5), first=st.integers(10, 1000))
def test_start_up_does_not_hide_how_the_rest_grows(start: float, each: float, power: float, first: int) -> None:
    sizes = [first, 4 * first, 16 * first]
    cpu = [start + each * size**power for size in sizes]
    found = marginal(sizes, cpu)
    assert found["cpu_s_per_1000_more_samples"] == pytest.approx(1000 * (cpu[2] - cpu[1]) / (sizes[2] - sizes[1]), abs=0.01)
    if "marginal_exponent" in found:
        assert found["marginal_exponent"] == pytest.approx(power, abs=0.001)


def test_growth_that_drowns_in_the_start_up_gets_no_exponent() -> None:
    assert "marginal_exponent" not in marginal([10, 40, 160], [5.0, 5.2, 9.0])


def test_a_straight_line_has_its_slope() -> None:
    assert slope([0.0, 1.0, 2.0], [1.0, 3.0, 5.0]) == pytest.approx(2)
    assert slope([math.log(n) for n in (1, 4, 16)], [math.log(3 * n) for n in (1, 4, 16)]) == pytest.approx(1)


def test_every_stage_of_the_pipeline_is_measured() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert set(STAGES) == set(stages) - {"pretrain", "predict_base"}
    assert set(CASES) == set(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["phantom"]["cases"])


def test_processor_time_and_memory_of_children_count(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    child = "import time; held = bytearray(80_000_000); end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    (tmp_path / "stages/busy.py").write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)", encoding="utf-8")
    cost = measured(["busy"], tmp_path)
    assert 0.4 <= cost.cpu_s <= 5
    assert cost.peak_mb >= 80
    assert cost.wall_s > 0.3


def test_a_stage_that_fails_is_shown(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/broken.py").write_text("raise SystemExit('no disk')", encoding="utf-8")
    with pytest.raises(RuntimeError, match="stages.broken failed(.|\n)*no disk"):
        measured(["broken"], tmp_path)
