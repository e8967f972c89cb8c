"""CT windows by name: which part of the Hounsfield scale a picture shows. Data in ``windows.yaml``."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from pathlib import Path

from stages.core.params import build, read_yaml


class UnknownWindowError(ValueError):
    """A window that windows.yaml does not know."""


@dataclass(frozen=True)
class Window:
    """Grey values from ``level - width / 2`` (black) to ``level + width / 2`` (white), in HU."""

    level: float
    width: float


@functools.cache
def windows() -> dict[str, Window]:
    """All windows by name."""
    content = read_yaml(Path(__file__).parent / "windows.yaml", "it is part of this repository: restore it")
    return {name: build(Window, fields, f"windows.yaml:{name}") for name, fields in content.items()}


def window(name: str) -> Window:
    """The window of a name.

    Raises:
        UnknownWindowError: names the nearest one and all others.
    """
    known = windows()
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]
        raise UnknownWindowError(f"unknown CT window {name!r}; nearest: {near}. There are {', '.join(known)} (stages/knowledge/windows.yaml)")
    return known[name]
