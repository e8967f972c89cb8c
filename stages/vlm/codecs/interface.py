"""What every box codec offers: text of boxes, boxes of text, and the grammar of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self, get_args

Outcome = Literal["ok", "repaired", "malformed", "out_of_range", "wrong_count", "refusal", "none"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
Repair = Literal["words_around", "code_fence", "cut_off", "marks", "single", "decimals", "padding", "thinking"]
REPAIRS: tuple[str, ...] = get_args(Repair)
Metric = Literal["grounding", "pointing"]
SeenPx = tuple[int, int]
NOTHING = "none"
TARGET = "target"


@dataclass(frozen=True)
class Decoded:
    """Boxes in original image pixels (pixel-edge, half-open) and how the text was read.

    Boxes are given with ``ok`` and ``repaired`` only.

    ok: exactly the syntax (white space between its parts is free). repaired: the boxes are certain, what surrounds
    them is not the syntax; ``repairs`` names what was mended. malformed: no certain box. out_of_range: a box reversed,
    empty or outside the vocabulary. wrong_count: too few coordinates, or another number of boxes than expected.
    refusal: the model declines to answer. none: the model says that there is no target.

    ``labels`` match the boxes, "" where the syntax carries none.
    """

    boxes_xyxy_px: list[list[float]]
    outcome: Outcome
    labels: list[str] = field(default_factory=list)
    repairs: tuple[Repair, ...] = ()

    @property
    def count(self) -> int:
        """How many places the answer names."""
        return len(self.boxes_xyxy_px)

    def failed(self, outcome: Outcome) -> Self:
        """An answer of the same type that gives nothing."""
        return type(self)([], outcome)


@dataclass(frozen=True)
class DecodedPoints(Decoded):
    """What a model that only points has said: ``points_xy_px`` in original image pixels; there are never boxes.

    Scored by pointing (does the point lie in a target box), not by IoU.
    """

    points_xy_px: list[list[float]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many places the answer names."""
        return len(self.points_xy_px)


class BoxCodec(Protocol):
    """Boxes to a family's text and back.

    ``quantum``: widest error of one coordinate, as a share of the side that the numbers cover (a box that would come
    out empty is widened: up to twice that). ``metric``: how answers are scored; ``pointing`` codecs decode to
    DecodedPoints.

    ``seen_px`` is (width, height) of the picture as the model sees it after its processor. Only codecs of absolute
    pixels need it and raise ValueError without it; the others ignore it.
    """

    @property
    def name(self) -> str:
        """Its key in CODECS."""
        ...

    @property
    def quantum(self) -> float:
        """See the class."""
        ...

    @property
    def metric(self) -> Metric:
        """See the class."""
        ...

    def encode(
        self,
        boxes_xyxy_px: Sequence[Sequence[float]],
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        label: str | None = None,
    ) -> str:
        """Text of boxes given in pixels of an image of ``width`` x ``height``, in reading order.

        Raises:
            ValueError: a box is reversed, empty or outside; the label cannot be written; seen_px is needed and missing.
        """
        ...

    def decode(
        self,
        text: str,
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        strict: bool = False,
        expected: int | None = None,
    ) -> Decoded:
        """Boxes of a text; never raises for a text. See Decoded for the outcomes.

        ``strict``: nothing is mended, what would be ``repaired`` is ``malformed`` (or ``wrong_count`` where the answer
        is cut off). ``expected``: another number of boxes is ``wrong_count``.

        The closed list of what the lenient mode mends (REPAIRS):
        words_around: words before or after the answer. code_fence: a fence where the syntax has none, or none where
        it has one. cut_off: the answer ends inside a box; the whole boxes before it count. marks: the family's own
        marks are missing or misplaced (tokenizers drop special tokens). single: one object where a list of objects is
        due. decimals: coordinates with a fraction where whole numbers are due. padding: a box reaches into the padding
        and is cut at the image's edge. thinking: a thinking block before the answer of a family that has none.

        Raises:
            ValueError: seen_px is needed and missing, or the image has no area.
        """
        ...

    def ebnf(self, max_boxes: int, seen_px: SeenPx | None = None) -> str:
        """xgrammar EBNF of the answers that ``encode`` writes, with at most ``max_boxes`` boxes.

        A context-free grammar cannot compare numbers: it keeps the vocabulary, ``possible`` keeps x1 > x0.
        """
        ...

    def possible(self, prefix: str, max_boxes: int, seen_px: SeenPx | None = None, size_px: tuple[int, int] | None = None) -> bool:
        """Whether some answer of ``ebnf`` begins with ``prefix`` and decodes as ok or none (no box reversed or empty).

        ``size_px``: (width, height) of the original image. A codec that counts in a padded picture needs it to tell the
        image from its padding; without it an answer may lie in the padding. The others ignore it.
        """
        ...


def reading_order(boxes_xyxy_px: Sequence[Sequence[float]]) -> list[list[float]]:
    """Boxes from left to right, then from top to bottom: the one order that answers are written in."""
    return sorted(([float(value) for value in box] for box in boxes_xyxy_px), key=lambda box: (box[0], box[1], box[2], box[3]))


def check_image(width: int, height: int) -> None:
    """Refuse an image without area.

    Raises:
        ValueError: a side is not positive.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"an image of {width} x {height} px has no area")


def check_boxes(boxes_xyxy_px: Sequence[Sequence[float]], width: int, height: int) -> None:
    """Refuse what no codec can write.

    Raises:
        ValueError: the image has no area, or a box is reversed, empty or outside it.
    """
    check_image(width, height)
    for box in boxes_xyxy_px:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise ValueError(f"box {list(box)} is reversed, empty or outside the image of {width} x {height} px")
