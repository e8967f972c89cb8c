"""How fast the nano base answers: ``python -m tests.benchmarks.predict`` writes metrics/bench/predict.json.

The same questions in batches and one by one, with the same model and decoding; and in batches with and without the grammar.
Contenders take turns. On a CPU processor time counts, so that load on the machine favours nobody; on a GPU wall time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.params import PredictParams, load_params
from stages.predict.asks import Ask
from stages.predict.contenders import device_and_precision, load_pointer
from tests.benchmarks.anchor import machine

TURNS = 3
QUESTIONS, ALONE = 96, 12
SIDE = 171
WORDS = ("the liver", "Where is the largest nucleus in the upper left of the image?", "the kidney on the right side of the patient, beside the liver")


def questions(count: int) -> list[Ask]:
    """Referring expressions of three lengths about pictures of one size."""
    return [Ask(f"q{number:03d}", "p", WORDS[number % len(WORDS)], SIDE, SIDE) for number in range(count)]


def seconds_per_example(pointer: Any, asks: list[Ask], batch_size: int, clock: Any) -> float:
    """Time of a whole pass, divided by its examples."""
    from PIL import Image

    from stages.predict.answering import answer_all

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8))
    begun = clock()
    answered = sum(1 for _ in answer_all(pointer, asks, lambda _: picture, batch_size, 10**9))
    return (clock() - begun) / answered


def measure(params: PredictParams, base: str) -> dict[str, Any]:
    """Medians over the turns."""
    from stages.vlm.card import load_base

    card = load_base(base)
    held = {flag: load_pointer(card, None, dataclasses.replace(params, constrained=flag)) for flag in (True, False)}
    device, precision = device_and_precision()
    clock = time.process_time if device == "cpu" else time.perf_counter
    runs = {"batched": (True, QUESTIONS, params.batch_size), "batched_raw": (False, QUESTIONS, params.batch_size), "one_by_one": (True, ALONE, 1)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    seconds_per_example(held[True], questions(4), 4, clock)
    for _ in range(TURNS):
        for name, (flag, count, batch_size) in runs.items():
            times[name].append(seconds_per_example(held[flag], questions(count), batch_size, clock))
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "device": device,
        "precision": precision,
        "batch_size": params.batch_size,
        **{f"examples_per_s_{name}": round(1 / value, 1) for name, value in median.items()},
        "times_faster_than_one_by_one": round(median["one_by_one"] / median["batched"], 2),
        "time_of_constrained_over_raw": round(median["batched"] / median["batched_raw"], 3),
    }


def main() -> None:
    """Measure and write metrics/bench/predict.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.predict", description=__doc__)
    parser.add_argument("--base", default="models/nano", help="card of the base (default: models/nano)")
    figures = {"machine": machine(), **measure(load_params().predict, parser.parse_args().base)}
    path = Path("metrics/bench/predict.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
