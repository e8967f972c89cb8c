"""Signed margin of every claim at every anchor, as arrays: at least +1 is true, at most -1 is false, between too close."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stages.core.claim import DIRECTIONS, NOT, Claim, is_relative
from stages.core.records import Relation
from stages.core.scene import Scene, Thresholds

TRUE, FALSE = 1.0, -1.0
# Directions of the body that a picture of a plane shows, as directions of the picture: slices are laid out in LPS.
BODY_DIRECTIONS = {
    "axial": {"anterior_to": "above", "posterior_to": "below"},
    "coronal": {"superior_to": "above", "inferior_to": "below"},
    "sagittal": {"superior_to": "above", "inferior_to": "below"},
}
_MOST_PAIRS = 64


def margins(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """Signed margin of every anchor, shape (n,), read-only. 0 where it cannot be known.

    ``rank``, nearest and farthest are relative to the other claims' selection (``claims.select``), ``count`` is about the
    selection as a whole: they are true of every anchor here. Computed once per scene and claim.
    """
    _, known = scene.memo.setdefault(("margins", id(t)), (t, {}))  # t is kept, so that its id stays its own
    if claim not in known:
        score = _computed(claim, scene, t)
        score.flags.writeable = False
        known[claim] = score
    return known[claim]


def _computed(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    if claim.kind == "count" or is_relative(claim) or not scene.anchors:
        return np.full(len(scene.anchors), np.inf)
    plain = Claim(claim.kind, claim.value.removeprefix(NOT), claim.other, claim.number) if claim.negated else claim
    with np.errstate(invalid="ignore", divide="ignore"):
        score = _MARGINS[claim.kind](plain, scene, t)
    score[np.isnan(score)] = 0.0
    if not claim.negated:
        return score
    return np.zeros(len(score)) if _may_be_unmarked(plain, scene) else -score


def _may_be_unmarked(claim: Claim, scene: Scene) -> bool:
    """Of a relation to something that the picture may show and the source did not mark, the contrary is not known."""
    if claim.kind != "relation":
        return False
    names = set((claim.other or "").replace("&", "|").split("|"))
    return not (names & {anchor.label for anchor in scene.anchors}) and not (names & set(scene.annotated_labels))


def _label(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    return np.where(scene.with_label(claim.value), np.inf, -np.inf)


def _half(position: np.ndarray, first_half: bool, margin: float) -> np.ndarray:
    score = (0.5 - position) / margin
    return score if first_half else -score


def _image_side(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    return _half(scene.columns["cx"] / scene.width, claim.value == "left", t.side_margin)


def _patient_side(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    if scene.image_left_is is None:
        return np.zeros(len(scene.anchors))
    at_image_left = scene.image_left_is == f"patient_{claim.value}"
    return _half(scene.columns["cx"] / scene.width, at_image_left, t.side_margin)


def _vertical(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    return _half(scene.columns["cy"] / scene.height, claim.value == "upper", t.vertical_margin)


def _cell(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    x, y = scene.columns["cx"] / scene.width, scene.columns["cy"] / scene.height
    if claim.value == "centre":
        away = np.maximum(np.abs(x - 0.5), np.abs(y - 0.5))
        return (1 / 6 - away) / t.cell_margin
    row, column = claim.value.split()
    from_edge_y = y if row == "upper" else 1 - y
    from_edge_x = x if column == "left" else 1 - x
    return (1 / 3 - np.maximum(from_edge_x, from_edge_y)) / t.cell_margin


def _shape(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    if claim.value == "hollow":
        return (scene.columns["enclosed_share"] - t.hollow) / t.hollow_margin
    elongation, solidity = scene.columns["elongation"], scene.columns["solidity"]
    if claim.value == "elongated":
        return (elongation - t.elongated) / t.elongated_margin
    irregular = (t.irregular_solidity - solidity) / t.irregular_margin
    if claim.value == "irregular":
        return irregular
    return np.minimum((t.round - elongation) / t.round_margin, -irregular)


def _appearance(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    contrast = scene.columns["contrast"] if claim.value == "bright" else -scene.columns["contrast"]
    return (contrast - t.contrast_grey) / t.contrast_margin_grey


def _border(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    touched = [anchor.location.touches for anchor in scene.anchors]
    return np.where([bool(edges) if claim.value == "any" else claim.value in edges for edges in touched], np.inf, -np.inf)


def _size_mm(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    wanted = claim.number or np.nan
    excess = (scene.columns["length_mm"] - wanted) / wanted
    if claim.value == "about":
        return (t.size_mm - np.abs(excess)) / t.size_mm_margin
    return (excess if claim.value == "above" else -excess) / t.size_mm_margin


def _midline(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    return np.array([{None: 0.0, True: np.inf, False: -np.inf}[anchor.location.crosses_midline] for anchor in scene.anchors])


def _zone(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    label_of = {anchor.anchor_id: anchor.label for anchor in scene.anchors}
    wanted = claim.other.split("|") if claim.other else None
    scores = np.zeros(len(scene.anchors))
    for index, anchor in enumerate(scene.anchors):
        zone = anchor.location.zone
        if zone is not None and (wanted is None or label_of.get(zone.organ) in wanted):
            shares = {"third": zone.vertical_share, "half": zone.horizontal_share, "depth": zone.depth_share}
            scores[index] = _zone_margin(claim.value, {name: np.nan if share is None else share for name, share in shares.items()}, t)
    return scores


def _zone_margin(value: str, share: dict[str, float], t: Thresholds) -> float:
    if value in ("central", "peripheral"):
        depth = (share["depth"] - t.zone_depth) / t.zone_depth_margin
        return depth if value == "central" else -depth
    if value in ("medial", "lateral"):
        outward = (share["half"] - 0.5) / t.zone_half_margin
        return outward if value == "lateral" else -outward
    below_first, above_last = share["third"] - 1 / 3, 2 / 3 - share["third"]
    return {"upper": -below_first, "lower": -above_last, "middle": min(below_first, above_last)}[value] / t.zone_third_margin


def _relation(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    if claim.value == "between":
        return _between(claim, scene, t)
    value = claim.value
    if value in ("anterior_to", "posterior_to", "superior_to", "inferior_to"):
        shown = BODY_DIRECTIONS.get(scene.plane or "", {})
        if value not in shown:
            return np.zeros(len(scene.anchors))
        value = shown[value]
    return over_others(pair_margins(value, scene, t), scene.with_label(claim.other or ""))


def over_others(pairs: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(n,) from pair margins (n, n): true when true of every other object that is ``there``, false when of none; true of
    some only is too close to call. What has no other object is false."""
    others = np.flatnonzero(there)
    if not len(others):
        return np.full(len(pairs), -np.inf)
    scores = pairs.T[others]  # a row for each other object
    itself = np.arange(len(others)), others
    scores[itself] = np.inf if len(others) > 1 else -np.inf
    low = high = scores[0]
    if len(others) > 1:
        low = scores.min(axis=0)
        scores[itself] = -np.inf
        high = scores.max(axis=0)
    return np.where(low >= TRUE, low, np.where(high <= FALSE, high, 0.0))


