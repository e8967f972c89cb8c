"""The form of a family's answers: written, turned into a grammar and followed letter by letter from one description.

An answer is ``opening box (separator box)* closing``; a box is a row of literal texts, numbers (slots) and the label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from stages.vlm.codecs.numbers import Numbers

LABEL: Final = -1
LONGEST_LABEL = 64
LABEL_SIGNS = r"A-Za-z0-9 ,.()'/+%-"
_LABEL = re.compile(rf"[{LABEL_SIGNS}]*")
_NUMBER = re.compile(r"[0-9.]*")
_BARE = LABEL_SIGNS.replace(" ", "")
LABEL_RULE = f"label ::= [{_BARE}] ([{LABEL_SIGNS}]{{0,{LONGEST_LABEL - 2}}} [{_BARE}])?"
Part = str | int


def check_label(label: str) -> str:
    """The label itself, when every family can write it and the grammar accepts it.

    Raises:
        ValueError: it is empty, "none", too long, or has other signs than letters, digits, spaces and ``,.()'/+%-``.
    """
    plain = label == label.strip() and 0 < len(label) <= LONGEST_LABEL and _LABEL.fullmatch(label)
    if not plain or label.lower() in ("none", "none."):
        raise ValueError(f"label {label!r} cannot be written: expected 1 to {LONGEST_LABEL} letters, digits, spaces or ,.()'/+%- and not the word none")
    return label


@dataclass(frozen=True)
class AnswerForm:
    """Parts are texts, slots (0, 1, .., in boxes only) and LABEL. ``fewest`` boxes at least, ``most`` at most."""

    numbers: Numbers
    box: tuple[Part, ...]
    opening: tuple[Part, ...] = ()
    separator: str = ""
    closing: tuple[Part, ...] = ()
    fewest: int = 1
    most: int | None = None

    def box_at(self, count: int) -> tuple[Part, ...]:
        """Parts of the box of that number, from 1 on; the same for all unless a family numbers them."""
        return self.box

    def write(self, boxes: Sequence[Sequence[int]], label: str) -> str:
        """Text of boxes given by their slots' numbers."""
        words = [self._spell(self.box_at(count), box, label) for count, box in enumerate(boxes, start=1)]
        return self._spell(self.opening, (), label) + self.separator.join(words) + self._spell(self.closing, (), label)

    def _spell(self, parts: Sequence[Part], box: Sequence[int], label: str) -> str:
        return "".join(part if isinstance(part, str) else label if part == LABEL else self.numbers.spell(box[part]) for part in parts)

    def limit(self, max_boxes: int) -> int:
        """The most boxes of this form when an answer may have ``max_boxes``."""
        return max_boxes if self.most is None else min(self.most, max_boxes)

    def rules(self, name: str, max_boxes: int) -> list[str]:
        """EBNF rules; the first is called ``name``. Empty when the form needs more boxes than allowed."""
        most = self.limit(max_boxes)
        if most < self.fewest:
            return []
        slots = sorted({part for part in self.box_at(1) if isinstance(part, int) and part != LABEL})
        return [*self.box_rules(name, most), *(f"{name}_slot{slot} ::= {self.numbers.rule(slot)}" for slot in slots)]

    def box_rules(self, name: str, most: int) -> list[str]:
        """Rules of the answer and its boxes, without those of the slots."""
        repeat = f"{name}_more{{{self.fewest - 1},{most - 1}}}" if most > 1 else ""
        rules = [
            f"{name} ::= " + row(self.words(self.opening, name), f"{name}_box", repeat, self.words(self.closing, name)),
            f"{name}_box ::= " + self.words(self.box_at(1), name),
        ]
        return [*rules, f"{name}_more ::= " + row(quoted(self.separator), f"{name}_box")] if most > 1 else rules

    def words(self, parts: Sequence[Part], name: str) -> str:
        """Parts as EBNF."""
        return row(*(quoted(part) if isinstance(part, str) else "label" if part == LABEL else f"{name}_slot{part}" for part in parts))

    def possible(self, prefix: str, max_boxes: int) -> bool:
        """Whether an answer of this form, with no box reversed or empty, begins with ``prefix``."""
        most = self.limit(max_boxes)
        if most < self.fewest:
            return False
        walk = _Walk(prefix, self.numbers)
        walk.along(self.opening)
        for count in range(1, most + 1):
            walk.along(self.box_at(count))
            if count >= self.fewest and walk.ends(self.closing):
                return True
            if count < most:
                walk.along((self.separator,))
        return walk.verdict is True


