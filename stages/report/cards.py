"""One sample on the page, and which samples of many are shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True)
class Card:
    """One sample on the page. Boxes are ``box_xyxy_px`` of the stored image; ``notes`` are (head, text) lines.

    ``predicted`` are the boxes of the contender that the gallery is about, ``other`` those of the one that it is compared
    with. ``picture`` names the picture: the sample's id, or that of a trial which changed it.
    """

    picture: str
    sample_id: str
    modality: str
    dataset: str
    outcome: str
    text: str
    where: str
    left_mark: str | None
    right_mark: str | None
    targets: list[list[float]]
    predicted: list[list[float]] = field(default_factory=list)
    other: list[list[float]] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


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


def of_every(items: Sequence[T], kind: Callable[[T], Any], group: Callable[[T], Any], order: Callable[[T], Any], limit: int) -> list[T]:
    """At least one item of every kind (even beyond ``limit``), the rest spread over kinds and groups."""
    kinds = len({kind(item) for item in items})
    first = spread(items, kind, order, kinds)
    taken = set(map(id, first))
    rest = [item for item in items if id(item) not in taken]
    return first + spread(rest, lambda item: (kind(item), group(item)), order, max(0, limit - kinds))


def frame_of(sample: pd.Series) -> dict[str, Any]:
    """What a card says of its sample: identity, place, and which side of the patient lies at each edge."""
    parts = [sample["modality"], sample["body_part"], sample["plane"]]
    if sample["slice_index"] is not None and sample["slice_index"] == sample["slice_index"]:
        parts.append(f"slice {int(sample['slice_index'])}")
    marks = {"patient_right": ("R", "L"), "patient_left": ("L", "R")}.get(sample["image_left_is"], (None, None))
    return {
        "picture": sample["sample_id"],
        "sample_id": sample["sample_id"],
        "modality": sample["modality"],
        "dataset": sample["dataset"],
        "where": ", ".join(str(part) for part in parts if isinstance(part, str) and part),
        "left_mark": marks[0],
        "right_mark": marks[1],
    }


def drawable(boxes: Iterable[Sequence[float]]) -> list[list[float]]:
    """The boxes that can be drawn: four finite numbers each."""
    return [[float(value) for value in box] for box in boxes if len(box) == 4 and all(math.isfinite(value) for value in box)]


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


def readable_evidence(text: str) -> str:
    """What a check found, with the claims that it quotes as JSON in words."""
    return re.sub(r"\{[^{}]*\}", lambda found: readable_claim(found[0]), text)