def pair_margins(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, n): margin of "row <value> column" for a relation of pairs; computed once per scene."""
    _, known = scene.memo.setdefault(("pairs", id(t)), (t, {}))
    if value not in known:
        known[value] = _direction(value, scene, t) if value in DIRECTIONS else _PAIRS[value](value, scene, t)
    return known[value]


def _direction(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    """Row lies in the claimed direction of column, far enough and more along the axis than across it."""
    x, y = scene.columns["cx"], scene.columns["cy"]
    sign_x, sign_y = DIRECTIONS[value]
    dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
    along, across = (dx * sign_x, np.abs(dy)) if sign_x else (dy * sign_y, np.abs(dx))
    extent = scene.width if sign_x else scene.height
    far = (along / extent - t.direction) / t.direction_margin
    slope = (along / np.maximum(across, 1e-9) - t.direction_slope) / t.direction_slope_margin
    return np.minimum(far, slope)


def _recorded(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    """From the relations measured on the masks; a pair that was not recorded is false."""
    scores = np.full((len(scene.anchors),) * 2, -np.inf)
    for row, column, relation in scene.recorded.get(value, []):
        scores[row, column] = touching_margin(relation, t) if value == "touching" else (relation.overlap - t.inside) / t.inside_margin
    return scores


def _midline_distance(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    """Nearer to the patient's midline, or farther, on the same side of it; unknown without sides of the patient."""
    if scene.image_left_is is None:
        return np.zeros((len(scene.anchors),) * 2)
    offset = scene.columns["cx"] / scene.width - 0.5
    nearer = np.abs(offset)[None, :] - np.abs(offset)[:, None]
    far = ((nearer if value == "medial_to" else -nearer) - t.direction) / t.direction_margin
    return np.where(offset[:, None] * offset[None, :] >= 0, far, np.minimum(far, FALSE))


