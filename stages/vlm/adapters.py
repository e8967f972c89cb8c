"""Adapters and the base that they belong to: a card beside every adapter says which weights it was trained on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.core.stage import StageError
from stages.vlm.bases import base_model
from stages.vlm.card import Base, weights_hash

CARD = "adapter_card.json"


@dataclass(frozen=True)
class AdapterCard:
    """``base_hash`` is ``card.weights_hash`` of the base; ``examples`` counts what the arm was trained on."""

    arm: str
    base: str
    base_hash: str
    steps: int
    examples: int
    images: int
    trainable_weights: int


def write_adapter_card(folder: Path, card: AdapterCard) -> None:
    """Write the card beside the adapter's weights."""
    (folder / CARD).write_text(json.dumps(asdict(card), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_adapter(folder: Path, base: Base) -> AdapterCard:
    """The adapter's card, when it belongs to this base.

    Raises:
        StageError: the folder holds no adapter, a damaged one, or one of another base.
    """
    path = folder / CARD
    if not path.exists() or not (folder / "adapter_config.json").exists():
        raise StageError(f"{folder} holds no adapter ({CARD} or adapter_config.json is missing): run `dvc repro finetune`, or `dvc pull`")
    try:
        card = AdapterCard(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StageError(f"{path} cannot be read ({error}): fetch the adapter anew with `dvc pull`, or run `dvc repro finetune`") from error
    actual = weights_hash(base)
    if card.base_hash != actual:
        raise StageError(
            f"{folder} was trained on other weights or with other processor settings (base {card.base!r}, {card.base_hash[:12]}) than "
            f"{base.card.name!r} has now ({actual[:12]}): run `dvc repro finetune`, or point vlm.base at the base that it belongs to"
        )
    return card


def load_contender(base: Base, adapter: Path | None, dtype: str = "float32") -> Any:
    """The base, or the base with an adapter merged into its weights; evaluation mode.

    Raises:
        StageError: see ``check_adapter``.
        LoadError: see ``bases.base_model``.
    """
    if adapter is not None:
        check_adapter(adapter, base)
    model = base_model(base, dtype)
    if adapter is None:
        return model
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().eval()
    except (OSError, ValueError, SafetensorError) as error:
        cause = str(error).strip().splitlines()[0]
        raise StageError(f"{adapter}: the adapter does not load ({cause}): fetch it anew with `dvc pull`, or run `dvc repro finetune`") from error
