"""A codec is a number space and a syntax. What they have in common stands here: order, checks, outcomes, grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stages.vlm.codecs.forms import AnswerForm, answer_possible, answers_ebnf, check_label
from stages.vlm.codecs.interface import TARGET, Decoded, Metric, SeenPx, check_boxes, check_image, reading_order
from stages.vlm.codecs.reading import Reading, refuses, says_nothing, without_thinking
from stages.vlm.codecs.spaces import Quad, Space


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
        form = next(form for form in self.syntax.forms(highest) if form.fewest <= len(slots) == form.limit(len(slots)))
        return form.write(slots, written)

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
        decoded = self._decode(text, width, height, seen_px)
        if strict and decoded.repairs:
            return Decoded([], "wrong_count" if "cut_off" in decoded.repairs else "malformed")
        counts = {"ok", "repaired", "none"}
        if expected is not None and decoded.outcome in counts and len(decoded.boxes_xyxy_px) != expected:
            return Decoded([], "wrong_count")
        return decoded

    def _decode(self, text: str, width: int, height: int, seen_px: SeenPx | None) -> Decoded:
        answer, thought = without_thinking(text)
        reading = self.syntax.read(answer)
        if thought and not self.syntax.thinks:
            reading = replace(reading, repairs=(*reading.repairs, "thinking"))
        if not reading.numbers:
            return self._without_boxes(answer, reading)
        placed = [self.space.place(numbers, width, height, seen_px) for numbers in reading.numbers]
        boxes = [place for place in placed if place is not None]
        if len(boxes) < len(placed):
            return Decoded([], "out_of_range")
        repairs = (*reading.repairs, "padding") if any(place.cut for place in boxes) else reading.repairs
        return Decoded([place.box_xyxy_px for place in boxes], "repaired" if repairs else "ok", reading.labels, repairs)

    def _without_boxes(self, answer: str, reading: Reading) -> Decoded:
        nothing = says_nothing(answer, self.syntax.nothing)
        if nothing is not None:
            repairs = reading.repairs if nothing else (*reading.repairs, "words_around")
            return Decoded([], "none", repairs=repairs)
        if reading.outcome == "wrong_count":
            return Decoded([], "wrong_count")
        return Decoded([], "refusal" if refuses(answer) else "malformed")

    def ebnf(self, max_boxes: int, seen_px: SeenPx | None = None) -> str:
        """See BoxCodec."""
        return answers_ebnf(self.syntax.forms(self.space.highest(seen_px)), self.syntax.nothing, max_boxes)

    def possible(self, prefix: str, max_boxes: int, seen_px: SeenPx | None = None) -> bool:
        """See BoxCodec."""
        return answer_possible(self.syntax.forms(self.space.highest(seen_px)), self.syntax.nothing, prefix, max_boxes)