def _size_ratio(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    logarithm = np.log(scene.columns["size"])
    larger = (logarithm[:, None] - logarithm[None, :]) / np.log(t.rank_size_ratio)
    return larger if value == "larger_than" else -larger


def _brightness(value: str, scene: Scene, t: Thresholds) -> np.ndarray:
    mean = scene.columns["brightness"]
    brighter = (mean[:, None] - mean[None, :]) / t.rank_brightness_grey
    return brighter if value == "brighter_than" else -brighter


def _between(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """Between the two named things; with several of a name, between every pair of them or none, else too close to call."""
    ends = [np.flatnonzero(scene.with_label(name)) for name in (claim.other or "").split("&")]
    if any(len(end) == 0 for end in ends) or (len(ends) == 1 and len(ends[0]) < 2):
        return np.full(len(scene.anchors), -np.inf)
    if len(ends) == 1:
        pairs = [(ends[0][0], ends[0][1])] if len(ends[0]) == 2 else []
    else:
        pairs = [(first, second) for first in ends[0] for second in ends[1] if first != second]
    if not 0 < len(pairs) <= _MOST_PAIRS:
        return np.zeros(len(scene.anchors))
    scores = np.stack([_between_two(int(first), int(second), scene, t) for first, second in pairs])
    low, high = scores.min(axis=0), scores.max(axis=0)
    return np.where(low >= TRUE, low, np.where(high <= FALSE, high, 0.0))


def _between_two(first: int, second: int, scene: Scene, t: Thresholds) -> np.ndarray:
    centroids = np.stack([scene.columns["cx"], scene.columns["cy"]], axis=1)
    line, offsets = centroids[second] - centroids[first], centroids - centroids[first]
    length2 = float(line @ line)
    if length2 == 0:
        return np.full(len(centroids), -np.inf)
    across = np.abs(offsets[:, 0] * line[1] - offsets[:, 1] * line[0]) / length2
    score = between_margin(offsets @ line / length2, across, t)
    inside = pair_margins("inside", scene, t)[:, [first, second]].max(axis=1)
    # What lies in one of them does not lie between them.
    score = np.where(inside >= TRUE, -np.inf, np.where(inside > FALSE, np.minimum(score, 0.0), score))
    score[[first, second]] = -np.inf
    return score


def touching_margin(relation: Relation, t: Thresholds) -> float:
    """Signed margin of "touching": by the gap in pixels, or in millimetres where a limit is set and the spacing known."""
    in_px = t.touching_px + 1 - relation.gap_px
    if t.touching_mm is None or relation.gap_mm is None:
        return in_px
    return max(in_px, 2 * (1.5 - relation.gap_mm / t.touching_mm))


def between_margin(along: np.ndarray, across: np.ndarray, t: Thresholds) -> np.ndarray:
    """Signed margin of "between two others", from ``Relation.along`` and ``across`` as arrays of one shape."""
    from_ends = (np.minimum(along, 1 - along) - t.between_along) / t.between_along_margin
    return np.minimum(from_ends, (t.between_across - across) / t.between_across_margin)


_PAIRS: dict[str, Callable[[str, Scene, Thresholds], np.ndarray]] = {
    "inside": _recorded,
    "containing": _recorded,
    "touching": _recorded,
    "medial_to": _midline_distance,
    "lateral_to": _midline_distance,
    "larger_than": _size_ratio,
    "smaller_than": _size_ratio,
    "brighter_than": _brightness,
    "darker_than": _brightness,
}
_MARGINS: dict[str, Callable[[Claim, Scene, Thresholds], np.ndarray]] = {
    "label": _label,
    "image_side": _image_side,
    "patient_side": _patient_side,
    "vertical": _vertical,
    "cell": _cell,
    "shape": _shape,
    "appearance": _appearance,
    "relation": _relation,
    "border": _border,
    "zone": _zone,
    "midline": _midline,
    "size_mm": _size_mm,
}
