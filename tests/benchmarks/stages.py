"""What each stage costs as the data grow: ``python -m tests.benchmarks.stages`` writes metrics/bench/stages.json.

The DAG runs command by command in a copy of this repository, on synthetic studies, at 1, 4 and 16 times the data, with one
worker process and one thread, so that processor seconds are the work and not the waiting. Start-up is part of every figure;
``--table`` prints the table of the README, which parts the two. Training has a fixed number of steps: its cost is that of a
step. ``--work FOLDER`` keeps what was made, and a second call there measures only the scales that are missing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.anchor import machine
from tests.import_closure import ROOT
from tests.tiny_clone import copy_of_the_repository, environment_of, write_params

TARGET = ROOT / "metrics/bench/stages.json"
SCALES = (1, 4, 16)
# Studies at 1x: six pictures of each of the four modalities (a volume gives three).
CASES = {"ct_phantom": 2, "cxr_phantom": 6, "us_phantom": 6, "micro_phantom": 6}
STEPS = 40
# The audit asks about a fixed number of pictures, whatever the data; the probes too, and are left out.
SETTINGS: dict[str, Any] = {
    "engine": {"kind": "processes", "workers": 1},
    "audit": {"images_per_dataset": 6},
    "finetune": {"max_steps": STEPS, "arms": ["tuned", "control"], "validation": {"every_steps": 0}, "loader_workers": 0},
    "predict": {"probe_examples": 0},
}
STAGES: dict[str, list[list[str]]] = {
    "phantom": [["phantom", name] for name in CASES],
    "ingest": [["ingest", name] for name in CASES],
    "ingest_across": [["ingest.across"]],
    "anchor": [["anchor", name] for name in CASES],
    "generate": [["generate"]],
    "verify": [["verify"]],
    "audit": [["verify.audit"]],
    "split": [["split"]],
    "finetune": [["finetune"]],
    "predict": [["predict", "--contender", name] for name in ("base", "tuned", "control")],
    "evaluate": [["evaluate"]],
    "report": [["report"]],
}
SAMPLE_S = 0.1
# Seconds for 1,000 samples -> hours for ten million.
SAMPLES_IN_HOURS = 1e4 / 3600


@dataclass(frozen=True)
class Cost:
    """Seconds of the processors (user and system, children too) and of the wall; greatest memory of process and children."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def measured(command: list[str], folder: Path) -> Cost:
    """Run ``python -m stages.<command>`` in a copy of the repository.

    Raises:
        RuntimeError: it failed; the end of what it printed is in the message.
    """
    environment = environment_of(folder, {"MEDGROUND_TRACKING": "off", "OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(folder.parent / "numba")})
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", f"stages.{command[0]}", *command[1:]], cwd=folder, env=environment, stdout=output, stderr=output)
        peak_mb = 0.0
        while True:
            peak_mb = max(peak_mb, _resident_mb(process.pid))
            found, status, usage = os.wait4(process.pid, os.WNOHANG)
            if found:
                break
            time.sleep(SAMPLE_S)
        wall_s = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"stages.{' '.join(command)} failed in {folder}:\n{output.read()[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, max(peak_mb, usage.ru_maxrss / 1024))


def _resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, now."""
    import psutil

    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total / 2**20


def repeated(commands: list[list[str]], folder: Path, runs: int) -> Cost:
    """A stage: its commands one after another, each measured ``runs`` times; sums of the medians, and the greatest peak."""
    costs = []
    for command in commands:
        turns = []
        for _ in range(runs):
            shutil.rmtree(environment_of(folder)["MEDGROUND_CACHE"], ignore_errors=True)
            turns.append(measured(command, folder))
        costs.append(turns)
    return Cost(
        sum(statistics.median(turn.cpu_s for turn in turns) for turns in costs),
        sum(statistics.median(turn.wall_s for turn in turns) for turns in costs),
        max(turn.peak_mb for turns in costs for turn in turns),
    )


def at_scale(scale: int, work: Path, runs: int) -> dict[str, Any]:
    """Costs of all stages at so many times the data, and how many pictures, queries and examples there were.

    What is measured already in ``work`` stays, so that a benchmark that was stopped goes on.
    """
    from tqdm import tqdm

    folder, kept = work / f"x{scale}", work / f"costs_x{scale}.json"
    if not kept.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        copy_of_the_repository(folder)
        _set_params(folder, scale)
        kept.write_text("{}", encoding="utf-8")
    costs = json.loads(kept.read_text(encoding="utf-8"))
    with tqdm(STAGES.items(), desc=f"{scale}x", unit="stage") as bar:
        for name, commands in bar:
            bar.set_postfix_str(name)
            if name == "anchor" and not (work / "numba").exists():
                measured(commands[0], folder)  # compiles, once on a machine
            if name not in costs:
                costs[name] = asdict(repeated(commands, folder, runs))
                kept.write_text(json.dumps(costs), encoding="utf-8")
    return {"samples": _rows(folder, "samples/*/samples"), "queries": _rows(folder, "queries/queries"), "examples": _rows(folder, "corpus/examples"), "stages": costs}


def _set_params(folder: Path, scale: int) -> None:
    """The shipped parameters with this benchmark's settings; the copy came with tiny ones."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["datasets"] = {name: params["datasets"][name] for name in CASES}
    params["phantom"]["cases"] = {name: scale * count for name, count in CASES.items()}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    write_params(folder, SETTINGS)


def _rows(folder: Path, pattern: str) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in (folder / "data").glob(f"{pattern}/*.parquet"))


def summary(scales: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Costs by stage and scale with samples a second, and how they grow."""
    first, middle, last = sorted(scales)
    stages = {}
    for name in scales[first]["stages"]:
        cpu = [scales[scale]["stages"][name]["cpu_s"] for scale in (first, middle, last)]
        sizes = [scales[scale]["samples"] for scale in (first, middle, last)]
        memory = [scales[scale]["stages"][name]["peak_mb"] for scale in (first, last)]
        stages[name] = {
            **{f"x{scale}": _figures(name, scales[scale]) for scale in (first, middle, last)},
            "growth_exponent": round(slope([math.log(size) for size in sizes], [math.log(value) for value in cpu]), 3),
            **marginal(sizes, cpu),
            "peak_mb_per_1000_samples": round(1000 * (memory[1] - memory[0]) / (sizes[2] - sizes[0]), 1),
        }
    return {"samples": {f"x{scale}": {key: scales[scale][key] for key in ("samples", "queries", "examples")} for scale in scales}, "stage": stages}


def _figures(name: str, scale: dict[str, Any]) -> dict[str, float]:
    cost = scale["stages"][name]
    done = {"optimiser_steps_per_cpu_s": 2 * STEPS} if name == "finetune" else {"samples_per_cpu_s": scale["samples"]}
    return {**{key: round(value, 2) for key, value in cost.items()}, **{key: round(count / cost["cpu_s"], 3) for key, count in done.items()}}


def slope(x: list[float], y: list[float]) -> float:
    """Least squares."""
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def marginal(sizes: list[int], cpu: list[float]) -> dict[str, float]:
    """Cost beside start-up. ``cpu_s_per_1000_more_samples``: between the middle and the last scale. ``marginal_exponent``: p of
    start + b * samples^p through the three points, for scales four times apart: 4^p is the ratio of the two differences. It is
    left out where the first difference drowns in the start-up.
    """
    early, late = cpu[1] - cpu[0], cpu[2] - cpu[1]
    found = {"cpu_s_per_1000_more_samples": round(1000 * late / (sizes[2] - sizes[1]), 2)}
    if early > 0.1 * cpu[0] and late > 0:
        found["marginal_exponent"] = round(math.log(late / early) / math.log(sizes[2] / sizes[1]), 3)
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of what does most of the work."""
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "numba", "pyarrow", "SimpleITK", "spacy", "torch", "transformers")}}


