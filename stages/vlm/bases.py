"""Model and processor of a base, as its card says."""

from __future__ import annotations

import importlib.util
from typing import Any

from stages.vlm.card import Base
from stages.vlm.families import Family
from stages.vlm.loading import LoadError, load_model, load_processor


def base_processor(base: Base) -> Any:
    """Processor of a base, with the settings of its card.

    Raises:
        LoadError: a package is missing, or what is there does not fit the card's family.
    """
    check_packages(base.family)
    return load_processor(base.location, base.card.revision, base.processor_settings)


def base_model(base: Base, dtype: str = "float32") -> Any:
    """Model of a base in a torch dtype, in evaluation mode.

    Raises:
        LoadError: the weights cannot be fetched, or are of another architecture than the card's family.
    """
    try:
        model = load_model(base.location, base.card.revision, dtype)
    except (OSError, ValueError) as error:
        cause = str(error).splitlines()[0]
        remedy = "fetch it where there is a network, and give its folder as `path` in a card" if base.card.hub else "look at its card and config.json"
        raise LoadError(f"base {base.card.name!r}: no model loads from {base.location} ({cause}): {remedy}") from error
    found = model.config.model_type
    if found not in base.family.model_types:
        raise LoadError(
            f"base {base.card.name!r}: {base.location} holds a model of type {found!r}, but family {base.card.family!r} is "
            f"{' or '.join(base.family.model_types)}: correct `family` (and `codec`) in its card"
        )
    return model


def check_packages(family: Family) -> None:
    """Refuse a family whose processor needs a package that is not installed.

    Raises:
        LoadError: names the packages and how to get them.
    """
    missing = [package for package in family.needs if importlib.util.find_spec(package) is None]
    if missing:
        raise LoadError(f"family {family.name!r}: its processor needs {' and '.join(missing)}, not installed here: run `pip install -r requirements.txt`")
