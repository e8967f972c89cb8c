"""A model's answer to texts with claims: its form, what a text may not say, and what is wrong in words the model can use."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.core.claims import KINDS, RANK_ATTRIBUTES, Claim
from stages.generate.realise import STYLES
from stages.knowledge import words
from stages.knowledge.labels import labels
from stages.vlm.prompts import without_fence

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_WORDS = 40
_LONGEST_TEXT = 400
# What a text must not hold: how the target was marked, where its data lie, numbers of pixels.
FORBIDDEN = {
    "a word about the marking": r"\b(?:mask(?:s|ed)?|(?:bounding )?box(?:es|ed)?|outline[ds]?|annotat\w+|segment(?:ed|ation\w*)|yellow|contour\w*)\b",
    "coordinates": r"\b[xy]\s*[=:]\s*\d|\(\s*\d+(?:\.\d+)?\s*,\s*\d+|\[\s*\d|\b\d+\s*(?:px|pixels?)\b|\bcoordinates?\b|\d\s*%",
    "a file name": r"\b[\w-]+\.(?:png|jpe?g|dcm|nii(?:\.gz)?|tiff?|bmp|json)\b",
    "markup": r"[<>{}|\\]|```",
}
_SIDES, _EDGES = ("left", "right"), ("left", "right", "top", "bottom")
_VALUES: dict[str, tuple[str, ...]] = {
    "image_side": _SIDES,
    "patient_side": _SIDES,
    "vertical": ("upper", "lower"),
    "cell": ("centre", "upper left", "upper right", "lower left", "lower right"),
    "shape": ("round", "elongated", "irregular"),
    "appearance": ("bright", "dark"),
    "relation": ("left_of", "right_of", "above", "below", "inside", "touching", "nearest"),
    "border": _EDGES,
    "size_mm": ("about",),
}
_RANK = re.compile(rf"(?:{'|'.join(RANK_ATTRIBUTES)}):-?[1-9](?:-[1-9])?")


@dataclass(frozen=True)
class Text:
    """One usable text of an answer."""

    text: str
    style: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Reading:
    """Usable texts of an answer, and what is wrong with the rest: (code, complaint) pairs."""

    texts: list[Text]
    faults: list[tuple[str, str]]


def _model() -> type[BaseModel]:
    from pydantic import BaseModel, ConfigDict, Field

    class ClaimAnswer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: str = Field(json_schema_extra={"enum": list(KINDS)})
        value: str = Field(max_length=60)
        other: str | None
        number: float | None

    class TextAnswer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        text: str = Field(min_length=3, max_length=_LONGEST_TEXT)
        style: str = Field(json_schema_extra={"enum": list(STYLES)})
        claims: list[ClaimAnswer] = Field(max_length=8)

    class Answer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        queries: list[TextAnswer] = Field(min_length=1, max_length=8)

    return Answer


def answer_schema() -> dict[str, Any]:
    """JSON Schema of an answer, one self-contained tree (some servers resolve no references)."""
    schema = _model().model_json_schema()
    definitions = schema.pop("$defs")

    def inline(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return inline(definitions[node["$ref"].rsplit("/", 1)[1]])
            return {key: inline(value) for key, value in node.items() if key != "title"}
        return [inline(value) for value in node] if isinstance(node, list) else node

    return inline(schema)


def read_answer(text: str, label_value: str) -> Reading:
    """Usable texts of an answer about a target whose label claim has the value ``label_value``; never an exception."""
    from pydantic import ValidationError

    try:
        answer = _model().model_validate_json(without_fence(text))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        return Reading([], [("bad_schema", f"it is not JSON of the asked form ({place}: {first['msg']})")])
    texts: list[Text] = []
    faults: list[tuple[str, str]] = []
    for item in answer.queries:  # type: ignore[attr-defined]
        said = " ".join(item.text.split())
        fault = _text_fault(said) or _style_fault(item.style)
        claims, claim_fault = _claims([entry.model_dump() for entry in item.claims], label_value)
        if fault or claim_fault:
            faults.append(fault or claim_fault)  # type: ignore[arg-type]
        else:
            texts.append(Text(said, item.style, claims))
    return Reading(texts, faults)


def _text_fault(text: str) -> tuple[str, str] | None:
    for what, pattern in FORBIDDEN.items():
        if found := re.search(pattern, text, re.IGNORECASE):
            return "forbidden_words", f"the text {text[:80]!r} holds {what} ({found[0]!r})"
    if not text.isprintable():
        return "forbidden_words", f"the text {text[:80]!r} holds control characters"
    if len(text.split()) > MAX_WORDS:
        return "too_long", f"the text {text[:80]!r} has {len(text.split())} words, at most {MAX_WORDS} are allowed"
    return None


def _style_fault(style: str) -> tuple[str, str] | None:
    return None if style in STYLES else ("bad_schema", f"style {style!r} is none of {', '.join(STYLES)}")


def _claims(entries: list[dict[str, Any]], label_value: str) -> tuple[tuple[Claim, ...], tuple[str, str] | None]:
    """Claims of an answer with the target's label before them; or the first that is not in the language."""
    claims = [Claim("label", label_value)]
    for entry in entries:
        if entry["kind"] == "label":
            if entry["value"] != label_value:
                return (), ("bad_claim", f"the label is {label_value!r}, not {entry['value']!r}")
            continue
        if not _is_claim(entry):
            return (), ("bad_claim", f"{json.dumps(entry)} is no claim of the language")
        claim = Claim(**entry)
        if claim not in claims:
            claims.append(claim)
    return tuple(claims), None


def _is_claim(entry: dict[str, Any]) -> bool:
    kind, value, other, number = entry["kind"], entry["value"], entry["other"], entry["number"]
    if kind == "rank":
        return bool(_RANK.fullmatch(value)) and other is None and number is None
    if kind == "count":
        return number is not None and number >= 1 and value in (str(int(number)), *words.phrases()["count"])
    if value not in _VALUES.get(kind, ()):
        return False
    return (kind == "relation") == (other in labels()) and (kind == "size_mm") == (number is not None)
