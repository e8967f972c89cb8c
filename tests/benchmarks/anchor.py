"""How fast anchors are measured, against peers: ``python -m tests.benchmarks.anchor`` writes metrics/bench/anchor.json.

One core, everything in memory; the contenders take turns, so that whatever else the machine does falls on all of them.
Processor time, because a long call loses more of its wall time to others than a short one. A ratio is that of two medians.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RING_PX = 6
SIDE = 512
# number of objects: share of the map that they cover
CASES = {1: 0.09, 5: 0.22, 20: 0.22, 100: 0.10}
LEAST_TIMES_FASTER = {20: 25, 100: 50}
MOST_TIMES_THE_SUM = 5


def interleaved(contenders: dict[str, Callable[[], Any]], turns: dict[str, int]) -> dict[str, float]:
    """Median seconds of processor time a call of each contender, one call in each of its turns; the short ones get more turns."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for function in contenders.values():
        function()
    for turn in range(max(turns.values())):
        for name, function in contenders.items():
            if turn % (max(turns.values()) // turns[name]) == 0:
                begun = time.process_time()
                function()
                times[name].append(time.process_time() - begun)
    return {name: statistics.median(values) for name, values in times.items()}


def case(count: int) -> dict[str, float]:
    """Times and ratios on a map of ``SIDE`` with ``count`` objects."""
    from stages.anchor.measure import measure_labels
    from tests.benchmarks.peers import regionprops_all, regionprops_own, simpleitk_own
    from tests.benchmarks.scenes import scene

    labels, grey = scene(SIDE, count, CASES[count])
    contenders = {
        "ours": lambda: measure_labels(labels, grey, RING_PX),
        "sum": lambda: (labels.sum(), grey.sum()),
        "regionprops_all": lambda: regionprops_all(labels, grey, RING_PX),
        "regionprops_own": lambda: regionprops_own(labels, grey),
        "simpleitk_own": lambda: simpleitk_own(labels, grey),
    }
    seconds = interleaved(contenders, {"ours": 400, "sum": 400, "regionprops_all": 5, "regionprops_own": 5, "simpleitk_own": 20})
    return {
        "ms": round(1000 * seconds["ours"], 3),
        "times_faster_than_skimage_regionprops_table_same_attributes": round(seconds["regionprops_all"] / seconds["ours"], 1),
        "times_faster_than_skimage_regionprops_table_its_own_attributes": round(seconds["regionprops_own"] / seconds["ours"], 1),
        "times_faster_than_simpleitk_label_statistics_its_own_attributes": round(seconds["simpleitk_own"] / seconds["ours"], 1),
        "times_the_numpy_sum_of_map_and_image": round(seconds["ours"] / seconds["sum"], 2),
    }


def growth() -> dict[str, float]:
    """How the time grows: with pixels and objects together, beside the sum of map and image; and with objects alone.

    Maps of 1024 and 2048 lie outside the processor's second cache, that of 512 inside: reading a pixel costs more there,
    for the sum as well.
    """
    import numpy as np

    from stages.anchor.measure import measure_labels
    from tests.benchmarks.scenes import scene

    maps = {f"{side}": scene(side, side * side // 4096, 0.1) for side in (512, 1024, 2048)}
    grey = maps["512"][1]
    for across in (8, 64):
        dots = np.zeros((512, 512), np.int32)
        dots[:: 512 // across, :: 512 // across] = np.arange(1, across * across + 1).reshape(across, across)
        maps[f"{across * across} dots"] = (dots, grey)
    contenders: dict[str, Callable[[], Any]] = {}
    for name, (labels, picture) in maps.items():
        contenders[name] = lambda labels=labels, picture=picture: measure_labels(labels, picture, RING_PX)
        contenders[f"sum {name}"] = lambda labels=labels, picture=picture: (labels.sum(), picture.sum())
    seconds = interleaved(contenders, dict.fromkeys(contenders, 40))
    return {
        "time_over_4_times_the_time_at_4_times_pixels_and_objects": round(seconds["2048"] / seconds["1024"] / 4, 2),
        "time_over_16_times_the_time_at_16_times_pixels_and_objects": round(seconds["2048"] / seconds["512"] / 16, 2),
        "the_same_for_the_numpy_sum_of_map_and_image": round(seconds["sum 2048"] / seconds["sum 512"] / 16, 2),
        "time_over_64_times_the_time_at_64_times_the_objects": round(seconds["4096 dots"] / seconds["64 dots"] / 64, 2),
    }


def machine() -> dict[str, Any]:
    """What was measured on; no name of a host."""
    cpu = next((line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), platform.processor())
    return {"cpu": cpu, "cores": os.cpu_count(), "threads_used": 1, "system": f"{platform.system()} {platform.machine()}"}


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def versions() -> dict[str, str]:
    """Versions of Python and of everything that took part."""
    from importlib.metadata import version

    names = ("numba", "numpy", "opencv-python-headless", "scikit-image", "scipy", "SimpleITK")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def main() -> None:
    """Measure and write metrics/bench/anchor.json."""
    import SimpleITK as sitk
    from tqdm import tqdm

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    cases = {f"objects_{count}": case(count) for count in tqdm(CASES, desc="anchor benchmark", unit="case")}
    figures = {"machine": machine(), "versions": versions(), f"map_{SIDE}": cases, "growth": growth()}
    path = Path("metrics/bench/anchor.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
