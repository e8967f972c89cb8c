"""Which samples the page shows, and what it says about each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from stages.core.records import Example, Query
from stages.core.stage import seed_for
from stages.report.statistics import stops
from stages.report.tables import CONTENDERS, World

T = TypeVar("T")
SHOWN = "tuned"
TEXT_SHOWN = 160


@dataclass(frozen=True)
class Card:
    """One sample on the page. Boxes are ``box_xyxy_px`` of the stored image; ``notes`` are (head, text) lines."""

    sample_id: str
    modality: str
    dataset: str
    outcome: str
    text: str
    where: str
    left_mark: str | None
    right_mark: str | None
    targets: list[list[float]]
    predicted: list[list[float]]
    claims: list[str]
    notes: list[tuple[str, str]]


@dataclass(frozen=True)
class Gallery:
    """A titled set of cards out of ``total``."""

    key: str
    title: str
    about: str
    total: int
    cards: list[Card]


def spread(items: Iterable[T], group: Callable[[T], Any], order: Callable[[T], Any], limit: int) -> list[T]:
    """Up to ``limit`` items, taken in turn from every group, within a group by ``order``: no large group hides a small one."""
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    queues = [sorted(groups[key], key=order) for key in sorted(groups)]
    depth = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(depth) for queue in queues if turn < len(queue)][:limit]


def query_galleries(world: World, seed: int, limit: int) -> list[Gallery]:
    """Accepted, rejected, undecided and no-target queries; random ones, the same for the same seed."""
    verdicts = _stops(world.verdicts)
    dataset_of = world.samples["dataset"].to_dict()

    def chance(query: Query) -> int:
        return seed_for(seed, "report", query.query_id)

    def by_dataset(query: Query) -> str:
        return dataset_of[query.sample_id]

    def by_reason(query: Query) -> tuple[str, str]:
        return verdicts.get(query.query_id, [("", "", "")])[0][1], dataset_of[query.sample_id]

    accepted = [query for query in world.queries["accepted"] if query.kind != "none"]
    nothing = [query for query in world.queries["accepted"] if query.kind == "none"]
    plan = [
        ("accepted", "Accepted", "Random accepted queries, every dataset in turn.", accepted, by_dataset),
        ("rejected", "Rejected", "Random rejected queries, every reason and dataset in turn.", world.queries["rejected"], by_reason),
        ("undecided", "Undecided", "Too close to call: kept apart, in no split.", world.queries["undecided"], by_reason),
        ("no-target", "Nothing to find", "Accepted queries for something that is provably not in the picture.", nothing, by_dataset),
    ]
    galleries = []
    for key, title, about, queries, group in plan:
        chosen = spread(queries, group, chance, limit)
        outcome = "accepted" if key == "no-target" else key
        cards = [_query_card(world, query, outcome, verdicts.get(query.query_id, [])) for query in chosen]
        galleries.append(Gallery(key, title, about, len(queries), cards))
    return galleries


def _stops(verdicts: pd.DataFrame) -> dict[str, list[tuple[str, str, str]]]:
    """(check, reason, evidence) of every verdict that did not pass, per query, the deciding one first."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in stops(verdicts).itertuples(index=False):
        found.setdefault(row.query_id, []).append((row.check, row.reason, row.evidence))
    return found


def _query_card(world: World, query: Query, outcome: str, against: Sequence[tuple[str, str, str]]) -> Card:
    known = [anchor_id for anchor_id in query.anchor_ids if anchor_id in world.anchors.index]
    notes = [(f"{check}: {reason.replace('_', ' ')}", evidence) for check, reason, evidence in against]
    if len(known) < len(query.anchor_ids):
        notes.append(("not drawn", "a target id that no anchor has"))
    return Card(
        **_frame_of(world.samples.loc[query.sample_id]),
        outcome=outcome,
        text=query.text,
        targets=[[float(value) for value in world.anchors.at[anchor_id, "box_xyxy_px"]] for anchor_id in known],
        predicted=[],
        claims=[readable_claim(claim) for claim in query.claims or []],
        notes=notes,
    )


