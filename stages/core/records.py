"""The records that pass between stages, and their Arrow schemas.

Every table is a list of one frozen dataclass. A schema is derived from the dataclass's annotations,
so a column cannot exist in one and not in the other. Coordinates: see ``geometry``.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pyarrow as pa

T = TypeVar("T")

ImageLeft = Literal["patient_right", "patient_left"]


@dataclass(frozen=True)
class Rle:
    """COCO run-length encoding: ``size`` is [height, width], ``counts`` the compressed ASCII string."""

    size: list[int]
    counts: str


@dataclass(frozen=True)
class SourceFile:
    """One file that a sample was made from: ``path`` is relative to the dataset's root."""

    path: str
    sha256: str


@dataclass(frozen=True)
class SampleObject:
    """One annotated object, or one semantic class region, of an image.

    ``label`` is the canonical name of ``knowledge/labels.yaml``; ``label_source`` what the source said.
    ``instance`` numbers the objects of one label from 0. ``semantic`` is true when the mask may hold
    several objects of the class, which ``anchor`` then splits into connected components. ``crowd`` is the source's
    own word that one mask stands for several objects that it did not tell apart (COCO's ``iscrowd``).
    """

    label: str
    label_source: str
    instance: int
    semantic: bool
    mask_rle: Rle
    crowd: bool = False


@dataclass(frozen=True)
class Sample:
    """One image with its objects.

    ``image`` holds PNG bytes (8 bit grey or RGB). ``spacing_mm`` is [row, column] of the stored image, or
    None when unknown. ``image_left_is`` says which side of the patient lies at the picture's left; None
    when unknown or meaningless. ``midline_in_view`` is false where the picture is a crop beside the patient's middle, so
    that its halves are not the patient's sides (directions still are). ``annotated_labels`` are the labels that the
    source marks completely: only for those does absence mean absence. ``transform`` is the recorded intensity rule as
    JSON. ``source_split`` is the source's own split (train | val | test), None where it states none.
    """

    sample_id: str
    dataset: str
    case_id: str
    patient_id: str
    modality: str
    body_part: str
    plane: str | None
    slice_index: int | None
    image: bytes
    width: int
    height: int
    spacing_mm: list[float] | None
    image_left_is: str | None
    transform: str
    objects: list[SampleObject]
    annotated_labels: list[str]
    source_files: list[SourceFile]
    licence: str
    flags: list[str]
    midline_in_view: bool = True
    source_split: str | None = None

    @property
    def halves_are(self) -> str | None:
        """``image_left_is`` where the picture's halves are the patient's sides, else None."""
        return self.image_left_is if self.midline_in_view else None


@dataclass(frozen=True)
class Shape:
    """Shape of a mask; None where the quantity has no meaning (too small) and in millimetres without spacing.

    Definitions and sources: ``anchor.measure.FIELDS``. ``feret_*`` are the greatest and least caliper widths (the greatest
    in millimetres is ``Anchor.length_mm``). ``convexity`` is the hull's perimeter over the perimeter, 1 for a convex object.
    ``enclosed_share`` is the background inside the object over itself plus the object; ``hollow`` whether that is above the
    threshold of ``knowledge/words.yaml``, None within its margin.
    """

    equivalent_diameter_px: float
    major_axis_px: float
    minor_axis_px: float
    orientation_deg: float | None
    elongation: float | None
    eccentricity: float | None
    solidity: float | None
    circularity: float | None
    feret_max_px: float | None = None
    feret_min_px: float | None = None
    feret_min_mm: float | None = None
    equivalent_diameter_mm: float | None = None
    perimeter_px: float | None = None
    perimeter_mm: float | None = None
    convexity: float | None = None
    enclosed_share: float | None = None
    hollow: bool | None = None


