"""The low-rank adapter: which layers it touches, how it starts, how it is written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.core.params import FinetuneParams, LoraParams
from stages.core.stage import StageError
from stages.vlm.adapters import AdapterCard, write_adapter_card
from stages.vlm.bases import base_model
from stages.vlm.card import Base
from stages.vlm.cpu import use_lean_attention
from stages.vlm.families import PARTS, Family, target_modules

AUTO, LEAN = "auto", "lean"


def lora_config(params: LoraParams, family: Family, model: Any) -> Any:
    """PEFT configuration; ``targets`` are parts of the model, all of whose linear layers get low-rank updates.

    Raises:
        StageError: unknown part, or a module to save that the model does not have.
    """
    from peft import LoraConfig

    unknown = [part for part in params.targets if part not in PARTS]
    if unknown or not params.targets:
        raise StageError(f"params.yaml:finetune:lora:targets must name some of {', '.join(PARTS)}, got {params.targets}")
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    for name in params.modules_to_save:
        if name not in names:
            raise StageError(f"params.yaml:finetune:lora:modules_to_save: this base has no module {name!r}; give the last part of a module's path, or []")
    return LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        use_rslora=params.rslora,
        use_dora=params.dora,
        target_modules=target_modules(family, model, params.targets),
        modules_to_save=list(params.modules_to_save) or None,
    )


def adapted(base: Base, family: Family, params: FinetuneParams, seed: int) -> Any:
    """The base with fresh adapter weights, drawn from the seed (equal for all arms).

    Trained weights are float32 in every precision: small steps vanish in bfloat16.

    Raises:
        StageError: see ``lora_config``.
        LoadError: see ``vlm.bases.base_model``.
    """
    import torch

    torch.manual_seed(seed % 2**31)
    return with_adapter(base_model(base, "bfloat16" if params.precision == "bf16_base" else "float32"), family, params)


def with_adapter(model: Any, family: Family, params: FinetuneParams) -> Any:
    """A model with fresh adapter weights from torch's generator, as ``adapted`` gives it.

    Raises:
        StageError: see ``lora_config``.
    """
    from peft import get_peft_model

    attention = (LEAN if family.packed else "sdpa") if params.attention == AUTO else params.attention
    if attention == LEAN:
        use_lean_attention(model)
    else:
        model.set_attn_implementation(attention)
    if params.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model = get_peft_model(model, lora_config(params.lora, family, model))
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return model


def adapter_weights(model: Any, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """The adapter's tensors under their saved names, on the CPU, copied. ``state``: a gathered state of a sharded model."""
    from peft import get_peft_model_state_dict

    return {name: weight.detach().cpu().clone() for name, weight in get_peft_model_state_dict(model, state_dict=state).items()}


def save_adapter(model: Any, weights: dict[str, Any], folder: Path, card: AdapterCard) -> None:
    """Adapter weights, configuration and card into an emptied folder, the same bytes for the same run."""
    from safetensors.torch import save_file

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    config = model.peft_config["default"]
    config.base_model_name_or_path = card.base
    # As PEFT writes it: an adapter that is loaded is not trained further.
    config.inference_mode = True
    config.save_pretrained(str(folder))
    config.inference_mode = False
    save_file({name: weights[name].contiguous() for name in sorted(weights)}, str(folder / "adapter_model.safetensors"), {"format": "pt"})
    path = folder / "adapter_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    write_adapter_card(folder, card)
    for file in folder.iterdir():
        os.chmod(file, 0o644)


def trainable_weights(model: Any, beside: Sequence[str] = ()) -> int:
    """Number of the adapter's weights, those of the modules ``beside`` it not counted."""
    named = ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
    return sum(weight.numel() for name, weight in named if name.split(".")[0] not in beside)
