"""The claim language as a plain Python loop over anchors: what arrays are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.claims import DIRECTIONS, FALSE, TRUE, Claim, Scene, Thresholds, rank_range
from stages.core.records import Anchor


def selects(claims: Sequence[Claim], scene: Scene, t: Thresholds) -> tuple[set[str], set[str]]:
    """(certain, possible) anchor ids of a conjunction of label, side, vertical, appearance, direction and rank claims."""
    certain, possible = [], []
    for anchor in scene.anchors:
        score = min((_margin(claim, anchor, scene, t) for claim in claims if claim.kind != "rank"), default=float("inf"))
        if score >= TRUE:
            certain.append(anchor)
        if score > FALSE:
            possible.append(anchor)
    for claim in claims:
        if claim.kind == "rank":
            sure_low, may_low = _ranked(claim, certain, scene, t)
            sure_high, may_high = _ranked(claim, possible, scene, t)
            certain = [anchor for anchor in possible if anchor.anchor_id in sure_low & sure_high]
            possible = [anchor for anchor in possible if anchor.anchor_id in may_low | may_high]
    return {anchor.anchor_id for anchor in certain}, {anchor.anchor_id for anchor in possible}


def _margin(claim: Claim, anchor: Anchor, scene: Scene, t: Thresholds) -> float:
    x, y = anchor.centroid_xy_px
    if claim.kind == "label":
        return float("inf") if anchor.label in claim.value.split("|") else -float("inf")
    if claim.kind == "image_side":
        score = (0.5 - x / scene.width) / t.side_margin
        return score if claim.value == "left" else -score
    if claim.kind == "vertical":
        score = (0.5 - y / scene.height) / t.vertical_margin
        return score if claim.value == "upper" else -score
    if claim.kind == "appearance":
        contrast = anchor.appearance.contrast
        if contrast is None:
            return 0.0
        return ((contrast if claim.value == "bright" else -contrast) - t.contrast_grey) / t.contrast_margin_grey
    if claim.kind == "relation":
        return _direction(claim, anchor, scene, t)
    raise ValueError(f"the plain loop has no claims of kind {claim.kind!r}")


def _direction(claim: Claim, anchor: Anchor, scene: Scene, t: Thresholds) -> float:
    names = (claim.other or "").split("|")
    sign_x, sign_y = DIRECTIONS[claim.value]
    scores = []
    for other in scene.anchors:
        if other is anchor or other.label not in names:
            continue
        dx, dy = other.centroid_xy_px[0] - anchor.centroid_xy_px[0], other.centroid_xy_px[1] - anchor.centroid_xy_px[1]
        along, across = (dx * sign_x, abs(dy)) if sign_x else (dy * sign_y, abs(dx))
        far = (along / (scene.width if sign_x else scene.height) - t.direction) / t.direction_margin
        scores.append(min(far, (along / max(across, 1e-9) - t.direction_slope) / t.direction_slope_margin))
    if not scores:
        return -float("inf")
    if min(scores) >= TRUE or max(scores) <= FALSE:
        return min(scores) if min(scores) >= TRUE else max(scores)
    return 0.0


def _ranked(claim: Claim, candidates: Sequence[Anchor], scene: Scene, t: Thresholds) -> tuple[set[str], set[str]]:
    n = len(candidates)
    first, last = rank_range(claim.value, n)
    if n == 0 or first < 1 or last > n:
        return set(), set()
    certain, possible = set(), set()
    for anchor in candidates:
        best = 1 + sum(_before(claim, other, anchor, scene, t) for other in candidates)
        worst = n - sum(_before(claim, anchor, other, scene, t) for other in candidates)
        if best >= first and worst <= last:
            certain.add(anchor.anchor_id)
        if best <= last and worst >= first:
            possible.add(anchor.anchor_id)
    return certain, possible


def _before(claim: Claim, a: Anchor, b: Anchor, scene: Scene, t: Thresholds) -> bool:
    attribute = claim.value.split(":")[0]
    if attribute == "size":
        return a.area_px >= t.rank_size_ratio * b.area_px
    axis, extent = (0, scene.width) if attribute == "x" else (1, scene.height)
    return a.centroid_xy_px[axis] / extent <= b.centroid_xy_px[axis] / extent - t.rank_position
