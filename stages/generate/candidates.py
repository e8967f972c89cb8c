"""Which claims may be said of the objects of one label, and of which objects each is true, by ``core.claims``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.claims import DIRECTIONS, FALSE, TRUE, Claim, Scene, Thresholds, margins
from stages.knowledge.labels import Label
from stages.knowledge.labels import label as label_of

# Kinds whose outline and brightness are worth a word: "the elongated left lung" says nothing to a reader. A nerve or
# vessel is told by its looks where it is one of several, and not where its name singles it out.
_WITH_LOOKS = frozenset({"lesion", "finding", "cell", "cell_part"})
_WITH_LOOKS_AMONG_SEVERAL = frozenset({"nerve", "vessel"})
_DISEASE = frozenset({"lesion", "finding"})
# What comes and goes is no landmark for what is always there.
_NO_LANDMARK = _DISEASE | {"device"}
_CELLS = ("centre", "upper left", "upper right", "lower left", "lower right")
_RANKED_COLUMN = {"size": "size", "x": "cx", "y": "cy", "brightness": "brightness"}
_DESCENDING = frozenset({"size", "brightness"})
FURTHEST_PLACE = 3


@dataclass(frozen=True)
class Candidate:
    """A claim with the anchors of the scene that satisfy it for certain, and those that may; boolean arrays (n,)."""

    claim: Claim
    certain: np.ndarray
    possible: np.ndarray


@dataclass(frozen=True)
class Group:
    """All anchors of one label in a scene and the filter claims that may be said of them.

    ``members`` is a boolean array (n,). Claims that would say nothing are left out: a lesion inside its organ where
    all of the label are, the patient's side of a structure that states it in its name.
    """

    scene: Scene
    label: Label
    claim: Claim
    members: np.ndarray
    candidates: tuple[Candidate, ...]

    def true_of(self, index: int) -> list[Candidate]:
        """Candidates that hold for one anchor."""
        return [candidate for candidate in self.candidates if candidate.certain[index]]


def group_of(scene: Scene, label: Label, t: Thresholds) -> Group:
    """The group of a label in a scene; without members where the label does not occur."""
    members = scene.with_label(label.name)
    candidates = []
    for claim in filter_claims(scene, label):
        score = margins(claim, scene, t)
        candidate = Candidate(claim, score >= TRUE, score > FALSE)
        if not _is_empty_talk(claim, label, candidate, members):
            candidates.append(candidate)
    return Group(scene, label, Claim("label", label.name), members, tuple(candidates))


def filter_claims(scene: Scene, label: Label) -> list[Claim]:
    """Every claim but ranks and lengths that the language can make of a label in this scene, true or not."""
    claims = [Claim("vertical", half) for half in ("upper", "lower")]
    # A midline structure leans to a side of the picture and lies on none.
    midline = label.expect == "midline"
    # "The left lung on the right of the image" is true and nobody says it.
    beside = not midline and label.side is None
    claims += [Claim("cell", cell) for cell in (_CELLS if beside else _CELLS[:1])]
    if beside:
        claims += [Claim("image_side", side) for side in ("left", "right")]
    if scene.image_left_is is not None and label.side is None and not midline:
        claims += [Claim("patient_side", side) for side in ("left", "right")]
    if _looks_tell(label):
        claims += [Claim("shape", shape) for shape in ("round", "elongated", "irregular")]
        claims += [Claim("appearance", look) for look in ("bright", "dark")]
    claims += [Claim("border", edge) for edge in ("left", "right", "top", "bottom")]
    return claims + _relations(scene, label)


def _looks_tell(label: Label) -> bool:
    return label.expect is None and (label.kind in _WITH_LOOKS or (label.kind in _WITH_LOOKS_AMONG_SEVERAL and label.several))


def _relations(scene: Scene, label: Label) -> list[Claim]:
    """Relations to labels that occur exactly once.

    "Left of the left kidney" would confuse: sided names take no such relation. An opacity in the lung is not "below"
    the lung, whatever the centroids say.
    """
    names = [anchor.label for anchor in scene.anchors]
    claims = []
    for name in sorted(set(names)):
        other = label_of(name)
        if name == label.name or names.count(name) != 1 or (other.kind in _NO_LANDMARK and label.kind not in _NO_LANDMARK):
            continue
        around = name in (label.inside or []) or (label.kind in _DISEASE and other.side is not None and scene.modality == "X-ray")
        sided = other.says_side or label.says_side
        values = [value for value in DIRECTIONS if not around and not (sided and value in ("left_of", "right_of"))]
        values += ["inside"] if name in (label.inside or []) else []
        values += ["touching"] if _contact_tells(scene, label, other) else []
        claims += [Claim("relation", value, name) for value in values]
    return claims


def _contact_tells(scene: Scene, entry: Label, other: Label) -> bool:
    """Whether touching is worth a word: organs overlap in a projection, and parts of a cell lie in each other."""
    in_a_cell = "cell_part" in (entry.kind, other.kind)
    return not in_a_cell and (scene.modality != "X-ray" or entry.kind == "finding")


def _is_empty_talk(claim: Claim, label: Label, candidate: Candidate, members: np.ndarray) -> bool:
    """An object in the structure that contains it anyway, where this tells none of its siblings apart."""
    anatomical = claim.kind == "relation" and claim.value in ("inside", "touching") and claim.other in (label.inside or [])
    return anatomical and bool(candidate.possible[members].all())


def nearest_claims(scene: Scene, label: Label) -> list[Claim]:
    """Claims of being the nearest of the label to something that occurs once."""
    return [Claim("relation", "nearest", claim.other) for claim in _relations(scene, label) if claim.value == "above"]


def size_claim(scene: Scene, index: int) -> Claim | None:
    """The anchor's greatest diameter in whole millimetres; None without spacing or below 5 mm, where rounding would show."""
    length_mm = scene.anchors[index].length_mm
    if scene.spacing_mm is None or length_mm is None or length_mm < 5:
        return None
    return Claim("size_mm", "about", None, float(round(length_mm)))