def _frame_of(sample: pd.Series) -> dict[str, Any]:
    """What a card says of its sample: identity, place, and which side of the patient lies at each edge."""
    parts = [sample["modality"], sample["body_part"], sample["plane"]]
    if sample["slice_index"] is not None and sample["slice_index"] == sample["slice_index"]:
        parts.append(f"slice {int(sample['slice_index'])}")
    marks = {"patient_right": ("R", "L"), "patient_left": ("L", "R")}.get(sample["image_left_is"], (None, None))
    return {
        "sample_id": sample["sample_id"],
        "modality": sample["modality"],
        "dataset": sample["dataset"],
        "where": ", ".join(str(part) for part in parts if isinstance(part, str) and part),
        "left_mark": marks[0],
        "right_mark": marks[1],
    }


def readable_claim(text: str) -> str:
    """A claim's JSON as a few words; other text stays as it is."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        return text
    if not isinstance(fields, dict) or "kind" not in fields:
        return text
    words = [fields["kind"], "=", str(fields.get("value", ""))]
    if fields.get("other") is not None:
        words.append(str(fields["other"]))
    if fields.get("number") is not None and f"{fields['number']:g}" != words[2]:
        words.append(f"{fields['number']:g}")
    return " ".join(words).replace("_", " ")


def prediction_galleries(world: World, seed: int, limit: int) -> list[Gallery]:
    """Best and worst answers of the tuned contender, every dataset in turn."""
    test = [example for example in world.examples if example.example_id in world.scores[SHOWN]]
    scores = world.scores[SHOWN]

    def chance(example: Example) -> int:
        return seed_for(seed, "report", example.example_id)

    right = [example for example in test if scores[example.example_id].hit_at_50 and example.boxes_xyxy_px]
    wrong = [example for example in test if not scores[example.example_id].hit_at_50]
    best = spread(right, lambda e: e.dataset, lambda e: (-scores[e.example_id].iou, chance(e)), limit)
    worst = spread(wrong, lambda e: e.dataset, lambda e: (scores[e.example_id].iou, chance(e)), limit)
    typical = spread(test, lambda e: e.dataset, chance, limit)
    plan = [
        ("typical", "Random answers", "Random test examples: neither the best nor the worst.", typical, len(test)),
        ("best", "Best answers", "Highest IoU among the right ones, every dataset in turn.", best, len(right)),
        ("worst", "Worst answers", "Lowest IoU among the wrong ones, every dataset in turn.", worst, len(wrong)),
    ]
    return [
        Gallery(key, f"{title} of {SHOWN}", about, total, [_answer_card(world, example) for example in chosen])
        for key, title, about, chosen, total in plan
    ]


def _answer_card(world: World, example: Example) -> Card:
    score, answer = world.scores[SHOWN][example.example_id], world.predictions[SHOWN][example.example_id]
    outcome = "parse failure" if score.parse_failed else "hit" if score.hit_at_50 else "miss"
    rows = [(name, world.scores[name][example.example_id]) for name in CONTENDERS]
    compared = ", ".join(f"{name} {row.iou:.2f}{' (parse failure)' if row.parse_failed else ''}" for name, row in rows)
    said = f"{score.outcome}; boxes: {len(answer.boxes_xyxy_px)}, targets: {score.n_targets}"
    if score.parse_failed:
        said += f"; text: {answer.text[:TEXT_SHOWN] or '(empty)'}"
    drawn = [box for box in answer.boxes_xyxy_px if len(box) == 4 and all(math.isfinite(value) for value in box)]
    return Card(
        **_frame_of(world.samples.loc[example.sample_id]),
        outcome=outcome,
        text=example.text,
        targets=example.boxes_xyxy_px,
        predicted=drawn,
        claims=[kind.replace("_", " ") for kind in example.claim_kinds],
        notes=[("answer", said), ("IoU", compared)],
    )
