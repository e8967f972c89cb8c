"""Who answers: the base, the base with an adapter, or one expert a modality."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.params import PredictParams, require
from stages.core.stage import StageError
from stages.predict.asks import Ask

if TYPE_CHECKING:
    from stages.predict.generation import Pointer
    from stages.vlm.card import Base

ADAPTERS = Path("models/adapter")
BASE, EXPERTS, NO_ADAPTER = "base", "experts", "none"


@dataclass(frozen=True)
class Part:
    """Questions that one set of weights answers: the base's (no adapter) or those with an adapter."""

    adapter: Path | None
    asks: list[Ask]


def check_settings(params: PredictParams) -> None:
    """Ranges of the ``predict`` block.

    Raises:
        ParamError: names the parameter.
    """
    for name in ("batch_size", "batch_tokens", "max_boxes"):
        require(getattr(params, name) > 0, f"predict:{name}", "at least 1", getattr(params, name))


def adapter_of(contender: str, given: str | None) -> Path | None:
    """The adapter's folder: what ``--adapter`` says ("none" is the base), else the one that goes with the contender's name."""
    if given is not None:
        return None if given == NO_ADAPTER else Path(given)
    return None if contender == BASE else ADAPTERS / contender


def parts_of(adapter: Path | None, asks: Sequence[Ask]) -> list[Part]:
    """The questions by the weights that answer them; a folder of experts routes each question by its modality.

    Raises:
        StageError: there is no expert for a modality that is asked about.
    """
    if adapter is None or not _holds_experts(adapter):
        return [Part(adapter, list(asks))]
    parts, missing = [], []
    for modality in sorted({ask.modality for ask in asks}):
        folder = adapter / expert_name(modality)
        if not (folder / "adapter_config.json").exists():
            missing.append(modality or "(none stated)")
        parts.append(Part(folder, [ask for ask in asks if ask.modality == modality]))
    if missing:
        known = ", ".join(sorted(path.parent.name for path in adapter.glob("*/adapter_config.json")))
        raise StageError(
            f"{adapter} has no expert for {', '.join(missing)} (experts: {known}): an expert is trained where the training split has "
            "examples of its modality; run `dvc repro finetune`, or ask another contender"
        )
    return parts


def expert_name(modality: str) -> str:
    """Folder of a modality's expert."""
    return modality


def _holds_experts(adapter: Path) -> bool:
    own = (adapter / "adapter_config.json").exists()
    return not own and (adapter.name == EXPERTS or any(adapter.glob("*/adapter_config.json")))


def load_pointer(base: Base, adapter: Path | None, params: PredictParams) -> Pointer:
    """Model, processor and grammar, on the accelerator in bf16 where there is one, else on one core in float32.

    Raises:
        StageError: the adapter is missing or belongs to another base, or the accelerator's memory does not suffice.
        LoadError: the base does not load here.
    """
    import torch

    from stages.predict.generation import Pointer
    from stages.vlm.adapters import load_contender
    from stages.vlm.bases import base_processor
    from stages.vlm.cpu import use_one_core

    device, precision = device_and_precision()
    if device == "cpu":
        use_one_core()
    # An adapter is merged in float32: in bf16 small updates would be rounded away.
    model = load_contender(base, adapter, "float32" if adapter is not None else precision)
    try:
        model = model.to(device=device, dtype=getattr(torch, precision))
    except torch.OutOfMemoryError as error:
        raise StageError(f"{device} has no room for the weights of {base.card.name!r}: free it, choose a smaller vlm.base, or hide it (CUDA_VISIBLE_DEVICES=)") from error
    return Pointer(model, base_processor(base), base.family, params.max_boxes, params.constrained)


def device_and_precision() -> tuple[str, str]:
    """("cuda", "bfloat16") where there is a GPU, else ("cpu", "float32")."""
    import torch

    return ("cuda", "bfloat16") if torch.cuda.is_available() else ("cpu", "float32")


def identity_of(base: Base, adapter: Path | None, params: PredictParams) -> dict[str, Any]:
    """All that an answer depends on beside the question: weights, decoding, precision, and the code that asks."""
    import torch
    import transformers

    from stages.vlm.card import weights_hash

    device, precision = device_and_precision()
    return {
        "base": weights_hash(base),
        "adapter": None if adapter is None else _files_hash(sorted(path for path in adapter.iterdir() if path.is_file())),
        "family": base.card.family,
        "max_boxes": params.max_boxes,
        "constrained": params.constrained,
        "device": device,
        "precision": precision,
        "versions": [torch.__version__, transformers.__version__],
        "code": _code_hash(),
    }


def _code_hash() -> str:
    """Over the sources that prompts, batches and answers come from: other code must not meet answers of the old one."""
    here, vlm = Path(__file__).parent, Path(__file__).parent.parent / "vlm"
    own = [here / f"{name}.py" for name in ("batching", "generation", "grammar", "locations", "steering")]
    shared = [vlm / f"{name}.py" for name in ("adapters", "bases", "cpu", "loading", "packing")]
    return _files_hash([*own, *shared, *sorted((vlm / "codecs").glob("*.py")), *sorted((vlm / "families").glob("*.py"))])


def _files_hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
