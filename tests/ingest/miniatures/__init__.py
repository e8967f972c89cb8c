"""Miniature trees of public sets, one per card of ``data/cards`` that says ``verified_on: miniature``.

Every module here whose name begins with ``volumes`` or ``pictures`` offers ``MINIATURES: dict[card name, Miniature]``;
``REGISTRY`` is all of them together.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from tests.ingest.miniatures.miniature import Miniature


def _collect() -> dict[str, Miniature]:
    found: dict[str, Miniature] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if not module.startswith(("volumes", "pictures")):
            continue
        offered = importlib.import_module(f"{__name__}.{module}").MINIATURES
        twice = sorted(found.keys() & offered.keys())
        if twice:
            raise ValueError(f"{module} offers miniatures that another module has: {', '.join(twice)}")
        found |= offered
    return dict(sorted(found.items()))


REGISTRY: dict[str, Miniature] = _collect()


def write_miniature(card_name: str, folder: Path) -> Miniature:
    """Write the miniature tree of a card below ``folder`` (made if it is missing) and return what ingest must make of it."""
    folder.mkdir(parents=True, exist_ok=True)
    REGISTRY[card_name].write(folder)
    return REGISTRY[card_name]