@dataclass(frozen=True)
class Appearance:
    """Grey levels 0-255 of the stored image inside the mask and in a ring around it.

    ``contrast`` is mean minus ring mean; ``contrast_to_noise`` divides it by the ring's spread.
    ``ring_*`` are None when the ring is empty (the object fills the image). ``robust_contrast`` is median minus ring
    median; ``robust_contrast_to_noise`` divides it by 1.4826 times ``ring_mad``, the ring's median absolute deviation.
    ``texture`` is the mean absolute grey difference of the neighbouring pixels inside, None for one pixel; ``texture_word``
    is homogeneous | heterogeneous, by it and ``mad``, None between the limits of the modality (``knowledge/words.yaml``).
    """

    mean: float
    std: float
    ring_mean: float | None
    ring_std: float | None
    contrast: float | None
    contrast_to_noise: float | None
    median: float | None = None
    mad: float | None = None
    ring_median: float | None = None
    ring_mad: float | None = None
    robust_contrast: float | None = None
    robust_contrast_to_noise: float | None = None
    texture: float | None = None
    texture_word: str | None = None


@dataclass(frozen=True)
class Zone:
    """Where in the organ that contains it (``organ`` is that anchor's id) an object's centroid lies.

    ``vertical`` is upper | middle | lower third of the organ's height, None in an axial slice, where no third is
    upper. ``horizontal`` is medial | lateral, by the place between the organ's edge that faces the patient's midline
    and the other one, on the object's own rows; None unless the organ is one of a pair and sides are known.
    ``depth`` is central | peripheral, by the distance to the organ's border over the greatest such distance in the
    organ; where ``horizontal`` is known, to the border that faces away from the midline alone (``anchor.zones``), so that
    the hilum of a lung or kidney is central. The ``*_share`` are what was measured, in [0, 1] (0 is top, medial edge, border); a word is None within the
    margin of its threshold (``knowledge/words.yaml``) and wherever its share is None.
    """

    organ: str
    vertical: str | None
    horizontal: str | None
    depth: str | None
    vertical_share: float | None
    horizontal_share: float | None
    depth_share: float


@dataclass(frozen=True)
class Location:
    """Where the centroid lies. ``cell`` is e.g. "upper left" or "centre", in image sides (viewer's view).

    ``image_side`` is left | right | central of the image; ``patient_side`` left | right | midline of the
    patient, None when the orientation is unknown. ``touches`` lists the borders touched (left, right, top, bottom).
    ``crosses_midline`` says whether the object reaches across the patient's midline, None where the midline is unknown
    or it is too close to call. ``zone`` is None where no organ that contains it is annotated, and for what fills more
    than half of its organ.
    """

    cell: str
    vertical: str
    image_side: str
    patient_side: str | None
    touches: list[str]
    crosses_midline: bool | None = None
    zone: Zone | None = None


@dataclass(frozen=True)
class Ranks:
    """Place of the object among the objects of its label in this image, 1 = first; ties share the better place.

    ``size``: 1 is the largest area. ``x``: 1 is the leftmost centroid in the image. ``y``: 1 is the topmost.
    ``n_same_label`` counts the objects of the label, this one included. ``*_tied`` count the other objects of the
    label that are too close to this one to say which comes first, by the margins that ranks in words need.
    """

    n_same_label: int
    size: int
    x: int
    y: int
    size_tied: int = 0
    x_tied: int = 0
    y_tied: int = 0


@dataclass(frozen=True)
class Relation:
    """A relation, measured on the masks, from this anchor to another one of the image.

    ``kind`` is inside | containing | touching | nearest | between. ``gap_px`` is the least distance between the two
    masks (0 when they touch or overlap), ``gap_mm`` the same in millimetres, None without spacing; ``overlap`` the
    share of the inner object's pixels that lie in the outer one with its holes filled. ``dx`` and ``dy`` lead from this
    centroid to the other's, as shares of the image's width and height (positive: the other lies to the right, below).
    ``size_ratio`` is this area over the other's. A relation of kind between names a ``second`` anchor: ``along`` is
    this centroid's place between the other's centroid (0) and the second's (1), ``across`` its distance from the line
    through both, as a share of their distance; None for other kinds. A relation of kind nearest is ``tied`` when the gap
    to a third is at most ``nearest_ratio`` (``knowledge/words.yaml``) times as wide, None for other kinds: there is no
    saying which of the two is nearest.

    Recorded: inside and containing from an overlap of 0.5 on; touching up to a gap of 3 px (or twice ``touching_mm``);
    nearest once for every anchor that has a neighbour; between, as far as it may be true, once at most, for the
    tightest pair of landmarks (anchors that are alone of their label, or one of two). Words for directions (left of,
    above) follow from the centroids in ``claims``.
    """

    kind: str
    other: str
    gap_px: float
    overlap: float
    dx: float
    dy: float
    size_ratio: float
    gap_mm: float | None = None
    second: str | None = None
    along: float | None = None
    across: float | None = None
    tied: bool | None = None


