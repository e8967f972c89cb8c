"""``python -m stages.vlm.pretrain``: makes models/nano (weights and processor); a frozen stage of dvc.yaml."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.cache import cache_dir, request_key
from stages.core.params import Params, PretrainParams
from stages.core.stage import run_stage, seed_for
from stages.vlm.card import ModelCard, write_card
from stages.vlm.pretrain.pictures import make_pictures

if TYPE_CHECKING:
    from stages.vlm.pretrain.training import Base

OUT = Path("models/nano")
SCENES = "endless seeded generic scenes (coloured and grey shapes) with everyday referring language"


def make_base(params: Params) -> dict[str, Any]:
    """Train (or go on training), save model, processor and card, return the held-out accuracy by kind."""
    from stages.vlm.pretrain.training import pretrain

    seed = seed_for(params.seed, "pretrain")
    if params.pretrain.picture_share > 0 and params.pretrain.patients_of is None:
        make_pictures(params)
    key = request_key([dataclasses.asdict(params.pretrain), seed])[:16]
    base = pretrain(params.pretrain, seed, cache_dir("pretrain") / key, Path("metrics/plots/pretrain.csv"))
    save_base(base, OUT, card_of(params.pretrain, base.scores, base.minutes))
    return {"heldout_acc_at_50": base.scores, "weights": sum(weight.numel() for weight in base.model.parameters())}


def save_base(base: Base, out: Path, card: ModelCard) -> None:
    """Weights, processor and card of a base, readable for everybody (``save_pretrained`` leaves them to their owner)."""
    out.mkdir(parents=True, exist_ok=True)
    base.model.save_pretrained(out)
    base.processor.save_pretrained(out)
    write_card(out, card)
    for path in out.iterdir():
        os.chmod(path, 0o644)


def card_of(params: PretrainParams, scores: dict[str, float], minutes: float) -> ModelCard:
    """The base's card, from its parameters and its held-out accuracy."""
    named = {"generic_scenes": scores["all"], **{key: scores[key] for key in ("name_one", "name_all", "name_none") if key in scores}}
    return ModelCard(
        name="nano",
        family="nano",
        path=".",
        revision=None,
        codec="loc1000",
        image_px=params.image_px,
        data=f"{SCENES}; {_pictures(params)}",
        steps=params.steps,
        minutes=minutes,
        scores={f"heldout_{key}_acc_at_50": round(value, 3) for key, value in named.items()},
        limits=LIMITS,
        licence="CC0-1.0",
    )


LIMITS = (
    "Knows the classes of its pictures by name; has met no clinical referring expression. Compares things by place better than "
    "by size; weak at forms, at second and third in size, at a crowd named as a whole, and at things below 5% of the side. "
    "Pictures of other kinds than its own are strange to it. A base for experiments, for no clinical use."
)


def _pictures(params: PretrainParams) -> str:
    share = f"{params.picture_share:.0%} of the images are medical pictures asked by class names alone"
    if params.picture_share <= 0:
        return "no medical picture"
    if params.patients_of:
        return f"{share}: those of the training patients of {params.patients_of}"
    return f"{share}: synthetic phantoms of patients of their own ({', '.join(f'{n} {name}' for name, n in sorted(params.cases.items()))})"


if __name__ == "__main__":
    run_stage("pretrain", make_base)
