"""Molmo: ``<point x="12.3" y="45.6" alt="label">label</point>``, per cent of the image with one decimal; points only.

Several points: ``<points x1=".." y1=".." x2=".." y2=".." alt="label">label</points>``; none: "There are none."
A box becomes its centre. A point never becomes a box: decoding gives DecodedPoints, which are scored by pointing
(``metric``), in reading order of the boxes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stages.vlm.codecs.codec import fitting, judged, without_boxes
from stages.vlm.codecs.forms import LABEL, AnswerForm, Part, answer_possible, answers_ebnf, check_label, quoted, row
from stages.vlm.codecs.interface import TARGET, DecodedPoints, Metric, Repair, SeenPx, check_boxes, check_image, reading_order
from stages.vlm.codecs.reading import Reading, without_thinking

TENTHS: Final = 1000
NONE_THERE: Final = "There are none."
_SPELLINGS: Final = {f"{tenths // 10}.{tenths % 10}": tenths for tenths in range(TENTHS + 1)}
_BEGINNINGS: Final = frozenset(spelling[:end] for spelling in _SPELLINGS for end in range(len(spelling) + 1))
_VALUE: Final = r'"\s*(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*"'
_PAIR: Final = re.compile(rf"\bx([0-9]{{0,3}})\s*=\s*{_VALUE}\s+y\1\s*=\s*{_VALUE}")
_PLAIN: Final = _PAIR.pattern.replace("(-?", "(?:-?").replace(r"\b", "")
_ONE: Final = re.compile(rf'<point\s+{_PLAIN}\s+alt="[^"<>]*"\s*>[^<>]*</point>')
_SEVERAL: Final = re.compile(rf'<points\s+(?:{_PLAIN}\s+)+alt="[^"<>]*"\s*>[^<>]*</points>')


@dataclass(frozen=True)
class Tenths:
    """Tenths of a per cent, 0.0 to 100.0, always with one decimal. Slots 0 and 1 are x and y."""

    def spell(self, value: int) -> str:
        """See Numbers."""
        return f"{value // 10}.{value % 10}"

    def rule(self, slot: int) -> str:
        """See Numbers."""
        return '([0-9] "." [0-9] | [1-9] [0-9] "." [0-9] | "100.0")'

    def allowed(self, slot: int, earlier: Mapping[int, int]) -> Sequence[range]:
        """See Numbers."""
        return [range(TENTHS + 1)]

    def value(self, text: str) -> int | None:
        """See Numbers."""
        return _SPELLINGS.get(text)

    def begins(self, text: str, allowed: Sequence[range]) -> bool:
        """See Numbers."""
        return text in _BEGINNINGS


@dataclass(frozen=True)
class NumberedPoints(AnswerForm):
    """Points whose attributes carry their number."""

    def box_at(self, count: int) -> tuple[Part, ...]:
        """See AnswerForm."""
        return f'x{count}="', 0, f'" y{count}="', 1, '"'

    def box_rules(self, name: str, most: int) -> list[str]:
        """See AnswerForm. Each number is written out; what may follow the fewest is nested."""
        rules = [f"{name} ::= " + row(self.words(self.opening, name), f"{name}_from1", self.words(self.closing, name))]
        for count in range(1, most + 1):
            more = row(quoted(self.separator), f"{name}_from{count + 1}")
            rest = "" if count == most else more if count < self.fewest else f"({more})?"
            rules.append(f"{name}_from{count} ::= " + row(self.words(self.box_at(count), name), rest))
        return rules


_CLOSING: Final[tuple[Part, ...]] = (' alt="', LABEL, '">', LABEL, "</points>")
FORMS: Final = (
    AnswerForm(Tenths(), ('x="', 0, '" y="', 1, '"'), ("<point ",), "", (*_CLOSING[:-1], "</point>"), most=1),
    NumberedPoints(Tenths(), (), ("<points ",), " ", _CLOSING, fewest=2),
)


@dataclass(frozen=True)
class Molmo:
    """See BoxCodec for the methods; ``quantum`` is half a tenth of a per cent of a point's coordinate."""

    name: str = "molmo"
    label: str = TARGET

    @property
    def quantum(self) -> float:
        """See BoxCodec."""
        return 0.5 / TENTHS

    @property
    def metric(self) -> Metric:
        """See BoxCodec."""
        return "pointing"

    def encode(
        self,
        boxes_xyxy_px: Sequence[Sequence[float]],
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        label: str | None = None,
    ) -> str:
        """See BoxCodec: the boxes' centres."""
        check_boxes(boxes_xyxy_px, width, height)
        written = check_label(self.label if label is None else label)
        if not boxes_xyxy_px:
            return NONE_THERE
        centres = [((x0 + x1) / 2 / width, (y0 + y1) / 2 / height) for x0, y0, x1, y1 in reading_order(boxes_xyxy_px)]
        points = [[round(share * TENTHS) for share in centre] for centre in centres]
        return fitting(FORMS, len(points)).write(points, written)

    def decode(
        self,
        text: str,
        width: int,
        height: int,
        seen_px: SeenPx | None = None,
        strict: bool = False,
        expected: int | None = None,
    ) -> DecodedPoints:
        """See BoxCodec; ``expected`` counts points."""
        check_image(width, height)
        answer, thought = without_thinking(text)
        return judged(self._decode(answer, width, height, ("thinking",) if thought else ()), strict, expected)

    def _decode(self, answer: str, width: int, height: int, repairs: tuple[Repair, ...]) -> DecodedPoints:
        found = list(_PAIR.finditer(answer))
        if not found:
            begun = re.search(r"<points?\s+x[0-9]*\s*=", answer) is not None
            return without_boxes(answer, Reading(repairs=repairs, outcome="wrong_count" if begun else "malformed"), NONE_THERE, DecodedPoints)
        shares = [(float(match.group(2)) / 100, float(match.group(3)) / 100) for match in found]
        if any(not (0 <= x <= 1 and 0 <= y <= 1) for x, y in shares):
            return DecodedPoints([], "out_of_range")
        exact = _ONE.fullmatch(answer.strip()) or _SEVERAL.fullmatch(answer.strip())
        whole = "</point" in answer[found[-1].end() :]
        repairs = repairs if exact else (*repairs, "words_around" if whole else "cut_off")
        if any(value not in _SPELLINGS for match in found for value in match.groups()[1:]):
            repairs = (*repairs, "decimals")
        points = [[x * width, y * height] for x, y in shares]
        label = re.search(r'\balt="([^"<>]*)"', answer)
        labels = [label.group(1) if label else ""] * len(points)
        return DecodedPoints([], "repaired" if repairs else "ok", labels, repairs, points)

    def ebnf(self, max_boxes: int, seen_px: SeenPx | None = None) -> str:
        """See BoxCodec: at most ``max_boxes`` points."""
        return answers_ebnf(FORMS, NONE_THERE, max_boxes)

    def possible(self, prefix: str, max_boxes: int, seen_px: SeenPx | None = None, size_px: tuple[int, int] | None = None) -> bool:
        """See BoxCodec."""
        return answer_possible(FORMS, NONE_THERE, prefix, max_boxes)


MOLMO: Final = Molmo()
