"""Speed of fine-tuning against TRL's SFTTrainer, and of prediction against one by one, at the size of real models.

``python -m tests.benchmarks.throughput --size 3b --device cuda`` writes metrics/bench/throughput.json. Random weights of
published shapes, the same examples, batch, precision, attention, low-rank layers, checkpointing and loader workers on both
sides; contenders take turns, medians over the turns; a first turn of each warms up and is not counted. Peak memory is
that of torch's allocator on a GPU. Needs torch, transformers, peft, xgrammar and pyarrow, neither dvc nor mlflow; where
trl is not installed the rows say so.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.shapes import PUBLISHED_BILLIONS, SHAPES, SIZES, make_corpus, random_model, shape
from tests.benchmarks.timing import Setting, one_by_one, predict_batched, release, train_ours, train_trl, trl_collation

OUT = Path("metrics/bench/throughput.json")
GOALS = {"training": 1.3, "prediction": 8.0}


@dataclass(frozen=True)
class Load:
    """How much work a turn is. ``steps`` of ``pictures`` x ``questions`` rows are timed after one that is not."""

    pictures: int
    questions: int
    steps: int
    turns: int
    asked: int
    asked_alone: int
    batch_size: int
    workers: int


LOADS = {"3b": Load(4, 4, 16, 3, 192, 16, 64, 4), "tiny": Load(2, 4, 4, 3, 16, 4, 8, 0)}


def measure(family: str, size: str, device: str, load: Load) -> dict[str, Any]:
    """Figures of one family."""
    config, processor = shape(family, size)
    corpus = make_corpus(load.pictures * (load.steps + 1), load.questions, SIZES[size], 0)
    dtype = "bfloat16" if device == "cuda" else "float32"
    figures: dict[str, Any] = {"dtype": dtype, "training": {}}
    collation = trl_collation(family, processor, corpus)
    for checkpointing in (False, True):
        setting = Setting(family, config, processor, corpus, device, dtype, checkpointing, load.pictures, load.questions, load.steps + 1, load.workers)
        figures["training"]["checkpointing_on" if checkpointing else "checkpointing_off"] = compare_training(setting, load.turns, collation)
    figures["training"] |= {"rows_per_step": load.pictures * load.questions, "questions_per_picture": load.questions, "trl_collation": collation}
    model = random_model(config, device, dtype)
    figures["parameters_billions"] = round(sum(weight.numel() for weight in model.parameters()) / 1e9, 4)
    if size == "3b":
        figures["published_parameters_billions"] = PUBLISHED_BILLIONS[family]
    figures["prediction"] = compare_prediction(family, model, processor, corpus, load)
    del model
    release()
    return figures


def compare_training(setting: Setting, turns: int, collation: str) -> dict[str, Any]:
    """Rows a second and peak memory of either side, and how many times ours is faster."""
    runs: dict[str, Callable[[Setting], tuple[float, float | None]]] = {"ours": train_ours}
    if collation != "none":
        runs["trl"] = train_trl
    found: dict[str, list[tuple[float, float | None]]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            measured = run(setting)
            if turn > 0:
                found[name].append(measured)
    rows = {name: _row(turned) for name, turned in found.items()}
    if "trl" not in rows:
        return {**rows, "trl": "not installed: pip install -r requirements-dev.txt"}
    return {**rows, "times_faster": round(rows["ours"]["samples_per_s"] / rows["trl"]["samples_per_s"], 3)}


def _row(turned: list[tuple[float, float | None]]) -> dict[str, Any]:
    peaks = [peak for _, peak in turned if peak is not None]
    return {
        "samples_per_s": _rounded(statistics.median(speed for speed, _ in turned)),
        "samples_per_s_of_turns": [_rounded(speed) for speed, _ in turned],
        "peak_memory_gib": round(max(peaks), 2) if peaks else None,
    }


def compare_prediction(family: str, model: Any, processor: Any, corpus: Any, load: Load) -> dict[str, Any]:
    """Questions a second in batches and one by one. Random weights end no answer, so all are as long as the limit."""
    from PIL import Image

    from stages.vlm.families import FAMILIES, Item, answer_ids

    examples = corpus.examples[: load.asked]
    lengths = [len(answer_ids(FAMILIES[family], processor, Item(e.text, Image.new("RGB", (e.width, e.height)), e.boxes_xyxy_px, ""))) for e in examples]
    limit = round(statistics.mean(lengths))
    speeds: dict[str, list[float]] = {"batched": [], "one_by_one": []}
    for turn in range(load.turns + 1):
        batched = predict_batched(family, model, processor, corpus, examples, load.batch_size, limit)
        # Spread over the corpus, so that both see the same mixture of picture sizes.
        alone = one_by_one(family, model, processor, corpus, examples[:: max(1, len(examples) // load.asked_alone)][: load.asked_alone], limit)
        if turn > 0:
            speeds["batched"].append(batched)
            speeds["one_by_one"].append(alone)
    median = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        **{f"samples_per_s_{name}": _rounded(value) for name, value in median.items()},
        "samples_per_s_of_turns": {name: [_rounded(value) for value in values] for name, values in speeds.items()},
        "times_faster": round(median["batched"] / median["one_by_one"], 2),
        "batch_size": load.batch_size,
        "answer_tokens": limit,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def machine(device: str) -> dict[str, Any]:
    """What was measured on; no name of a host."""
    import torch

    from tests.benchmarks.anchor import machine as cpu

    named = {"device": torch.cuda.get_device_name() if device == "cuda" else cpu()["cpu"], "device_type": device, "cpu": cpu()}
    return {**named, "threads": torch.get_num_threads(), "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}}


PACKAGES = ("accelerate", "peft", "torch", "transformers", "trl")


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Measure the families and write the figures; prints them too."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.throughput", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="tiny", help="3b (published shapes, for a GPU) or tiny (for a CPU; the default)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--families", default=",".join(SHAPES), help=f"some of {', '.join(SHAPES)} (default: all)")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    families = arguments.families.split(",")
    unknown = sorted(set(families) - set(SHAPES))
    if unknown:
        parser.error(f"unknown family {unknown[0]!r}; known: {', '.join(SHAPES)}")
    load = LOADS[arguments.size]
    figures: dict[str, Any] = {"machine": machine(arguments.device), "size": arguments.size, "goals": GOALS, "families": {}}
    for family in families:
        figures["families"][family] = measure(family, arguments.size, arguments.device, load)
        # After each family, so that a run cut short leaves what it has.
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(arguments.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
