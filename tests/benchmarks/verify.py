"""How fast text is read and executed: ``python -m tests.benchmarks.verify`` writes metrics/bench/verify.json.

One core, processor time. Every query has a text of its own, is parsed, and its claims are checked against the 20 anchors of
its scene by the stage's own check. The uniqueness check alone is compared with a plain Python loop over the anchors.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import platform
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.claims import Claim, Scene, are_exact, select
from stages.core.params import VerifyParams, load_params
from stages.core.records import Query, Writer
from stages.knowledge.words import thresholds
from stages.verify.checks.claims import check_claims
from stages.verify.context import Context
from stages.verify.parser import parse
from tests.benchmarks.anchor import machine
from tests.benchmarks.plain_claims import selects
from tests.generate.scenes import Blob, make_anchor, make_sample

N_QUERIES, PER_SCENE, N_ANCHORS = 100_000, 100, 20
MOST_SECONDS = 60
LEAST_TIMES_FASTER = 20
LABELS = ("liver lesion", "liver lesion", "liver lesion", "liver", "spleen", "left kidney", "right kidney", "aorta", "stomach", "vertebra")
WRITER = Writer("benchmark", "none", "0", "0", 0)


def contexts(count: int, seed: int = 0) -> list[Context]:
    """So many fabricated CT slices of ``N_ANCHORS`` objects each."""
    params, rng = load_params().verify, random.Random(seed)
    return [_context(number, params, rng) for number in range(count)]


def _context(number: int, params: VerifyParams, rng: random.Random) -> Context:
    sample = make_sample(f"made/c{number}/v0", annotated_labels=sorted(set(LABELS)))
    blobs = [
        Blob(LABELS[k % len(LABELS)], rng.uniform(10, 190), rng.uniform(10, 190), rng.uniform(3, 25), mean=rng.uniform(20, 230), contrast=rng.uniform(-60, 60))
        for k in range(N_ANCHORS)
    ]
    return Context(sample, [make_anchor(blob, k, sample, blobs) for k, blob in enumerate(blobs)], params)


def texts(count: int) -> list[str]:
    """So many different texts of two to five claims, drawn in one seeded order from all combinations of their parts."""
    parts = (
        ("", "Where is ", "Please find ", "Locate ", "There is ", "Show me ", "Can you see "),
        ("the ", "the largest ", "the second largest ", "the leftmost ", "the smallest ", "the lowest ", "all ", "the two biggest "),
        ("", "hypodense ", "hyperdense ", "round ", "elongated ", "irregular "),
        ("liver lesion", "lesion", "hepatic mass", "kidney", "focal hepatic lesion", "lesions"),
        ("", " in the liver", " to the left of the spleen", " above the aorta", " touching the stomach", " nearest to the left kidney", " not touching the liver"),
        ("", " on the left side of the image", " in the upper half of the image", " in the lower right corner",
         " on the patient's right", " between the aorta and the spleen"),
        ("", ", about 12 mm across", ", larger than 2 cm", " measuring 31 mm"),
    )  # fmt: skip
    every = ["".join(choice) for choice in itertools.product(*parts)]
    return random.Random(1).sample(every, count)


def whole(n_queries: int = N_QUERIES) -> dict[str, float]:
    """Seconds of processor time to parse and check ``n_queries`` different texts."""
    scenes, said = contexts(n_queries // PER_SCENE), texts(n_queries)
    parse("warm up", "CT")
    begun = time.process_time()
    for text in said:
        parse(text, "CT", "patient_right")
    parsing = time.process_time() - begun
    outcomes: dict[str, int] = {}
    begun = time.process_time()
    for number, text in enumerate(said):
        context = scenes[number // PER_SCENE]
        target = context.anchors[number % 3].anchor_id
        query = Query(f"{target}~{number}", context.sample.sample_id, [target], text, "liver lesion", "single", None, "phrase", WRITER)
        reason = check_claims(query, context).reason
        outcomes[reason] = outcomes.get(reason, 0) + 1
    seconds = time.process_time() - begun
    return {
        "queries": n_queries, "distinct_texts": len(set(said)), "anchors_per_scene": N_ANCHORS, "seconds": round(seconds, 2),
        "of_it_parsing_seconds": round(parsing, 2), "microseconds_per_text_parsed": round(1e6 * parsing / n_queries, 1),
        **{f"share_{reason}": round(count / n_queries, 4) for reason, count in sorted(outcomes.items())},
    }  # fmt: skip


def conjunctions(count: int) -> list[list[Claim]]:
    """So many conjunctions of three or four claims that the plain loop knows too."""
    rng = random.Random(2)
    filters = [
        *(Claim("image_side", side) for side in ("left", "right")), *(Claim("vertical", value) for value in ("upper", "lower")),
        *(Claim("appearance", value) for value in ("bright", "dark")),
        *(Claim("relation", value, other) for value in ("left_of", "above") for other in ("spleen", "aorta", "left kidney|right kidney")),
    ]  # fmt: skip
    ranks = [Claim("rank", value) for value in ("size:1", "size:2", "size:-1", "x:1", "y:-1", "x:-2")]
    return [[Claim("label", "liver lesion"), *rng.sample(filters, rng.randint(1, 2)), rng.choice(ranks)] for _ in range(count)]


def uniqueness() -> dict[str, float]:
    """The uniqueness check of the queries of one scene: arrays for all at once, one by one, and the plain loop."""
    t, context, asked = thresholds(), contexts(1)[0], conjunctions(PER_SCENE)
    targets = np.zeros((PER_SCENE, N_ANCHORS), bool)
    targets[np.arange(PER_SCENE), np.arange(PER_SCENE) % 3] = True
    scene = context.scene
    contenders: dict[str, Callable[[], Any]] = {
        "batch": lambda: are_exact(asked, targets, scene, t),
        "first batch of a scene": lambda: are_exact(asked, targets, fresh(scene), t),
        "one by one": lambda: [select(claims, scene, t) for claims in asked],
        "plain": lambda: [selects(claims, scene, t) for claims in asked],
    }
    seconds = {name: _least(function, 20 if name == "plain" else 100) for name, function in contenders.items()}
    return {
        "queries": PER_SCENE, "anchors": N_ANCHORS, "microseconds_per_query": round(1e6 * seconds["batch"] / PER_SCENE, 2),
        "times_faster_than_plain_python_loop": round(seconds["plain"] / seconds["batch"], 1),
        "times_faster_than_plain_python_loop_first_batch_of_a_scene": round(seconds["plain"] / seconds["first batch of a scene"], 1),
        "times_faster_than_plain_python_loop_one_query_at_a_time": round(seconds["plain"] / seconds["one by one"], 1),
    }  # fmt: skip


def fresh(scene: Scene) -> Scene:
    """The same scene with nothing computed yet."""
    return dataclasses.replace(scene)


def _least(function: Callable[[], Any], rounds: int) -> float:
    """Least processor time of several calls in seconds: what the machine needs when nobody else has it."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        function()
        times.append(time.process_time() - begun)
    return min(times)


def agree(asked: Sequence[Sequence[Claim]], scene: Scene) -> bool:
    """Whether arrays and the plain loop select the same."""
    t = thresholds()
    return all((set(one.certain), set(one.possible)) == selects(claims, scene, t) for claims in asked for one in [select(claims, scene, t)])


def main() -> None:
    """Measure and write metrics/bench/verify.json."""
    from importlib.metadata import version

    versions = {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "spacy")}}
    figures = {"machine": machine(), "versions": versions, "claims_of_queries": whole(), "uniqueness": uniqueness()}
    path = Path("metrics/bench/verify.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