def rank_claim(scene: Scene, attribute: str, among: np.ndarray, index: int) -> Claim | None:
    """The rank of an anchor among others by the plain order of the values; None where no word names the place.

    Whether neighbours in the order are far enough apart is for ``claims.select`` to say.
    """
    place, n = _place(scene, attribute, among, index)
    from_end = n + 1 - place
    signed, depth = (place, place) if place <= from_end else (-from_end, from_end)
    if n < 2 or depth > (1 if attribute == "brightness" else FURTHEST_PLACE):
        return None
    return Claim("rank", f"{attribute}:{signed}")


def _place(scene: Scene, attribute: str, among: np.ndarray, index: int) -> tuple[int, int]:
    values = scene.columns[_RANKED_COLUMN[attribute]]
    values = -values if attribute in _DESCENDING else values
    return 1 + int((values[among] < values[index]).sum()), int(among.sum())


def conflict(claims: Sequence[Claim]) -> bool:
    """Whether claims would not be said in one breath: one of them implies, repeats or muddles another."""
    kinds = [claim.kind for claim in claims]
    ranks = {claim.value.split(":")[0] for claim in claims if claim.kind == "rank"}
    relative = len(ranks) + sum(claim.value == "nearest" for claim in claims)
    places = {kind for kind in kinds if kind in ("image_side", "patient_side", "vertical", "cell")}
    directions = {claim.value for claim in claims if claim.kind == "relation"}
    borders = {claim.value for claim in claims if claim.kind == "border"}
    return (
        len(set(kinds)) < len(kinds)
        or relative > 1
        or ("brightness" in ranks and "appearance" in kinds)
        or ("cell" in places and len(places) > 1)
        or {"image_side", "patient_side"} <= places
        or bool(directions & {"left_of", "right_of"} and (places & {"image_side", "patient_side"} or "x" in ranks))
        or bool(directions & {"above", "below"} and ("vertical" in places or "y" in ranks))
        or ("x" in ranks and bool(places & {"image_side", "patient_side", "cell"}))
        or ("y" in ranks and bool(places & {"vertical", "cell"}))
        or bool(borders & {"left", "right"} and places & {"image_side", "patient_side", "cell"})
        or bool(borders & {"top", "bottom"} and places & {"vertical", "cell"})
        or (bool(borders) and bool(ranks & {"x", "y"}))
        or ("brightness" in ranks and "appearance" in kinds)
    )
