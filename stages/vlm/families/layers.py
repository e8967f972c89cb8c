"""Which layers a low-rank adapter changes: all linear layers of the named parts of a family's model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from stages.vlm.families.family import PARTS, Family


def linear_layers(family: Family, model: Any, parts: Sequence[str]) -> list[str]:
    """Paths of every linear layer inside the named parts, sorted. Gemma 3's connector has none.

    Raises:
        ValueError: unknown part, or one that this model does not have (it is of another family).
    """
    import torch

    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"parts of a model are {', '.join(PARTS)}, got {list(parts)}")
    modules = dict(model.named_modules())
    inside: set[str] = set()
    for part in parts:
        found = {name for name in modules if re.fullmatch(rf"({family.parts[part]})(\..*)?", name)}
        if not found:
            raise ValueError(f"the model has no part {part!r} as family {family.name!r} has it: correct `family` in its card")
        inside |= found
    return sorted(name for name in inside if isinstance(modules[name], torch.nn.Linear))


def target_modules(family: Family, model: Any, parts: Sequence[str]) -> str:
    """The same layers as one regular expression for ``peft.LoraConfig.target_modules``, short where layers repeat.

    One text, not a list: peft keeps a list as a set, whose order in adapter_config.json would differ from run to run.

    Raises:
        ValueError: see ``linear_layers``.
    """
    layers = linear_layers(family, model, parts)
    # A number inside a path counts layers; one at its end picks the linear member of a Sequential.
    repeated = {re.sub(r"\\\.\d+(?=\\\.)", lambda _: r"\.\d+", re.escape(name)) for name in layers}
    short = "|".join(sorted(repeated))
    meant = {name for name, _ in model.named_modules() if re.fullmatch(short, name)} == set(layers)
    return short if meant else "|".join(re.escape(name) for name in layers)
