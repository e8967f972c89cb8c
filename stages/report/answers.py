"""Galleries of answers of one contender (the subject), compared with another (the reference)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.params import ReportParams
from stages.core.records import Example, Score
from stages.core.stage import seed_for
from stages.report.cards import Card, Gallery, drawable, frame_of, spread
from stages.report.tables import World

TEXT_SHOWN = 160


@dataclass(frozen=True)
class Rivals:
    """Whose answers are drawn, and whose beside them (None in a run of one contender)."""

    subject: str
    reference: str | None


def rivals(models: Sequence[str], settings: ReportParams) -> Rivals:
    """``report.subject`` and ``report.reference`` where this run has them, else the last model that is not the base and the first other one."""
    subject = settings.subject if settings.subject in models else models[-1]
    others = [name for name in models if name != subject]
    reference = settings.reference if settings.reference in others else next(iter(others), None)
    return Rivals(subject, reference)


def answer_galleries(world: World, who: Rivals, seed: int, limit: int) -> list[Gallery]:
    """Random, best and worst answers of the subject, those where the reference differs, and those about nothing; every dataset in turn."""
    scores = world.scores[who.subject]
    test = [example for example in world.examples if example.example_id in scores]

    def chance(example: Example) -> int:
        return seed_for(seed, "report", example.example_id)

    def iou(example: Example) -> float:
        return scores[example.example_id].iou

    def right(example: Example, name: str) -> bool:
        return world.scores[name][example.example_id].hit_at_50

    found = [example for example in test if right(example, who.subject) and example.boxes_xyxy_px]
    wrong = [example for example in test if not right(example, who.subject)]
    nothing = [example for example in test if not example.boxes_xyxy_px]
    by_chance = {"order": chance, "limit": limit}
    plan = [
        ("typical", f"Random answers of {who.subject}", "Neither the best nor the worst.", test, by_chance),
        ("best", f"Best answers of {who.subject}", "Highest IoU among the right ones.", found, {"order": lambda e: (-iou(e), chance(e)), "limit": limit}),
        ("worst", f"Worst answers of {who.subject}", "Lowest IoU among the wrong ones.", wrong, {"order": lambda e: (iou(e), chance(e)), "limit": limit}),
        ("asked-nothing", f"Nothing to find, asked of {who.subject}", "Right is an answer without a box.", nothing, by_chance),
    ]
    if who.reference:
        ref = who.reference
        gained = [example for example in found if not right(example, ref)]
        lost = [example for example in wrong if right(example, ref)]
        plan += [
            ("gained", f"Changed: {who.subject} right, {ref} wrong", "Random ones of the answers that were gained.", gained, by_chance),
            ("lost", f"Changed: {who.subject} wrong, {ref} right", "Random ones of the answers that were lost.", lost, by_chance),
        ]
    return [
        Gallery(key, heading, about, len(listed), [_card(world, who, example, key) for example in spread(listed, lambda e: e.dataset, **how)])
        for key, heading, about, listed, how in plan
    ]


def outcome_of(score: Score) -> str:
    """In one word what became of an answer."""
    if score.parse_failed:
        return "parse failure"
    if score.hit_at_50:
        return "hit"
    if score.n_targets == 0:
        return "hallucinated"
    return "wrong object" if score.wrong_object else "miss"


def _card(world: World, who: Rivals, example: Example, gallery: str) -> Card:
    score, answer = world.scores[who.subject][example.example_id], world.predictions[who.subject].get(example.example_id)
    compared = ", ".join(f"{name} {_figure(own[example.example_id])}" for name, own in world.scores.items())
    said = f"{score.outcome.replace('_', ' ')}; boxes: {len(answer.boxes_xyxy_px) if answer else 0}, targets: {score.n_targets}"
    if score.confidence is not None:
        said += f"; confidence {score.confidence:.2f}"
    if score.parse_failed and answer:
        said += f"; text: {answer.text[:TEXT_SHOWN] or '(empty)'}"
    changed = gallery in ("gained", "lost") and who.reference
    other = world.predictions[changed].get(example.example_id) if changed else None
    return Card(
        **frame_of(world.samples.loc[example.sample_id]),
        outcome=outcome_of(score),
        text=example.text,
        targets=drawable(example.boxes_xyxy_px),
        predicted=drawable(answer.boxes_xyxy_px) if answer else [],
        other=drawable(other.boxes_xyxy_px) if other else [],
        claims=[kind.replace("_", " ") for kind in example.claim_kinds],
        notes=[(f"answer of {who.subject}", said), ("IoU", compared)],
    )


def _figure(score: Score) -> str:
    return f"{score.iou:.2f}{' (parse failure)' if score.parse_failed else ''}"
