"""Model and processor of a base, as its card says."""

from __future__ import annotations

import importlib.util
from typing import Any

from stages.core.stage import StageError
from stages.vlm.card import Base
from stages.vlm.families import Family
from stages.vlm.loading import LoadError, load_model, load_processor


class BaseError(LoadError, StageError):
    """A base cannot be loaded here; a stage ends with the message."""


def base_processor(base: Base) -> Any:
    """Processor of a base, with the settings of its card.

    Raises:
        BaseError: a package is missing, or the processor cannot be fetched or read.
    """
    check_packages(base.family)
    try:
        return load_processor(base.location, base.card.revision, base.processor_settings)
    except LoadError as error:
        raise BaseError(str(error)) from error
    except (OSError, ValueError) as error:
        raise BaseError(_unloadable(base, "processor", error)) from error


def base_model(base: Base, dtype: str = "float32") -> Any:
    """Model of a base in a torch dtype, in evaluation mode.

    Raises:
        BaseError: the weights cannot be fetched or read, or are of another architecture than the card's family.
    """
    from safetensors import SafetensorError

    try:
        model = load_model(base.location, base.card.revision, dtype)
    except (OSError, ValueError, SafetensorError) as error:
        raise BaseError(_unloadable(base, "model", error)) from error
    found = model.config.model_type
    if found not in base.family.model_types:
        raise BaseError(
            f"base {base.card.name!r}: {base.location} holds a model of type {found!r}, but family {base.card.family!r} is "
            f"{' or '.join(base.family.model_types)}: correct `family` (and `codec`) in its card"
        )
    return model


def _unloadable(base: Base, what: str, error: Exception) -> str:
    cause = str(error).strip().splitlines()[0].rstrip(" :.")
    remedy = (
        "fetch it where there is a network, and give its folder as `path` in a card"
        if base.card.hub
        else "fetch it anew with `dvc pull` or `git lfs pull`, or look at its card and config.json"
    )
    return f"base {base.card.name!r}: no {what} loads from {base.location} ({cause}): {remedy}"


def check_packages(family: Family) -> None:
    """Refuse a family whose processor needs a package that is not installed.

    Raises:
        BaseError: names the packages and how to get them.
    """
    missing = [package for package in family.needs if importlib.util.find_spec(package) is None]
    if missing:
        raise BaseError(f"family {family.name!r}: its processor needs {' and '.join(missing)}, not installed here: run `pip install -r requirements.txt`")