@dataclass(frozen=True)
class Anchor:
    """A target object: exact geometry of one mask. ``area_px`` in pixels, ``area_mm2`` None without spacing.

    ``crowd``: the mask stands for several objects that nobody told apart; it is no target for "the one that ...".
    """

    anchor_id: str
    sample_id: str
    label: str
    kind: str
    instance: int
    box_xyxy_px: list[float]
    area_px: int
    area_mm2: float | None
    length_mm: float | None
    centroid_xy_px: list[float]
    fraction_of_image: float
    shape: Shape
    appearance: Appearance
    location: Location
    ranks: Ranks
    relations: list[Relation]
    mask_rle: Rle
    crowd: bool = False


@dataclass(frozen=True)
class AnchorGroup:
    """All anchors of one label in an image ("all nodules"), or both halves of a pair ("left lung|right lung").

    ``box_xyxy_px`` is the union's box, ``area_px`` the union's pixels. ``complete`` says whether the source marks
    every object of the label, so that "all" may be said; ``n_crowds`` counts the members that are crowds, which make
    ``n`` a lower bound.
    """

    group_id: str
    sample_id: str
    label: str
    anchor_ids: list[str]
    n: int
    n_crowds: int
    box_xyxy_px: list[float]
    area_px: int
    complete: bool


@dataclass(frozen=True)
class Writer:
    """Who wrote a query: enough to write it again."""

    backend: str
    model: str
    revision: str
    prompt_hash: str
    seed: int


