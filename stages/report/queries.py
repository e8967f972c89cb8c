"""Galleries of queries: accepted, rejected, undecided, about nothing; and faults that were planted to try the verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stages.core.records import Query
from stages.core.stage import seed_for
from stages.report.cards import Card, Gallery, drawable, frame_of, of_every, readable_claim, readable_evidence, spread
from stages.report.statistics import stops
from stages.report.tables import World

Stop = tuple[str, str, str]


def query_galleries(world: World, seed: int, limit: int) -> list[Gallery]:
    """Random queries of every fate, the same for the same seed; of the rejected and undecided ones every reason."""
    verdicts = _stops(world.verdicts)
    dataset_of = world.samples["dataset"].to_dict()

    def chance(query: Query) -> int:
        return seed_for(seed, "report", query.query_id)

    def dataset(query: Query) -> str:
        return dataset_of[query.sample_id]

    def reason(query: Query) -> str:
        return verdicts.get(query.query_id, [("", "", "")])[0][1]

    def shown(key: str, title: str, about: str, queries: Sequence[Query], chosen: Sequence[Query]) -> Gallery:
        outcome = "accepted" if key == "no-target" else key
        return Gallery(key, title, about, len(queries), [_query_card(world, query, outcome, verdicts.get(query.query_id, [])) for query in chosen])

    accepted = [query for query in world.queries["accepted"] if query.kind != "none"]
    nothing = [query for query in world.queries["accepted"] if query.kind == "none"]
    rejected, undecided = world.queries["rejected"], world.queries["undecided"]
    return [
        shown("accepted", "Accepted", "Random accepted queries, every dataset in turn.", accepted, spread(accepted, dataset, chance, limit)),
        shown("rejected", "Rejected", "Every reason, then every dataset in turn.", rejected, of_every(rejected, reason, dataset, chance, limit)),
        shown(
            "undecided", "Undecided", "Too close to call: kept apart, in no split.", undecided, of_every(undecided, reason, dataset, chance, limit)
        ),
        shown(
            "no-target", "Nothing to find", "Accepted queries for something that is provably not in the picture.", nothing,
            spread(nothing, dataset, chance, limit),
        ),
    ]  # fmt: skip


def _stops(verdicts: pd.DataFrame) -> dict[str, list[Stop]]:
    """(check, reason, evidence) of every verdict that did not pass, per query, the deciding one first."""
    found: dict[str, list[Stop]] = {}
    for row in stops(verdicts).itertuples(index=False):
        found.setdefault(row.query_id, []).append((row.check, row.reason, row.evidence))
    return found


def _query_card(world: World, query: Query, outcome: str, against: Sequence[Stop]) -> Card:
    known = [anchor_id for anchor_id in query.anchor_ids if anchor_id in world.anchors.index]
    notes = [(f"{check}: {reason.replace('_', ' ')}", readable_evidence(evidence)) for check, reason, evidence in against]
    if len(known) < len(query.anchor_ids):
        notes.append(("not drawn", "a target id that no anchor has"))
    return Card(
        **frame_of(world.samples.loc[query.sample_id]),
        outcome=outcome,
        text=query.text,
        targets=drawable(world.anchors.at[anchor_id, "box_xyxy_px"] for anchor_id in known),
        claims=[readable_claim(claim) for claim in query.claims or []],
        notes=notes,
    )


def trial_galleries(world: World, seed: int, limit: int) -> list[Gallery]:
    """Planted faults: what was caught, an example of every reason, and what was missed, an example of every fault."""
    caught = _listed(world.trials[world.trials["fate"] != "accepted"])
    missed = _listed(world.trials[world.trials["fate"] == "accepted"])

    def chance(trial: dict[str, Any]) -> int:
        return seed_for(seed, "report", trial["trial_id"])

    plan = [
        ("caught", "Planted faults that were caught", "An example of every reason of the verification, then every fault in turn.", caught, "reason"),
        ("missed", "Planted faults that were missed", "An example of every fault that was accepted.", missed, "fault"),
    ]
    galleries = []
    for key, title, about, trials, kind in plan:
        chosen = of_every(trials, lambda trial, kind=kind: trial[kind], lambda trial: (trial["fault"], trial["dataset"]), chance, limit)
        galleries.append(Gallery(key, title, about, len(trials), [_trial_card(world, trial, key) for trial in chosen]))
    return galleries


def _listed(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dict("records")


def _trial_card(world: World, trial: dict[str, Any], outcome: str) -> Card:
    laid = {entry["anchor_id"]: entry["box_xyxy_px"] for entry in trial["laid"]}
    ids = [anchor_id for anchor_id in trial["target_ids"] if anchor_id in laid or anchor_id in world.anchors.index]
    said = "accepted" if trial["fate"] == "accepted" else f"{trial['check']}: {trial['reason'].replace('_', ' ')}"
    frame = frame_of(world.samples.loc[trial["sample_id"]])
    if isinstance(trial["patch"], dict):
        frame["picture"] = trial["trial_id"]
    return Card(
        **frame,
        outcome=f"fault {outcome}",
        text=trial["text"],
        targets=drawable(laid.get(anchor_id, world.anchors["box_xyxy_px"].get(anchor_id)) for anchor_id in ids),
        notes=[("planted", f"{trial['fault'].replace('_', ' ')} ({trial['group']})"), (said, readable_evidence(trial["evidence"]))],
    )