def printed_table(path: Path = TARGET) -> str:
    """The README's table: a row a stage, costs beside start-up, and the same work for ten million samples.

    Raises:
        FileNotFoundError: nothing has been measured.
    """
    figures = json.loads(path.read_text(encoding="utf-8"))
    at_first = figures["samples"]["x1"]["samples"]
    heads = ("stage", "start-up, CPU s", "CPU s for 1,000 more samples", "growth", "peak MB at 16x", "MB for 1,000 more samples", "10 million samples, core-hours")
    rows = [heads, ("---",) * len(heads)]
    total = 0.0
    for name in STAGES:
        stage = figures["stage"][name]
        more, growth = max(0.0, stage["cpu_s_per_1000_more_samples"]), stage.get("marginal_exponent")
        memory = (f"{stage['x16']['peak_mb']:.0f}", f"{stage['peak_mb_per_1000_samples']:.0f}")
        if name == "finetune":
            rows.append((f"`{name}`", "", f"{1000 / stage['x16']['optimiser_steps_per_cpu_s']:.0f} ms a step", "by steps", *memory, "by steps"))
            continue
        total += more * SAMPLES_IN_HOURS if name != "phantom" else 0.0
        start = max(0.0, stage["x1"]["cpu_s"] - more * at_first / 1000)
        rows.append((f"`{name}`", f"{start:.1f}", f"{more:.1f}", "" if growth is None else f"{growth:.2f}", *memory, f"{more * SAMPLES_IN_HOURS:,.0f}"))
    rows.append(("all, but `phantom` and `finetune`", *[""] * 5, f"{total:,.0f}"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure and write metrics/bench/stages.json, or print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stages", description=__doc__)
    parser.add_argument("--work", type=Path, help="folder for the copies; kept, with what was measured (default: a temporary one)")
    parser.add_argument("--runs", type=int, default=1, help="how often each command runs; the median counts (default: 1; more on a machine that others use)")
    parser.add_argument("--table", action="store_true", help="print the table of metrics/bench/stages.json instead")
    parser.add_argument("--out", type=Path, default=TARGET, help="where the figures go")
    arguments = parser.parse_args()
    if arguments.table:
        print(printed_table(arguments.out))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        scales = {scale: at_scale(scale, work, arguments.runs) for scale in SCALES}
    settings = {"worker_processes": 1, "runs": arguments.runs, "optimiser_steps": STEPS, "arms": 2}
    figures = {"machine": machine(), "versions": versions(), "settings": settings, **summary(scales)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(printed_table(arguments.out))


if __name__ == "__main__":
    main()