@dataclass(frozen=True)
class Query:
    """A referring expression. ``anchor_ids`` are its targets: none, one or several.

    ``claims`` are JSON objects (``core.claims.Claim.to_json``), None when the writer gave none. ``kind`` is
    single | multi | none | name. ``label`` is the class that the query is about. ``difficulty``: how many claims beside
    the label are needed to single the target out (0 to 3, 3 for three or more); None where nobody counted.
    """

    query_id: str
    sample_id: str
    anchor_ids: list[str]
    text: str
    label: str
    kind: str
    claims: list[str] | None
    style: str
    writer: Writer
    difficulty: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Outcome of one check on one query. ``passed`` None means undecided; ``reason`` is from a closed list."""

    query_id: str
    check: str
    passed: bool | None
    reason: str
    margin: float | None
    evidence: str


@dataclass(frozen=True)
class Example:
    """A verified example of the corpus. ``boxes_xyxy_px`` in pixels of the stored image, empty for no target.

    ``difficulty`` is that of its query. ``spacing_mm`` is [row, column], None when unknown. ``distractors_xyxy_px`` are the
    boxes of what else could be meant: the image's other objects of the label, and of its left or right counterpart.
    ``unseen`` marks what ``evaluate.unseen`` holds out of training and validation: a test suite of its own.
    """

    example_id: str
    sample_id: str
    dataset: str
    patient_id: str
    modality: str
    text: str
    label: str
    boxes_xyxy_px: list[list[float]]
    width: int
    height: int
    split: str
    kind: str
    n_same_label: int
    size_bin: str
    claim_kinds: list[str]
    licence: str
    difficulty: int | None = None
    spacing_mm: list[float] | None = None
    distractors_xyxy_px: list[list[float]] = dataclasses.field(default_factory=list)
    unseen: bool = False


@dataclass(frozen=True)
class CorpusImage:
    """The picture of one sample of the corpus, once: PNG bytes as ingested, so that training needs no other table."""

    sample_id: str
    image: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Prediction:
    """What one contender answered. ``outcome`` is the codec's parse outcome; ``scores`` are confidences in [0, 1], one a box.

    ``probe`` is empty for the plain question. A seeded subset of the examples is asked in other ways as well: flipped
    (the mirrored picture with mirrored words; the boxes are in the pixels of the mirrored picture), blank_image (a
    picture of its mean grey), no_text ("the object" in place of the words). ``constrained``: the decoder could write
    nothing but boxes or "none"; ``n_steered`` counts the tokens of the answer at which that overruled the model.
    """

    example_id: str
    contender: str
    text: str
    boxes_xyxy_px: list[list[float]]
    scores: list[float]
    outcome: str
    n_tokens: int
    probe: str = ""
    constrained: bool = False
    n_steered: int = 0


@dataclass(frozen=True)
class Score:
    """How one answer of one contender compares with the targets of its example.

    ``patient_id`` is dataset/patient: two datasets may use one name. ``suites`` are the test suites that the example belongs
    to (``evaluate.suites``). ``iou``: sum of the IoUs matched one to one, over the larger count of boxes; 1 for a right
    "nothing there". ``floor_iou``: the highest threshold at which the whole answer still counts as right (every target has
    its own box, no box is left over). ``n_matched``: boxes matched to a target with an IoU of at least 0.5.

    Of the most confident box (``best_box_xyxy_px``, empty without one): ``giou`` and ``distance_mm`` (between the middles) to
    the only target, None where there is none or several, the latter also without spacing or box; ``pointed``, whether its
    middle lies in a target; ``distractor_iou``, its best IoU with something else that could be meant; ``wrong_object``,
    whether that is at least 0.5 and more than with any target. ``confidence`` is that of the least certain box, None without.

    ``outcome`` is the parse outcome, or what is wrong with the row or its boxes (``evaluate.scoring.OUTCOMES``);
    ``parse_failed``: it is no reading. ``n_steered``: tokens at which a constraint overruled the model.
    """

    example_id: str
    contender: str
    patient_id: str
    kind: str
    n_same_label: int
    suites: list[str]
    iou: float
    floor_iou: float
    hit_at_50: bool
    giou: float | None
    pointed: bool
    distance_mm: float | None
    distractor_iou: float
    wrong_object: bool
    best_box_xyxy_px: list[float]
    confidence: float | None
    outcome: str
    parse_failed: bool
    n_boxes: int
    n_targets: int
    n_matched: int
    n_steered: int


@dataclass(frozen=True)
class ItemError:
    """An item that could not be used: an error as a value. ``kind`` is a short code that metrics count by."""

    item_id: str
    stage: str
    kind: str
    file: str
    cause: str


_SCALARS: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}


def _arrow_type(annotation: Any) -> tuple[pa.DataType, bool]:
    """Arrow type of an annotation and whether it may be null."""
    if annotation in _SCALARS:
        return _SCALARS[annotation], False
    if dataclasses.is_dataclass(annotation):
        return pa.struct(_fields(annotation)), False
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return pa.list_(_arrow_type(arguments[0])[0]), False
    if origin in (types.UnionType, typing.Union):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _arrow_type(inner)[0], True
    raise TypeError(f"no Arrow type for {annotation!r}")


def _fields(record_type: Any) -> list[pa.Field]:
    hints = typing.get_type_hints(record_type)
    fields = []
    for field in dataclasses.fields(record_type):
        arrow, nullable = _arrow_type(hints[field.name])
        fields.append(pa.field(field.name, arrow, nullable=nullable))
    return fields


def schema_of(record_type: type) -> pa.Schema:
    """Arrow schema of a record dataclass; the one place where column types come from."""
    return pa.schema(_fields(record_type))


@functools.cache
def _hints(record_type: Any) -> dict[str, Any]:
    """Resolved annotations, once per type: resolving them for every row took most of the time of reading a table."""
    return typing.get_type_hints(record_type)


def from_row(record_type: type[T], row: dict[str, Any]) -> T:
    """Rebuild a record from a plain dict as Parquet or JSON gives it."""
    hints = _hints(typing.cast("typing.Hashable", record_type))
    return record_type(**{name: _rebuild(hints[name], value) for name, value in row.items() if name in hints})


def _rebuild(annotation: Any, value: Any) -> Any:
    if value is None:
        return None
    if dataclasses.is_dataclass(annotation):
        return from_row(typing.cast(type, annotation), value)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return [_rebuild(arguments[0], item) for item in value]
    if origin in (types.UnionType, typing.Union):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _rebuild(inner, value)
    return value


def to_row(record: Any) -> dict[str, Any]:
    """A record as a plain dict, nested records included."""
    return dataclasses.asdict(record)
