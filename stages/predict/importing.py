"""Answers that were made elsewhere, as JSON lines -> a contender's table, so that anybody's model is scored like ours.

A line names its example by ``example_id``, or by ``image`` (the sample's id) and ``text`` (the expression), and gives
either ``boxes`` or the raw ``answer`` for a codec. Nothing is dropped in silence: every example gets a row, and every
fault is counted by kind, printed and written to the table's about.json.

kinds  not_json, bad_line (no object, no key, boxes of another shape), unknown_id, duplicate (the first counts),
       missing (no line: the row is ``malformed``), bad_answer (the codec finds no box), not_finite, reversed (or
       empty), outside_image (all these rows are ``out_of_range``), clipped (up to 1% of the side beyond the image, cut at
       its edge: ``repaired``)
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.records import Example, Prediction
from stages.core.stage import StageError
from stages.predict.table import write_predictions

log = logging.getLogger("medground")
SPACES, ORDERS = ("px", "norm1", "norm1000"), ("xyxy", "yxyx", "xywh")
KINDS = (
    "not_json", "bad_line", "unknown_id", "duplicate", "missing", "bad_answer", "not_finite", "reversed", "outside_image", "clipped",
)  # fmt: skip
# Rounding to whole pixels or thousandths may pass an edge by this share of the side; anything further is another space.
_BEYOND = 0.01
_SHOWN = 20
_LONGEST_TEXT = 2000


class BadLine(ValueError):
    """A line that cannot be used; ``kind`` is one of KINDS."""

    def __init__(self, kind: str, cause: str) -> None:
        super().__init__(cause)
        self.kind = kind


@dataclass(frozen=True)
class Form:
    """What holds for lines that do not say otherwise: space and order of boxes, the codec of raw answers."""

    space: str = "px"
    order: str = "xyxy"
    codec: str | None = None


def import_answers(path: Path, contender: str, examples: Sequence[Example], form: Form, out: Path) -> dict[str, int]:
    """Write the table of ``contender`` from the lines of ``path``; returns the counts by kind.

    Raises:
        StageError: the file cannot be read, no line fits an example, or an unknown codec.
    """
    counts: Counter[str] = Counter()
    shown: list[str] = []
    rows: dict[str, Prediction] = {}
    finder = _Finder(examples)
    for number, text in _lines(path):
        try:
            line = _parsed(text)
            example = finder(line)
            if example.example_id in rows:
                raise BadLine("duplicate", f"{example.example_id} was answered already")
            rows[example.example_id] = _prediction(line, example, contender, form, counts)
        except BadLine as error:
            counts[error.kind] += 1
            if len(shown) < _SHOWN:
                shown.append(f"line {number}: {error.kind}: {error}")
    if not rows:
        what = "; ".join(shown[:3]) or "it is empty"
        raise StageError(f"{path}: no line answers an example of this split ({what}). Expected JSON lines with example_id and boxes, see README")
    for example in examples:
        if example.example_id not in rows:
            counts["missing"] += 1
            rows[example.example_id] = Prediction(example.example_id, contender, "", [], [], "malformed", 0)
    faults = {kind: counts[kind] for kind in KINDS}
    about = {"contender": contender, "imported": path.name, "faults": faults, "first_faults": shown, "form": vars(form)}
    write_predictions(out, list(rows.values()), about)
    _report(path, len(examples), faults, shown)
    return faults


def _report(path: Path, n: int, faults: dict[str, int], shown: Sequence[str]) -> None:
    answered = n - faults["missing"]
    log.info("%s: %d of %d examples answered; %s", path, answered, n, ", ".join(f"{kind} {count}" for kind, count in faults.items()))
    for line in shown:
        log.info("  %s", line)
    if faults["outside_image"] + faults["reversed"] > 0.1 * answered:
        log.warning("more than a tenth of the answers lie outside their images or are reversed: are --space and --order right?")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines that are not blank."""
    try:
        with path.open(encoding="utf-8-sig") as handle:
            for number, text in enumerate(handle, start=1):
                if text.strip():
                    yield number, text
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"--import {path}: cannot be read as UTF-8 text: {error}") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadLine("not_json", str(error)) from error
    if not isinstance(line, dict):
        raise BadLine("bad_line", "expected a JSON object")
    return line


