"""Which layers a low-rank adapter changes: all linear layers of the named parts of a family's model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from stages.vlm.families.family import PARTS, Family


def linear_layers(family: Family, model: Any, parts: Sequence[str]) -> list[str]:
    """Paths of every linear layer inside the named parts, sorted.

    Raises:
        ValueError: unknown part, or a part without a linear layer in this model (it is of another family).
    """
    import torch

    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"parts of a model are {', '.join(PARTS)}, got {list(parts)}")
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    found = []
    for part in parts:
        inside = [name for name in linear if re.fullmatch(rf"({family.parts[part]})(\..*)?", name)]
        if not inside:
            raise ValueError(f"the model has no linear layer in part {part!r} of family {family.name!r}: correct `family` in its card")
        found += inside
    return sorted(set(found))


def target_modules(family: Family, model: Any, parts: Sequence[str]) -> str:
    """The same layers as one regular expression for ``peft.LoraConfig.target_modules``; layer numbers become ``\\d+``.

    One text, not a list: peft keeps a list as a set, whose order in adapter_config.json would differ from run to run.

    Raises:
        ValueError: see ``linear_layers``.
    """
    shapes = {re.sub(r"\\\.\d+(?=\\\.|$)", lambda _: r"\.\d+", re.escape(name)) for name in linear_layers(family, model, parts)}
    return "|".join(sorted(shapes))