@dataclass
class _Walk:
    """A text followed along the parts of a form. ``verdict``: None while it fits and goes on, then final."""

    text: str
    numbers: Numbers
    at: int = 0
    verdict: bool | None = None

    @property
    def rest(self) -> str:
        return self.text[self.at :]

    def along(self, parts: Sequence[Part]) -> None:
        """Go on; a text that ends before the parts do is possible, because every number left a way on."""
        earlier: dict[int, int] = {}
        for part in parts:
            if self.verdict is None and self.at == len(self.text):
                self.verdict = True
            if self.verdict is not None:
                return
            if isinstance(part, str):
                self._literal(part)
            elif part == LABEL:
                self._label()
            else:
                self._number(part, earlier)

    def ends(self, closing: Sequence[Part]) -> bool:
        """Whether the rest of the text is the closing, or a beginning of it."""
        if self.verdict is not None:
            return self.verdict
        end = replace(self)
        end.along(closing)
        return end.verdict is True or (end.verdict is None and end.at == len(end.text))

    def _literal(self, part: str) -> None:
        if self.text.startswith(part, self.at):
            self.at += len(part)
        else:
            self.verdict = part.startswith(self.rest)

    def _label(self) -> None:
        word = _matched(_LABEL, self.text, self.at)
        bare = word.rstrip(" ")  # a space after it belongs to what follows
        if not bare or word[0] == " " or len(bare) > LONGEST_LABEL:
            self.verdict = False
        elif self.at + len(word) == len(self.text) and len(word) < LONGEST_LABEL:
            self.verdict = True
        else:
            self.at += len(bare)

    def _number(self, slot: int, earlier: dict[int, int]) -> None:
        word = _matched(_NUMBER, self.text, self.at)
        allowed = self.numbers.allowed(slot, earlier)
        if self.at + len(word) == len(self.text):
            self.verdict = self.numbers.begins(word, allowed)
            return
        value = self.numbers.value(word)
        if value is None or not any(value in numbers for numbers in allowed):
            self.verdict = False
            return
        earlier[slot] = value
        self.at += len(word)


def answers_ebnf(forms: Sequence[AnswerForm], nothing: str, max_boxes: int) -> str:
    """The whole grammar: no box, or one of the forms.

    Raises:
        ValueError: ``max_boxes`` is negative.
    """
    check_most(max_boxes)
    ruled = {f"form{index}": form.rules(f"form{index}", max_boxes) for index, form in enumerate(forms)}
    root = "root ::= " + " | ".join([quoted(nothing), *(name for name, rules in ruled.items() if rules)])
    rows = [row for rules in ruled.values() for row in rules]
    label = [LABEL_RULE] if any(" label" in row for row in rows) else []
    return "\n".join([root, *rows, *label]) + "\n"


def answer_possible(forms: Sequence[AnswerForm], nothing: str, prefix: str, max_boxes: int) -> bool:
    """Whether one of the answers of ``answers_ebnf`` without reversed boxes begins with ``prefix``.

    Raises:
        ValueError: ``max_boxes`` is negative.
    """
    check_most(max_boxes)
    return nothing.startswith(prefix) or any(form.possible(prefix, max_boxes) for form in forms)


def check_most(max_boxes: int) -> None:
    """Refuse a negative number of boxes.

    Raises:
        ValueError: see above.
    """
    if max_boxes < 0:
        raise ValueError(f"max_boxes must be 0 or more, not {max_boxes}")


def _matched(pattern: re.Pattern[str], text: str, at: int) -> str:
    found = pattern.match(text, at)
    return found.group() if found else ""


def row(*words: str) -> str:
    """Words of an EBNF rule, the empty ones left out."""
    return " ".join(word for word in words if word)


def quoted(text: str) -> str:
    """An EBNF literal; empty for an empty text."""
    return json.dumps(text) if text else ""
