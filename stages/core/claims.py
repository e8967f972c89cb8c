"""The claim language: what a referring expression says about its target, executed on every anchor of an image.

A claim scores each anchor by a signed margin: at least +1 is true, at most -1 is false, between lies too close to call.
A query is the conjunction of its claims; ordinals ("second largest") rank the anchors that satisfy the other claims.

Kinds and values
    label         canonical label; "a|b" for either of two (a pair: "both kidneys")
    image_side    left | right half of the picture, by the centroid
    patient_side  left | right of the patient; undecidable where the orientation is unknown
    vertical      upper | lower half of the picture
    cell          centre | upper left | upper right | lower left | lower right: cell of the 3 x 3 grid (centre, corners)
    rank          "size:1" largest, "size:-1" smallest, "size:2" second largest, "size:1-2" the two largest; likewise
                  x (1 = leftmost in the picture), y (1 = topmost), brightness (1 = brightest on average)
    shape         round | elongated | irregular
    appearance    bright | dark: against the ring around the object
    relation      left_of | right_of | above | below (in the picture) | inside | touching | nearest, to ``other``, a label
    border        left | right | top | bottom: touches that edge of the picture
    size_mm       greatest diameter is about ``number`` millimetres
    count         the expression speaks of ``number`` objects
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.records import Anchor, Relation, Sample

TRUE, FALSE = 1.0, -1.0
KINDS = (
    "label", "image_side", "patient_side", "vertical", "cell", "rank", "shape", "appearance", "relation", "border",
    "size_mm", "count",
)  # fmt: skip
RANK_ATTRIBUTES = ("size", "x", "y", "brightness")
DIRECTIONS = {"left_of": (1, 0), "right_of": (-1, 0), "above": (0, 1), "below": (0, -1)}
OPPOSITE = {
    "left": "right", "right": "left", "upper": "lower", "lower": "upper", "bright": "dark", "dark": "bright",
    "left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above", "top": "bottom", "bottom": "top",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Claim:
    """One claim; see the module's table of kinds."""

    kind: str
    value: str
    other: str | None = None
    number: float | None = None

    def to_json(self) -> str:
        """Compact JSON with sorted keys; absent fields are left out."""
        fields = {"kind": self.kind, "value": self.value, "other": self.other, "number": self.number}
        return json.dumps({key: value for key, value in fields.items() if value is not None}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Claim:
        """The claim of ``to_json``; a ValueError for an unknown kind."""
        fields = json.loads(text)
        if fields.get("kind") not in KINDS:
            raise ValueError(f"unknown claim kind {fields.get('kind')!r}; known: {', '.join(KINDS)}")
        return Claim(**fields)


@dataclass(frozen=True)
class Thresholds:
    """Where words begin, each with the half width of the zone in which nothing may be said (``knowledge/words.yaml``).

    Lengths are shares of the image's width or height; ``*_ratio`` are ratios; grey levels are 0-255.
    """

    side_margin: float
    vertical_margin: float
    cell_margin: float
    elongated: float
    elongated_margin: float
    round: float
    round_margin: float
    irregular_solidity: float
    irregular_margin: float
    contrast_grey: float
    contrast_margin_grey: float
    direction: float
    direction_margin: float
    direction_slope: float
    direction_slope_margin: float
    inside: float
    inside_margin: float
    touching_px: float
    touching_mm: float | None
    between_along: float
    between_along_margin: float
    between_across: float
    between_across_margin: float
    hollow: float
    hollow_margin: float
    midline: float
    midline_margin: float
    zone_third_margin: float
    zone_half_margin: float
    zone_depth: float
    zone_depth_margin: float
    size_mm: float
    size_mm_margin: float
    rank_size_ratio: float
    rank_position: float
    rank_brightness_grey: float
    nearest_ratio: float


@dataclass(frozen=True)
class Scene:
    """All anchors of one image and what is known of the image. ``spacing_mm`` is [row, column] or None."""

    sample_id: str
    width: int
    height: int
    modality: str
    image_left_is: str | None
    spacing_mm: list[float] | None
    annotated_labels: tuple[str, ...]
    anchors: tuple[Anchor, ...]

    @functools.cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """Attributes of all anchors as arrays of shape (n,); NaN where an attribute has no value."""
        anchors = self.anchors
        raw = {
            "cx": [a.centroid_xy_px[0] for a in anchors],
            "cy": [a.centroid_xy_px[1] for a in anchors],
            "size": [a.area_px for a in anchors],
            "elongation": [a.shape.elongation for a in anchors],
            "solidity": [a.shape.solidity for a in anchors],
            "contrast": [a.appearance.contrast for a in anchors],
            "brightness": [a.appearance.mean for a in anchors],
            "length_mm": [a.length_mm for a in anchors],
        }
        return {name: np.array([np.nan if v is None else v for v in values], float) for name, values in raw.items()}

    def with_label(self, name: str) -> np.ndarray:
        """Boolean array (n,): anchors of the label (or of one of several, "a|b")."""
        wanted = name.split("|")
        return np.array([anchor.label in wanted for anchor in self.anchors], bool)


@dataclass(frozen=True)
class Selection:
    """Anchor ids that satisfy a conjunction for certain, and those that may (certain ones included)."""

    certain: frozenset[str]
    possible: frozenset[str]

    def is_exactly(self, targets: Sequence[str]) -> bool:
        """Whether the targets, and nothing else, satisfy it, with nothing too close to call."""
        return self.certain == self.possible == frozenset(targets)


def scene_of(sample: Sample, anchors: Sequence[Anchor]) -> Scene:
    """The scene of a sample and its anchors (those of other samples are not accepted)."""
    if any(anchor.sample_id != sample.sample_id for anchor in anchors):
        raise ValueError(f"{sample.sample_id}: anchors of another sample were given")
    return Scene(
        sample.sample_id, sample.width, sample.height, sample.modality, sample.halves_are, sample.spacing_mm,
        tuple(sample.annotated_labels), tuple(anchors),
    )  # fmt: skip


def margins(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """Signed margin of every anchor, shape (n,): >= 1 true, <= -1 false, between too close. 0 where it cannot be known.

    ``rank`` and nearest claims are relative to the other claims' selection: see ``select``. ``count`` is about the
    selection as a whole and is true of every anchor here.
    """
    if claim.kind == "count" or is_relative(claim):
        return np.full(len(scene.anchors), np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(_MARGINS[claim.kind](claim, scene, t), nan=0.0, posinf=np.inf, neginf=-np.inf)


def is_relative(claim: Claim) -> bool:
    """Whether the claim ranks anchors against each other."""
    return claim.kind == "rank" or (claim.kind == "relation" and claim.value == "nearest")


def select(claims: Sequence[Claim], scene: Scene, t: Thresholds) -> Selection:
    """Which anchors satisfy all the claims.

    Filters are applied first; a rank then orders what is left ("the largest lesion on the left" is the largest of
    those on the left). Where a filter is too close for some anchor, ranks are taken with and without it.
    A count that the selection cannot meet leaves nothing, one that it may or may not meet leaves nothing certain.
    """
    # A crowd may hold what is meant, and is never exactly that.
    score = np.where([anchor.crowd for anchor in scene.anchors], 0.0, np.inf) if scene.anchors else np.zeros(0)
    for claim in claims:
        score = np.minimum(score, margins(claim, scene, t))
    certain, possible = score >= TRUE, score > FALSE
    for claim in claims:
        if is_relative(claim):
            certain, possible = _apply_rank(claim, scene, t, certain, possible)
    ids = [anchor.anchor_id for anchor in scene.anchors]
    counts = {int(claim.number) for claim in claims if claim.kind == "count" and claim.number is not None}
    if counts:
        certain, possible = _counted(counts, certain, possible)
    return Selection(
        frozenset(i for i, chosen in zip(ids, certain, strict=True) if chosen),
        frozenset(i for i, chosen in zip(ids, possible, strict=True) if chosen),
    )


def _counted(counts: set[int], certain: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    least, most = int(certain.sum()), int(possible.sum())
    none = np.zeros_like(certain)
    if len(counts) > 1 or not least <= min(counts) <= most:
        return none, none
    return (certain if least == most else none), possible


def _apply_rank(claim: Claim, scene: Scene, t: Thresholds, certain: np.ndarray, possible: np.ndarray):
    sure_low, may_low = _ranked(claim, scene, t, certain)
    sure_high, may_high = _ranked(claim, scene, t, possible)
    return sure_low & sure_high, (may_low | may_high) & possible


def _ranked(claim: Claim, scene: Scene, t: Thresholds, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(certain, possible) anchors that hold the claimed rank among the candidates."""
    none = np.zeros_like(candidates)
    n = int(candidates.sum())
    groundless = claim.kind == "relation" and not scene.with_label(claim.other or "").any()
    if n == 0 or groundless:
        return none, none
    first, last = rank_range(claim.value, n) if claim.kind == "rank" else (1, 1)
    if first < 1 or last > n:
        return none, none
    before = _comes_before(claim, scene, t)[np.ix_(candidates, candidates)]
    best = before.sum(axis=0) + 1
    worst = n - before.sum(axis=1)
    certain, possible = none.copy(), none.copy()
    certain[candidates] = (best >= first) & (worst <= last)
    possible[candidates] = (best <= last) & (worst >= first)
    return certain, possible


def rank_range(value: str, n: int) -> tuple[int, int]:
    """First and last place (1-based) that a rank value such as "size:2", "x:-1" or "size:1-2" means among ``n``."""
    places = value.split(":")[1]
    if places.startswith("-"):
        first = last = n + 1 - int(places[1:].split("-")[0])
        if "-" in places[1:]:
            first = n + 1 - int(places[1:].split("-")[1])
        return first, last
    low, _, high = places.partition("-")
    return int(low), int(high or low)


def _comes_before(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """Matrix (n, n): row anchor comes before the column anchor by more than the margin."""
    columns = scene.columns
    if claim.kind == "relation":
        distance = _distance_to(scene, claim.other or "")
        return (distance[:, None] * t.nearest_ratio <= distance[None, :]) & (distance[:, None] < distance[None, :])
    attribute = claim.value.split(":")[0]
    if attribute == "size":
        return columns["size"][:, None] >= t.rank_size_ratio * columns["size"][None, :]
    if attribute == "brightness":
        return columns["brightness"][:, None] >= columns["brightness"][None, :] + t.rank_brightness_grey
    if attribute in ("x", "y"):
        position = columns["cx"] / scene.width if attribute == "x" else columns["cy"] / scene.height
        return position[:, None] <= position[None, :] - t.rank_position
    raise ValueError(f"unknown rank attribute {attribute!r}; known: {', '.join(RANK_ATTRIBUTES)}")


def _distance_to(scene: Scene, other: str) -> np.ndarray:
    """Distance in pixels from each centroid to the nearest centroid of a label; infinite where there is none."""
    columns, there = scene.columns, scene.with_label(other)
    gaps = np.hypot(columns["cx"][:, None] - columns["cx"][there], columns["cy"][:, None] - columns["cy"][there])
    return gaps.min(axis=1) if there.any() else np.full(len(scene.anchors), np.inf)


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
    touches = [claim.value in anchor.location.touches for anchor in scene.anchors]
    return np.where(np.array(touches, bool), np.inf, -np.inf)


def _size_mm(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    wanted = claim.number or np.nan
    return (t.size_mm - np.abs(scene.columns["length_mm"] - wanted) / wanted) / t.size_mm_margin


def _relation(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    there = scene.with_label(claim.other or "")
    pairs = _direction_margins(claim, scene, t) if claim.value in DIRECTIONS else _mask_margins(claim, scene, t)
    scores = np.full(len(scene.anchors), -np.inf)
    for row in range(len(scene.anchors)):
        others = there.copy()
        others[row] = False
        if others.any():
            scores[row] = _all_some_none(pairs[row, others])
    return scores


def _all_some_none(values: np.ndarray) -> float:
    """True when true of every other object, false when of none; true of some only is too close to call."""
    if values.min() >= TRUE or values.max() <= FALSE:
        return float(values.min() if values.min() >= TRUE else values.max())
    return 0.0


def _direction_margins(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, n): row lies in the claimed direction of column, far enough and more along the axis than across it."""
    x, y = scene.columns["cx"], scene.columns["cy"]
    sign_x, sign_y = DIRECTIONS[claim.value]
    dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
    along, across = (dx * sign_x, np.abs(dy)) if sign_x else (dy * sign_y, np.abs(dx))
    extent = scene.width if sign_x else scene.height
    far = (along / extent - t.direction) / t.direction_margin
    slope = (along / np.maximum(across, 1e-9) - t.direction_slope) / t.direction_slope_margin
    return np.minimum(far, slope)


def _mask_margins(claim: Claim, scene: Scene, t: Thresholds) -> np.ndarray:
    """(n, n) from the relations measured on the masks; a pair that was not recorded is false."""
    place = {anchor.anchor_id: index for index, anchor in enumerate(scene.anchors)}
    scores = np.full((len(place), len(place)), -np.inf)
    for row, anchor in enumerate(scene.anchors):
        for relation in anchor.relations:
            if relation.kind != claim.value or relation.other not in place:
                continue
            scores[row, place[relation.other]] = (
                (relation.overlap - t.inside) / t.inside_margin if claim.value == "inside" else touching_margin(relation, t)
            )
    return scores


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


_MARGINS = {
    "label": _label,
    "image_side": _image_side,
    "patient_side": _patient_side,
    "vertical": _vertical,
    "cell": _cell,
    "shape": _shape,
    "appearance": _appearance,
    "relation": _relation,
    "border": _border,
    "size_mm": _size_mm,
}
