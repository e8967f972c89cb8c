"""Answers as a JSON list of objects, each with four numbers under the family's key and a label."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.vlm.codecs.forms import LABEL, AnswerForm
from stages.vlm.codecs.groups import XYXY, Order, arranged
from stages.vlm.codecs.interface import Repair
from stages.vlm.codecs.numbers import Corners
from stages.vlm.codecs.reading import MALFORMED, WRONG_COUNT, Reading
from stages.vlm.codecs.spaces import Quad

_FENCED = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)
_OBJECT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class JsonList:
    """``[{"<key>": [a, b, c, d], "label": ".."}]``; ``order`` names the coordinates a, b, c, d; an empty list: no target.

    ``fenced``: the answer stands in a Markdown code fence. Only this key is read: a neighbour's key may mean another order.
    """

    key: str
    order: Order = XYXY
    fenced: bool = False
    thinks: bool = False

    @property
    def nothing(self) -> str:
        """See Syntax."""
        return "```json\n[]\n```" if self.fenced else "[]"

    def forms(self, highest: tuple[int, int]) -> tuple[AnswerForm, ...]:
        """See Syntax."""
        a, b, c, d = self.order
        box = (f'{{"{self.key}": [', a, ", ", b, ", ", c, ", ", d, '], "label": "', LABEL, '"}')
        opening, closing = ("```json\n[", "]\n```") if self.fenced else ("[", "]")
        return (AnswerForm(Corners(highest=highest), box, (opening,), ", ", (closing,)),)

    def slots(self, quad: Quad) -> tuple[int, ...]:
        """See Syntax."""
        return quad

    def read(self, text: str) -> Reading:
        """See Syntax."""
        stripped = text.strip()
        inside = _FENCED.fullmatch(stripped)
        answer = _parsed(inside.group(1) if inside else stripped)
        fence: tuple[Repair, ...] = () if bool(inside) == self.fenced else ("code_fence",)
        if isinstance(answer, list) and answer:
            return self._entries(answer, fence)
        if isinstance(answer, dict) and self.key in answer:
            return self._entries([answer], (*fence, "single"))
        return self._salvaged(stripped) if answer is None else MALFORMED

    def _entries(self, entries: Sequence[Any], repairs: tuple[Repair, ...]) -> Reading:
        """Numbers of parsed objects; one object of another structure makes the whole malformed."""
        rows: list[list[Any]] = []
        for entry in entries:
            row = entry.get(self.key) if isinstance(entry, dict) else None
            if not isinstance(row, list) or not all(_is_number(value) for value in row):
                return MALFORMED
            rows.append(row)
        if any(len(row) != 4 for row in rows):
            return WRONG_COUNT
        labels = [entry.get("label", "") for entry in entries]
        decimals: tuple[Repair, ...] = ("decimals",) if any(isinstance(value, float) for row in rows for value in row) else ()
        boxes = [arranged(row, self.order) for row in rows]
        return Reading(boxes, [label if isinstance(label, str) else "" for label in labels], (*repairs, *decimals))

    def _salvaged(self, text: str) -> Reading:
        """Whole objects inside a text that is not JSON: words around them, or an answer that was cut off."""
        objects = list(_OBJECT.finditer(text))
        entries = [entry for entry in (_parsed(found.group()) for found in objects) if isinstance(entry, dict) and self.key in entry]
        tail = text[objects[-1].end() :] if objects else text
        cut = f'"{self.key}"' in tail
        if not entries:
            return WRONG_COUNT if cut and re.search(r"[0-9]", tail) else MALFORMED
        return self._entries(entries, ("cut_off",) if cut or _open_list(text, tail) else ("words_around",))


def _open_list(text: str, tail: str) -> bool:
    """Whether a list was begun and nothing but its next entry's beginning follows the last whole object."""
    return text.lstrip("` \njson").startswith("[") and re.fullmatch(r"[\s,]*(?:\{[^}]*)?", tail) is not None


def _parsed(text: str) -> Any:
    """The JSON value of a text; None for text that is none (or null, or has a key twice in one object)."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object: which one counts is not certain")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