class _Finder:
    """Examples by their id, or by image and text."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._by_id = {example.example_id: example for example in examples}
        self._by_words: dict[tuple[str, str], list[Example]] = {}
        for example in examples:
            self._by_words.setdefault((example.sample_id, example.text.strip()), []).append(example)

    def __call__(self, line: dict[str, Any]) -> Example:
        """The example that a line answers."""
        if "example_id" in line:
            found = self._by_id.get(line["example_id"]) if isinstance(line["example_id"], str) else None
            if found is None:
                raise BadLine("unknown_id", f"no example {line['example_id']!r} in this split")
            return found
        image, text = line.get("image"), line.get("text")
        if not isinstance(image, str) or not isinstance(text, str):
            raise BadLine("bad_line", "expected example_id, or image and text")
        matches = self._by_words.get((image.removesuffix(".png"), text.strip()), [])
        if len(matches) != 1:
            raise BadLine("unknown_id", f"{len(matches)} examples have image {image!r} and text {text!r}; give example_id")
        return matches[0]


def _prediction(line: dict[str, Any], example: Example, contender: str, form: Form, counts: Counter[str]) -> Prediction:
    """The row of a line; a fault of its boxes is counted and becomes the row's outcome."""
    if ("boxes" in line) == ("answer" in line):
        raise BadLine("bad_line", "expected either boxes or a raw answer")
    if "answer" in line:
        return _decoded(line, example, contender, form, counts)
    space, order = line.get("space", form.space), line.get("order", form.order)
    if space not in SPACES or order not in ORDERS:
        raise BadLine("bad_line", f"space {space!r} (expected {', '.join(SPACES)}) or order {order!r} (expected {', '.join(ORDERS)}) is unknown")
    given = _numbers(line["boxes"], "boxes")
    size = _size(line.get("size"), example)
    boxes, kinds = [], set()
    for numbers in given:
        box, kind = _placed(_ordered(numbers, order), space, size, example)
        boxes.append(box)
        kinds |= {kind} if kind else set()
    counts.update(kinds)
    outcome = "out_of_range" if kinds - {"clipped"} else "repaired" if kinds else "ok" if boxes else "none"
    kept = [] if outcome == "out_of_range" else boxes
    text = json.dumps(line["boxes"])[:_LONGEST_TEXT]
    return Prediction(example.example_id, contender, text, kept, _scores(line, len(given)) if kept else [], outcome, 0)


def _decoded(line: dict[str, Any], example: Example, contender: str, form: Form, counts: Counter[str]) -> Prediction:
    """The row of a raw answer."""
    from stages.vlm.codecs import CODECS

    name = line.get("codec", form.codec)
    if name not in CODECS:
        raise StageError(f"a raw answer needs a codec that is known, got {name!r}: give --codec, one of {', '.join(sorted(CODECS))}")
    if not isinstance(line["answer"], str):
        raise BadLine("bad_line", f"answer: expected text, got {line['answer']!r}")
    seen = line.get("seen")
    try:
        decoded = CODECS[name].decode(line["answer"], example.width, example.height, None if seen is None else _size(seen, example))
    except ValueError as error:
        raise BadLine("bad_line", f"seen: [width, height] of the picture that the model saw is needed for {name} ({error})") from error
    if decoded.outcome not in ("ok", "repaired", "none"):
        counts["bad_answer"] += 1
    scores = _scores(line, len(decoded.boxes_xyxy_px)) if decoded.boxes_xyxy_px else []
    return Prediction(example.example_id, contender, line["answer"][:_LONGEST_TEXT], decoded.boxes_xyxy_px, scores, decoded.outcome, 0)


def _numbers(value: Any, name: str) -> list[list[float]]:
    """A list of four numbers each; JSON's NaN and infinities pass, to be counted as such."""
    fits = isinstance(value, list) and all(isinstance(box, list) and len(box) == 4 for box in value)
    if not fits or any(isinstance(number, bool) or not isinstance(number, (int, float)) for box in value for number in box):
        raise BadLine("bad_line", f"{name}: expected a list of boxes of four numbers (an empty list: nothing there)")
    return [[float(number) for number in box] for box in value]


def _size(value: Any, example: Example) -> tuple[int, int]:
    """[width, height] that a line gives for its picture, else those of the example."""
    if value is None:
        return example.width, example.height
    if not isinstance(value, list) or len(value) != 2 or any(type(side) is not int or side <= 0 for side in value):
        raise BadLine("bad_line", f"expected [width, height] in whole pixels, got {value!r}")
    return value[0], value[1]


def _ordered(numbers: list[float], order: str) -> list[float]:
    a, b, c, d = numbers
    return {"xyxy": [a, b, c, d], "yxyx": [b, a, d, c], "xywh": [a, b, a + c, b + d]}[order]


def _placed(box: list[float], space: str, size: tuple[int, int], example: Example) -> tuple[list[float], str | None]:
    """The box in pixels of the example's image, and what is wrong with it."""
    if not all(math.isfinite(value) for value in box):
        return box, "not_finite"
    whole = {"px": size, "norm1": (1, 1), "norm1000": (1000, 1000)}[space]
    sides = (example.width, example.height) * 2
    scaled = [value / of * side for value, of, side in zip(box, whole * 2, sides, strict=True)]
    if scaled[0] >= scaled[2] or scaled[1] >= scaled[3]:
        return scaled, "reversed"
    if any(value < -_BEYOND * side or value > (1 + _BEYOND) * side for value, side in zip(scaled, sides, strict=True)):
        return scaled, "outside_image"
    cut = [min(max(value, 0.0), float(side)) for value, side in zip(scaled, sides, strict=True)]
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        return scaled, "outside_image"
    return cut, "clipped" if cut != scaled else None


def _scores(line: dict[str, Any], n_boxes: int) -> list[float]:
    """The line's scores, 1 for every box where it gives none."""
    scores = line.get("scores")
    if scores is None:
        return [1.0] * n_boxes
    fits = isinstance(scores, list) and len(scores) == n_boxes and all(type(score) in (int, float) and 0 <= score <= 1 for score in scores)
    if not fits:
        raise BadLine("bad_line", f"scores: expected a number between 0 and 1 for each of the {n_boxes} boxes")
    return [float(score) for score in scores]
