"""A model's answer to "is this right?": its closed form, and the vote that it is."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stages.verify.reasons import Reason
from stages.vlm.chat import ChatAnswer
from stages.vlm.prompts import without_fence

if TYPE_CHECKING:
    from pydantic import BaseModel

Word = Literal["yes", "no", "unsure"]
PresentReason = Literal["all_right", "nothing_there", "another_thing", "wrong_place", "wrong_look", "wrong_number", "others_fit_too", "box_off", "poor_picture"]
AbsentReason = Literal["nothing_fits", "something_fits", "poor_picture"]
# Questions about marked targets in the order in which a "no" names the reason of the rejection.
_AGAINST: dict[str, Reason] = {"visible": "not_visible", "described": "wrong_description", "fits": "wrong_box"}


@dataclass(frozen=True)
class Vote:
    """One usable answer. ``says`` whether the query is right; ``against`` why not; ``words`` are the answer's own fields."""

    says: Word
    against: Reason | None
    words: tuple[tuple[str, str], ...]


@functools.cache
def _model(absent: bool) -> type[BaseModel]:
    from pydantic import BaseModel, ConfigDict

    class PresentAnswer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        visible: Word
        described: Word
        fits: Word
        reason: PresentReason

    class AbsentAnswer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        present: Word
        reason: AbsentReason

    return AbsentAnswer if absent else PresentAnswer


@functools.cache
def answer_schema(absent: bool) -> dict[str, Any]:
    """JSON Schema of an answer about marked targets, or about something that is said to be absent."""
    schema = _model(absent).model_json_schema()
    properties = {name: {key: value for key, value in field.items() if key != "title"} for name, field in schema["properties"].items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_vote(answer: ChatAnswer, absent: bool) -> tuple[Vote | None, list[tuple[str, str]]]:
    """The vote of an answer; or None and what is wrong with it. Never an exception."""
    from pydantic import ValidationError

    try:
        words = _model(absent).model_validate_json(without_fence(answer.text)).model_dump()
    except ValidationError as error:
        if answer.finish == "length":
            return None, [("truncated", f"it was cut off after {answer.completion_tokens} tokens: raise max_tokens, or answer with JSON alone")]
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        return None, [("bad_schema", f"it is not JSON of the asked form ({place}: {first['msg']})")]
    said = tuple((name, str(word)) for name, word in words.items())
    if absent:
        says: Word = {"yes": "no", "no": "yes", "unsure": "unsure"}[words["present"]]  # type: ignore[assignment]
        return Vote(says, "target_present" if says == "no" else None, said), []
    against = next((code for name, code in _AGAINST.items() if words[name] == "no"), None)
    sure = all(words[name] == "yes" for name in _AGAINST)
    return Vote("no" if against else "yes" if sure else "unsure", against, said), []
