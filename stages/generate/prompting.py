"""From a target to the question that a model is asked. The words stand in ``prompts/``; their hash goes with every query."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from stages.core.claims import Scene
from stages.core.params import GenerateParams
from stages.generate.answers import MAX_WORDS, answer_schema
from stages.generate.realise import STYLES
from stages.generate.scenes import Shown
from stages.generate.targets import Target, also_there, facts, plain, siblings
from stages.knowledge import words
from stages.knowledge.labels import label
from stages.vlm.chat import ChatRequest
from stages.vlm.marking import plain_and_marked
from stages.vlm.prompts import prompts_hash, render

PROMPTS = Path(__file__).parent / "prompts"


@functools.cache
def prompt_hash() -> str:
    """Hash of the prompt files and of the answer's schema."""
    return prompts_hash(PROMPTS, answer_schema())


def request_for(scene: Scene, target: Target, shown: Shown, params: GenerateParams) -> ChatRequest:
    """The question about one target: rules, plain picture, marked picture (where there is a target), measured facts."""
    masks = [shown.masks[anchor_id] for anchor_id in target.anchor_ids]
    picture, marked = plain_and_marked(shown.image, masks, params.mark, params.picture_px)
    image = words.modality(scene.modality).image
    system = render(
        PROMPTS, "system", image=image, marked=marked is not None, mark=params.mark, max_words=MAX_WORDS,
        sides=scene.image_left_is is not None, millimetres=scene.spacing_mm is not None,
    )  # fmt: skip
    asked = render(PROMPTS, "target", image=image, **_asked(scene, target, shown, params))
    return ChatRequest(system, (picture, *([marked] if marked else []), asked), answer_schema(), "referring_expressions")


def _asked(scene: Scene, target: Target, shown: Shown, params: GenerateParams) -> dict[str, Any]:
    return {
        "kind": target.kind,
        "body_part": shown.body_part,
        "texts": params.texts_per_target,
        "n_targets": len(target.anchor_ids),
        "claims": _json([plain(claim) for claim in target.claims]),
        "names": _json(_names(target)),
        "facts": "" if target.kind == "name" else _json_or_nothing(facts(scene, target)),
        "siblings": _json_or_nothing(siblings(scene, target)),
        "others": _json_or_nothing(also_there(scene, target)),
        "styles": ", ".join(_styles(target, params.texts_per_target)),
    }


def _names(target: Target) -> list[str]:
    """Noun phrases that a clinician uses for the label, for one or for several."""
    entries = [label(name) for name in target.claims[0].value.split("|")]
    if len(entries) > 1:
        return [entries[0].pair_plural or entries[0].name]
    plural = [entries[0].plural] if entries[0].plural else []
    return plural if len(target.anchor_ids) > 1 and plural else entries[0].names


def _styles(target: Target, texts: int) -> list[str]:
    """Styles of the asked texts, in turn. A report does not speak of what is not there."""
    usable = [style for style in STYLES if target.anchor_ids or style != "report"]
    return [usable[place % len(usable)] for place in range(texts)]


def complaint(faults: list[tuple[str, str]]) -> str:
    """What is sent back when an answer cannot be used."""
    return render(PROMPTS, "repair", complaint="; ".join(cause for _, cause in faults[:3]) + ".")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _json_or_nothing(value: Any) -> str:
    return _json(value) if value else ""
