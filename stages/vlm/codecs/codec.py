"""A codec is a number space and a syntax. What they have in common stands here: order, checks, outcomes, grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from stages.vlm.codecs.forms import AnswerForm, answer_possible, answers_ebnf, check_label
from stages.vlm.codecs.interface import TARGET, Decoded, Metric, Repair, SeenPx, check_boxes, check_image, reading_order
from stages.vlm.codecs.reading import Reading, refuses, says_nothing, without_thinking
from stages.vlm.codecs.spaces import Quad, Space

Said = TypeVar("Said", bound=Decoded)


class Syntax(Protocol):
    """How a family writes numbers."""

    @property
    def nothing(self) -> str:
        """The answer when there is no target."""
        ...

    @property
    def thinks(self) -> bool:
        """Whether a thinking block before the answer belongs to the syntax."""
        ...

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """The forms of an answer with boxes; the first that takes a number of boxes is the one written."""
        ...

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """The numbers of a form's slots for x0, y0, x1, y1."""
        ...

    def read(self, text: str) -> Reading:
        """The numbers of a text without its thinking block; never raises."""
        ...


def fitting(forms: Sequence[AnswerForm], count: int) -> AnswerForm:
    """The form that is written for that many boxes: the first that takes them."""
    return next(form for form in forms if form.fewest <= count == form.limit(count))


def without_boxes(answer: str, reading: Reading, nothing: str, kind: type[Said]) -> Said:
    """Outcome of a text without a certain box or point: none, wrong_count, refusal or malformed."""
    exactly = says_nothing(answer, nothing)
    if exactly is not None:
        repairs: tuple[Repair, ...] = reading.repairs if exactly else (*reading.repairs, "words_around")
        return kind([], "none", repairs=repairs)
    if reading.outcome == "wrong_count":
        return kind([], "wrong_count")
    return kind([], "refusal" if refuses(answer) else "malformed")


def judged(decoded: Said, strict: bool, expected: int | None) -> Said:
    """What strictness and an expected number of boxes or points make of an answer."""
    if strict and decoded.repairs:
        return decoded.failed("wrong_count" if "cut_off" in decoded.repairs else "malformed")
    if expected is not None and decoded.outcome in ("ok", "repaired", "none") and decoded.count != expected:
        return decoded.failed("wrong_count")
    return decoded


@dataclass(frozen=True)
class Codec:
    """See BoxCodec for the methods."""

    name: str
    space: Space
    syntax: Syntax
    label: str = TARGET

    @property
    def quantum(self) -> float:
        """See BoxCodec."""
        return self.space.quantum

    @property
    def metric(self) -> Metric:
        """See BoxCodec."""
        return "grounding"

    def encode(
        self,
        boxes_xyxy_px: Sequence[Sequence[float]],
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        label: str | None = None,
    ) -> str:
        """See BoxCodec."""
        check_boxes(boxes_xyxy_px, width, height)
        written = check_label(self.label if label is None else label)
        highest = self.space.highest(seen_px)
        if not boxes_xyxy_px:
            return self.syntax.nothing
        slots = [self.syntax.slots(self.space.numbers(box, width, height, seen_px)) for box in reading_order(boxes_xyxy_px)]
        return fitting(self.syntax.forms(highest), len(slots)).write(slots, written)

    def decode(
        self,
        text: str,
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        strict: bool = False,
        expected: int | None = None,
    ) -> Decoded:
        """See BoxCodec."""
        check_image(width, height)
        self.space.highest(seen_px)
        return judged(self._decode(text, width, height, seen_px), strict, expected)

    def _decode(self, text: str, width: int, height: int, seen_px: SeenPx | None) -> Decoded:
        answer, thought = without_thinking(text)
        reading = self.syntax.read(answer)
        if thought and not self.syntax.thinks:
            reading = replace(reading, repairs=(*reading.repairs, "thinking"))
        if not reading.numbers:
            return without_boxes(answer, reading, self.syntax.nothing, Decoded)
        placed = [self.space.place(numbers, width, height, seen_px) for numbers in reading.numbers]
        boxes = [place for place in placed if place is not None]
        if len(boxes) < len(placed):
            return Decoded([], "out_of_range")
        repairs = (*reading.repairs, "padding") if any(place.cut for place in boxes) else reading.repairs
        return Decoded([place.box_xyxy_px for place in boxes], "repaired" if repairs else "ok", reading.labels, repairs)

    def ebnf(self, max_boxes: int, seen_px: SeenPx | None = None) -> str:
        """See BoxCodec."""
        return answers_ebnf(self.syntax.forms(self.space.highest(seen_px)), self.syntax.nothing, max_boxes)

    def possible(self, prefix: str, max_boxes: int, seen_px: SeenPx | None = None, size_px: tuple[int, int] | None = None) -> bool:
        """See BoxCodec."""
        return answer_possible(self.forms(seen_px, size_px), self.syntax.nothing, prefix, max_boxes)

    def forms(self, seen_px: SeenPx | None, size_px: tuple[int, int] | None) -> Sequence[AnswerForm]:
        """The forms whose answers ``possible`` follows."""
        return self.syntax.forms(self.space.highest(seen_px))
